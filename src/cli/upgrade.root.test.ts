/** `piranha upgrade` on a real pair, real packets; of systemd only systemctl is played, by a script that ends and starts a director. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { enterNamespace } from '../ports/index.ts';
import { CliSegment, type Ran, until, VIP } from './segment-under-test.ts';

enterNamespace();

const ROOT = join(import.meta.dirname, '..', '..');
const PATH = process.env.PATH ?? '';
let segment: CliSegment;
let good = '';

const verdict = (node: string): string => segment.piranha(node, 'status', '--brief').stdout;
const isActive = (node: string) => () => verdict(node).includes('This director is active');
const pid = (node: string): string =>
  readFileSync(join(segment.runDirectory(node), 'pulse.pid'), 'utf8').trim();

/** With the systemctl of that node first in the path; else with this machine's, which knows nothing of this director. */
function upgrade(node: string, words: readonly string[] = [], isSupervised = true): Ran {
  const own = join(segment.directory, `${node}-bin`);
  process.env.PATH = isSupervised ? `${own}:${PATH}` : PATH;
  try {
    return segment.piranha(node, 'upgrade', ...words);
  } finally {
    process.env.PATH = PATH;
  }
}

/** Ends the director as systemd does, starts another one, and waits until it has its pid file. */
function playSystemctl(node: string): void {
  const directory = join(segment.directory, `${node}-bin`);
  mkdirSync(directory);
  const run = segment.runDirectory(node);
  const words = `-n -c ${segment.configFile} --run-dir ${run} --state-dir ${segment.directory}/${node}-state`;
  const script = `#!/bin/sh
old=$(cat ${run}/pulse.pid)
case "$1" in
show) echo "$old" ;;
restart)
  kill "$old"
  while grep -qs '^State:.[^Z]' "/proc/$old/status"; do sleep 0.02; done
  setsid ${ROOT}/bin/pulse ${words} >/dev/null 2>&1 </dev/null &
  while [ ! -s ${run}/pulse.pid ]; do sleep 0.02; done ;;
esac
`;
  writeFileSync(join(directory, 'systemctl'), script, { mode: 0o755 });
}

before(async () => {
  segment = new CliSegment();
  await segment.build();
  segment.configure(
    'network = direct',
    segment.keyLine(),
    'virtual web {',
    '    active = 1',
    `    address = ${VIP} eth0:1`,
    '}',
  );
  good = readFileSync(segment.configFile, 'utf8');
  for (const node of ['primary', 'backup']) playSystemctl(node);
  segment.pulse('primary');
  await until(isActive('primary'), 'the primary to be active');
  segment.pulse('backup');
});

beforeEach(async () => {
  const partner = (node: string) =>
    segment.piranha(node, 'status', '--brief', '--node', 'partner').stdout;
  for (const node of ['primary', 'backup']) {
    await until(() => partner(node).includes('PIRANHA OK'), `the channel, from the ${node}`);
  }
});

after(() => {
  // Those that the played systemctl started are nobody's children.
  const left = ['primary', 'backup']
    .map((node) => join(segment.runDirectory(node), 'pulse.pid'))
    .filter((file) => existsSync(file));
  for (const file of left) process.kill(Number(readFileSync(file, 'utf8')), 'SIGKILL');
  segment.close();
});

describe('upgrade', () => {
  test('of the version that runs is nothing to do', () => {
    const old = pid('primary');
    const { status, stdout } = upgrade('primary');
    assert.equal(status, 0);
    assert.match(stdout, /^\d+\.\d+\.\d+ runs already: nothing to do\n$/);
    assert.equal(pid('primary'), old);
  });

  test('is refused with the reason where nobody would own the VIPs, and touches nothing', async () => {
    const old = pid('primary');
    segment.piranha('backup', 'maintenance', 'on');
    await until(() => verdict('primary').includes('may not take over'), 'maintenance');
    const refused = upgrade('primary', ['--again']);
    const asked = upgrade('primary', ['--again', '--dry-run', '--json']);
    segment.piranha('backup', 'maintenance', 'off');
    await until(() => verdict('primary').includes('could take over'), 'its end');
    assert.equal(refused.status, 1);
    assert.match(
      refused.stderr,
      /^piranha upgrade: the partner may not take over \(\w+\); nothing was touched\n$/,
    );
    assert.match(JSON.parse(asked.stdout).refused, /may not take over/);
    assert.ok(isActive('primary')());
    assert.equal(pid('primary'), old);
  });

  test('is refused where the installed version would not start with the file', () => {
    writeFileSync(segment.configFile, good.replace('active = 1', 'actve = 1'));
    const { status, stderr } = upgrade('primary', ['--again']);
    writeFileSync(segment.configFile, good);
    assert.equal(status, 1);
    assert.match(stderr, /the installed version refuses the file: .*lvs\.cf:\d+.*actve/);
    assert.ok(isActive('primary')());
  });

  test('of a standby restarts it and gives no order', () => {
    const old = pid('backup');
    const { status, stdout, stderr } = upgrade('backup', ['--again']);
    assert.equal(status, 0, stdout + stderr);
    assert.match(
      stdout,
      /^systemctl restart piranha\.service\n\S+ runs here as standby, pid \d+: /,
    );
    assert.notEqual(pid('backup'), old);
    assert.ok(isActive('primary')());
  });

  test('of an active director hands over, waits for the proof, and restarts it as a standby', async () => {
    const old = pid('primary');
    const answers = join(segment.directory, 'answers');
    const asking = `exec ping -D -i 0.05 -w 60 ${VIP} > ${answers}`;
    const router = segment.hosts.get('router')?.start('sh', '-c', asking);
    const { status, stdout, stderr } = upgrade('primary', ['--again']);
    router?.kill();
    assert.equal(status, 0, stdout + stderr);
    const moments = Array.from(
      readFileSync(answers, 'utf8').matchAll(/^\[([\d.]+)\] 64 bytes/gm),
      (answer) => Number(answer[1]),
    );
    const silences = moments.slice(1).map((moment, before) => moment - (moments[before] ?? 0));
    assert.ok(moments.length > 10, `${moments.length} answers`);
    assert.ok(Math.max(...silences) < 1, `${Math.max(...silences)} s without an answer of the VIP`);
    const at = [
      stdout.indexOf('the partner is active\n'),
      stdout.indexOf('the partner owns the VIPs, and is believed\n'),
      stdout.indexOf('systemctl restart piranha.service\n'),
      stdout.indexOf(' runs here as standby, pid '),
    ];
    assert.ok(
      at.every((index, step) => index > (at[step - 1] ?? -1)),
      stdout,
    );
    assert.notEqual(pid('primary'), old);
    assert.ok(isActive('backup')());
    await until(() => verdict('backup').includes('could take over'), 'the pair');
  });

  test('without systemd hands over and waits for somebody to restart it; when nobody does, it says so', () => {
    const old = pid('backup');
    assert.ok(isActive('backup')());
    const { status, stdout, stderr } = upgrade('backup', ['--again', '--wait', '2s'], false);
    assert.equal(status, 1, stdout);
    assert.match(stdout, /process \d+ is not piranha\.service: end it and start the director/);
    assert.match(stderr, /after 2 s: it was not restarted; the partner owns the VIPs/);
    assert.equal(pid('backup'), old);
    assert.ok(isActive('primary')());
  });
});
