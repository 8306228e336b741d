import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  type Change,
  type ChangeInput,
  type ChangeState,
  changeWakeAt,
  SETTLED,
  stepChange,
} from './change.ts';

const CHANGE: Change = { serial: 8, author: 'alice', reason: '4411', before: 7, isPair: false };

/** The state and the words of its effects after these inputs. */
function play(...inputs: readonly ChangeInput[]) {
  let state: ChangeState = SETTLED;
  const did: string[] = [];
  for (const input of inputs) {
    const step = stepChange(state, input);
    if (!step.ok) {
      did.push(step.error);
      continue;
    }
    state = step.value.state;
    for (const effect of step.value.effects) {
      if (effect.kind === 'mark') did.push(`${effect.serial} ${effect.fate}`);
      else did.push(effect.kind === 'restore' ? `restore ${effect.why}` : effect.kind);
    }
  }
  return { state, did };
}

const apply = { kind: 'apply', change: CHANGE, confirmMs: 60_000 } as const;
const applied = { kind: 'applied', wallMs: 1000 } as const;
const start = (wallMs: number, isRunnable = true) =>
  ({ kind: 'start', wallMs, isRunnable }) as const;

describe('a change', () => {
  test('without a time to confirm is kept as soon as it is in force', () => {
    const { did, state } = play({ kind: 'apply', change: CHANGE }, applied);
    assert.deepEqual(did, ['install', '8 kept']);
    assert.equal(state, SETTLED);
  });

  test('that is confirmed is kept', () => {
    assert.deepEqual(play(apply, applied, { kind: 'confirm' }).did, [
      'install',
      '8 pending',
      '8 kept',
    ]);
  });

  test('that is not confirmed in its time is undone, not a moment earlier', () => {
    const waiting = play(apply, applied, { kind: 'wake', wallMs: 60_999 });
    assert.deepEqual(waiting.did, ['install', '8 pending']);
    assert.equal(changeWakeAt(waiting.state), 61_000);
    const { did } = play(apply, applied, { kind: 'wake', wallMs: 61_000 });
    assert.deepEqual(did.slice(2), ['restore not-confirmed', '8 rolled-back']);
  });

  test('that fails disarms its own rollback', () => {
    const { did, state } = play(apply, { kind: 'failed' }, { kind: 'wake', wallMs: 99_000 });
    assert.deepEqual(did, ['install', 'restore failed', '8 failed']);
    assert.equal(changeWakeAt(state), undefined);
  });

  test('refuses a second one while it waits, and a confirmation of nothing', () => {
    assert.deepEqual(play(apply, applied, apply).did.at(-1), 'change-pending');
    assert.deepEqual(play({ kind: 'confirm' }, { kind: 'undo' }).did, [
      'no-change-pending',
      'no-change-pending',
    ]);
  });
});

describe('a change over a restart', () => {
  test('goes on waiting when there is time left, and is undone when there is none', () => {
    assert.deepEqual(play(apply, applied, start(5000)).did, ['install', '8 pending']);
    assert.deepEqual(play(apply, applied, start(61_000)).did.slice(2), [
      'restore not-confirmed',
      '8 rolled-back',
    ]);
  });

  test('is undone when it was interrupted before it was in force', () => {
    assert.deepEqual(play(apply, start(1000)).did.slice(1), ['restore interrupted', '8 failed']);
  });

  test('is undone when no director can start with it', () => {
    assert.deepEqual(play(apply, applied, start(1001, false)).did.slice(2), [
      'restore failed',
      '8 failed',
    ]);
  });

  test('does not wait longer because the clock was set back', () => {
    const { state } = play(apply, applied, start(-1_000_000));
    assert.equal(changeWakeAt(state), -940_000);
  });
});

test('whatever happens, every installed change is kept once or restored once, and nothing else is', () => {
  const wallMs = fc.integer({ min: 0, max: 200_000 });
  const input: fc.Arbitrary<ChangeInput> = fc.oneof(
    fc.record({
      kind: fc.constant('apply' as const),
      change: fc.constant(CHANGE),
      confirmMs: fc.constantFrom(10, 60_000),
    }),
    fc.constant({ kind: 'apply' as const, change: CHANGE }),
    fc.record({ kind: fc.constant('applied' as const), wallMs }),
    fc.constantFrom(
      { kind: 'failed' as const },
      { kind: 'confirm' as const },
      { kind: 'undo' as const },
    ),
    fc.record({ kind: fc.constant('wake' as const), wallMs }),
    fc.record({ kind: fc.constant('start' as const), wallMs, isRunnable: fc.boolean() }),
  );
  fc.assert(
    fc.property(fc.array(input, { maxLength: 30 }), (inputs) => {
      const { did, state } = play(...inputs);
      const count = (pattern: RegExp) => did.filter((word) => pattern.test(word)).length;
      const open = state.kind === 'settled' ? 0 : 1;
      assert.equal(count(/^install$/), count(/kept$/) + count(/^restore/) + open);
      assert.equal(count(/^restore/), count(/^8 (rolled-back|failed)$/));
    }),
  );
});
