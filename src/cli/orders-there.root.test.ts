/** Orders and overrides on the partner's director, given from here: through the two couriers, with real daemons. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { AuditEntry } from '../director/index.ts';
import { enterNamespace } from '../ports/index.ts';
import { asNobody } from './nobody-under-test.ts';
import { CliSegment, until, VIP } from './segment-under-test.ts';

enterNamespace();

let segment: CliSegment;

const verdict = (node: string): string => segment.piranha(node, 'status', '--brief').stdout;
const isActive = (node: string) => () => verdict(node).includes('This director is active');

/** `web/a 5 weighed` of each server, by that node's director. */
function servers(node: string): readonly string[] {
  const { stdout } = segment.piranha(node, 'services', '--json');
  const { overrides }: { overrides: { target: string; kind: string; weight?: number }[] } =
    JSON.parse(stdout);
  return overrides.map(({ target, kind, weight }) => [target, kind, weight].join(' ').trim());
}

function audit(node: string): readonly string[] {
  const socket = join(segment.runDirectory(node), 'pulse.sock');
  const url = 'http://x/v1/audit?limit=100';
  const ran = segment.hosts.get(node)?.run('curl', '-s', '--unix-socket', socket, url);
  const { entries }: { entries: AuditEntry[] } = JSON.parse(ran?.stdout ?? '');
  return entries.map(
    ({ who, from, action, result }) => `${who} over ${from}: ${action}: ${result}`,
  );
}

before(async () => {
  process.env.SUDO_USER = 'ann';
  segment = new CliSegment();
  await segment.build();
  segment.configure(
    // Nobody waits for a deadtime here, and a busy machine must not take one for another: the last word counts.
    'deadtime_ms = 2000',
    'network = direct',
    segment.keyLine(),
    'virtual web {',
    '    active = 1',
    `    address = ${VIP} eth0:1`,
    '    server a {',
    '        address = 198.51.100.1',
    '        active = 1',
    '    }',
    '}',
  );
  segment.pulse('primary');
  await until(isActive('primary'), 'the primary to be active');
  segment.pulse('backup');
  await until(() => verdict('primary').includes('could take over'), 'the pair');
  for (const node of ['primary', 'backup']) {
    const there = () => segment.piranha(node, 'status', '--brief', '--node', 'partner').stdout;
    await until(() => there().includes('PIRANHA OK'), 'the channel between the two');
  }
});

after(() => segment.close());

describe('an order on the partner', () => {
  test('it takes the VIPs over from this node, step by step in its own words', async () => {
    const { status, stdout, stderr } = segment.piranha('primary', 'takeover', '--node', 'partner');
    assert.equal(status, 0, stdout + stderr);
    assert.match(stdout, /^ +[\d.]+ ms {2}partner: .* -> active \(operator\)$/m);
    assert.match(stdout, /partner: 198\.51\.100\.1 sends 198\.51\.100\.100 here/);
    await until(isActive('backup'), 'the backup to be active');
    assert.match(verdict('primary'), /is standby/);
  });

  test('its audit has who gave it, and where', () => {
    const mine = 'ann (through the primary) over courier.sock: POST /v1/role: done';
    assert.deepEqual(audit('backup'), [mine]);
    assert.deepEqual(audit('primary'), []);
  });

  test('it resigns, and the document says whose it is', async () => {
    const words = ['--node', 'partner', '--for', '2s', '--json'];
    const { status, stdout } = segment.piranha('primary', 'resign', ...words);
    const document = JSON.parse(stdout);
    assert.deepEqual([status, document.node, document.state], [0, 'partner', 'done']);
    await until(isActive('primary'), 'the primary to be active again');
  });

  test('it goes into maintenance, which refuses it the takeover, and out of it', async () => {
    const order = (...words: readonly string[]) =>
      segment.piranha('primary', 'maintenance', ...words, '--node', 'partner');
    assert.equal(order('on').status, 0);
    await until(() => verdict('primary').includes('may not take over'), 'maintenance');
    const { status, stderr } = segment.piranha('primary', 'resign');
    assert.deepEqual([status, /^refused: /.test(stderr)], [1, true]);
    assert.equal(order('off').status, 0);
    await until(() => verdict('primary').includes('could take over'), 'its end');
    const again = order('off');
    assert.equal(again.status, 1);
    assert.match(again.stderr, /^refused: the partner: /);
  });
});

