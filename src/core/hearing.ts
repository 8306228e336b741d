/**
 * Who hears nobody is the one that is cut off (R10, witness_hosts): asking the segment, and what follows from silence.
 *
 * Two questions, one mechanism (`ask-segment`, answered by `segment-heard`):
 *
 * - *Anybody*, for every standby: half way through its partner's silence it asks whoever is known on the VIPs' segments. When
 *   nothing at all is heard by the time of the claim, it is this node that is deaf: no claim.
 * - *The named*, where the operator names `witness_hosts`: asked all the time, by the owner too. Who has heard none of them for
 *   three quarters of its patience, less a heartbeat, is *isolated*: not eligible, and an isolated owner gives the VIPs up
 *     - when it hears nothing of its partner either: the total partition, where naming witnesses is the operator's word that
 *       one owner, or none, is better than two. So much before the partner may raise the VIPs that both never own;
 *     - or when its partner says, a whole patience later, that it may take over: it hears the witnesses (it would not be
 *       eligible otherwise), so they live, and it is we who do not reach them.
 *   When the witnesses alone die, both are isolated, neither is eligible, and the owner stays.
 *
 * Rejected: a bit in the heartbeat for "I hear my witnesses": eligible says it already. Rejected: resigning for silence of
 * whoever happens to be known; a segment where everybody else sleeps must not lose its director.
 */
import { after, earliest, elapsedMs, type Instant, type Milliseconds } from '../base/index.ts';
import type { ExtendedSettings } from './extended-types.ts';
import {
  change,
  changeExtended,
  deadAfterMs,
  extendedSettings,
  type FailoverState,
  intervalMs,
  isDue,
  isWhole,
  type Move,
  mayActivate,
  note,
  rearm,
  release,
  say,
  withdrawClaim,
} from './moves.ts';

/** Nothing at all was heard on the VIP's segment since we asked: it is we who are deaf. */
export function isDeaf(move: Move, settings: ExtendedSettings, now: Instant): boolean {
  if (!settings.hasWitness || !isWhole(move.state, 'hear-before-claim')) return false;
  const { askedSegmentAt, segmentHeardAt, unheardSince } = move.state.extended;
  // Asked all the time: the last question may be on its way, the one before it has been answered.
  if (isNamed(move.state)) {
    return unheardSince !== undefined && elapsedMs(unheardSince, now) >= askEveryMs(move.state);
  }
  if (askedSegmentAt === undefined) return false;
  return segmentHeardAt === undefined || segmentHeardAt < askedSegmentAt;
}

/** No claim; ask again, and claim only after a deadtime in which something was heard. */
export function becomeDeaf(move: Move, now: Instant): Move {
  const waiting = changeExtended(
    change(move, { reason: 'deaf', deadAt: after(now, deadAfterMs(move.state)) }),
    { askedSegmentAt: undefined },
  );
  return note(waiting, { kind: 'deaf' });
}

/** When something of this file is due. */
export function hearingWakeAt(state: FailoverState): Instant | undefined {
  return earliest(askSegmentAt(state), isolationAt(state), silentOwnerAt(state));
}

/** What is due at `now`. */
export function hearingTimers(move: Move, now: Instant): Move {
  const asked = isDue(askSegmentAt(move.state), now) ? askSegment(move, now) : move;
  const judged = isDue(isolationAt(asked.state), now) ? becomeIsolated(asked, now) : asked;
  return resignIfIsolated(judged, now);
}

/** Somebody, or one of the named, was heard. */
export function segmentHeard(move: Move, now: Instant): Move {
  const { isIsolated } = move.state.extended;
  const heard = changeExtended(move, {
    segmentHeardAt: now,
    unheardSince: undefined,
    isIsolated: false,
  });
  if (!isIsolated) return heard;
  // What the partner did meanwhile is not known: listen before judging it.
  return sayStandby(rearm(note(heard, { kind: 'witnesses', are: 'heard' }), now));
}

/** Whether it may take over has changed. A director whose kernel still lets go of the VIPs says it afterwards. */
function sayStandby(move: Move): Move {
  const { isActive, wish } = move.state;
  return isActive || !wish.isConfirmed ? move : say(move, 'stopped');
}

