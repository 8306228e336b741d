/** The command line: words in, exit code out. */
import { USAGE } from './verb.ts';
import { findVerb, helpText } from './verbs.ts';

/**
 * Runs one command; gives its exit code. `name` is the name the program was called by: a link named after a verb
 * (`pulse`, `send_arp`) selects it, any other name takes the verb from the first word.
 */
export async function runCommand(name: string, argv: readonly string[]): Promise<number> {
  const named = findVerb(name);
  if (named !== undefined) return (await named.load())(argv);
  const [first, ...rest] = argv;
  const word = ALIASES.get(first ?? '') ?? first ?? 'help';
  const verb = findVerb(word);
  if (verb !== undefined) return (await verb.load())(rest);
  process.stderr.write(`piranha: there is no verb ${word}\n\n${helpText()}\n`);
  return USAGE;
}

const ALIASES: ReadonlyMap<string, string> = new Map([
  ['--help', 'help'],
  ['-h', 'help'],
  ['-?', 'help'],
  ['--version', 'version'],
]);
