/**
 * `fmt`: the same file with its blanks in order, and nothing else changed: four blanks of indentation for each level,
 * one around `=` and between words, none at the ends of lines, line feeds as line endings (0.8.6 reads only the first
 * line of a file with carriage returns), a line feed at the end. Comments, order, quotes, values and lines that cannot
 * be read stay as they are.
 */
import { type Document, parseStatement, type Statement, type Word } from './document.ts';

/** Two levels are right; a hostile file of a million openings must not become a triangle. */
const MAX_DEPTH = 4;

/** The document, normalised. Doing it twice changes nothing more. */
export function normaliseDocument(document: Document): Document {
  let depth = 0;
  const lines = document.lines.map((line) => {
    const text = line.replace(/[ \t\r\n]+$/, '');
    const statement = parseStatement(text);
    if (statement.kind === 'close') depth = Math.max(0, depth - 1);
    const formatted = formatStatement(text, statement, '    '.repeat(Math.min(depth, MAX_DEPTH)));
    if (statement.kind === 'open') depth++;
    return `${formatted}\n`;
  });
  return { ...document, lines };
}

function formatStatement(text: string, statement: Statement, indent: string): string {
  switch (statement.kind) {
    case 'malformed':
      return text;
    case 'blank': {
      const comment = text.replace(/^[ \t\r]+/, '');
      return comment === '' ? '' : indent + comment;
    }
    case 'close':
      return indent + text.slice(statement.column - 1);
    case 'open': {
      const { keyword, name, comment } = statement;
      return `${indent}${keyword.text} ${written(text, name)} {${trailing(text, comment)}`;
    }
    case 'directive':
      return `${indent}${statement.key.text} = ${formatRest(text, statement)}`;
  }
}

/** The values. A line with quotes is kept from the first one on: where they end is a matter of dispute. */
function formatRest(
  text: string,
  { values, comment }: Extract<Statement, { kind: 'directive' }>,
): string {
  if (values.some((word) => word.isQuoted)) return text.slice((values[0]?.column ?? 1) - 1);
  return values.map((word) => word.text).join(' ') + trailing(text, comment);
}

function trailing(text: string, comment: number | undefined): string {
  return comment === undefined ? '' : ` ${text.slice(comment - 1)}`;
}

function written(text: string, word: Word): string {
  return text.slice(word.column - 1, word.column - 1 + word.length);
}
