/**
 * Options from words, popt's way: `-n`, `-c FILE`, `-cFILE`, `--configfile FILE`, `--configfile=FILE`, `--` ends them.
 *
 * Rejected: node:util parseArgs. It refuses `--lvsd --fos`-like values that popt takes, its messages name its own API,
 * and it is not smaller than this.
 */
import { err, ok, type Result } from '../base/index.ts';

export type OptionSpec = {
  /** With its dashes: `-c`. */
  readonly short?: string;
  /** All spellings, with their dashes: `--configfile`. */
  readonly long: readonly string[];
  /** Name of its value in help; absent: a flag. */
  readonly value?: string;
  readonly help: string;
  /** Where only some words are values. */
  readonly words?: readonly string[];
};

/** By the name that the verb's code knows each by. */
export type OptionTable = { readonly [name: string]: OptionSpec };

export type Options<Name extends string> = {
  readonly flags: ReadonlySet<Name>;
  readonly values: ReadonlyMap<Name, string>;
  /** What is not an option. */
  readonly rest: readonly string[];
};

/** The error is a sentence. */
export function readOptions<Name extends string>(
  argv: readonly string[],
  specs: { readonly [name in Name]: OptionSpec },
): Result<Options<Name>, string> {
  const flags = new Set<Name>();
  const values = new Map<Name, string>();
  const rest: string[] = [];
  const queue = [...argv];
  for (let word = queue.shift(); word !== undefined; word = queue.shift()) {
    if (word === '--') {
      rest.push(...queue);
      break;
    }
    const { key, attached } = splitWord(word);
    const found = entriesOf(specs).find(
      ([, spec]) => spec.short === key || spec.long.includes(key),
    );
    if (!word.startsWith('-') || word === '-' || (found === undefined && isNumber(word))) {
      rest.push(word);
      continue;
    }
    if (found === undefined) return err(`unknown option ${key}`);
    const [name, spec] = found;
    if (spec.value === undefined) {
      if (attached !== undefined && word.startsWith('--')) return err(`${key} takes no value`);
      flags.add(name);
      // `-nv` is `-n -v`.
      if (attached !== undefined) queue.unshift(`-${attached}`);
      continue;
    }
    const value = attached ?? queue.shift();
    if (value === undefined) return err(`${key} needs a value: ${spec.value}`);
    values.set(name, value);
  }
  return ok({ flags, values, rest });
}

/** One line an option, aligned. */
export function optionsHelp(specs: { readonly [name: string]: OptionSpec }): string {
  const rows = Object.values(specs).map(({ short, long, value, help }) => {
    const names = [...(short === undefined ? [] : [short]), ...long].join(', ');
    return { left: `  ${names}${value === undefined ? '' : ` ${value}`}`, help };
  });
  const width = Math.max(...rows.map(({ left }) => left.length)) + 2;
  return rows.map(({ left, help }) => `${left.padEnd(width)}${help}`).join('\n');
}

/** A number below zero is no option: whoever wants a number says what is wrong with it. */
function isNumber(word: string): boolean {
  return /^-\d+$/.test(word);
}

/** `--a=b` -> --a and b; `-ab` -> -a and b. */
function splitWord(word: string): { readonly key: string; readonly attached?: string } {
  if (!word.startsWith('--')) {
    return word.length > 2 ? { key: word.slice(0, 2), attached: word.slice(2) } : { key: word };
  }
  const equals = word.indexOf('=');
  if (equals < 0) return { key: word };
  return { key: word.slice(0, equals), attached: word.slice(equals + 1) };
}

function entriesOf<Name extends string>(
  specs: {
    readonly [name in Name]: OptionSpec;
  },
): readonly (readonly [Name, OptionSpec])[] {
  const entries: (readonly [Name, OptionSpec])[] = [];
  for (const name in specs) entries.push([name, specs[name]]);
  return entries;
}
