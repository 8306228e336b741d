/** Scenarios of the legacy dialect, named after piranha.md §11; the interleavings are the simulator's. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concatBytes, fromHex, ip, toHex } from '../base/index.ts';
import { encodeHeartbeat } from '../wire/index.ts';
import { roleOf } from './moves.ts';
import {
  activeDirector,
  DEADTIME,
  KEEPALIVE,
  PARTNER,
  standbyDirector,
  TestDirector,
  TWO_PATHS,
  VIP,
} from './test-director.ts';

test('W1 a heartbeat is exactly four bytes: active says da db ad bd, standby bd da bd ad', () => {
  const bytes = (director: TestDirector): string[] =>
    director.effects.flatMap((effect) => (effect.kind === 'send' ? [toHex(effect.bytes)] : []));
  assert.deepEqual(bytes(standbyDirector().passes(KEEPALIVE)), ['bd da bd ad']);
  assert.deepEqual(bytes(activeDirector().passes(KEEPALIVE)), ['da db ad bd']);
});

test('W2 the partner is heard by its address, whatever socket it came in by; a stranger is dropped', () => {
  const private_ = ip('192.0.2.12');
  for (const [from, path] of [
    [PARTNER, 'private'],
    [private_, 'public'],
  ] as const) {
    const director = standbyDirector({ paths: TWO_PATHS }).passes(DEADTIME - 1);
    director.hears('running', from, path).passes(DEADTIME - 1);
    assert.equal(director.isActive, false, `${from} on ${path} re-arms the dead timer`);
  }
  const director = standbyDirector().hears('stopped', ip('198.51.100.66'));
  assert.deepEqual(director.notes, ['stranger']);
  assert.equal(director.isActive, false, 'a stranger cannot make us take over');
  const single = standbyDirector().hears('stopped', private_);
  assert.deepEqual(single.notes, ['stranger'], 'with one path the other address is a stranger');
});

test('W3 the same word goes out on every path at each keepalive', () => {
  const director = standbyDirector({ paths: TWO_PATHS });
  assert.deepEqual(director.passes(KEEPALIVE).said, ['public stopped', 'private stopped']);
  assert.deepEqual(standbyDirector().passes(KEEPALIVE).said, ['public stopped']);
});

test('W4 four bytes count in a longer datagram; a shorter or foreign one re-arms nothing', () => {
  const long = concatBytes(encodeHeartbeat('stopped'), fromHex('01 02 03 04 05'));
  assert.equal(standbyDirector().hears(long).isActive, true);
  const useless = [
    [fromHex('bd da bd'), 'too-short'],
    [fromHex('00 00 00 00'), 'incompatible'],
    [encodeHeartbeat('fos-running'), 'incompatible'],
    [encodeHeartbeat('fos-stopped'), 'incompatible'],
  ] as const;
  for (const [bytes, reason] of useless) {
    const director = standbyDirector()
      .passes(DEADTIME - 1)
      .hears(bytes);
    assert.deepEqual(director.notes, [reason]);
    assert.equal(director.isActive, false);
    assert.equal(director.passes(1).isActive, true, `${reason}: the old deadline stands`);
  }
});

test('W5 HOLD and HELD only re-arm the dead timer; STOPME does not even that', () => {
  for (const word of ['hold', 'held'] as const) {
    const director = standbyDirector()
      .passes(DEADTIME - 1)
      .hears(word);
    assert.deepEqual(director.did, []);
    assert.equal(director.passes(DEADTIME - 1).isActive, false);
    assert.equal(director.passes(1).isActive, true);
  }
  const active = activeDirector().hears('stopme');
  assert.deepEqual([active.did, active.isActive], [[], true]);
  const standby = standbyDirector()
    .passes(DEADTIME - 1)
    .hears('stopme')
    .passes(1);
  assert.equal(standby.isActive, true);
});

test('W5 the words of a big-endian partner are understood', () => {
  const director = standbyDirector().hears(encodeHeartbeat('stopped', 'big'));
  assert.equal(director.isActive, true);
});

test('W6 without a partner nothing is sent and the VIPs are taken after a deadtime', () => {
  const director = new TestDirector({ paths: [] }).passes(DEADTIME - 1);
  assert.deepEqual([director.isActive, director.said], [false, []]);
  director.passes(1);
  assert.equal(director.state.reason, 'no-partner');
  assert.deepEqual(director.did, ['hook active', 'raise', 'announce own reply+request']);
  assert.deepEqual(director.passes(60 * KEEPALIVE).said, []);
});

test('M1 silence makes active at the deadtime, not a millisecond earlier; each word starts it anew', () => {
  for (const node of ['primary', 'backup'] as const) {
    for (const word of ['running', 'hold'] as const) {
      const director = standbyDirector({ node })
        .hears(word)
        .passes(DEADTIME - 1);
      assert.equal(director.isActive, false);
      director.hears(word).passes(DEADTIME - 1);
      assert.equal(director.isActive, false, 'the second word re-armed it');
      director.passes(1);
      assert.deepEqual([director.isActive, director.state.reason], [true, 'partner-silent']);
    }
  }
});

test('M1 taking over says RUNNING first, raises, and announces when the kernel has confirmed', () => {
  const director = standbyDirector();
  director.isKernelPrompt = false;
  director.passes(DEADTIME);
  assert.deepEqual(director.did.slice(-3), ['say running public', 'hook active', 'raise']);
  assert.deepEqual(director.passes(KEEPALIVE).did, ['say running public'], 'nothing announced yet');
  assert.deepEqual(director.confirms().did, ['announce own reply+request']);
});

test('M2 a standby takes over when it hears STOPPED of a partner that has been active', () => {
  for (const node of ['primary', 'backup'] as const) {
    const director = standbyDirector({ node }).hears('stopped');
    assert.deepEqual([director.isActive, director.state.reason], [true, 'partner-resigned']);
    const wish = director.state.wish.number;
    assert.deepEqual(director.hears('stopped').did, [], 'an active one does not take over twice');
    assert.equal(director.state.wish.number, wish);
  }
});

test('M2 simultaneous start: the primary takes over, the backup waits two keepalives for that', () => {
  const primary = new TestDirector().hears('stopped');
  assert.equal(primary.isActive, true);
  const backup = new TestDirector({ node: 'backup' }).passes(KEEPALIVE).hears('stopped');
  assert.equal(backup.isActive, false);
  backup.passes(KEEPALIVE).hears('running').passes(KEEPALIVE);
  assert.equal(backup.isActive, false, 'the primary was heard in time');
  const alone = new TestDirector({ node: 'backup' }).passes(KEEPALIVE).hears('stopped');
  alone.passesHearing(2 * KEEPALIVE, 'stopped');
  assert.equal(alone.isActive, true, 'a primary that does not take over is not waited for');
});

test('M2 a primary listens for longer than a keepalive before its first STOPPED', () => {
  assert.deepEqual(new TestDirector().passes(KEEPALIVE * 1.5 - 1).said, []);
  assert.deepEqual(new TestDirector().passes(KEEPALIVE * 1.5).said, ['public stopped']);
  assert.deepEqual(new TestDirector({ node: 'backup' }).passes(KEEPALIVE).said, ['public stopped']);
});

test('M3 active backup hears RUNNING: one dying breath on each path before any release', () => {
  const backup = activeDirector({ node: 'backup', paths: TWO_PATHS });
  backup.isKernelPrompt = false;
  assert.deepEqual(backup.hears('running').did, [
    'say running public',
    'say running private',
    'cancel-announcements',
    'hook inactive',
    'remove',
    'announce partner reply',
  ]);
  assert.equal(backup.state.reason, 'split-brain-yield');
  const meanwhile = backup.passes(KEEPALIVE).said;
  assert.deepEqual(meanwhile, ['public running', 'private running'], 'it still holds some');
  assert.deepEqual(backup.confirms().said, ['public stopped', 'private stopped']);
  assert.deepEqual(backup.passes(KEEPALIVE).said, ['public stopped', 'private stopped']);
});

test('M4 active primary hears RUNNING: stays, answers at once, announces again', () => {
  const primary = activeDirector().hears('running');
  assert.equal(primary.isActive, true);
  assert.deepEqual(primary.did, [
    'say running public',
    'hook active',
    'announce own reply+request',
  ]);
  // R: the backlog of a split brain is one round, hurried, not one round each.
  let frames = primary.announced;
  for (let count = 0; count < 50; count++) frames += primary.hears('running').announced;
  frames += primary.hears('stopped').passesHearing(20 * KEEPALIVE, 'stopped').announced;
  assert.ok(frames >= 3 && frames <= 10, `${frames} frames`);
});

test('M4 a backup that goes on saying RUNNING is deaf, and the primary that hears it gives way', () => {
  const primary = activeDirector().hears('running').passesHearing(KEEPALIVE, 'running');
  assert.equal(primary.passes(KEEPALIVE / 2 - 1).isActive, true);
  primary.passes(1);
  assert.deepEqual([primary.isActive, primary.state.reason], [false, 'partner-deaf']);
  assert.ok(primary.did.includes('announce partner reply'));
});

test('M4 the last breath of a backup that hears again does not make the primary give way', () => {
  const primary = activeDirector().hears('running').passesHearing(KEEPALIVE, 'running');
  primary
    .hears('running')
    .hears('stopped')
    .passes(2 * KEEPALIVE);
  assert.equal(primary.isActive, true);
});

test('M4 a partner that comes back from a long silence is reason enough to announce', () => {
  const primary = activeDirector();
  assert.equal(primary.passes(DEADTIME - KEEPALIVE - 1).hears('stopped').announced, 0);
  const again = activeDirector()
    .passes(DEADTIME - KEEPALIVE)
    .hears('stopped');
  assert.equal(again.announced > 0, true);
});

test('M6 standby primary hears RUNNING: stays standby; forced active, the backup yields', () => {
  assert.equal(standbyDirector().hears('running').isActive, false);
  const forced = new TestDirector({}, true);
  assert.deepEqual([forced.isActive, forced.state.reason], [true, 'forced']);
  assert.deepEqual(forced.said, ['public running']);
  assert.equal(activeDirector({ node: 'backup' }).hears('running').isActive, false);
});

test('M7 TERM while active: the VIPs go first, then STOPPED, then the end', () => {
  const director = activeDirector();
  director.isKernelPrompt = false;
  director.feed({ kind: 'stop', now: director.now });
  assert.deepEqual(director.did, ['cancel-announcements', 'hook inactive', 'remove']);
  assert.deepEqual(director.passes(5 * KEEPALIVE).did, [], 'silent until the kernel has let go');
  assert.deepEqual(director.confirms().did, ['say stopped public', 'exit']);
});

test('M8 failed services: release, STOPPED, no return before RUNNING was heard', () => {
  const director = activeDirector();
  director.feed({ kind: 'services', now: director.now, health: 'failed' });
  assert.deepEqual([director.isActive, director.state.reason], [false, 'services-failed']);
  assert.equal(director.said.at(-1), 'public stopped');
  assert.equal(director.passes(10 * DEADTIME).isActive, false);
  assert.equal(director.hears('stopped').isActive, false);
  assert.equal(roleOf(director.state), 'fault');
  assert.equal(director.hears('running').hears('stopped').isActive, true);
});

test('M9 monitor_links: an active node whose link fails lets go and goes on saying STOPPED', () => {
  const director = activeDirector({ monitorLinks: true });
  director.feed({ kind: 'links', now: director.now, down: ['public'] });
  assert.deepEqual([director.isActive, director.state.reason], [false, 'link-failure']);
  assert.deepEqual(director.passes(KEEPALIVE).said, ['public stopped']);
  assert.equal(director.passes(5 * DEADTIME).hears('stopped').isActive, false);
  director.feed({ kind: 'links', now: director.now, down: [] });
  assert.equal(director.passes(DEADTIME - 1).isActive, false, 'listens for a whole deadtime');
  assert.equal(director.passes(1).isActive, true);
});

test('M9 links are not watched without a partner, nor unless asked for', () => {
  for (const settings of [{ monitorLinks: true, paths: [] }, { monitorLinks: false }]) {
    const director = new TestDirector(settings).passes(DEADTIME);
    director.feed({ kind: 'links', now: director.now, down: ['public'] });
    assert.equal(director.isActive, true);
  }
});

test('a standby that was frozen listens for a whole deadtime, whatever waits in its socket', () => {
  const director = standbyDirector({ node: 'backup' }).sleeps(5 * DEADTIME);
  director.hears('running').hears('stopped').wakes();
  assert.equal(director.isActive, false, 'an old STOPPED is no invitation');
  assert.equal(director.passes(DEADTIME - 1).isActive, false);
  assert.equal(director.passes(1).isActive, true);
});

test('half a keepalive late is not late, a millisecond more is', () => {
  for (const [lateMs, isActive] of [
    [KEEPALIVE / 2, true],
    [KEEPALIVE / 2 + 1, false],
  ] as const) {
    const director = standbyDirector()
      .passes(DEADTIME - 1)
      .sleeps(1 + lateMs)
      .wakes();
    assert.equal(director.isActive, isActive, `${lateMs} ms after the deadline`);
  }
});

test('failback: a backup hands over after two steady deadtimes, once', () => {
  const director = new TestDirector({ node: 'backup', failback: 'auto' }).passes(DEADTIME);
  assert.equal(director.passesHearing(2 * DEADTIME, 'stopped').isActive, true);
  director.passes(KEEPALIVE);
  assert.deepEqual([director.isActive, director.state.reason], [false, 'handover']);
  // The primary does not take it: the VIPs need an owner, and no second offer is made.
  assert.equal(director.passesHearing(3 * KEEPALIVE, 'stopped').isActive, true);
  assert.equal(director.passesHearing(10 * DEADTIME, 'stopped').isActive, true);
  assert.equal(director.state.reason, 'partner-resigned');
  assert.equal(activeDirector({ node: 'backup' }).isActive, true, 'off unless configured');
});

test('a kernel that refuses the addresses leaves them to the partner', () => {
  const director = standbyDirector();
  director.isKernelPrompt = false;
  director.passes(DEADTIME).confirms('EADDRNOTAVAIL');
  assert.deepEqual([director.isActive, director.state.reason], [false, 'kernel-refused']);
  assert.equal(director.confirms().said.at(-1), 'public stopped');
  assert.equal(director.passes(5 * DEADTIME).isActive, false);
});

test('the answer to an older wish is no confirmation', () => {
  const director = standbyDirector();
  director.isKernelPrompt = false;
  const old = director.state.wish.number;
  director.passes(DEADTIME).feed({ kind: 'converged', now: director.now, wish: old });
  assert.deepEqual(director.did, [], 'nothing is announced that the kernel has not confirmed');
});

test('an address that someone removed and the crank put back is announced', () => {
  const director = activeDirector();
  director.feed({ kind: 'repaired', now: director.now, vips: director.state.settings.vips });
  assert.equal(director.announced > 0, true);
});

test('a VIP about which nobody can be asked is announced, and neither asked about nor called unbelieved', () => {
  const six = ip('fd77::100');
  const vips = [VIP, six];
  const verification = { asksWitnesses: true, unasked: [six], refreshMs: 0 };
  const director = new TestDirector({ vips, verification });
  const asked = new Set<string>();
  const unbelieved: string[] = [];
  for (let turn = 0; turn < 120; turn++) {
    director.passes(100);
    for (const effect of director.effects) {
      if (effect.kind === 'verify') for (const vip of effect.vips) asked.add(vip);
      if (effect.kind !== 'note' || effect.note.kind !== 'unbelieved') continue;
      unbelieved.push(...effect.note.vips);
    }
  }
  assert.equal(director.isActive, true);
  assert.deepEqual([...asked], [VIP]);
  assert.deepEqual(unbelieved, [VIP]);
});
