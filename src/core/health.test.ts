import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { instant } from '../base/index.ts';
import { down, UP, type Verdict } from '../model/index.ts';
import {
  absentServer,
  admit,
  adoptedServer,
  type CheckState,
  concludeServer,
  loadWeight,
  newCheck,
  parseLoad,
  reweigh,
  type ServerState,
  slowStartStepMs,
  stepCheck,
  stepLoad,
  stepWeight,
  type WeightRules,
} from './health.ts';

const AT = instant(1000);
const REFUSED = down('connect-refused', '');

function probe(timing: { rise: number; fall: number }, verdicts: string, from = newCheck(AT)) {
  let state: CheckState = from;
  let seen = '';
  for (const letter of verdicts) {
    state = stepCheck(state, letter === '+' ? UP : REFUSED, timing, AT);
    seen += { unknown: '?', up: 'U', down: 'D' }[state.status];
  }
  return seen;
}

function rules(configured: number, more: Partial<WeightRules> = {}): WeightRules {
  return { configured, stepMs: 20_000, quiesces: false, followsLoad: false, ...more };
}

test('H2: one success admits at the start, one failure removes, floor(reentry / timeout) successes bring back', () => {
  // timeout 6, reentry 15
  assert.equal(probe({ rise: 2, fall: 1 }, '+-+-++-'), 'UDDDDUD');
});

test('H2: a server that fails its first probe is down and must earn its way in', () => {
  assert.equal(probe({ rise: 3, fall: 1 }, '-+++'), 'DDDU');
});

test('with fall = 3 two failures in a row are forgiven, and a success starts the count again', () => {
  assert.equal(probe({ rise: 1, fall: 3 }, '+--+--+---'), 'UUUUUUUUUD');
  assert.equal(probe({ rise: 1, fall: 3 }, '---+'), '??DU');
});

test('a probe that changes nothing gives the same object back', () => {
  const timing = { rise: 2, fall: 1 };
  const up = stepCheck(newCheck(AT), UP, timing, AT);
  assert.equal(stepCheck(up, UP, timing, AT), up);
  const isDown = stepCheck(up, REFUSED, timing, AT);
  assert.equal(stepCheck(isDown, REFUSED, timing, AT), isDown);
  const other = stepCheck(isDown, down('timeout', 'no answer'), timing, AT);
  assert.deepEqual(other.failure, { reason: 'timeout', detail: 'no answer' });
});

test('status changes only by `rise` successes or `fall` failures in a row', () => {
  const verdicts = fc.string({ unit: fc.constantFrom('+', '-'), minLength: 1, maxLength: 60 });
  const count = fc.integer({ min: 1, max: 5 });
  fc.assert(
    fc.property(verdicts, count, count, (text, rise, fall) => {
      const seen = probe({ rise, fall }, text);
      for (let index = 0; index < seen.length; index++) {
        const before = index === 0 ? '?' : seen[index - 1];
        const past = text.slice(0, index + 1);
        const endsUp = past.endsWith('+'.repeat(rise));
        const endsDown = past.endsWith('-'.repeat(fall));
        // The count of a status starts when the status does.
        const held = before === '?' ? index : index - (lastChange(seen, index - 1) ?? 0);
        const isUp = before === '?' ? text[index] === '+' : endsUp && held >= rise;
        const isDown = endsDown && (before !== 'U' || held >= fall);
        if (before !== 'U') assert.equal(seen[index] === 'U', isUp, `${text} ${seen}`);
        if (before !== 'D') assert.equal(seen[index] === 'D', isDown, `${text} ${seen}`);
      }
    }),
    { numRuns: 2000 },
  );
});

/** Index at which the status that holds at `index` began. */
function lastChange(seen: string, index: number): number | undefined {
  for (let at = index; at > 0; at--) if (seen[at] !== seen[at - 1]) return at;
  return undefined;
}

function slowStart(configured: number): number[] {
  let state = admit(rules(configured), AT);
  const weights = [state.weight];
  for (let step = 1; state.stepAt !== undefined && step < 100; step++) {
    state = stepWeight(state, rules(configured), instant(1000 + step * 20_000));
    weights.push(state.weight);
  }
  return weights;
}

test('H5: slow start of weight 100 is 3, 6, 12, 24, 48, 96, 100', () => {
  assert.deepEqual(slowStart(100), [3, 6, 12, 24, 48, 96, 100]);
});

