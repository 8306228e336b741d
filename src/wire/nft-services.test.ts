import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ip, mac } from '../base/index.ts';
import type { DestinationRow, ServiceEntry, ServiceKey } from '../model/index.ts';
import type { ServerPlace } from './nft-direct.ts';
import {
  buildNftServices,
  isLeftBehind,
  leftServers,
  type NftGround,
  nftRefusal,
  nftRemoval,
  nftScript,
} from './nft-services.ts';

function place(last: number, device = 'eth0'): ServerPlace {
  const digits = String(last).padStart(2, '0');
  return { mac: mac(`02:00:00:00:00:${digits}`), device, ownMac: mac('02:00:00:00:00:11') };
}

const PLACES = new Map([
  [ip('10.77.0.21'), place(21)],
  [ip('10.77.0.22'), place(22)],
]);
const GROUND: NftGround = { places: PLACES, devices: ['eth0'] };
const KEY: ServiceKey = { kind: 'address', protocol: 'tcp', address: ip('10.77.0.100'), port: 80 };

function entry(
  weights: readonly number[],
  changes: Partial<ServiceEntry['service']> = {},
  method: DestinationRow['method'] = 'direct',
): ServiceEntry {
  const service = {
    key: KEY,
    scheduler: 'wrr',
    flags: [],
    persistentSeconds: 0,
    persistencePrefixLength: 32,
    ...changes,
  };
  const destinations = weights.map((weight, index) => ({
    address: ip(`10.77.0.2${index + 1}`),
    port: method === 'nat' ? 8080 : 80,
    method,
    weight,
    upperThreshold: 0,
    lowerThreshold: 0,
  }));
  return { service, destinations };
}

function rules(...table: readonly ServiceEntry[]): readonly string[] {
  return rulesOn(GROUND, ...table);
}

function rulesOn(ground: NftGround, ...table: readonly ServiceEntry[]): readonly string[] {
  return buildNftServices(table, ground).rules.map((rule) =>
    rule.replace(/^add rule (\w+) piranha-lvs /, '$1 '),
  );
}

test('direct: remembered connections first, then the slots of the weights', () => {
  const [r1, r2] = ['02:00:00:00:00:21', '02:00:00:00:00:22'];
  const both = `{ ${r1}, ${r2} }`;
  const name = 'tcp_10_77_0_100_80';
  const counters = (kind: string) =>
    `counter name ether daddr map { ${r1} : "${kind}_${name}__10_77_0_21_80", ${r2} : "${kind}_${name}__10_77_0_22_80" }`;
  assert.deepEqual(rules(entry([6, 2])), [
    `netdev s_${name} ether daddr set ip saddr . th sport map @c_${name}`,
    `netdev s_${name} ether daddr ${both} update @c_${name} { ip saddr . th sport : ether daddr }`,
    `netdev s_${name} ether daddr ${both} goto l_${name}`,
    `netdev s_${name} tcp flags rst drop`,
    `netdev s_${name} ether daddr != ${both} ether daddr set numgen inc mod 4 map { 0-2 : ${r1}, 3 : ${r2} }`,
    `netdev s_${name} delete @c_${name} { ip saddr . th sport : ether daddr }`,
    `netdev s_${name} add @c_${name} { ip saddr . th sport : ether daddr } goto n_${name}`,
    `netdev s_${name} ether daddr set jhash ip saddr . th sport mod 4 seed 0x1 map { 0-2 : ${r1}, 3 : ${r2} }`,
    `netdev s_${name} goto l_${name}`,
    `netdev n_${name} ${counters('new')}`,
    `netdev n_${name} goto l_${name}`,
    `netdev l_${name} ${counters('to')}`,
    `netdev l_${name} ether daddr ${both} ether saddr set 02:00:00:00:00:11 fwd to "eth0"`,
    `netdev in_eth0 ip daddr . tcp dport vmap { 10.77.0.100 . 80 : goto s_${name} }`,
    'netdev e_10_77_0_100 limit rate over 1000/second burst 1000 packets return',
    'netdev e_10_77_0_100 ether saddr set ether daddr',
    `netdev e_10_77_0_100 ether daddr set ${r1} dup to "eth0"`,
    `netdev e_10_77_0_100 ether daddr set ${r2} dup to "eth0"`,
    'netdev e_10_77_0_100 ether daddr set ether saddr',
    'netdev in_eth0 meta pkttype host icmp type { destination-unreachable, time-exceeded, parameter-problem } ip daddr vmap { 10.77.0.100 : jump e_10_77_0_100 }',
  ]);
});

