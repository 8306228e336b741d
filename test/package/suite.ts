/**
 * The Debian packages: built twice to the same bytes, installed on a clean root, upgraded beside a director that is active
 * and one that is standby, removed and purged. The directors are real ones, with the rights the unit gives them.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { CleanRoot } from './clean-root.ts';
import { Packages, ROOT, VERSION } from './packages.ts';

const UNITS = join(ROOT, 'packaging/systemd');
const LIMIT_MS = 60_000;

let packages: Packages;
let root: CleanRoot;
const directors: ChildProcess[] = [];

before(() => {
  packages = new Packages();
  root = new CleanRoot(join(packages.scratch, 'root'));
  root.around('mount', '-t', 'proc', 'proc', join(root.path, 'proc'));
  root.around('ip', 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth1');
  root.around('ip', 'link', 'set', 'eth0', 'up');
  root.around('ip', 'link', 'set', 'eth1', 'up');
  root.around('ip', 'addr', 'add', '198.51.100.11/24', 'dev', 'eth0');
});

after(() => {
  for (const director of directors) director.kill('SIGKILL');
  root.close();
  packages.close();
});

function sums(directory: string): readonly string[] {
  return readdirSync(directory).map((name) => {
    const bytes = readFileSync(join(directory, name));
    return `${name} ${createHash('sha256').update(bytes).digest('hex')}`;
  });
}

function sh(text: string): string {
  const { status, output } = root.sh(text);
  assert.equal(status, 0, `${text}\n${output}`);
  return output;
}

const isThere = (path: string) => existsSync(join(root.path, path));

/** What systemd was asked to do since the last time. */
function orders(): readonly string[] {
  const log = join(root.path, 'systemctl.log');
  const text = existsSync(log) ? readFileSync(log, 'utf8') : '';
  rmSync(log, { force: true });
  return text.split('\n').filter((line) => line !== '');
}

