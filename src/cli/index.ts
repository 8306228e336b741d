/** The command line: words in, exit code out. */
import { readOptions } from './options.ts';
import { USAGE, type Verb } from './verb.ts';
import { findVerb, VERBS } from './verbs.ts';

/**
 * Runs one command; gives its exit code. `name` is the name the program was called by: a link named after a verb
 * (`pulse`, `send_arp`) selects it, any other name takes the verb from the first word.
 */
export async function runCommand(name: string, argv: readonly string[]): Promise<number> {
  const named = findVerb(name);
  if (named !== undefined) return runVerb(named, argv);
  const [first, ...rest] = argv;
  const word = ALIASES.get(first ?? '') ?? first ?? 'help';
  const verb = findVerb(word);
  if (verb !== undefined) return runVerb(verb, rest);
  const { nearest } = await import('../config/index.ts');
  const near = nearest(
    word,
    VERBS.map((known) => known.name),
  );
  const hint = near === undefined ? '' : ` (did you mean ${near}?)`;
  process.stderr.write(`piranha: there is no verb ${word}${hint}; try piranha help\n`);
  return USAGE;
}

/** `--help` is answered here, from the table; everything else is the verb's. */
async function runVerb(verb: Verb, argv: readonly string[]): Promise<number> {
  const parsed = readOptions(argv, verb.options);
  if (!verb.hasOwnHelp && parsed.ok && parsed.value.flags.has('help')) {
    const { verbHelp } = await import('./help.ts');
    process.stdout.write(`${verbHelp(verb)}\n`);
    return 0;
  }
  return (await verb.load())(argv);
}

const ALIASES: ReadonlyMap<string, string> = new Map([
  ['--help', 'help'],
  ['-h', 'help'],
  ['-?', 'help'],
  ['--version', 'version'],
]);
