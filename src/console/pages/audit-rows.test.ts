import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  actionText,
  auditLines,
  auditRows,
  clockOf,
  detailText,
  fittingRows,
} from './audit-rows.ts';
import type { AuditEntry } from './documents.ts';

function entry(at: string, changes: Partial<AuditEntry> = {}): AuditEntry {
  return {
    at: `2026-11-22T03:12:${at}Z`,
    who: 'ann (by root)',
    from: 'pulse.sock',
    action: 'POST /v1/role',
    result: 'done',
    detail: '{"order":"resign","forMs":60000}',
    previous: '0'.repeat(64),
    ...changes,
  };
}

const ALL = { words: '', isRefusedOnly: false };

test('two audits are one list on one clock, newest first', () => {
  const primary = { node: 'primary', entries: [entry('10.000'), entry('12.000')], aheadMs: 0 };
  const backup = { node: 'backup', entries: [entry('14.500')], aheadMs: 3000 };
  const rows = auditRows([primary, backup]);
  assert.deepEqual(
    rows.map(({ node, wallMs }) => [node, new Date(wallMs).toISOString().slice(17, 23)]),
    [
      ['primary', '12.000'],
      ['backup', '11.500'],
      ['primary', '10.000'],
    ],
  );
  assert.equal(new Set(rows.map(({ key }) => key)).size, 3);
});

test('entries of one millisecond keep the order of their chain', () => {
  const entries = ['first', 'second', 'third'].map((detail) => entry('10.000', { detail }));
  const rows = auditRows([{ node: 'primary', entries, aheadMs: 0 }]);
  assert.deepEqual(
    rows.map((row) => row.entry.detail),
    ['third', 'second', 'first'],
  );
});

test('what a clock showed is told by since and for how long', () => {
  assert.equal(
    clockOf({ since: '2026-11-22T03:12:00.000Z', sinceMs: 2500 }),
    Date.parse('2026-11-22T03:12:02.500Z'),
  );
});

test('words and “refused only” find entries by whatever they say', () => {
  const refused = entry('11.000', { who: 'bob (by root)', result: 'refused', reason: 'why not' });
  const rows = auditRows([{ node: 'primary', entries: [entry('10.000'), refused], aheadMs: 0 }]);
  assert.equal(fittingRows(rows, ALL).length, 2);
  assert.equal(fittingRows(rows, { ...ALL, words: 'BOB role' }).length, 1);
  assert.equal(fittingRows(rows, { ...ALL, words: 'why' })[0]?.entry, refused);
  assert.equal(fittingRows(rows, { ...ALL, words: 'nobody' }).length, 0);
  assert.deepEqual(
    fittingRows(rows, { ...ALL, isRefusedOnly: true }).map((row) => row.entry),
    [refused],
  );
});

test('the export is a line of JSON for each entry, as the director wrote it and with its node, oldest first', () => {
  const entries = [entry('10.000'), entry('11.000', { detail: 'a\nb' })];
  const lines = auditLines(auditRows([{ node: 'primary', entries, aheadMs: 5000 }])).split('\n');
  assert.equal(lines.pop(), '');
  assert.deepEqual(
    lines.map((line) => JSON.parse(line)),
    entries.map((it) => ({ node: 'primary', ...it })),
  );
});

test('an entry is told without brackets, whole or cut off', () => {
  assert.equal(actionText('POST /v1/config/apply'), 'config apply');
  const drain = '{"target":"web/r1","kind":"drain","forMs":1800000}';
  assert.equal(detailText(drain), 'web/r1, drain, for 30 min');
  assert.equal(
    detailText('{"order":"takeover"} -> refused: the partner is silent'),
    'takeover → refused: the partner is silent',
  );
  assert.equal(detailText('{"isBoth":true,"serial":4}'), 'both nodes, serial 4');
  assert.equal(detailText('{"isHalf":true}'), 'the half of this node');
  assert.equal(detailText('{"text":"cut o'), '{"text":"cut o');
  assert.equal(detailText(''), '');
});
