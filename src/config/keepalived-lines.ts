/**
 * The lines of a keepalived.conf as its parser comes to see them: comments cut off, `@name` decided, `$NAME` replaced,
 * `~SEQ` and `~LST` repeated, included files in their place. Each keeps where it was written.
 *
 * A line is taken again after each replacement, since what comes out may be a condition, a definition or a repetition
 * itself. So a few lines can ask for endless ones: depth, characters and lines are counted, and too many are refused.
 * Source: keepalived.conf(5) 2.2.7 "Advanced configuration", and its parser where the manual is silent.
 */
import type { Result } from '../base/index.ts';
import type { NoteKind, Notes, Place } from './keepalived-notes.ts';
import { listOf, sequenceOf } from './keepalived-rounds.ts';
import { shorten } from './problem.ts';

export type Line = Place & {
  /** Without blanks around it; never empty. */
  readonly text: string;
  /** The comment lines right above, without their sign. */
  readonly comments: readonly string[];
};

export type IncludedFile = { readonly path: string; readonly text: string };

export type LinesOptions = {
  /** What `keepalived -i` is given: which `@name` lines count. */
  readonly configId?: string;
  /** The file's own path: what includes are relative to. */
  readonly file?: string;
  /** The files that a pattern in the file `from` names, in their order; an error is the rest of a sentence. */
  readonly include?: (pattern: string, from: string) => Result<readonly IncludedFile[], string>;
};

/** In UTF-16 units, what is repeated and included with it; hand-written files have a thousandth of it. */
const MAX_LENGTH = 16 * 1024 * 1024;
/** What each line counts beside its characters, so that endless short ones end, too. */
const LINE_COST = 64;
/** keepalived itself cuts at 1024. */
const MAX_LINE = 4096;
const MAX_DEPTH = 40;
const MAX_INCLUDED = 10;

/** Never throws. What is not carried over is told in `notes`. */
export function readLines(text: string, options: LinesOptions, notes: Notes): readonly Line[] {
  const reader = new Reader(options, notes);
  reader.file(text, []);
  return reader.lines;
}

type Definition = { readonly lines: string[] };

class Reader {
  readonly lines: Line[] = [];
  readonly #options: LinesOptions;
  readonly #notes: Notes;
  readonly #definitions = new Map<string, Definition>();
  /** Characters that may still come. */
  #room = MAX_LENGTH;
  #isFull = false;
  #comments: string[] = [];
  /** Of several lines, still being read. */
  #open: Definition | undefined;
  #path: readonly string[] = [];

  constructor(options: LinesOptions, notes: Notes) {
    this.#options = options;
    this.#notes = notes;
    const { configId, file } = options;
    const known = { _HASH: '\\#', _BANG: '\\!', _INSTANCE: configId, _PWD: file && folderOf(file) };
    for (const [name, value] of Object.entries(known)) {
      if (value !== undefined) this.#definitions.set(name, { lines: [value] });
    }
  }

  /** `path`: the included files that led here. */
  file(text: string, path: readonly string[]): void {
    const before = this.#path;
    this.#path = path;
    this.#comments = [];
    const file = path.at(-1);
    const at = (line: number): Place => (file === undefined ? { line } : { line, file });
    if (this.#hasRoom(text.length, at(0))) {
      let line = 1;
      for (let start = 0; start < text.length && !this.#isFull; line++) {
        const end = text.indexOf('\n', start);
        const stop = end < 0 ? text.length : end;
        this.#raw(text.slice(start, stop).replace(/\r$/, ''), at(line));
        start = stop + 1;
      }
    }
    this.#path = before;
  }

  #raw(raw: string, at: Place): void {
    const said = /^[ \t]*[#!]+ ?(.*)$/.exec(raw)?.[1];
    if (said !== undefined) {
      this.#comments.push(said.trimEnd());
      return;
    }
    const text = this.#withoutComment(raw, at);
    if (this.#open !== undefined) this.#continue(text);
    else if (text === '') this.#comments = [];
    else this.#take(text, at, 0);
  }

  #continue(text: string): void {
    const isLast = !text.endsWith('\\');
    const line = isLast ? text : text.slice(0, -1).trimEnd();
    if (line !== '') this.#open?.lines.push(line);
    if (isLast) this.#open = undefined;
  }

