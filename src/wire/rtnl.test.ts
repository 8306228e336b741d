import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fromHex, ip, ipFromBytes, mac, toHex } from '../base/index.ts';
import { decodeMessage, encodeMessage, NETLINK_FAULTS } from './netlink.ts';
import {
  encodeAddressAdd,
  encodeAddressDelete,
  encodeAddressDump,
  encodeLinkDump,
  encodeNeighbourAdd,
  encodeNeighbourDelete,
  encodeNeighbourDump,
  encodeRouteDump,
  encodeRouteGet,
} from './rtnl.ts';
import { decodeRtnl } from './rtnl-answers.ts';

/** A VIP with alias and netmask, as the dump of Linux 6.18 shows it. */
const ADDRESS =
  '58 00 00 00 14 00 22 00 07 00 00 00 ec 1f 00 00 ' + // RTM_NEWADDR, multi and filtered
  '02 18 80 00 03 00 00 00 ' + // IPv4, /24, permanent, universe, interface 3
  '08 00 01 00 c6 33 64 64 08 00 02 00 c6 33 64 64 ' + // address and local 198.51.100.100
  '08 00 04 00 c6 33 64 ff ' + // broadcast 198.51.100.255
  '0b 00 03 00 65 74 68 30 3a 31 00 00 ' + // label eth0:1
  '08 00 08 00 80 00 00 00 ' + // flags: permanent
  '14 00 06 00 ff ff ff ff ff ff ff ff 3e c8 01 00 3e c8 01 00'; // for ever
const ADDRESS6 =
  '48 00 00 00 14 00 22 00 07 00 00 00 ec 1f 00 00 0a 40 82 00 03 00 00 00 ' +
  '14 00 01 00 fd 77 00 00 00 00 00 00 00 00 00 00 00 00 01 00 ' + // no IFA_LOCAL
  '14 00 06 00 ff ff ff ff ff ff ff ff 7a c8 01 00 7a c8 01 00 ' +
  '08 00 08 00 82 00 00 00'; // permanent, nodad
/** One end of a veth pair, up and with carrier; shortened (the kernel tells much more). */
const LINK =
  '34 00 00 00 10 00 02 00 07 00 00 00 ec 1f 00 00 ' + // RTM_NEWLINK
  '00 00 01 00 03 00 00 00 43 10 01 00 00 00 00 00 ' + // Ethernet, 3, up|broadcast|running|multicast|lower up
  '09 00 03 00 65 74 68 30 00 00 00 00 ' + // eth0
  '0a 00 01 00 02 00 00 00'; // 02:00:00:00:00:11, completed below
const LINK_END = ' 00 11 00 00';
const LOOPBACK =
  '38 00 00 00 10 00 02 00 07 00 00 00 ec 1f 00 00 ' +
  '00 00 04 03 01 00 00 00 49 00 01 00 00 00 00 00 ' + // ARPHRD_LOOPBACK
  '07 00 03 00 6c 6f 00 00 0a 00 01 00 00 00 00 00 00 00 00 00 04 00 3e 80';
const NEIGHBOUR =
  '4c 00 00 00 1c 00 02 00 07 00 00 00 ec 1f 00 00 ' +
  '02 00 00 00 03 00 00 00 80 00 00 01 ' + // IPv4, interface 3, permanent, unicast
  '08 00 01 00 c6 33 64 0c 0a 00 02 00 02 00 00 00 00 12 00 00 ' +
  '08 00 04 00 00 00 00 00 14 00 03 00 14 00 00 00 14 00 00 00 14 00 00 00 00 00 00 00';
/** The way to a neighbour: no gateway, leaves from the VIP. */
const ROUTE =
  '68 00 00 00 18 00 00 00 07 00 00 00 ec 1f 00 00 ' +
  '02 20 00 00 fe 00 00 01 00 02 00 00 ' + // IPv4, /32, table 254, unicast, cloned
  '08 00 0f 00 fe 00 00 00 08 00 01 00 c6 33 64 4d 08 00 04 00 03 00 00 00 ' +
  '08 00 07 00 c6 33 64 64 08 00 19 00 00 00 00 00 ' +
  '24 00 0c 00 02 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00';

