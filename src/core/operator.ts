/**
 * Orders: takeover, resign, maintenance. An order that would leave no owner is refused with the reason before it is
 * carried out (`refusalOf`); what is carried out goes the same ways as any other change of role.
 */
import { after, type Instant, unreachable } from '../base/index.ts';
import type { Reason } from '../model/index.ts';
import { claimVips } from './extended.ts';
import type { OperatorOrder } from './failover-types.ts';
import {
  activate,
  change,
  extendedSettings,
  type FailoverState,
  type Move,
  mayActivate,
  partnerUnready,
  rearm,
  reasonOf,
  release,
  say,
  withdrawClaim,
} from './moves.ts';

/** Why an order may not be carried out now, as a sentence; undefined: it may. */
export function refusalOf(
  state: FailoverState,
  order: OperatorOrder,
  now: Instant,
): string | undefined {
  switch (order) {
    case 'takeover':
      if (state.isActive) return 'this director is active already';
      if (staysActive(state))
        return 'the partner is a legacy primary and active: it never gives way';
      if (state.isInMaintenance) return 'this director is in maintenance';
      // The order itself ends an earlier resignation.
      return whyNot({ ...state, resignedUntilAt: undefined });
    case 'resign':
    case 'maintenance-on':
      return state.isActive ? partnerUnready(state, now) : undefined;
    case 'maintenance-off':
      return state.isInMaintenance ? undefined : 'this director is not in maintenance';
    default:
      return unreachable(order);
  }
}

function whyNot(state: FailoverState): string | undefined {
  return mayActivate(state) ? undefined : `this director may not take over (${reasonOf(state)})`;
}

/** The original's primary answers a rival by announcing again; only its operator can make it stop. */
function staysActive({ partnerDialect, partnerSaid, settings }: FailoverState): boolean {
  return partnerDialect === 'legacy' && partnerSaid === 'running' && settings.node === 'backup';
}

/** Claims where the partner understands a claim; it is never sent to one that is known as legacy. */
export function takeOver(move: Move, now: Instant, reason: Reason): Move {
  const isLegacy =
    extendedSettings(move.state) === undefined || move.state.partnerDialect === 'legacy';
  const { settings } = move.state;
  return isLegacy || settings.paths.length === 0
    ? activate(move, reason)
    : claimVips(move, now, reason);
}

/** Carries an order out; whether it may be is asked beforehand (refusalOf). */
export function obey(
  move: Move,
  now: Instant,
  order: OperatorOrder,
  forMs: number | undefined,
): Move {
  switch (order) {
    case 'takeover':
      return move.state.isActive || move.state.extended.claim !== undefined
        ? move
        : takeOver(change(move, { resignedUntilAt: undefined }), now, 'operator');
    case 'resign':
      return standAside(change(move, { resignedUntilAt: after(now, forMs ?? 60_000) }), now);
    case 'maintenance-on':
      return standAside(change(move, { isInMaintenance: true }), now);
    case 'maintenance-off':
      return rearm(change(move, { isInMaintenance: false }), now);
    default:
      return unreachable(order);
  }
}

/** Ineligible from now on: gives the VIPs back, or says so. */
function standAside(move: Move, now: Instant): Move {
  if (move.state.isActive) return release(move, now, 'operator', 'say-stopped');
  if (move.state.extended.claim === undefined) return say(move, 'stopped');
  return say(withdrawClaim(move, now, 'operator'), 'stopped');
}
