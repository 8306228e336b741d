/**
 * POSIX extended regular expressions over bytes, in time proportional to pattern x input, always.
 *
 * `use_regex` of lvs.cf and the body match of a http check compare what a stranger's server sends. The pattern becomes
 * a small program which all its threads run in step, one input byte at a time (Thompson 1968); a thread is a program
 * counter, there are never more of them than instructions, and nothing is ever tried twice.
 *
 * Rejected: a conversion to the JavaScript RegExp. That one backtracks: `(a+)+b` needs hours for 254 letters `a`, on
 * the thread that also renews the health of the whole director, and no limit can be put on it from outside.
 *
 * Bytes, not characters, because the original never left the C locale: `.` is one byte, `\n` is an ordinary byte, `^`
 * and `$` are the ends of the input. The verdict on odd patterns is that of regcomp(3) of glibc (REG_EXTENDED):
 * `*` with nothing before it is an error, a lone `)` is itself, `\w \W \s \S \b \B \< \>` are known. Back-references
 * are refused: they are no part of the standard's ERE, and cannot be matched in linear time.
 * Source: IEEE Std 1003.1 §9.4, regex(7).
 */
import { utf8 } from './bytes.ts';
import { err, ok, type Result } from './result.ts';

/** A compiled expression. */
export type Ere = {
  /**
   * True when the expression is found anywhere in `input`. A search that would take longer than some 50 ms (a pattern of
   * hundreds of repetitions over tens of kilobytes that keep all of them alive) ends as not found.
   */
  test(input: Uint8Array): boolean;
};

type Place = 'start' | 'end' | 'word-edge' | 'no-word-edge' | 'word-start' | 'word-end';

type Node =
  | { readonly kind: 'set'; readonly members: Uint8Array }
  | { readonly kind: 'place'; readonly place: Place }
  | { readonly kind: 'sequence'; readonly parts: readonly Node[] }
  | { readonly kind: 'choice'; readonly options: readonly Node[] }
  | { readonly kind: 'repeat'; readonly part: Node; readonly min: number; readonly max: number };

type Instruction =
  | { readonly kind: 'set'; readonly members: Uint8Array }
  | { readonly kind: 'place'; readonly place: Place }
  | { readonly kind: 'fork'; readonly first: number; readonly second: number }
  | { readonly kind: 'found' };

/** The bounds that keep one match cheap: RE_DUP_MAX of POSIX, and a program that fits a few pages. */
const MAX_REPEAT = 255;
const MAX_PROGRAM = 2000;
/** Parts of the pattern with its {} written out, also those that become no instruction, `()` before all. */
const MAX_WRITTEN_OUT = 10 * MAX_PROGRAM;
const MAX_DEPTH = 50;
const MAX_PATTERN = 1024;
/** Instructions looked at in one search: some 50 ms. `hello` in 64 KiB needs 200,000. */
const MAX_WORK = 2_000_000;

const TOO_LARGE = 'too large when its {} are written out';

class BadPattern extends Error {}

/** Compiles `pattern`; the error is a sentence for the operator. Patterns of up to 1024 bytes. */
export function compileEre(pattern: string): Result<Ere, string> {
  const bytes = utf8(pattern);
  if (bytes.length > MAX_PATTERN) return err(`longer than ${MAX_PATTERN} bytes`);
  try {
    const program: Instruction[] = [];
    const tree = new Parser(bytes).parse();
    if (writtenOut(tree) > MAX_WRITTEN_OUT) throw new BadPattern(TOO_LARGE);
    emit(tree, program);
    program.push({ kind: 'found' });
    const flat = flatten(program);
    return ok({ test: (input) => run(flat, input) });
  } catch (error) {
    if (error instanceof BadPattern) return err(error.message);
    throw error;
  }
}

