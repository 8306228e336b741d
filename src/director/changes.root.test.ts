import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { enterNamespace } from '../ports/index.ts';
import { type Daemon, type Ran, until } from './daemon-under-test.ts';
import { type NodeName, OWN, TestSegment, VIP } from './segment-under-test.ts';

enterNamespace();

const KEY = '00112233445566778899aabbccddeeff';

let segment: TestSegment;

beforeEach(async () => {
  segment = new TestSegment();
  chmodSync(segment.directory, 0o711); // as /run is: the courier is nobody
  await segment.build();
});

afterEach(() => segment.close());

function textOf(weight: number, ...more: readonly string[]): string {
  return `${[
    'serial_no = 7 # counted',
    `primary = ${OWN.primary}`,
    `backup = ${OWN.backup}`,
    'backup_active = 1',
    'keepalive_ms = 200',
    'deadtime_ms = 2000',
    'network = direct',
    'dataplane = none',
    `heartbeat_key_file = ${join(segment.directory, 'key')}`,
    ...more,
    'virtual web {',
    '    active = 1',
    `    address = ${VIP} eth0:1`,
    '    server a {',
    '        address = 198.51.100.21',
    '        active = 1',
    `        weight = ${weight}`,
    '    }',
    '}',
  ].join('\n')}\n`;
}

const fileOf = (node: NodeName): string => join(segment.runDirectory(node), 'lvs.cf');
const readFileOf = (node: NodeName): string => readFileSync(fileOf(node), 'utf8');
const stateOf = (node: NodeName): string => join(segment.directory, `state-${node}`);

function start(node: NodeName): Daemon {
  return segment.pulse(node, '-c', fileOf(node), '--state-dir', stateOf(node));
}

/** Both run with the same file, the primary is active, and each can ask the other. */
async function pair(): Promise<{ first: Daemon; second: Daemon }> {
  const key = join(segment.directory, 'key');
  writeFileSync(key, `${KEY}\n`, { mode: 0o600 });
  for (const node of ['primary', 'backup'] as const) writeFileSync(fileOf(node), textOf(3));
  const first = start('primary');
  await first.says('198.51.100.1 sends');
  const second = start('backup');
  await second.says('partner heard');
  await channel('primary');
  await channel('backup');
  return { first, second };
}

/** Waits until this node can ask the other one. */
async function channel(node: NodeName): Promise<void> {
  let said = '';
  const isOpen = (): boolean => {
    const { status, stderr } = piranha(node, 'diff', '--partner');
    said = stderr;
    return status === 0;
  };
  await until(isOpen, 'the channel').catch((error: Error) =>
    assert.fail(`${error.message}: ${said}`),
  );
}

function piranha(node: NodeName, verb: string, ...words: readonly string[]): Ran {
  return segment.piranha(node, verb, ...words);
}

/** Writes a text where an operator would have it, and applies it. */
function apply(node: NodeName, text: string, ...words: readonly string[]): Ran {
  const file = join(segment.directory, 'wish.cf');
  writeFileSync(file, text);
  return piranha(node, 'apply', file, '--author', 'alice', '--reason', 'ticket 4411', ...words);
}

function weightOf(node: NodeName): string | undefined {
  return /weight = (\d+)/.exec(readFileOf(node))?.[1];
}

/** What the daemon runs by, not what the file says. */
function runningSerial(node: NodeName): number {
  const { stdout } = piranha(node, 'status', '--json');
  return Number(JSON.parse(stdout).configuration?.serialNo ?? Number.NaN);
}

const bothWeigh = (weight: string): boolean =>
  weightOf('primary') === weight && weightOf('backup') === weight;

