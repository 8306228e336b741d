/**
 * The documents that are part of the program (docs/), as far as the command line reads them: whole, or table by table.
 * They are written for people; the tables are also the source of `explain` and of the man pages.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const DIRECTORY = join(import.meta.dirname, '..', '..', 'docs');

export type Table = {
  /** The heading above it, without its marks. */
  readonly chapter: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
};

/** Throws where the file is not there: the program is not whole then. */
export function documentText(name: string): string {
  return readFileSync(join(DIRECTORY, name), 'utf8');
}

/** The same, or undefined for a document that this installation does not have. */
export function optionalDocument(name: string): string | undefined {
  try {
    return documentText(name);
  } catch {
    return undefined; // left out by whoever packed it
  }
}

/** Every table of a Markdown text, cells without their back quotes and stars. */
export function tablesOf(text: string): readonly Table[] {
  const tables: { chapter: string; head: readonly string[]; rows: (readonly string[])[] }[] = [];
  let chapter = '';
  let isInside = false;
  for (const line of text.split('\n')) {
    if (line.startsWith('#')) chapter = bare(line.replace(/^#+ /, ''));
    if (!line.startsWith('|')) {
      isInside = false;
      continue;
    }
    const cells = line
      .replace(/^\| ?| ?\|$/g, '')
      .split(' | ')
      .map(bare);
    if (!isInside) tables.push({ chapter, head: cells, rows: [] });
    else if (!/^\|[-:| ]+\|$/.test(line)) tables.at(-1)?.rows.push(cells);
    isInside = true;
  }
  return tables;
}

function bare(text: string): string {
  return text
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replaceAll('**', '')
    .replace(/\*([^*]+)\*/g, '$1')
    .replaceAll('`', '')
    .trim();
}
