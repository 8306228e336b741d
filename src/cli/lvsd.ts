/**
 * `lvsd`: the virtual services alone, with the options of piranha 0.8.6 (lvsd(8)) and one of ours (--run-dir). It stays
 * in the foreground; who wants it in the background has a supervisor. Called wrongly it exits with 1, as lvsd always did.
 */
import { resolve } from 'node:path';
import { readOptions } from './options.ts';
import { DEFAULT_CONFIG_FILE, LVSD } from './options-of-programs.ts';
import { versionText } from './version-text.ts';

export async function lvsdCommand(argv: readonly string[]): Promise<number> {
  const parsed = readOptions(argv, LVSD);
  if (!parsed.ok) return complain(parsed.error);
  const { flags, values, rest } = parsed.value;
  if (flags.has('version')) return say(versionText('lvsd'));
  if (rest.length > 0) return complain(`unexpected argument ${rest[0]}`);
  const { runLvsd } = await import('../director/index.ts');
  return runLvsd({
    configFile: resolve(values.get('configFile') ?? DEFAULT_CONFIG_FILE),
    runDirectory: resolve(values.get('runDirectory') ?? '/run/piranha-lvsd'),
    isTest: flags.has('test'),
    isVerbose: flags.has('verbose'),
  });
}

function say(text: string): number {
  process.stdout.write(`${text}\n`);
  return 0;
}

function complain(sentence: string): number {
  process.stderr.write(`lvsd: ${sentence}; try lvsd --help\n`);
  return 1;
}
