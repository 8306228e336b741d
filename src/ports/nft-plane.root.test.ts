/** The nftables plane with real packets: a client, a director, two real servers on one veth segment. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, test } from 'node:test';
import { ip as address } from '../base/index.ts';
import type { DestinationRow, ServiceEntry, TableOperation } from '../model/index.ts';
import { enterNamespace, ip } from './enter-namespace.ts';
import { type NftPlane, openNftPlane } from './nft-plane.ts';
import { ProcessSpawner } from './spawner.ts';
import type { ObservedService } from './types.ts';

const here = enterNamespace();
const VIP = '10.77.0.100';
const VIP6 = 'fd77::100';
const hosts = { cl: 2, r1: 21, r2: 22 };
const name = (host: string) => `${here}-${host}`;
const children: ReturnType<typeof spawn>[] = [];
const spawner = new ProcessSpawner();
const directory = mkdtempSync(join(tmpdir(), 'pirs-nft-'));

function at(host: string, ...words: readonly string[]): string {
  const { stdout, stderr, status } = spawnSync('ip', ['netns', 'exec', name(host), ...words], {
    encoding: 'utf8',
    timeout: 20_000,
  });
  assert.equal(status, 0, `${host} ${words.join(' ')}: ${stderr}`);
  return stdout;
}

ip('link', 'add', 'eth0', 'type', 'bridge', 'forward_delay', '0', 'mcast_snooping', '0');
ip('link', 'set', 'eth0', 'up');
ip('addr', 'add', '10.77.0.11/24', 'dev', 'eth0');
ip('addr', 'add', 'fd77::11/64', 'dev', 'eth0', 'nodad');
for (const vip of [`${VIP}/32`, `${VIP6}/128`, '10.77.0.101/32', '10.77.0.103/32'])
  ip('addr', 'add', vip, 'dev', 'eth0', ...(vip.includes(':') ? ['nodad'] : []));
spawnSync('sh', [
  '-c',
  'cd /proc/sys/net/ipv4; echo 1 >ip_forward; for f in all eth0; do echo 0 >conf/$f/send_redirects; done',
]);
for (const [host, number] of Object.entries(hosts)) {
  ip('netns', 'add', name(host));
  ip('link', 'add', `p-${host}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name(host));
  ip('link', 'set', `p-${host}`, 'master', 'eth0', 'up');
  for (const words of [
    ['link', 'set', 'lo', 'up'],
    ['link', 'set', 'eth0', 'up'],
    ['addr', 'add', `10.77.0.${number}/24`, 'dev', 'eth0'],
    ['addr', 'add', `fd77::${number}/64`, 'dev', 'eth0', 'nodad'],
  ]) {
    ip('-n', name(host), ...words);
  }
  if (host === 'cl') continue;
  at(host, 'sh', '-c', 'cd /proc/sys/net/ipv4/conf/all; echo 1 >arp_ignore; echo 2 >arp_announce');
  ip('-n', name(host), 'addr', 'add', `${VIP}/32`, 'dev', 'lo');
  ip('-n', name(host), 'addr', 'add', `${VIP6}/128`, 'dev', 'lo', 'nodad');
  for (const vip of ['10.77.0.101/32', '10.77.0.103/32'])
    ip('-n', name(host), 'addr', 'add', vip, 'dev', 'lo');
  const serve = `require('net').createServer(s=>{s.on('error',()=>{});s.on('data',()=>s.write('${host}\\n'))}).listen(80,'::')`;
  children.push(spawn('ip', ['netns', 'exec', name(host), process.execPath, '-e', serve]));
}
after(() => {
  spawner.close();
  for (const child of children) child.kill('SIGKILL');
  for (const host of Object.keys(hosts)) ip('netns', 'del', name(host));
  rmSync(directory, { recursive: true, force: true });
});

/** How many of `count` new connections each server answered. */
function fetched(vip: string, count: number): Record<string, number> {
  const program = `
    const net = require('net'), counts = {};
    const one = (left) => { if (left === 0) { console.log(JSON.stringify(counts)); return; }
      const s = net.connect(80, '${vip}', () => s.write('x'));
      const end = (w) => { counts[w] = (counts[w] ?? 0) + 1; s.destroy(); one(left - 1); };
      s.setTimeout(1500, () => end('timeout')); s.once('error', (e) => end(e.code)); s.once('data', (b) => end(String(b).trim())); };
    one(${count});`;
  return JSON.parse(at('cl', process.execPath, '-e', program));
}

function nftText(family: 'netdev' | 'inet'): string {
  return spawnSync('nft', ['list', 'table', family, 'piranha-lvs'], { encoding: 'utf8' }).stdout;
}

