/**
 * The tables of a document. What docs/ says in a table (a reason, a directive, a check) is said there only; the command
 * line and the console read it from there, and tests hold the code against it.
 */

export type DocumentTable = {
  /** The heading above it, without its marks. */
  readonly chapter: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
};

/** Every table of a Markdown text, cells without their back quotes and stars. */
export function tablesOf(text: string): readonly DocumentTable[] {
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
      .replace(/^\| ?/, '')
      .replace(/ ?\|\s*$/, '')
      .split(/ \|(?: |$)/)
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
