/** Address lifetimes against the real kernel: a VIP that nobody renews ends, one that is renewed stands. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ip as address } from '../base/index.ts';
import { openAddressPort } from './addresses.ts';
import { BootClock } from './clock.ts';
import { enterNamespace, ip } from './enter-namespace.ts';
import { LifetimeLease, lifetimeSeconds } from './lifetime-lease.ts';

enterNamespace();
ip('link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth1');
ip('link', 'set', 'eth0', 'up');
ip('addr', 'add', '10.77.0.11/24', 'dev', 'eth0');

const VIP = address('10.77.0.100');
const VIP6 = address('fd77::100');
const OTHER = address('10.77.0.50');

function open() {
  const port = openAddressPort();
  assert.ok(port.ok);
  const lease = new LifetimeLease(port.value, new BootClock());
  lease.install([VIP, VIP6]);
  const observed = port.value.observe();
  assert.ok(observed.ok);
  const index = observed.value.links.find(({ name }) => name === 'eth0')?.index ?? 0;
  const rows = [
    { interfaceIndex: index, address: VIP, prefixLength: 32, label: 'eth0' },
    { interfaceIndex: index, address: VIP6, prefixLength: 128 },
    { interfaceIndex: index, address: OTHER, prefixLength: 32, label: 'eth0' },
  ];
  const raise = () =>
    lease.addresses.apply(rows.map((row) => ({ kind: 'add-address', row }) as const));
  const standing = () => {
    const seen = port.value.observe();
    assert.ok(seen.ok);
    return [VIP, VIP6, OTHER].filter((vip) => seen.value.rows.some((row) => row.address === vip));
  };
  return { lease, rows, raise, standing, close: () => port.value.close() };
}

test('a lease of two to three seconds is a lifetime of one; shorter ones are none', () => {
  assert.deepEqual([1999, 2000, 2999, 3000, 4142].map(lifetimeSeconds), [undefined, 1, 1, 2, 3]);
});

test('renewed, the VIPs stand; frozen, they end within the lease, and are not revived; others stay', async () => {
  const { lease, raise, standing, close } = open();
  assert.equal(lease.acquire(1500)?.code, 'too-short');
  assert.equal(lease.acquire(2000), undefined);
  assert.deepEqual(raise(), [undefined, undefined, undefined]);
  for (let turn = 0; turn < 10; turn++) {
    await sleep(300);
    assert.equal(lease.extend(2000), 'alive', `turn ${turn}`);
  }
  assert.deepEqual(standing(), [VIP, VIP6, OTHER]);
  const stoppedAt = performance.now();
  while (standing().length > 1 && performance.now() - stoppedAt < 4000) await sleep(20);
  const endedMs = performance.now() - stoppedAt;
  assert.ok(endedMs > 900 && endedMs < 2000, `${endedMs} ms`);
  assert.deepEqual(standing(), [OTHER]);
  assert.equal(lease.extend(2000), 'dead');
  assert.deepEqual(standing(), [OTHER], 'nothing is raised by extending');
  assert.equal(lease.remainingMs(), undefined);
  close();
});

test('a claim is redeemed once and in time; what is lowered is not renewed', async () => {
  const { lease, rows, raise, standing, close } = open();
  assert.equal(lease.redeem(2000), 'dead', 'without a mark');
  lease.claim(50);
  await sleep(80);
  assert.equal(lease.redeem(2000), 'dead', 'too late');
  lease.claim(5000);
  assert.equal(lease.redeem(2000), 'alive');
  raise();
  const [row] = rows;
  assert.ok(row !== undefined);
  lease.addresses.apply([{ kind: 'delete-address', row }]);
  await sleep(250);
  assert.equal(lease.extend(2000), 'alive');
  assert.equal(standing().includes(VIP), false);
  lease.drop();
  assert.equal(lease.extend(2000), 'dead');
  close();
});
