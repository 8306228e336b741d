import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { EVENT_KINDS } from '../director/index.ts';
import { PROBLEMS } from './problem.ts';
import { ROUTES } from './routes.ts';

const FILE = join(import.meta.dirname, '../../docs/api.md');

/** The tables of docs/api.md by the second line of each, and the rows they must have. */
const TABLES: readonly (readonly [head: string, rows: readonly string[]])[] = [
  [
    '| Method | Path | Right | |\n|---|---|---|---|\n',
    ROUTES.map(
      ({ method, path, right, summary }) => `| ${method} | \`${path}\` | ${right} | ${summary} |`,
    ),
  ],
  [
    '| Reason | Status | |\n|---|---|---|\n',
    Object.entries(PROBLEMS).map(
      ([reason, [status, about]]) => `| \`${reason}\` | ${status} | ${about} |`,
    ),
  ],
  [
    '| Kind | |\n|---|---|\n',
    Object.entries(EVENT_KINDS).map(([kind, about]) => `| \`${kind}\` | ${about} |`),
  ],
];

test('docs/api.md tells every route, every refusal and every kind of event; UPDATE=1 writes them anew', () => {
  let page = readFileSync(FILE, 'utf8');
  for (const [head, rows] of TABLES) {
    const start = page.indexOf(head) + head.length;
    assert.ok(start > head.length, `no table ${head}`);
    const end = page.indexOf('\n\n', start);
    const text = rows.join('\n');
    if (process.env.UPDATE === '1') page = page.slice(0, start) + text + page.slice(end);
    else assert.equal(page.slice(start, end), text);
  }
  if (process.env.UPDATE === '1') writeFileSync(FILE, page);
});