async function open(): Promise<NftPlane> {
  const opened = await openNftPlane(spawner, directory, (line) => assert.fail(line));
  assert.ok(opened.ok, JSON.stringify(opened));
  return opened.value;
}

function entry(
  vip: string,
  scheduler: string,
  method: 'direct' | 'nat',
  weights: readonly number[],
  persistentSeconds = 0,
): ServiceEntry {
  const isIpv6 = vip.includes(':');
  const destinations = weights.map(
    (weight, index): DestinationRow => ({
      address: address(`${isIpv6 ? 'fd77::' : '10.77.0.'}2${index + 1}`),
      port: 80,
      method,
      weight,
      upperThreshold: 0,
      lowerThreshold: 0,
    }),
  );
  const key = { kind: 'address', protocol: 'tcp', address: address(vip), port: 80 } as const;
  const persistencePrefixLength = isIpv6 ? 128 : 32;
  return {
    service: { key, scheduler, flags: [], persistentSeconds, persistencePrefixLength },
    destinations,
  };
}

/** The writes that make a service from nothing. */
function all({ service, destinations }: ServiceEntry): readonly TableOperation[] {
  const { key } = service;
  return [
    { kind: 'add-service', service },
    ...destinations.map((destination) => ({ kind: 'add-destination', key, destination }) as const),
  ];
}

async function use(plane: NftPlane, operations: readonly TableOperation[]): Promise<void> {
  assert.ok((await plane.observe()).ok);
  const results = await plane.apply(operations);
  assert.deepEqual(
    results.filter((error) => error !== undefined),
    [],
  );
}

const DIRECT = entry(VIP, 'wrr', 'direct', [3, 1]);
const [HEAVY, LIGHT] = DIRECT.destinations;
assert.ok(HEAVY !== undefined && LIGHT !== undefined);

test('direct: wrr 3:1 is exact over IPv4, rr over IPv6', async () => {
  const plane = await open();
  await use(plane, [...all(DIRECT), ...all(entry(VIP6, 'rr', 'direct', [1, 1]))]);
  assert.deepEqual(fetched(VIP, 20), { r1: 15, r2: 5 });
  assert.deepEqual(fetched(VIP6, 10), { r1: 5, r2: 5 });
  plane.close();
});

test('another life finds the table standing, and a flushed one gone', async () => {
  const plane = await open();
  const standing = await plane.observe();
  assert.ok(standing.ok);
  assert.equal(standing.value.length, 2);
  spawnSync('nft', ['flush', 'ruleset']);
  const gone = await plane.observe();
  assert.ok(gone.ok);
  assert.deepEqual(gone.value, []);
  await use(plane, all(DIRECT));
  assert.deepEqual(fetched(VIP, 4), { r1: 3, r2: 1 });
  plane.close();
});

test('a quiesced server keeps its connection and gets no new one', async () => {
  const plane = await open();
  const program = `
    const s = require('net').connect(80, '${VIP}', () => s.write('x'));
    s.on('data', (b) => console.log(String(b).trim())); s.on('error', (e) => console.log(e.code));
    process.stdin.on('data', () => s.write('again'));`;
  const client = spawn('ip', ['netns', 'exec', name('cl'), process.execPath, '-e', program]);
  children.push(client);
  const next = () =>
    new Promise<string>((resolve) =>
      client.stdout.once('data', (bytes) => resolve(String(bytes).trim())),
    );
  const first = await next();
  const held = first === 'r1' ? HEAVY : LIGHT;
  const { key } = DIRECT.service;
  await use(plane, [{ kind: 'edit-destination', key, destination: { ...held, weight: 0 } }]);
  const other = first === 'r1' ? 'r2' : 'r1';
  assert.deepEqual(fetched(VIP, 6), { [other]: 6 });
  client.stdin.write('go');
  assert.equal(await next(), first);
  client.kill('SIGKILL');
  await use(plane, [{ kind: 'edit-destination', key, destination: held }]);
  plane.close();
});

/** A connection of the client that is held open; `ask` gives the name of the server that answers. */
function held(vip: string): { ask(): Promise<string>; close(): void } {
  const program = `
    const s = require('net').connect(80, '${vip}', () => console.log('up'));
    s.on('data', (b) => console.log(String(b).trim())); s.on('error', (e) => console.log(e.code));
    process.stdin.on('data', () => s.write('x'));`;
  const client = spawn('ip', ['netns', 'exec', name('cl'), process.execPath, '-e', program]);
  children.push(client);
  const lines = createInterface({ input: client.stdout })[Symbol.asyncIterator]();
  let isUp = lines.next();
  return {
    async ask() {
      await isUp;
      client.stdin.write('x');
      isUp = lines.next();
      return String((await isUp).value);
    },
    close: () => client.kill('SIGKILL'),
  };
}

