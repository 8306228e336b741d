/**
 * What a verb of the command line is: one row of the table that dispatch, help, completion and man pages read.
 *
 * The row holds the options as data, so that `piranha help` and a completion know every flag without loading the code
 * that obeys it; `load` brings that code when the verb is called. `--help` is answered from the row, never by the verb.
 */
import { type Options, type OptionTable, readOptions } from './options.ts';

/** Gives the exit code. The words are what follows the verb; `--help` is not among them. */
export type Command = (argv: readonly string[]) => Promise<number>;

export const GROUPS = [
  'Look',
  'Act',
  'Change the configuration',
  'Files',
  'Try it out',
  'Programs',
  'About this program',
] as const;
export type Group = (typeof GROUPS)[number];

/** What may stand where no option stands, for completion: a file, one of these words, or what a command prints. */
export type Argument =
  | { readonly kind: 'file' }
  | { readonly kind: 'words'; readonly words: readonly string[] }
  | { readonly kind: 'printed'; readonly by: string };

export type Verb = {
  readonly name: string;
  /** A name of old for it, as a program. */
  readonly alsoCalled?: string;
  readonly group: Group;
  /** One line for `piranha help`. */
  readonly summary: string;
  /** What follows the name in the usage line: `FILE [OPTION...]`. */
  readonly usage: string;
  readonly options: OptionTable;
  readonly argument?: Argument;
  /** A few sentences for its help and its man page. */
  readonly about: string;
  /** Exit codes beside 64 (called wrongly); absent: 0 done, 1 not. */
  readonly exits?: string;
  /** A program of old: called by its own name, complaining with 1. */
  readonly isProgram?: true;
  /** It prints a help of its own, in which each of `options` stands. */
  readonly hasOwnHelp?: true;
  /** Loads the code of this verb only: `piranha status` must not wait for the simulator. */
  readonly load: () => Promise<Command>;
};

/** Exit code of a command that was called wrongly (sysexits.h EX_USAGE); names of old say 1, as pulse did. */
export const USAGE = 64;

/** In Nagios' order, for verbs that ask. */
export const QUERY_EXITS = '0 healthy, 1 degraded, 2 critical, 3 unknown';

/** A command whose options are read already; words that are no options are a mistake unless `takesWords`. */
export function withOptions<Name extends string>(
  verb: string,
  specs: { readonly [name in Name]: OptionTable[string] },
  run: (options: Options<Name>) => Promise<number>,
  takesWords = false,
): Command {
  return async (argv) => {
    const parsed = readOptions(argv, specs);
    if (!parsed.ok) return misuse(verb, parsed.error);
    const [stray] = parsed.value.rest;
    if (stray !== undefined && !takesWords) return misuse(verb, `unexpected argument ${stray}`);
    return run(parsed.value);
  };
}

/** One sentence, and the exit code for it. */
export function misuse(verb: string, why: string): number {
  process.stderr.write(`piranha ${verb}: ${why}; try piranha ${verb} --help\n`);
  return USAGE;
}

export function say(text: string): void {
  if (text !== '') process.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
}

/** `isLine`: one of many, each on a line of its own. */
export function sayJson(document: unknown, isLine = false): void {
  process.stdout.write(`${JSON.stringify(document, undefined, isLine ? undefined : 2)}\n`);
}
