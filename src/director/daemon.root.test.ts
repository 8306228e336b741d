import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  enterNamespace,
  type Hearing,
  openPacketSocket,
  type PacketSocket,
  runIp,
} from '../ports/index.ts';
import { decodeArp, decodeNeighbour } from '../wire/index.ts';
import {
  addresses,
  alone,
  holdsVip,
  lvsConfig,
  PIRANHA,
  plugCable,
  pullCable,
  run,
  TestBed,
  until,
  VIP,
  waiting,
} from './daemon-under-test.ts';

enterNamespace();

let bed: TestBed;

beforeEach(() => {
  bed = new TestBed();
  plugCable();
});

afterEach(async () => {
  await bed.close();
  pullCable();
});

function listen(device: string, hears: Hearing): PacketSocket {
  const index = Number(/^\d+/.exec(runIp('-o', 'link', 'show', 'dev', device))?.[0]);
  const socket = openPacketSocket({ index, name: device, hears });
  assert.ok(socket.ok);
  return socket.value;
}

describe('a life', () => {
  test('W6: alone it raises the VIP after deadtime; TERM releases it, exit 0, nothing left', async () => {
    bed.configure(alone());
    const pulse = bed.pulse();
    await pulse.says('STARTING PULSE AS MASTER (start)');
    await until(holdsVip, 'the VIP');
    assert.equal(readFileSync(join(bed.runDirectory, 'pulse.pid'), 'utf8'), `${pulse.pid}\n`);
    pulse.signal('SIGTERM');
    assert.equal(await pulse.exit, 0);
    assert.equal(holdsVip(), false);
    assert.match(pulse.log, /Terminating due to signal 15 \(stop\)/);
    assert.equal(existsSync(join(bed.runDirectory, 'pulse.pid')), false);
    assert.equal(existsSync(join(bed.runDirectory, 'pulse.sock')), false);
  });

  test('INT stops as TERM does', async () => {
    bed.configure(alone());
    const pulse = bed.pulse('--forceactive');
    await pulse.says('Forced active on startup (forced)');
    await until(holdsVip, 'the VIP');
    pulse.signal('SIGINT');
    assert.equal(await pulse.exit, 0);
    assert.equal(holdsVip(), false);
  });

  test('a VIP that someone deletes by hand is back within a second', async () => {
    bed.configure(alone());
    const pulse = bed.pulse();
    await until(holdsVip, 'the VIP');
    runIp('addr', 'del', `${VIP}/32`, 'dev', 'eth0');
    const deletedAt = performance.now();
    await until(holdsVip, 'the VIP again', 1000);
    assert.equal(performance.now() - deletedAt < 1000, true);
    await pulse.says(`VIP ${VIP} was removed by someone else: raised again (repaired)`);
  });

  test('killed, it leaves the VIP; the next life lowers it as standby', async () => {
    await killedWithVip();
    bed.configure(waiting());
    const next = bed.pulse();
    await next.says('STARTING PULSE');
    await until(() => !holdsVip(), 'the VIP to go');
  });

  test('killed, it leaves the VIP; the next life that is active at once takes it as it is', async () => {
    await killedWithVip();
    const before = addresses();
    const next = bed.pulse('--forceactive');
    await next.says('Forced active');
    await sleep(300);
    assert.equal(addresses(), before);
    assert.doesNotMatch(next.log, /repaired/);
  });

  test('hooks run in order and never overlap', async () => {
    const trail = join(bed.directory, 'trail');
    const hook = join(bed.directory, 'hook');
    const lines = [
      '#!/bin/sh',
      `echo "$1 begins" >>${trail}`,
      'sleep 0.4',
      `echo "$1 ends" >>${trail}`,
    ];
    writeFileSync(hook, `${lines.join('\n')}\n`, { mode: 0o755 });
    bed.configure(alone(`active_cmd = "${hook} up"`, `inactive_cmd = "${hook} down"`));
    const pulse = bed.pulse();
    await until(holdsVip, 'the VIP');
    pulse.signal('SIGTERM');
    assert.equal(await pulse.exit, 0);
    assert.deepEqual(readFileSync(trail, 'utf8').trim().split('\n'), [
      'down begins',
      'down ends',
      'up begins',
      'up ends',
      'down begins',
      'down ends',
    ]);
  });

  test('a hook that fails is told and changes nothing', async () => {
    bed.configure(alone('active_cmd = "/nonexistent/hook"'));
    const pulse = bed.pulse();
    await pulse.says('active_cmd /nonexistent/hook: ');
    await until(holdsVip, 'the VIP');
  });

  test('an IPv6 VIP is raised and advertised', async () => {
    bed.configure(alone().replace(`${VIP} eth0:1`, 'fd77::100 eth0'));
    const advertisements = listen('eth1', 'neighbours');
    bed.pulse();
    await until(() => addresses().includes(' fd77::100/'), 'the VIP');
    const isTold = () =>
      advertisements.receive().some((frame) => {
        const decoded = decodeNeighbour(frame);
        if (!decoded.ok || decoded.value.kind !== 'advertisement') return false;
        return decoded.value.target === 'fd77::100' && decoded.value.isOverride;
      });
    await until(isTold, 'an advertisement');
    advertisements.close();
  });

  test('R1: five announcements a second apart, 60 bytes, of the device itself', async () => {
    bed.configure(alone());
    const socket = listen('eth1', 'arp');
    const pulse = bed.pulse();
    await pulse.says('gratuitous lvs arps finished');
    const replies = socket.receive().filter((frame) => {
      const decoded = decodeArp(frame);
      assert.equal(frame.length, 60);
      return decoded.ok && decoded.value.senderIp === VIP && decoded.value.operation === 'reply';
    });
    socket.close();
    assert.equal(replies.length, 5);
    for (const frame of replies) {
      const decoded = decodeArp(frame);
      assert.equal(decoded.ok && decoded.value.senderMac, '02:00:00:00:00:11');
    }
  });

  test('M9: with monitor_links a lost cable gives the VIP back, and a cable that is back lets it return', async () => {
    const partner = ['backup = 198.51.100.12', 'backup_active = 1', 'monitor_links = 1'];
    bed.configure(lvsConfig([...partner, 'keepalive_ms = 100', 'deadtime_ms = 300']));
    const pulse = bed.pulse();
    await until(holdsVip, 'the VIP');
    runIp('link', 'set', 'eth1', 'down');
    await pulse.says('Primary NIC: link down (link-failure)');
    await pulse.says('Local NIC link failure: deactivating LVS (link-failure)');
    await until(() => !holdsVip(), 'the VIP to go');
    runIp('link', 'set', 'eth1', 'up');
    await pulse.says('Local NIC link restored: Pulse enabled');
    await until(holdsVip, 'the VIP again');
  });

  test('one director, run as it is built, needs at most 90 MiB of memory', async () => {
    bed.configure(alone());
    const pulse = bed.pulse();
    await until(holdsVip, 'the VIP');
    run(PIRANHA, 'status', '--run-dir', bed.runDirectory);
    const words = readFileSync(`/proc/${pulse.pid}/cmdline`, 'utf8').split('\0');
    assert.ok(
      words.some((word) => word.endsWith('/build/pulse/pulse-process.mjs')),
      `not as it is built: ${words.join(' ')}`,
    );
    const kilobytes = [pulse.pid, ...childrenOf(pulse.pid)].reduce((sum, pid) => {
      const status = readFileSync(`/proc/${pid}/status`, 'utf8');
      return sum + Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]);
    }, 0);
    assert.equal(kilobytes <= 90 * 1024, true, `${Math.round(kilobytes / 1024)} MiB`);
  });
});

