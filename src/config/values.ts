/**
 * The types of values: how the words after `=` are read, and the sentence when they are wrong.
 *
 * A `ValueType` reads words into a value or reports why not; the directives are a table of keys and these types
 * (directives.ts). `strict` names how Piranha 0.8.6 reads the same words (strict.ts).
 */
import type { IpAddress } from '../base/index.ts';
import type { Word } from './document.ts';
import { hasLeadingZero, parseCInteger } from './numbers.ts';
import type { Place, ProblemCode, ProblemList } from './problem.ts';
import { nearest } from './suggest.ts';

/** How 0.8.6 reads a value. `ours`: it does not know the directive. */
export type StrictKind =
  | { readonly kind: 'ours' | 'text' | 'integer' | 'boolean' | 'port' | 'list' }
  | { readonly kind: 'host'; readonly refusesZero: boolean }
  | { readonly kind: 'host-device' | 'netmask' | 'persistence-mask' | 'literal' }
  | { readonly kind: 'choice'; readonly choices: readonly string[] };

/** Outside knowledge, given by the caller because this room reads no files: /etc/hosts and /etc/services. */
export type Lookups = {
  readonly resolve?: (name: string) => IpAddress | undefined;
  readonly servicePort?: (name: string, protocol: 'tcp' | 'udp') => number | undefined;
};

/** What a value type needs while it reads one line. */
export class ValueReader {
  readonly problems: ProblemList;
  readonly lookups: Lookups;
  key = '';
  line = 0;

  constructor(problems: ProblemList, lookups: Lookups) {
    this.problems = problems;
    this.lookups = lookups;
  }

  place(word: Word): Place {
    return { line: this.line, column: word.column, length: word.length };
  }

  /** Reports an error at a word; returns undefined, so that `return reader.fail(...)` ends a reading. */
  fail(word: Word, code: ProblemCode, message: string, suggestion?: string): undefined {
    this.problems.error(code, this.place(word), message, suggestion);
    return undefined;
  }

  warn(word: Word, code: ProblemCode, message: string, suggestion?: string): void {
    this.problems.warning(code, this.place(word), message, suggestion);
  }
}

export type ValueType<T> = {
  /** For people: `whole number of seconds, 1 to 86400`. */
  readonly description: string;
  /** How many words it takes; a list takes any number. */
  readonly words: 1 | 2 | 'any';
  readonly strict: StrictKind;
  /** `words` has the right count. */
  read(words: readonly Word[], reader: ValueReader): T | undefined;
};

type OneWord<T> = {
  readonly description: string;
  readonly strict: StrictKind;
  readonly read: (word: Word, reader: ValueReader) => T | undefined;
};

/** A type of one word. */
export function oneWord<T>({ description, strict, read }: OneWord<T>): ValueType<T> {
  return {
    description,
    words: 1,
    strict,
    read([word], reader) {
      return word === undefined ? undefined : read(word, reader);
    },
  };
}

/** The same type under our own name: 0.8.6 does not know the directive. */
export function ours<T>(type: ValueType<T>): ValueType<T> {
  return { ...type, strict: { kind: 'ours' } };
}

type IntegerRange = { readonly min: number; readonly max: number; readonly unit?: string };

export function integer({ min, max, unit }: IntegerRange): ValueType<number> {
  const range = `${unit === undefined ? 'whole number' : `whole number of ${unit}`}, ${min} to ${max}`;
  return oneWord({
    description: range,
    strict: { kind: 'integer' },
    read(word, reader) {
      const value = readNumber(word, reader, `a ${range}`);
      if (value === undefined || (value >= min && value <= max)) return value;
      return reader.fail(
        word,
        'out-of-range',
        `\`${reader.key}\` wants a ${range}; found ${word.text}`,
      );
    },
  });
}

function readNumber(word: Word, reader: ValueReader, wanted: string): number | undefined {
  const value = parseCInteger(word.text);
  if (value === undefined) {
    const decimal = /^\s*(\d+)\s*$/.exec(word.text)?.[1]?.replace(/^0+(?=\d)/, '');
    return reader.fail(
      word,
      'not-an-integer',
      `\`${reader.key}\` wants ${wanted}; found \`${word.text}\``,
      decimal,
    );
  }
  if (hasLeadingZero(word.text)) {
    const decimal = word.text.trim().replace(/^([+-]?)0+(?=\d)/, '$1');
    reader.warn(
      word,
      'leading-zero',
      `\`${word.text}\` begins with 0, so it is octal and means ${value}`,
      value === Number(decimal) ? decimal : String(value),
    );
  }
  return value;
}

