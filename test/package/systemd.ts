/**
 * The packages under a live systemd: a pair of machines on one segment, each with a systemd of its own, from installation to
 * purge. What the units promise is tried on real directors inside their walls: that they start, are watched, restarted,
 * stopped, handed over and removed, and that no wall stands in the way of what a director does.
 *
 * The tests are one story and run in its order. What each takeover cost is counted by a client that never stops asking.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import {
  CONFIGURATION,
  configure,
  DEADTIME_MS,
  has,
  LivePair,
  LVS_CF,
  owns,
  restartsOf,
  roleOf,
  runs,
  standsBy,
  VIP,
  write,
} from './live-pair.ts';
import { type Machine, until } from './machine.ts';
import { ROOT, VERSION } from './packages.ts';
import type { Answer } from './visitor.ts';

const LATER = '9.0.1';
const AS_NOBODY = 'setpriv --reuid=nobody --regid=nogroup --clear-groups';
const AS_MEMBER = 'setpriv --reuid=nobody --regid=nogroup --groups=piranha';

let pair: LivePair;
let primary: Machine;
let backup: Machine;
let hasFailed = false;

before(async () => {
  pair = new LivePair();
  ({ primary, backup } = pair);
  await pair.boot();
});

after(() => pair?.close());

/** A test of the story. What comes after one that failed would only wait for what cannot come any more. */
function chapter(name: string, tell: (t: TestContext) => void | Promise<void>): void {
  test(name, async (t) => {
    if (hasFailed) return t.skip('an earlier part of the story failed');
    hasFailed = true;
    await tell(t);
    hasFailed = false;
  });
}

describe('installed under systemd', () => {
  chapter('nothing is enabled, nothing runs, no port is open', () => {
    for (const machine of pair.both) {
      machine.sh(`dpkg -i ${pair.packages.putInto(machine.path)}`);
      for (const unit of ['piranha.service', 'piranha-console.socket', 'piranha-console.service']) {
        assert.equal(machine.property('LoadState', unit), 'loaded', unit);
        assert.equal(machine.property('ActiveState', unit), 'inactive', unit);
      }
      const enabled = machine.try('systemctl is-enabled piranha piranha-console.socket').output;
      assert.equal(enabled, 'disabled\ndisabled\n');
      assert.equal(machine.sh('ss -Hltn'), '');
      assert.equal(machine.property('UnitFileState', 'piranha-console'), 'static');
      const units = 'piranha.service piranha-console.service piranha-console.socket';
      assert.equal(machine.sh(`systemd-analyze verify --man=no ${units}`), '');
    }
  });

  chapter('a start without a configuration fails, says why, and is tried again', () => {
    const { status, output } = primary.try('systemctl start piranha');
    assert.notEqual(status, 0, output);
    assert.match(primary.sh('journalctl -q -o cat -u piranha'), /lvs\.cf: `primary`.* is missing/);
    assert.equal(primary.property('ActiveState'), 'activating');
    assert.equal(primary.property('StartLimitIntervalUSec'), '0');
  });

  chapter('a start is over when the director says so, and its status is a sentence', async () => {
    for (const machine of pair.both) configure(machine);
    primary.sh('piranha check /etc/piranha/lvs.cf && systemctl enable --now piranha');
    assert.equal(primary.property('Type'), 'notify');
    assert.equal(primary.property('ActiveState'), 'active');
    assert.match(primary.property('StatusText'), /^This director is /);
    assert.equal(primary.sh('systemctl is-enabled piranha'), 'enabled\n');
    await owns(primary);
    await primary.says('systemctl show -P StatusText piranha', /^This director is active/);
  });
});

