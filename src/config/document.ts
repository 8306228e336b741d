/**
 * The document: an lvs.cf as its lines, each kept to the byte; what a line says is read from it when asked for.
 *
 * `formatDocument(parseDocument(text))` is `text` for every input, a valid file or not: nothing is thrown away, so an
 * edit changes the lines it means and no other, comments, order and unknown keys included (Piranha's own editor
 * lost all three). A flat list of lines rather than a tree: the grammar nests two levels at most, every reader
 * walks it once from the top, and a broken file (a brace too few) still has lines. A general parser generator was
 * rejected: the grammar is one line at a time.
 *
 * This is the tolerant grammar. A line it can read and the strict one also accepts means the same in both.
 * Source: lvs.cf(5) and the behaviour of Piranha 0.8.6; docs/lvs.cf.md "How a file is written".
 */

/** One word of a line: `text` without its quotes. */
export type Word = {
  readonly text: string;
  /** From 1, of the opening quote when there is one. */
  readonly column: number;
  /** As written, quotes included. */
  readonly length: number;
  readonly isQuoted: boolean;
};

export type SyntaxFault =
  | 'unclosed-quote'
  | 'text-after-quote'
  | 'missing-equals'
  | 'missing-value'
  | 'section-syntax';

/** What one line says. `comment` is the column of a trailing `#`. */
export type Statement =
  | { readonly kind: 'blank' }
  | {
      readonly kind: 'directive';
      readonly key: Word;
      /** At least one. */
      readonly values: readonly Word[];
      readonly comment?: number;
    }
  | {
      readonly kind: 'open';
      /** `virtual`, `failover`, `server`; whether it is one of them is for the reader to judge. */
      readonly keyword: Word;
      readonly name: Word;
      readonly comment?: number;
    }
  | {
      readonly kind: 'close';
      readonly column: number;
      /** What follows the brace, which the original ignores. */
      readonly rest?: Word;
    }
  | {
      readonly kind: 'malformed';
      readonly fault: SyntaxFault;
      readonly column: number;
      readonly length: number;
      /** The line's first word, when there is one. */
      readonly key?: Word;
    };

/** `lines` keep their line endings. */
export type Document = { readonly file: string; readonly lines: readonly string[] };

/** Reads any text; never fails. `file` is only kept, for messages. */
export function parseDocument(text: string, file: string): Document {
  const lines: string[] = [];
  for (let start = 0; start < text.length; ) {
    const newline = text.indexOf('\n', start);
    const end = newline < 0 ? text.length : newline + 1;
    lines.push(text.slice(start, end));
    start = end;
  }
  return { file, lines };
}

/** The text of a document; the inverse of `parseDocument`. */
export function formatDocument(document: Document): string {
  return document.lines.join('');
}

const TAB = 9;
const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;
const SPACE = 32;
const DOUBLE_QUOTE = 34;
const HASH = 35;
const SINGLE_QUOTE = 39;
const EQUALS = 61;
const CLOSING_BRACE = 125;

const BLANK: Statement = { kind: 'blank' };

/** The line ending counts as blank. */
function isBlank(code: number): boolean {
  return code === SPACE || code === TAB || code === LINE_FEED || code === CARRIAGE_RETURN;
}

function skipBlanks(text: string, from: number): number {
  let at = from;
  while (at < text.length && isBlank(text.charCodeAt(at))) at++;
  return at;
}

/** What one line says, with or without its ending. */
export function parseStatement(text: string): Statement {
  const start = skipBlanks(text, 0);
  if (start === text.length || text.charCodeAt(start) === HASH) return BLANK;
  if (text.charCodeAt(start) === CLOSING_BRACE) return parseClose(text, start);
  const key = parseKey(text, start);
  if (key === undefined) return malformed('missing-equals', start, text);
  const end = start + key.length;
  const at = skipBlanks(text, end);
  if (text.charCodeAt(at) !== EQUALS) return parseOpen(text, key, at);
  if (!isSectionKind(key.text)) return parseDirective(text, key, at + 1);
  // `virtual =x {` is a section by the name of `=x`, as in the original.
  return at === end ? malformed('section-syntax', start, text, key) : parseOpen(text, key, at);
}

