import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { enterNamespace } from '../ports/index.ts';
import { PIRANHA, run, until } from './daemon-under-test.ts';
import { type NodeName, TestSegment } from './segment-under-test.ts';

enterNamespace();

const KEY = '00112233445566778899aabbccddeeff';

let segment: TestSegment;

beforeEach(async () => {
  segment = new TestSegment();
  await segment.build();
});

afterEach(() => segment.close());

/** The recordings of a node, oldest first. */
function recordings(node: NodeName): readonly string[] {
  const directory = join(segment.runDirectory(node), 'incidents');
  try {
    return readdirSync(directory)
      .filter((name) => name.endsWith('.jsonl'))
      .sort()
      .map((name) => join(directory, name));
  } catch {
    return [];
  }
}

test('a real freeze is recorded by both nodes; replayed, the core does what it did, and it is one story', async () => {
  const keyFile = join(segment.directory, 'key');
  writeFileSync(keyFile, `${KEY}\n`, { mode: 0o600 });
  segment.configure(`heartbeat_key_file = ${keyFile}`);
  const first = segment.pulse('primary');
  await first.says('198.51.100.1 sends');
  const second = segment.pulse('backup');
  await second.says('partner heard');
  await sleep(1000); // heartbeats both ways, by which the clocks are matched
  first.signal('SIGSTOP');
  await second.says('partner dead: activating lvs');
  await second.says('198.51.100.1 sends');
  first.signal('SIGCONT');
  await first.says('role');
  for (const [node, daemon] of [
    ['primary', first],
    ['backup', second],
  ] as const) {
    daemon.signal('SIGTERM');
    assert.equal(await daemon.exit, 0);
    await until(() => recordings(node).length > 0, `a recording of the ${node}`);
  }
  const files = (['primary', 'backup'] as const).flatMap((node) => recordings(node).slice(-1));
  for (const file of files) {
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.equal(readFileSync(file, 'utf8').includes(KEY), false, 'the key is not in it');
  }
  const { status, stdout, stderr } = run(PIRANHA, 'replay', ...files, '--diagram');
  assert.equal(status, 0, stdout + stderr);
  assert.match(stdout, /primary, \d+ steps: the core does what it did/);
  assert.match(stdout, /backup, \d+ steps: the core does what it did/);
  assert.match(stdout, /clocks matched by heartbeats, to [0-4]\.\d ms/);
  assert.match(stdout, /-- CLAIM -+|CLAIM: partner-silent/);
  assert.match(stdout, /ACTIVE: partner-silent/);
  assert.match(stdout, /ARP: VIP is at backup/);
  assert.match(stdout, /-> backup/);
  assert.match(stdout, /~ woke \d+ ms late ~/);
  const { v, isSame } = JSON.parse(run(PIRANHA, 'replay', ...files, '--json').stdout);
  assert.deepEqual([v, isSame], [1, true]);
});

test('a recording that was changed by hand is told to differ', async () => {
  segment.configure();
  const first = segment.pulse('primary');
  await first.says('198.51.100.1 sends');
  first.signal('SIGTERM');
  await first.exit;
  const [file = ''] = recordings('primary');
  const forged = join(segment.directory, 'forged.jsonl');
  const text = readFileSync(file, 'utf8');
  writeFileSync(
    forged,
    text.replaceAll('role standby -> claim partner-silent', 'role standby -> fault deaf'),
  );
  const { status, stdout } = run(PIRANHA, 'replay', forged);
  assert.equal(status, 1);
  assert.match(stdout, /THE CORE DOES NOT DO WHAT IT DID/);
  assert.match(stdout, /recorded .*fault deaf/);
  writeFileSync(forged, 'nonsense\n');
  const nonsense = run(PIRANHA, 'replay', forged);
  assert.equal(nonsense.status, 1);
  assert.match(nonsense.stderr, /line 1 is no line of a recording/);
});

test('what kill -9 cuts short is recorded by the next life, and plays', async () => {
  segment.configure();
  const first = segment.pulse('primary');
  await first.says('activating lvs');
  await first.says('198.51.100.1 sends');
  first.signal('SIGKILL');
  await first.exit;
  assert.deepEqual(recordings('primary'), [], 'it was not finished');
  const next = segment.pulse('primary');
  await next.says('incident recorded:');
  const [file = ''] = recordings('primary');
  const { status, stdout, stderr } = run(PIRANHA, 'replay', file);
  assert.equal(status, 0, stdout + stderr);
  assert.match(stdout, /primary, \d+ steps: the core does what it did/);
  assert.match(readFileSync(file, 'utf8'), /role claim -> active/);
});
