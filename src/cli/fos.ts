/**
 * `fos`: the failover services of one node alone, with the options of piranha 0.8.6 (fos(8)), in the foreground. Called
 * wrongly it exits with 1, as fos always did.
 */
import { resolve } from 'node:path';
import { readOptions } from './options.ts';
import { DEFAULT_CONFIG_FILE, FOS } from './options-of-programs.ts';
import { versionText } from './version-text.ts';

export async function fosCommand(argv: readonly string[]): Promise<number> {
  const parsed = readOptions(argv, FOS);
  if (!parsed.ok) return complain(parsed.error);
  const { flags, values, rest } = parsed.value;
  if (flags.has('version')) return say(versionText('fos'));
  if (rest.length > 0) return complain(`unexpected argument ${rest[0]}`);
  if (flags.has('active') === flags.has('monitor')) {
    return complain('one of --active and --monitor is required, and not both');
  }
  const { runFos } = await import('../director/index.ts');
  return runFos({
    configFile: resolve(values.get('configFile') ?? DEFAULT_CONFIG_FILE),
    mode: flags.has('active') ? 'active' : 'monitor',
    isTest: flags.has('test'),
  });
}

function say(text: string): number {
  process.stdout.write(`${text}\n`);
  return 0;
}

function complain(sentence: string): number {
  process.stderr.write(`fos: ${sentence}; try fos --help\n`);
  return 1;
}
