/**
 * The legacy dialect: what a heartbeat of Piranha 0.8.6 (four bytes) makes of the role, with both fixes of bug 140414.
 *
 * | heard   | active primary                | active backup                    | standby primary | standby backup |
 * |---------|-------------------------------|----------------------------------|-----------------|----------------|
 * | RUNNING | answer, announce; deaf: yield | dying breath, release, STOPPED   | stay            | stay           |
 * | STOPPED | announce if it was silent     | the same                         | take over       | take over, after courtesy |
 *
 * What 0.8.6 does not have, and why (docs/protocol.md tells each with its picture):
 * - the answer: an active primary says RUNNING at once instead of at its next tick, so two owners last one round trip;
 * - the deaf partner: who goes on saying RUNNING after hearing time cannot hear us. It cannot be told, we can: we yield;
 * - the loser announces the *winner's* address too: a winner that is deaf never learns that it had a rival;
 * - courtesy: a backup that hears a primary start up waits two keepalives, the primary needs one to take over.
 */
import { after, elapsedMs, type Instant, unreachable } from '../base/index.ts';
import { decodeHeartbeat } from '../wire/index.ts';
import type { Input } from './failover-types.ts';
import { toldToStop } from './fos.ts';
import {
  activate,
  announce,
  change,
  drop,
  isDue,
  isWhole,
  type Move,
  mayActivate,
  note,
  release,
  say,
  withdrawClaim,
} from './moves.ts';

type DatagramInput = Extract<Input, { kind: 'datagram' }>;

export function legacyHeartbeat(move: Move, input: DatagramInput): Move {
  const { paths } = move.state.settings;
  if (paths.length === 0) return drop(move, 'no-partner', input.from);
  // W2: the partner's public or private address, whichever socket it came in by.
  if (!paths.some(({ partner }) => partner === input.from))
    return drop(move, 'stranger', input.from);
  const decoded = decodeHeartbeat(input.bytes);
  if (!decoded.ok) {
    return drop(move, decoded.error === 'too-short' ? 'too-short' : 'incompatible', input.from);
  }
  const { kind } = decoded.value;
  const isFos = move.state.settings.service === 'fos';
  switch (kind) {
    case 'running':
    case 'fos-running':
      if (isFos !== (kind === 'fos-running')) return drop(move, 'incompatible', input.from);
      return running(heard(move, input.now), input.now);
    case 'stopped':
    case 'fos-stopped':
      if (isFos !== (kind === 'fos-stopped')) return drop(move, 'incompatible', input.from);
      return stopped(heard(move, input.now), input.now);
    case 'hold':
    case 'held':
      // W5: alive, nothing more. The handlers were compiled out of the original.
      return heard(note(move, { kind: 'hold', magic: kind }), input.now).move;
    case 'stopme':
      if (isFos) return running(heard(toldToStop(move, input.now), input.now), input.now);
      // In lvs mode the original let this one stop it: an attack in four bytes.
      return note(move, { kind: 'hold', magic: 'stopme' });
    default:
      return unreachable(kind);
  }
}

/** Deadlines that only this dialect has. */
export function legacyTimers(move: Move, now: Instant): Move {
  const { state } = move;
  if (state.partnerDialect === 'extended') return move;
  if (isDue(state.deafAt, now)) return judgeDeafness(move, now);
  if (isDue(state.courtesyAt, now)) {
    const waited = change(move, { courtesyAt: undefined });
    return mayActivate(state) && !state.isActive ? activate(waited, 'partner-resigned') : waited;
  }
  if (isDue(state.failbackAt, now)) {
    const offered = change(move, { failbackAt: undefined, failbackOfferedTo: 0 });
    return state.isActive ? release(offered, now, 'handover', 'say-stopped') : offered;
  }
  return move;
}

/** A valid word of the partner: it lives. */
function heard(move: Move, now: Instant): { readonly move: Move; readonly silenceMs: number } {
  const { heardAt, deadAt, settings } = move.state;
  const silenceMs = heardAt === undefined ? Number.POSITIVE_INFINITY : elapsedMs(heardAt, now);
  const alive = change(move, { heardAt: now, deadAt: after(now, settings.deadtimeMs) });
  const isNews = heardAt === undefined || deadAt === undefined;
  return { move: isNews ? note(alive, { kind: 'partner', is: 'heard' }) : alive, silenceMs };
}

type Heard = ReturnType<typeof heard>;

