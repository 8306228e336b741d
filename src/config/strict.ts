/**
 * The strict verdict: would Piranha 0.8.6 take this file, and if not, at which line and why?
 *
 * It stops at the first error, as the original does, and keeps its habits: only blanks and tabs separate words, a
 * carriage return swallows what follows it, a quoted value without an inner blank must end its line, numbers are read
 * by strtol. Written from what its parser was seen to accept and refuse (docs/lvs.cf.md "The strict verdict");
 * the tolerant grammar of document.ts is not used, because the two cut lines into words differently.
 *
 * Where its answer depends on uninitialised memory or it crashes, this verdict is fixed: a section that the end of
 * the file leaves empty is accepted, a quote alone at the end of a line is the word `"`, `dirs` without a list is
 * refused, and nothing is read behind a NUL.
 */
import { type IpAddress, ipFamily, unreachable } from '../base/index.ts';
import { GLOBAL_DIRECTIVES, SERVER_DIRECTIVES, VIRTUAL_DIRECTIVES } from './directives.ts';
import { parseAton, parseCInt } from './numbers.ts';
import type { Lookups, StrictKind } from './values.ts';

/** The original's reasons. `read error` is for the caller that cannot read the file. */
export const STRICT_REASONS = [
  'quotation mismatch',
  'unexpected end of file',
  'unexpected arguments',
  'equal expected',
  'missing arguments',
  'invalid host name or ip address',
  'invalid argument',
  'integer expected',
  'boolean expected',
  'unknown command',
  'list expected',
  'bad subnet mask',
  'empty configuration',
  'read error',
] as const;
export type StrictReason = (typeof STRICT_REASONS)[number];

/** The first error. `line` counts from 1, as the original counts; 0 for an empty file. */
export type StrictRefusal = { readonly line: number; readonly reason: StrictReason };

/** Undefined when 0.8.6 accepts the file. Host names resolve to IPv4 addresses only. */
export function strictVerdict(text: string, lookups: Lookups = {}): StrictRefusal | undefined {
  if (text === '') return { line: 0, reason: 'empty configuration' };
  const nul = text.indexOf('\0');
  const reader = new StrictReader(nul < 0 ? text : text.slice(0, nul));
  let scope: Scope = 'global';
  for (let line = reader.next(); line !== undefined; line = reader.next()) {
    const verdict: Judgement = line.isBroken
      ? judgeBroken(line.words, scope, lookups)
      : judge(line.words, scope, lookups);
    if ('reason' in verdict) return { line: reader.line, reason: verdict.reason };
    scope = verdict.scope;
  }
  return undefined;
}

/** `opened`: in a virtual section, before its first line. */
type Scope = 'global' | 'opened' | 'virtual' | 'server';

/** Words beyond the ninety-ninth of a line are dropped. */
const MAX_WORDS = 99;

/** Cuts the text into lines and the lines into words, blank lines and comments left out. */
class StrictReader {
  readonly #text: string;
  #at = 0;
  #nextReturn: number;
  line = 0;

  constructor(text: string) {
    this.#text = text;
    this.#nextReturn = text.indexOf('\r');
  }

  /** The next line that has words; undefined at the end of the file. */
  next(): Words | undefined {
    while (this.#at < this.#text.length) {
      this.line++;
      const line = this.#takeLine().replace(/^[ \t]+/, '');
      if (line === '' || line.startsWith('\n') || line.startsWith('#')) continue;
      return splitWords(line);
    }
    return undefined;
  }

  /** A carriage return anywhere ahead ends the line, line feeds before it notwithstanding. */
  #takeLine(): string {
    const start = this.#at;
    if (this.#nextReturn >= 0 && this.#nextReturn < start) {
      this.#nextReturn = this.#text.indexOf('\r', start);
    }
    const end = this.#nextReturn >= 0 ? this.#nextReturn : this.#text.indexOf('\n', start);
    this.#at = end < 0 ? this.#text.length : end + 1;
    return this.#text.slice(start, end < 0 ? undefined : end);
  }
}

/** The words of a line; when its quotes do not match it is broken, and has those before the fault. */
type Words = { readonly words: readonly string[]; readonly isBroken: boolean };

/**
 * Words between blanks and tabs. One that begins with a quote is looked at up to its first blank: when there is
 * none it must end with the quote, otherwise it goes on to the next quote *behind* that blank.
 */
function splitWords(line: string): Words {
  const words: string[] = [];
  let at = 0;
  while (at < line.length && words.length < MAX_WORDS) {
    const quote = line.charAt(at);
    let end = at;
    while (end < line.length && !isBlank(line, end)) end++;
    if (quote === '"' || quote === "'") {
      const closing = end === line.length ? end - 1 : findQuote(line, quote, end);
      if (line.charAt(closing) !== quote) return { words, isBroken: true };
      words.push(closing === at ? quote : line.slice(at + 1, closing));
      end = closing + 1;
    } else {
      words.push(line.slice(at, end));
    }
    at = end;
    while (isBlank(line, at)) at++;
  }
  return { words, isBroken: false };
}