describe('within the walls of the unit', () => {
  chapter('it has the capabilities of the unit and no more, and may not gain any', () => {
    const status = primary.sh(`cat /proc/${primary.property('MainPID')}/status`);
    assert.match(status, /^NoNewPrivs:\t1$/m);
    assert.match(status, /^Seccomp:\t2$/m);
    // NET_ADMIN, NET_RAW, NET_BIND_SERVICE, SYS_NICE, SETUID, SETGID, CHOWN, KILL
    assert.match(status, /^CapBnd:\t00000000008034e1$/m);
    assert.match(status, /^CapEff:\t00000000008034e1$/m);
  });

  chapter('it writes only where it must, and nothing of that can be run', () => {
    const pid = primary.property('MainPID');
    const inside = (text: string) => primary.try(`nsenter -t ${pid} -m sh -c '${text}'`);
    for (const directory of ['/etc', '/usr', '/root', '/var', '/home']) {
      assert.match(inside(`touch ${directory}/x`).output, /Read-only|Permission denied/, directory);
    }
    for (const directory of ['/run/piranha', '/var/lib/piranha', '/var/cache/piranha', '/tmp']) {
      const file = `${directory}/x`;
      assert.equal(inside(`cp /bin/true ${file}`).status, 0, directory);
      assert.match(inside(`${file}; rm ${file}`).output, /Permission denied/, directory);
    }
  });

  chapter('the VIP is raised behind a lease, announced, and believed', async () => {
    await primary.logs(/198\.51\.100\.1 sends 198\.51\.100\.100 here/);
    const mac = primary.sh('cat /sys/class/net/eth0/address').trim();
    assert.match(pair.segment.run('ip', 'neigh', 'show', VIP).output, new RegExp(mac));
    assert.match(primary.sh('nft list table netdev piranha-lease'), /expires/);
  });

  chapter('a hook may change the network', async () => {
    await primary.says('ip route show', /^blackhole 203\.0\.113\.0\/24/m);
  });

  chapter('its heartbeats are sent in real time, where this kernel allows that at all', (t) => {
    if (primary.try('chrt -r 1 true').status !== 0) return t.skip('this kernel refuses SCHED_RR');
    const threads = primary.sh(`chrt -a -p ${primary.property('MainPID')}`);
    assert.match(threads, /SCHED_RR/);
  });

  chapter('checks run as nobody, and the kernel has the server that is healthy', async () => {
    await primary.logs(/\[ active \] making 198\.51\.100\.21:80 available/);
    const hasIpvs = existsSync('/proc/net/ip_vs');
    await primary.says(
      hasIpvs ? 'cat /proc/net/ip_vs' : 'nft list table netdev piranha-lvs',
      hasIpvs ? /C6336464:0050[\s\S]*C6336415:0050/ : /198\.51\.100\.100|c6336464/,
    );
    await primary.says('piranha services', /web-a +198\.51\.100\.21:80 .*healthy for/);
  });

  chapter('everybody may look, members of the group may act, others may not', () => {
    assert.match(primary.try(`${AS_NOBODY} piranha status`).output, /This director is active/);
    const refused = primary.try(`${AS_NOBODY} piranha resign`);
    assert.notEqual(refused.status, 0);
    assert.match(refused.output, /read\.sock is for looking/);
    primary.sh(`${AS_MEMBER} piranha reload --dry-run`);
    assert.equal(primary.sh('stat -c "%U %G %a" /run/piranha/pulse.sock'), 'root piranha 660\n');
  });

  chapter(
    'the partner, whose address comes late, starts by itself; the couriers meet',
    async () => {
      assert.notEqual(
        backup.try('systemctl enable --now piranha').status,
        0,
        'it has no address yet',
      );
      backup.connect(pair.segment);
      await standsBy(backup);
      const users = primary.sh('stat -c %U /proc/[0-9]*/ 2>/dev/null || true');
      assert.match(users, /^piranha-courier$/m);
      await primary.says('piranha diff --partner; echo $?', /^0$/m);
      await primary.says('piranha status', /partner .*(standby|could take over)/i);
    },
  );

  chapter('a change on both nodes is written, and goes back unless confirmed', async () => {
    const heavier = LVS_CF.replace('weight = 1', 'weight = 5');
    const weights = () =>
      pair.both.map((machine) => machine.sh(`grep weight ${CONFIGURATION}`).trim());
    write(primary, '/root/new.cf', heavier);
    primary.sh('piranha apply /root/new.cf --both --confirm 2s --reason "ticket 7"');
    assert.deepEqual(weights(), ['weight = 5', 'weight = 5']);
    await until(() => weights().every((line) => line === 'weight = 1'), 'both to go back');
    await primary.logs(/was not confirmed in its time: back to/);
    primary.sh('piranha apply /root/new.cf --both --confirm 30s && piranha confirm');
    assert.deepEqual(weights(), ['weight = 5', 'weight = 5']);
    assert.match(primary.sh('piranha history'), /ticket 7/);
    assert.match(primary.sh('cat /var/lib/piranha/audit.jsonl'), /ticket 7/);
  });

  chapter('systemctl reload reads the file again; one that is wrong changes nothing', async () => {
    const good = readFileSync(join(primary.path, CONFIGURATION), 'utf8');
    write(primary, CONFIGURATION, good.replace('weight = 5', 'weight = 6'));
    primary.sh('systemctl reload piranha');
    await primary.says('piranha services', /198\.51\.100\.21:80 +direct +6 /);
    write(primary, CONFIGURATION, good.replace('weight = 5', 'weight = many'));
    assert.notEqual(primary.try('systemctl reload piranha').status, 0);
    await primary.logs(/weight.*many/);
    assert.equal(primary.property('ActiveState'), 'active');
    write(primary, CONFIGURATION, good);
    primary.sh('systemctl reload piranha');
  });
});

