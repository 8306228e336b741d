import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { enterNamespace } from '../ports/index.ts';
import {
  addresses,
  alone,
  Daemon,
  holdsVip,
  lvsConfig,
  PIRANHA,
  PULSE,
  plugCable,
  pullCable,
  run,
  TestBed,
  until,
  waiting,
} from './daemon-under-test.ts';

enterNamespace();

let bed: TestBed;

beforeEach(() => {
  bed = new TestBed();
  plugCable();
});

afterEach(async () => {
  await bed.close();
  pullCable();
});

describe('refused in one sentence, exit 1, nothing touched', () => {
  const rows: readonly (readonly [string, string | undefined, RegExp])[] = [
    ['an unreadable file', undefined, /lvs\.cf: cannot be read: no such file \(ENOENT\)/],
    ['an invalid file', alone('keepalve = 5'), /lvs\.cf:6:1: unknown directive.*keepalive/],
    [
      'no local address',
      alone().replace('198.51.100.11', '203.0.113.1'),
      /no local address matches primary 203\.0\.113\.1/,
    ],
    [
      'an interface that is not there',
      alone().replace('eth0:1', 'eth7:1'),
      /lvs\.cf:\d+: interface eth7 of VIP 198\.51\.100\.100 does not exist/,
    ],
    [
      'a deadtime that is not above keepalive',
      lvsConfig(['backup_active = 0', 'keepalive = 5', 'deadtime = 5']),
      /deadtime \(5000 ms\) is not above keepalive \(5000 ms\)/,
    ],
    [
      'a backup node that is marked inactive',
      lvsConfig(['backup = 198.51.100.11', 'backup_active = 0']).replace(
        '198.51.100.11',
        '203.0.113.1',
      ),
      /backup node marked inactive, exiting/,
    ],
  ];
  for (const [name, text, sentence] of rows) {
    test(name, () => {
      if (text !== undefined) bed.configure(text);
      const before = addresses();
      const { status, stderr } = run(PULSE, '-n', ...bed.words);
      assert.equal(status, 1);
      assert.match(stderr, sentence);
      assert.equal(addresses(), before);
      assert.equal(existsSync(bed.runDirectory), false);
    });
  }

  test('a heartbeat port in use', async () => {
    bed.configure(waiting());
    bed.pulse();
    await until(() => existsSync(join(bed.runDirectory, 'pulse.sock')), 'the first one');
    const words = ['-n', '-c', bed.configFile, '--run-dir', join(bed.directory, 'other')];
    const { status, stderr } = run(PULSE, ...words);
    assert.equal(status, 1);
    assert.match(
      stderr,
      /failed to bind to heartbeat address: bind 198\.51\.100\.11:539: .*in use/,
    );
    assert.equal(existsSync(join(bed.directory, 'other')), false);
  });

  for (const path of ['/proc/piranha', '/etc/passwd']) {
    test(`a run directory that cannot be made: ${path}`, () => {
      bed.configure(alone());
      const { status, stderr } = run(PULSE, '-n', '-c', bed.configFile, '--run-dir', path);
      assert.equal(status, 1);
      assert.match(stderr, new RegExp(`^pulse: run directory ${path}: .*\\(E[A-Z]+\\)\n$`));
      assert.equal(holdsVip(), false);
    });
  }

  test('a second instance is told the pid of the first', async () => {
    bed.configure(waiting());
    const first = bed.pulse();
    await until(() => existsSync(join(bed.runDirectory, 'pulse.sock')), 'the first one');
    const { status, stderr } = run(PULSE, '-n', ...bed.words);
    assert.equal(status, 1);
    assert.match(stderr, new RegExp(`already running here \\(pid ${first.pid},`));
  });

  test('a missing capability', () => {
    bed.configure(alone());
    const without = ['--bounding-set=-net_admin,-net_raw', '--inh-caps=-net_admin,-net_raw'];
    const { status, stderr } = run('setpriv', ...without, PULSE, '-n', ...bed.words);
    assert.equal(status, 1);
    assert.match(stderr, /CAP_NET_ADMIN and CAP_NET_RAW missing/);
  });

  test('no partner named although one is expected is told, and runs alone', async () => {
    bed.configure(alone().replace('backup_active = 0', 'backup_active = 1'));
    const pulse = bed.pulse();
    await pulse.says('undefined backup, clearing backup_active');
    await until(holdsVip, 'the VIP');
  });
});