test('connections and clients that are known stay known when another service comes, and when the devices change', async () => {
  const plane = await open();
  const sticky = entry('10.77.0.101', 'rr', 'direct', [1, 1], 60);
  await use(plane, all(sticky));
  const stays = held(VIP);
  const first = await stays.ask();
  const [kept = ''] = Object.keys(fetched('10.77.0.101', 2));
  await use(plane, all(entry('10.77.0.102', 'rr', 'direct', [1, 1])));
  ip('link', 'add', 'more', 'type', 'veth', 'peer', 'name', 'more-peer');
  ip('link', 'set', 'more', 'up');
  ip('addr', 'add', '10.78.0.1/24', 'dev', 'more');
  assert.ok((await plane.observe()).ok);
  assert.match(nftText('netdev'), /devices = \{[^}]*"?more"?[^}]*\}|device "more"/);
  assert.equal(await stays.ask(), first);
  assert.deepEqual(fetched('10.77.0.101', 3), { [kept]: 3 });
  ip('link', 'del', 'more');
  assert.ok((await plane.observe()).ok);
  assert.equal(await stays.ask(), first);
  stays.close();
  await use(plane, [
    { kind: 'delete-service', key: sticky.service.key },
    { kind: 'delete-service', key: entry('10.77.0.102', 'rr', 'direct', [1]).service.key },
  ]);
  plane.close();
});

test('one rule that somebody edits is found and put back, and no connection is forgotten', async () => {
  const plane = await open();
  await use(plane, []);
  const stays = held(VIP);
  const first = await stays.ask();
  const chain = ['netdev', 'piranha-lvs', 's_tcp_10_77_0_100_80'];
  const listed = spawnSync('nft', ['-a', 'list', 'chain', ...chain], { encoding: 'utf8' }).stdout;
  const handle = /numgen .* # handle (\d+)/.exec(listed)?.[1] ?? '';
  const edited = [...chain, 'handle', handle, 'ether', 'daddr', 'set', '02:00:00:00:00:77'];
  assert.equal(spawnSync('nft', ['replace', 'rule', ...edited]).status, 0);
  const found = await plane.observe();
  assert.ok(found.ok);
  assert.deepEqual(found.value, [], 'what is not as it was written does not stand');
  await use(plane, all(DIRECT));
  assert.doesNotMatch(nftText('netdev'), /00:00:77/);
  assert.equal(await stays.ask(), first);
  assert.deepEqual(fetched(VIP, 4), { r1: 3, r2: 1 });
  stays.close();
  plane.close();
});

test('new connections, packets and bytes are counted by server, and the counts outlive a write', async () => {
  const plane = await open();
  const fresh = entry('10.77.0.103', 'wrr', 'direct', [3, 1]);
  await use(plane, all(fresh));
  fetched('10.77.0.103', 8);
  await use(plane, all(entry('10.77.0.104', 'rr', 'direct', [1])));
  const observed = await plane.observe();
  assert.ok(observed.ok);
  const counted = observed.value.find(
    ({ service }) => service.key.kind === 'address' && service.key.address === '10.77.0.103',
  );
  assert.deepEqual(
    counted?.destinations.map(({ counters }) => counters.connections),
    [6, 2],
  );
  assert.equal(counted?.counters.connections, 8);
  // SYN, ACK, a byte, RST or FIN: at least four packets a connection, of 40 bytes and more.
  assert.ok((counted?.counters.inPackets ?? 0) >= 32);
  assert.ok((counted?.counters.inBytes ?? 0) >= 40 * (counted?.counters.inPackets ?? 0));
  await use(plane, [
    { kind: 'delete-service', key: fresh.service.key },
    { kind: 'delete-service', key: entry('10.77.0.104', 'rr', 'direct', [1]).service.key },
  ]);
  plane.close();
});

