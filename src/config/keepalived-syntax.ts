/**
 * The lines of a keepalived.conf as the blocks and statements they say, each with its place.
 *
 * As in keepalived's own parser a brace outside of double quotes is a word of its own wherever it stands, so a block
 * may be one line or have its brace on the next. Words are read in one of two ways, by the statement's key: most end at
 * a blank or a double quote; commands and regular expressions know both quotes and backslashes, as a shell does.
 * Rejected: a schema of every keyword with its arguments. The importer knows those that it carries over, a table
 * (keepalived-left.ts) the others; a schema of the rest would be read by nobody.
 * Source: keepalived.conf(5) 2.2.7 "Quoted strings", and its parser where the manual is silent.
 */
import { type Line, type LinesOptions, readLines } from './keepalived-lines.ts';
import type { Notes, Place } from './keepalived-notes.ts';

/** `key args...`, or with a block behind it when there are `children`. */
export type Entry = Place & {
  readonly key: string;
  readonly args: readonly string[];
  /** The comment lines right above, without their sign. */
  readonly comments: readonly string[];
  children?: Entry[];
};

const MAX_DEPTH = 12;

/** Reads any text; never throws. What is not as it should be is told in `notes`. */
export function parseKeepalived(
  text: string,
  options: LinesOptions,
  notes: Notes,
): readonly Entry[] {
  const parser = new Parser(notes);
  for (const line of readLines(text, options, notes)) parser.read(line);
  return parser.finish();
}

class Parser {
  readonly #notes: Notes;
  readonly #root: Entry = { key: '', args: [], line: 0, comments: [], children: [] };
  readonly #open: Entry[] = [this.#root];
  /** Behind a brace that makes no sense nothing does. */
  #isBroken = false;
  #comments: readonly string[] = [];

  constructor(notes: Notes) {
    this.#notes = notes;
  }

  finish(): readonly Entry[] {
    for (const entry of this.#open.slice(1)) {
      const sentence = 'the block is never closed; it is taken to end with the file';
      this.#notes.add('changed', entry, sentence);
    }
    return this.#root.children ?? [];
  }

  read({ text, comments, ...at }: Line): void {
    if (this.#isBroken) return;
    if (comments.length > 0) this.#comments = comments;
    let before = '';
    for (const part of partsOf(text)) {
      if (part === '{') this.#openBlock(before, at);
      else if (part === '}') {
        this.#add(before, at);
        this.#closeBlock(at);
      }
      before = part === '{' || part === '}' ? '' : part;
    }
    this.#add(before, at);
  }

  #add(text: string, at: Place): Entry | undefined {
    if (text === '') return undefined;
    const { words, isClosed } = wordsOf(text);
    const [key = '', ...args] = words;
    const entry: Entry = { ...at, key, args, comments: this.#comments };
    this.#comments = [];
    if (!isClosed) {
      const sentence = 'a quote is opened and never closed; it is taken to end with the line';
      this.#notes.add('changed', { ...at, key }, sentence);
    }
    (this.#open.at(-1) ?? this.#root).children?.push(entry);
    return entry;
  }

  #openBlock(text: string, at: Place): void {
    // `virtual_server ...` on one line, `{` on the next.
    const entry = this.#add(text, at) ?? this.#open.at(-1)?.children?.at(-1);
    if (entry === undefined || entry.children !== undefined) {
      this.#refuse('a block without a name', at);
    } else if (this.#open.length > MAX_DEPTH) {
      this.#refuse(`blocks are nested deeper than ${MAX_DEPTH}`, at);
    } else {
      entry.children = [];
      this.#open.push(entry);
    }
  }

  #refuse(sentence: string, at: Place): void {
    this.#isBroken = true;
    this.#notes.add('refused', { ...at, key: '{' }, sentence);
  }

  #closeBlock(at: Place): void {
    this.#comments = [];
    if (this.#open.length > 1) this.#open.pop();
    else this.#notes.add('changed', { ...at, key: '}' }, 'closes nothing; it is left out');
  }
}

/** Statements and braces, in their order. Behind a double quote that is never closed braces are text. */
function partsOf(text: string): readonly string[] {
  const parts: string[] = [];
  let from = 0;
  for (const { 0: sign, index } of text.matchAll(/"[^"]*(?:"|$)|[{}]/g)) {
    if (sign !== '{' && sign !== '}') continue;
    parts.push(text.slice(from, index).trim(), sign);
    from = index + 1;
  }
  return [...parts, text.slice(from).trim()];
}

type Words = { readonly words: readonly string[]; readonly isClosed: boolean };

/** Statements whose words may be quoted in parts and have backslashes. */
const LIKE_A_SHELL =
  /^["']?(?:regex|misc_path|process|script|notify\w*|quorum_up|quorum_down|\w+_script)["']?\s/;

function wordsOf(text: string): Words {
  return LIKE_A_SHELL.test(text) ? shellWords(text) : plainWords(text);
}

function plainWords(text: string): Words {
  const found = Array.from(text.matchAll(/"([^"]*)("?)|[^\s"]+/g));
  const words = found.map(([whole, quoted]) => quoted ?? whole);
  return { words, isClosed: !found.some(([, , end]) => end === '') };
}

/** What a backslash and a letter stand for, beside octal and hexadecimal numbers. */
const ESCAPES = new Map([
  ['a', '\x07'],
  ['b', '\b'],
  ['E', '\x1b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
  ['v', '\v'],
]);

/** Words quoted in parts, with backslashes; an open quote ends with the text. */
export function shellWords(text: string): Words {
  const words: string[] = [];
  const token = /[ \t]+|\\(?:x([0-9A-Fa-f]+)|c(.)|([0-7]{1,3})|(.))|["'\\]|[^ \t"'\\]+/gs;
  let word: string | undefined;
  let quote = '';
  for (const match of text.matchAll(token)) {
    const [whole, hexadecimal, control, octal, letter] = match;
    if (/^[ \t]/.test(whole) && quote === '') {
      if (word !== undefined) words.push(word);
      word = undefined;
      continue;
    }
    word ??= '';
    if (hexadecimal !== undefined) word += byteOf(Number.parseInt(hexadecimal.slice(-2), 16));
    else if (control !== undefined) word += byteOf((control.codePointAt(0) ?? 0) % 32);
    else if (octal !== undefined) word += byteOf(Number.parseInt(octal, 8) % 256);
    else if (letter !== undefined) word += ESCAPES.get(letter) ?? letter;
    else if (whole === quote) quote = '';
    else if (quote === '' && (whole === '"' || whole === "'")) quote = whole;
    else word += whole;
  }
  if (word !== undefined) words.push(word);
  return { words, isClosed: quote === '' };
}

function byteOf(code: number): string {
  return String.fromCharCode(code);
}