describe('the command line', () => {
  test('O1: the flags of pulse are accepted, in every spelling', () => {
    bed.configure(alone());
    const spellings = [
      ['-t', '-v', '-n', '--forceactive', `--configfile=${bed.configFile}`],
      ['--test-start', '--verbose', '--nodaemon', '-c', bed.configFile],
      ['--norun', '-nv', `-c${bed.configFile}`, '--lvsd', '/usr/sbin/lvsd', '--fos=/usr/sbin/fos'],
    ];
    for (const words of spellings) {
      const { status, stderr } = run(PULSE, ...words, '--run-dir', bed.runDirectory);
      assert.equal(status, 0, `${words.join(' ')}: ${stderr}`);
    }
  });

  test('O1: an unknown option or a stray argument is told on standard error, exit 1', () => {
    for (const word of ['--bogus', '-z', 'stray']) {
      const { status, stderr, stdout } = run(PULSE, word);
      assert.equal(status, 1);
      assert.match(stderr, new RegExp(word));
      assert.equal(stdout, '');
    }
  });

  test('O1: --version prints three lines, --help and --usage the options', () => {
    assert.equal(run(PULSE, '--version').stdout.trim().split('\n').length, 3);
    assert.match(run(PULSE, '--help').stdout, /--forceactive/);
    assert.match(run(PULSE, '-?').stdout, /--forceactive/);
    assert.match(run(PULSE, '--usage').stdout, /\[--forceactive\]/);
  });

  test('O4: --test-start judges everything and has no side effects', async () => {
    bed.configure(alone());
    const before = addresses();
    const { status, stderr } = run(PULSE, '--test-start', '--forceactive', ...bed.words);
    assert.equal(status, 0);
    assert.match(stderr, /can be run: would start as MASTER/);
    assert.match(stderr, /would raise 198\.51\.100\.100 on eth0 when active/);
    await sleep(500);
    assert.equal(addresses(), before);
    assert.equal(existsSync(bed.runDirectory), false);
  });

  test('without -n the command returns when the daemon runs, detached', async () => {
    bed.configure(waiting());
    assert.equal(run(PULSE, ...bed.words).status, 0);
    const pid = Number(readFileSync(join(bed.runDirectory, 'pulse.pid'), 'utf8'));
    try {
      const [, , , session] = statFields(pid);
      assert.equal(session, String(pid), 'a session of its own');
      const verdict = run(PIRANHA, 'status', '--brief', '--run-dir', bed.runDirectory);
      assert.match(verdict.stdout, /This director is standby/);
    } finally {
      process.kill(pid, 'SIGTERM');
    }
    await until(() => !existsSync(`/proc/${pid}`), 'the daemon to end');
    assert.equal(existsSync(join(bed.runDirectory, 'pulse.pid')), false);
  });

  test('without -n a start that fails says why, exit 1', () => {
    bed.configure('nonsense = 1\n');
    const { status, stderr } = run(PULSE, ...bed.words);
    assert.equal(status, 1);
    assert.match(stderr, /unknown directive.*nonsense/);
  });

  test('who asks for the status while it starts is answered sooner or later, and disturbs nothing', async () => {
    bed.configure(alone());
    const pulse = bed.pulse();
    const answers = new Set<string>();
    const asking = setInterval(() => {
      const socket = connect(join(bed.runDirectory, 'pulse.sock'));
      socket.on('error', () => {}); // not there yet
      socket.on('data', (bytes) => answers.add(String(bytes).slice(9, 12)));
      socket.end('GET /v1/status HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n');
    }, 2);
    try {
      await until(holdsVip, `the VIP:\n${pulse.log}`);
      await until(() => answers.has('200'), 'an answer');
    } finally {
      clearInterval(asking);
    }
  });

  test('systemd is told when we are ready, alive and stopping', async () => {
    const socket = join(bed.directory, 'notify');
    const told = join(bed.directory, 'told');
    writeFileSync(told, '');
    const words = ['-u', `UNIX-RECV:${socket}`, `OPEN:${told},append`];
    const receiver = spawn('socat', words, { stdio: 'ignore' });
    await until(() => existsSync(socket), 'the receiver');
    bed.configure(alone());
    const pulse = new Daemon(['-n', ...bed.words], {
      NOTIFY_SOCKET: socket,
      WATCHDOG_USEC: '400000',
    });
    const text = () => readFileSync(told, 'utf8');
    try {
      await until(() => text().includes('READY=1'), 'READY=1');
      await until(() => text().includes('STATUS=This director is active and alone'), 'STATUS');
      await until(() => text().split('WATCHDOG=1').length > 3, 'WATCHDOG=1');
      pulse.signal('SIGTERM');
      assert.equal(await pulse.exit, 0);
      assert.match(text(), /STOPPING=1/);
    } finally {
      pulse.signal('SIGKILL');
      receiver.kill();
    }
  });
});

/** state, parent, group, session, ... of proc_pid_stat(5). */
function statFields(pid: number): readonly string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}
