/**
 * `piranha reload [--dry-run]`: the director of this machine reads its lvs.cf anew (what HUP does), and says what changed.
 * A file that could not be started with changes nothing: every problem is printed, exit code 1.
 */
import { DEFAULT_RUN_DIRECTORY, runDirectory } from '../director/index.ts';
import { askDirector } from './ask-director.ts';
import { type OptionSpec, optionsHelp, readOptions } from './options.ts';
import { USAGE } from './verb.ts';

const OPTIONS = {
  dryRun: { long: ['--dry-run'], help: 'only say what would change' },
  runDirectory: {
    long: ['--run-dir'],
    value: 'DIR',
    help: `the daemon's (${DEFAULT_RUN_DIRECTORY})`,
  },
  help: { short: '-?', long: ['--help'], help: 'this text' },
} as const satisfies { readonly [name: string]: OptionSpec };

export async function reloadCommand(argv: readonly string[]): Promise<number> {
  const parsed = readOptions(argv, OPTIONS);
  if (!parsed.ok || parsed.value.rest.length > 0) {
    const why = parsed.ok ? `unexpected argument ${parsed.value.rest[0]}` : parsed.error;
    process.stderr.write(`piranha reload: ${why}; try piranha reload --help\n`);
    return USAGE;
  }
  const { flags, values } = parsed.value;
  if (flags.has('help')) {
    process.stdout.write(`Usage: piranha reload [OPTION...]\n\n${optionsHelp(OPTIONS)}\n`);
    return 0;
  }
  const directory = runDirectory(values.get('runDirectory') ?? DEFAULT_RUN_DIRECTORY);
  const isDryRun = flags.has('dryRun');
  const answer = await askDirector(directory, '/v1/reload', { isDryRun });
  if (!answer.ok) {
    process.stderr.write(`piranha reload: the director does not answer (${answer.error})\n`);
    return 1;
  }
  const { code, document } = answer.value;
  const lines: unknown = new Map(Object.entries(document)).get('lines');
  const texts = Array.isArray(lines) ? lines.map(String) : [];
  if (code === 200) {
    process.stdout.write(texts.map((text) => `${text}\n`).join(''));
    return 0;
  }
  const title = String(new Map(Object.entries(document)).get('title') ?? code);
  process.stderr.write([...texts, `${title}; nothing was changed`, ''].join('\n'));
  return 1;
}
