import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { listIncidents, readIncident, recordedBytes } from './incidents.ts';

function recording(writtenAt: string, ...roles: readonly string[]): string {
  const header = { kind: 'incident', v: 1, node: 'backup', writtenAt, wallOffsetMs: 0 };
  const steps = roles.map((words) => ({ kind: 'step', did: ['send RUNNING', `role ${words}`] }));
  return [header, ...steps].map((line) => `${JSON.stringify(line)}\n`).join('');
}

test('recordings are listed newest first, each with its changes of role; what grows still is not there', () => {
  const directory = mkdtempSync(join(tmpdir(), 'piri-'));
  let bytes = 0;
  const write = (name: string, content: string): void => {
    bytes += content.length;
    writeFileSync(join(directory, name), content);
  };
  const [first, second] = ['2026-11-22T18:45:00.000Z', '2026-11-22T18:46:00.000Z'];
  const text = recording(
    second,
    'standby -> claim partner-silent',
    'claim -> active partner-silent',
  );
  write('20261122T184500Z-1.jsonl', recording(first, 'active -> standby operator'));
  write('20261122T184600Z-2.jsonl', text);
  write('20261122T184700Z-3.unfinished', recording(second));
  write('20261122T184800Z-4.jsonl', 'something else\n');
  write('notes.jsonl', recording(second));
  const found = listIncidents(directory);
  assert.deepEqual(
    found.map(({ id, at, node, roles }) => [
      id,
      at,
      node,
      roles.map(({ to, reason }) => `${to} ${reason}`),
    ]),
    [
      ['20261122T184600Z-2', second, 'backup', ['claim partner-silent', 'active partner-silent']],
      ['20261122T184500Z-1', first, 'backup', ['standby operator']],
    ],
  );
  assert.equal(found[0]?.bytes, text.length);
  assert.equal(recordedBytes(directory), bytes, 'with what still grows');
  assert.equal(readIncident(directory, '20261122T184600Z-2'), text);
  for (const id of ['20261122T184700Z-3', '../notes', 'notes', '20261122T184600Z-2/../x', '']) {
    assert.equal(readIncident(directory, id), undefined, id);
  }
  rmSync(join(directory, '20261122T184600Z-2.jsonl'));
  assert.equal(listIncidents(directory).length, 1);
  rmSync(directory, { recursive: true });
  assert.deepEqual(listIncidents(directory), []);
  assert.equal(recordedBytes(directory), 0);
});
