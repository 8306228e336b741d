import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type IpAddress, ip } from '../base/index.ts';
import type { AddressRow, KernelAddresses, Vip } from '../model/index.ts';
import { type AddressPlan, planAddresses } from './address-plan.ts';

const LINKS = [
  { index: 1, name: 'lo', isUp: true, hasCarrier: true },
  { index: 2, name: 'eth0', isUp: true, hasCarrier: true },
  { index: 3, name: 'eth1', isUp: true, hasCarrier: true },
];
const origin = { file: 'lvs.cf', line: 1, column: 1 };
const vip: Vip = {
  address: ip('198.51.100.100'),
  prefixLength: 24,
  broadcast: ip('198.51.100.255'),
  device: 'eth0',
  label: 'eth0:1',
  origin,
};
const vip6: Vip = { address: ip('fd77::100'), prefixLength: 64, device: 'eth0', origin };
const row: AddressRow = {
  interfaceIndex: 2,
  address: vip.address,
  prefixLength: 24,
  broadcast: ip('198.51.100.255'),
  label: 'eth0:1',
};
const row6: AddressRow = { interfaceIndex: 2, address: vip6.address, prefixLength: 64 };
/** The node's own address, and one of somebody else. */
const own: AddressRow = { ...row, address: ip('198.51.100.11'), label: 'eth0' };
const foreign: AddressRow = { ...row, address: ip('203.0.113.9'), label: 'eth0:9' };

const kernel = (...rows: readonly AddressRow[]): KernelAddresses => ({ links: LINKS, rows });
const active = (vips: readonly Vip[], observed: KernelAddresses) =>
  planAddresses({ vips, role: 'active' }, observed);
const standby = (vips: readonly Vip[], observed: KernelAddresses) =>
  planAddresses({ vips, role: 'standby' }, observed);
/** `+198.51.100.100/24 2 eth0:1` */
const told = (plan: AddressPlan) =>
  plan.operations.map(({ kind, row: { address, prefixLength, interfaceIndex, label } }) =>
    `${kind === 'add-address' ? '+' : '-'}${address}/${prefixLength} ${interfaceIndex} ${label ?? ''}`.trim(),
  );

test('an active node raises what is absent, with alias, netmask and broadcast as Piranha', () => {
  assert.deepEqual(active([vip, vip6], kernel(own)), {
    operations: [
      { kind: 'add-address', row },
      { kind: 'add-address', row: row6 },
    ],
    missing: [],
  });
});

test('a VIP without alias and netmask is a host address under the name of its device', () => {
  const bare: Vip = { address: vip.address, prefixLength: 32, device: 'eth0', origin };
  assert.deepEqual(told(active([bare], kernel())), ['+198.51.100.100/32 2 eth0']);
  const standing = { ...row, prefixLength: 32, label: 'eth0' };
  assert.deepEqual(told(active([bare], kernel(standing))), []);
});

test('nothing is written when the kernel holds the wish', () => {
  assert.deepEqual(told(active([vip, vip6], kernel(own, row, row6))), []);
  assert.deepEqual(told(standby([vip, vip6], kernel(own, foreign))), []);
});

test('addresses raised by an earlier life are kept while active and removed on standby', () => {
  const adopted = { ...row };
  assert.deepEqual(told(active([vip], kernel(own, adopted))), []);
  assert.deepEqual(told(standby([vip], kernel(own, adopted))), ['-198.51.100.100/24 2 eth0:1']);
});

test('on standby a floating address is removed wherever it stands', () => {
  const elsewhere = { ...row, interfaceIndex: 3, prefixLength: 32, label: 'eth1' };
  const onLoopback = { ...row6, interfaceIndex: 1, prefixLength: 128 };
  assert.deepEqual(told(standby([vip, vip6], kernel(own, elsewhere, onLoopback))), [
    '-fd77::100/128 1',
    '-198.51.100.100/32 3 eth1',
  ]);
});

test('a VIP on the wrong device or with the wrong prefix is added rightly before it is deleted', () => {
  const wrongDevice = { ...row, interfaceIndex: 3, label: 'eth1:1' };
  assert.deepEqual(told(active([vip], kernel(wrongDevice))), [
    '+198.51.100.100/24 2 eth0:1',
    '-198.51.100.100/24 3 eth1:1',
  ]);
  const wrongPrefix = { ...row, prefixLength: 32 };
  assert.deepEqual(told(active([vip], kernel(wrongPrefix))), [
    '+198.51.100.100/24 2 eth0:1',
    '-198.51.100.100/32 2 eth0:1',
  ]);
});

test('what the kernel takes for the same row is deleted before it is added anew', () => {
  const wrongLabel = { ...row, label: 'eth0:2' };
  assert.deepEqual(told(active([vip], kernel(wrongLabel))), [
    '-198.51.100.100/24 2 eth0:2',
    '+198.51.100.100/24 2 eth0:1',
  ]);
  const wrongPrefix6 = { ...row6, prefixLength: 128 };
  assert.deepEqual(told(active([vip6], kernel(wrongPrefix6))), [
    '-fd77::100/128 2',
    '+fd77::100/64 2',
  ]);
});

test('a right row beside a wrong one is kept, the wrong one goes', () => {
  const spare = { ...row, interfaceIndex: 3, label: 'eth1:1' };
  assert.deepEqual(told(active([vip], kernel(row, spare))), ['-198.51.100.100/24 3 eth1:1']);
});

test('a device that does not exist is reported, and a VIP standing elsewhere is removed', () => {
  const lost = { ...vip, device: 'eth7' };
  assert.deepEqual(active([lost, vip6], kernel(row)), {
    operations: [
      { kind: 'add-address', row: row6 },
      { kind: 'delete-address', row },
    ],
    missing: [{ vip: lost, reason: 'no-such-device' }],
  });
  assert.deepEqual(standby([lost], kernel()).missing, [], 'nothing is missed on standby');
});

