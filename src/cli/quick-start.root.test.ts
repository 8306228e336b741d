/** docs/quick-start.md, done as it says: its lvs.cf, its key, its commands, on the addresses that it names. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { enterNamespace } from '../ports/index.ts';
import { CliSegment, until } from './segment-under-test.ts';

enterNamespace();

const page = readFileSync(join(import.meta.dirname, '../../docs/quick-start.md'), 'utf8');
const ROOT = join(import.meta.dirname, '..', '..');
const KEY_FILE = '/etc/sysconfig/ha/heartbeat.key';
let segment: CliSegment;

/** Each machine has its own, here as there. */
const fileOf = (node: string) => join(segment.directory, `${node}.cf`);

function start(node: string): void {
  const state = join(segment.directory, `${node}-state`);
  const words = ['-n', '-c', fileOf(node), '--run-dir', segment.runDirectory(node)];
  segment.hosts.get(node)?.start(join(ROOT, 'bin', 'pulse'), ...words, '--state-dir', state);
}

/** What stands between the fences, by its first words. */
function shown(first: string): string {
  const block = page.split('```\n').find((part) => part.startsWith(first));
  assert.ok(block !== undefined, `the page shows nothing that begins with "${first}"`);
  return block;
}

function line(pattern: RegExp): string {
  const [found] = pattern.exec(page) ?? [];
  assert.ok(found !== undefined, `the page has no line ${pattern}`);
  return found;
}

/** The sentences it promises. */
const promised = Array.from(
  page.matchAll(/^> ((?:HEALTHY|PROVED) .*)$/gm),
  ([, text = '']) => text,
);
const firstLine = (node: string) => segment.piranha(node, 'status').stdout.split('\n')[0];

before(async () => {
  segment = new CliSegment();
  await segment.build();
  for (const [name, number] of [
    ['web-a', 21],
    ['web-b', 22],
  ] as const) {
    const host = await segment.add(name, number);
    const settings = line(/net\.ipv4\.conf\.all\.arp_ignore.*(?= > )/);
    host.shell(`sysctl -qw ${settings}\n${line(/^ip addr add .* dev lo$/m)}`);
    const server = `require('node:http').createServer((_, answer) => answer.end('${name}')).listen(80)`;
    host.start(process.execPath, '-e', server);
  }
});

after(() => segment.close());

test('the key that it makes is one', () => {
  const key = join(segment.directory, 'heartbeat.key');
  const script = line(/^\(umask 077; .*$/m).replace(KEY_FILE, key);
  assert.equal(spawnSync('sh', ['-ec', script]).status, 0);
  assert.equal(statSync(key).mode & 0o777, 0o600);
  assert.match(readFileSync(key, 'utf8'), /^[0-9a-f]{64}$/);
});

test('its lvs.cf passes the check that it shows, with these words', () => {
  const text = shown('serial_no = ');
  const own = text.replace(KEY_FILE, join(segment.directory, 'heartbeat.key'));
  for (const node of ['primary', 'backup']) writeFileSync(fileOf(node), own);
  const words = ['check', fileOf('primary')];
  const { stdout, status } = spawnSync(join(ROOT, 'piranha'), words, { encoding: 'utf8' });
  const [, said = ''] = /^\/etc\/sysconfig\/ha\/lvs\.cf(: good.*)$/m.exec(page) ?? [];
  assert.equal(stdout, `${fileOf('primary')}${said}\n`);
  assert.equal(status, 0);
});

test('the pair comes up, and both verdicts are those of the page', async () => {
  start('primary');
  await until(() => firstLine('primary')?.includes('is active') === true, 'the first director');
  start('backup');
  const [active = '', standby = ''] = promised;
  const verdicts = () => [firstLine('primary'), firstLine('backup')];
  await until(
    () => verdicts().join() === [active, standby].join(),
    `${active}\n${standby}\n`,
  ).catch((error: Error) => assert.fail(`${error.message}; they say ${verdicts().join('\n')}`));
});

test('clients are served by both real servers', async () => {
  const ask = () =>
    segment.hosts.get('router')?.run('curl', '-s', '-m', '2', 'http://198.51.100.100/').stdout;
  const answers = new Set<string | undefined>();
  await until(() => {
    answers.add(ask());
    return answers.has('web-a') && answers.has('web-b');
  }, 'an answer of each');
});

test('the doctor finds nothing broken', () => {
  const { stdout, status } = segment.piranha('primary', 'doctor', '-c', fileOf('primary'));
  assert.match(stdout, /^doctor on primary \(active\), serial_no 1, direct: \d+ checks, 0 broken/);
  // A kernel without IPVS, or a machine without the real-time class, is worth a warning.
  assert.ok(status === 0 || status === 1, stdout);
});

test('the drill is passed, and its last line is like the one shown', () => {
  const { stdout, stderr, status } = segment.piranha('primary', 'prove', '--yes');
  assert.equal(status, 0, stdout + stderr);
  const shape = (promised[2] ?? '').replace(/[\d.]+/g, '[\\d.]+');
  assert.match(stdout, new RegExp(`^${shape}$`, 'm'));
});

test('the first change goes to both, and stays when it is confirmed', async () => {
  const wish = join(segment.directory, 'new.cf');
  const text = readFileSync(fileOf('primary'), 'utf8');
  writeFileSync(wish, text.replace('scheduler = wrr', 'scheduler = rr'));
  await until(() => segment.piranha('primary', 'diff', '--partner').status === 0, 'the channel');
  assert.match(segment.piranha('primary', 'diff', wish).stdout, /scheduler wrr -> rr/);
  const words = line(/(?<=^piranha apply \/root\/new\.cf ).*$/m).split(' ');
  const applied = segment.piranha('primary', 'apply', wish, ...words);
  assert.equal(applied.status, 0, applied.stdout + applied.stderr);
  const confirmed = segment.piranha('primary', 'confirm');
  assert.equal(confirmed.status, 0, confirmed.stderr);
});
