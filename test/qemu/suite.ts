/**
 * A lapsed lease in front of a real IPVS: what a frozen director's kernel goes on doing without it, it must not do.
 * Client, director and real server on one segment; the client knows the director's link-layer address for good, so that ARP
 * plays no part and only the gate is tried. The server answers each line and can speak unasked.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { release } from 'node:os';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ip } from '../../src/base/index.ts';
import {
  BootClock,
  type LinuxLease,
  native,
  openAddressPort,
  openLease,
} from '../../src/ports/index.ts';

const CLIENT = 'pire-client';
const DIRECTOR = 'pire-director';
const REAL = 'pire-real';
const SEGMENT = 'pire-segment';
const VIPS = { direct: '10.77.0.100', nat: '10.77.0.101' } as const;
type Method = keyof typeof VIPS;
const METHODS: readonly Method[] = ['direct', 'nat'];
const PORT = 80;
const ATTEMPTS = 10;
/** The second SYN comes a second after the first: nobody may be let in by a later one. */
const PATIENCE_MS = 2500;
const DIRECTOR_MAC = '02:00:00:00:00:11';

build();
const served: Socket[] = [];
const server = within(REAL, () => createServer(serve).listen(PORT));
const lease = within(DIRECTOR, openGate);
enter(CLIENT); // for good: sockets of the tests are the client's
after(() => {
  server.close();
  for (const socket of served) socket.destroy();
  lease.close();
  batch(
    [],
    [CLIENT, DIRECTOR, REAL, SEGMENT].map((name) => `netns del ${name}`),
  );
});

test('the forms of the lease are those of this kernel: found by probing, right by its version', () => {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  const isSince = (otherMajor: number, otherMinor: number) =>
    major > otherMajor || (major === otherMajor && minor >= otherMinor);
  assert.deepEqual(lease.form, { hasEgress: isSince(5, 16), isProtected: isSince(6, 9) });
});

for (const method of METHODS) {
  test(`${method}: new connections pass while the lease lives, none after it lapsed, all again`, async () => {
    assert.equal(lease.acquire(60_000), undefined);
    assert.equal(await connected(method), ATTEMPTS, 'leased');
    await lapse();
    assert.equal(await connected(method), 0, 'lapsed');
    assert.equal(lease.acquire(60_000), undefined);
    assert.equal(await connected(method), ATTEMPTS, 'leased again');
  });
}

test('nat: an open connection falls silent both ways and goes on where it was', async () => {
  const { socket, heard, far } = await opened('nat');
  await lapse();
  socket.write('question\n');
  far.write('news\n');
  await sleep(1500);
  assert.equal(heard(), 'first\n', 'nothing came through');
  assert.equal(lease.acquire(60_000), undefined);
  await eventually(() => heard().length === 'first\nquestion\nnews\n'.length);
  assert.match(heard(), /question\n/);
  assert.match(heard(), /news\n/);
  socket.destroy();
});

test('direct: an open connection is no longer heard by its server, and goes on where it was', async () => {
  const { socket, heard } = await opened('direct');
  await lapse();
  socket.write('question\n');
  await sleep(1500);
  assert.equal(heard(), 'first\n', 'nothing came through');
  assert.equal(lease.acquire(60_000), undefined);
  await eventually(() => heard() === 'first\nquestion\n');
  socket.destroy();
});

/** By itself, as when its owner is frozen. */
async function lapse(): Promise<void> {
  assert.equal(lease.acquire(200), undefined);
  await sleep(400);
  assert.equal(lease.remainingMs(), undefined);
}

/** How many of ten new connections come about. */
async function connected(method: Method): Promise<number> {
  const attempts = Array.from({ length: ATTEMPTS }, async () => {
    const socket = connect({ host: VIPS[method], port: PORT });
    const timer = setTimeout(() => socket.destroy(), PATIENCE_MS);
    const isUp = await new Promise<boolean>((resolve) => {
      socket.on('connect', () => resolve(true));
      socket.on('error', () => resolve(false));
      socket.on('close', () => resolve(false));
    });
    clearTimeout(timer);
    socket.destroy();
    return isUp;
  });
  const results = await Promise.all(attempts);
  return results.filter((isUp) => isUp).length;
}

/** A connection that has carried a line there and back; `far` is the server's end of it. */
async function opened(method: Method) {
  assert.equal(lease.acquire(60_000), undefined);
  const socket = connect({ host: VIPS[method], port: PORT });
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  await once(socket, 'connect');
  socket.write('first\n');
  await eventually(() => text === 'first\n');
  const far = served.find(({ remotePort }) => remotePort === socket.localPort);
  assert.ok(far !== undefined);
  return { socket, far, heard: () => text };
}

