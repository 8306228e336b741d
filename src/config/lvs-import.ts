/**
 * An lvs.cf of Piranha, made ready for this program: comments and order kept, lines without an effect turned into
 * comments, values that read otherwise than they look written plainly.
 *
 * Only what is certain is rewritten: where the parser itself says what to write instead. Everything else that is wrong
 * stays and is told, because only its author knows what was meant.
 */
import { GLOBAL_DIRECTIVES, SERVER_DIRECTIVES, VIRTUAL_DIRECTIVES } from './directives.ts';
import { formatDocument, parseDocument, parseStatement } from './document.ts';
import type { Note } from './keepalived-notes.ts';
import { normaliseDocument } from './normalise.ts';
import { checkDocument, type ParseOptions } from './parse.ts';
import type { Problem, ProblemCode } from './problem.ts';

/** Problems whose suggestion is what the line already means, or can only mean. */
const CERTAIN: ReadonlySet<ProblemCode> = new Set<ProblemCode>([
  'leading-zero',
  'truncated',
  'not-a-boolean',
  'unusual-address',
]);

const UNUSED: ReadonlyMap<string, string> = new Map(
  [GLOBAL_DIRECTIVES, VIRTUAL_DIRECTIVES, SERVER_DIRECTIVES].flatMap((table) =>
    [...table.values()].flatMap(({ key, unused }) =>
      unused === undefined ? [] : [[key, unused] as const],
    ),
  ),
);

/** Directives that 0.8.6 obeyed in another way. */
const OTHERWISE: ReadonlyMap<string, string> = new Map([
  [
    'send_program',
    'a program that fails or is killed means down; 0.8.6 took such a server for healthy',
  ],
]);

/** Reads an lvs.cf in the tolerant grammar. Never throws; a file too broken to change comes back as it was. */
export function importLvs(
  text: string,
  options: ParseOptions,
): { readonly text: string; readonly notes: readonly Note[] } {
  const document = parseDocument(text, options.file);
  const notes: Note[] = [];
  const byLine = new Map<number, Problem[]>();
  for (const problem of checkDocument(document, options).problems) {
    if (problem.line > 0 && CERTAIN.has(problem.code) && problem.suggestion !== undefined) {
      byLine.set(problem.line, [...(byLine.get(problem.line) ?? []), problem]);
    }
  }
  const lines = document.lines.map((line, index) => {
    const keyword = keyOf(line);
    const otherwise = OTHERWISE.get(keyword);
    if (otherwise !== undefined) {
      notes.push({ kind: 'changed', line: index + 1, keyword, sentence: otherwise });
    }
    const unused = UNUSED.get(keyword);
    if (unused !== undefined) {
      const sentence = `${unused}; made a comment`;
      notes.push({ kind: 'needless', line: index + 1, keyword, sentence });
      return line.replace(/^([ \t]*)/, '$1# ');
    }
    return (byLine.get(index + 1) ?? []).reduce((edited, problem) => {
      notes.push(noteOf(problem));
      return replaced(edited, line, problem);
    }, line);
  });
  return { text: formatDocument(normaliseDocument({ ...document, lines })), notes };
}

function keyOf(line: string): string {
  const statement = parseStatement(line);
  return statement.kind === 'directive' ? statement.key.text : '';
}

function noteOf({ line, found, message, suggestion }: Problem): Note {
  const sentence = `${message}; written as ${suggestion}`;
  return { kind: 'changed', line, keyword: found, sentence };
}

/** The first change of a line goes to its column; a second one would have to know by how much the first moved it. */
function replaced(edited: string, line: string, { column, length, suggestion }: Problem): string {
  if (edited !== line || suggestion === undefined) return edited;
  return line.slice(0, column - 1) + suggestion + line.slice(column - 1 + length);
}
