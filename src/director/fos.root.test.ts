/** service = fos with two real daemons on a segment, two real services that commands start and stop, and what goes wrong. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { enterNamespace } from '../ports/index.ts';
import { Daemon, run, until } from './daemon-under-test.ts';
import { type Host, holds, type NodeName, OWN, TestSegment, VIP } from './segment-under-test.ts';

enterNamespace();

let segment: TestSegment;
let hosts: Record<'router' | NodeName, Host>;
let capture: ChildProcess | undefined;

beforeEach(async () => {
  segment = new TestSegment();
  hosts = await segment.build();
});

afterEach(async () => {
  capture?.kill();
  for (const node of ['primary', 'backup'] as const) {
    for (const name of ['mail', 'web'])
      hosts[node].shell(`sh ${script()} ${node} ${name} stop || :`);
  }
  await segment.close();
});

const FOS = join(import.meta.dirname, '..', '..', 'bin', 'fos');
const PORTS = { mail: 2525, web: 8080 } as const;

function script(): string {
  return join(segment.directory, 'service.sh');
}

/** What the commands were called with on this node, in order: `web start`. */
function calls(node: NodeName): string[] {
  const file = join(segment.directory, `${node}.calls`);
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
}

/** A service that answers on its VIP until it is stopped; a file named `NODE.broken` keeps it from being started. */
const SERVICE = `
cd "$(dirname "$0")"; node=$1 name=$2 pid=$1.$2.pid
echo "$name $3" >> $node.calls
case $3 in
  start)
    [ ! -e $node.broken ] || { echo "$name is broken"; exit 3; }
    [ $name = mail ] && port=2525 || port=8080
    setsid ${process.execPath} -e "require('net').createServer((c) => c.on('error', () => {}).end('220 $node\\r\\n')).listen($port, '${VIP}')" \\
      > /dev/null 2>&1 < /dev/null &
    echo $! > $pid ;;
  stop) [ ! -e $pid ] || { kill $(cat $pid) 2> /dev/null; rm $pid; } ;;
esac
exit 0
`;

function section(node: NodeName, name: keyof typeof PORTS): string {
  const command = `/bin/sh ${script()} ${node} ${name}`;
  return [
    `failover ${name} {`,
    '  active = 1',
    `  address = ${VIP} eth0:1`,
    `  port = ${PORTS[name]}`,
    '  expect = "220"',
    '  timeout = 1',
    `  start_cmd = "${command} start"`,
    `  stop_cmd = "${command} stop"`,
    '}',
  ].join('\n');
}

/** The files of the two differ by the node that their commands name, and nothing else. */
function configure(node: NodeName, ...more: readonly string[]): string {
  writeFileSync(script(), SERVICE);
  const file = join(segment.runDirectory(node), 'lvs.cf');
  const text = [
    'service = fos',
    `primary = ${OWN.primary}`,
    `backup = ${OWN.backup}`,
    'backup_active = 1',
    'keepalive_ms = 200',
    'deadtime_ms = 1500',
    ...more,
    section(node, 'mail'),
    section(node, 'web'),
    '',
  ];
  writeFileSync(file, text.join('\n'));
  return file;
}

function start(node: NodeName, ...more: readonly string[]): Daemon {
  return segment.pulse(node, '-c', configure(node, ...more));
}

/** What a client of the services hears, asked from the router. */
function answer(port: number): string {
  const ask = `const c = require('net').connect(${port}, '${VIP}'); c.setTimeout(500, () => c.destroy());
    c.on('error', () => {}); c.pipe(process.stdout);`;
  return hosts.router.run(process.execPath, '-e', ask).trim();
}

/** Both run, the primary is active and serves. */
async function pair(dialects = { primary: 'auto', backup: 'auto' }) {
  const first = start('primary', `dialect = ${dialects.primary}`);
  await first.says('activating fos');
  await until(() => answer(PORTS.web) === '220 primary', 'the services of the primary');
  const second = start('backup', `dialect = ${dialects.backup}`);
  await second.says('partner heard');
  await until(() => calls('backup').length === 2, 'the stop commands of the backup');
  await until(() => segment.piranha('primary', 'status').status === 0, 'a healthy pair');
  return { first, second };
}

/** The services of a node can be started no more, and one of them dies. */
function breaks(node: NodeName): void {
  writeFileSync(join(segment.directory, `${node}.broken`), '');
  hosts[node].shell(`kill $(cat ${join(segment.directory, `${node}.web.pid`)})`);
}

const STARTED = ['mail stop', 'mail start', 'web stop', 'web start'];
const STOPPED = ['mail stop', 'web stop'];

