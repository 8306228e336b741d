import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ip, mac } from '../base/index.ts';
import type { DestinationRow, ServiceEntry, ServiceKey } from '../model/index.ts';
import {
  buildNftServices,
  nftRefusal,
  nftRemoval,
  nftScript,
  type ServerPlace,
} from './nft-services.ts';

function place(last: number, device = 'eth0'): ServerPlace {
  const digits = String(last).padStart(2, '0');
  return { mac: mac(`02:00:00:00:00:${digits}`), device, ownMac: mac('02:00:00:00:00:11') };
}

const PLACES = new Map([
  [ip('10.77.0.21'), place(21)],
  [ip('10.77.0.22'), place(22)],
]);
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
  return buildNftServices(table, PLACES, ['eth0']).rules.map((rule) =>
    rule.replace(/^add rule (\w+) piranha-lvs /, '$1 '),
  );
}

test('direct: remembered connections first, then the slots of the weights', () => {
  const both = '{ 02:00:00:00:00:21, 02:00:00:00:00:22 }';
  const leave = `netdev s_tcp_10_77_0_100_80 ether daddr ${both} ether saddr set 02:00:00:00:00:11 fwd to "eth0"`;
  assert.deepEqual(rules(entry([6, 2])), [
    'netdev s_tcp_10_77_0_100_80 ether daddr set ip saddr . th sport map @c_tcp_10_77_0_100_80',
    `netdev s_tcp_10_77_0_100_80 ether daddr ${both} update @c_tcp_10_77_0_100_80 { ip saddr . th sport : ether daddr }`,
    leave,
    `netdev s_tcp_10_77_0_100_80 ether daddr != ${both} ether daddr set numgen inc mod 4 map { 0-2 : 02:00:00:00:00:21, 3 : 02:00:00:00:00:22 }`,
    'netdev s_tcp_10_77_0_100_80 add @c_tcp_10_77_0_100_80 { ip saddr . th sport : ether daddr }',
    leave,
    'netdev in ip daddr . tcp dport vmap { 10.77.0.100 . 80 : goto s_tcp_10_77_0_100_80 }',
  ]);
});

test('a quiesced server has no slot and keeps its connections', () => {
  const [, kept, , chosen] = rules(entry([1, 0]));
  assert.match(kept ?? '', /ether daddr \{ 02:00:00:00:00:21, 02:00:00:00:00:22 \} update/);
  assert.match(chosen ?? '', /ether daddr set 02:00:00:00:00:21$/);
  const quiesced = rules(entry([0, 0]));
  assert.ok(!quiesced.some((rule) => rule.includes(' add @c_')), 'nobody takes new ones');
});

test('nat: a map of addresses and ports; one server needs none', () => {
  assert.deepEqual(rules(entry([1, 1], {}, 'nat')), [
    'inet s_tcp_10_77_0_100_80 meta l4proto tcp dnat ip to numgen inc mod 2 map { 0 : 10.77.0.21 . 8080, 1 : 10.77.0.22 . 8080 }',
    'inet in ip daddr . tcp dport vmap { 10.77.0.100 . 80 : goto s_tcp_10_77_0_100_80 }',
  ]);
  assert.match(rules(entry([1], {}, 'nat'))[0] ?? '', /dnat ip to 10\.77\.0\.21:8080$/);
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
  assert.deepEqual(buildNftServices([unseen], new Map(), ['eth0']).rules, []);
});

test('a script is one transaction: declared, flushed, what is stale deleted, written, signed', () => {
  const built = buildNftServices([entry([1])], PLACES, ['eth0']);
  const old = { family: 'netdev', kind: 'chain', name: 's_old', body: '' } as const;
  const lines = nftScript(built, [old], 'd1').split('\n');
  const at = (text: string) => {
    const index = lines.findIndex((line) => line.includes(text));
    assert.ok(index >= 0, text);
    return index;
  };
  assert.ok(at('add chain netdev piranha-lvs s_old') < at('flush table netdev'));
  assert.ok(at('flush table netdev') < at('delete chain netdev piranha-lvs s_old'));
  assert.ok(at('delete chain') < at('add rule netdev'));
  assert.equal(lines.filter((line) => line.includes('comment "d1"')).length, 2);
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
  assert.match(nftRefusal({ ...fine, scheduler: 'wlc' }) ?? '', /no scheduler wlc/);
  assert.match(nftRefusal({ ...fine, method: 'tunnel' }) ?? '', /no tunnels/);
  assert.match(
    nftRefusal({ ...fine, method: 'direct', isMarked: true }) ?? '',
    /before marks are set/,
  );
  assert.match(nftRefusal({ ...fine, hasPersistenceMask: true }) ?? '', /leave pmask out/);
});