describe('a change on both nodes', () => {
  test('is told, made standby first, and kept when it is confirmed', async () => {
    const { first, second } = await pair();
    chmodSync(fileOf('backup'), 0o640);
    const done = apply('primary', textOf(2), '--both', '--confirm', '60s');
    assert.equal(done.status, 0, done.stderr);
    assert.match(done.stdout, /^web\/a: weight 3 -> 2\nno VIP moves\n/);
    assert.match(done.stdout, /on the partner\nversion \d+ is in force\n/);
    assert.match(done.stdout, /goes back in 60 s unless you type: piranha confirm/);
    assert.ok(bothWeigh('2'));
    assert.match(readFileOf('primary'), /^serial_no = 8 # counted$/m);
    assert.equal(readFileOf('primary'), readFileOf('backup'));
    assert.deepEqual([runningSerial('primary'), runningSerial('backup')], [8, 8]);
    assert.equal(statSync(fileOf('backup')).mode & 0o777, 0o640);

    const second4 = apply('backup', textOf(4), '--both');
    assert.equal(second4.status, 1);
    assert.match(second4.stderr, /by alice \(ticket 4411\) waits for its confirmation, \d+ s left/);

    assert.equal(piranha('backup', 'confirm').status, 0, 'on either node');
    for (const daemon of [first, second]) await daemon.says('(confirmed)');
    assert.equal(piranha('primary', 'confirm').status, 1, 'nothing waits any more');
    assert.match(
      piranha('primary', 'history').stdout,
      /^8 .* kept .* alice +ticket 4411\n7 .* found /,
    );
    assert.match(piranha('backup', 'history').stdout, /^8 .* kept .* alice +ticket 4411\n/);
    assert.ok(bothWeigh('2'));
  });

  test('that is not confirmed goes back on both', async () => {
    const { first, second } = await pair();
    assert.equal(apply('primary', textOf(2), '--both', '--confirm', '2s').status, 0);
    assert.ok(bothWeigh('2'));
    for (const daemon of [first, second]) await daemon.says('was not confirmed in its time');
    await until(() => runningSerial('primary') === 7 && runningSerial('backup') === 7, 'both back');
    assert.equal(readFileOf('primary'), textOf(3));
    assert.equal(readFileOf('backup'), textOf(3));
    assert.match(piranha('backup', 'history').stdout, /^8 .* rolled-back /);
  });

  test('goes back on both by itself when the two are cut apart before it is confirmed', async () => {
    const { first, second } = await pair();
    assert.equal(apply('primary', textOf(2), '--both', '--confirm', '5s').status, 0);
    segment.switchRule('ether type ip tcp dport 3637 drop');
    const confirmed = piranha('primary', 'confirm');
    assert.equal(confirmed.status, 1);
    assert.match(confirmed.stderr, /not confirmed: the partner cannot be reached: .*3637/);
    for (const daemon of [first, second]) await daemon.says('was not confirmed in its time');
    await until(() => bothWeigh('3'), 'both back');
    segment.switchRule(undefined);
  });

  test('is refused whole, with nothing changed, when the partner cannot be reached or refuses it', async () => {
    await pair();
    const broken = apply('primary', textOf(2).replace('198.51.100.21', 'no-address'), '--both');
    assert.equal(broken.status, 1);
    assert.match(broken.stderr, /lvs\.cf:14:19: .*no-address/);
    // Only the backup would have no such interface.
    segment.hosts
      .get('primary')
      ?.shell('ip link add only0 type veth peer name only1 && ip link set only0 up');
    const half = apply('primary', textOf(2).replace('eth0:1', 'only0:1'), '--both');
    assert.equal(half.status, 1);
    assert.match(half.stderr, /interface only0 .*does not exist\n.*the partner refuses the file/);
    segment.switchRule('ether type ip tcp dport 3637 drop');
    const cut = apply('primary', textOf(2), '--both');
    assert.equal(cut.status, 1);
    assert.match(
      cut.stderr,
      /the partner cannot be reached: 198\.51\.100\.12 port 3637: no answer/,
    );
    assert.ok(bothWeigh('3'));
    assert.match(piranha('primary', 'history').stdout, /no change was made yet/);
  });

  test('without a time to confirm is kept on both at once; rollback goes back to an old version', async () => {
    await pair();
    const done = apply('backup', textOf(2), '--both');
    assert.match(done.stdout, /kept on both nodes/, done.stderr);
    const back = piranha('primary', 'rollback', '7', '--both');
    assert.equal(back.status, 0, back.stderr);
    assert.ok(bothWeigh('3'));
    assert.match(readFileOf('backup'), /serial_no = 9/);
  });
});

describe('a change on one node', () => {
  test('is undone at the restart when the director was killed and its time has passed', async () => {
    const { second } = await pair();
    assert.equal(apply('backup', textOf(2), '--confirm', '2s').status, 0);
    second.signal('SIGKILL');
    await second.exit;
    assert.equal(weightOf('backup'), '2');
    spawnSync('sleep', ['2.1']);
    const again = start('backup');
    await again.says('was not confirmed in its time: back to version 7 (rolled-back)');
    await again.says('STARTING');
    assert.equal(readFileOf('backup'), textOf(3));
  });

  test('goes on waiting over a restart while there is time, and can be confirmed then', async () => {
    const { second } = await pair();
    assert.equal(apply('backup', textOf(2), '--confirm', '5m').status, 0);
    second.signal('SIGKILL');
    await second.exit;
    const again = start('backup');
    await again.says('waits for its confirmation');
    assert.equal(piranha('backup', 'confirm').status, 0);
    assert.equal(weightOf('backup'), '2');
  });

  test('that was made from another file is refused as stale; node and data plane stay what they are', async () => {
    await pair();
    const stale = apply('primary', textOf(2), '--if-match', '0123456789abcdef');
    assert.match(stale.stderr, /this change was made from 0123456789abcdef: read it again/);
    const plane = apply('primary', textOf(2).replace('dataplane = none', 'dataplane = auto'));
    assert.match(plane.stderr, /dataplane = auto: that needs a restart/);
    assert.equal(readFileOf('primary'), textOf(3));
  });

  test('shows against the partner; push and pull make both the same, byte for byte', async () => {
    await pair();
    assert.equal(apply('primary', textOf(2)).status, 0);
    const differs = piranha('backup', 'diff', '--partner');
    assert.equal(differs.status, 1);
    assert.match(differs.stdout, /^web\/a: weight 2 -> 3\nno VIP moves\n(?:.*\n)*--- partner\n/);
    const pushed = piranha('primary', 'push');
    assert.match(pushed.stdout, /^both nodes run [0-9a-f]{16}\n/, pushed.stderr);
    assert.equal(readFileOf('backup'), readFileOf('primary'));
    assert.equal(apply('primary', textOf(5)).status, 0);
    assert.equal(piranha('backup', 'pull').status, 0);
    assert.equal(readFileOf('backup'), readFileOf('primary'));
    assert.equal(piranha('primary', 'diff', '--partner').status, 0);
  });
});

describe('the courier', () => {
  test('runs as a user without rights, has forgotten its plan, and ends with its director', async () => {
    const { first } = await pair();
    const pid = courierOf(first);
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    assert.match(status, /^Uid:\t61183\t61183\t61183\t61183$/m);
    assert.match(status, /^CapEff:\t0+$/m);
    assert.match(status, /^CapPrm:\t0+$/m);
    const argv = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    assert.doesNotMatch(argv, new RegExp(KEY));
    assert.equal(existsSync(join(segment.runDirectory('primary'), 'courier.plan')), false);
    assert.equal(statSync(join(segment.runDirectory('primary'), 'courier.sock')).uid, 61183);
    first.signal('SIGKILL');
    await first.exit;
    await until(() => !existsSync(`/proc/${pid}`), 'the courier to end with its director');
  });

  test('is started again when it ends, and not at all without a key', async () => {
    const { first } = await pair();
    const pid = courierOf(first);
    process.kill(pid, 'SIGKILL');
    await first.says('the courier ended, it is started again');
    await channel('primary');
    assert.notEqual(courierOf(first), pid);
    const without = readFileOf('primary').replace(/^heartbeat_key_file.*\n/m, '');
    assert.equal(apply('primary', without).status, 0);
    const { status, stderr } = piranha('primary', 'diff', '--partner');
    assert.equal(status, 2);
    assert.match(stderr, /no channel to the partner: it needs heartbeat_key_file/);
    assert.equal(existsSync(join(segment.runDirectory('primary'), 'partner.sock')), false);
  });
});

/** The courier of a director: the spawner's child. */
function courierOf(daemon: Daemon): number {
  const childrenOf = (pid: number): readonly number[] =>
    spawnSync('pgrep', ['-P', String(pid)], { encoding: 'utf8' })
      .stdout.split('\n')
      .map(Number);
  const all = childrenOf(daemon.pid).flatMap(childrenOf);
  const found = all.find(
    (pid) => pid > 0 && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('courier'),
  );
  assert.ok(found !== undefined, 'a courier runs');
  return found;
}
