/**
 * Edits of a document: each returns a new one in which only the lines it means have changed, and those are written
 * as both grammars read them: one blank around `=`, quotes only where they are needed, indented like the neighbours.
 *
 * Rejected: editing Settings and printing a file from them, as Piranha's web pages did; it loses comments, order and
 * every key the printer does not know.
 */
import { err, ok, type Result } from '../base/index.ts';
import { type Document, parseStatement } from './document.ts';
import { parseCInteger } from './numbers.ts';
import { outline, type Section, type Setting } from './outline.ts';
import { hasControlCharacter } from './values.ts';

/** A section by its names; `{}` is the part outside of every section. The first one of a name is meant. */
export type SectionPath = {
  readonly service?: { readonly kind: 'virtual' | 'failover'; readonly name: string };
  /** Inside `service`. */
  readonly server?: string;
};

export type EditFault =
  | 'no-such-section'
  | 'no-such-directive'
  | 'section-exists'
  | 'section-not-closed'
  | 'cannot-be-written' // a line feed or other control character, or both kinds of quotes
  | 'serial-not-a-number';

type Edited = Result<Document, EditFault>;

/**
 * Sets a directive to its words (one, or address and device). The line that is in force is rewritten and keeps its
 * indentation and comment; where there is none, a line is added behind the section's other directives and before its
 * real servers, because a `port` behind them would not reach them.
 */
export function setDirective(
  document: Document,
  path: SectionPath,
  key: string,
  values: readonly string[],
): Edited {
  const section = findSection(outline(document), path);
  if (section === undefined) return err('no-such-section');
  const text = formatValues(values);
  if (text === undefined || !isBare(key)) return err('cannot-be-written');
  const present = section.settings.findLast((setting) => setting.key === key);
  if (present === undefined) return ok(insertSetting(document, section, `${key} = ${text}`));
  const line = document.lines[present.line] ?? '';
  const statement = parseStatement(line);
  const tail =
    statement.kind === 'directive' && statement.comment !== undefined
      ? ` ${line.slice(statement.comment - 1)}`
      : endingOf(line);
  return ok(splice(document, present.line, 1, [`${indentOf(line)}${key} = ${text}${tail}`]));
}

/** Removes every line of a section that sets `key`. */
export function removeDirective(document: Document, path: SectionPath, key: string): Edited {
  const section = findSection(outline(document), path);
  if (section === undefined) return err('no-such-section');
  const doomed = new Set(
    section.settings.filter((setting) => setting.key === key).map((setting) => setting.line),
  );
  if (doomed.size === 0) return err('no-such-directive');
  return ok({ ...document, lines: document.lines.filter((_, index) => !doomed.has(index)) });
}

export type NewSection = {
  readonly name: string;
  readonly directives: readonly (readonly [key: string, ...values: string[]])[];
};

/** Adds a `virtual` or `failover` section at the end of the file, a blank line before it. */
export function addSection(
  document: Document,
  kind: 'virtual' | 'failover',
  { name, directives }: NewSection,
): Edited {
  const whole = outline(document);
  if (whole.sections.some((section) => section.kind === kind && section.name === name)) {
    return err('section-exists');
  }
  if (whole.sections.some((section) => section.close === document.lines.length)) {
    return err('section-not-closed');
  }
  const sample = whole.sections.at(-1);
  const indent = sample === undefined ? DEFAULT_INDENT : innerIndent(document, sample);
  const lines = sectionLines(kind, name, directives, { outer: '', inner: indent });
  if (lines === undefined) return err('cannot-be-written');
  const last = document.lines.at(-1);
  const blank = last === undefined || last.trim() === '' ? [] : [''];
  return ok(insertLines(document, document.lines.length, [...blank, ...lines]));
}

/** Adds a real server behind the others of its service. */
export function addServer(
  document: Document,
  path: SectionPath,
  { name, directives }: NewSection,
): Edited {
  const service = path.service && findSection(outline(document), { service: path.service });
  if (service === undefined) return err('no-such-section');
  if (service.sections.some((section) => section.name === name)) return err('section-exists');
  if (service.close === document.lines.length) return err('section-not-closed');
  const sample = service.sections.at(-1);
  const outer = innerIndent(document, service);
  const inner =
    sample === undefined
      ? outer + (outer.startsWith('\t') ? '\t' : DEFAULT_INDENT)
      : innerIndent(document, sample);
  const lines = sectionLines('server', name, directives, { outer, inner });
  if (lines === undefined) return err('cannot-be-written');
  return ok(insertLines(document, service.close, lines));
}

/** Removes a service or a real server with everything in it, and one blank line before it. */
export function removeSection(document: Document, path: SectionPath): Edited {
  const section = path.service && findSection(outline(document), path);
  if (section === undefined) return err('no-such-section');
  if (section.close === document.lines.length) return err('section-not-closed');
  const before = document.lines[section.open - 1];
  const start = before !== undefined && before.trim() === '' ? section.open - 1 : section.open;
  return ok(splice(document, start, section.close + 1 - start, []));
}

