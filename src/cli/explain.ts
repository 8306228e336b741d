/**
 * `piranha explain WORD`: the paragraph of the documents about a reason, directive, metric, alert or check. The documents are
 * part of the program, so it works where there is no network; a word with several meanings is explained in each.
 *
 * The tables are the source (docs/reasons.md, docs/lvs.cf.md, docs/metrics.md, docs/doctor.md,
 * docs/glossary.md), and of an alert its whole
 * runbook. Exit code 1: nothing is known of the word.
 */
import { tablesOf } from '../base/index.ts';
import { nearest } from '../config/index.ts';
import { optionalDocument } from './documents.ts';
import { EXPLAIN } from './look-verbs.ts';
import { misuse, say, sayJson, withOptions } from './verb.ts';

export type Explanation = {
  readonly word: string;
  readonly kind: string;
  /** Label and text, in the order of the document. */
  readonly facts: readonly (readonly [label: string, text: string])[];
  readonly document: string;
};

/** A document's tables that explain words: known by the head of their first column. */
const SOURCES: readonly {
  readonly document: string;
  readonly first: string;
  readonly kind: (chapter: string) => string;
}[] = [
  { document: 'reasons.md', first: 'Reason', kind: reasonKind },
  { document: 'reasons.md', first: 'Word', kind: () => 'word of the log' },
  {
    document: 'lvs.cf.md',
    first: 'Directive',
    kind: (chapter) =>
      chapter.startsWith('In a') ? `directive, ${lower(chapter)}` : 'directive of lvs.cf',
  },
  { document: 'lvs.cf.md', first: 'Code', kind: () => 'problem that piranha check tells' },
  { document: 'metrics.md', first: 'Name', kind: () => 'metric' },
  { document: 'doctor.md', first: 'Check', kind: () => 'check of piranha doctor' },
  { document: 'glossary.md', first: 'Word', kind: () => 'word' },
];

export const explainCommand = withOptions(
  'explain',
  EXPLAIN,
  async ({ flags, rest }) => {
    const all = explanations();
    const words = [...new Set(all.map(({ word }) => word))];
    if (flags.has('list')) {
      say(words.join('\n'));
      return 0;
    }
    if (rest.length === 0) return misuse('explain', 'which word? --list names them');
    const found = rest.map((word) => ({ word, meanings: meaningsOf(word, all) }));
    if (flags.has('json')) sayJson({ v: 1, words: found });
    for (const { word, meanings } of found) {
      if (meanings.length === 0) {
        const near = nearest(word, words);
        const hint = near === undefined ? '' : `; did you mean ${near}?`;
        process.stderr.write(`piranha explain: nothing is known of ${word}${hint}\n`);
      } else if (!flags.has('json')) say(meanings.map(explanationText).join('\n\n'));
    }
    return found.every(({ meanings }) => meanings.length > 0) ? 0 : 1;
  },
  true,
);

/** As typed; else without regard to case, dashes and our metrics' prefix. */
function meaningsOf(word: string, all: readonly Explanation[]): readonly Explanation[] {
  const exact = all.filter((one) => one.word === word);
  return exact.length > 0 ? exact : all.filter((one) => folded(one.word) === folded(word));
}

function folded(word: string): string {
  return word
    .toLowerCase()
    .replace(/^piranha_?/, '')
    .replace(/[-_ ]/g, '');
}

export function explanations(): readonly Explanation[] {
  return [...SOURCES.flatMap(fromTables), ...alerts()];
}

function fromTables({ document, first, kind }: (typeof SOURCES)[number]): readonly Explanation[] {
  const tables = tablesOf(optionalDocument(document) ?? '');
  return tables
    .filter(({ head }) => head[0] === first)
    .flatMap(({ chapter, head, rows }) =>
      rows.flatMap(([words = '', ...cells]) =>
        words.split(', ').map((word) => ({
          word,
          kind: kind(chapter),
          facts: cells.flatMap((text, column) =>
            text === '' || text === '-' ? [] : [[head[column + 1] ?? '', text] as const],
          ),
          document,
        })),
      ),
    );
}

function alerts(): readonly Explanation[] {
  const text = optionalDocument('runbooks/README.md') ?? '';
  return Array.from(text.matchAll(/^\| \[(\w+)\]\(([\w-]+\.md)\)/gm), (match) => {
    const [, word = '', file = ''] = match;
    const page = optionalDocument(`runbooks/${file}`) ?? '';
    return { word, kind: 'alert', facts: [['', page.trim()]], document: `runbooks/${file}` };
  });
}

function explanationText({ word, kind, facts, document }: Explanation): string {
  const width = Math.max(...facts.map(([label]) => label.length));
  const lines = facts.map(([label, text]) =>
    label === '' ? text : `  ${label.padEnd(width)}  ${text}`,
  );
  return [`${word}: ${kind}`, ...lines, `  (docs/${document})`].join('\n');
}

function reasonKind(chapter: string): string {
  return chapter.includes('real server') ? 'reason of a real server' : 'reason of a role';
}

function lower(text: string): string {
  return text.slice(0, 1).toLowerCase() + text.slice(1);
}