/** The next such quote, not looked for behind a line feed; -1 when there is none. */
function findQuote(line: string, quote: string, from: number): number {
  const found = line.indexOf(quote, from);
  const newline = line.indexOf('\n', from);
  return newline >= 0 && newline < found ? -1 : found;
}

function isBlank(line: string, at: number): boolean {
  return line.charAt(at) === ' ' || line.charAt(at) === '\t';
}

type Judgement = { readonly scope: Scope } | { readonly reason: StrictReason };

/**
 * Inside a virtual section, its first line excepted, the original overlooks the mismatch and goes on with the words
 * before it; when there is none it takes the section for ended.
 */
function judgeBroken(words: readonly string[], scope: Scope, lookups: Lookups): Judgement {
  if (scope !== 'virtual') return { reason: 'quotation mismatch' };
  return words.length === 0 ? { scope: 'global' } : judge(words, scope, lookups);
}

function judge(words: readonly string[], scope: Scope, lookups: Lookups): Judgement {
  const [key = ''] = words;
  switch (scope) {
    case 'global':
      if (key === 'virtual' || key === 'failover') return judgeOpening(words, 'opened');
      return judgeDirective(words, GLOBAL_DIRECTIVES.get(key)?.strict, scope, lookups);
    case 'opened':
    case 'virtual':
      if (key === '}') return { scope: 'global' };
      if (key === 'server') return judgeOpening(words, 'server');
      return judgeDirective(words, VIRTUAL_DIRECTIVES.get(key)?.strict, 'virtual', lookups);
    case 'server':
      if (key === '}') return { scope: 'virtual' };
      return judgeDirective(words, SERVER_DIRECTIVES.get(key)?.strict, scope, lookups);
    default:
      return unreachable(scope);
  }
}

function judgeOpening(words: readonly string[], scope: Scope): Judgement {
  if (words.length > 3) return { reason: 'unexpected arguments' };
  return words[2] === '{' ? { scope } : { reason: 'missing arguments' };
}

function judgeDirective(
  words: readonly string[],
  type: StrictKind | undefined,
  scope: Scope,
  lookups: Lookups,
): Judgement {
  if (type === undefined || type.kind === 'ours') return { reason: 'unknown command' };
  if (words[1] !== '=') return { reason: 'equal expected' };
  const reason = judgeValues(words.slice(2), type, lookups);
  return reason === undefined ? { scope } : { reason };
}

function judgeValues(
  values: readonly string[],
  type: StrictKind,
  lookups: Lookups,
): StrictReason | undefined {
  if (type.kind === 'list') {
    return values[0] === '[' && values.includes(']') ? undefined : 'list expected';
  }
  const wanted = type.kind === 'host-device' ? 2 : 1;
  if (values.length < wanted) return 'missing arguments';
  if (values.length > wanted) return 'unexpected arguments';
  return judgeValue(values[0] ?? '', type, lookups);
}

function judgeValue(value: string, type: StrictKind, lookups: Lookups): StrictReason | undefined {
  switch (type.kind) {
    case 'ours':
    case 'list':
    case 'text':
    case 'persistence-mask':
      return undefined;
    case 'integer':
      return parseCInt(value) === undefined ? 'integer expected' : undefined;
    case 'boolean':
      return judgeBoolean(value);
    case 'port':
      if (parseCInt(value) !== undefined) return undefined;
      return lookups.servicePort?.(value, 'tcp') === undefined ? 'invalid argument' : undefined;
    case 'host':
      return judgeHost(value, type.refusesZero, lookups);
    case 'host-device':
      return judgeHost(value, false, lookups);
    case 'netmask':
      return parseAton(value) === undefined ? 'bad subnet mask' : undefined;
    case 'literal':
      return parseAton(value) === undefined ? 'invalid host name or ip address' : undefined;
    case 'choice':
      return type.choices.includes(value) ? undefined : 'invalid argument';
    default:
      return unreachable(type);
  }
}

function judgeBoolean(value: string): StrictReason | undefined {
  const number = parseCInt(value);
  if (number === undefined) return 'integer expected';
  return number === 0 || number === 1 ? undefined : 'boolean expected';
}

function judgeHost(
  value: string,
  refusesZero: boolean,
  lookups: Lookups,
): StrictReason | undefined {
  const octets = parseAton(value) ?? resolvedOctets(value, lookups);
  if (octets === undefined) return 'invalid argument';
  const isZero = octets.every((octet) => octet === 0);
  return isZero && refusesZero ? 'invalid host name or ip address' : undefined;
}

/** A name that looks like an address is never looked up; one that has only an IPv6 address does not resolve. */
function resolvedOctets(name: string, { resolve }: Lookups): Uint8Array | undefined {
  if (name === '' || /^[0-9.]+$/.test(name)) return undefined;
  const address: IpAddress | undefined = resolve?.(name);
  return address === undefined || ipFamily(address) !== 4 ? undefined : parseAton(address);
}
