/**
 * The extended dialect: claim before raising, leases, proof by echo (rules R1-R10, docs/failover.md).
 *
 * On a one-way path the node that cannot hear owns, because it alone cannot be told. With two ways, rank decides:
 * (epoch, then primary). The principle needs no third opinion and no memory on disk.
 *
 *      deadtime - settle of silence            settle, undisturbed
 *   STANDBY ------------------------> CLAIM ------------------------> ACTIVE
 *      ^   partner standby, with proof  | outranked, RUNNING of a rank   | any CLAIM; RUNNING that outranks;
 *      +--------------------------------+ <-----------------------------+ RUNNING of a deaf one; dead lease
 *
 * Rejected: the dying breath (told-by-level replaces it), "resigned" repeated until acknowledged, ages in the packet,
 * epochs on disk: the search of src/sim finds nothing that they would add.
 */
import { after, elapsedMs, type Instant, type IpAddress } from '../base/index.ts';
import type { Reason } from '../model/index.ts';
import type { Trailer } from '../wire/index.ts';
import type { Ask, ExtendedSettings, Partner } from './extended-types.ts';
import type { Effect } from './failover-types.ts';
import { becomeDeaf, isDeaf } from './hearing.ts';
import {
  activate,
  announce,
  change,
  changeExtended,
  deadAfterMs,
  drop,
  extendedSettings,
  intervalMs,
  isDue,
  isWhole,
  type Move,
  mayActivate,
  note,
  release,
  roleOf,
  say,
  withdrawClaim,
} from './moves.ts';

/** Epochs further above the highest known than this are a fault or an attack. */
const MAX_EPOCH_STEP = 2 ** 20;

export type ExtendedArrival = {
  readonly now: Instant;
  readonly from: IpAddress;
  readonly trailer: Trailer;
};

export function extendedHeartbeat(move: Move, { now, from, trailer }: ExtendedArrival): Move {
  const settings = extendedSettings(move.state);
  if (settings === undefined) return move;
  const verdict = judge(move, settings, trailer);
  if (verdict !== 'accept') return drop(move, verdict, from);
  const known = learn(move, now, settings, trailer);
  const partner = known.state.extended.partner;
  if (partner === undefined) return known;
  switch (trailer.role) {
    case 'active':
      return hearsRunning(known, now, partner);
    case 'claim':
      return hearsClaim(known, now, partner);
    case 'standby':
      return hearsStandby(known, now, partner, move.state.extended.partner?.role);
  }
}

/** What time makes due in this dialect. */
export function extendedTimers(move: Move, now: Instant): Move {
  const { claim } = move.state.extended;
  if (claim !== undefined && isDue(claim.settleAt, now)) return settle(move);
  return move;
}

/** Claims the VIPs: says so, and raises them when nobody objected for the settling time (R2). */
export function claimVips(move: Move, now: Instant, reason: Reason): Move {
  const settings = extendedSettings(move.state);
  if (settings === undefined) return activate(move, reason);
  if (isDeaf(move, settings, now)) return becomeDeaf(move, now);
  const before = roleOf(move.state);
  const epoch = move.state.extended.maxEpoch + 1;
  const settleMs = isWhole(move.state, 'settle') ? settings.settleMs : 0;
  const claimed = changeExtended(
    change(move, { reason, deadAt: undefined, courtesyAt: undefined }),
    {
      epoch,
      maxEpoch: epoch,
      claim: { settleAt: after(now, settleMs), isContested: false },
      ask: undefined,
    },
  );
  const marked = markClaim(claimed, settings);
  const told = note(marked, { kind: 'role', from: before, to: 'claim', reason });
  return say(change(told, { tickAt: after(now, settings.delayMs) }), 'stopped');
}

/** The claim has to stand undisturbed for the whole settling time once more. */
export function settleAgain(move: Move, now: Instant, isContested: boolean): Move {
  const settings = extendedSettings(move.state);
  if (settings === undefined) return move;
  const settleAt = after(now, settings.settleMs);
  return markClaim(changeExtended(move, { claim: { settleAt, isContested } }), settings);
}

