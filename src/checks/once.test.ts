import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { ip } from '../base/index.ts';
import { type Check, makeCheck } from '../model/index.ts';
import { probeOnce } from './once.ts';
import { proberOf } from './prober.ts';

const LOOPBACK = ip('127.0.0.1');

function check(port: number): Check {
  const expect = { kind: 'prefix', text: 'hello' } as const;
  const timing = { intervalMs: 60_000, timeoutMs: 150, rise: 1, fall: 1 };
  const procedure = { kind: 'tcp', expect } as const;
  return makeCheck({ address: LOOPBACK, port, ...timing, procedure });
}

/** A server that greets, or says nothing. */
async function withServer(greeting: string | undefined, use: (port: number) => Promise<void>) {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    if (greeting !== undefined) socket.write(greeting);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await use(typeof address === 'object' && address !== null ? address.port : 0);
  server.close();
}

test('one probe says that a server works, and how long that took', async () => {
  await withServer('hello there', async (port) => {
    const { verdict, tookMs } = await probeOnce(check(port), proberOf(check(port), {}));
    assert.equal(verdict.isUp, true);
    assert.ok(tookMs > 0 && tookMs < 150);
  });
});

test('one that is silent costs the time limit of its check and no more', async () => {
  await withServer(undefined, async (port) => {
    const { verdict, tookMs } = await probeOnce(check(port), proberOf(check(port), {}));
    assert.equal(verdict.isUp ? '' : verdict.reason, 'timeout');
    assert.match(verdict.isUp ? '' : verdict.detail, /not within 150 ms$/);
    assert.ok(tookMs >= 145 && tookMs < 2000, `${tookMs}`);
  });
});

test('a probe that cannot be made is a verdict, too', async () => {
  const broken = () => {
    throw Object.assign(new Error('no descriptor is left'), { code: 'EMFILE' });
  };
  const { verdict } = await probeOnce(check(1), broken);
  assert.deepEqual(verdict, {
    isUp: false,
    reason: 'own-limits',
    detail: 'tcp 127.0.0.1:1: EMFILE',
  });
});