test('H5: weight 1 has no slow start, weight 2 starts at 1, weight 0 stays 0', () => {
  assert.deepEqual(slowStart(1), [1]);
  assert.deepEqual(slowStart(2), [1, 2]);
  assert.deepEqual(slowStart(0), [0]);
});

test('H5: the doubling comes about every 20 s, at whole probes', () => {
  const steps = [6000, 10_000, 7000, 15_000, 30_000, 1000].map(slowStartStepMs);
  assert.deepEqual(steps, [18_000, 20_000, 14_000, 15_000, 30_000, 20_000]);
});

test('H5: a slow start is not moved by wakes before its time, and catches up when woken late', () => {
  const state = admit(rules(100), AT);
  assert.equal(stepWeight(state, rules(100), instant(20_999)), state);
  assert.equal(stepWeight(state, rules(100), instant(1000 + 3 * 20_000)).weight, 24);
});

test('H5: load below 1 raises the weight by (W / 2) * cbrt(1 - load), at most tenfold', () => {
  assert.equal(loadWeight(100, { configured: 100, load: 0 }), 150);
  assert.equal(loadWeight(100, { configured: 100, load: 0.875 }), 125);
  assert.equal(loadWeight(980, { configured: 100, load: 0.5 }), 980); // to 1000: less than W / 4
  assert.equal(loadWeight(970, { configured: 100, load: 0.5 }), 1000);
  // The kernel takes no more.
  assert.equal(loadWeight(60_000, { configured: 20_000, load: 0 }), 65_535);
});

test('H5: load above 1 lowers it by (W / 2) * cbrt(load - 1), never below the configured weight', () => {
  assert.equal(loadWeight(300, { configured: 100, load: 9 }), 200);
  assert.equal(loadWeight(150, { configured: 100, load: 65 }), 100);
  assert.equal(loadWeight(100, { configured: 100, load: 65 }), 100);
});

test('H5: load 1, an unreadable load and changes under W / 4 leave the weight alone', () => {
  assert.equal(loadWeight(130, { configured: 100, load: 1 }), 130);
  assert.equal(loadWeight(130, { configured: 100, load: undefined }), 130);
  assert.equal(loadWeight(130, { configured: 100, load: 0.99 }), 130);
});

test('H5: load moves only servers whose slow start is over', () => {
  const ramping = admit(rules(100, { followsLoad: true }), AT);
  assert.equal(stepLoad(ramping, 100, 0), ramping);
  const full: ServerState = { presence: 'in', weight: 100, isHeld: false, since: AT };
  assert.equal(stepLoad(full, 100, 0).weight, 150);
});

test('the load is read from what uptime, rup and ruptime print', () => {
  const uptime = ' 10:02:11 up 3 days,  2:01,  1 user,  load average: 0.42, 0.36, 0.30\n';
  assert.equal(parseLoad(uptime), 0.42);
  assert.equal(parseLoad('  web-a    up   1+02:03,   0 users,  load 1.50, 1.20, 1.00'), 1.5);
  assert.equal(parseLoad('load average: 12,07 3,4'), 12.07);
  // rup and ruptime print the name of the host first.
  assert.equal(parseLoad('loadgen3 up 5 days,  2:03,   load average: 0.05, 0.04, 0.01'), 0.05);
  assert.equal(parseLoad('load3     up   1+02:03,   0 users,  load 0.12, 0.10, 0.10'), 0.12);
  assert.equal(parseLoad('upload-2.example  up   1+02:03,   0 users,  load 0.12, 0.1'), 0.12);
  assert.equal(parseLoad('up 3 days, load averages: 0.42 0.36 0.30'), 0.42);
  assert.equal(parseLoad('web-load 7 down'), undefined);
  assert.equal(parseLoad('no such host'), undefined);
  assert.equal(parseLoad('load average: high'), undefined);
});

test('a server is absent before its first good check', () => {
  const state = absentServer(AT);
  assert.equal(concludeServer(state, 'unknown', rules(4), AT), state);
  assert.equal(concludeServer(state, 'down', rules(4, { quiesces: true }), AT).presence, 'absent');
  assert.equal(concludeServer(state, 'up', rules(4), AT).presence, 'in');
});

