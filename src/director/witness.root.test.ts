import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { enterNamespace } from '../ports/index.ts';
import { until } from './daemon-under-test.ts';
import { type Host, holds, macOf, placeOf, TestSegment, VIP } from './segment-under-test.ts';

enterNamespace();

let segment: TestSegment;
let router: Host;
let primary: Host;
let backup: Host;

beforeEach(async () => {
  segment = new TestSegment();
  ({ router, primary, backup } = await segment.build());
});

afterEach(() => segment.close());

/** Both run, the primary is active and believed. */
async function pair(...more: readonly string[]) {
  segment.configure(...more);
  const first = segment.pulse('primary');
  await first.says('198.51.100.1 sends');
  const second = segment.pulse('backup');
  await second.says('partner heard');
  return { first, second };
}

describe('verified takeover', () => {
  test('the router is heard to believe us within milliseconds of the announcement', async () => {
    segment.configure();
    const pulse = segment.pulse('primary');
    await pulse.says(`198.51.100.1 sends ${VIP} here`);
    const [, took] = /sends \S+ here, (\d+) ms after the announcement/.exec(pulse.log) ?? [];
    assert.equal(Number(took) < 100, true, pulse.log);
    assert.equal(holds(primary), true);
  });

  test('an IPv6 address is verified, too', async () => {
    primary.run('ip', 'route', 'add', 'default', 'via', 'fd77::1');
    segment.configure('virtual six {', 'active = 1', 'address = fd77::100 eth0', 'port = 80', '}');
    const pulse = segment.pulse('primary');
    await pulse.says('fd77::1 sends fd77::100 here');
  });

  test('a router that ignores gratuitous ARP is moved all the same', async () => {
    const { first, second } = await pair();
    router.run('ping', '-c', '1', '-W', '1', VIP);
    assert.equal(placeOf(router, VIP), macOf(11));
    router.shell(`nft -f - <<END
table arp f {
  chain input {
    type filter hook input priority 0
    arp saddr ip ${VIP} arp daddr ip ${VIP} drop
  }
}
END`);
    first.signal('SIGSTOP');
    await second.says(`sends ${VIP} here`);
    assert.equal(placeOf(router, VIP), macOf(12));
  });

  test('a gateway that appears later is asked from then on', async () => {
    primary.run('ip', 'route', 'del', 'default');
    segment.configure();
    const pulse = segment.pulse('primary');
    await pulse.says('partner dead: activating lvs');
    assert.match(segment.status('primary'), /belief: nobody is asked .*before claim: off/);
    primary.run('ip', 'route', 'add', 'default', 'via', '198.51.100.1');
    const isAsked = () => /belief: asked \(gateway\).*claim: on/.test(segment.status('primary'));
    await until(isAsked, 'the gateway to be asked', 15_000);
    assert.equal(holds(primary), true);
  });

  test('who believes nobody is told: no witness sends the VIP here', async () => {
    segment.configure();
    router.shell('echo 1 > /proc/sys/net/ipv4/icmp_echo_ignore_all');
    const pulse = segment.pulse('primary');
    await pulse.says(`no witness sends ${VIP} here (unbelieved)`);
    assert.doesNotMatch(pulse.log, /\(believed\)/);
  });
});

describe('a third host that claims the VIP', () => {
  test('is reported, and answered by at most ten frames', async () => {
    const thief = await segment.add('thief', 66);
    segment.configure();
    const pulse = segment.pulse('primary');
    await pulse.says('(believed)');
    await pulse.says('gratuitous lvs arps finished');
    thief.run('ip', 'addr', 'add', `${VIP}/32`, 'dev', 'eth0');
    const before = announced();
    thief.run('arping', '-U', '-c', '4', '-w', '4', '-I', 'eth0', '-s', VIP, VIP);
    await pulse.says(`stranger claims ${VIP} on the segment: announcing again (foreign-claim)`);
    const spent = announced() - before;
    assert.equal(spent > 0 && spent <= 10, true, `${spent} frames`);
  });
});