function isSectionKind(word: string): boolean {
  return word === 'virtual' || word === 'failover' || word === 'server';
}

function parseClose(text: string, start: number): Statement {
  const column = start + 1;
  const after = skipBlanks(text, start + 1);
  if (after === text.length || text.charCodeAt(after) === HASH) return { kind: 'close', column };
  return { kind: 'close', column, rest: bareWord(text, after, text.trimEnd().length) };
}

/** The first word: up to a blank or `=`. */
function parseKey(text: string, start: number): Word | undefined {
  let end = start;
  while (end < text.length) {
    const code = text.charCodeAt(end);
    if (isBlank(code) || code === EQUALS) break;
    end++;
  }
  return end === start ? undefined : bareWord(text, start, end);
}

function parseDirective(text: string, key: Word, from: number): Statement {
  const words = parseWords(text, from);
  if ('fault' in words) return { ...words, key };
  if (words.values.length === 0) {
    return {
      kind: 'malformed',
      fault: 'missing-value',
      column: key.column,
      length: key.length,
      key,
    };
  }
  return words.comment === undefined
    ? { kind: 'directive', key, values: words.values }
    : { kind: 'directive', key, values: words.values, comment: words.comment };
}

/** `virtual NAME {`; anything else without `=` is a directive that lacks it. */
function parseOpen(text: string, keyword: Word, from: number): Statement {
  const words = parseWords(text, from);
  if ('fault' in words) return { ...words, key: keyword };
  const [name, brace, ...more] = words.values;
  if (name !== undefined && brace?.text === '{' && more.length === 0) {
    return words.comment === undefined
      ? { kind: 'open', keyword, name }
      : { kind: 'open', keyword, name, comment: words.comment };
  }
  const isSection = isSectionKind(keyword.text) || text.trimEnd().endsWith('{');
  const fault = isSection ? 'section-syntax' : 'missing-equals';
  return malformed(fault, keyword.column - 1, text, keyword);
}

type Words = { readonly values: readonly Word[]; readonly comment?: number };
type Malformed = Extract<Statement, { kind: 'malformed' }>;

/**
 * Words up to the end or a comment. A `#` begins a comment where a word could begin, except as the very first
 * value: there the original takes it as the value (`send = #ping`).
 */
function parseWords(text: string, from: number): Words | Malformed {
  const values: Word[] = [];
  let at = skipBlanks(text, from);
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === HASH && values.length > 0) return { values, comment: at + 1 };
    if (code === DOUBLE_QUOTE || code === SINGLE_QUOTE) {
      const word = quotedWord(text, at, code);
      if ('fault' in word) return word;
      values.push(word);
      at += word.length;
    } else {
      let end = at + 1;
      while (end < text.length && !isBlank(text.charCodeAt(end))) end++;
      values.push(bareWord(text, at, end));
      at = end;
    }
    at = skipBlanks(text, at);
  }
  return { values };
}

/**
 * A quoted word ends at the next quote of its kind that a blank or the end of the line follows: `"a"b"` is `a"b`,
 * as in the original, which knows no escape for the quote itself.
 */
function quotedWord(text: string, start: number, quote: number): Word | Malformed {
  let sawQuote = -1;
  for (let at = start + 1; at < text.length; at++) {
    if (text.charCodeAt(at) !== quote) continue;
    if (at + 1 === text.length || isBlank(text.charCodeAt(at + 1))) {
      return {
        text: text.slice(start + 1, at),
        column: start + 1,
        length: at + 1 - start,
        isQuoted: true,
      };
    }
    sawQuote = at;
  }
  return sawQuote < 0
    ? malformed('unclosed-quote', start, text)
    : malformed('text-after-quote', sawQuote, text);
}

function bareWord(text: string, start: number, end: number): Word {
  return { text: text.slice(start, end), column: start + 1, length: end - start, isQuoted: false };
}

function malformed(fault: SyntaxFault, start: number, text: string, key?: Word): Malformed {
  const length = Math.max(1, text.trimEnd().length - start);
  return key === undefined
    ? { kind: 'malformed', fault, column: start + 1, length }
    : { kind: 'malformed', fault, column: start + 1, length, key };
}
