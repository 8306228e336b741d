/**
 * The nftables plane when a server leaves, and what is said of a VIP by others: a client and a director on one cable. The
 * servers are link-layer addresses that the director knows; what it sends them is counted at the other end.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ip as address, type IpAddress } from '../base/index.ts';
import type { DestinationRow, ServiceEntry, ServiceKey, TableOperation } from '../model/index.ts';
import { enterNamespace, ip } from './enter-namespace.ts';
import { type NftPlane, openNftPlane } from './nft-plane.ts';
import { ProcessSpawner } from './spawner.ts';

const client = `${enterNamespace()}-cl`;
const spawner = new ProcessSpawner();
const directory = mkdtempSync(join(tmpdir(), 'pirs-nft-'));
const CLIENT_MAC = '02:00:00:00:00:02';
const SERVERS = [21, 22, 23] as const;
const macOf = (server: number) => `02:00:00:00:00:${server}`;
const addressOf = (server: number, family: 4 | 6) =>
  address(family === 4 ? `10.77.0.${server}` : `fd77::${server}`);

function at(input: string, ...words: readonly string[]): string {
  const argv = ['netns', 'exec', client, ...words];
  const { stdout, stderr, status } = spawnSync('ip', argv, {
    encoding: 'utf8',
    timeout: 20_000,
    input,
  });
  assert.equal(status, 0, `${words.join(' ')}: ${stderr}`);
  return stdout;
}

ip('netns', 'add', client);
ip('link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', client);
spawnSync('sh', [
  '-c',
  'cd /proc/sys/net; echo 1 >ipv4/ip_forward; echo 1 >ipv6/conf/all/forwarding',
]);
for (const [words, hosts] of [
  [[], ['10.77.0.11/24', 'fd77::11/64', '10.77.0.100/32', 'fd77::100/128']],
  [
    ['-n', client],
    ['10.77.0.2/24', 'fd77::2/64'],
  ],
] as const) {
  ip(...words, 'link', 'set', 'eth0', 'up');
  for (const host of hosts)
    ip(...words, 'addr', 'add', host, 'dev', 'eth0', ...(host.includes(':') ? ['nodad'] : []));
}
ip('-n', client, 'link', 'set', 'eth0', 'address', CLIENT_MAC);
for (const server of SERVERS)
  for (const family of [4, 6] as const)
    ip('neigh', 'add', addressOf(server, family), 'lladdr', macOf(server), 'dev', 'eth0');
after(() => {
  spawner.close();
  ip('netns', 'del', client);
  rmSync(directory, { recursive: true, force: true });
});

async function opened(log: (line: string) => void = assert.fail): Promise<NftPlane> {
  const plane = await openNftPlane(spawner, directory, log);
  assert.ok(plane.ok, JSON.stringify(plane));
  return plane.value;
}

const VIP: ServiceKey = {
  kind: 'address',
  protocol: 'udp',
  address: address('10.77.0.100'),
  port: 53,
};

/** A service of all three servers, in turns. */
function service(key: ServiceKey, method: 'direct' | 'nat', persistentSeconds = 0): ServiceEntry {
  const family = key.kind === 'address' && key.address.includes(':') ? 6 : 4;
  const destinations = SERVERS.map(
    (server): DestinationRow => ({
      address: addressOf(server, family),
      port: 53,
      method,
      weight: 1,
      upperThreshold: 0,
      lowerThreshold: 0,
    }),
  );
  const persistencePrefixLength = family === 4 ? 32 : 128;
  return {
    service: { key, scheduler: 'rr', flags: [], persistentSeconds, persistencePrefixLength },
    destinations,
  };
}

async function use(plane: NftPlane, operations: readonly TableOperation[]): Promise<void> {
  assert.ok((await plane.observe()).ok);
  const results = await plane.apply(operations);
  assert.deepEqual(
    results.filter((error) => error !== undefined),
    [],
  );
}

/** In place of everything that stands. */
async function only(plane: NftPlane, { service: made, destinations }: ServiceEntry): Promise<void> {
  const standing = await plane.observe();
  assert.ok(standing.ok);
  await plane.apply(
    standing.value.map(({ service: { key } }) => ({ kind: 'delete-service', key })),
  );
  const { key } = made;
  await use(plane, [
    { kind: 'add-service', service: made },
    ...destinations.map((destination) => ({ kind: 'add-destination', key, destination }) as const),
  ]);
}

