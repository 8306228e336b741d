import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { fromUtf8 } from '../base/index.ts';
import { ReceiveArena } from './arena.ts';
import { AF_UNIX, SOCK_DGRAM } from './linux.ts';
import { native } from './native.ts';
import { openNotifier } from './notify.ts';
import { unixAddress } from './socket-address.ts';

const directory = mkdtempSync(join(tmpdir(), 'piranha-notify-'));
test.after(() => rmSync(directory, { recursive: true }));

for (const path of [`@piranha-notify-${process.pid}`, join(directory, 'notify')]) {
  test(`the supervisor at ${path[0] === '@' ? 'an abstract name' : 'a path'} hears every line`, () => {
    const supervisor = native().socket(AF_UNIX, SOCK_DGRAM, 0);
    assert.equal(native().bind(supervisor, unixAddress(path)), 0);
    const opened = openNotifier({ NOTIFY_SOCKET: path }, 1);
    assert.ok(opened.ok && opened.value !== undefined);
    const notifier = opened.value;
    assert.equal(notifier.ready(), undefined);
    assert.equal(notifier.watchdog(), undefined);
    assert.equal(notifier.status('active\nsince noon'), undefined);
    assert.equal(notifier.stopping(), undefined);
    const arena = new ReceiveArena(8, 256);
    const lines = Array.from({ length: arena.receive(supervisor) }, (_, index) =>
      fromUtf8(arena.message(index)),
    );
    assert.deepEqual(lines, ['READY=1', 'WATCHDOG=1', 'STATUS=active since noon', 'STOPPING=1']);
    native().close(supervisor);
    assert.equal(notifier.ready()?.code, 'ECONNREFUSED');
    notifier.close();
  });
}

test('without a supervisor there is no notifier', () => {
  assert.deepEqual(openNotifier({}, 1), { ok: true, value: undefined });
  assert.deepEqual(openNotifier({ NOTIFY_SOCKET: '' }, 1), { ok: true, value: undefined });
});

test('a supervisor that cannot be reached is told by its socket', () => {
  const codes = ['relative', '/', '@', `/${'long'.repeat(27)}`, join(directory, 'nobody')].map(
    (path) => {
      const opened = openNotifier({ NOTIFY_SOCKET: path }, 1);
      assert.ok(!opened.ok);
      assert.equal(opened.error.target, `NOTIFY_SOCKET ${path}`);
      return opened.error.code;
    },
  );
  const shape = 'not-a-socket-path';
  assert.deepEqual(codes, [shape, shape, shape, shape, 'ENOENT']);
});

test('the watchdog interval counts when it is for this process', () => {
  const path = join(directory, 'watchdog');
  const supervisor = native().socket(AF_UNIX, SOCK_DGRAM, 0);
  native().bind(supervisor, unixAddress(path));
  const watchdogMs = (environment: Record<string, string>) => {
    const opened = openNotifier({ NOTIFY_SOCKET: path, ...environment }, 42);
    assert.ok(opened.ok && opened.value !== undefined);
    opened.value.close();
    return opened.value.watchdogMs;
  };
  assert.equal(watchdogMs({ WATCHDOG_USEC: '1500500', WATCHDOG_PID: '42' }), 1500.5);
  assert.equal(watchdogMs({ WATCHDOG_USEC: '1000000' }), 1000);
  assert.equal(watchdogMs({ WATCHDOG_USEC: '1000000', WATCHDOG_PID: '43' }), undefined);
  for (const bad of ['', '0', '-1', 'soon', '1e99']) {
    assert.equal(watchdogMs({ WATCHDOG_USEC: bad }), undefined);
  }
  assert.equal(watchdogMs({}), undefined);
  native().close(supervisor);
});
