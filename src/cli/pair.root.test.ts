import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { enterNamespace } from '../ports/index.ts';
import { CliSegment, until, VIP } from './segment-under-test.ts';

enterNamespace();

let segment: CliSegment;

const verdict = (node: string) => segment.piranha(node, 'status', '--brief').stdout;

before(async () => {
  segment = new CliSegment();
  await segment.build();
  segment.configure(
    'network = direct',
    'virtual shop {',
    '    active = 1',
    `    address = ${VIP} eth0:1`,
    '    send = "GET / HTTP/1.0\\r\\nAuthorization: Basic c2VjcmV0\\r\\n\\r\\n"',
    '    expect = "HTTP"',
    '}',
  );
  segment.pulse('primary');
  await until(() => verdict('primary').includes('is active'), 'the primary to be active');
  segment.pulse('backup');
  await until(
    () => verdict('primary').includes('sends the VIP here; the partner is standby and could'),
    'pair',
  );
});

after(() => segment.close());

describe('status', () => {
  test('answers in one sentence who owns, who believes it, and who could take over', () => {
    const own = segment.piranha('primary', 'status');
    assert.match(
      own.stdout,
      /^HEALTHY {2}This director is active; 198\.51\.100\.1 sends the VIP here; the partner is standby and could take over\.\n/,
    );
    assert.equal(own.status, 0);
    assert.match(
      verdict('backup'),
      /^PIRANHA OK - This director is standby and could take over; the partner is active/,
    );
    assert.match(verdict('primary'), /\| vips=1 held=1 believed=1\n$/);
  });

  test('a partner without a channel is said so, and is unknown', () => {
    const { status, stdout } = segment.piranha('primary', 'status', '--brief', '--node', 'partner');
    assert.equal(status, 3);
    assert.match(stdout, /^PIRANHA UNKNOWN - Nothing is known of the partner: there is no channel/);
    const order = segment.piranha('primary', 'takeover', '--node', 'partner');
    assert.equal(order.status, 1);
    assert.match(order.stderr, /^refused: there is no channel[^\n]*heartbeat_key_file[^\n]*\n$/);
  });
});

test('metrics tell how long a heartbeat takes there and back, and that a witness answers the owner', () => {
  const socket = join(segment.runDirectory('primary'), 'read.sock');
  const asked = ['-sf', '--unix-socket', socket, 'http://x/metrics'];
  const text = segment.hosts.get('primary')?.run('curl', ...asked).stdout ?? '';
  const of = (series: string): number =>
    Number(
      text
        .split('\n')
        .find((line) => line.startsWith(`${series} `))
        ?.slice(series.length),
    );
  const echo = 'piranha_heartbeat_echo_seconds';
  assert.ok(of(`${echo}_count{path="public"}`) >= 3, text.slice(0, 400));
  // A keepalive of 100 ms: each waits for the partner's own next heartbeat and no longer.
  assert.ok(of(`${echo}_bucket{path="public",le="0.25"}`) >= 3);
  assert.equal(of('piranha_witness_asked'), 1);
  assert.equal(of('piranha_witnesses_answering'), 1);
  assert.ok(of('piranha_announcements_sent_total{form="request"}') > 0);
});

describe('prove', () => {
  test('refuses where nobody can be asked', () => {
    const { status, stderr } = segment.piranha('backup', 'prove');
    assert.equal(status, 64);
    assert.match(stderr, /--yes is wanted/);
  });

  for (const node of ['backup', 'primary']) {
    test(`from the ${node}: there and back, with the milliseconds and the witness`, () => {
      const { status, stdout, stderr } = segment.piranha(node, 'prove', '--yes');
      assert.equal(status, 0, stdout + stderr);
      assert.match(
        stdout,
        /\nPROVED {2}the VIP moved to the backup in [\d.]+ ms, and to the primary in [\d.]+ ms\n/,
      );
      assert.match(stdout, /✓ partner ready {2}.* could take over/);
      assert.match(
        stdout,
        /198\.51\.100\.100: 198\.51\.100\.1 sends it to the new owner, [\d.]+ ms after/,
      );
      assert.match(verdict('primary'), /is active; 198/);
    });
  }

  test('its JSON has every step, and the preflight alone moves nothing', async () => {
    await until(() => verdict('primary').includes('could take over'), 'rest');
    const { stdout } = segment.piranha('backup', 'prove', '--yes', '--json');
    const proof = JSON.parse(stdout);
    assert.equal(proof.isProved, true);
    assert.deepEqual(
      proof.legs.map((leg: { order: string; owner: string }) => [leg.order, leg.owner]),
      [
        ['takeover', 'backup'],
        ['resign', 'primary'],
      ],
    );
    assert.ok(proof.legs[0].tookMs > 0 && proof.legs[0].tookMs < 1000);
    const dry = segment.piranha('primary', 'prove', '--dry-run');
    assert.equal(dry.status, 0, dry.stderr);
    assert.match(dry.stdout, /ready for a drill/);
  });

  test('a partner in maintenance refuses the drill with the reason', async () => {
    segment.piranha('backup', 'maintenance', 'on');
    await until(() => verdict('primary').includes('may not take over'), 'maintenance');
    const { status, stderr } = segment.piranha('primary', 'prove', '--yes');
    assert.equal(status, 1);
    assert.match(stderr, /refused: partner ready: .* may not take over \(\w+\)/);
    segment.piranha('backup', 'maintenance', 'off');
    await until(() => verdict('primary').includes('could take over'), 'its end');
  });
});