/** monitor_links: any number, non-zero is on. */
export const NON_ZERO: ValueType<boolean> = oneWord({
  description: '0 or 1 (any other number is 1)',
  strict: { kind: 'integer' },
  read(word, reader) {
    const value = readNumber(word, reader, '0 or 1');
    return value === undefined ? undefined : value !== 0;
  },
});

/** syncd_id: the kernel takes eight bits. */
export const LOW_OCTET: ValueType<number> = oneWord({
  description: 'whole number, 0 to 255',
  strict: { kind: 'integer' },
  read(word, reader) {
    const value = readNumber(word, reader, 'a whole number, 0 to 255');
    if (value === undefined || (value >= 0 && value <= 255)) return value;
    const used = ((value % 256) + 256) % 256;
    reader.warn(
      word,
      'truncated',
      `\`${reader.key}\` is 0 to 255; of ${word.text} only the low eight bits are used: ${used}`,
      String(used),
    );
    return used;
  },
});

export const BOOLEAN: ValueType<boolean> = oneWord({
  description: '0 or 1',
  strict: { kind: 'boolean' },
  read(word, reader) {
    const value = parseCInteger(word.text);
    if (value === 0 || value === 1) return value === 1;
    const meant = /^(yes|true|on|enabled?)$/i.test(word.text)
      ? '1'
      : /^(no|false|off|disabled?)$/i.test(word.text)
        ? '0'
        : undefined;
    return reader.fail(
      word,
      'not-a-boolean',
      `\`${reader.key}\` wants 0 or 1; found \`${word.text}\``,
      meant,
    );
  },
});

export function choice<const T extends string>(choices: readonly T[]): ValueType<T> {
  return oneWord({
    description: choices.map((word) => `\`${word}\``).join(', '),
    strict: { kind: 'choice', choices },
    read(word, reader) {
      const found = choices.find((name) => name === word.text);
      if (found !== undefined) return found;
      const last = choices.length > 1 ? ` or ${choices.at(-1)}` : '';
      return reader.fail(
        word,
        'not-a-choice',
        `\`${reader.key}\` wants ${choices.slice(0, -1).join(', ')}${last}; found \`${word.text}\``,
        nearest(word.text, choices),
      );
    },
  });
}

/** Free text; longer than `limit` characters is warned about, because 0.8.6 cuts or refuses it. */
export function text(limit = 255): ValueType<string> {
  return oneWord({
    description: `text, at most ${limit} characters`,
    strict: { kind: 'text' },
    read(word, reader) {
      if (hasControlCharacter(word.text)) {
        return reader.fail(
          word,
          'stray-control-character',
          `\`${reader.key}\` holds a control character; write \\r, \\n or \\t for those that can be sent`,
        );
      }
      if (word.text.length > limit) {
        reader.warn(
          word,
          'too-long',
          `\`${reader.key}\` is ${word.text.length} characters long; Piranha promises ${limit}`,
        );
      }
      return word.text;
    },
  });
}

/** Any but the tab. */
export function hasControlCharacter(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  return /[\x00-\x08\x0a-\x1f\x7f]/.test(text);
}

/** An absolute path. */
export const PATH: ValueType<string> = oneWord({
  description: 'absolute path',
  strict: { kind: 'text' },
  read(word, reader) {
    if (word.text.startsWith('/')) return word.text;
    return reader.fail(
      word,
      'bad-path',
      `\`${reader.key}\` wants an absolute path; found \`${word.text}\``,
    );
  },
});

/** Port of a real server: a number only. */
export const PORT_NUMBER = integer({ min: 0, max: 65535 });

/** TCP or UDP port from `min` on, by number or by its name in /etc/services. */
export function port(min: 0 | 1): ValueType<number> {
  const number = integer({ min, max: 65535 });
  return oneWord({
    description: `port ${min} to 65535, or a service name`,
    strict: { kind: 'port' },
    read(word, reader) {
      if (!/^[a-zA-Z]/.test(word.text)) return number.read([word], reader);
      const { servicePort } = reader.lookups;
      const known = servicePort?.(word.text, 'tcp') ?? servicePort?.(word.text, 'udp');
      if (known !== undefined) return known;
      const message = `\`${reader.key}\`: no service named \`${word.text}\` is known; write its port number`;
      return reader.fail(word, 'unknown-service', message);
    },
  });
}
