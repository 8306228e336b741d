/**
 * Between a form and the text of lvs.cf: what a field shows is read from the document's lines, and a change of a field rewrites
 * that one line (config/edit.ts), so that comments, order and unknown keys stay. Form and text are two views of one thing;
 * neither is ever made from the other as a whole. Pure.
 */
import { err, ok, type Result } from '../../base/index.ts';
import {
  type Document,
  type EditFault,
  outline,
  type Problem,
  parseStatement,
  removeDirective,
  type Section,
  type SectionPath,
  setDirective,
} from '../../config/index.ts';
import type { Field } from './form-fields.ts';

export type FieldState = {
  /** As the file says it; empty when it does not. */
  readonly value: string;
  /** What is wrong with that line, or with the directive when it is missing. */
  readonly problems: readonly Problem[];
};

/** The form's own view of a section, read once for all its fields. */
export class SectionView {
  readonly #document: Document;
  readonly #section: Section | undefined;
  readonly #problems: readonly Problem[];

  constructor(document: Document, path: SectionPath, problems: readonly Problem[]) {
    this.#document = document;
    this.#section = sectionOf(outline(document), path);
    this.#problems = problems;
  }

  get exists(): boolean {
    return this.#section !== undefined;
  }

  field({ key, word }: Field): FieldState {
    const setting = this.#section?.settings.findLast((candidate) => candidate.key === key);
    if (setting === undefined) return { value: '', problems: [] };
    const words = wordsOf(this.#document, setting.line);
    const value = word === undefined ? words.join(' ') : (words[word] ?? '');
    const problems = this.#problems.filter(({ line }) => line === setting.line + 1);
    return { value, problems: word === 1 ? problems.filter(isAboutDevice) : problems };
  }

  /** Of the whole section, its real servers included: for a mark in a list. */
  get problems(): readonly Problem[] {
    const section = this.#section;
    if (section === undefined) return [];
    return this.#problems.filter(({ line }) => line > section.open && line <= section.close + 1);
  }

  /** What is wrong with the section's own first line, or missing in it. */
  get ownProblems(): readonly Problem[] {
    const section = this.#section;
    return this.#problems.filter(({ line }) => line === (section?.open ?? -1) + 1 && line > 0);
  }
}

function isAboutDevice({ code }: Problem): boolean {
  return code === 'bad-device';
}

export function wordsOf({ lines }: Document, line: number): readonly string[] {
  const statement = parseStatement(lines[line] ?? '');
  return statement.kind === 'directive' ? statement.values.map((value) => value.text) : [];
}

export function sectionOf(whole: Section, { service, server }: SectionPath): Section | undefined {
  if (service === undefined) return whole;
  const found = whole.sections.find(
    ({ kind, name }) => kind === service.kind && name === service.name,
  );
  if (server === undefined) return found;
  return found?.sections.find(({ kind, name }) => kind === 'server' && name === server);
}

/** An empty value takes the directive away; of two words the other stays. */
export function setField(
  document: Document,
  path: SectionPath,
  field: Field,
  value: string,
): Result<Document, EditFault> {
  const words = valuesOf(document, path, field, value.trim());
  if (words.some((text) => text !== '')) return setDirective(document, path, field.key, words);
  const removed = removeDirective(document, path, field.key);
  return removed.ok || removed.error !== 'no-such-directive' ? removed : ok(document);
}

function valuesOf(
  document: Document,
  path: SectionPath,
  { key, word }: Field,
  value: string,
): readonly string[] {
  if (word === undefined) return [value];
  const section = sectionOf(outline(document), path);
  const setting = section?.settings.findLast((candidate) => candidate.key === key);
  const [address = '', device = ''] = setting === undefined ? [] : wordsOf(document, setting.line);
  const words = word === 0 ? [value, device] : [address, value];
  if (words.every((text) => text === '')) return words;
  return [words[0] || '0.0.0.0', words[1] || 'eth0:1'];
}

/** Gives a section another name; its lines stay where they are. */
export function renameSection(
  document: Document,
  path: SectionPath & { readonly service: NonNullable<SectionPath['service']> },
  name: string,
): Result<Document, string> {
  const section = sectionOf(outline(document), path);
  if (section === undefined) return err('there is no such section');
  if (!/^[^\s{}"'#=]+$/.test(name)) {
    return err('a name here is one word without blanks, quotes, braces, # or =');
  }
  const parent = path.server === undefined ? {} : { service: path.service };
  const siblings = sectionOf(outline(document), parent)?.sections ?? [];
  if (siblings.some((it) => it !== section && it.kind === section.kind && it.name === name)) {
    return err(`there is already a ${section.kind} ${name}`);
  }
  const line = document.lines[section.open] ?? '';
  const statement = parseStatement(line);
  if (statement.kind !== 'open') return err('its first line cannot be read');
  const { column, length } = statement.name;
  const renamed = line.slice(0, column - 1) + name + line.slice(column - 1 + length);
  return ok({ ...document, lines: document.lines.toSpliced(section.open, 1, renamed) });
}

const FAULTS: Readonly<Record<EditFault, string>> & { readonly [word: string]: string } = {
  'no-such-section': 'this section is no longer in the file',
  'no-such-directive': 'this directive is no longer in the file',
  'section-exists': 'there is already one of that name',
  'section-not-closed': 'a closing brace is missing in the text: mend that first',
  'cannot-be-written':
    'lvs.cf has no way to write this value: a line feed, or both kinds of quotes',
  'serial-not-a-number': 'serial_no is not a number: mend that in the text first',
};

/** The sentence for an edit that cannot be made; what is a sentence already stays. */
export function faultText(fault: string): string {
  return FAULTS[fault] ?? fault;
}

export type DiffLine = {
  readonly kind: 'added' | 'removed' | 'same' | 'hunk';
  readonly text: string;
};

/** A unified diff as rows; the two file names of its head are left out. */
export function diffLines(unified: string): readonly DiffLine[] {
  const rows: DiffLine[] = [];
  for (const line of unified.split('\n')) {
    if (line === '' || line.startsWith('--- ') || line.startsWith('+++ ')) continue;
    if (line.startsWith('@@')) rows.push({ kind: 'hunk', text: line });
    else if (line.startsWith('+')) rows.push({ kind: 'added', text: line.slice(1) });
    else if (line.startsWith('-')) rows.push({ kind: 'removed', text: line.slice(1) });
    else rows.push({ kind: 'same', text: line.slice(1) });
  }
  return rows;
}

/** How many lines of `after` are not in `before` in that order, and the other way round: what a save would change. */
export function changedLines(before: string, after: string): number {
  if (before === after) return 0;
  const [a, b] = [before.split('\n'), after.split('\n')];
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let end = 0;
  while (end < Math.min(a.length, b.length) - start && a.at(-1 - end) === b.at(-1 - end)) end++;
  return Math.max(a.length, b.length) - start - end;
}