describe('what happened', () => {
  test('events are told in order, with kinds, and from a time on', () => {
    const { stdout, status, stderr } = segment.piranha('primary', 'events');
    assert.equal(status, 0, stderr);
    assert.match(stderr, /no channel to the partner/);
    assert.match(stdout, /Z {2}primary {2}role {6}.*\(partner-claims\)/);
    const times = stdout
      .trim()
      .split('\n')
      .map((line) => line.slice(0, 24));
    assert.deepEqual(times, [...times].sort());
    const [first = ''] = segment.piranha('primary', 'events', '--json').stdout.split('\n');
    const { id } = JSON.parse(first);
    const later = segment.piranha('primary', 'events', '--since', id, '--json').stdout;
    assert.ok(!later.includes(`"${id}"`) && later.length > 0);
    const none = segment.piranha('primary', 'events', '--since', '2099-01-01T00:00:00Z');
    assert.equal(none.stdout, '');
  });

  test('followed, an event comes as it happens', async () => {
    const host = segment.hosts.get('primary');
    const words = ['events', '--follow', '--json', '--node', 'own', '--limit', '1'];
    const path = join(segment.directory, 'followed');
    const script = `timeout 15 ./piranha ${words.join(' ')} --run-dir ${segment.runDirectory('primary')} > ${path}`;
    host?.start('sh', '-c', script);
    await until(
      () => existsSync(path) && readFileSync(path, 'utf8').includes('\n'),
      'the last event',
    );
    segment.piranha('primary', 'reload');
    const kinds = () =>
      readFileSync(path, 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).kind);
    await until(() => kinds().slice(1).includes('config'), `the reload: ${kinds()}`);
  });

  test('incidents are listed, and one is opened as its diagram', async () => {
    const list = () => segment.piranha('primary', 'incident', '--node', 'own');
    await until(
      () => /active \(partner-silent\)|active \(operator\)/.test(list().stdout),
      'a recording',
    );
    const [id = ''] = segment.piranha('primary', 'incident', '--ids').stdout.split('\n');
    const opened = segment.piranha('primary', 'incident', id);
    assert.equal(opened.status, 0, opened.stderr);
    assert.match(opened.stdout, /^incident \S+ of the primary, alone\none node, its clock\n/);
    const drawn = segment.piranha('primary', 'incident', id, '--diagram').stdout;
    assert.match(drawn, / seconds primary +backup +router/);
    const file = join(segment.directory, 'raw.jsonl');
    writeFileSync(file, segment.piranha('primary', 'incident', id, '--raw').stdout);
    const again = spawnSync('./piranha', ['replay', file], { encoding: 'utf8' });
    assert.equal(again.status, 0, again.stdout + again.stderr);
    assert.equal(segment.piranha('primary', 'incident', '20000101T000000Z-1').status, 1);
  });
});

describe('report', () => {
  test('an archive that tar reads, closed to others, without the secret', () => {
    const output = join(segment.directory, 'report.tar.gz');
    const words = ['--output', output, '-c', segment.configFile];
    const { status, stdout, stderr } = segment.piranha('primary', 'report', ...words);
    assert.equal(status, 0, stderr);
    assert.match(stdout, /report\.tar\.gz: \d+ files/);
    assert.equal(statSync(output).mode & 0o777, 0o600);
    const into = join(segment.directory, 'unpacked');
    mkdirSync(into);
    const tar = spawnSync('tar', ['-xzf', output, '-C', into], { encoding: 'utf8' });
    assert.equal(tar.status, 0, tar.stderr);
    const read = (name: string) => readFileSync(join(into, 'piranha-report', name), 'utf8');
    assert.match(read('lvs.cf'), /address = 198\.51\.100\.100 eth0:1/);
    assert.match(read('lvs.cf'), /send = \[cut: \d+ characters\]/);
    assert.doesNotMatch(read('lvs.cf'), /c2VjcmV0/);
    assert.equal(JSON.parse(read('status.json')).role, 'active');
    assert.match(read('doctor.txt'), /^doctor on primary/);
    assert.match(read('kernel/addresses.txt'), /198\.51\.100\.11/);
    assert.match(read('partner/no-answer.txt'), /no channel/);
    const again = segment.piranha('primary', 'report', ...words);
    assert.equal(again.status, 1);
    assert.match(again.stderr, /exists already/);
  });

  test('a directory instead, when the daemon is gone', () => {
    const output = join(segment.directory, 'bundle');
    const elsewhere = join(segment.directory, 'nobody');
    const ran = spawnSync(
      './piranha',
      ['report', '--output', output, '--run-dir', elsewhere, '-c', segment.configFile],
      { encoding: 'utf8' },
    );
    assert.equal(ran.status, 0, ran.stderr);
    assert.match(
      readFileSync(join(output, 'no-answer.txt'), 'utf8'),
      /does not answer \(not-running\)/,
    );
    assert.equal(statSync(join(output, 'lvs.cf')).mode & 0o777, 0o600);
  });
});

describe('top and a dead daemon', () => {
  test('top shows its table once where there is no terminal', () => {
    const { status, stdout } = segment.piranha('primary', 'top');
    assert.equal(status, 0);
    assert.match(stdout, /^by none .*\nSERVICE \/ SERVER +CONN\/S +ACTIVE/);
  });

  test('after kill -9 the status reads the kernel: the VIP is still here', async () => {
    const pid = readFileSync(join(segment.runDirectory('primary'), 'pulse.pid'), 'utf8').trim();
    process.kill(Number(pid), 'SIGKILL');
    await until(() => verdict('backup').includes('is active'), 'the takeover');
    chmodSync(segment.configFile, 0o644);
    const { status, stdout } = segment.piranha('primary', 'status', '-c', segment.configFile);
    assert.equal(status, 2);
    assert.match(
      stdout,
      /^CRITICAL {2}The daemon is not running; VIP 198\.51\.100\.100 is still on eth0\./,
    );
  });
});