async function counted(plane: NftPlane): Promise<Record<string, readonly [number, number]>> {
  const standing = await plane.observe();
  assert.ok(standing.ok);
  return Object.fromEntries(
    (standing.value[0]?.destinations ?? []).map(({ destination, counters }) => [
      destination.address,
      [counters.connections, counters.inPackets],
    ]),
  );
}

/** One datagram of the client from each of these ports, one after the other. */
function send(vip: IpAddress, ...ports: readonly number[]): void {
  const program = `
    const d = require('node:dgram');
    (async () => { for (const port of [${ports}]) await new Promise((end) => {
      const s = d.createSocket('${vip.includes(':') ? 'udp6' : 'udp4'}');
      s.bind(port, () => s.send('x', 53, '${vip}', () => { s.close(); setTimeout(end, 5); }));
    }); })();`;
  at('', process.execPath, '-e', program);
}

/** The server that the client's one datagram from port 5000 found. */
async function bound(plane: NftPlane, { service: { key } }: ServiceEntry): Promise<IpAddress> {
  assert.ok(key.kind === 'address');
  send(key.address, 5000);
  const [found] =
    Object.entries(await counted(plane)).find(([, [, packets]]) => packets === 1) ?? [];
  assert.ok(found !== undefined);
  return address(found);
}

function rowOf({ destinations }: ServiceEntry, server: IpAddress): DestinationRow {
  const row = destinations.find((each) => each.address === server);
  assert.ok(row !== undefined);
  return row;
}

const VIP6: ServiceKey = { ...VIP, address: address('fd77::100') };
for (const key of [VIP, VIP6]) {
  test(`persistence goes over to another server, once, when the client's own leaves or is drained: ${key.address}`, async () => {
    for (const leaving of ['removed', 'drained']) {
      const plane = await opened();
      const made = service(key, 'direct', 60);
      await only(plane, made);
      const first = rowOf(made, await bound(plane, made));
      await use(plane, [
        leaving === 'removed'
          ? { kind: 'delete-destination', key, destination: first }
          : { kind: 'edit-destination', key, destination: { ...first, weight: 0 } },
      ]);
      send(key.address, 6001, 6002, 6003, 6004);
      const { [first.address]: left = [0, 0], ...others } = await counted(plane);
      assert.deepEqual(left, leaving === 'removed' ? [0, 0] : [1, 1]);
      const connections = Object.values(others).map(([count]) => count);
      assert.deepEqual(connections.sort(), [0, 4], `${leaving}: ${JSON.stringify(others)}`);
      plane.close();
    }
  });

  test(`a connection whose server was removed is given to another one, once: ${key.address}`, async () => {
    const plane = await opened();
    const made = service(key, 'direct');
    await only(plane, made);
    const first = rowOf(made, await bound(plane, made));
    await use(plane, [{ kind: 'delete-destination', key, destination: first }]);
    send(key.address, 5000, 5000, 5000, 5000);
    const found = Object.values(await counted(plane)).map(([, packets]) => packets);
    assert.deepEqual(found.sort(), [0, 4]);
    plane.close();
  });
}

test('what the partner tells of a known connection and client is remembered in place of what was', async () => {
  const plane = await opened();
  plane.synchronise({ device: 'eth0', addresses: [address('10.77.0.21')] });
  await only(plane, service(VIP, 'direct', 60));
  const remembered = () =>
    ['c_udp_10_77_0_100_53', 'p_udp_10_77_0_100_53_60_32'].map((map) => {
      const words = ['list', 'map', 'netdev', 'piranha-lvs', map];
      const { stdout } = spawnSync('nft', words, { encoding: 'utf8' });
      return [...stdout.matchAll(/02:00:00:00:00:(\d\d)/g)].map(([, server]) => Number(server));
    });
  // The token of a server as a source address is what a partner's copy has.
  for (const server of [22, 23, 23]) {
    ip('-n', client, 'link', 'set', 'eth0', 'address', `02:50:0a:4d:00:${server.toString(16)}`);
    send(address('10.77.0.100'), 5000);
    assert.deepEqual(remembered(), [[server], [server]]);
  }
  ip('-n', client, 'link', 'set', 'eth0', 'address', CLIENT_MAC);
  plane.synchronise(undefined);
  plane.close();
});