const VIP = {
  interfaceIndex: 3,
  address: ip('198.51.100.100'),
  prefixLength: 24,
  broadcast: ip('198.51.100.255'),
  label: 'eth0:1',
};
const read = (hex: string) => {
  const notice = decodeRtnl(fromHex(hex));
  assert.ok(notice.ok, JSON.stringify(notice));
  return notice.value;
};

test('captured addresses of both families are read', () => {
  assert.deepEqual(read(ADDRESS), {
    kind: 'address',
    isGone: false,
    address: { ...VIP, flags: 128 },
  });
  assert.deepEqual(read(ADDRESS6), {
    kind: 'address',
    isGone: false,
    address: { interfaceIndex: 3, address: ip('fd77::100'), prefixLength: 64, flags: 0x82 },
  });
});

test('captured links are read; loopback has no link-layer address', () => {
  assert.deepEqual(read(LINK.replace('34 00', '38 00') + LINK_END), {
    kind: 'link',
    isGone: false,
    link: { index: 3, name: 'eth0', mac: mac('02:00:00:00:00:11'), isUp: true, hasCarrier: true },
  });
  assert.deepEqual(read(LOOPBACK), {
    kind: 'link',
    isGone: false,
    link: { index: 1, name: 'lo', isUp: true, hasCarrier: true },
  });
});

test('a captured neighbour and a captured route are read', () => {
  assert.deepEqual(read(NEIGHBOUR), {
    kind: 'neighbour',
    isGone: false,
    neighbour: {
      interfaceIndex: 3,
      address: ip('198.51.100.12'),
      state: 'permanent',
      mac: mac('02:00:00:00:00:12'),
    },
  });
  assert.deepEqual(read(ROUTE), {
    kind: 'route',
    isGone: false,
    route: {
      family: 4,
      table: 254,
      destination: ip('198.51.100.77'),
      prefixLength: 32,
      source: ip('198.51.100.100'),
      metric: 0,
      hops: [{ interfaceIndex: 3 }],
    },
  });
});

test('a default route with two gateways, one of them IPv6, has two hops', () => {
  // Captured: ip route add default metric 100 nexthop via 10.77.0.254 nexthop via inet6 fe80::1 weight 2
  const notice = decodeRtnl(
    fromHex(`
      60 00 00 00 18 00 22 00 07 00 00 00 49 4d 00 00
      02 00 00 00 fe 03 00 01 00 00 00 00
      08 00 0f 00 fe 00 00 00 08 00 06 00 64 00 00 00
      34 00 09 00
      10 00 00 00 03 00 00 00 08 00 05 00 0a 4d 00 fe
      20 00 00 01 05 00 00 00 16 00 12 00 0a 00 fe 80 00 00 00 00 00 00 00 00 00 00 00 00 00 01 00 00`),
  );
  assert.ok(notice.ok && notice.value.kind === 'route');
  assert.equal(notice.value.route.destination, undefined);
  assert.equal(notice.value.route.metric, 100);
  assert.deepEqual(notice.value.route.hops, [
    { interfaceIndex: 3, gateway: ip('10.77.0.254') },
    { interfaceIndex: 5, gateway: ip('fe80::1') },
  ]);
});

test('a deletion is told from what came', () => {
  for (const hex of [ADDRESS, NEIGHBOUR, ROUTE, LOOPBACK]) {
    const bytes = fromHex(hex);
    bytes.set([(bytes[4] ?? 0) + 1], 4);
    const notice = decodeRtnl(bytes);
    assert.ok(notice.ok && notice.value.isGone);
  }
});

