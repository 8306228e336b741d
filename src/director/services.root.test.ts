/** The real daemon and the nftables plane in a network namespace: traffic, and what an operator says to it. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createServer, type Server } from 'node:net';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { enterNamespace, runIp } from '../ports/index.ts';
import { type Daemon, fetched, PIRANHA, run, TestBed, until, VIP } from './daemon-under-test.ts';

const here = enterNamespace();
const client = `${here}-cl`;
const bed = new TestBed();
const servers: Server[] = [];
let pulse: Daemon;

/** Two real servers of this very process; the client is behind the veth pair. */
function config(weights: readonly number[] = [1, 1], more = ''): string {
  const blocks = weights.map(
    (weight, index) =>
      `server web-${index + 1} {\naddress = 198.51.100.11\nport = 808${index + 1}\nactive = 1\nweight = ${weight}\n}`,
  );
  const global =
    'primary = 198.51.100.11\nkeepalive_ms = 100\ndeadtime_ms = 300\nverify = off\nnetwork = nat\n';
  const head = `virtual web {\nactive = 1\naddress = ${VIP} eth0:1\nport = 81\nscheduler = wrr\ntimeout = 1\nreentry = 1`;
  return [`${global}dataplane = nftables`, head, more, ...blocks, '}', ''].join('\n');
}

function piranha(...words: readonly string[]) {
  return run(PIRANHA, ...words, '--run-dir', bed.runDirectory);
}

/** `1/1 active healthy` of each server, as `piranha services --json` has it. */
function states(): readonly string[] {
  const { stdout } = piranha('services', '--json');
  const document: {
    services?: { servers: { weight?: number; state: string; reason: string }[] }[];
  } = JSON.parse(stdout);
  return (document.services?.[0]?.servers ?? []).map(
    ({ weight, state, reason }) => `${weight ?? '-'} ${state} ${reason}`,
  );
}

const HEALTHY = ['1 active healthy', '1 active healthy'];

before(async () => {
  runIp('netns', 'add', client);
  runIp('link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', client);
  runIp('link', 'set', 'eth0', 'up');
  runIp('addr', 'add', '198.51.100.11/24', 'dev', 'eth0');
  runIp('-n', client, 'link', 'set', 'eth0', 'up');
  runIp('-n', client, 'addr', 'add', '198.51.100.50/24', 'dev', 'eth0');
  for (const name of ['1', '2']) {
    const server = createServer((socket) => {
      socket.on('error', () => socket.destroy());
      socket.write(`web-${name}`);
    });
    servers.push(server.listen(Number(`808${name}`), '198.51.100.11'));
  }
  bed.configure(config());
  pulse = bed.pulse();
  await pulse.says('activating lvs');
  await until(() => states().join() === HEALTHY.join(), 'both servers');
});

after(async () => {
  for (const server of servers) server.close();
  await bed.close();
  runIp('netns', 'del', client);
});

test('clients of the VIP are spread over the real servers', async () => {
  assert.deepEqual(await fetched(client, 6), { 'web-1': 3, 'web-2': 3 });
  assert.match(pulse.log, /nanny: \[ active \] making 198\.51\.100\.11:8081 available \(healthy\)/);
});

test('what passes is counted by server', async () => {
  const traffic = () => {
    const document: {
      services: { servers: { traffic?: { connections: number } }[] }[];
    } = JSON.parse(piranha('services', '--json').stdout);
    return document.services[0]?.servers.map((server) => server.traffic?.connections).join();
  };
  await until(() => traffic() === '3,3', 'the counts of the last look');
});

test('a drained server gets no new connection, through a reload and a restart, until it is let in again', async () => {
  const drained = ['0 quiesced drained', '1 active healthy'];
  assert.deepEqual(piranha('server', 'drain', 'web-1').status, 0);
  await until(() => states().join() === drained.join(), 'the drain');
  assert.deepEqual(await fetched(client, 4), { 'web-2': 4 });
  assert.match(
    piranha('services').stdout,
    /web-1 .* drained\n[\s\S]*OVERRIDE {2}web-1: drain, until it is lifted/,
  );
  pulse.signal('SIGHUP');
  await pulse.says('rereading configuration file: done');
  assert.deepEqual(states(), drained);
  pulse.signal('SIGKILL');
  await pulse.exit;
  pulse = bed.pulse();
  await until(() => states().join() === drained.join(), 'the drain after a restart');
  assert.deepEqual(piranha('server', 'enable', 'web-1').status, 0);
  await until(() => states().join() === HEALTHY.join(), 'web-1 again');
});

