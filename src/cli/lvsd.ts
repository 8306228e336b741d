/**
 * `lvsd`: the virtual services alone, with the options of piranha 0.8.6 (lvsd(8)) and one of ours (--run-dir). It stays
 * in the foreground; who wants it in the background has a supervisor. Called wrongly it exits with 1, as lvsd always did.
 */
import { resolve } from 'node:path';
import { type OptionSpec, optionsHelp, readOptions } from './options.ts';
import { DEFAULT_CONFIG_FILE } from './pulse.ts';
import { versionText } from './version.ts';

const OPTIONS = {
  configFile: {
    short: '-c',
    long: ['--configfile'],
    value: 'FILE',
    help: `configuration (${DEFAULT_CONFIG_FILE})`,
  },
  noDaemon: {
    short: '-n',
    long: ['--nodaemon'],
    help: 'accepted: it always stays in the foreground',
  },
  noFork: { long: ['--nofork'], help: 'the same' },
  test: { short: '-t', long: ['--test-start', '--norun'], help: 'judge the file, touch nothing' },
  verbose: { short: '-v', long: ['--verbose'], help: 'log every step of a weight, too' },
  runDirectory: {
    long: ['--run-dir'],
    value: 'DIR',
    help: 'where overrides are kept (/run/piranha-lvsd)',
  },
  version: { long: ['--version'], help: 'three lines: program, its date, its package' },
  help: { short: '-?', long: ['--help'], help: 'this text' },
} as const satisfies { readonly [name: string]: OptionSpec };

export async function lvsdCommand(argv: readonly string[]): Promise<number> {
  const parsed = readOptions(argv, OPTIONS);
  if (!parsed.ok) return complain(parsed.error);
  const { flags, values, rest } = parsed.value;
  if (flags.has('help')) return say(`Usage: lvsd [OPTION...]\n\n${optionsHelp(OPTIONS)}`);
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