/** A process that stood still has heard nobody, which says nothing: the silence counts from now. */
export function forgiveSilence(move: Move, now: Instant): Move {
  const { unheardSince } = move.state.extended;
  return unheardSince === undefined ? move : changeExtended(move, { unheardSince: now });
}

/** Asked all the time; else half way through the silence, in time for the claim. */
function askSegmentAt(state: FailoverState): Instant | undefined {
  const settings = extendedSettings(state);
  const { askedSegmentAt, claim } = state.extended;
  if (settings?.hasWitness !== true || state.isStopping) return undefined;
  const patienceMs = deadAfterMs(state);
  if (isNamed(state)) {
    return askedSegmentAt === undefined
      ? state.startedAt
      : after(askedSegmentAt, askEveryMs(state));
  }
  if (state.isActive || claim !== undefined) return undefined;
  if (state.deadAt === undefined || !mayActivate(state)) return undefined;
  const at = after(state.deadAt, -patienceMs / 2);
  return askedSegmentAt !== undefined && askedSegmentAt >= at ? undefined : at;
}

function askSegment(move: Move, now: Instant): Move {
  const unheardSince = move.state.extended.unheardSince ?? now;
  const asked = changeExtended(move, { askedSegmentAt: now, unheardSince });
  return change(asked, {}, { kind: 'ask-segment' });
}

/** Witnesses are named, and there is a partner to leave the VIPs to. */
function isNamed(state: FailoverState): boolean {
  return (
    extendedSettings(state)?.namesWitnesses === true &&
    state.settings.paths.length > 0 &&
    isWhole(state, 'resign-isolated')
  );
}

function askEveryMs(state: FailoverState): Milliseconds {
  return deadAfterMs(state) / 4;
}

/**
 * The first question without an answer may have been asked a quarter of the patience after the last answer: so an owner
 * is isolated a heartbeat before its patience with the partner ends, and the partner has a settling time still to go.
 */
function isolatedAfterMs(state: FailoverState): Milliseconds {
  return (deadAfterMs(state) * 3) / 4 - intervalMs(state);
}

function isolationAt(state: FailoverState): Instant | undefined {
  const { unheardSince, isIsolated } = state.extended;
  if (unheardSince === undefined || isIsolated || !isNamed(state)) return undefined;
  return after(unheardSince, isolatedAfterMs(state));
}

function becomeIsolated(move: Move, now: Instant): Move {
  const isolated = note(changeExtended(move, { isIsolated: true }), {
    kind: 'witnesses',
    are: 'silent',
  });
  if (isolated.state.isActive) return isolated;
  const { claim } = isolated.state.extended;
  // The partner must know at once that it has nobody to leave the VIPs to.
  const idle = claim === undefined ? isolated : withdrawClaim(isolated, now, 'isolated');
  return sayStandby(change(idle, { reason: 'isolated' }));
}

/** When an isolated owner has heard nothing of its partner for too long, too. */
function silentOwnerAt(state: FailoverState): Instant | undefined {
  if (!state.isActive || !state.extended.isIsolated) return undefined;
  return after(state.heardAt ?? state.startedAt, deadAfterMs(state) - intervalMs(state));
}

function resignIfIsolated(move: Move, now: Instant): Move {
  const { state } = move;
  if (!state.isActive || !state.extended.isIsolated) return move;
  const isAlone = isDue(silentOwnerAt(state), now);
  if (!isAlone && !isPartnerBetterOff(state, now)) return move;
  return release(move, now, 'isolated', 'say-stopped');
}

/** It may take over, has been able to say otherwise for long enough, and is heard. */
function isPartnerBetterOff(state: FailoverState, now: Instant): boolean {
  const { unheardSince, partner } = state.extended;
  if (unheardSince === undefined || partner === undefined || state.heardAt === undefined)
    return false;
  const isSure = elapsedMs(unheardSince, now) >= deadAfterMs(state) * 2;
  const isHeard = elapsedMs(state.heardAt, now) <= intervalMs(state) * 2;
  const isAble = partner.isEligible && partner.role === 'standby';
  return isHeard && isAble && (isSure || !isWhole(state, 'witness-doubt'));
}