test('orders are byte for byte what Linux 6.18 accepted', () => {
  const sent = (message: Uint8Array) => {
    const decoded = decodeMessage(message);
    assert.ok(decoded.ok);
    return toHex(encodeMessage({ ...decoded.value, sequence: 7 }));
  };
  assert.equal(
    sent(encodeAddressAdd(VIP)),
    '3c 00 00 00 14 00 05 06 07 00 00 00 00 00 00 00 02 18 00 00 03 00 00 00 ' +
      '08 00 02 00 c6 33 64 64 08 00 01 00 c6 33 64 64 08 00 04 00 c6 33 64 ff ' +
      '0b 00 03 00 65 74 68 30 3a 31 00 00',
  );
  assert.equal(
    sent(
      encodeNeighbourAdd({ ...VIP, address: ip('198.51.100.12'), mac: mac('02:00:00:00:00:12') }),
    ),
    '30 00 00 00 1c 00 05 05 07 00 00 00 00 00 00 00 02 00 00 00 03 00 00 00 80 00 00 00 ' +
      '08 00 01 00 c6 33 64 0c 0a 00 02 00 02 00 00 00 00 12 00 00',
  );
  assert.equal(
    sent(encodeRouteGet(ip('198.51.100.77'))),
    '24 00 00 00 1a 00 01 00 07 00 00 00 00 00 00 00 02 20 00 00 00 00 00 00 00 00 00 00 ' +
      '08 00 01 00 c6 33 64 4d',
  );
  assert.equal(
    sent(encodeNeighbourDump(4)),
    '1c 00 00 00 1e 00 01 03 07 00 00 00 00 00 00 00 02 00 00 00 00 00 00 00 00 00 00 00',
  );
  assert.equal(
    sent(encodeAddressDump()),
    '18 00 00 00 16 00 01 03 07 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00',
  );
  assert.equal(
    sent(encodeLinkDump()),
    '28 00 00 00 12 00 01 03 07 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 ' +
      '00 00 00 00 08 00 1d 00 08 00 00 00',
  );
  assert.equal(
    sent(encodeRouteDump(6)),
    '1c 00 00 00 1a 00 01 03 07 00 00 00 00 00 00 00 0a 00 00 00 00 00 00 00 00 00 00 00',
  );
});

test('an IPv6 address is raised without duplicate detection, and renewed with its lifetime', () => {
  const row = { interfaceIndex: 3, address: ip('fd77::100'), prefixLength: 64 };
  const bytes = encodeAddressAdd(row, { validSeconds: 7, preferredSeconds: 5 });
  const message = decodeMessage(bytes);
  assert.ok(message.ok && message.value.flags === 0x505, 'create and replace, not exclusive');
  const notice = decodeRtnl(bytes);
  assert.deepEqual(notice, {
    ok: true,
    value: {
      kind: 'address',
      isGone: false,
      address: { ...row, flags: 2, lifetime: { validSeconds: 7, preferredSeconds: 5 } },
    },
  });
});

test('an IPv6 address is deprecated from the start: nothing of ours may leave from a VIP unasked', () => {
  const row = { interfaceIndex: 3, address: ip('fd77::100'), prefixLength: 128 };
  const bytes = encodeAddressAdd(row);
  const message = decodeMessage(bytes);
  assert.ok(message.ok && message.value.flags === 0x605, 'create, exclusive');
  // IFA_CACHEINFO: preferred for 0 s, valid for ever.
  assert.match(toHex(bytes), /14 00 06 00 00 00 00 00 ff ff ff ff /);
});

test('what is deleted is what was raised', () => {
  const gone = decodeRtnl(encodeAddressDelete(VIP));
  assert.deepEqual(gone, {
    ok: true,
    value: { kind: 'address', isGone: true, address: { ...VIP, flags: 0 } },
  });
  const neighbour = decodeRtnl(encodeNeighbourDelete({ ...VIP, address: ip('fd77::2') }));
  assert.ok(neighbour.ok && neighbour.value.isGone && neighbour.value.kind === 'neighbour');
  assert.equal(neighbour.value.neighbour.address, ip('fd77::2'));
});