test('a client that was kept for a server without a slot is forgotten before it is kept for another', () => {
  const found = rules(entry([1, 0], { persistentSeconds: 60 })).map((rule) =>
    rule.replace(/^netdev s_tcp_10_77_0_100_80 /, ''),
  );
  const map = '@p_tcp_10_77_0_100_80_60_32';
  const element = '{ ip saddr & 255.255.255.255 : ether daddr }';
  const at = found.indexOf(`ether daddr set ip saddr & 255.255.255.255 map ${map}`);
  assert.ok(at > 0);
  assert.deepEqual(found.slice(at + 1, at + 3), [
    `ether daddr != { 02:00:00:00:00:21 } delete ${map} ${element} ether daddr set 02:00:00:00:00:21`,
    `update ${map} ${element}`,
  ]);
});

test('the servers of all services of one VIP get copies of its errors, each server one', () => {
  const dns = { ...KEY, port: 53, protocol: 'udp' } as const;
  const found = rules(entry([1, 1]), entry([1], { key: dns }));
  assert.equal(found.filter((rule) => rule.includes('dup to')).length, 2);
  const six = { ...KEY, address: ip('fd77::100') } as const;
  const both = rules(entry([1]), entry([1], { key: six }));
  assert.ok(
    both.some((rule) =>
      rule.endsWith(
        'icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem } ip6 daddr vmap { fd77::100 : jump e_fd77__100 }',
      ),
    ),
  );
});

test('the partner is told of a connection by a copy, and what it tells is remembered before any gate', () => {
  const partner = {
    mac: mac('02:00:00:00:00:12'),
    device: 'eth0',
    ownMac: mac('02:00:00:00:00:11'),
  };
  const found = rulesOn({ ...GROUND, partner }, entry([1], { persistentSeconds: 60 }));
  const token = '02:50:0a:4d:00:15';
  const tell = `ether saddr set ether daddr map { 02:00:00:00:00:21 : ${token} } ether daddr set 02:00:00:00:00:12 dup to "eth0" ether daddr set ether saddr map { ${token} : 02:00:00:00:00:21 }`;
  const when = found
    .filter((rule) => rule.endsWith(tell))
    .map((rule) => rule.slice(0, -tell.length));
  assert.equal(when.length, 3);
  assert.match(when[0] ?? '', /tcp flags syn $/);
  assert.match(when[1] ?? '', /numgen random mod 64 0 $/);
  assert.match(when[2] ?? '', /n_tcp_10_77_0_100_80 $/, 'a new one');
  assert.deepEqual(
    found
      .filter((rule) => /^netdev (y|heard)_/.test(rule))
      .map((rule) => rule.replace(/^netdev /, '')),
    [
      ...[
        ['@c_tcp_10_77_0_100_80', 'ip saddr . th sport'],
        ['@p_tcp_10_77_0_100_80_60_32', 'ip saddr & 255.255.255.255'],
      ].flatMap(([map, known]) => [
        `y_tcp_10_77_0_100_80 ether saddr set ${known} map ${map}`,
        `y_tcp_10_77_0_100_80 ether saddr . ether daddr != { 02:00:00:00:00:21 . 02:00:00:00:00:21 } delete ${map} { ${known} : ether daddr }`,
        `y_tcp_10_77_0_100_80 update ${map} { ${known} : ether daddr }`,
      ]),
      'y_tcp_10_77_0_100_80 drop',
      `heard_eth0 ether saddr { ${token} } ether daddr set ether saddr map { ${token} : 02:00:00:00:00:21 } ip daddr . tcp dport vmap { 10.77.0.100 . 80 : goto y_tcp_10_77_0_100_80 }`,
    ],
  );
  const { objects } = buildNftServices([entry([1])], { ...GROUND, partner });
  assert.match(objects.find(({ name }) => name === 'heard_eth0')?.body ?? '', /priority -600/);
});

