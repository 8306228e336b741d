/** lvsd alone, over the nftables plane in a network namespace: it serves, follows its servers and its file, and leaves nothing. */
import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:net';
import { after, before, test } from 'node:test';
import { enterNamespace, runIp } from '../ports/index.ts';
import { type Daemon, fetched, run, TestBed, until, VIP } from './daemon-under-test.ts';

const here = enterNamespace();
const client = `${here}-cl`;
const bed = new TestBed();
const servers = new Map<string, Server>();
let lvsd: Daemon;

function config(weights: readonly number[], more = ''): string {
  const blocks = weights.map(
    (weight, index) =>
      `server web-${index + 1} {\naddress = 198.51.100.11\nport = 808${index + 1}\nactive = 1\nweight = ${weight}\n}`,
  );
  const global = `primary = 198.51.100.11\nnetwork = nat\ndataplane = nftables\n${more}`;
  const head = `virtual web {\nactive = 1\naddress = ${VIP} eth0:1\nport = 81\nscheduler = wrr`;
  const check = 'check = tcp\ncheck_interval_ms = 100\nrise = 1';
  return [global, head, check, ...blocks, '}', ''].join('\n');
}

function listen(name: string): Promise<unknown> {
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.write(`web-${name}`);
  });
  servers.set(name, server);
  return new Promise((resolve) => {
    server.listen(Number(`808${name}`), '198.51.100.11', () => resolve(undefined));
  });
}

function ruleset(): string {
  return run('nft', 'list', 'ruleset').stdout;
}

before(async () => {
  runIp('netns', 'add', client);
  runIp('link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', client);
  runIp('link', 'set', 'eth0', 'up');
  runIp('addr', 'add', '198.51.100.11/24', 'dev', 'eth0');
  runIp('addr', 'add', `${VIP}/32`, 'dev', 'eth0');
  runIp('-n', client, 'link', 'set', 'eth0', 'up');
  runIp('-n', client, 'addr', 'add', '198.51.100.50/24', 'dev', 'eth0');
  await Promise.all([listen('1'), listen('2')]);
  bed.configure(config([1, 1]));
  lvsd = bed.lvsd();
  await until(() => ruleset().includes('mod 2'), 'both servers in the table');
});

after(async () => {
  for (const server of servers.values()) server.close();
  await bed.close();
  runIp('netns', 'del', client);
});

test('it spreads the clients over the servers, and raises no VIP', async () => {
  assert.deepEqual(await fetched(client, 6), { 'web-1': 3, 'web-2': 3 });
  assert.match(lvsd.log, /lvsd: starting virtual service web \(settings\)/);
  assert.doesNotMatch(lvsd.log, /pulse:/);
});

test('a server that dies is out, one that comes back is in', async () => {
  servers.get('2')?.close();
  await lvsd.says('nanny: [inactive] shutting down 198.51.100.11:8082');
  await until(() => !ruleset().includes('8082'), 'web-2 out of the table');
  assert.deepEqual(await fetched(client, 4), { 'web-1': 4 });
  await listen('2');
  await until(() => ruleset().includes('8082'), 'web-2 in the table');
  assert.deepEqual(await fetched(client, 4), { 'web-1': 2, 'web-2': 2 });
});

test('HUP reads the file again; a bad one changes nothing', async () => {
  bed.configure(config([3, 1]));
  lvsd.signal('SIGHUP');
  await until(() => ruleset().includes('mod 4'), 'the weights');
  assert.deepEqual(await fetched(client, 8), { 'web-1': 6, 'web-2': 2 });
  const before = ruleset().replaceAll(/packets \d+ bytes \d+/g, '');
  bed.configure(config([1, 1], 'network = best\n'));
  lvsd.signal('SIGHUP');
  await lvsd.says('`best`');
  assert.equal(ruleset().replaceAll(/packets \d+ bytes \d+/g, ''), before);
});

test('TERM takes its rows out and ends with 0', async () => {
  lvsd.signal('SIGTERM');
  assert.equal(await lvsd.exit, 0);
  assert.doesNotMatch(ruleset(), /piranha/);
});

test('hard_shutdown = 1: a server that the plane cannot write ends it with 1, and it leaves nothing', async () => {
  // Its check is good and nobody on the segment has its address.
  const text = config([1], 'hard_shutdown = 1\n')
    .replace('network = nat', 'network = direct')
    .replace('address = 198.51.100.11\nport', 'address = 198.51.100.77\nport')
    .replace('rise = 1', 'rise = 1\ncheck_address = 198.51.100.11');
  bed.configure(text);
  const hard = bed.lvsd();
  assert.equal(await hard.exit, 1, hard.log);
  assert.match(
    hard.log,
    /shutting down lvs \(hard_shutdown = 1\): .*lvs\.cf:\d+: .*198\.51\.100\.77/,
  );
  assert.doesNotMatch(ruleset(), /piranha/);
});