/** Adds one to `serial_no`, which every edit by a person or a program does; begins at 1. */
export function bumpSerial(document: Document): Edited {
  const present = outline(document).settings.findLast(({ key }) => key === 'serial_no');
  if (present === undefined) {
    const ending = endingOf(document.lines[0] ?? '\n') || '\n';
    return ok(splice(document, 0, 0, [`serial_no = 1${ending}`]));
  }
  const statement = parseStatement(document.lines[present.line] ?? '');
  const word = statement.kind === 'directive' ? statement.values[0]?.text : undefined;
  const serial = parseCInteger(word ?? '');
  if (serial === undefined) return err('serial-not-a-number');
  return setDirective(document, {}, 'serial_no', [String(serial + 1)]);
}

/**
 * A value as both grammars read it back; undefined when there is no such way (no escape exists for a quote, none for
 * a line feed).
 */
export function formatValue(value: string): string | undefined {
  if (hasControlCharacter(value)) return undefined;
  if (isBare(value)) return value;
  if (!value.includes('"')) return `"${value}"`;
  return value.includes("'") ? undefined : `'${value}'`;
}

/** Needs no quotes. */
function isBare(value: string): boolean {
  return value !== '' && !/[\s=]/.test(value) && !/^["'#}]/.test(value);
}

function formatValues(values: readonly string[]): string | undefined {
  const words = values.map(formatValue);
  if (words.length === 0 || words.includes(undefined)) return undefined;
  // A quoted word without a blank inside must end its line (0.8.6).
  const isReadable = words.slice(0, -1).every((word) => !/^["'][^ \t]*$/.test(word ?? ''));
  return isReadable ? words.join(' ') : undefined;
}

const DEFAULT_INDENT = '    ';

function findSection(whole: Section, { service, server }: SectionPath): Section | undefined {
  if (service === undefined) return server === undefined ? whole : undefined;
  const found = whole.sections.find(
    (section) => section.kind === service.kind && section.name === service.name,
  );
  if (server === undefined) return found;
  return found?.sections.find((section) => section.kind === 'server' && section.name === server);
}

/** Behind the last directive that stands before the section's own sections. */
function insertSetting(document: Document, section: Section, text: string): Document {
  const firstInner = section.sections[0]?.open ?? section.close;
  const last: Setting | undefined = section.settings.findLast(({ line }) => line < firstInner);
  const at = last !== undefined ? last.line + 1 : section.open < 0 ? firstInner : section.open + 1;
  const indent = section.open < 0 ? '' : innerIndent(document, section);
  return insertLines(document, at, [indent + text]);
}

/** The indentation of a section's directives. */
function innerIndent(document: Document, section: Section): string {
  const [first] = section.settings;
  if (first !== undefined) return indentOf(document.lines[first.line] ?? '');
  const [inner] = section.sections;
  if (inner !== undefined) return indentOf(document.lines[inner.open] ?? '');
  const own = indentOf(document.lines[section.open] ?? '');
  return own + (own.startsWith('\t') ? '\t' : DEFAULT_INDENT);
}

function sectionLines(
  kind: string,
  name: string,
  directives: NewSection['directives'],
  { outer, inner }: { readonly outer: string; readonly inner: string },
): readonly string[] | undefined {
  // A quoted name must hold a blank, or 0.8.6 looks for its end behind the brace.
  const title = formatValue(name);
  if (title === undefined || (title !== name && !/[ \t]/.test(name))) return undefined;
  const lines = [`${outer}${kind} ${title} {`];
  for (const [key, ...values] of directives) {
    const text = formatValues(values);
    if (text === undefined || !isBare(key)) return undefined;
    lines.push(`${inner}${key} = ${text}`);
  }
  return [...lines, `${outer}}`];
}

/** Puts lines before index `at`, with the line ending in use there. */
function insertLines(document: Document, at: number, texts: readonly string[]): Document {
  const before = document.lines[at - 1];
  const ending = endingOf(before ?? document.lines[at] ?? '\n') || '\n';
  const lines = texts.map((text) => text + ending);
  if (before === undefined || endingOf(before) !== '') return splice(document, at, 0, lines);
  return splice(document, at - 1, 1, [before + ending, ...lines]);
}

function splice(
  document: Document,
  start: number,
  count: number,
  lines: readonly string[],
): Document {
  return { ...document, lines: document.lines.toSpliced(start, count, ...lines) };
}

function indentOf(line: string): string {
  return /^[ \t]*/.exec(line)?.[0] ?? '';
}

function endingOf(line: string): string {
  return line.endsWith('\r\n') ? '\r\n' : line.endsWith('\n') ? '\n' : '';
}
