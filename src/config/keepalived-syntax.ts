/**
 * A keepalived.conf as its lines, and as the blocks and statements they say, each with its line.
 *
 * Nothing is thrown away: `lines` joined is the text. The reading of it follows keepalived's own: blanks part words,
 * `#` and `!` begin a comment anywhere outside of quotes, a brace may stand on a line of its own, `@name` in front of a
 * line keeps it for the machines called so, `$NAME=value` defines what `$NAME` and `${NAME}` stand for.
 * Rejected: a schema of every keyword with its arguments. The importer knows the few that it carries over, a table
 * (keepalived-left.ts) the others; a schema of the rest would be read by nobody.
 * Source: keepalived.conf(5) 2.2.7, "Advanced configuration".
 */
import { parseDocument } from './document.ts';
import { shorten } from './problem.ts';

/** `key args...`, or with a block behind it when there are `children`. */
export type Entry = {
  readonly key: string;
  readonly args: readonly string[];
  /** From 1. */
  readonly line: number;
  /** The comment lines right above, without their sign. */
  readonly comments: readonly string[];
  children?: Entry[];
};

/**
 * `refused`: no lvs.cf comes of the file. `lost`: something it does will not be done. `changed`: done otherwise.
 * `needless`: done anyway, or has nothing to act on here.
 */
export type NoteKind = 'refused' | 'lost' | 'changed' | 'needless';
export type Note = {
  readonly kind: NoteKind;
  /** From 1; 0 when the file as a whole is meant. */
  readonly line: number;
  /** The word it is about. */
  readonly keyword: string;
  /** Without a final full stop. */
  readonly sentence: string;
};

export type KeepalivedFile = {
  /** With their endings. */
  readonly lines: readonly string[];
  readonly entries: readonly Entry[];
  readonly notes: readonly Note[];
};

/** In UTF-16 units; hand-written files have a thousandth of it. */
const MAX_LENGTH = 8 * 1024 * 1024;
const MAX_DEPTH = 12;
/** A definition that doubles itself must end. */
const MAX_EXPANDED = 4096;
const MAX_ROUNDS = 20;

/** Reads any text; never throws. `configId` is what `keepalived -i` would be given. */
export function parseKeepalived(text: string, configId?: string): KeepalivedFile {
  if (text.length > MAX_LENGTH) {
    const sentence = `the file has ${text.length} characters; at most ${MAX_LENGTH} are read`;
    return { lines: [], entries: [], notes: [refusal(0, 'file', sentence)] };
  }
  const reader = new Reader(configId);
  const { lines } = parseDocument(text, '');
  for (const [index, line] of lines.entries()) reader.read(line.replace(/\r?\n$/, ''), index + 1);
  return { lines, ...reader.finish() };
}

function refusal(line: number, keyword: string, sentence: string): Note {
  return { kind: 'refused', line, keyword, sentence };
}

type Token = { readonly text: string; readonly isQuoted: boolean };

class Reader {
  readonly #configId: string | undefined;
  readonly #definitions = new Map<string, string>();
  readonly #root: Entry = { key: '', args: [], line: 0, comments: [], children: [] };
  readonly #open: Entry[] = [this.#root];
  readonly #notes: Note[] = [];
  #comments: string[] = [];
  /** Inside a definition of several lines. */
  #isSkipping = false;

  constructor(configId: string | undefined) {
    this.#configId = configId;
  }

  finish(): { readonly entries: readonly Entry[]; readonly notes: readonly Note[] } {
    for (const { key, line } of this.#open.slice(1)) {
      this.#note(
        'changed',
        line,
        key,
        'the block is never closed; it is taken to end with the file',
      );
    }
    return { entries: this.#root.children ?? [], notes: this.#notes };
  }