for (const [own, partners] of [
  ['auto', 'auto'],
  ['legacy', 'legacy'],
  ['auto', 'legacy'],
] as const) {
  test(`dialect = ${own}, the partner's ${partners}: a service dies for good on the active node, and all move to the other`, async () => {
    const { first, second } = await pair({ primary: partners, backup: own });
    assert.deepEqual(calls('primary'), [...STOPPED, ...STARTED]);
    assert.deepEqual(calls('backup'), STOPPED);
    let words = '';
    const listening = `tcpdump -lnnxi eth0 udp port 539 and src ${OWN.backup}`.split(' ');
    capture = spawn('nsenter', [...hosts.backup.within.slice(1), ...listening], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    capture.stdout?.on('data', (bytes: Uint8Array) => {
      words += bytes.toString();
    });
    await until(() => words.includes('efbe adde'), 'FOS STOPPED on the wire');
    breaks('primary');
    await second.says('Monitor for service web');
    await second.says('Notifying partner WE are taking control (partner-failed)');
    await first.says('PARTNER HAS TOLD US TO GO INACTIVE: deactivating FOS (partner-claims)');
    await second.says('activating fos (partner-failed)');
    await until(() => answer(PORTS.web) === '220 backup', 'the services of the backup');
    assert.equal(answer(PORTS.mail), '220 backup');
    assert.deepEqual([holds(hosts.primary, VIP), holds(hosts.backup, VIP)], [false, true]);
    await until(() => calls('backup').length === 6, 'the start commands');
    assert.deepEqual(calls('backup'), [...STOPPED, ...STARTED]);
    await until(() => calls('primary').slice(-2).join() === STOPPED.join(), 'the stop commands');
    await until(() => words.includes('beba efbe'), 'FOS RUNNING on the wire');
    assert.equal(words.includes('dada adde'), partners === 'legacy', 'STOPME on the wire');
  });
}

test('a service that dies and can be started again stays where it is', async () => {
  const { first, second } = await pair();
  assert.match(
    segment.status('primary'),
    /^SERVICES +by none \(service = fos; fos active runs\)$/m,
  );
  assert.match(segment.status('backup'), /\(service = fos; fos monitor runs\)$/m);
  second.signal('SIGTERM');
  await second.exit;
  hosts.primary.shell(`kill $(cat ${join(segment.directory, 'primary.web.pid')})`);
  await first.says('Service web died');
  await first.says('restart condition');
  await first.says('fos process exited');
  await until(() => answer(PORTS.web) === '220 primary', 'the service again');
  assert.deepEqual(calls('primary').slice(-4), STARTED);
  assert.match(
    first.log,
    /^fos: Service web died: .+ \((connect-refused|closed)\): restart condition$/m,
  );
});

test('a start command that fails is told with its words, and tried again', async () => {
  writeFileSync(join(segment.directory, 'primary.broken'), '');
  const first = start('primary');
  await first.says('exited with status 3: mail is broken');
  await first.says('Service mail died: start_cmd /bin/sh');
  rmSync(join(segment.directory, 'primary.broken'));
  await until(() => answer(PORTS.mail) === '220 primary', 'the service');
});

test('a standby whose network fails takes nothing over: NETWORK FAULT, and monitors again when it is heard', async () => {
  const { first, second } = await pair();
  // Heartbeats still come and go; nothing else does, and the gateway is silent.
  hosts.backup.shell('ip route del default; ip route add default via 198.51.100.99');
  const drop = (host: Host, port: number) =>
    host.run('nft', 'add', 'rule', 'ip', 'cut', 'output', 'tcp', 'dport', `${port}`, 'drop');
  hosts.backup.run('nft', 'add', 'table', 'ip', 'cut');
  hosts.backup.run('nft', 'add chain ip cut output { type filter hook output priority 0; }');
  for (const port of Object.values(PORTS)) drop(hosts.backup, port);
  await second.says('NETWORK FAULT');
  assert.doesNotMatch(second.log, /taking control/);
  assert.deepEqual([holds(hosts.primary, VIP), holds(hosts.backup, VIP)], [true, false]);
  assert.doesNotMatch(first.log, /INACTIVE/);
  const before = calls('backup').length;
  await until(() => calls('backup').length > before, 'fresh monitors');
});

test('a stop stops the services: VIPs away, stop commands run, then the daemon ends', async () => {
  const { first, second } = await pair();
  first.signal('SIGTERM');
  assert.equal(await first.exit, 0);
  assert.deepEqual(calls('primary').slice(-2), STOPPED);
  assert.equal(holds(hosts.primary, VIP), false);
  await second.says('primary inactive: activating fos (partner-resigned)');
  await until(() => answer(PORTS.web) === '220 backup', 'the services of the backup');
});

test('one lvs and one fos are no pair: each refuses the heartbeats of the other', async () => {
  const first = start('primary');
  await first.says('activating fos');
  segment.configure();
  const second = segment.pulse('backup');
  await second.says(`Incompatible heartbeat received from ${OWN.primary} (incompatible)`);
  await first.says(`Incompatible heartbeat received from ${OWN.backup} (incompatible)`);
});

test('fos alone starts the services, ends when one fails, and stops them on a signal', async () => {
  const words = ['-c', configure('primary'), '--active', '--nofork'];
  const alone = () => new Daemon(words, {}, hosts.primary.within, FOS);
  hosts.primary.run('ip', 'addr', 'add', `${VIP}/32`, 'dev', 'eth0');
  const first = alone();
  await until(() => answer(PORTS.web) === '220 primary', 'the services');
  hosts.primary.shell(`kill $(cat ${join(segment.directory, 'primary.mail.pid')})`);
  assert.equal(await first.exit, 0);
  assert.match(
    first.log,
    /^fos: Service mail died: .+: restart condition\nfos: fos will now exit/m,
  );
  assert.deepEqual(calls('primary'), STARTED);
  const second = alone();
  await until(() => answer(PORTS.mail) === '220 primary', 'the services again');
  second.signal('SIGTERM');
  assert.equal(await second.exit, 0);
  assert.deepEqual(calls('primary').slice(8), STOPPED);
});

test('fos called wrongly says so and exits with 1', () => {
  const file = configure('primary');
  const rows = [
    [['-c', file], 'fos: one of --active and --monitor is required, and not both; try fos --help'],
    [['-fF'], 'fos: one of --active and --monitor is required, and not both; try fos --help'],
    [['-f', '-c', '/nowhere'], 'fos: /nowhere: '],
  ] as const;
  for (const [words, sentence] of rows) {
    const { status, stderr } = run(FOS, ...words);
    assert.deepEqual([status, stderr.slice(0, sentence.length)], [1, sentence]);
  }
  assert.equal(run(FOS, '-f', '-t', '-c', file).status, 0);
  assert.deepEqual(calls('primary'), []);
});
