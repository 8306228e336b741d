import assert from 'node:assert/strict';
import test from 'node:test';
import { parseSettings } from '../config/index.ts';
import type { Settings } from '../model/index.ts';
import { type Play, REHEARSALS, type Rehearsal, rehearse, withTimers } from './rehearsal.ts';

const TEXT = `primary = 198.51.100.11
backup = 198.51.100.12
backup_active = 1
keepalive_ms = 500
deadtime_ms = 1500
network = direct
virtual web {
    active = 1
    address = 198.51.100.100 eth0:1
}
`;

function settings(text = TEXT): Settings {
  const verdict = parseSettings(text, { file: 'lvs.cf' });
  assert.ok(verdict.settings, JSON.stringify(verdict.problems));
  return verdict.settings;
}

function played(play: Play, of = settings()): Rehearsal {
  const outcome = rehearse(of, play);
  assert.ok(outcome.ok, outcome.ok ? '' : outcome.error);
  return outcome.value;
}

test('a freeze costs deadtime less lease, and never makes two owners', () => {
  const { blackoutMs, doubleMs, owner } = played({ name: 'freeze', whom: 'active', forMs: 5000 });
  assert.equal(owner, 'backup');
  assert.equal(doubleMs, 0);
  assert.ok(blackoutMs.worst > 100 && blackoutMs.worst < 400, `${blackoutMs.worst} ms`);
});

test('a pulled plug costs the whole deadtime, a clean stop next to nothing', () => {
  const power = played({ name: 'power', whom: 'active', forMs: 10_000 });
  const stop = played({ name: 'stop', whom: 'active', forMs: 10_000 });
  assert.ok(power.blackoutMs.worst >= 1250 && power.blackoutMs.worst <= 1600);
  assert.ok(stop.blackoutMs.worst <= 50, `${stop.blackoutMs.worst} ms`);
  assert.deepEqual([power.owner, stop.owner], ['backup', 'backup']);
});

test('what befalls the standby costs nothing', () => {
  for (const name of ['freeze', 'kill', 'power', 'stop'] as const) {
    const { blackoutMs, owner } = played({ name, whom: 'standby', forMs: 4000 });
    assert.deepEqual([name, blackoutMs.worst, owner], [name, 0, 'primary']);
  }
});

test('a half-heal ends with one owner and with the router on it', () => {
  const half = played({ name: 'half-heal', whom: 'active', forMs: 5000 });
  assert.notEqual(half.owner, 'nobody');
  assert.ok(half.doubleMs < 5000, 'two owners end when one direction heals');
});

test('the legacy dialect answers from a frozen machine, and the rehearsal shows both owners', () => {
  const legacy = settings(`dialect = legacy\n${TEXT}`);
  const { doubleMs } = played({ name: 'freeze', whom: 'active', forMs: 5000 }, legacy);
  assert.ok(doubleMs > 1000, `${doubleMs} ms`);
});

test('shorter timers make a shorter blackout', () => {
  const slow = withTimers(settings(), { keepaliveMs: 2000, deadtimeMs: 6000 });
  const fast = withTimers(settings(), { keepaliveMs: 100, deadtimeMs: 600 });
  const play: Play = { name: 'power', whom: 'active', forMs: 10_000 };
  assert.ok(played(play, slow).blackoutMs.worst > 5 * played(play, fast).blackoutMs.worst);
});

test('every rehearsal ends, and its trace begins with who is what', () => {
  for (const name of REHEARSALS) {
    const { trace } = played({ name, whom: 'active', forMs: 2000 });
    assert.equal(trace[0]?.kind, 'event', name);
    assert.ok(trace.length > 10, name);
  }
});

test('what cannot be rehearsed is refused with a sentence', () => {
  const alone = settings(TEXT.replace('backup_active = 1', 'backup_active = 0'));
  const outcome = rehearse(alone, { name: 'freeze', whom: 'active', forMs: 1000 });
  assert.match(outcome.ok ? '' : outcome.error, /no partner/);
  const endless = rehearse(settings(), { name: 'freeze', whom: 'active', forMs: 1e9 });
  assert.match(endless.ok ? '' : endless.error, /1 to 120 s/);
});
