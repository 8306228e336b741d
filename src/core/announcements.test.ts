/** Rounds of announcements (piranha.md §2.6, R1 and R2) under a virtual clock. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ip } from '../base/index.ts';
import type { Effect } from './failover-types.ts';
import {
  activeDirector,
  DEADTIME,
  KEEPALIVE,
  standbyDirector,
  TestDirector,
  VIP,
} from './test-director.ts';

type Announcement = Extract<Effect, { kind: 'announce' }>;

function announcements(director: TestDirector): Announcement[] {
  return director.effects.filter((effect) => effect.kind === 'announce');
}

test('R1 a takeover announces five replies a second apart, the first in request form, too', () => {
  const director = standbyDirector().passes(DEADTIME);
  const frames = announcements(director).map(({ forms }) => forms.join('+'));
  for (let second = 1; second <= 4; second++) {
    assert.deepEqual(announcements(director.passes(999)), [], `${second} s: not before its time`);
    frames.push(...announcements(director.passes(1)).map(({ forms }) => forms.join('+')));
  }
  assert.deepEqual(frames, ['reply+request', 'reply', 'reply', 'reply', 'reply']);
  assert.ok(director.notes.includes('announcements-finished'));
  assert.deepEqual(announcements(director.passes(60_000)), [], 'and never periodically');
});

test('R1 all VIPs are announced side by side', () => {
  const vips = [VIP, ip('198.51.100.101'), ip('fd77::100')];
  const director = standbyDirector({ vips }).passes(DEADTIME);
  for (const { vips: told } of announcements(director)) assert.deepEqual(told, vips);
});

test('R2 a round starts on activation and split brain only, not on STOPPED or silence', () => {
  const director = activeDirector();
  assert.equal(director.passesHearing(20 * KEEPALIVE, 'stopped').announced, 0);
  assert.equal(director.passes(5 * DEADTIME).announced, 0);
  assert.equal(standbyDirector().passesHearing(20 * KEEPALIVE, 'running').announced, 0);
});

test('R2 a trigger during a round hurries it and makes sure that two more follow', () => {
  const director = standbyDirector()
    .passes(DEADTIME)
    .passes(4 * KEEPALIVE - 1);
  // The last of five would be due in a millisecond.
  assert.equal(director.hears('running').announced, 1, 'at once');
  assert.equal(director.hears('stopped').passes(KEEPALIVE).announced, 1, 'and one more');
  assert.equal(director.passes(10 * KEEPALIVE).announced, 0);
});

test('R2 two frames are at least a quarter of a second apart, whatever is heard', () => {
  const director = standbyDirector().passes(DEADTIME);
  assert.equal(director.hears('running').announced, 0);
  assert.equal(director.passes(249).announced, 0);
  assert.equal(director.passes(1).announced, 1);
});

test('R2 a flood of RUNNING and STOPPED costs ten frames, then one in three seconds', () => {
  const director = activeDirector();
  let burst = 0;
  for (let count = 0; count < 100; count++) {
    burst += director.hears('running').announced + director.hears('stopped').announced;
    burst += director.passes(20).announced;
  }
  assert.equal(burst, 10);
  let after = 0;
  for (let count = 0; count < 1500; count++) {
    after += director.hears('running').announced + director.hears('stopped').announced;
    after += director.passes(20).announced;
  }
  assert.ok(after >= 9 && after <= 11, `${after} frames in 30 s`);
});

test('R2 repetitions leave two frames to the next takeover', () => {
  const director = standbyDirector({ node: 'backup' });
  for (let incident = 0; incident < 6; incident++) {
    director.passes(DEADTIME);
    assert.ok(director.announced > 0, `takeover ${incident + 1} is announced at once`);
    director.passes(DEADTIME);
    director.hears('running');
    assert.equal(director.isActive, false);
  }
});

test('who gives way cancels its own round in the same breath', () => {
  const director = standbyDirector({ node: 'backup' }).passes(DEADTIME).hears('running');
  assert.ok(director.did.includes('cancel-announcements'));
  assert.equal(director.passesHearing(20 * KEEPALIVE, 'running').announced, 0);
});

test('the first RUNNING of a life is announced for the partner: an earlier life may have announced us', () => {
  const director = new TestDirector().passes(KEEPALIVE).hears('running');
  assert.deepEqual(director.did, ['announce partner reply']);
  assert.deepEqual(director.passes(KEEPALIVE / 4).hears('running').did, []);
});