test('the partner is told of every new connection and its server, until nobody asks for it', async () => {
  const plane = await open();
  // r2 plays the partner: it is told of the connections of a service that r1 serves alone.
  plane.synchronise({ device: 'eth0', addresses: [address('10.77.0.22')] });
  await use(plane, []);
  const script = `table netdev t {
    map told { type ipv4_addr . inet_service : ether_addr; flags dynamic,timeout; timeout 60s; size 100; }
    chain in {
      type filter hook ingress device "eth0" priority -600
      ether saddr 02:50:0a:4d:00:15 update @told { ip saddr . th sport : ether saddr } drop
    }
  }`;
  assert.equal(
    spawnSync('ip', ['netns', 'exec', name('r2'), 'nft', '-f', '-'], { input: script }).status,
    0,
  );
  fetched(VIP, 4);
  const told = at('r2', 'nft', 'list', 'map', 'netdev', 't', 'told');
  assert.equal(told.match(/02:50:0a:4d:00:15/g)?.length, 3, told);
  at('r2', 'nft', 'delete', 'table', 'netdev', 't');

  plane.synchronise(undefined);
  await use(plane, []);
  assert.doesNotMatch(nftText('netdev'), /02:50:/);
  plane.close();
});

test('persistence: one client stays where it was', async () => {
  const plane = await open();
  await use(plane, [
    { kind: 'delete-service', key: DIRECT.service.key },
    ...all(entry(VIP, 'rr', 'direct', [1, 1], 60)),
  ]);
  assert.deepEqual(Object.values(fetched(VIP, 8)), [8]);
  plane.close();
});

test('nat: answers come back through the director', async () => {
  for (const host of ['r1', 'r2']) {
    // Client and server share the segment: without this route the answers would go past the director.
    ip('-n', name(host), 'route', 'add', '10.77.0.2/32', 'via', '10.77.0.11');
  }
  const plane = await open();
  await use(plane, all(entry('10.77.0.101', 'wrr', 'nat', [3, 1])));
  assert.deepEqual(fetched('10.77.0.101', 20), { r1: 15, r2: 5 });
  const observed = await plane.observe();
  assert.ok(observed.ok);
  const isNat = ({ destinations }: ObservedService) =>
    destinations[0]?.destination.method === 'nat';
  const counted = observed.value.find(isNat);
  assert.deepEqual(
    counted?.destinations.map(({ counters }) => counters.connections),
    [15, 5],
  );
  assert.ok((counted?.counters.inPackets ?? 0) >= 80 && (counted?.counters.outPackets ?? 0) >= 40);
  // A mark whose sections name a port for the one server and none for the other.
  const chain = 'add chain inet marks in { type filter hook prerouting priority -300; }';
  const rule = 'add rule inet marks in ip daddr 10.77.0.103 meta mark set 5';
  spawnSync('nft', ['-f', '-'], { input: `add table inet marks\n${chain}\n${rule}\n` });
  const { service, destinations } = entry('10.77.0.103', 'wrr', 'nat', [1, 3]);
  const key = { kind: 'mark', mark: 5, family: 4 } as const;
  const mixed = destinations.map((row) => (row.weight === 3 ? { ...row, port: 0 } : row));
  await use(plane, all({ service: { ...service, key }, destinations: mixed }));
  assert.deepEqual(fetched('10.77.0.103', 8), { r1: 2, r2: 6 });
  spawnSync('nft', ['delete table inet marks']);
  await use(plane, [{ kind: 'delete-service', key }]);
  for (const host of ['r1', 'r2']) ip('-n', name(host), 'route', 'del', '10.77.0.2/32');
  plane.close();
});

test('what nftables cannot do is refused with a sentence, and the rest stands', async () => {
  const plane = await open();
  assert.ok((await plane.observe()).ok);
  const counting = entry('10.77.0.102', 'wlc', 'direct', [1]);
  const [, refused] = await plane.apply(all(counting));
  assert.equal(refused?.code, 'unsupported');
  assert.match(refused?.kernelText ?? '', /does not count connections/);
  const observed = await plane.observe();
  assert.ok(observed.ok);
  assert.equal(observed.value.length, 3);
  assert.deepEqual(observed.value[2]?.destinations, []);
  plane.close();
});

test('a server that nobody answers for is refused, not guessed', async () => {
  const plane = await open();
  assert.ok((await plane.observe()).ok);
  const { key } = DIRECT.service;
  const destination = { ...HEAVY, address: address('10.77.0.77') };
  const [refused] = await plane.apply([{ kind: 'add-destination', key, destination }]);
  assert.equal(refused?.code, 'no-neighbour');
  plane.close();
});

test('an empty table leaves nothing behind', async () => {
  const plane = await open();
  const observed = await plane.observe();
  assert.ok(observed.ok);
  const gone = observed.value.map(
    ({ service }) => ({ kind: 'delete-service', key: service.key }) as const,
  );
  await use(plane, gone);
  assert.doesNotMatch(
    spawnSync('nft', ['list', 'tables'], { encoding: 'utf8' }).stdout,
    /piranha-lvs/,
  );
  plane.close();
});