  #take(text: string, at: Place, depth: number): void {
    if (text === '' || !this.#hasRoom(LINE_COST, at)) return;
    if (depth > MAX_DEPTH) {
      this.#refuse(at, text, `definitions and repetitions are nested deeper than ${MAX_DEPTH}`);
      return;
    }
    const rest = this.#condition(text, at);
    if (rest === undefined || rest === '' || this.#define(rest)) return;
    if (rest.startsWith('~')) this.#repeat(rest, at, depth);
    else if (!this.#replace(rest, at, depth) && !this.#include(rest, at)) this.#put(rest, at);
  }

  #put(text: string, at: Place): void {
    let whole = text;
    if (text.endsWith('\\') && !text.endsWith('\\\\')) {
      whole = text.slice(0, -1).trimEnd();
      const sentence = 'only a definition goes on in the next line; here the statement ends';
      this.#tell('changed', at, '\\', sentence);
    }
    this.lines.push({ ...at, text: whole, comments: this.#comments });
    this.#comments = [];
  }

  /** The line without its `@name`; undefined when it is not for this machine. */
  #condition(text: string, at: Place): string | undefined {
    const match = /^@(\^?)(\S*)[ \t]*(.*)$/.exec(text);
    if (match === null) return text;
    const [, negation, name = '', rest = ''] = match;
    const { configId } = this.#options;
    if (configId !== undefined) {
      return (configId === name) === (negation === '') ? rest : undefined;
    }
    const who = `the machines that are ${negation === '' ? '' : 'not '}called ${shorten(name)}`;
    const sentence = `the line is for ${who}; --config-id NAME tells which machine to read the file for`;
    this.#tell('lost', at, `@${negation}${name}`, sentence);
    return undefined;
  }

  #define(text: string): boolean {
    const match = /^\$([A-Za-z_]\w*)=[ \t]*(.*)$/.exec(text);
    if (match === null) return false;
    const [, name = '', value = ''] = match;
    this.#comments = [];
    const definition: Definition = { lines: [] };
    this.#definitions.set(name, definition);
    if (value.endsWith('\\')) {
      this.#open = definition;
      this.#continue(value);
    } else definition.lines.push(value);
    return true;
  }

  /** Takes the line with what its words stand for; false when none of them stands for anything. */
  #replace(text: string, at: Place, depth: number): boolean {
    if (!text.includes('$')) return false;
    // Several lines can only be the end of one.
    const last = text.lastIndexOf('$');
    const [, braced, bare] = /^\$(?:\{(\w+)\}|(\w+))$/.exec(text.slice(last)) ?? [];
    const { lines: [first, ...following] = [] } = this.#definitions.get(braced ?? bare ?? '') ?? {};
    const head = first === undefined ? text : text.slice(0, last);
    let length = 0;
    let isReplaced = first !== undefined;
    const replaced = head.replace(
      /\$(?:\{(\w+)((?: \d+)*)\}|(\w+)(?=[ \t,)]|$))/g,
      (whole, inBraces, numbers, alone) => {
        const value = this.#valueOf(inBraces ?? alone, numbers ?? '', at);
        if (value === undefined) return whole;
        isReplaced = true;
        length += value.length;
        return length > MAX_LINE ? '' : value;
      },
    );
    if (!isReplaced) return false;
    const parts = [`${replaced}${first ?? ''}`, ...following];
    if (length > MAX_LINE || !this.#hasRoom(parts.join('').length, at)) {
      this.#tell('lost', at, text, `its definitions make more than ${MAX_LINE} characters`);
      return true;
    }
    for (const part of parts) this.#take(this.#withoutComment(part, at), at, depth + 1);
    return true;
  }

  #valueOf(name: string, numbers: string, at: Place): string | undefined {
    if (name !== '_RANDOM') {
      const { lines = [] } = this.#definitions.get(name) ?? {};
      return lines.length === 1 && numbers === '' ? lines[0] : undefined;
    }
    const [least = '0'] = numbers.trim().split(' ').filter(Boolean);
    this.#tell('changed', at, '$_RANDOM', `no number is drawn; it is taken to be ${least}`);
    return least;
  }

  /** `~SEQ(NAME, from, step, to) rest` and `~LST({A, B}, {1, 2}, {3, 4}) rest`. */
  #repeat(text: string, at: Place, depth: number): void {
    const [, word, list = '', rest = ''] =
      /^~(SEQx?|LST)[ \t]*\(([^)]*)\)[ \t]*(.*)$/.exec(text) ?? [];
    const rounds =
      word === 'LST' ? listOf(list) : word && sequenceOf(this.#plain(list), word === 'SEQx');
    if (rounds === undefined || rounds === '') {
      const sentence =
        '~SEQ(NAME, from, step, to) or ~LST(NAME, value, ...) is wanted, of at most 100000 rounds';
      this.#tell('lost', at, text.slice(0, 4), sentence);
      return;
    }
    for (const { names, values } of rounds) {
      if (!this.#hasRoom(LINE_COST + rest.length, at)) return;
      for (const [index, name] of names.entries()) {
        this.#definitions.set(name, { lines: [values[index] ?? ''] });
      }
      this.#take(rest, at, depth + 1);
    }
  }

  /** Definitions of one line within the numbers of a sequence. */
  #plain(text: string): string {
    return text.replace(/\$(?:\{(\w+)\}|(\w+))/g, (whole, braced, bare) => {
      const { lines = [] } = this.#definitions.get(braced ?? bare) ?? {};
      return lines.length === 1 ? (lines[0] ?? '').slice(0, 20) : whole;
    });
  }

  #include(text: string, at: Place): boolean {
    const [, word, pattern = ''] = /^(include[rmwba]?)[ \t]+(\S.*)$/.exec(text) ?? [];
    if (word === undefined) return false;
    const { include, file = '' } = this.#options;
    if (include === undefined) {
      this.#refuse(at, word, 'other files are not read; put the text of this one in its place');
      return true;
    }
    const found = include(pattern, at.file ?? file);
    if (!found.ok) this.#refuse(at, word, `${shorten(pattern)} ${found.error}`);
    else if (found.value.length === 0)
      this.#tell('lost', at, word, `no file is ${shorten(pattern)}`);
    else for (const one of found.value) this.#includeFile(one, at, word);
    return true;
  }

  #includeFile({ path, text }: IncludedFile, at: Place, word: string): void {
    const known = [this.#options.file ?? '', ...this.#path];
    if (known.includes(path)) this.#refuse(at, word, `${shorten(path)} includes itself`);
    else if (known.length > MAX_INCLUDED) {
      this.#refuse(at, word, `files are included deeper than ${MAX_INCLUDED}`);
    } else {
      const before = this.#definitions.get('_PWD');
      this.#definitions.set('_PWD', { lines: [folderOf(path)] });
      this.file(text, [...this.#path, path]);
      if (before !== undefined) this.#definitions.set('_PWD', before);
    }
  }

  /** Outside of double quotes `#` and `!` begin a comment, `\#` and `\!` do not. */
  #withoutComment(raw: string, at: Place): string {
    if (raw.length > MAX_LINE) {
      const sentence = `the line has more than ${MAX_LINE} characters; it is left out`;
      this.#tell('lost', at, raw.trim(), sentence);
      return '';
    }
    let isQuoted = false;
    let text = '';
    let from = 0;
    const signs = /\\.|["#!]/g;
    for (let match = signs.exec(raw); match !== null; match = signs.exec(raw)) {
      const [sign] = match;
      if (sign === '"') isQuoted = !isQuoted;
      else if (!isQuoted && (sign === '\\#' || sign === '\\!')) {
        text += raw.slice(from, match.index);
        from = match.index + 1;
      } else if (!isQuoted && sign.length === 1) {
        return `${text}${raw.slice(from, match.index)}`.trim();
      }
    }
    return `${text}${raw.slice(from)}`.trim();
  }

  /** Nothing more is read when there is none. */
  #hasRoom(length: number, at: Place): boolean {
    this.#room -= length;
    if (this.#room < 0 && !this.#isFull) {
      this.#isFull = true;
      const sentence = `with what it repeats and includes it comes to more than ${MAX_LENGTH} characters`;
      this.#refuse(at, 'file', sentence);
    }
    return !this.#isFull;
  }

  #refuse(at: Place, keyword: string, sentence: string): void {
    this.#tell('refused', at, keyword, sentence);
  }

  #tell(kind: NoteKind, at: Place, key: string, sentence: string): void {
    this.#notes.add(kind, { ...at, key }, sentence);
  }
}

function folderOf(path: string): string {
  const end = path.lastIndexOf('/');
  return end < 0 ? '.' : path.slice(0, Math.max(1, end));
}
