import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { courierUser } from '../courier/index.ts';
import { enterNamespace } from '../ports/index.ts';
import { type Daemon, until } from './daemon-under-test.ts';
import { KEY, TestPair } from './pair-under-test.ts';

enterNamespace();

let pair: TestPair;

beforeEach(async () => {
  pair = new TestPair();
  await pair.build();
});

afterEach(() => pair.close());

describe('the courier', () => {
  test('runs as a user without rights, has forgotten its plan, and ends with its director', async () => {
    const { first } = await pair.run();
    const pid = courierOf(first);
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const uid = courierUser()?.uid;
    assert.match(status, new RegExp(`^Uid:(\t${uid}){4}$`, 'm'));
    assert.match(status, /^CapEff:\t0+$/m);
    assert.match(status, /^CapPrm:\t0+$/m);
    const argv = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    assert.doesNotMatch(argv, new RegExp(KEY));
    assert.equal(existsSync(join(pair.segment.runDirectory('primary'), 'courier.plan')), false);
    assert.equal(statSync(join(pair.segment.runDirectory('primary'), 'courier.sock')).uid, uid);
    first.signal('SIGKILL');
    await first.exit;
    await until(() => !existsSync(`/proc/${pid}`), 'the courier to end with its director');
  });

  test('moves to another port with the change that says so, on both nodes', async () => {
    await pair.run();
    const moved = pair.text(3, 'courier_port = 4000');
    const applied = pair.apply('primary', moved, '--both');
    assert.equal(applied.status, 0, applied.stderr);
    assert.match(applied.stdout, /^courier_port 3637 -> 4000\n[\s\S]*kept on both nodes/);
    for (const node of ['primary', 'backup'] as const) {
      await pair.channel(node);
      const listening = pair.segment.hosts.get(node)?.shell('ss -Hltn') ?? '';
      assert.match(listening, /198\.51\.100\.1[12]:4000 /);
      assert.doesNotMatch(listening, /:3637 /);
    }
    const back = pair.apply('backup', pair.text(2), '--both', '--confirm', '60s');
    assert.equal(back.status, 0, back.stderr);
    await pair.channel('backup');
    assert.equal(pair.piranha('backup', 'confirm').status, 0);
    assert.ok(pair.bothWeigh('2'));
  });

  test('is started again when it ends, and not at all without a key', async () => {
    const { first } = await pair.run();
    const pid = courierOf(first);
    process.kill(pid, 'SIGKILL');
    await first.says('the courier ended, it is started again');
    await pair.channel('primary');
    assert.notEqual(courierOf(first), pid);
    const without = pair.read('primary').replace(/^heartbeat_key_file.*\n/m, '');
    assert.equal(pair.apply('primary', without).status, 0);
    const { status, stderr } = pair.piranha('primary', 'diff', '--partner');
    assert.equal(status, 2);
    assert.match(stderr, /no channel to the partner: it needs heartbeat_key_file/);
    assert.equal(existsSync(join(pair.segment.runDirectory('primary'), 'partner.sock')), false);
  });
});

/** The courier of a director: the spawner's child. */
function courierOf(daemon: Daemon): number {
  const childrenOf = (pid: number): readonly number[] =>
    spawnSync('pgrep', ['-P', String(pid)], { encoding: 'utf8' })
      .stdout.split('\n')
      .map(Number);
  const all = childrenOf(daemon.pid).flatMap(childrenOf);
  const found = all.find(
    (pid) => pid > 0 && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('courier'),
  );
  assert.ok(found !== undefined, 'a courier runs');
  return found;
}