class Parser {
  readonly #bytes: Uint8Array;
  #at = 0;
  #depth = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  parse(): Node {
    return this.#choice();
  }

  #choice(): Node {
    const options = [this.#sequence()];
    while (this.#take('|')) options.push(this.#sequence());
    return options.length === 1 && options[0] !== undefined
      ? options[0]
      : { kind: 'choice', options };
  }

  #sequence(): Node {
    const parts: Node[] = [];
    while (this.#at < this.#bytes.length && !this.#sees('|')) {
      if (this.#sees(')') && this.#depth > 0) break;
      parts.push(this.#repeated());
    }
    return { kind: 'sequence', parts };
  }

  #repeated(): Node {
    let part = this.#atom();
    // An anchor takes no repetition: `^*` is an error, as in glibc.
    if (part.kind === 'place') return part;
    for (let count = 0; ; count++) {
      const bounds = this.#bounds();
      if (bounds === undefined) return part;
      if (count === MAX_DEPTH) throw new BadPattern('too many repetitions in a row');
      part = { kind: 'repeat', part, ...bounds };
    }
  }

  #bounds(): { min: number; max: number } | undefined {
    if (this.#take('*')) return { min: 0, max: Number.POSITIVE_INFINITY };
    if (this.#take('+')) return { min: 1, max: Number.POSITIVE_INFINITY };
    if (this.#take('?')) return { min: 0, max: 1 };
    if (!this.#take('{')) return undefined;
    const min = this.#number() ?? 0;
    const isRange = this.#take(',');
    const max = isRange ? (this.#number() ?? Number.POSITIVE_INFINITY) : min;
    const hasDigit = this.#bytes[this.#at - 1] !== code('{');
    if (!hasDigit || !this.#take('}')) throw new BadPattern('unfinished or empty {}');
    if (min > max) throw new BadPattern(`{${min},${max}} counts downwards`);
    if (min > MAX_REPEAT || (max > MAX_REPEAT && max !== Number.POSITIVE_INFINITY)) {
      throw new BadPattern(`more than ${MAX_REPEAT} repetitions`);
    }
    return { min, max };
  }

  #number(): number | undefined {
    let value: number | undefined;
    for (let digits = 0; digits < 4; digits++) {
      const byte = this.#bytes[this.#at] ?? 0;
      if (byte < 0x30 || byte > 0x39) break;
      value = (value ?? 0) * 10 + byte - 0x30;
      this.#at++;
    }
    return value;
  }

  #atom(): Node {
    const byte = this.#next();
    switch (String.fromCharCode(byte)) {
      case '(':
        return this.#group();
      case '[':
        return { kind: 'set', members: this.#bracket() };
      case '.':
        return { kind: 'set', members: new Uint8Array(256).fill(1) };
      case '^':
        return { kind: 'place', place: 'start' };
      case '$':
        return { kind: 'place', place: 'end' };
      case '\\':
        return this.#escaped();
      case '*':
      case '+':
      case '?':
      case '{':
        throw new BadPattern(`nothing to repeat before ${String.fromCharCode(byte)}`);
      default:
        return { kind: 'set', members: only(byte) };
    }
  }

  #group(): Node {
    if (++this.#depth > MAX_DEPTH) throw new BadPattern('too deep a nesting of ()');
    const inside = this.#choice();
    if (!this.#take(')')) throw new BadPattern('( without )');
    this.#depth--;
    // In a sequence of its own, so that a repetition after it is one of the group: `(^)*`.
    return { kind: 'sequence', parts: [inside] };
  }

  #escaped(): Node {
    if (this.#at >= this.#bytes.length) throw new BadPattern('trailing backslash');
    const byte = this.#next();
    const letter = String.fromCharCode(byte);
    if (letter >= '1' && letter <= '9') throw new BadPattern(`back-reference \\${letter}`);
    const place = PLACES[letter];
    if (place !== undefined) return { kind: 'place', place };
    const members =
      letter.toLowerCase() === 'w' ? classOf(isWord) : classOf(CLASSES.space ?? (() => false));
    if (letter === 'w' || letter === 's') return { kind: 'set', members };
    if (letter === 'W' || letter === 'S') return { kind: 'set', members: inverted(members) };
    return { kind: 'set', members: only(byte) };
  }

  /** After `[`: everything up to the closing `]`, which is ordinary in first place. */
  #bracket(): Uint8Array {
    const isInverted = this.#take('^');
    const members = new Uint8Array(256);
    for (let isFirst = true; isFirst || !this.#sees(']'); isFirst = false) {
      const named = this.#sees('[') ? this.#named() : undefined;
      if (named instanceof Uint8Array) {
        for (let byte = 0; byte < 256; byte++) if (named[byte] === 1) members[byte] = 1;
        continue;
      }
      const from = named ?? this.#bracketByte();
      const isRange = this.#sees('-') && this.#bytes[this.#at + 1] !== code(']');
      const to = isRange ? this.#rangeEnd() : from;
      if (to < from) throw new BadPattern('a range in [] that ends before it begins');
      members.fill(1, from, to + 1);
    }
    this.#at++;
    return isInverted ? inverted(members) : members;
  }

  #rangeEnd(): number {
    this.#at++;
    const end = this.#sees('[') ? this.#named() : undefined;
    if (end instanceof Uint8Array) throw new BadPattern('a class as the end of a range');
    return end ?? this.#bracketByte();
  }

  #bracketByte(): number {
    if (this.#at >= this.#bytes.length) throw new BadPattern('[ without ]');
    return this.#next();
  }

  /** `[:alpha:]` gives a set, `[.x.]` and `[=x=]` the byte; undefined (and nothing taken) for a plain `[`. */
  #named(): Uint8Array | number | undefined {
    const mark = this.#bytes[this.#at + 1];
    if (mark !== code(':') && mark !== code('.') && mark !== code('=')) return undefined;
    let end = this.#at + 2;
    const isOver = () => this.#bytes[end] === mark && this.#bytes[end + 1] === code(']');
    while (end < this.#bytes.length && !isOver()) end++;
    if (end >= this.#bytes.length) throw new BadPattern('[ without ]');
    const name = String.fromCharCode(...this.#bytes.subarray(this.#at + 2, end));
    this.#at = end + 2;
    if (mark !== code(':')) {
      if (name.length !== 1) throw new BadPattern(`no such character: ${name}`);
      return name.charCodeAt(0);
    }
    const belongs = Object.hasOwn(CLASSES, name) ? CLASSES[name] : undefined;
    if (belongs === undefined) throw new BadPattern(`no such class: [:${name}:]`);
    return classOf(belongs);
  }

  #next(): number {
    return this.#bytes[this.#at++] ?? 0;
  }

  #sees(letter: string): boolean {
    return this.#bytes[this.#at] === code(letter);
  }

  #take(letter: string): boolean {
    if (!this.#sees(letter)) return false;
    this.#at++;
    return true;
  }
}

const PLACES: { readonly [letter: string]: Place } = {
  b: 'word-edge',
  B: 'no-word-edge',
  '<': 'word-start',
  '>': 'word-end',
  '`': 'start',
  "'": 'end',
};

const isDigit = (byte: number) => byte >= 0x30 && byte <= 0x39;
const isUpper = (byte: number) => byte >= 0x41 && byte <= 0x5a;
const isLower = (byte: number) => byte >= 0x61 && byte <= 0x7a;
const isAlnum = (byte: number) => isDigit(byte) || isUpper(byte) || isLower(byte);
const isWord = (byte: number) => isAlnum(byte) || byte === 0x5f;
const isGraph = (byte: number) => byte > 0x20 && byte < 0x7f;

/** The character classes of the C locale. */
const CLASSES: { readonly [name: string]: (byte: number) => boolean } = {
  alpha: (byte) => isUpper(byte) || isLower(byte),
  digit: isDigit,
  alnum: isAlnum,
  upper: isUpper,
  lower: isLower,
  space: (byte) => byte === 0x20 || (byte >= 0x09 && byte <= 0x0d),
  blank: (byte) => byte === 0x20 || byte === 0x09,
  punct: (byte) => isGraph(byte) && !isAlnum(byte),
  print: (byte) => byte === 0x20 || isGraph(byte),
  graph: isGraph,
  cntrl: (byte) => byte < 0x20 || byte === 0x7f,
  xdigit: (byte) =>
    isDigit(byte) || (byte >= 0x41 && byte <= 0x46) || (byte >= 0x61 && byte <= 0x66),
};

function code(letter: string): number {
  return letter.charCodeAt(0);
}

function only(byte: number): Uint8Array {
  const members = new Uint8Array(256);
  members[byte] = 1;
  return members;
}

function classOf(belongs: (byte: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => (belongs(byte) ? 1 : 0));
}

function inverted(members: Uint8Array): Uint8Array {
  return members.map((isMember) => 1 - isMember);
}

/** How often `emit` will be called for `node`: counted before, since 20 bytes of pattern can be 10^12 calls. */
function writtenOut(node: Node): number {
  switch (node.kind) {
    case 'set':
    case 'place':
      return 1;
    case 'sequence':
      return node.parts.reduce((sum, part) => sum + writtenOut(part), 1);
    case 'choice':
      return node.options.reduce((sum, option) => sum + writtenOut(option), 1);
    case 'repeat': {
      const times = node.max === Number.POSITIVE_INFINITY ? node.min + 1 : node.max;
      return times === 0 ? 1 : 1 + times * writtenOut(node.part); // 0 times infinity is no number
    }
  }
}

/** Appends the instructions of `node`; they end by running into whatever is appended next. */
function emit(node: Node, program: Instruction[]): void {
  if (program.length > MAX_PROGRAM) throw new BadPattern(TOO_LARGE);
  switch (node.kind) {
    case 'set':
    case 'place':
      program.push(node);
      return;
    case 'sequence':
      for (const part of node.parts) emit(part, program);
      return;
    case 'choice':
      emitChoice(node.options, program);
      return;
    case 'repeat':
      emitRepeat(node, program);
  }
}

function emitChoice(options: readonly Node[], program: Instruction[]): void {
  const jumps: number[] = [];
  for (const [index, option] of options.entries()) {
    const isLast = index === options.length - 1;
    const fork = program.length;
    if (!isLast) program.push({ kind: 'found' }); // its place; written below, when the end is known
    emit(option, program);
    if (isLast) break;
    jumps.push(program.length);
    program.push({ kind: 'found' });
    program[fork] = { kind: 'fork', first: fork + 1, second: program.length };
  }
  const end = program.length;
  for (const jump of jumps) program[jump] = { kind: 'fork', first: end, second: end };
}

function emitRepeat(node: Node & { kind: 'repeat' }, program: Instruction[]): void {
  for (let count = 0; count < node.min; count++) emit(node.part, program);
  if (node.max === Number.POSITIVE_INFINITY) {
    const fork = program.length;
    program.push({ kind: 'found' });
    emit(node.part, program);
    program.push({ kind: 'fork', first: fork, second: fork });
    program[fork] = { kind: 'fork', first: fork + 1, second: program.length };
    return;
  }
  const forks: number[] = [];
  for (let count = node.min; count < node.max; count++) {
    forks.push(program.length);
    program.push({ kind: 'found' });
    emit(node.part, program);
  }
  for (const fork of forks) {
    program[fork] = { kind: 'fork', first: fork + 1, second: program.length };
  }
}

const FOUND = 0;
const SET = 1;
const FORK = 2;
const PLACE = 3;

/** The program as flat arrays: the loop below runs millions of times a second. */
type Flat = {
  readonly kinds: Uint8Array;
  readonly first: Int32Array;
  readonly second: Int32Array;
  readonly members: readonly Uint8Array[];
  readonly places: readonly Place[];
};

function flatten(program: readonly Instruction[]): Flat {
  const { length } = program;
  const [kinds, first] = [new Uint8Array(length), new Int32Array(length)];
  const second = new Int32Array(length);
  const members: Uint8Array[] = [];
  const places: Place[] = [];
  for (const [index, instruction] of program.entries()) {
    first[index] = index + 1;
    members[index] = NO_BYTE;
    places[index] = 'start';
    if (instruction.kind === 'set') {
      kinds[index] = SET;
      members[index] = instruction.members;
    } else if (instruction.kind === 'place') {
      kinds[index] = PLACE;
      places[index] = instruction.place;
    } else if (instruction.kind === 'fork') {
      kinds[index] = FORK;
      first[index] = instruction.first;
      second[index] = instruction.second;
    }
  }
  return { kinds, first, second, members, places };
}

const NO_BYTE = new Uint8Array(256);

/** Runs every thread of the program over the input, starting a new one before each byte. */
function run({ kinds, first, second, members, places }: Flat, input: Uint8Array): boolean {
  const size = kinds.length;
  const seenAt = new Int32Array(size).fill(-1);
  // Each instruction is looked at once per byte and adds at most two; those that stand before the byte come on top.
  const waiting = new Int32Array(3 * size + 2);
  let threads = new Int32Array(size);
  let next = new Int32Array(size);
  let [count, work] = [0, 0];
  for (let position = 0; position <= input.length && work < MAX_WORK; position++) {
    const byte = position < input.length ? (input[position] ?? 0) : -1;
    waiting.set(threads.subarray(0, count));
    waiting[count] = 0;
    let top = count + 1;
    count = 0;
    while (top > 0) {
      const counter = waiting[--top] ?? 0;
      work++;
      if (seenAt[counter] === position) continue;
      seenAt[counter] = position;
      const kind = kinds[counter];
      if (kind === SET) {
        if (byte >= 0 && members[counter]?.[byte] === 1) next[count++] = counter + 1;
      } else if (kind === FORK) {
        waiting[top++] = first[counter] ?? 0;
        waiting[top++] = second[counter] ?? 0;
      } else if (kind === FOUND) return true;
      else if (holds(places[counter] ?? 'start', input, position)) waiting[top++] = counter + 1;
    }
    [threads, next] = [next, threads];
  }
  return false;
}

function holds(place: Place, input: Uint8Array, position: number): boolean {
  if (place === 'start') return position === 0;
  if (place === 'end') return position === input.length;
  const isAfterWord = position > 0 && isWord(input[position - 1] ?? 0);
  const isBeforeWord = position < input.length && isWord(input[position] ?? 0);
  if (place === 'word-start') return !isAfterWord && isBeforeWord;
  if (place === 'word-end') return isAfterWord && !isBeforeWord;
  return (isAfterWord !== isBeforeWord) === (place === 'word-edge');
}