/**
 * The mark outlives the settling by half an interval: a late wake within it is forgiven, and the lease that it buys still
 * ends before a partner that heard only this claim can have raised.
 */
function markClaim(move: Move, settings: ExtendedSettings): Move {
  if (settings.leaseMs === 0 || !isWhole(move.state, 'claim-mark')) return move;
  const ms = settings.settleMs + intervalMs(move.state) / 2;
  return change(move, {}, { kind: 'claim-lease', ms });
}

/** The kernel's answer to an extension of the lease (R1, R7): a dead one is not revived, its owner is standby. */
export function leaseAnswered(move: Move, now: Instant, isAlive: boolean): Move {
  if (isAlive || !move.state.isActive || !isWhole(move.state, 'dead-lease')) return move;
  return release(move, now, 'lease-expired', 'say-stopped');
}

// ---- who is speaking ----

/**
 * Anti-replay without stored state: higher sequences of the life we know, a later life, or a life that echoes ours.
 * The duplicate that arrives by the second path is no replay.
 */
function judge(
  move: Move,
  settings: ExtendedSettings,
  trailer: Trailer,
): 'accept' | 'duplicate' | 'replayed' | 'epoch-jump' | 'own-echo' {
  const { partner, maxEpoch, sequence } = move.state.extended;
  if (trailer.incarnation === settings.incarnation) return 'own-echo';
  if (trailer.epoch > maxEpoch + MAX_EPOCH_STEP) return 'epoch-jump';
  if (partner === undefined) return 'accept';
  if (trailer.incarnation === partner.incarnation) {
    if (trailer.sequence === partner.sequence) return 'duplicate';
    return trailer.sequence > partner.sequence ? 'accept' : 'replayed';
  }
  if (trailer.incarnation > partner.incarnation) return 'accept';
  // Its clock was set back: a recent echo of this life of ours proves that it lives.
  const recent = sequence - RECENT_SEQUENCES;
  const echoesUs = trailer.echo?.incarnation === settings.incarnation;
  return echoesUs && (trailer.echo?.sequence ?? 0) >= recent ? 'accept' : 'replayed';
}

/** Two keepalives of ticks and the answers between them. */
const RECENT_SEQUENCES = 4;

function learn(move: Move, now: Instant, settings: ExtendedSettings, trailer: Trailer): Move {
  const { extended, heardAt, deadAt, settings: all } = move.state;
  const before = extended.partner;
  const isSameLife = before?.incarnation === trailer.incarnation;
  const echoesUs = trailer.echo?.incarnation === settings.incarnation;
  const partner: Partner = {
    incarnation: trailer.incarnation,
    sequence: trailer.sequence,
    role: trailer.role,
    epoch: trailer.epoch,
    moves: trailer.moves,
    isEligible: trailer.isEligible,
    reason: trailer.reason,
    echo: trailer.echo,
    intervalMs: trailer.intervalMs,
    leaseMs: trailer.leaseMs,
    linkAddresses: trailer.linkAddresses,
    serialNo: trailer.serialNo,
    configDigest: trailer.configDigest,
    // Without a key anybody can say anything; with one, a life that never echoed ours may be a recording,
    // unless it follows one that did.
    isProven: settings.keys.length === 0 || echoesUs || (before?.isProven ?? false),
  };
  const silenceMs = heardAt === undefined ? Number.POSITIVE_INFINITY : elapsedMs(heardAt, now);
  const isOldAsk =
    silenceMs > intervalMs(move.state) + settings.delayMs && isWhole(move.state, 'drop-old-ask');
  const learned = changeExtended(
    change(move, {
      heardAt: now,
      partnerSaid: trailer.role === 'active' ? 'running' : 'stopped',
      hasSeenRunning: move.state.hasSeenRunning || trailer.role === 'active',
      partnerDialect: 'extended',
    }),
    {
      partner,
      maxEpoch: Math.max(extended.maxEpoch, trailer.epoch),
      ask: isOldAsk || !isSameLife ? undefined : extended.ask,
    },
  );
  // A partner that is standby and may not take over is nobody to wait for (R3); an owner waits for nobody.
  const isUseless =
    !move.state.isActive &&
    trailer.role === 'standby' &&
    !trailer.isEligible &&
    isWhole(move.state, 'ineligible-rearms-not');
  const isClaiming = extended.claim !== undefined;
  const rearmed =
    isUseless || isClaiming
      ? learned
      : change(learned, { deadAt: after(now, deadAfterMs(learned.state)) });
  const isNews =
    heardAt === undefined || (deadAt === undefined && !isClaiming && !move.state.isActive);
  const isMismatch = all.deadtimeMs !== trailer.deadtimeMs && !isSameLife;
  const warned = isMismatch
    ? note(rearmed, { kind: 'partner-timers', deadtimeMs: trailer.deadtimeMs })
    : rearmed;
  return isNews ? note(warned, { kind: 'partner', is: 'heard' }) : warned;
}

