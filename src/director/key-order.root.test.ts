/** docs/migration.md: a key is brought to the active director first, and taken away from the standby first; then nothing moves. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { enterNamespace } from '../ports/index.ts';
import { until } from './daemon-under-test.ts';
import { KEY } from './pair-under-test.ts';
import { holds, type NodeName, TestSegment } from './segment-under-test.ts';

enterNamespace();

/** Several deadtimes of the segment's file (300 ms). */
const LONG_MS = 1500;

let segment: TestSegment;
let keyLine: string;

before(async () => {
  segment = new TestSegment();
  await segment.build();
  const file = join(segment.directory, 'key');
  writeFileSync(file, `${KEY}\n`, { mode: 0o600 });
  keyLine = `heartbeat_key_file = ${file}`;
  segment.configure();
  await segment.pulse('primary').says('activating lvs');
  await segment.pulse('backup').says('partner heard');
});

after(() => segment.close());

function hears(node: NodeName): boolean {
  const { stdout } = segment.piranha(node, 'status', '--json');
  return JSON.parse(stdout).partner.state === 'heard';
}

async function staysWithThePrimary(orders: readonly NodeName[]): Promise<void> {
  for (const node of orders) {
    const { status, stderr } = segment.piranha(node, 'reload');
    assert.equal(status, 0, stderr);
    await sleep(LONG_MS);
    const owners = [...segment.hosts.values()].filter((host) => holds(host));
    assert.deepEqual(
      owners.map(({ name }) => name),
      ['primary'],
      `after the reload of the ${node}`,
    );
  }
  await until(() => hears('primary') && hears('backup'), 'both to hear each other');
}

test('a key that is brought to the active director first moves nothing', async () => {
  segment.configure(keyLine);
  await staysWithThePrimary(['primary', 'backup']);
  assert.match(segment.status('primary'), /heartbeats authenticated/);
});

test('a key that is taken away from the standby first moves nothing', async () => {
  segment.configure();
  await staysWithThePrimary(['backup', 'primary']);
});

test('the other way round, the standby hears nobody any more and takes over', async () => {
  segment.configure(keyLine);
  await assert.rejects(staysWithThePrimary(['backup']), /after the reload of the backup/);
});
