import assert from 'node:assert/strict';
import { test } from 'node:test';
import { instant } from '../base/index.ts';
import { NOTHING_SEEN, watchService } from './service-watch.ts';

/** `+` a good probe, `-` a failed one; gives the moment of the failure. */
function failsAt(...probes: readonly (readonly [number, '+' | '-'])[]): number | undefined {
  let watch = NOTHING_SEEN;
  for (const [ms, verdict] of probes) {
    const seen = { now: instant(ms), isUp: verdict === '+', intervalMs: 1000 };
    const next = watchService(watch, seen);
    if (next === undefined) return ms;
    watch = next;
  }
  return undefined;
}

test('a service once seen up has failed at its first bad probe', () => {
  assert.equal(failsAt([0, '+'], [1000, '+'], [2000, '-']), 2000);
});

test('a service never seen up has an interval after its first bad probe', () => {
  assert.equal(failsAt([0, '-'], [1000, '-']), 1000);
  assert.equal(failsAt([0, '-'], [200, '-'], [1200, '-']), 1200, 'the first probes come early');
  assert.equal(failsAt([0, '-'], [950, '-']), 950, 'a probe comes a little before its time');
});

test('a service that comes up in time is watched from then on', () => {
  assert.equal(failsAt([0, '-'], [500, '+'], [1500, '+']), undefined);
  assert.equal(failsAt([0, '-'], [500, '+'], [1500, '-']), 1500);
});
