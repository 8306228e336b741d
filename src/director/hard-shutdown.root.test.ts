/** hard_shutdown with two real daemons: one server that cannot be written costs the role, or only itself. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { enterNamespace } from '../ports/index.ts';
import { until } from './daemon-under-test.ts';
import { type Host, holds, TestSegment, VIP } from './segment-under-test.ts';

enterNamespace();

let segment: TestSegment;
let primary: Host;
let backup: Host;

beforeEach(async () => {
  segment = new TestSegment();
  ({ primary, backup } = await segment.build());
});

afterEach(() => segment.close());

/** Its check, a ping of the router, is good, and nobody on the segment has its address: no plane can write it. */
const LOST = `virtual lost {
  active = 1
  address = ${VIP} eth0
  port = 81
  scheduler = rr
  check = ping
  check_address = 198.51.100.1
  check_interval_ms = 100
  server nowhere {
    address = 198.51.100.77
    active = 1
  }
}`;

/** Both run with these lines, then the active one is given the service that cannot be written. */
async function reloadTheLost(...lines: readonly string[]) {
  segment.configure('dataplane = nftables', ...lines);
  const first = segment.pulse('primary');
  await first.says('198.51.100.1 sends');
  const second = segment.pulse('backup');
  await second.says('partner heard');
  segment.configure('dataplane = nftables', ...lines, LOST);
  first.signal('SIGHUP');
  await first.says('refused server nowhere');
  return { first, second };
}

test('hard_shutdown = 1: the active director resigns at once, its partner takes over', async () => {
  const { first, second } = await reloadTheLost('hard_shutdown = 1');
  await first.says('(services-failed)');
  assert.match(first.log, /\(hard_shutdown = 1\): \S+lvs\.cf:\d+: .*198\.51\.100\.77/);
  await second.says('activating lvs (partner-resigned)');
  await until(() => holds(backup, VIP), 'the VIP on the partner');
  assert.equal(holds(primary, VIP), false);
});

test('hard_shutdown = 0, the default: the server is told and missing, the director stays', async () => {
  const { first, second } = await reloadTheLost();
  assert.equal(holds(primary, VIP), true);
  assert.doesNotMatch(second.log, /activating lvs/);
  assert.match(
    first.log,
    /lvs\.cf:\d+: kernel refused server nowhere .*nobody answers for 198\.51\.100\.77/,
  );
});