describe('the console', () => {
  const UNIT = 'piranha-console';
  /** From the segment. */
  const ask = (path: string, { cookie = '', body = '' } = {}): Answer => {
    const script = join(import.meta.dirname, 'visitor.ts');
    const { status, output } = pair.segment.run(
      process.execPath,
      script,
      '198.51.100.11',
      path,
      cookie,
      body,
    );
    assert.equal(status, 0, output);
    return JSON.parse(output);
  };

  chapter('is started by who comes, as its own user', async () => {
    const unit = readFileSync(join(ROOT, 'packaging/systemd/piranha-console.service'), 'utf8');
    const command = /^ExecStart=.*$/m.exec(unit)?.[0] ?? '';
    primary.sh(`mkdir -p /etc/systemd/system/${UNIT}.service.d`);
    const soon = `[Service]\nExecStart=\n${command} --idle-exit 2s\n`;
    write(primary, `/etc/systemd/system/${UNIT}.service.d/soon.conf`, soon);
    primary.sh('systemctl daemon-reload && systemctl enable --now piranha-console.socket');
    assert.equal(primary.property('ActiveState', UNIT), 'inactive');
    const { status, text } = ask('/login');
    assert.equal(status, 200);
    assert.match(text, /<title>/);
    const pid = primary.property('MainPID', UNIT);
    assert.equal(primary.sh(`stat -c %U /proc/${pid}`), 'piranha-console\n');
    assert.match(primary.sh(`cat /proc/${pid}/status`), /^CapBnd:\t0+$/m);
  });

  chapter('shows both nodes to who has logged in, without a network', async () => {
    const link = primary.sh('piranha console login-url 2>/dev/null');
    const ticket = /#(\S+)/.exec(link)?.[1] ?? '';
    const { status, cookie } = ask('/login/link', { body: JSON.stringify({ ticket }) });
    assert.equal(status, 200);
    for (const [side, role] of [
      ['local', 'active'],
      ['partner', 'standby'],
    ] as const) {
      const answer = ask(`/api/${side}/v1/status`, { cookie });
      assert.equal(answer.status, 200, answer.text);
      assert.equal(JSON.parse(answer.text).role, role);
    }
    ask('/logout', { cookie });
  });

  chapter('ends when nobody has been there for its time, and comes again', async () => {
    primary.sh('systemctl restart piranha-console'); // sessions end with it
    await until(() => primary.property('ActiveState', UNIT) === 'inactive', 'the console to end');
    assert.equal(primary.property('Result', UNIT), 'success');
    assert.equal(ask('/login').status, 200);
    primary.sh('systemctl disable --now piranha-console.socket && systemctl stop piranha-console');
  });
});

describe('the watch of systemd', () => {
  chapter('a frozen director loses the VIP by its lease and is started again', async (t) => {
    await pair.forget();
    const restarts = restartsOf(primary);
    primary.sh(`kill -STOP ${primary.property('MainPID')}`);
    await owns(backup);
    assert.ok((await pair.felt(t, 'frozen')).longestSilenceMs < 3 * DEADTIME_MS);
    await until(() => restartsOf(primary) > restarts, 'the watchdog');
    await primary.logs(/Watchdog timeout/);
    await standsBy(primary);
    assert.ok((await pair.felt(t, 'killed and started again')).longestSilenceMs < DEADTIME_MS / 2);
  });

  chapter('a director that is killed is started again, and there is one owner', async (t) => {
    const restarts = restartsOf(backup);
    backup.sh(`kill -KILL ${backup.property('MainPID')}`);
    await until(() => restartsOf(backup) > restarts, 'the restart');
    await until(() => backup.property('ActiveState') === 'active', 'the director to run');
    await until(
      () =>
        pair.both.filter((machine) => roleOf(machine) === 'active' && has(machine)).length === 1,
      'one owner',
    );
    assert.ok((await pair.felt(t, 'killed')).longestSilenceMs < 3 * DEADTIME_MS);
  });

  chapter('a stop hands the VIP over at once and leaves nothing in the kernel', async (t) => {
    const [owner, other] = pair.whoIsWho();
    await standsBy(other);
    await pair.forget();
    owner.sh('systemctl stop piranha');
    assert.ok(!has(owner));
    assert.equal(owner.property('Result'), 'success');
    await owns(other);
    assert.ok((await pair.felt(t, 'stopped')).longestSilenceMs < DEADTIME_MS);
    await owner.logs(/pulse: Terminating due to signal 15/);
    assert.doesNotMatch(owner.sh('nft list ruleset'), /piranha-lease/);
    owner.sh('systemctl start piranha');
    await standsBy(owner);
  });

  chapter('the journal has the words of the original', () => {
    const words = pair.both
      .map((machine) => machine.sh('journalctl -q -o cat -u piranha'))
      .join('');
    assert.match(words, /^pulse: STARTING PULSE AS MASTER/m);
    assert.match(words, /^pulse: STARTING PULSE AS BACKUP/m);
    assert.match(words, /^pulse: partner dead: activating lvs/m);
    assert.match(words, /^pulse: gratuitous lvs arps finished/m);
    assert.match(words, /^lvsd: starting virtual service www/m);
    assert.match(words, /^nanny: starting LVS client monitor for 198\.51\.100\.100:80/m);
  });
});