  read(raw: string, line: number): void {
    if (this.#isSkipping) {
      this.#isSkipping = raw.trimEnd().endsWith('\\');
      return;
    }
    const comment = /^\s*[#!]+ ?(.*)$/.exec(raw)?.[1];
    if (comment !== undefined) {
      this.#comments.push(comment.trimEnd());
      return;
    }
    const text = this.#condition(raw.trim(), line);
    if (text === undefined) return;
    if (text === '') this.#comments = [];
    else if (!this.#define(text, line)) this.#statement(text, line);
  }

  /** The line without its `@name`; undefined when it is not for this machine. */
  #condition(text: string, line: number): string | undefined {
    const match = /^@(\^?)(\S*)\s*(.*)$/.exec(text);
    if (match === null) return text;
    const [, negation, name = '', rest = ''] = match;
    if (this.#configId !== undefined) {
      return (this.#configId === name) === (negation === '') ? rest : undefined;
    }
    const who = `the machines that are ${negation === '' ? '' : 'not '}called ${shorten(name)}`;
    this.#note(
      'lost',
      line,
      `@${negation}${shorten(name)}`,
      `the line is for ${who}; --config-id NAME tells which machine to read the file for`,
    );
    return undefined;
  }

  #define(text: string, line: number): boolean {
    if (/^~(SEQ|LST)/.test(text)) {
      this.#note(
        'lost',
        line,
        text.slice(0, 4),
        'repeated blocks are not expanded; write them out',
      );
      return true;
    }
    const match = /^\$([A-Za-z_]\w*)=(.*)$/.exec(text);
    if (match === null) return false;
    const [, name = '', value = ''] = match;
    if (value.endsWith('\\')) {
      this.#isSkipping = true;
      const sentence =
        'a definition of several lines is not expanded; write its text where it is used';
      this.#note('lost', line, `$${shorten(name)}`, sentence);
    } else this.#definitions.set(name, value.replace(/\s[#!].*$/, '').trim());
    return true;
  }

  #statement(text: string, line: number): void {
    const { tokens, isClosed } = tokensOf(this.#expand(text));
    if (!isClosed) {
      const sentence = 'a quote is opened and never closed; it is taken to end with the line';
      this.#note('changed', line, shorten(tokens[0]?.text ?? ''), sentence);
    }
    const [first] = tokens;
    if (first !== undefined && /^include[rmwba]?$/.test(first.text)) {
      const sentence = 'other files are not read; put the text of this one in its place';
      this.#notes.push(refusal(line, first.text, sentence));
      return;
    }
    let words: string[] = [];
    for (const { text: word, isQuoted } of tokens) {
      if (isQuoted || (word !== '{' && word !== '}')) words.push(word);
      else {
        if (word === '{') this.#openBlock(words, line);
        else this.#closeBlock(words, line);
        words = [];
      }
    }
    this.#add(words, line);
  }

  #expand(text: string): string {
    let expanded = text;
    for (let round = 0; round < MAX_ROUNDS && expanded.includes('$'); round++) {
      const next = expanded.replace(
        /\$(?:\{(\w+)\}|(\w+)(?=\s|$))/g,
        (whole, braced, bare) => this.#definitions.get(braced ?? bare) ?? whole,
      );
      if (next === expanded || next.length > MAX_EXPANDED) break;
      expanded = next;
    }
    return expanded;
  }

  #add([key, ...args]: readonly string[], line: number): Entry | undefined {
    if (key === undefined) return undefined;
    const entry: Entry = { key, args, line, comments: this.#comments };
    this.#comments = [];
    (this.#open.at(-1) ?? this.#root).children?.push(entry);
    return entry;
  }

  #openBlock(words: readonly string[], line: number): void {
    const before = this.#open.at(-1)?.children?.at(-1);
    // `virtual_server ...` on one line, `{` on the next.
    const entry = words.length > 0 ? this.#add(words, line) : before;
    if (entry === undefined || entry.children !== undefined) {
      this.#notes.push(refusal(line, '{', 'a block without a name'));
      return;
    }
    if (this.#open.length > MAX_DEPTH) {
      this.#notes.push(refusal(line, '{', `blocks are nested deeper than ${MAX_DEPTH}`));
      return;
    }
    entry.children = [];
    this.#open.push(entry);
  }

  #closeBlock(words: readonly string[], line: number): void {
    this.#add(words, line);
    this.#comments = [];
    if (this.#open.length > 1) this.#open.pop();
    else this.#note('changed', line, '}', 'closes nothing; it is left out');
  }

  #note(kind: NoteKind, line: number, keyword: string, sentence: string): void {
    this.#notes.push({ kind, line, keyword, sentence });
  }
}

/** Words up to a comment. A brace is a word when it stands alone, or ends one: `group{`. */
function tokensOf(text: string): { readonly tokens: readonly Token[]; readonly isClosed: boolean } {
  const tokens: Token[] = [];
  const word = /\s*(?:"((?:[^"\\]|\\.)*)("?)|'([^']*)('?)|([^\s#!"']+[^\s#!]*))|\s*([#!].*)/gy;
  for (let match = word.exec(text); match !== null; match = word.exec(text)) {
    const [, double, doubleEnd, single, singleEnd, bare] = match;
    if (double !== undefined) {
      tokens.push({ text: double.replace(/\\(.)/g, unescaped), isQuoted: true });
      if (doubleEnd === '') return { tokens, isClosed: false };
    } else if (single !== undefined) {
      tokens.push({ text: single, isQuoted: true });
      if (singleEnd === '') return { tokens, isClosed: false };
    } else if (bare === undefined) break;
    else pushBare(bare, tokens);
  }
  return { tokens, isClosed: true };
}

/** Only quote and backslash: a regular expression keeps its own. */
function unescaped(whole: string, character: string): string {
  return character === '"' || character === '\\' ? character : whole;
}

function pushBare(text: string, tokens: Token[]): void {
  if (/^[{}]+$/.test(text)) {
    for (const brace of text) tokens.push({ text: brace, isQuoted: false });
  } else if (text.endsWith('{') && !text.endsWith('${')) {
    tokens.push({ text: text.slice(0, -1), isQuoted: false }, { text: '{', isQuoted: false });
  } else tokens.push({ text, isQuoted: false });
}