test('a quiesced server has no slot and keeps its connections', () => {
  const [, kept, , , chosen] = rules(entry([1, 0]));
  assert.match(kept ?? '', /ether daddr \{ 02:00:00:00:00:21, 02:00:00:00:00:22 \} update/);
  assert.match(chosen ?? '', /ether daddr set 02:00:00:00:00:21$/);
  const quiesced = rules(entry([0, 0]));
  assert.ok(!quiesced.some((rule) => rule.includes(' add @c_')), 'nobody takes new ones');
});

test('nat: a map of addresses and ports, counted behind the rewriting; one server needs none', () => {
  const [chosen, into, ...counts] = rules(entry([1, 1], {}, 'nat'));
  assert.equal(
    chosen,
    'inet s_tcp_10_77_0_100_80 meta l4proto tcp dnat ip to numgen inc mod 2 map { 0 : 10.77.0.21 . 8080, 1 : 10.77.0.22 . 8080 }',
  );
  assert.equal(
    into,
    'inet in ip daddr . tcp dport vmap { 10.77.0.100 . 80 : goto s_tcp_10_77_0_100_80 }',
  );
  assert.equal(counts.length, 3);
  assert.match(
    counts[2] ?? '',
    /^inet count ct direction reply counter name ct original ip daddr \. ip saddr \. th sport map \{ 10\.77\.0\.100 \. 10\.77\.0\.21 \. 8080 : "from_tcp_10_77_0_100_80__10_77_0_21_8080"/,
  );
  assert.match(rules(entry([1], {}, 'nat'))[0] ?? '', /dnat ip to 10\.77\.0\.21:8080$/);
});

test('nat: of one mark, a server with a port and one without have a chain each', () => {
  const key: ServiceKey = { kind: 'mark', mark: 5, family: 4 };
  const { service, destinations } = entry([1, 3], { key }, 'nat');
  const [ported, other] = destinations;
  assert.ok(ported !== undefined && other !== undefined);
  assert.deepEqual(rules({ service, destinations: [ported, { ...other, port: 0 }] }), [
    'inet s_mark_5 numgen inc mod 4 vmap { 0 : goto s_mark_5_0, 1-3 : goto s_mark_5_1 }',
    'inet s_mark_5_0 meta l4proto tcp dnat ip to 10.77.0.21:8080',
    'inet s_mark_5_0 meta l4proto udp dnat ip to 10.77.0.21:8080',
    'inet s_mark_5_1 meta l4proto tcp dnat ip to 10.77.0.22',
    'inet s_mark_5_1 meta l4proto udp dnat ip to 10.77.0.22',
    'inet in meta mark 5 meta nfproto ipv4 goto s_mark_5',
  ]);
});

test('nat: a UDP conversation is left behind when no row of the next table would have sent it to its server', () => {
  const udp = { ...KEY, protocol: 'udp', port: 53 } as const;
  const every = { ...udp, port: 0 };
  const marked: ServiceKey = { kind: 'mark', mark: 5, family: 4 };
  const flow = (server: string, port: number, asked = 53) => ({
    asked: { address: KEY.address, port: asked },
    server: { address: ip(server), port },
    name: new Uint8Array(0),
  });
  const [two, one, quiesced] = [[1, 1], [1], [1, 0]].map((weights) =>
    entry(weights, { key: udp }, 'nat'),
  );
  assert.ok(two !== undefined && one !== undefined && quiesced !== undefined);
  const gone = flow('10.77.0.22', 8080);
  assert.deepEqual(leftServers([two], [one]), ['10.77.0.22']);
  assert.deepEqual(leftServers([two], []), ['10.77.0.21', '10.77.0.22']);
  assert.deepEqual(leftServers([one], [two]), []);
  assert.deepEqual(leftServers([two], [quiesced]), []);
  assert.ok(isLeftBehind(gone, [two], [one]));
  assert.ok(!isLeftBehind(gone, [two], [quiesced]));
  for (const other of [
    flow('10.77.0.21', 8080),
    flow('10.77.0.22', 53),
    flow('10.77.0.22', 8080, 54),
  ])
    assert.ok(!isLeftBehind(other, [two], [one]));
  // Another service that would still send it there keeps it, whichever of the two it came by.
  for (const key of [every, marked]) {
    const wide = entry([1, 1], { key }, 'nat');
    assert.ok(!isLeftBehind(gone, [two, wide], [one, wide]));
    assert.ok(isLeftBehind(gone, [wide], [one]));
  }
  // TCP ends by itself, and what is routed directly is not tracked.
  assert.deepEqual(leftServers([entry([1, 1], {}, 'nat')], []), []);
  assert.deepEqual(leftServers([entry([1, 1], { key: udp })], []), []);
});

test('sh hashes the client, dh the service; rr does not look at weights', () => {
  assert.match(
    rules(entry([3, 1], { scheduler: 'sh' }, 'nat'))[0] ?? '',
    /jhash ip saddr mod 4 seed 0x1/,
  );
  assert.match(rules(entry([3, 1], { scheduler: 'dh' }, 'nat'))[0] ?? '', /jhash ip daddr mod 4/);
  assert.match(rules(entry([3, 1], { scheduler: 'rr' }, 'nat'))[0] ?? '', /numgen inc mod 2 /);
});

test('a service without servers, and a server that nobody has seen, make no rule', () => {
  assert.deepEqual(rules(entry([])), []);
  const unseen = entry([1]);
  assert.deepEqual(buildNftServices([unseen], { ...GROUND, places: new Map() }).rules, []);
});

test('a script is one transaction: declared, flushed, what is stale deleted, written', () => {
  const built = buildNftServices([entry([1])], GROUND);
  const old = { family: 'netdev', kind: 'chain', name: 's_old', body: '' } as const;
  const lines = nftScript(built, [old]).split('\n');
  const at = (text: string) => {
    const index = lines.findIndex((line) => line.includes(text));
    assert.ok(index >= 0, text);
    return index;
  };
  assert.ok(at('add chain netdev piranha-lvs s_old') < at('flush table netdev'));
  assert.ok(at('flush table netdev') < at('delete chain netdev piranha-lvs s_old'));
  assert.ok(at('delete chain') < at('add rule netdev'));
  assert.equal(nftRemoval().split('\n').length, 5);
});

test('what nftables cannot do has a sentence', () => {
  const fine = {
    scheduler: 'wrr',
    method: 'nat',
    isMarked: false,
    hasPersistenceMask: false,
  } as const;
  assert.equal(nftRefusal(fine), undefined);
  assert.match(nftRefusal({ ...fine, scheduler: 'wlc' })?.text ?? '', /no scheduler wlc/);
  assert.match(nftRefusal({ ...fine, method: 'tunnel' })?.text ?? '', /no tunnels/);
  assert.match(
    nftRefusal({ ...fine, method: 'direct', isMarked: true })?.text ?? '',
    /before marks are set/,
  );
  assert.match(nftRefusal({ ...fine, hasPersistenceMask: true })?.text ?? '', /leave pmask out/);
});