describe('the pair is upgraded', () => {
  let later = '';

  chapter('beside an active director: it is not restarted, and keeps the VIP', async (t) => {
    const [active] = pair.whoIsWho();
    await pair.forget();
    const pid = active.property('MainPID');
    later = pair.packages.putLater(LATER, primary.path, backup.path);
    const output = active.sh(`dpkg -i ${later}`);
    assert.match(
      output,
      new RegExp(`installed ${LATER}, running ${VERSION}: this director is active`),
    );
    assert.equal(active.property('MainPID'), pid);
    assert.ok(has(active));
    active.sh('systemctl reload piranha');
    const { lost } = await pair.felt(t, 'the packages were replaced');
    assert.equal(lost, 0);
  });

  chapter('beside a standby: it is restarted, and runs the new version', async (t) => {
    const [, standby] = pair.whoIsWho();
    const output = standby.sh(`dpkg -i ${later}`);
    assert.match(output, new RegExp(`standby: restarting it with version ${LATER}`));
    assert.match(runs(standby), new RegExp(`/${LATER}/`));
    await standsBy(standby);
    assert.ok((await pair.felt(t, 'the standby was restarted')).longestSilenceMs < DEADTIME_MS / 2);
  });

  chapter('then by piranha upgrade: handed over, restarted, both run the new one', async (t) => {
    const [active, other] = pair.whoIsWho();
    assert.match(active.sh('piranha upgrade'), new RegExp(`${LATER} runs here as standby`));
    assert.match(runs(active), new RegExp(`/${LATER}/`));
    await owns(other);
    await standsBy(active);
    assert.ok((await pair.felt(t, 'handed over')).longestSilenceMs < DEADTIME_MS);
  });
});

describe('the machine of the active director', () => {
  let away: Machine;

  chapter('is shut down: the VIP goes to the partner at once', async (t) => {
    const [active, other] = pair.whoIsWho();
    away = active;
    await pair.forget();
    away.sh('systemctl --no-block poweroff');
    await owns(other);
    assert.ok((await pair.felt(t, 'shut down')).longestSilenceMs < DEADTIME_MS);
    await away.close();
  });

  chapter('comes back: its director starts by itself and stands by', async (t) => {
    await away.boot();
    away.connect(pair.segment);
    await standsBy(away);
    assert.ok((await pair.felt(t, 'back')).longestSilenceMs < DEADTIME_MS / 2);
  });
});

describe('the packages are removed', () => {
  chapter('while the director is active: the VIP goes to the partner, no unit stays', async (t) => {
    const [active, other] = pair.whoIsWho();
    active.sh('dpkg -r piranha');
    await owns(other);
    assert.ok((await pair.felt(t, 'removed')).longestSilenceMs < DEADTIME_MS);
    assert.ok(!has(active));
    assert.equal(active.property('LoadState'), 'not-found');
    assert.equal(active.property('LoadState', 'piranha-console.socket'), 'not-found');
    assert.ok(existsSync(join(active.path, CONFIGURATION)));
    assert.doesNotMatch(active.sh('nft list ruleset'), /piranha/);
  });

  chapter('purged, they leave nothing on the machine', () => {
    for (const machine of pair.both) {
      machine.sh('rm /etc/sysconfig/ha/heartbeat.key; dpkg --purge piranha piranha-node');
      machine.sh(
        'rm -f /piranha*.deb /root/new.cf; rm -rf /etc/systemd/system/piranha-console.service.d',
      );
      const found = "find / /run /tmp /var -xdev -name '*piranha*' ! -path '/proc/*'";
      assert.equal(machine.sh(found), '');
      assert.ok(!existsSync(join(machine.path, 'etc/sysconfig')));
      machine.sh('getent passwd piranha-courier piranha-console');
      assert.equal(machine.sh('systemctl --failed --no-legend --plain'), '');
      assert.doesNotMatch(machine.sh('cat /proc/[0-9]*/cmdline'), /piranha/);
    }
  });
});
