/**
 * The laws of the house, as functions from one source file to its violations. docs/architecture.md says why they are
 * there; test/house.test.ts holds the tree to them and proves that each bites.
 *
 * The import law keeps the core pure by construction: a room sees only the rooms above it, and those above the
 * platform line have no clock, no randomness, no input and output and no waiting, so the simulator runs the very code
 * that ships.
 */
import { dirname, join, normalize } from 'node:path';
import { type SourceText, splitSource } from './source-text.ts';

export type SourceFile = { readonly path: string; readonly text: string };
export type Violation = { readonly line: number; readonly what: string };
export type Law = {
  readonly name: string;
  readonly check: (file: SourceFile) => readonly Violation[];
};

/** Above the platform line: no Node, no clock, nothing asynchronous. The browser could run these. */
const PURE_ROOMS = ['base', 'model', 'wire', 'config', 'core', 'sim'];
/** Below it. `lab` and `bench` stand beside src/ and see every room but the command line, whose verbs they are. */
const ROOMS = [
  ...PURE_ROOMS,
  ...[
    'ports',
    'checks',
    'courier',
    'director',
    'api',
    'console',
    'lab',
    'bench',
    'cli',
    'main',
    'test',
  ],
];
/** Where a cast may stand: brands are made in base, bytes become values in wire, native answers in ports. */
const ROOMS_WITH_CASTS = ['base', 'wire', 'ports'];
/** Each has its line in docs/decisions. Undefined: pure, so that any room may use it. */
const PACKAGES: ReadonlyMap<string, readonly string[] | undefined> = new Map([
  ['@noble/hashes', undefined],
  ['valibot', ['api', 'console']],
  ['@valibot/to-json-schema', ['api']],
  ['prom-client', ['api']],
  ['preact', ['console']],
  ['@preact/signals', ['console']],
  ['esbuild', ['console']],
  ['selfsigned', ['console']],
]);
const TEST_PACKAGES = ['fast-check', 'axe-core', 'playwright-core'];
/** Longer than FILE_LIMIT because they are one table. */
const TABLES: readonly string[] = [];

export const FILE_WISH = 300;
export const FILE_LIMIT = 500;
/** Code is formatted to 100; a comment or a table row may need a little more. */
const LINE_LIMIT = 130;

/** As words of the code; a property of that name (`date.process`, `{ process: 1 }`) is none. */
const FORBIDDEN_ABOVE_THE_LINE = new RegExp(
  `(?<![.\\w$])(${[
    ...['async', 'await', 'Promise', 'setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask'],
    ...['Date', 'performance', 'Math\\s*\\.\\s*random', 'crypto'],
    ...['process', 'console', 'Buffer', 'globalThis', 'fetch', 'require'],
  ].join('|')})(?![\\w$])(?!\\s*\\??:)`,
  'g',
);

export const LAWS: readonly Law[] = [
  { name: 'imports point up the list of rooms, and enter a room by its index.ts', check: imports },
  {
    name: 'above the platform line nothing waits, reads a clock, rolls dice or knows Node',
    check: (file) =>
      isPure(file)
        ? words(file, FORBIDDEN_ABOVE_THE_LINE, (word) => `${word} above the platform line`)
        : [],
  },
  { name: 'every source file begins by saying what it is', check: header },
  {
    name: 'nothing is left to do later',
    check: ({ text }) =>
      matches(split(text).comments, /\b(TODO|FIXME|XXX|HACK)\b/g, (word) => `${word} in a comment`),
  },
  {
    name: 'a cast stands only where bytes or brands are made',
    check: (file) =>
      isTest(file) || ROOMS_WITH_CASTS.includes(roomOf(file.path)) ? [] : casts(file),
  },
  {
    name: 'nothing is exported by default',
    check: (file) =>
      words(file, /\bexport\s+default\b|\bas\s+default\b/g, () => 'a default export'),
  },
  { name: 'files and lines can be read at one go', check: sizes },
];

const known = new Map<string, SourceText>();

/** Each text is split once, not once for each law. */
function split(text: string): SourceText {
  const found = known.get(text) ?? splitSource(text);
  known.set(text, found);
  return found;
}

export function isTest(file: { readonly path: string }): boolean {
  return file.path.endsWith('.test.ts');
}

/** `src/core/failover.ts` -> `core`, `src/main.ts` -> `main`, `lab/story.ts` -> `lab`. */
export function roomOf(path: string): string {
  const [top = '', second = ''] = path.split('/');
  if (top !== 'src') return top;
  return second.endsWith('.ts') ? second.slice(0, -'.ts'.length) : second;
}

