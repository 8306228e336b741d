/**
 * Values of the directives that say how real servers are checked: paths, host names, status lists, regular expressions.
 * What cannot be used is an error here, where a person reads it, not a server that is down at night.
 */
import { compileEre } from '../base/index.ts';
import type { CheckSettings, Quorum, StatusRange } from '../model/index.ts';
import { oneWord, ours, type ValueType } from './values.ts';

type Writable<T> = { -readonly [K in keyof T]?: T[K] };
export type CheckDraft = Writable<CheckSettings>;
export type QuorumDraft = Writable<Quorum>;

/** One word in printable ASCII: what can stand in the first line or a header of a request. */
function visible(description: string, pattern: RegExp, wish: string): ValueType<string> {
  return ours(
    oneWord({
      description,
      strict: { kind: 'ours' },
      read(word, reader) {
        if (word.text.length <= 255 && pattern.test(word.text)) return word.text;
        return reader.fail(
          word,
          'bad-check',
          `\`${reader.key}\` wants ${wish}; found \`${word.text}\``,
        );
      },
    }),
  );
}

export const HTTP_PATH = visible(
  'path that begins with `/`, or `*`',
  /^(?:\/[\x21-\x7e]*|\*)$/,
  'a path without blanks that begins with /',
);

/** A host name with or without a port, or an address, as a Host header has it. */
export const HTTP_HOST = visible(
  'host name or address, with or without a port',
  /^(?:[A-Za-z0-9._-]+|\[[0-9a-fA-F:.]+\])(?::\d{1,5})?$/,
  'a host name or address as browsers send it',
);

export const HOST_NAME = visible('host name', /^[A-Za-z0-9._-]+$/, 'a host name');

export const DNS_NAME = visible(
  'domain name, or `.`',
  /^(?:\.|(?:[^.\s]{1,63}\.)*[^.\s]{1,63}\.?)$/,
  'a domain name of labels of at most 63 characters',
);

/** POSIX extended regular expression. */
export const REGEX: ValueType<string> = oneWord({
  description: 'extended regular expression',
  strict: { kind: 'ours' },
  read(word, reader) {
    const compiled = compileEre(word.text);
    if (compiled.ok) return word.text;
    return reader.fail(
      word,
      'bad-check',
      `\`${reader.key}\` is no regular expression: ${compiled.error}`,
    );
  },
});

const MAX_RANGES = 20;

/** `200-299,301`. */
export const HTTP_STATUS: ValueType<readonly StatusRange[]> = oneWord({
  description: 'numbers and ranges from 100 to 599, by commas: `200-299,301`',
  strict: { kind: 'ours' },
  read(word, reader) {
    const ranges = word.text.split(',').map(statusRange);
    const good = ranges.filter((range) => range !== undefined);
    if (good.length === ranges.length && good.length <= MAX_RANGES) return good;
    return reader.fail(
      word,
      'bad-check',
      `\`${reader.key}\` wants at most ${MAX_RANGES} numbers or ranges from 100 to 599, by commas; found \`${word.text}\``,
      '200-299,301',
    );
  },
});

function statusRange(text: string): StatusRange | undefined {
  const match = /^([1-5]\d\d)(?:-([1-5]\d\d))?$/.exec(text.trim());
  if (match === null) return undefined;
  const from = Number(match[1]);
  const to = Number(match[2] ?? match[1]);
  return from <= to ? { from, to } : undefined;
}