function running({ move, silenceMs }: Heard, now: Instant): Move {
  const known = change(move, {
    partnerSaid: 'running',
    hasSeenRunning: true,
    areServicesFailed: false, // the C flag of 0.8.6: cleared by a partner that works
    courtesyAt: undefined,
    failbackAt: undefined,
    failbackOfferedTo: undefined,
  });
  // It says so in the legacy dialect: our claim was made before we knew that it does not understand one.
  if (known.state.extended.claim !== undefined) return withdrawClaim(known, now, 'outranked');
  // A standby that has just started does not know what it announced in its last life.
  const isFirst = !move.state.hasSeenRunning && !known.state.isActive;
  if (isFirst) return announceForPartner(known);
  if (!known.state.isActive) return known;
  if (known.state.settings.node === 'backup') return yieldToPrimary(known, now);
  return holdAgainstBackup(known, now, silenceMs);
}

/** M3, second fix of 140414: one last RUNNING, so that the primary knows it had a rival, then down. */
function yieldToPrimary(move: Move, now: Instant): Move {
  const breathed = isWhole(move.state, 'dying-breath') ? say(move, 'running') : move;
  return announceForPartner(release(breathed, now, 'split-brain-yield', 'say-stopped'));
}

/** M4, first fix of 140414: stay, and tell the segment again, because the backup's announcement came later than ours. */
function holdAgainstBackup(move: Move, now: Instant, silenceMs: number): Move {
  const { settings, deafAt } = move.state;
  const isOld = silenceMs > settings.keepaliveMs * 2;
  if (deafAt !== undefined && !isOld) return announceAgain(move, now);
  const contested = change(move, { deafAt: after(now, settings.keepaliveMs * 1.5) });
  const told = say(note(contested, { kind: 'split-brain-announce' }), 'running');
  return announceAgain(change(told, {}, { kind: 'hook', hook: 'active' }), now);
}

/**
 * We have answered, and a backup that hears says STOPPED within a keepalive of its last breath. This one went on: it is
 * deaf. Judged by the clock and not by its next RUNNING, because at a heal that is the last breath itself.
 */
function judgeDeafness(move: Move, now: Instant): Move {
  const { isActive, heardAt, settings } = move.state;
  const judged = change(move, { deafAt: undefined });
  const wentOn = heardAt !== undefined && elapsedMs(heardAt, now) <= settings.keepaliveMs * 1.25;
  if (!isActive || !wentOn || !isWhole(move.state, 'yield-to-deaf-partner')) return judged;
  return announceForPartner(release(judged, now, 'partner-deaf', 'say-stopped'));
}

function announceAgain(move: Move, now: Instant): Move {
  if (!isWhole(move.state, 'announce-on-running')) return move;
  return announce(move, now, move.state.settings.vips);
}

function announceForPartner(move: Move): Move {
  if (!isWhole(move.state, 'announce-for-partner')) return move;
  const { vips } = move.state.settings;
  return change(move, {}, { kind: 'announce', vips, forms: ['reply'], owner: 'partner' });
}

function stopped({ move, silenceMs }: Heard, now: Instant): Move {
  const known = change(move, { partnerSaid: 'stopped', deafAt: undefined });
  return known.state.isActive
    ? activeHearsStopped(known, now, silenceMs)
    : standbyHearsStopped(known, now);
}

/** A partner that was not heard for so long may have been active meanwhile, and its one dying breath may be lost. */
function activeHearsStopped(move: Move, now: Instant, silenceMs: number): Move {
  const { settings, failbackAt, failbackOfferedTo } = move.state;
  const wasGone = silenceMs >= settings.deadtimeMs - settings.keepaliveMs;
  const wasLong = wasGone && silenceMs !== Number.POSITIVE_INFINITY;
  const told =
    wasLong && isWhole(move.state, 'announce-after-silence')
      ? announce(move, now, settings.vips)
      : move;
  const offers =
    settings.failback === 'auto' && settings.node === 'backup' && failbackOfferedTo === undefined;
  if (!offers) return told;
  const isSteady = failbackAt !== undefined && !wasGone;
  return isSteady ? told : change(told, { failbackAt: after(now, settings.deadtimeMs * 2) });
}

function standbyHearsStopped(move: Move, now: Instant): Move {
  const { state } = move;
  const { node, keepaliveMs } = state.settings;
  // What a late reader finds in its socket is old: it may make us yield, never activate.
  if (!mayActivate(state) || state.lateAt === now) return move;
  const isColdStart = node === 'backup' && !state.hasSeenRunning;
  if (isColdStart && isWhole(state, 'cold-start-guard')) {
    return change(move, { courtesyAt: state.courtesyAt ?? after(now, keepaliveMs * 2) });
  }
  return activate(move, state.stopmeUntilAt === undefined ? 'partner-resigned' : 'partner-failed');
}