test('a weight that an operator gives is in the kernel at once, through a reload and a restart, until it is lifted', async () => {
  const weighed = ['3 active weighed', '1 active healthy'];
  assert.deepEqual(await fetched(client, 4), { 'web-1': 2, 'web-2': 2 });
  assert.equal(
    piranha('weight', 'web/web-1', '3').stdout,
    'web/web-1: weight 3 in place of the one in lvs.cf\n',
  );
  assert.deepEqual(states(), weighed);
  assert.deepEqual(await fetched(client, 8), { 'web-1': 6, 'web-2': 2 });
  assert.match(
    piranha('services').stdout,
    /web-1 .* 3\/1 .* weighed\n[\s\S]*OVERRIDE {2}web\/web-1: weight 3, until it is lifted/,
  );
  const beside = /not in the file: web\/web-1 has weight 3 by an operator, until it is lifted/;
  assert.match(piranha('status').stdout, beside);
  assert.match(piranha('diff', bed.configFile).stdout, beside);
  pulse.signal('SIGHUP');
  await pulse.says('rereading configuration file: done');
  assert.deepEqual(states(), weighed);
  pulse.signal('SIGKILL');
  await pulse.exit;
  pulse = bed.pulse();
  await until(() => states().join() === weighed.join(), 'the weight after a restart');
  assert.deepEqual(await fetched(client, 4), { 'web-1': 3, 'web-2': 1 });
  assert.equal(piranha('weight', 'web/web-1', '0').status, 0);
  assert.deepEqual(states(), ['0 quiesced drained', '1 active healthy']);
  assert.deepEqual(await fetched(client, 2), { 'web-2': 2 });
  assert.equal(piranha('undrain', 'web/web-1').status, 0);
  await until(() => states().join() === HEALTHY.join(), 'the weight of the file');
});

test('an override with a time ends by itself', async () => {
  assert.deepEqual(piranha('server', 'disable', 'web/web-2', '--for', '5s').status, 0);
  assert.equal(states()[1], '- inactive disabled');
  await until(() => states().join() === HEALTHY.join(), 'the end of the override', 20_000);
  await pulse.says('(override-ended)');
});

test('a server nobody knows, a word nobody knows and a bad time are refused with a sentence', () => {
  const unknown = piranha('server', 'drain', 'nobody');
  assert.equal(unknown.status, 1);
  assert.match(unknown.stderr, /^refused: no real server is called nobody/);
  assert.match(piranha('server', 'explode', 'web-1').stderr, /one of drain, disable/);
  assert.match(piranha('server', 'drain', 'web-1', '--for', 'long').stderr, /--for takes/);
  for (const number of ['65536', '1.5', 'many']) {
    const wrong = piranha('weight', 'web-1', number);
    assert.deepEqual([wrong.status, /a number from 0 to 65535/.test(wrong.stderr)], [64, true]);
  }
});

test('a dry run says what a reload would change and changes nothing; the reload does it', async () => {
  bed.configure(config([3, 1]));
  const dry = piranha('reload', '--dry-run');
  assert.deepEqual([dry.status, dry.stdout], [0, 'web/web-1: weight 1 -> 3\nno VIP moves\n']);
  assert.deepEqual(states(), HEALTHY);
  assert.equal(piranha('reload').status, 0);
  await until(() => states()[0] === '3 active healthy', 'the weight');
  assert.deepEqual(await fetched(client, 8), { 'web-1': 6, 'web-2': 2 });
});

test('a bad file changes nothing and tells every problem', () => {
  bed.configure(config([1, 1], 'scheduler = best\nport = x'));
  const bad = piranha('reload');
  assert.equal(bad.status, 1);
  assert.match(bad.stderr, /`best`[\s\S]*`port`[\s\S]*nothing was changed/);
  assert.equal(states()[0], '3 active healthy');
  bed.configure(config());
  assert.equal(piranha('reload').status, 0);
});

test('a flushed ruleset stands again within two seconds, and the log says drift', async () => {
  run('nft', 'delete', 'table', 'inet', 'piranha-lvs');
  const startedAt = performance.now();
  const stands = () => run('nft', 'list', 'tables').stdout.includes('table inet piranha-lvs');
  await until(stands, 'the table');
  assert.ok(performance.now() - startedAt < 2000);
  await pulse.says('(kernel-drift)');
  assert.deepEqual(await fetched(client, 4), { 'web-1': 2, 'web-2': 2 });
});

test('one rule that somebody adds to the table is gone within two seconds', async () => {
  const rule = ['ip', 'saddr', '198.51.100.50', 'drop'];
  assert.equal(run('nft', 'insert', 'rule', 'inet', 'piranha-lvs', 'in', ...rule).status, 0);
  const startedAt = performance.now();
  const isWhole = () =>
    !run('nft', 'list', 'table', 'inet', 'piranha-lvs').stdout.includes(' drop');
  await until(isWhole, 'the repair');
  assert.ok(performance.now() - startedAt < 2000);
  assert.deepEqual(await fetched(client, 2), { 'web-1': 1, 'web-2': 1 });
});

test('requests that are too long or no JSON are refused, and the daemon lives on', async () => {
  const post = (body: string) => {
    const words = [
      '-s',
      '-o',
      '/dev/null',
      '-w',
      '%{http_code}',
      '--unix-socket',
      `${bed.runDirectory}/pulse.sock`,
    ];
    const { stdout } = spawnSync('curl', [...words, '--data-binary', '@-', 'http://x/v1/servers'], {
      encoding: 'utf8',
      input: body,
      timeout: 5000,
    });
    return stdout;
  };
  assert.equal(post('{'), '400');
  assert.equal(post(JSON.stringify({ target: 'x'.repeat(70_000) })), '413');
  assert.equal(post('{"target":"web-1","kind":"explode"}'), '400');
  assert.equal(post('{"target":"web-1","kind":"drain","forMs":-1}'), '400');
  await sleep(50);
  assert.deepEqual(states(), HEALTHY);
});

test('a clean stop leaves no table', async () => {
  pulse.signal('SIGTERM');
  assert.equal(await pulse.exit, 0);
  assert.doesNotMatch(run('nft', 'list', 'tables').stdout, /piranha-lvs/);
});
