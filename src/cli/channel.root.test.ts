import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { enterNamespace } from '../ports/index.ts';
import { CliSegment, until, VIP } from './segment-under-test.ts';

enterNamespace();

let segment: CliSegment;

const verdict = (node: string, ...words: readonly string[]) =>
  segment.piranha(node, 'status', '--brief', ...words).stdout;

/** A pair with a key has a courier on each side. */
before(async () => {
  segment = new CliSegment();
  await segment.build();
  segment.configure(
    'network = direct',
    segment.keyLine(),
    'virtual shop {',
    '    active = 1',
    `    address = ${VIP} eth0:1`,
    '}',
  );
  segment.pulse('primary');
  await until(() => verdict('primary').includes('is active'), 'the primary to be active');
  segment.pulse('backup');
  await until(() => verdict('primary').includes('could take over'), 'the pair');
  await until(
    () => verdict('primary', '--node', 'partner').includes('PIRANHA OK'),
    'the channel between the two',
  );
});

after(() => segment.close());

test('each node tells the status of the other', () => {
  assert.match(
    verdict('primary', '--node', 'partner'),
    /This director is standby and could take over/,
  );
  assert.match(
    verdict('backup', '--node', 'partner'),
    /is active; 198\.51\.100\.1 sends the VIP here/,
  );
});

test('a drill has the word of the witness for both directions', async () => {
  const { status, stdout } = segment.piranha('primary', 'prove', '--yes');
  assert.equal(status, 0, stdout);
  const page = stdout.slice(stdout.indexOf('\nPROVED'));
  assert.equal(
    page.match(/198\.51\.100\.1 sends it to the new owner, [\d.]+ ms after/g)?.length,
    2,
    page,
  );
});

test('events of both nodes stand in one list', () => {
  const { stdout, stderr } = segment.piranha('backup', 'events');
  assert.equal(stderr, '');
  assert.match(stdout, /Z {2}primary {2}/);
  assert.match(stdout, /Z {2}backup {3}/);
});

test('an incident is opened with the halves of both nodes, on one clock', async () => {
  const ids = () => segment.piranha('primary', 'incident', '--node', 'own').stdout;
  const theirs = () => segment.piranha('primary', 'incident', '--node', 'partner').stdout;
  await until(
    () => /\(operator\)/.test(ids()) && /partner-claims/.test(theirs()),
    'both recordings',
  );
  const id =
    ids()
      .split('\n')
      .find((line) => line.includes('(operator)'))
      ?.split(' ')[0] ?? '';
  const { stdout, status, stderr } = segment.piranha('primary', 'incident', id);
  assert.equal(status, 0, stderr);
  assert.match(
    stdout,
    /^incident \S+ of the primary, with \S+ of the backup\nclocks matched by heartbeats/,
  );
  const roles = Array.from(
    stdout.matchAll(/^ +([\d.]+) s {2}(primary|backup) +(\w+) \((\S+)\)$/gm),
    ([, , node, role, reason]) => `${node} ${role} ${reason}`,
  );
  assert.ok(
    roles.indexOf('primary fault operator') < roles.indexOf('backup active partner-resigned'),
    roles.join(),
  );
  assert.ok(
    roles.indexOf('backup active partner-resigned') < roles.indexOf('primary active operator'),
    roles.join(),
  );
  const drawn = segment.piranha('primary', 'incident', id, '--diagram').stdout;
  assert.match(drawn, /VIP removed/);
  assert.match(drawn, /ACTIVE: partner-resigned/);
});

test('a report holds what both nodes said; the doctor finds key and channel well', () => {
  const output = join(segment.directory, 'bundle');
  const words = ['--output', output, '-c', segment.configFile];
  assert.equal(segment.piranha('primary', 'report', ...words).status, 0);
  const read = (name: string) => readFileSync(join(output, name), 'utf8');
  assert.equal(JSON.parse(read('status.json')).node, 'primary');
  assert.equal(JSON.parse(read('partner/status.json')).node, 'backup');
  assert.match(read('doctor.txt'), /✓ heartbeat-key .*✓ partner-channel/s);
  for (const name of ['doctor.txt', 'status.json', 'lvs.cf', 'log.txt']) {
    assert.doesNotMatch(read(name), /00112233445566778899/, name);
  }
});