/** TCP repeats what was lost after 0.2, 0.4, 0.8 s and so on. */
async function eventually(isSo: () => boolean): Promise<void> {
  for (let wait = 0; wait < 200 && !isSo(); wait++) await sleep(50);
  assert.ok(isSo(), 'not within ten seconds');
}

function serve(socket: Socket): void {
  served.push(socket);
  socket.on('error', () => socket.destroy()).pipe(socket);
}

function openGate(): LinuxLease {
  const opened = openLease(new BootClock());
  assert.ok(opened.ok, JSON.stringify(opened));
  const addresses = openAddressPort();
  assert.ok(addresses.ok);
  const observed = addresses.value.observe();
  addresses.value.close();
  assert.ok(observed.ok);
  assert.equal(
    opened.value.install(
      METHODS.map((method) => ip(VIPS[method])),
      observed.value.links,
    ),
    undefined,
  );
  return opened.value;
}

/** Few processes: each takes a good part of a second in an emulated machine. */
function build(): void {
  const hosts = [
    { name: CLIENT, address: '10.77.0.2', mac: '02:00:00:00:00:02' },
    { name: DIRECTOR, address: '10.77.0.11', mac: DIRECTOR_MAC },
    { name: REAL, address: '10.77.0.21', mac: '02:00:00:00:00:21' },
  ];
  batch(
    [],
    [SEGMENT, ...hosts.map(({ name }) => name)].map((name) => `netns add ${name}`),
  );
  batch(
    ['-n', SEGMENT],
    [
      'link add br0 type bridge forward_delay 0',
      'link set br0 up',
      ...hosts.flatMap(({ name, mac }) => [
        `link add ${name} type veth peer name eth0 address ${mac} netns ${name}`,
        `link set ${name} master br0 up`,
      ]),
    ],
  );
  const more: Readonly<Record<string, readonly string[]>> = {
    [CLIENT]: METHODS.map(
      (method) => `neigh add ${VIPS[method]} lladdr ${DIRECTOR_MAC} dev eth0 nud permanent`,
    ),
    [DIRECTOR]: METHODS.map((method) => `addr add ${VIPS[method]}/32 dev eth0`),
    // What it answers under its own name goes back by the director (nat), the rest straight to the client.
    [REAL]: [
      `addr add ${VIPS.direct}/32 dev lo`,
      'route add 10.77.0.2/32 via 10.77.0.11 table 77',
      'rule add from 10.77.0.21 table 77',
    ],
  };
  for (const { name, address } of hosts) {
    const own = ['link set lo up', 'link set eth0 up', `addr add ${address}/24 dev eth0`];
    batch(['-n', name], [...own, ...(more[name] ?? [])]);
  }
  const conf = 'cd /proc/sys/net/ipv4/conf';
  shell(REAL, `${conf}; echo 1 >all/arp_ignore; echo 2 >all/arp_announce`);
  const rules = [
    `-A -t ${VIPS.direct}:${PORT} -s rr`,
    `-a -t ${VIPS.direct}:${PORT} -r 10.77.0.21 -g`,
    `-A -t ${VIPS.nat}:${PORT} -s rr`,
    `-a -t ${VIPS.nat}:${PORT} -r 10.77.0.21 -m`,
  ];
  // On one segment the director must not tell the real server of a shorter way than by itself.
  const forward = `${conf}; echo 1 >../ip_forward; echo 0 >all/send_redirects; echo 0 >eth0/send_redirects`;
  shell(DIRECTOR, `${forward}; ipvsadm -R`, `${rules.join('\n')}\n`);
}

function batch(words: readonly string[], lines: readonly string[]): void {
  run(['ip', ...words, '-batch', '-'], lines.join('\n'));
}

function shell(node: string, text: string, input = ''): void {
  run(['ip', 'netns', 'exec', node, 'sh', '-ec', text], input);
}

function run([program = '', ...words]: readonly string[], input: string): void {
  const options = { input, encoding: 'utf8', timeout: 60_000 } as const;
  const { status, stderr } = spawnSync(program, words, options);
  assert.equal(status, 0, `${words.join(' ')}: ${stderr}`);
}

function within<T>(node: string, make: () => T): T {
  const home = openSync('/proc/thread-self/ns/net', 'r');
  enter(node);
  try {
    return make();
  } finally {
    assert.equal(native().enterNetwork(home), 0);
    closeSync(home);
  }
}

function enter(node: string): void {
  const there = openSync(`/run/netns/${node}`, 'r');
  assert.equal(native().enterNetwork(there), 0, node);
  closeSync(there);
}