describe('a standby that hears nothing', () => {
  test('does not take over: it is the deaf one; healed, it stays standby', async () => {
    const { first, second } = await pair();
    deafen('backup');
    await second.says('nothing at all is heard on the segment of the VIPs: not taking over (deaf)');
    await sleep(1000);
    assert.equal(holds(primary), true);
    assert.equal(holds(backup), false);
    assert.doesNotMatch(first.log, /deactivating/);
    hearAgain();
    await sleep(500);
    assert.equal(holds(backup), false);
  });

  test('with its ears open it takes over from a partner that fell silent', async () => {
    const { first, second } = await pair();
    first.signal('SIGSTOP');
    await second.says('partner dead: activating lvs');
    await until(() => holds(backup), 'the VIP');
    assert.doesNotMatch(second.log, /\(deaf\)/);
  });
});

describe('witness_hosts', () => {
  const named = 'witness_hosts = 198.51.100.1';

  test('an owner cut off from everybody gives the VIPs up before its partner raises them', async () => {
    const { first, second } = await pair(named);
    cutOff('primary');
    await first.says('deactivating LVS (isolated)');
    await second.says('partner dead: activating lvs');
    await until(() => holds(backup), 'the VIP on the backup');
    assert.equal(holds(primary), false);
    await until(() => /isolated/.test(segment.status('primary')), 'status to say why');
    hearAgain();
    await first.says('witness_hosts are heard again');
    await sleep(1000);
    assert.deepEqual([holds(primary), holds(backup)], [false, true], 'it stays where it is');
  });

  test('the witness alone dies: the owner stays, the standby says that it may not take over', async () => {
    const { first, second } = await pair(named);
    router.run('ip', 'link', 'set', 'eth0', 'down');
    await first.says('none of witness_hosts is heard');
    await second.says('none of witness_hosts is heard');
    await sleep(1500);
    assert.deepEqual([holds(primary), holds(backup)], [true, false]);
    assert.doesNotMatch(first.log, /deactivating/);
    const refused = segment.piranha('primary', 'resign');
    assert.match(refused.stdout + refused.stderr, /the partner may not take over \(isolated\)/);
    router.run('ip', 'link', 'set', 'eth0', 'up');
    await second.says('witness_hosts are heard again');
  });
});

describe('the pinned partner', () => {
  const entry = (host: Host, address: string) => host.run('ip', 'neigh', 'show', address);

  test('each director pins the other; a clean stop removes it', async () => {
    const { second } = await pair();
    const isPinned = () =>
      entry(primary, '198.51.100.12').includes(`lladdr ${macOf(12)} PERMANENT`) &&
      entry(backup, '198.51.100.11').includes(`lladdr ${macOf(11)} PERMANENT`);
    await until(isPinned, 'both pins', 3000);
    second.signal('SIGTERM');
    assert.equal(await second.exit, 0);
    assert.doesNotMatch(entry(backup, '198.51.100.11'), /PERMANENT/);
  });

  test('a partner with another interface is followed', async () => {
    await pair();
    await until(() => entry(primary, '198.51.100.12').includes('PERMANENT'), 'the pin', 3000);
    backup.shell(`ip link set eth0 address ${macOf(13)}
      arping -U -c 1 -w 1 -I eth0 198.51.100.12 || true`);
    const isFollowed = () => entry(primary, '198.51.100.12').includes(macOf(13));
    await until(isFollowed, `the pin to follow: ${entry(primary, '198.51.100.12')}`, 5000);
  });
});

function announced(): number {
  const [, frames] = /announced (\d+) frames/.exec(segment.status('primary')) ?? [];
  return Number(frames);
}

/** Frames to it are dropped, its own pass. */
function deafen(name: string): void {
  segment.switchRule(`oifname "p-${name}" drop`);
}

/** No frame from it or to it passes the switch. */
function cutOff(name: string): void {
  segment.switchRule(`oifname "p-${name}" drop\niifname "p-${name}" drop`);
}

function hearAgain(): void {
  segment.switchRule(undefined);
}