// ---- what was said ----

function hearsRunning(move: Move, now: Instant, partner: Partner): Move {
  const { isActive, extended } = move.state;
  const outranksUs = outranks(move, partner);
  const known = change(move, { areServicesFailed: false, failbackAt: undefined });
  if (isActive) {
    if (!partner.isProven) return known;
    if (outranksUs && isWhole(move.state, 'rank')) {
      return announceForPartner(release(known, now, 'outranked', 'say-stopped'));
    }
    return outranksUs ? known : askRival(known, now, partner);
  }
  if (extended.claim === undefined) return payAnnouncement(known, partner);
  const isBeaten = outranksUs || partner.epoch >= extended.epoch || extended.claim.isContested;
  if (!isBeaten) return known;
  return say(withdrawClaim(known, now, 'outranked'), 'stopped');
}

/** R5: it says RUNNING although we outrank it. If it hears us it yields; if it cannot, we do. */
function askRival(move: Move, now: Instant, partner: Partner): Move {
  const { ask: asked, sequence } = move.state.extended;
  // Without the rule the question is whatever was said before: what was not heard in the past decides.
  const past: Ask = { sequence: sequence - RECENT_SEQUENCES, at: move.state.startedAt };
  const ask = isWhole(move.state, 'ask-first') ? asked : past;
  if (ask === undefined || echoes(move, partner, ask.sequence)) return askNow(move, now);
  const settings = extendedSettings(move.state);
  const isDeafNow = elapsedMs(ask.at, now) >= (settings?.delayMs ?? 0) * 2;
  if (!isDeafNow || !isWhole(move.state, 'yield-to-deaf-partner')) return move;
  return release(move, now, 'partner-deaf', 'say-stopped');
}

function askNow(move: Move, now: Instant): Move {
  const asked = say(note(move, { kind: 'split-brain-announce' }), 'running');
  return changeExtended(asked, { ask: { sequence: asked.state.extended.sequence, at: now } });
}

/** R4: the claimant cannot hear us, or it would not claim. */
function hearsClaim(move: Move, now: Instant, partner: Partner): Move {
  const { isActive, extended } = move.state;
  if (isActive) {
    if (!partner.isProven || !isWhole(move.state, 'yield-to-claim')) return move;
    return release(move, now, 'partner-claims', 'say-stopped');
  }
  if (extended.claim === undefined) return move;
  if (outranks(move, partner)) {
    return say(withdrawClaim(move, now, 'outranked'), 'stopped');
  }
  if (!isWhole(move.state, 'answer-claim')) return move;
  return say(settleAgain(move, now, true), 'stopped');
}

function hearsStandby(
  move: Move,
  now: Instant,
  partner: Partner,
  before: Partner['role'] | undefined,
): Move {
  const { isActive, extended, settings, wish, lateAt } = move.state;
  if (isActive) return activeHearsStandby(move, now, partner, before);
  if (extended.claim !== undefined || !mayActivate(move.state)) return move;
  const isMyTurn = settings.node === 'primary' || !partner.isEligible;
  // R3: it knows that we are standby, and what we read is not old.
  const isProof = wish.isConfirmed && echoes(move, partner, extended.since);
  const isProven = isProof || !isWhole(move.state, 'proof');
  if (!isWhole(move.state, 'hear-stopped')) return move;
  if (!isMyTurn || !isProven || lateAt === now || !partner.isProven) return move;
  return claimVips(move, now, 'partner-resigned');
}

