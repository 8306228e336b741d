import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { after, instant, ip } from '../base/index.ts';
import type { KernelAddresses } from '../model/index.ts';
import { pathsDown } from './links.ts';
import { MainWatch } from './main-watch.ts';
import type { ToWorker } from './messages.ts';
import { neighbourMac } from './neighbours.ts';
import { userHeader } from './partner-client.ts';
import { wordToBegin } from './pulse-worker.ts';
import { claim, isHeld, leave, readPid, runDirectory } from './run-directory.ts';
import { measureLateness } from './self-test.ts';

test('who orders something of the partner is named in printable characters, without his number here', () => {
  const named = (name: string) => userHeader(name)['piranha-user'];
  assert.equal(named('alice (uid 1000)'), 'alice');
  assert.equal(named('ann (by root)'), 'ann');
  assert.equal(named('Zoë\r\nroot'), 'Zo???root');
  assert.equal(named('x'.repeat(200)).length, 64);
});

describe('monitor_links', () => {
  const paths = [
    { name: 'public', own: ip('198.51.100.11'), partner: ip('198.51.100.12') },
  ] as const;
  const observed = (isUp: boolean, hasCarrier: boolean, address = '198.51.100.11') =>
    ({
      links: [{ index: 2, name: 'eth0', isUp, hasCarrier }],
      rows: [{ interfaceIndex: 2, address: ip(address), prefixLength: 24 }],
    }) satisfies KernelAddresses;

  test('a path is down without carrier, and when its interface is switched off', () => {
    assert.deepEqual(pathsDown(paths, observed(true, true)), []);
    assert.deepEqual(pathsDown(paths, observed(true, false)), ['public']);
    assert.deepEqual(pathsDown(paths, observed(false, true)), ['public']);
  });

  test('an address that nowhere is found says nothing about a cable', () => {
    assert.deepEqual(pathsDown(paths, observed(true, false, '203.0.113.1')), []);
  });
});

describe('the lease of main', () => {
  const watch = () => new MainWatch(instant(0), 0, 5000);

  test('runs out when main has not moved for five seconds of our own time', () => {
    const lease = watch();
    for (let ms = 500; ms < 5000; ms += 500) assert.equal(lease.look(instant(ms), 0), false);
    assert.equal(lease.look(instant(5000), 0), true);
    assert.equal(lease.look(instant(5500), 1), false);
  });

  test('a long gap of our own counts for a second only', () => {
    const lease = watch();
    assert.equal(lease.look(instant(60_000), 0), false);
    assert.equal(lease.look(instant(60_500), 0), false);
  });
});

describe('neighbours', () => {
  const TABLE = [
    'IP address       HW type     Flags       HW address            Mask     Device',
    '198.51.100.12    0x1         0x2         02:00:00:00:00:12     *        eth0',
    '198.51.100.13    0x1         0x0         00:00:00:00:00:00     *        eth0',
    '10.77.0.2        0x1         0x2         02:00:00:00:01:12     *        eth1',
  ].join('\n');

  test('the partner is found on its device, when the entry is complete', () => {
    const partners = [ip('198.51.100.12'), ip('10.77.0.2')];
    assert.equal(neighbourMac('eth0', partners, TABLE), '02:00:00:00:00:12');
    assert.equal(neighbourMac('eth1', partners, TABLE), '02:00:00:00:01:12');
    assert.equal(neighbourMac('eth2', partners, TABLE), undefined);
    assert.equal(neighbourMac('eth0', [ip('198.51.100.13')], TABLE), undefined);
  });
});

describe('the self-test of the timer', () => {
  /** A machine that wakes us so late; `stalls` of its rounds have one wake that takes a lot longer. */
  function machine(lateMs: number, stalls: number) {
    let now = instant(0);
    let waits = 0;
    const poller = {
      wait: (_: readonly number[], timeoutMs: number) => {
        waits++;
        const isStall = waits % 50 === 1 && waits <= stalls * 50;
        now = after(now, timeoutMs + (isStall ? 200 : lateMs));
        return [];
      },
    };
    return { clock: { now: () => now }, poller };
  }

  test('finds the worst lateness', () => {
    assert.equal(Math.round(measureLateness(machine(2, 0), 100)), 2);
  });

  test('one stall is an accident, a stall in each of three rounds is the machine', () => {
    assert.equal(measureLateness(machine(0.5, 1), 100) < 100, true);
    assert.equal(measureLateness(machine(0.5, 9), 100) >= 199, true);
  });
});

describe('the run directory', () => {
  test('is held by whoever listens on its socket, not by a number in a file', async () => {
    const path = mkdtempSync(join(tmpdir(), 'pird-'));
    try {
      const directory = runDirectory(join(path, 'run'));
      assert.equal(await isHeld(directory), false);
      claim(directory);
      assert.equal(readPid(directory), process.pid);
      assert.equal(await isHeld(directory), false, 'the number alone holds nothing');
      const server = createServer().listen(directory.socket);
      await new Promise((resolve) => server.once('listening', resolve));
      assert.equal(await isHeld(directory), true);
      server.close();
      leave(directory);
      assert.equal(readPid(directory), undefined);
    } finally {
      rmSync(path, { recursive: true });
    }
  });

  test('a pid file of nonsense is no number', () => {
    const path = mkdtempSync(join(tmpdir(), 'pird-'));
    try {
      writeFileSync(join(path, 'pulse.pid'), '-1; rm');
      assert.equal(readPid(runDirectory(path)), undefined);
    } finally {
      rmSync(path, { recursive: true });
    }
  });
});

describe("the worker's first word", () => {
  const GATEWAYS = { kind: 'gateways', gateways: [] } as const;
  const BEGIN = { kind: 'begin', isForcedActive: true } as const;
  const heard = (...batches: readonly (readonly ToWorker[])[]) => {
    const queue = [...batches];
    const early: ToWorker[] = [];
    const begin = wordToBegin(
      () => assert.notEqual(queue.length, 0, 'it waits although it has its word'),
      () => queue.shift() ?? [],
      early,
    );
    return { begin, early: early.map(({ kind }) => kind) };
  };

  test('may come after a question for the status: somebody asks while the director starts', () => {
    assert.deepEqual(heard([{ kind: 'report' }], [BEGIN]), { begin: BEGIN, early: ['report'] });
  });

  test('what is said beside it is kept, what comes before and what comes after', () => {
    const { begin, early } = heard([], [GATEWAYS, BEGIN, { kind: 'stop' }]);
    assert.deepEqual({ begin, early }, { begin: BEGIN, early: ['gateways', 'stop'] });
  });

  test('stop: never mind', () => {
    assert.equal(heard([GATEWAYS], [{ kind: 'stop' }, BEGIN]).begin, undefined);
  });
});
