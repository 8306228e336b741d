import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { enterNamespace } from '../ports/index.ts';
import { until } from './daemon-under-test.ts';
import { type Host, holds, macOf, placeOf, TestSegment, VIP } from './segment-under-test.ts';

enterNamespace();

let segment: TestSegment;
let router: Host;
let primary: Host;
let backup: Host;

beforeEach(async () => {
  segment = new TestSegment();
  ({ router, primary, backup } = await segment.build());
  segment.configure();
});

afterEach(() => segment.close());

/** Both run, the primary is active and believed. */
async function pair() {
  const first = segment.pulse('primary');
  await first.says('198.51.100.1 sends');
  const second = segment.pulse('backup');
  await second.says('partner heard');
  return { first, second };
}

test('takeover: the standby claims, is active and believed, and says in milliseconds how it went', async () => {
  const { first } = await pair();
  router.run('ping', '-c', '1', '-W', '1', VIP);
  const { status, stdout } = segment.piranha('backup', 'takeover');
  assert.equal(status, 0, stdout);
  assert.match(stdout, /ms {2}standby -> claim \(operator\)\n.*ms {2}claim -> active \(operator\)/);
  const [, took] = /([\d.]+) ms {2}198\.51\.100\.1 sends 198\.51\.100\.100 here/.exec(stdout) ?? [];
  assert.equal(Number(took) >= 20 && Number(took) < 150, true, stdout);
  assert.equal(placeOf(router, VIP), macOf(12));
  assert.equal(holds(primary), false);
  await first.says('deactivating LVS (partner-claims)');
});

test('takeover by the active is refused with the reason', async () => {
  await pair();
  const { status, stderr } = segment.piranha('primary', 'takeover');
  assert.equal(status, 1);
  assert.equal(stderr, 'refused: this director is active already\n');
});

test('resign: the partner is active at once, and we stay aside for the time', async () => {
  const { second } = await pair();
  const { status, stdout, stderr } = segment.piranha('primary', 'resign', '--for', '2s');
  assert.equal(status, 0, stdout + stderr);
  assert.match(stdout, /ms {2}active -> fault \(operator\)/);
  assert.match(stdout, /ms {2}the partner is active\n$/);
  assert.equal(holds(backup), true);
  const again = segment.piranha('primary', 'takeover');
  assert.equal(again.status, 0, again.stderr);
  await second.says('(partner-claims)');
});

test('resign without a partner that could take over is refused', async () => {
  const first = segment.pulse('primary');
  await first.says('198.51.100.1 sends');
  const { status, stderr } = segment.piranha('primary', 'resign');
  assert.equal(status, 1);
  assert.equal(stderr, 'refused: the partner is silent: the VIPs would have no owner\n');
  assert.equal(holds(primary), true);
});

test('maintenance on: not active again even when the partner dies; off: it is of use again', async () => {
  const { second } = await pair();
  assert.equal(segment.piranha('primary', 'maintenance', 'on').status, 0);
  await until(() => holds(backup), 'the VIP on the partner');
  const refused = segment.piranha('backup', 'maintenance', 'on');
  assert.match(refused.stderr, /refused: the partner may not take over \(maintenance\)/);
  second.signal('SIGKILL');
  await second.exit;
  assert.match(segment.status('primary'), /^DEGRADED {2}.*may not take over/);
  assert.equal(holds(primary), false);
  assert.equal(segment.piranha('primary', 'maintenance', 'off').status, 0);
  await until(() => holds(primary), 'the VIP again', 3000);
});

test('an order that is none, or too long, is told so', async () => {
  const first = segment.pulse('primary');
  await first.says('198.51.100.1 sends');
  const post = (body: string) => {
    const socket = `${segment.runDirectory('primary')}/pulse.sock`;
    const words = ['-s', '--unix-socket', socket, '-X', 'POST', '-d', body, 'http://x/v1/role'];
    return primary.run('curl', ...words);
  };
  assert.match(post('{"order":"explode"}'), /an order is wanted: takeover, resign/);
  assert.match(post('{"order":"resign","forMs":-1}'), /forMs belongs to resign/);
  assert.match(post('{"order"'), /the body must be JSON/);
  assert.match(post(`"${'x'.repeat(70_000)}"`), /at most 65536 bytes/);
  const { status, stderr } = segment.piranha('primary', 'resign', '--for', '9 days');
  assert.equal(status, 64);
  assert.match(stderr, /--for takes/);
});