for (const key of [VIP, VIP6]) {
  test(`nat: a UDP client that goes on sending is given to another server when its own leaves, not when it is drained: ${key.address}`, async () => {
    const plane = await opened();
    const made = service(key, 'nat');
    await only(plane, made);
    const first = rowOf(made, await bound(plane, made));
    await use(plane, [{ kind: 'edit-destination', key, destination: { ...first, weight: 0 } }]);
    send(key.address, 5000);
    assert.equal((await counted(plane))[first.address]?.[1], 2, 'drained');
    send(key.address, 5001, 5002);
    const before = await counted(plane);
    await use(plane, [{ kind: 'delete-destination', key, destination: first }]);
    send(key.address, 5000, 5000, 5001, 5002);
    const grown = Object.entries(await counted(plane)).map(
      ([server, [, packets]]) => packets - (before[server]?.[1] ?? 0),
    );
    assert.deepEqual(grown.sort(), [1, 3]);
    plane.close();
  });
}

for (const key of [VIP, VIP6]) {
  for (const persistentSeconds of [0, 60]) {
    test(`the packets of a connection that finds no room stay together: ${key.address}, persistent = ${persistentSeconds}`, async () => {
      const plane = await opened();
      await only(plane, service(key, 'direct', persistentSeconds));
      const script = readFileSync(join(directory, 'nft-services.nft'), 'utf8');
      // Room for one client and one connection.
      const tight = script.replaceAll('size 65536', 'size 1');
      const input = `flush ruleset\n${tight}`;
      assert.equal(spawnSync('nft', ['-f', '-'], { input }).status, 0);
      const packets = () => {
        const words = ['list', 'counters', 'table', 'netdev', 'piranha-lvs'];
        const { stdout } = spawnSync('nft', words, { encoding: 'utf8' });
        return [...stdout.matchAll(/counter to_\S+ \{\s+packets (\d+)/g)].map(([, n]) => Number(n));
      };
      send(key.address, 5000);
      const before = packets();
      send(key.address, 7000, 7000, 7000, 7000, 7000, 7000);
      const grown = packets().map((count, index) => count - (before[index] ?? 0));
      if (persistentSeconds > 0) assert.equal(grown.indexOf(6), before.indexOf(1));
      assert.deepEqual(grown.sort(), [0, 0, 6]);
      plane.close();
    });
  }

  test(`an ICMP error about a VIP's packet comes to every server of it, and to the director: ${key.address}`, async () => {
    const plane = await opened();
    await only(plane, service(key, 'direct'));
    const icmp = key === VIP ? 'icmp' : 'icmpv6';
    at(
      `table netdev t {
        ${SERVERS.map((server) => `counter c${server} {}`).join('\n')}
        chain in {
          type filter hook ingress device "eth0" priority 0
          ${icmp} type destination-unreachable counter name ether daddr map { ${SERVERS.map((server) => `${macOf(server)} : "c${server}"`).join(', ')} }
        }
      }`,
      ...['nft', '-f', '-'],
    );
    const socket = createSocket(key === VIP ? 'udp4' : 'udp6');
    // Nobody listens there: the client's kernel says so to the VIP.
    const refused = new Promise<Error>((resolve) => socket.on('error', resolve));
    await new Promise<void>((resolve) => socket.bind(0, key.address, resolve));
    await new Promise<void>((resolve) =>
      socket.connect(9, key === VIP ? '10.77.0.2' : 'fd77::2', resolve),
    );
    socket.send('x');
    assert.match(String(await refused), /ECONNREFUSED/);
    socket.close();
    const counters = at('', 'nft', 'list', 'counters', 'table', 'netdev', 't');
    at('', 'nft', 'delete', 'table', 'netdev', 't');
    assert.equal(counters.match(/packets 1 /g)?.length, SERVERS.length, counters);
    plane.close();
  });
}

test('a table that cannot be remembered stands, and the log is told', async () => {
  const said: string[] = [];
  const plane = await opened((line) => said.push(line));
  await only(plane, service(VIP, 'direct'));
  assert.deepEqual(said, []);
  assert.match(readFileSync(join(directory, 'nft-services.json'), 'utf8'), /10\.77\.0\.100/);
  assert.ok(!readdirSync(directory).includes('nft-services.json.new'));
  rmSync(join(directory, 'nft-services.json'));
  mkdirSync(join(directory, 'nft-services.json', 'in-the-way'), { recursive: true });
  await use(plane, [
    {
      kind: 'delete-destination',
      key: VIP,
      destination: rowOf(service(VIP, 'direct'), addressOf(21, 4)),
    },
  ]);
  assert.match(said.join('\n'), /^\S+\/nft-services\.json cannot be written: (EISDIR|ENOTEMPTY)$/);
  assert.deepEqual(Object.keys(await counted(plane)), ['10.77.0.22', '10.77.0.23']);
  plane.close();
});