test('an address of earlier settings is removed in either role, unless it still is a VIP', () => {
  const former = [{ ...vip, device: 'eth1' }, vip6];
  for (const role of ['active', 'standby'] as const) {
    const plan = planAddresses({ vips: [], role, former }, kernel(own, row, row6));
    assert.deepEqual(told(plan), ['-fd77::100/64 2', '-198.51.100.100/24 2 eth0:1']);
  }
  const plan = planAddresses({ vips: [vip], role: 'active', former }, kernel(own, row, row6));
  assert.deepEqual(told(plan), ['-fd77::100/64 2']);
});

test('of two settings for one address the first decides', () => {
  const second = { ...vip, device: 'eth1', label: 'eth1:1' };
  assert.deepEqual(told(active([vip, second], kernel())), ['+198.51.100.100/24 2 eth0:1']);
});

test('a row that a deleted primary address would carry away is written once more', () => {
  // The VIP was there first (adopted, then the network was restarted): our own address is its secondary.
  assert.deepEqual(told(standby([vip], kernel(row, own, foreign))), [
    '-198.51.100.100/24 2 eth0:1',
    '+198.51.100.11/24 2 eth0',
  ]);
  assert.deepEqual(told(standby([vip], kernel(own, row, foreign))), [
    '-198.51.100.100/24 2 eth0:1',
  ]);
});

test('several VIPs of one subnet are deleted last to first, so that each is deleted by us', () => {
  const other = { ...vip, address: ip('198.51.100.101') };
  const otherRow = { ...row, address: other.address };
  assert.deepEqual(told(standby([vip, other], kernel(row, otherRow))), [
    '-198.51.100.101/24 2 eth0:1',
    '-198.51.100.100/24 2 eth0:1',
  ]);
});

/** A kernel in a few lines, with the trap of secondaries: EEXIST and EADDRNOTAVAIL are no errors. */
function applied(plan: AddressPlan, before: readonly AddressRow[]): readonly AddressRow[] {
  let rows = before;
  const network = (r: AddressRow) => `${r.interfaceIndex} ${r.address.split('.').slice(0, 3)}`;
  const isSame = (a: AddressRow, b: AddressRow) =>
    a.address === b.address &&
    a.interfaceIndex === b.interfaceIndex &&
    (a.address.includes(':') || a.prefixLength === b.prefixLength);
  for (const { kind, row: written } of plan.operations) {
    const there = rows.find((candidate) => isSame(candidate, written));
    if (kind === 'add-address') {
      if (there === undefined) rows = [...rows, written];
      continue;
    }
    if (there === undefined) continue;
    const group = rows.filter(
      (r) => network(r) === network(there) && r.prefixLength === there.prefixLength,
    );
    const isPrimary =
      group[0] === there && !there.address.includes(':') && there.prefixLength === 24;
    rows = rows.filter((r) => r !== there && !(isPrimary && group.includes(r)));
  }
  return rows;
}

test('from any rows one plan reaches the wish, keeps every foreign row, and a second plan is empty', () => {
  const addresses = [
    '198.51.100.100',
    '198.51.100.101',
    '203.0.113.1',
    'fd77::100',
    '198.51.100.11',
  ];
  const anyRow = fc
    .record({
      interfaceIndex: fc.constantFrom(1, 2, 3),
      address: fc.constantFrom(...addresses).map(ip),
      isHost: fc.boolean(),
      label: fc.constantFrom('eth0', 'eth0:1', 'eth1'),
    })
    .map(({ interfaceIndex, address, isHost, label }): AddressRow => {
      if (address.includes(':'))
        return { interfaceIndex, address, prefixLength: isHost ? 128 : 64 };
      return { interfaceIndex, address, prefixLength: isHost ? 32 : 24, label };
    });
  const rows = fc.uniqueArray(anyRow, {
    maxLength: 8,
    selector: (r) =>
      `${r.interfaceIndex} ${r.address} ${r.address.includes(':') ? '' : r.prefixLength}`,
  });
  const vips: readonly Vip[] = [
    vip,
    { ...vip, address: ip('198.51.100.101'), device: 'eth1', label: 'eth1:1' },
    { address: ip('203.0.113.1'), prefixLength: 32, device: 'eth1', origin },
    vip6,
  ];
  const floating = new Set<IpAddress>(vips.map(({ address }) => address));
  fc.assert(
    fc.property(rows, fc.constantFrom('active', 'standby'), (before, role) => {
      const plan = planAddresses({ vips, role }, kernel(...before));
      const after = applied(plan, before);
      const key = (r: AddressRow) =>
        JSON.stringify([r.interfaceIndex, r.address, r.prefixLength, r.label]);
      const strangers = (all: readonly AddressRow[]) =>
        all
          .filter((r) => !floating.has(r.address))
          .map(key)
          .sort();
      assert.deepEqual(strangers(after), strangers(before));
      assert.equal(after.length - strangers(after).length, role === 'active' ? vips.length : 0);
      assert.deepEqual(told(planAddresses({ vips, role }, kernel(...after))), []);
    }),
    { numRuns: 500 },
  );
});

test('ten thousand addresses are planned in well under a second', () => {
  const many = Array.from({ length: 10_000 }, (_, index) => ({
    ...vip,
    address: ip(`10.1.${index >> 8}.${index & 255}`),
  }));
  const started = performance.now();
  const plan = active(many, kernel(own));
  const standing = plan.operations.map((operation) => operation.row);
  assert.equal(standing.length, 10_000);
  assert.equal(standby(many, kernel(own, ...standing)).operations.length, 10_000);
  assert.ok(performance.now() - started < 1000);
});
