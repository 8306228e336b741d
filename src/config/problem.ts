/**
 * What is wrong with an lvs.cf, as values: one word from a closed list, a place, a sentence.
 *
 * The sentence is complete in itself (what was found, what would be right), because it is shown by the command line,
 * the daemon's log, the API and the console alike. Programs compare `code`, never the sentence.
 */

/** Every code, in the order of docs/lvs.cf.md "Problems". */
export const PROBLEM_CODES = [
  // how a line is written
  'unclosed-quote', // a quote without its partner
  'text-after-quote', // "a"b
  'missing-equals', // keepalive 5
  'missing-value', // keepalive =
  'extra-value', // keepalive = 5 6
  'section-syntax', // virtual web without {
  'unexpected-close', // } with nothing open
  'unclosed-section', // the file ends inside a section
  'ignored-text', // } something
  'stray-control-character', // in a text or a name
  // what a line says
  'unknown-directive',
  'misplaced-directive',
  'misplaced-section',
  'not-an-integer',
  'leading-zero', // 010 is eight
  'out-of-range',
  'truncated', // syncd_id = 300 acts as 44
  'not-a-boolean',
  'not-a-choice',
  'not-an-address',
  'unusual-address', // 10.1 means 10.0.0.1
  'unknown-host',
  'unknown-service',
  'bad-netmask',
  'bad-device',
  'not-a-list',
  'bad-path',
  'bad-check', // http_body = "("
  'too-long',
  // what the file says as a whole
  'empty',
  'too-large',
  'too-many-sections',
  'too-many-problems',
  'missing-directive',
  'repeated-directive',
  'duplicate-name',
  'duplicate-service',
  'shared-mark',
  'deadtime-not-above-keepalive',
  'timeout-below-one',
  'reentry-below-timeout',
  'vip-conflict',
  'vip-is-director',
  'address-family',
  'same-address',
  'unused-directive',
  'program-without-expect',
  'udp-without-expect',
  'port-after-server',
  'port-zero',
  'no-service',
  'no-partner',
  'unsupported',
  'refused-by-piranha', // the strict verdict
] as const;
export type ProblemCode = (typeof PROBLEM_CODES)[number];

export type Severity = 'error' | 'warning';

export type Problem = {
  readonly severity: Severity;
  readonly code: ProblemCode;
  readonly file: string;
  /** From 1; 0 when the file as a whole is meant. */
  readonly line: number;
  /** From 1, in UTF-16 units; 0 when the file as a whole is meant. */
  readonly column: number;
  readonly length: number;
  /** The text at that place, at most 80 characters of it. */
  readonly found: string;
  /** A sentence without a final full stop. */
  readonly message: string;
  /** What to write instead, when that is known. */
  readonly suggestion?: string;
};

/** Where something stands: line and column from 1. */
export type Place = { readonly line: number; readonly column: number; readonly length: number };

export const WHOLE_FILE: Place = { line: 0, column: 0, length: 0 };

/**
 * Where each directive of a section was last set. A list that is searched, not a Map: a section has a dozen entries, a
 * file ten thousand sections, and as many maps cost a third of the time to read it (bench/config.ts).
 */
export class Places {
  readonly #keys: string[] = [];
  readonly #lines: number[] = [];
  readonly #columns: number[] = [];

  get(key: string): Place | undefined {
    const index = this.#keys.indexOf(key);
    const line = this.#lines[index];
    const column = this.#columns[index];
    if (line === undefined || column === undefined) return undefined;
    return { line, column, length: key.length };
  }

  has(key: string): boolean {
    return this.#keys.includes(key);
  }

  set(key: string, line: number, column: number): void {
    const found = this.#keys.indexOf(key);
    const index = found < 0 ? this.#keys.length : found;
    this.#keys[index] = key;
    this.#lines[index] = line;
    this.#columns[index] = column;
  }

  keys(): readonly string[] {
    return this.#keys;
  }
}

/** Where a section sets `key`; the whole file when it does not. */
export function placeOf(draft: { readonly places: Places }, key: string): Place {
  return draft.places.get(key) ?? WHOLE_FILE;
}

/** A thousand are enough to see that a file is not an lvs.cf. */
export const MAX_PROBLEMS = 1000;

/** Characters of a sentence: a value that it quotes may be a megabyte. */
const MAX_MESSAGE = 400;

/** Collects problems in the order of their lines; bounded, because a hostile file has a million. */
export class ProblemList {
  readonly #file: string;
  readonly #textAt: (place: Place) => string;
  readonly #found: Problem[] = [];
  #errors = 0;
  #isFull = false;

  constructor(file: string, textAt: (place: Place) => string) {
    this.#file = file;
    this.#textAt = textAt;
  }

  get hasErrors(): boolean {
    return this.#errors > 0;
  }

  get isFull(): boolean {
    return this.#isFull;
  }

  error(code: ProblemCode, place: Place, message: string, suggestion?: string): void {
    this.#errors++;
    this.#add('error', code, place, message, suggestion);
  }

  warning(code: ProblemCode, place: Place, message: string, suggestion?: string): void {
    this.#add('warning', code, place, message, suggestion);
  }

  /** By line, then column; what concerns the whole file comes last. */
  sorted(): readonly Problem[] {
    const key = (problem: Problem) => (problem.line === 0 ? Number.MAX_SAFE_INTEGER : problem.line);
    return this.#found.toSorted((a, b) => key(a) - key(b) || a.column - b.column);
  }

  #add(
    severity: Severity,
    code: ProblemCode,
    place: Place,
    message: string,
    suggestion: string | undefined,
  ): void {
    if (this.#isFull) return;
    if (this.#found.length === MAX_PROBLEMS) {
      this.#isFull = true;
      this.#errors++;
      this.#push('error', 'too-many-problems', WHOLE_FILE, 'more problems than are shown here');
      return;
    }
    this.#push(severity, code, place, message, suggestion);
  }

  #push(
    severity: Severity,
    code: ProblemCode,
    place: Place,
    message: string,
    suggestion?: string,
  ): void {
    this.#found.push({
      severity,
      code,
      file: this.#file,
      line: place.line,
      column: place.column,
      length: place.length,
      found: shorten(this.#textAt(place)),
      message: shorten(message, MAX_MESSAGE),
      ...(suggestion === undefined || suggestion.length > MAX_MESSAGE ? {} : { suggestion }),
    });
  }
}

/**
 * At most `limit` characters, control characters shown as `\x07`: a sentence stays one line, and no byte of a file steers the
 * terminal that shows it (U+009B opens a command there as escape and bracket do; U+202E turns the line around).
 */
export function shorten(text: string, limit = 80): string {
  const cut = text.length > limit ? `${text.slice(0, limit - 1)}…` : text;
  return cut.replace(/\p{Cc}|\p{Bidi_Control}|[\u2028\u2029]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0;
    if (character === '\t') return '\\t';
    return code < 256
      ? `\\x${code.toString(16).padStart(2, '0')}`
      : `\\u${code.toString(16).padStart(4, '0')}`;
  });
}