describe('reload (HUP)', () => {
  test('raises what is new, lowers what is gone', async () => {
    bed.configure(alone());
    const pulse = bed.pulse();
    await until(holdsVip, 'the VIP');
    const timers = [
      'backup_active = 0',
      'keepalive_ms = 100',
      'deadtime_ms = 300',
      'serial_no = 8',
    ];
    bed.configure(lvsConfig(timers, ['198.51.100.101', '198.51.100.102']));
    pulse.signal('SIGHUP');
    await pulse.says('rereading configuration file: done (serial_no 8)');
    await until(() => addresses().includes('198.51.100.102/'), 'the new VIP');
    assert.match(addresses(), /198\.51\.100\.101\//);
    assert.equal(holdsVip(), false);
  });

  test('a bad file changes nothing', async () => {
    bed.configure(alone());
    const pulse = bed.pulse();
    await until(holdsVip, 'the VIP');
    bed.configure(`${alone()}nonsense = 1\n`);
    pulse.signal('SIGHUP');
    await pulse.says('reload refused: the running configuration stays');
    assert.match(pulse.log, /unknown directive.*nonsense/);
    assert.equal(holdsVip(), true);
  });

  test('O1: is harmless on a standby', async () => {
    bed.configure(waiting());
    const pulse = bed.pulse();
    await pulse.says('STARTING PULSE');
    pulse.signal('SIGHUP');
    pulse.signal('SIGHUP');
    await pulse.says('rereading configuration file: done');
    assert.equal(holdsVip(), false);
    pulse.signal('SIGTERM');
    assert.equal(await pulse.exit, 0);
  });
});

describe('status', () => {
  const status = (...words: readonly string[]) =>
    run(PIRANHA, 'status', '-c', bed.configFile, '--run-dir', bed.runDirectory, ...words);

  test('the verdict comes first; --json is the whole document', async () => {
    bed.configure(alone());
    const pulse = bed.pulse();
    await until(holdsVip, 'the VIP');
    await pulse.says('activating');
    const asText = status();
    assert.equal(asText.status, 0);
    assert.match(asText.stdout, /^HEALTHY {2}This director is active and alone/);
    const document = JSON.parse(status('--json').stdout);
    assert.equal(document.v, 1);
    assert.equal(document.role, 'active');
    assert.equal(document.reason, 'no-partner');
    assert.deepEqual(document.vips, [{ address: VIP, device: 'eth0', state: 'up' }]);
    assert.equal(document.changes[0].reason, 'no-partner');
  });

  test('a frozen daemon is called frozen within a second or two, with the VIP it still holds', async () => {
    bed.configure(alone());
    const pulse = bed.pulse();
    await until(holdsVip, 'the VIP');
    pulse.signal('SIGSTOP');
    const startedAt = performance.now();
    const { status: code, stdout } = status();
    assert.equal(performance.now() - startedAt < 2000, true);
    assert.equal(code, 2);
    assert.match(
      stdout,
      new RegExp(
        `The daemon \\(pid ${pulse.pid}\\) does not answer: it is stopped by a signal; ` +
          'VIP 198\\.51\\.100\\.100 is still on eth0\\.',
      ),
    );
    pulse.signal('SIGCONT');
  });

  test('a dead daemon leaves its VIP, and status says so', async () => {
    await killedWithVip();
    const { status: code, stdout } = status();
    assert.equal(code, 2);
    assert.match(stdout, /The daemon is not running; VIP 198\.51\.100\.100 is still on eth0\./);
  });

  test('a daemon that never ran is unknown, not down', () => {
    bed.configure(alone());
    const { status: code, stdout } = status();
    assert.equal(code, 3);
    assert.match(stdout, /^UNKNOWN {2}The daemon is not running\.$/m);
  });

  test('silent and greedy clients are dropped, and the socket is not for everybody', async () => {
    bed.configure(alone());
    bed.pulse();
    await until(holdsVip, 'the VIP');
    const path = join(bed.runDirectory, 'pulse.sock');
    assert.equal(statSync(path).mode & 0o777, 0o660);
    const silent = Array.from({ length: 100 }, () =>
      connect(path)
        .on('error', () => {})
        .resume(),
    );
    silent[0]?.write(`GET /v1/status HTTP/1.1\r\nx: ${'y'.repeat(10_000)}\r\n\r\n`);
    await until(() => silent.every(({ destroyed }) => destroyed), 'all of them to be dropped');
    assert.equal(status().status, 0);
  });
});

async function killedWithVip(): Promise<void> {
  bed.configure(alone());
  const pulse = bed.pulse();
  await until(holdsVip, 'the VIP');
  pulse.signal('SIGKILL');
  await pulse.exit;
  assert.equal(holdsVip(), true);
}

function childrenOf(pid: number): readonly number[] {
  const list = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return list === '' ? [] : list.split(' ').map(Number);
}