describe('an override', () => {
  test('is said to both nodes unless one is named', async () => {
    const drained = segment.piranha('primary', 'drain', 'web/a', '--for', '30m');
    assert.deepEqual([drained.status, drained.stderr], [0, '']);
    assert.match(
      drained.stdout,
      /^web\/a: weight 0.*, for 30m\npartner: web\/a: weight 0.*, for 30m\n$/,
    );
    assert.deepEqual([servers('primary'), servers('backup')], [['web/a drain'], ['web/a drain']]);
    assert.equal(segment.piranha('primary', 'undrain', 'web/a').status, 0);
    assert.deepEqual([servers('primary'), servers('backup')], [[], []]);
    assert.equal(segment.piranha('backup', 'weight', 'web/a', '5').status, 0);
    assert.deepEqual(
      [servers('primary'), servers('backup')],
      [['web/a weight 5'], ['web/a weight 5']],
    );
    assert.equal(
      audit('primary').at(-1),
      'ann (through the backup) over courier.sock: POST /v1/servers: done',
    );
  });

  test('is said to the partner alone where that is asked for', () => {
    const { status, stdout } = segment.piranha(
      'primary',
      'undrain',
      'web/a',
      '--node',
      'partner',
      '--json',
    );
    assert.equal(status, 0);
    assert.deepEqual(JSON.parse(stdout).results, [{ target: 'web/a', node: 'partner' }]);
    assert.deepEqual([servers('primary'), servers('backup')], [['web/a weight 5'], []]);
    assert.equal(segment.piranha('primary', 'undrain', 'web/a').status, 0);
  });

  test('that the partner refuses is told as its refusal', () => {
    const { status, stderr } = segment.piranha('primary', 'drain', 'web/z', '--node', 'partner');
    assert.equal(status, 1);
    assert.match(stderr, /^refused: the partner: no real server is called web\/z/);
  });
});

test('whoever may only look here cannot give orders by the detour', () => {
  const ran = (...words: readonly string[]) =>
    segment.hosts.get('primary')?.run(...asNobody(words));
  const runDirectory = segment.runDirectory('primary');
  const before = audit('backup').length;
  const takeover = ran('takeover', '--node', 'partner', '--run-dir', runDirectory);
  assert.equal(takeover?.status, 1);
  assert.match(takeover?.stderr ?? '', /the partner does not answer \(no-permission\)/);
  const drain = ran('drain', 'web/a', '--node', 'both', '--run-dir', runDirectory);
  assert.equal(drain?.status, 1);
  const socket = join(runDirectory, 'partner.sock');
  const giveUp = segment.hosts
    .get('primary')
    ?.run(
      'curl',
      '-s',
      '--unix-socket',
      socket,
      '-H',
      'piranha-right: look',
      '-H',
      'piranha-user: bob',
      '-d',
      '{"order":"takeover"}',
      'http://x/v1/role',
    );
  assert.match(
    giveUp?.stdout ?? '',
    /this needs the right to operate; there is only the right to look/,
  );
  assert.deepEqual(audit('backup').slice(before), [
    'bob (through the primary) over courier.sock: POST /v1/role: denied',
  ]);
  assert.deepEqual([isActive('primary')(), servers('primary'), servers('backup')], [true, [], []]);
});

test('a partner that is gone is said in a sentence; what holds here is said here', async () => {
  const runDirectory = segment.runDirectory('backup');
  segment.hosts.get('backup')?.shell(`kill -9 $(cat ${runDirectory}/pulse.pid)`);
  const order = segment.piranha('primary', 'takeover', '--node', 'partner');
  assert.equal(order.status, 1);
  assert.match(order.stderr, /^refused: the partner does not answer/);
  const drain = segment.piranha('primary', 'drain', 'web/a');
  assert.equal(drain.status, 0);
  assert.match(drain.stderr, /^on this node only: the partner does not answer/);
  assert.deepEqual(servers('primary'), ['web/a drain']);
  assert.equal(segment.piranha('primary', 'undrain', 'web/a', '--node', 'both').status, 1);
});