/** As the unit starts it: root, but of its capabilities only those that the unit names. */
function startDirector() {
  const unit = readFileSync(join(UNITS, 'piranha.service'), 'utf8');
  const names = /^CapabilityBoundingSet=(.*)$/m.exec(unit)?.[1]?.split(' ') ?? [];
  const set = ['-all', ...names.map((name) => `+${name.slice(4).toLowerCase()}`)].join();
  const confine = ['setpriv', '--no-new-privs', `--bounding-set=${set}`, `--inh-caps=-all`];
  const [program = '', ...words] = root.within(...confine, '/usr/sbin/pulse', '-n');
  const env = { PATH: '/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' };
  const child = spawn(program, words, { stdio: ['ignore', 'ignore', 'pipe'], env });
  directors.push(child);
  let log = '';
  child.stderr.on('data', (text) => {
    log += text;
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  return {
    says: async (text: string) => {
      const limit = performance.now() + LIMIT_MS;
      while (!log.includes(text)) {
        assert.ok(performance.now() < limit, `the director did not say "${text}":\n${log}`);
        await sleep(50);
      }
    },
    isAlive: () => child.exitCode === null && child.signalCode === null,
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

/** A client without a library: there is no curl on a clean root. */
const ASK = `require("https").get({ host: "127.0.0.1", port: 3636, path: "/login", rejectUnauthorized: false,
  timeout: 20000 }, (answer) => { let text = ""; answer.on("data", (part) => text += part);
  answer.on("end", () => console.log(answer.statusCode, text)); })`;

const SERVICE = 'virtual web {\n  active = 1\n  address = 198.51.100.100 eth0:1\n}\n';
const ACTIVE = `primary = 198.51.100.11\nbackup_active = 0\nkeepalive_ms = 100\ndeadtime_ms = 300\n${SERVICE}`;
const STANDBY = `primary = 198.51.100.11\nbackup = 198.51.100.12\nbackup_active = 1\ndeadtime = 60\n${SERVICE}`;
const configure = (text: string) => writeFileSync(join(root.path, 'etc/sysconfig/ha/lvs.cf'), text);

describe('the build', () => {
  test('two builds of one tree give the same bytes, wherever it lies', () => {
    const { directory, scratch } = packages;
    const second = join(scratch, 'second');
    packages.build(packages.copyOfTree('another tree', join(scratch, 'tree')), second);
    assert.equal(sums(directory).length, 2);
    assert.deepEqual(sums(second), sums(directory));
    rmSync(second, { recursive: true });
  });

  test('everything belongs to root, and nothing is writable by others or set-user-id', () => {
    for (const name of ['piranha', 'piranha-node'] as const) {
      const listing = spawnSync('dpkg-deb', ['-c', packages.archive(name)], {
        encoding: 'utf8',
      }).stdout;
      for (const line of listing.trim().split('\n')) {
        assert.match(line, /^([dl-][rwx-]{9}) root\/root /, line);
        if (!line.startsWith('l')) assert.match(line, /^.{8}-/, line);
      }
    }
  });

  const limits = [
    ['piranha.service', 3.0],
    ['piranha-console.service', 1.5],
  ] as const;
  for (const [unit, limit] of limits) {
    test(`${unit} is exposed at most ${limit.toFixed(1)}`, (t) => {
      const words = ['security', '--offline=true', '--no-pager', join(UNITS, unit)];
      const { stdout, error } = spawnSync('systemd-analyze', words, { encoding: 'utf8' });
      if (error !== undefined) return t.skip('systemd-analyze is missing');
      const told = /Overall exposure level for \S+ ([\d.]+)/.exec(stdout)?.[1];
      t.diagnostic(`exposure ${told}`);
      const page = readFileSync(join(ROOT, 'docs/packages.md'), 'utf8');
      assert.match(page, new RegExp(`^\\| .${unit}. .*\\| ${told} \\|$`, 'm'));
      assert.ok(told !== undefined && Number(told) <= limit, stdout);
    });
  }
});

describe('on a clean root', () => {
  test('it installs without a compiler, and enables and starts nothing', () => {
    assert.notEqual(root.sh('command -v cc || command -v node').status, 0);
    const output = sh(`dpkg -i ${packages.putInto(root.path)}`);
    assert.match(output, /put your addresses into \/etc\/sysconfig\/ha\/lvs\.cf/);
    assert.deepEqual(orders(), ['daemon-reload', 'try-restart piranha-console.service']);
    assert.equal(sh('dpkg --verify piranha piranha-node'), '');
  });

  test('program, names of old, configuration, users, man pages and documents are in place', () => {
    assert.match(sh('piranha version'), new RegExp(`piranha ${VERSION.replaceAll('.', '\\.')}`));
    assert.match(sh('send_arp --help 2>&1; pulse --help 2>&1'), /Usage/i);
    assert.match(sh('cat /etc/piranha/lvs.cf'), /backup_active = 1/);
    assert.match(sh('getent passwd piranha-console piranha-courier'), /nologin/);
    assert.match(sh('stat -c "%U %a" /var/lib/piranha-console'), /^piranha-console 700$/m);
    for (const page of ['man8/piranha.8', 'man8/pulse.8', 'man5/lvs.cf.5']) {
      assert.match(sh(`zcat /usr/share/man/${page}.gz`), /^\.Sh NAME$/m, page);
    }
    assert.ok(isThere('usr/share/doc/piranha/runbooks/two-owners.md'));
    const help = sh('piranha console --help');
    assert.match(help, /3636/);
  });

  test('the console starts from its socket as its own user, compiles nothing, and asks who is there', () => {
    const unit = readFileSync(join(UNITS, 'piranha-console.service'), 'utf8');
    const command = /^ExecStart=(.*)$/m.exec(unit)?.[1] ?? '';
    assert.match(command, / --jitless /);
    const user = '--reuid=piranha-console --regid=piranha-console --groups=piranha';
    const rights = `${user} --no-new-privs --bounding-set=-all --inh-caps=-all`;
    sh('ip link set lo up');
    const page = sh(`
      systemd-socket-activate -l 3636 setpriv ${rights} ${command} >/console.log 2>&1 &
      trap 'kill $!' EXIT
      for attempt in $(seq 100); do ss -ltn | grep -q :3636 && break; sleep 0.1; done
      /usr/lib/piranha-node/bin/node -e '${ASK}' || cat /console.log`);
    assert.match(page, /^200 [\s\S]*<title>/);
  });

  test('a director with the rights of the unit takes its VIP, with a lease in the kernel', async () => {
    configure(ACTIVE);
    const director = startDirector();
    await director.says('activating lvs');
    assert.match(root.around('ip', 'addr', 'show', 'dev', 'eth0').output, /198\.51\.100\.100/);
    await director.stop();
  });

  test('an upgrade leaves an active director alone, and its files with it', async () => {
    configure(ACTIVE);
    const director = startDirector();
    await director.says('activating lvs');
    const later = packages.putLater('9.0.1', root.path);
    orders();
    const output = sh(`dpkg -i --force-confold ${later}`);
    assert.match(
      output,
      new RegExp(`installed 9.0.1, running ${VERSION}: this director is active`),
    );
    assert.ok(!orders().some((order) => order.includes('restart piranha.service')));
    assert.ok(director.isAlive());
    assert.match(root.around('ip', 'addr', 'show', 'dev', 'eth0').output, /198\.51\.100\.100/);
    // What it has not needed so far it loads now, from its own version.
    const socket = join(root.path, 'run/piranha/read.sock');
    const asked = root.around('curl', '-sf', '--unix-socket', socket, 'http://director/metrics');
    assert.match(asked.output, new RegExp(`piranha_build_info\\{version="${VERSION}"`));
    await director.stop();
  });

  test('an upgrade restarts a standby, and forgets the version that nobody runs', async () => {
    configure(STANDBY);
    const director = startDirector();
    await director.says('STARTING');
    await sleep(1000);
    assert.ok(isThere(`usr/lib/piranha/${VERSION}`), 'kept for the one that ran');
    orders();
    const output = sh(`dpkg -i --force-confold ${packages.putLater('9.0.2', root.path)}`);
    assert.match(output, /this director is standby: restarting it with version 9\.0\.2/);
    assert.ok(orders().includes('restart piranha.service'));
    assert.ok(!isThere(`usr/lib/piranha/${VERSION}`));
    await director.stop();
  });

  test('removal stops it and keeps the configuration; purging leaves nothing', () => {
    sh('touch /var/lib/piranha/audit.jsonl');
    orders();
    sh('dpkg -r piranha');
    assert.ok(orders().some((order) => /^stop .*piranha\.service/.test(order)));
    assert.ok(isThere('etc/sysconfig/ha/lvs.cf'));
    assert.ok(!isThere('usr/lib/piranha') && !isThere('usr/bin/piranha'));
    sh('dpkg --purge piranha piranha-node');
    const left = ['etc/sysconfig', 'etc/piranha', 'var/lib/piranha', 'var/lib/piranha-console'];
    const more = [
      'var/cache/piranha',
      'run/piranha',
      'usr/lib/piranha-node',
      'usr/share/doc/piranha',
    ];
    assert.deepEqual([...left, ...more].filter(isThere), []);
  });
});