/** R8: level-triggered. Whenever its life or its moves differ from those we last announced over, one round. */
function activeHearsStandby(
  move: Move,
  now: Instant,
  partner: Partner,
  before: Partner['role'] | undefined,
): Move {
  const { told } = move.state.extended;
  const calm = changeExtended(move, { ask: undefined });
  const { incarnation, moves } = partner;
  const knowsLife = told?.incarnation === incarnation || !isWhole(move.state, 'told-life');
  const knowsMoves = told?.moves === moves || !isWhole(move.state, 'told-moves');
  const sawNoRival = !isWhole(move.state, 'told-by-level') && before !== 'active';
  const isTold = sawNoRival || (told !== undefined && knowsLife && knowsMoves);
  const offered = offerFailback(calm, now, partner);
  if (isTold || !isWhole(move.state, 'announce-on-heal') || !offered.state.isActive) return offered;
  const noted = changeExtended(offered, { told: { incarnation, moves } });
  return announce(noted, now, move.state.settings.vips);
}

/** failback = auto: an active backup hands over to a primary that has been well for two deadtimes, once a life. */
function offerFailback(move: Move, now: Instant, partner: Partner): Move {
  const { settings, failbackAt, failbackOfferedTo } = move.state;
  const isWanted = settings.failback === 'auto' && settings.node === 'backup';
  if (!isWanted || failbackOfferedTo === partner.incarnation) return move;
  const isReady = partner.isEligible && echoes(move, partner, move.state.extended.sequence - 1);
  if (!isReady) return change(move, { failbackAt: undefined });
  if (failbackAt === undefined)
    return change(move, { failbackAt: after(now, settings.deadtimeMs * 2) });
  if (failbackAt > now) return move;
  const offered = change(move, { failbackAt: undefined, failbackOfferedTo: partner.incarnation });
  return release(offered, now, 'handover', 'say-stopped');
}

// ---- moves of this dialect ----

function settle(move: Move): Move {
  const { partner } = move.state.extended;
  const told =
    partner === undefined ? undefined : { incarnation: partner.incarnation, moves: partner.moves };
  const settled = changeExtended(move, { claim: undefined, told });
  return activate(settled, move.state.reason, 'claim');
}

/**
 * Who is deaf never learns that it should announce: a standby that owned, in this life or maybe in an earlier one, tells the
 * segment once (R8). It gave way to a deaf partner, and knows; else the partner has two heartbeats' time to echo.
 * An owner that is not proven counts: who is deaf cannot prove itself. A recording of one wins a frame a life, beside nobody.
 */
function payAnnouncement(move: Move, partner: Partner): Move {
  const { reason, extended } = move.state;
  const { owesAnnouncement, since, sequence } = extended;
  if (!owesAnnouncement) return move;
  const paid = changeExtended(move, { owesAnnouncement: false });
  if (echoes(move, partner, since)) return paid;
  const hadTime = sequence >= since + 2 && isWhole(move.state, 'owe-announcement');
  return reason === 'partner-deaf' || hadTime ? announceForPartner(paid) : move;
}

function announceForPartner(move: Move): Move {
  if (!isWhole(move.state, 'announce-for-partner')) return move;
  const { vips } = move.state.settings;
  const announcement: Effect = { kind: 'announce', vips, forms: ['reply'], owner: 'partner' };
  return change(move, {}, announcement);
}

/** (epoch, then primary). */
function outranks(move: Move, partner: Partner): boolean {
  const { epoch } = move.state.extended;
  if (partner.epoch !== epoch) return partner.epoch > epoch;
  return move.state.settings.node === 'backup';
}

function echoes(move: Move, partner: Partner, sequence: number): boolean {
  const mine = extendedSettings(move.state)?.incarnation;
  return partner.echo?.incarnation === mine && (partner.echo?.sequence ?? -1) >= sequence;
}
