/**
 * A change of the configuration that waits for its confirmation: who may do what when, and what undoes itself.
 *
 *   settled --apply--> trying --applied--> pending --confirm--> settled (kept)
 *                        |                    +--undo, time over, a start after its time--> settled (restored)
 *                        +--failed, a start--> settled (restored)     a failed change disarms its own rollback
 *
 * The idea: a router's `commit confirmed`. Whoever cuts himself off cannot confirm, and not to confirm is to undo. The state
 * is written down before a file is touched, so that a crash at any point finds either the old file or the way back to it.
 * Time is the wall clock's, because it must survive a restart; a clock that was set back cannot lengthen the wait
 * beyond what was asked. Rejected: a second pending change on top of the first (whose rollback would undo whose?).
 */
import { err, type Milliseconds, ok, type Result } from '../base/index.ts';

/** One version of the history: a number of its own, growing, and what people said about it. */
export type Change = {
  readonly serial: number;
  readonly author: string;
  readonly reason: string;
  /** The version whose file stood before. */
  readonly before: number;
  /** The partner has the other half. */
  readonly isPair: boolean;
};

export type ChangeState =
  | { readonly kind: 'settled' }
  | { readonly kind: 'trying'; readonly change: Change; readonly confirmMs?: Milliseconds }
  | {
      readonly kind: 'pending';
      readonly change: Change;
      readonly confirmMs: Milliseconds;
      readonly untilWallMs: number;
    };

export type ChangeInput =
  | { readonly kind: 'apply'; readonly change: Change; readonly confirmMs?: Milliseconds }
  /** It is in force. */
  | { readonly kind: 'applied'; readonly wallMs: number }
  | { readonly kind: 'failed' }
  | { readonly kind: 'confirm' }
  | { readonly kind: 'undo' }
  | { readonly kind: 'wake'; readonly wallMs: number }
  /** A new life of the director. `isRunnable`: it could start with the file as it stands. */
  | { readonly kind: 'start'; readonly wallMs: number; readonly isRunnable: boolean };

export const CHANGE_FATES = ['pending', 'kept', 'rolled-back', 'failed'] as const;
export type ChangeFate = (typeof CHANGE_FATES)[number];

export type ChangeEffect =
  /** Put the file of `change.serial` in its place and make it run. */
  | { readonly kind: 'install'; readonly change: Change }
  /** Put the file of `change.before` back and make it run. */
  | { readonly kind: 'restore'; readonly change: Change; readonly why: RestoreReason }
  | { readonly kind: 'mark'; readonly serial: number; readonly fate: ChangeFate };

export type RestoreReason = 'not-confirmed' | 'undone' | 'failed' | 'interrupted';
export type ChangeRefusal = 'change-pending' | 'no-change-pending';
export type ChangeStep = { readonly state: ChangeState; readonly effects: readonly ChangeEffect[] };

export const SETTLED: ChangeState = { kind: 'settled' };

/** When to wake; undefined: nothing waits. */
export function changeWakeAt(state: ChangeState): number | undefined {
  return state.kind === 'pending' ? state.untilWallMs : undefined;
}

export function stepChange(
  state: ChangeState,
  input: ChangeInput,
): Result<ChangeStep, ChangeRefusal> {
  switch (input.kind) {
    case 'apply': {
      if (state.kind !== 'settled') return err('change-pending');
      const { change, confirmMs } = input;
      const trying = {
        kind: 'trying',
        change,
        ...(confirmMs !== undefined && { confirmMs }),
      } as const;
      return ok({ state: trying, effects: [{ kind: 'install', change }] });
    }
    case 'applied':
      return state.kind === 'trying' ? ok(applied(state, input.wallMs)) : err('no-change-pending');
    case 'failed':
      if (state.kind !== 'trying') return err('no-change-pending');
      return ok(restored(state.change, 'failed'));
    case 'confirm': {
      if (state.kind !== 'pending') return err('no-change-pending');
      const mark = { kind: 'mark', serial: state.change.serial, fate: 'kept' } as const;
      return ok({ state: SETTLED, effects: [mark] });
    }
    case 'undo':
      if (state.kind !== 'pending') return err('no-change-pending');
      return ok(restored(state.change, 'undone'));
    case 'wake':
      if (state.kind !== 'pending' || input.wallMs < state.untilWallMs) return unchanged(state);
      return ok(restored(state.change, 'not-confirmed'));
    case 'start':
      return ok(started(state, input));
  }
}

function applied(state: Extract<ChangeState, { kind: 'trying' }>, wallMs: number): ChangeStep {
  const { change, confirmMs } = state;
  const mark = (fate: ChangeFate): ChangeEffect => ({ kind: 'mark', serial: change.serial, fate });
  if (confirmMs === undefined) return { state: SETTLED, effects: [mark('kept')] };
  const pending = { kind: 'pending', change, confirmMs, untilWallMs: wallMs + confirmMs } as const;
  return { state: pending, effects: [mark('pending')] };
}

function started(
  state: ChangeState,
  { wallMs, isRunnable }: Extract<ChangeInput, { kind: 'start' }>,
): ChangeStep {
  if (state.kind === 'settled') return { state, effects: [] };
  if (state.kind === 'trying') return restored(state.change, 'interrupted');
  if (wallMs >= state.untilWallMs) return restored(state.change, 'not-confirmed');
  if (!isRunnable) return restored(state.change, 'failed');
  const untilWallMs = Math.min(state.untilWallMs, wallMs + state.confirmMs);
  return { state: { ...state, untilWallMs }, effects: [] };
}

function restored(change: Change, why: RestoreReason): ChangeStep {
  const isFailure = why === 'failed' || why === 'interrupted';
  const fate = isFailure ? 'failed' : 'rolled-back';
  return {
    state: SETTLED,
    effects: [
      { kind: 'restore', change, why },
      { kind: 'mark', serial: change.serial, fate },
    ],
  };
}

function unchanged(state: ChangeState): Result<ChangeStep, never> {
  return ok({ state, effects: [] });
}
