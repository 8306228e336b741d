/** docs/failure-modes.md has a row for every fault that we can play, and names nothing that does not exist. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { INCIDENT_NAMES } from '../../lab/index.ts';
import { FAULT_KINDS } from './faults.ts';

const ROOT = join(import.meta.dirname, '../..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const page = read('docs/failure-modes.md');
const rows = page
  .split('\n')
  .filter((line) => line.startsWith('| '))
  .map((line) => line.slice(2, -2).split(' | '));

/** Those in backticks inside the last brackets of a cell: `(`freeze`, `freeze-in-turn`)`. */
function played(fault: string): readonly string[] {
  const [, list = ''] = /\(((?:`[a-z-]+`(?:, )?)+)\)$/.exec(fault) ?? [];
  return Array.from(list.matchAll(/`([a-z-]+)`/g), ([, word = '']) => word);
}

test('every incident of the lab and every fault of the simulator has a row, and no other is named', () => {
  const named = new Set(rows.flatMap(([fault = '']) => played(fault)));
  const known: ReadonlySet<string> = new Set([...INCIDENT_NAMES, ...FAULT_KINDS]);
  assert.deepEqual(
    [...known].filter((name) => !named.has(name)),
    [],
    'without a row',
  );
  assert.deepEqual(
    [...named].filter((name) => !known.has(name)),
    [],
    'named, but not known',
  );
});

test('every reason that is named is explained in docs/reasons.md', () => {
  const explained = new Set(
    Array.from(read('docs/reasons.md').matchAll(/`([a-z]+(?:-[a-z]+)*)`/g), ([, word]) => word),
  );
  const sources = sourceText();
  const unknown = rows
    .flatMap(([, ...cells]) => cells)
    .flatMap((cell) =>
      Array.from(cell.matchAll(/`([a-z]+(?:-[a-z]+)+)`/g), ([, word = '']) => word),
    )
    // The rest are words of the API, of the log or checks of the doctor.
    .filter((word) => !explained.has(word) && !new RegExp(`['(]${word}[')]`).test(sources));
  assert.deepEqual(unknown, []);
});

test('every alert has a row that leads to its runbook, and each that is named exists', () => {
  const alerts = Array.from(
    read('contrib/prometheus/alerts.yml').matchAll(/- alert: (\w+)[\s\S]*?runbooks\/([\w-]+\.md)/g),
    ([, alert, runbook]) => `[${alert}](runbooks/${runbook})`,
  );
  const named = new Set(Array.from(page.matchAll(/\[Piranha\w+\]\([^)]*\)/g), ([link]) => link));
  assert.ok(alerts.length > 20);
  assert.deepEqual(
    alerts.filter((link) => !named.has(link)),
    [],
  );
  assert.deepEqual(
    [...named].filter((link) => !alerts.includes(link)),
    [],
  );
});

test('what the program is quoted with, it says', () => {
  const sources = sourceText();
  const missing = Array.from(
    page.matchAll(/(?<![*\w])\*([^*\n]{12,}?)\*(?!\*)/g),
    ([, text = '']) => text,
  )
    .flatMap((text) => text.split(/\.\.\.|\bN\b|VIP|[;:,()]/))
    .map((part) => part.replace(/^[ .]+|[ .]+$/g, ''))
    .filter((part) => part.length > 7 && !sources.includes(part));
  assert.deepEqual(missing, []);
});

function sourceText(): string {
  return globSync('src/{core,director,checks,cli,api,model}/*.ts', { cwd: ROOT })
    .filter((path) => !path.endsWith('.test.ts'))
    .map(read)
    .join('\n');
}
