/**
 * service = fos: what a pair does when the services of the active node fail while its director lives.
 *
 * The standby watches them at their VIPs. When they fail it takes over by the claim of the dialect that the partner speaks:
 * the extended one has CLAIM (extended.ts), the legacy one STOPME, four bytes that say "I take over". Here STOPME is said
 * *before* anything is raised, and the VIPs are raised when the partner has said STOPPED (or fell silent for a deadtime).
 * Piranha 0.8.6 raised at once. Waiting costs nothing, because whoever is asked serves nobody, and there is no moment with
 * two owners; a partner that cannot hear keeps the VIPs and is asked again later.
 *
 *   standby --services of the partner fail--> claim: STOPME --STOPPED, or silence--> active
 *      ^                                        |
 *      +------- the partner says RUNNING for another deadtime (partner-deaf)
 *
 * In a pair of `service = lvs` nothing of this happens. Source: piranha.md of the original's behaviour, 0.8.6 §2.8.
 */
import { after, type Instant } from '../base/index.ts';
import { claimVips } from './extended.ts';
import { change, extendedSettings, isDue, type Move, note, release, roleOf, say } from './moves.ts';

/** The partner is active and does not serve. Anything else is for silence and STOPPED to judge. */
export function takeFromFailed(move: Move, now: Instant): Move {
  const { state } = move;
  const { settings, partnerSaid, partnerDialect } = state;
  const isOwned = partnerSaid === 'running' && roleOf(state) === 'standby';
  if (settings.service !== 'fos' || !isOwned) return move;
  if (extendedSettings(state) !== undefined && partnerDialect === 'extended') {
    return claimVips(move, now, 'partner-failed');
  }
  const asking = change(move, {
    reason: 'partner-failed',
    stopmeUntilAt: after(now, settings.deadtimeMs),
  });
  const role = { kind: 'role', from: 'standby', to: 'claim', reason: 'partner-failed' } as const;
  return say(note(asking, role), 'stopped');
}

/** The partner goes on as if nothing had been said. */
export function stopmeTimer(move: Move, now: Instant): Move {
  if (!isDue(move.state.stopmeUntilAt, now)) return move;
  const over = change(move, { stopmeUntilAt: undefined, reason: 'partner-deaf' });
  return note(over, {
    kind: 'role',
    from: 'claim',
    to: roleOf(over.state),
    reason: 'partner-deaf',
  });
}

/** STOPME of a legacy partner: its monitors see our services fail. What follows is as if it had said RUNNING. */
export function toldToStop(move: Move, now: Instant): Move {
  return move.state.isActive ? release(move, now, 'partner-claims', 'say-stopped') : move;
}
