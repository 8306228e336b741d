import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ip } from '../base/index.ts';
import { makeCheck, type Verdict } from '../model/index.ts';
import { openPinger } from './ping.ts';
import { proberOf } from './prober.ts';

/** Verdicts of one probe within 300 ms; `isAborted`: given up at once. */
async function ping(address: string, isAborted = false): Promise<readonly Verdict[]> {
  const opened = openPinger();
  assert.ok(opened.ok, JSON.stringify(opened));
  const pinger = opened.value;
  const timing = { intervalMs: 1000, timeoutMs: 300, rise: 1, fall: 1 };
  const check = makeCheck({
    address: ip(address),
    port: 0,
    ...timing,
    procedure: { kind: 'ping' },
  });
  const heard: Verdict[] = [];
  const running = proberOf(check, { pinger })((verdict) => heard.push(verdict));
  if (isAborted) assert.equal(running.abort(), 'an echo');
  await new Promise((resolve) => setTimeout(resolve, 300));
  pinger.close();
  return heard;
}

test('ping: a living address is up, over both IP versions', async () => {
  assert.deepEqual(await ping('127.0.0.1'), [{ isUp: true }]);
  assert.deepEqual(await ping('::1'), [{ isUp: true }]);
});

test('ping: after an abort nothing is heard any more', async () => {
  assert.deepEqual(await ping('127.0.0.1', true), []);
});

test('ping: an address that the kernel will not send to is down at once', async () => {
  // Broadcasts need a right that the socket does not ask for.
  const [verdict] = await ping('255.255.255.255');
  assert.ok(verdict !== undefined && !verdict.isUp);
  assert.equal(verdict.detail, 'EACCES at 255.255.255.255');
});