test('bad messages are refused with the reason', () => {
  const wrap = (type: number, payload: string) =>
    encodeMessage({ type, flags: 0, payload: fromHex(payload) });
  const link = '00 00 01 00 03 00 00 00 43 10 01 00 00 00 00 00';
  const address = '02 18 80 00 03 00 00 00';
  const neighbour = '02 00 00 00 03 00 00 00 80 00 00 01';
  const route = '02 00 00 00 fe 00 00 01 00 02 00 00';
  const bad = [
    [fromHex('10 00 00 00 10'), 'truncated-header'],
    [wrap(36, ''), 'wrong-type'], // a queueing discipline
    [wrap(16, link.slice(0, 45)), 'truncated-payload'],
    [wrap(16, link), 'missing-attribute'], // a link without a name
    [wrap(16, `${link} 40 00 03 00`), 'bad-attribute-length'],
    [wrap(20, address.slice(0, 21)), 'truncated-payload'],
    [wrap(20, address), 'missing-attribute'], // an address without one
    [wrap(20, `${address} 05 00 02 00 c6 00 00 00`), 'bad-attribute-value'], // of one byte
    [wrap(20, `${address} 08 00 02 00 c6 33 64 64 06 00 08 00 01 00`), 'bad-attribute-value'],
    [wrap(20, `${address} 08 00 02 00 c6 33 64 64 06 00 06 00 01 00`), 'bad-attribute-value'],
    [wrap(28, neighbour.slice(0, 33)), 'truncated-payload'],
    [wrap(28, neighbour), 'missing-attribute'],
    [wrap(28, `${neighbour} 06 00 01 00 c6 33`), 'bad-attribute-value'],
    [wrap(24, route.slice(0, 33)), 'truncated-payload'],
    [wrap(24, route.replace('02', '07')), 'wrong-type'], // of a bridge
    [wrap(24, `${route} 08 00 09 00 00 00 00 00`), 'bad-attribute-length'], // a hop of length 0
    [wrap(24, `${route} 0c 00 09 00 40 00 00 00 03 00 00 00`), 'bad-attribute-length'],
    [wrap(24, `${route} 08 00 04 00 03 00 00 00 06 00 05 00 c6 33`), 'bad-attribute-value'],
  ] as const;
  for (const [bytes, error] of bad) {
    assert.deepEqual(decodeRtnl(bytes), { ok: false, error }, toHex(bytes));
  }
});

test('any address comes back as it was, and no bytes make the decoder throw', () => {
  const address = fc
    .oneof(
      fc.uint8Array({ minLength: 4, maxLength: 4 }),
      fc.uint8Array({ minLength: 16, maxLength: 16 }),
    )
    .map((bytes) => ipFromBytes(bytes) ?? VIP.address);
  const label = fc.stringMatching(/^[a-z0-9:.]{1,15}$/);
  const word = fc.integer({ min: 0, max: 0x7fffffff });
  fc.assert(
    fc.property(
      address,
      fc.integer({ min: 0, max: 128 }),
      label,
      word,
      (a, prefixLength, l, index) => {
        const row = { interfaceIndex: index, address: a, prefixLength, broadcast: a, label: l };
        const notice = decodeRtnl(encodeAddressAdd(row));
        assert.ok(notice.ok && notice.value.kind === 'address');
        const { flags, ...rest } = notice.value.address;
        assert.deepEqual(rest, row);
      },
    ),
    { numRuns: 100 },
  );
  fc.assert(
    fc.property(
      fc.integer({ min: 16, max: 31 }),
      fc.uint8Array({ maxLength: 100 }),
      (type, payload) => {
        const notice = decodeRtnl(encodeMessage({ type, flags: 0, payload }));
        if (!notice.ok) assert.ok(NETLINK_FAULTS.includes(notice.error));
      },
    ),
    { numRuns: 300 },
  );
});