test('H6: with quiesce_server a failed server stays with weight 0, without it is gone', () => {
  const state = admit(rules(1), AT);
  const quiesced = concludeServer(state, 'down', rules(1, { quiesces: true }), AT);
  assert.deepEqual([quiesced.presence, quiesced.weight], ['quiesced', 0]);
  assert.equal(concludeServer(state, 'down', rules(1), AT).presence, 'absent');
  // quiesce_server may change while it is down; who has no row gets none.
  assert.equal(concludeServer(quiesced, 'down', rules(1), AT).presence, 'absent');
  const absent = concludeServer(state, 'down', rules(1), AT);
  assert.equal(concludeServer(absent, 'down', rules(1, { quiesces: true }), AT), absent);
});

test('after a restart a server keeps its weight until the first conclusion', () => {
  const held = adoptedServer(12, AT);
  assert.equal(concludeServer(held, 'unknown', rules(100), AT), held);
  assert.equal(stepWeight(held, rules(100), instant(1e9)), held);
  assert.equal(reweigh(held, { before: 50, now: rules(100) }), held);
  assert.equal(reweigh(held, { before: 12, now: rules(5) }).weight, 5);
  assert.equal(reweigh(held, { before: 50, now: rules(5) }).isHeld, true);
  const up = concludeServer(held, 'up', rules(100), AT);
  assert.deepEqual([up.weight, up.stepAt], [12, 21_000]);
  assert.equal(concludeServer(held, 'down', rules(100), AT).presence, 'absent');
});

test('an adopted weight above the configured one survives only where the load decides', () => {
  const held = adoptedServer(300, AT);
  assert.equal(concludeServer(held, 'up', rules(100), AT).weight, 100);
  assert.equal(concludeServer(held, 'up', rules(100, { followsLoad: true }), AT).weight, 300);
});

test('a changed weight takes effect at once, but does not cut a slow start short', () => {
  const full: ServerState = { presence: 'in', weight: 2, isHeld: false, since: AT };
  assert.equal(reweigh(full, { before: 2, now: rules(5) }).weight, 5);
  const ramping = admit(rules(100), AT);
  assert.equal(reweigh(ramping, { before: 100, now: rules(200) }), ramping);
  assert.equal(reweigh(ramping, { before: 100, now: rules(2) }).weight, 2);
});

test('a weight that the load raised comes back without load_monitor, and nothing else moves', () => {
  const raised: ServerState = { presence: 'in', weight: 34, isHeld: false, since: AT };
  assert.equal(reweigh(raised, { before: 4, now: rules(4) }).weight, 4);
  assert.equal(reweigh(raised, { before: 4, now: rules(4, { followsLoad: true }) }), raised);
  const ramping = admit(rules(100), AT);
  assert.equal(reweigh(ramping, { before: 100, now: rules(100) }), ramping);
  const held = adoptedServer(34, AT);
  assert.equal(reweigh(held, { before: 4, now: rules(4) }), held);
});

test('a weight never leaves 0 to ten times the configured one, whatever happens', () => {
  const event = fc.oneof(
    fc.record({ kind: fc.constant('verdict' as const), isUp: fc.boolean() }),
    fc.record({ kind: fc.constant('load' as const), load: fc.double({ min: 0, max: 100 }) }),
    fc.record({ kind: fc.constant('time' as const), ms: fc.integer({ min: 0, max: 90_000 }) }),
  );
  const configured = fc.integer({ min: 0, max: 6000 });
  fc.assert(
    fc.property(configured, fc.array(event, { maxLength: 60 }), (weight, events) => {
      const wish = rules(weight, { followsLoad: true, quiesces: true });
      let [check, server, now] = [newCheck(AT), absentServer(AT), 1000];
      for (const item of events) {
        if (item.kind === 'time') now += item.ms;
        if (item.kind === 'load') server = stepLoad(server, weight, item.load);
        const verdict: Verdict = item.kind === 'verdict' && item.isUp ? UP : REFUSED;
        if (item.kind === 'verdict') {
          check = stepCheck(check, verdict, { rise: 2, fall: 1 }, instant(now));
          server = concludeServer(server, check.status, wish, instant(now));
        }
        server = stepWeight(server, wish, instant(now));
        assert.ok(server.weight >= 0 && server.weight <= Math.min(65_535, 10 * weight));
        assert.equal(server.presence === 'in', check.status === 'up');
        if (server.stepAt !== undefined) assert.ok(server.stepAt > now && server.weight < weight);
      }
    }),
    { numRuns: 1000 },
  );
});
