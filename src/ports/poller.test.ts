import assert from 'node:assert/strict';
import test from 'node:test';
import { Worker } from 'node:worker_threads';
import { BootClock } from './clock.ts';
import { LinuxPoller, openWaker, wakerOf, watchReadable } from './poller.ts';

function waker() {
  const opened = openWaker();
  assert.ok(opened.ok);
  return opened.value;
}

test('waiting gives those that are readable, in the order asked, and nothing after the time is over', () => {
  const [one, two, three] = [waker(), waker(), waker()];
  const poller = new LinuxPoller();
  const clock = new BootClock();
  try {
    const start = clock.now();
    assert.deepEqual(poller.wait([one.fd, two.fd, three.fd], 30), []);
    const waited = clock.now() - start;
    assert.ok(waited >= 29 && waited < 2000, `waited ${waited} ms`);
    three.wake();
    one.wake();
    assert.deepEqual(poller.wait([one.fd, two.fd, three.fd], 1000), [one.fd, three.fd]);
    assert.deepEqual(poller.wait([three.fd], Number.POSITIVE_INFINITY), [three.fd]);
    assert.deepEqual(poller.wait([two.fd], -5), []);
    assert.deepEqual(poller.wait([], 1), []);
  } finally {
    for (const each of [one, two, three]) each.close();
  }
});

test('a waker is readable until it is drained', () => {
  const one = waker();
  assert.equal(one.drain(), false);
  one.wake();
  one.wake();
  assert.equal(one.drain(), true);
  assert.equal(one.drain(), false);
  one.close();
});

test('a thread that waits for ever is woken by another', async () => {
  const one = waker();
  const code = `
    import { parentPort } from 'node:worker_threads';
    const { LinuxPoller } = await import(${JSON.stringify(import.meta.resolve('./poller.ts'))});
    parentPort.postMessage('waiting');
    parentPort.postMessage(new LinuxPoller().wait([${one.fd}], Infinity));`;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`));
  const answer = await new Promise((resolve) => {
    worker.on('message', (message) => {
      if (message === 'waiting') setTimeout(() => wakerOf(one.fd).wake(), 20);
      else resolve(message);
    });
  });
  await worker.terminate();
  assert.deepEqual(answer, [one.fd]);
  one.close();
});

test('the event loop tells when a descriptor is readable, and holds no process that has stopped watching', async () => {
  const one = waker();
  const woken = await new Promise<boolean>((resolve) => {
    const watched = watchReadable(one.fd, () => {
      if (watched.ok) watched.value.stop();
      resolve(one.drain());
    });
    assert.ok(watched.ok);
    one.wake();
  });
  assert.equal(woken, true);
  one.close();
  const refused = watchReadable(one.fd, () => {});
  assert.deepEqual(refused, {
    ok: false,
    error: { operation: 'watch', target: `descriptor ${one.fd}`, code: 'EBADF' },
  });
});

test('the clock runs forward in fractions of milliseconds', () => {
  const clock = new BootClock();
  const readings = Array.from({ length: 1000 }, () => clock.now());
  assert.ok(
    readings.every((reading, index) => index === 0 || reading >= (readings[index - 1] ?? 0)),
  );
  assert.ok(readings.some((reading) => !Number.isInteger(reading)));
});