function isPure(file: SourceFile): boolean {
  return !isTest(file) && file.path.startsWith('src/') && PURE_ROOMS.includes(roomOf(file.path));
}

function imports(file: SourceFile): readonly Violation[] {
  const { code } = split(file.text);
  const found: Violation[] = [];
  for (const match of code.matchAll(/\b(?:from|import)\s*\(?\s*(['"])/g)) {
    const start = match.index + match[0].length;
    const specifier = file.text.slice(start, code.indexOf(match[1] ?? "'", start));
    const what = wrongImport(file, specifier);
    if (what !== undefined) found.push({ line: lineAt(code, start), what });
  }
  return found;
}

function wrongImport(file: SourceFile, specifier: string): string | undefined {
  if (specifier.startsWith('node:')) {
    return isPure(file) ? `${specifier} above the platform line` : undefined;
  }
  if (!specifier.startsWith('.')) {
    const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
    const isForTests = isTest(file) || roomOf(file.path) === 'test';
    const rooms = PACKAGES.get(name) ?? (PACKAGES.has(name) ? ROOMS : []);
    const isOurs = isForTests ? PACKAGES.has(name) : rooms.includes(roomOf(file.path));
    const isAllowed = isOurs || (isForTests && TEST_PACKAGES.includes(name));
    return isAllowed ? undefined : `package ${specifier} (decide it in docs/decisions first)`;
  }
  if (!/\.tsx?$/.test(specifier)) return `${specifier} does not end in .ts`;
  const target = normalize(join(dirname(file.path), specifier));
  const from = roomOf(file.path);
  const to = roomOf(target);
  if (from === to) return undefined;
  if (!ROOMS.includes(to)) return `${specifier} lies outside the house`;
  if (!target.endsWith('/index.ts')) return `${to} is entered by its index.ts, not by ${specifier}`;
  if (isTest(file) || ROOMS.indexOf(to) < ROOMS.indexOf(from)) return undefined;
  return `${from} must not import ${to}, which stands below it`;
}

function casts(file: SourceFile): readonly Violation[] {
  const { code } = split(file.text);
  // Renames in import and export lists are no casts.
  const withoutLists = code.replace(/\b(?:import|export)\b[^;=(]*?(?:\bfrom\b|;)/g, blank);
  return matches(withoutLists, /(?<![.\w$])as\s+(?!const\b)[\w$({['"`]/g, () => 'a cast');
}

/** Tests need none: they say in sentences what they prove. A face that only re-exports speaks for itself. */
function header(file: SourceFile): readonly Violation[] {
  const { path, text } = file;
  const { code } = split(text);
  const isFace = path.endsWith('/index.ts') && /^\s*(export [^;]*;\s*)+$/.test(code);
  if (isTest(file) || isFace || /^(#!.*\n)?\/(\*\*|\/) ?\S*/.test(text)) return [];
  return [{ line: 1, what: 'no header comment' }];
}

function sizes(file: SourceFile): readonly Violation[] {
  if (isTest(file)) return [];
  const lines = file.text.split('\n');
  const hasWideLine = lines.some((line) => line.length > LINE_LIMIT);
  const found = hasWideLine ? wideLines(file.text) : [];
  const isLong = lines.length > FILE_LIMIT && !TABLES.includes(file.path);
  return isLong ? [...found, { line: FILE_LIMIT, what: `${lines.length} lines` }] : found;
}

/** The insides of strings do not count: the formatter cannot break them. */
function wideLines(text: string): readonly Violation[] {
  const { code, comments } = split(text);
  const outside = Array.from({ length: text.length }, (_, index) => {
    const isInString = code[index] === ' ' && comments[index] === ' ' && text[index] !== ' ';
    return isInString ? '' : text[index];
  }).join('');
  return outside.split('\n').flatMap((line, index) => {
    const isWide = line.length > LINE_LIMIT;
    return isWide ? [{ line: index + 1, what: `${line.length} characters` }] : [];
  });
}

function words(file: SourceFile, pattern: RegExp, say: (word: string) => string) {
  return matches(split(file.text).code, pattern, say);
}

function matches(
  text: string,
  pattern: RegExp,
  say: (word: string) => string,
): readonly Violation[] {
  return Array.from(text.matchAll(pattern), (match) => ({
    line: lineAt(text, match.index),
    what: say(match[0]),
  }));
}

function lineAt(text: string, index: number): number {
  return text.slice(0, index).split('\n').length;
}

function blank(text: string): string {
  return text.replace(/[^\n]/g, ' ');
}
