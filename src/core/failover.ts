/**
 * The failover machine of one director: who may hold the VIPs, decided from heartbeats and time alone.
 *
 * Pure and synchronous (face and contract: failover-types.ts). This file turns inputs into the few moves both dialects
 * share (activate, release, tick, links, stop); what a *heartbeat* makes of the role is the dialect's, in legacy.ts.
 *
 *                    deadtime of silence, STOPPED heard, forced
 *        +---------+ ------------------------------------------> +--------+
 *   ---> | standby |                                              | active |
 *        +---------+ <------------------------------------------ +--------+
 *          ^     |    split brain given way to, link or services     |
 *          |     |    failed, kernel refused, operator, stop         |
 *          +-----+ fault (standby that may not take over): link down, services failed, main wedged
 *
 * Rejected: flags for armed timers. Every deadline is a field ending in `At`; `wakeAt` is their minimum, computed.
 * Source: piranha.md of the original's behaviour, 0.8.6 §2.4; deliberate differences in docs/protocol.md.
 */
import { after, earliest, elapsedMs, type Instant, sooner, unreachable } from '../base/index.ts';
import type { PathName } from '../model/index.ts';
import { decodeHeartbeat, decodeTrailer, serviceOf } from '../wire/index.ts';
import { announcementsWakeAt, NO_ANNOUNCEMENTS } from './announcements.ts';
import { extendedHeartbeat, extendedTimers, leaseAnswered, settleAgain } from './extended.ts';
import { NOTHING_SAID } from './extended-types.ts';
import type { FailoverSettings, Input } from './failover-types.ts';
import { stopmeTimer, takeFromFailed } from './fos.ts';
import { forgiveSilence, hearingTimers, hearingWakeAt, segmentHeard } from './hearing.ts';
import { legacyHeartbeat, legacyTimers } from './legacy.ts';
import {
  activate,
  announce,
  change,
  changeExtended,
  deadAfterMs,
  drop,
  extendedSettings,
  type FailoverState,
  intervalMs,
  isDue,
  isWhole,
  type Move,
  mayActivate,
  note,
  partnerUnready,
  type Rule,
  rearm,
  release,
  say,
  sendAnnouncements,
  withdrawClaim,
} from './moves.ts';
import { obey, takeOver } from './operator.ts';
import { believed, judge } from './verification.ts';

export function initialState(
  settings: FailoverSettings,
  now: Instant,
  broken: readonly Rule[] = [],
): FailoverState {
  return {
    settings,
    broken,
    isActive: false,
    reason: 'start',
    startedAt: now,
    tickAt: after(now, settings.keepaliveMs),
    deadAt: after(now, settings.deadtimeMs),
    heardAt: undefined,
    partnerSaid: 'nothing',
    partnerDialect: 'unknown',
    hasSeenRunning: false,
    courtesyAt: undefined,
    deafAt: undefined,
    lateAt: undefined,
    failbackAt: undefined,
    failbackOfferedTo: undefined,
    stopmeUntilAt: undefined,
    linksDown: [],
    areServicesFailed: false,
    isWedged: false,
    isInMaintenance: false,
    resignedUntilAt: undefined,
    isStopping: false,
    wish: { number: 0, isConfirmed: false, afterwards: 'nothing', vips: [] },
    announcements: NO_ANNOUNCEMENTS,
    verification: undefined,
    extended: NOTHING_SAID,
  };
}

/** The earliest moment at which the machine wants a `wake`; undefined when only an input can move it. */
export function wakeAt(state: FailoverState): Instant | undefined {
  if (state.isStopping) return undefined;
  return earliest(
    state.settings.paths.length > 0 ? state.tickAt : undefined,
    state.deadAt,
    state.courtesyAt,
    state.partnerDialect === 'extended' ? undefined : state.deafAt,
    state.partnerDialect === 'extended' ? undefined : state.failbackAt,
    announcementsWakeAt(state.announcements),
    state.verification?.judgeAt,
    state.extended.claim?.settleAt,
    hearingWakeAt(state),
    state.resignedUntilAt,
    state.stopmeUntilAt,
  );
}

export function step(state: FailoverState, input: Input): Move {
  const woken = noticeLateness(state, input);
  switch (input.kind) {
    case 'start':
      return start(woken, input.now, input);
    case 'datagram':
      return heartbeat(woken, input);
    case 'wake':
      return timers(woken, input.now);
    case 'converged':
      return converged(woken, input.now, input.wish, input.refusal);
    case 'repaired':
      return repaired(woken, input);
    case 'links':
      return links(woken, input.now, input.down);
    case 'services':
      return services(woken, input.now, input.health);
    case 'lease':
      return leaseAnswered(woken, input.now, input.isAlive);
    case 'believed':
      return witnessBelieves(woken, input);
    case 'foreign-claim':
      return foreignClaim(woken, input);
    case 'segment-heard':
      return segmentHeard(woken, input.now);
    case 'operator':
      return obey(woken, input.now, input.order, input.forMs);
    case 'settings':
      return reload(woken, input.now, input.settings);
    case 'stop':
      return stop(woken, input.now);
    default:
      return unreachable(input);
  }
}

/**
 * A process that was stopped or starved finds its deadlines long past and its socket full of old heartbeats. Judging
 * the partner by them would raise a second owner, so a late standby listens for a whole deadtime afresh.
 */
function noticeLateness(state: FailoverState, input: Input): Move {
  const dueAt = wakeAt(state);
  const lateMs = dueAt === undefined ? 0 : elapsedMs(dueAt, input.now);
  const move: Move = { state, effects: [] };
  if (input.kind === 'start' || !isWhole(state, 'late-wake')) return move;
  if (lateMs <= intervalMs(state) / 2 || state.lateAt === input.now) return move;
  const noticed = note(change(move, { lateAt: input.now }), { kind: 'late', lateMs });
  const late = forgiveSilence(noticed, input.now);
  if (state.isActive) return late;
  const { claim } = state.extended;
  if (claim !== undefined) {
    // A hiccup costs another settling time, in which what waited is read; a longer sleep costs the claim.
    return lateMs < deadAfterMs(state) / 2
      ? settleAgain(late, input.now, claim.isContested)
      : withdrawClaim(late, input.now, 'woke-late');
  }
  return change(late, { deadAt: after(input.now, deadAfterMs(state)), courtesyAt: undefined });
}

type StartInput = Extract<Input, { kind: 'start' }>;

function start(move: Move, now: Instant, { isForcedActive, hasLiveLease }: StartInput): Move {
  // Nobody has taken over while our lease lived: the partner waits for longer than that.
  if (hasLiveLease === true) return activate(move, 'adopted');
  if (isForcedActive) return takeOver(move, now, 'forced');
  const number = move.state.wish.number + 1;
  const listening = { number, isConfirmed: false, afterwards: 'nothing', vips: [] } as const;
  return change(
    move,
    { wish: listening, tickAt: after(now, firstTickMs(move.state)) },
    { kind: 'hook', hook: 'inactive' },
    { kind: 'converge', wish: number, role: 'standby' },
  );
}

/**
 * A primary listens for longer than a keepalive before its first STOPPED: a backup that starts at the same moment
 * (the original activates on the first STOPPED it hears) is then heard first, and told RUNNING.
 */
function firstTickMs(state: FailoverState): number {
  const ms = intervalMs(state);
  // Who knows the extended dialect waits for proof; the guard is for the other one.
  const { node, keepaliveMs } = state.settings;
  return node === 'primary' && isWhole(state, 'cold-start-guard') ? keepaliveMs * 1.5 : ms;
}

function timers(move: Move, now: Instant): Move {
  let next = move;
  if (next.state.isStopping) return next;
  if (isDue(next.state.resignedUntilAt, now)) {
    next = rearm(change(next, { resignedUntilAt: undefined }), now);
  }
  next = hearingTimers(next, now);
  if (isDue(next.state.deadAt, now)) next = partnerSilent(next, now);
  next = stopmeTimer(extendedTimers(legacyTimers(next, now), now), now);
  if (next.state.settings.paths.length > 0 && next.state.tickAt <= now) next = tick(next, now);
  return sendAnnouncements(judgeWitnesses(next, now), now);
}

function judgeWitnesses(move: Move, now: Instant): Move {
  if (move.state.verification === undefined) return move;
  const { verification, notes } = judge(move.state.verification, now);
  return change(move, { verification }, ...notes.map((n) => ({ kind: 'note', note: n }) as const));
}

function partnerSilent(move: Move, now: Instant): Move {
  const { settings, isActive, heardAt } = move.state;
  const silent = change(move, {
    deadAt: undefined,
    partnerSaid: 'nothing',
    failbackAt: undefined,
    // Who comes back from so long a silence is as good as a new one, where lives have no names.
    failbackOfferedTo:
      move.state.failbackOfferedTo === 0 ? undefined : move.state.failbackOfferedTo,
  });
  const noted = heardAt === undefined ? silent : note(silent, { kind: 'partner', is: 'silent' });
  if (isActive) return remindSegment(noted, now);
  if (!mayActivate(noted.state)) return noted;
  if (settings.paths.length === 0) return activate(noted, 'no-partner');
  return takeOver(noted, now, 'partner-silent');
}

/** R8: a partner that owned while this machine was paused may fall silent before it is heard. One frame, then. */
function remindSegment(move: Move, now: Instant): Move {
  const { partnerDialect, settings } = move.state;
  const isOurs = partnerDialect === 'extended' && isWhole(move.state, 'announce-to-silence');
  return isOurs ? announce(move, now, settings.vips, 1) : move;
}

/**
 * The dialect of a heartbeat is that of its bytes. A partner known as extended that says bare four bytes for a whole
 * deadtime has been replaced by a legacy one; never with a key.
 */
function heartbeat(move: Move, input: Extract<Input, { kind: 'datagram' }>): Move {
  const { state } = move;
  const settings = extendedSettings(state);
  const route = state.settings.paths.find(({ partner }) => partner === input.from);
  if (settings === undefined || route === undefined) return legacyHeartbeat(move, input);
  if (isOfAnotherService(state.settings, input.bytes))
    return drop(move, 'incompatible', input.from);
  const arrived = state.settings.paths.find(({ name }) => name === input.path) ?? route;
  const trailer = decodeTrailer(input.bytes, { from: input.from, to: arrived.own }, settings.keys);
  if (trailer.ok) {
    return extendedHeartbeat(move, { now: input.now, from: input.from, trailer: trailer.value });
  }
  const isBare = trailer.error === 'bare' || trailer.error === 'not-a-trailer';
  if (!isBare) return drop(move, trailer.error, input.from);
  if (settings.keys.length > 0) return drop(move, 'unsigned', input.from);
  const isStillExtended =
    state.partnerDialect === 'extended' &&
    state.heardAt !== undefined &&
    elapsedMs(state.heardAt, input.now) < deadAfterMs(state);
  if (isStillExtended) return drop(move, 'bare', input.from);
  return legacyHeartbeat(change(move, { partnerDialect: 'legacy' }), input);
}

/** A trailer says nothing of it: the magic in front of it does. */
function isOfAnotherService({ service }: FailoverSettings, bytes: Uint8Array): boolean {
  const magic = decodeHeartbeat(bytes);
  if (!magic.ok || magic.value.rest.length === 0) return false;
  const spoken = serviceOf(magic.value.kind);
  return spoken !== 'any' && spoken !== (service ?? 'lvs');
}

function tick(move: Move, now: Instant): Move {
  const claims = move.state.extended.claim !== undefined;
  const settings = extendedSettings(move.state);
  const everyMs = claims && settings !== undefined ? settings.delayMs : intervalMs(move.state);
  const next = after(move.state.tickAt, everyMs);
  const tickAt = next > now ? next : after(now, everyMs);
  // While addresses are being taken away we still hold some: the word for that is RUNNING, until the kernel is done.
  const { isActive, wish } = move.state;
  const isReleasing = !isActive && wish.afterwards === 'say-stopped' && !wish.isConfirmed;
  const said = say(change(move, { tickAt }), isActive || isReleasing ? 'running' : 'stopped');
  const left = leaveToPartner(said, now);
  if (!left.state.isActive) return left;
  // R1: the attempt to send comes first, so that we answer only while we are trying to say RUNNING.
  const hasLease = isActive && (settings?.leaseMs ?? 0) > 0;
  return hasLease ? change(said, {}, { kind: 'extend-lease' }) : said;
}

function converged(move: Move, now: Instant, number: number, refusal: string | undefined): Move {
  const { wish, isActive } = move.state;
  if (number !== wish.number || wish.isConfirmed) return move;
  if (isActive && refusal !== undefined) return giveUpRefused(move, now);
  const confirmed = change(move, { wish: { ...wish, isConfirmed: true } });
  // What is said from here on is said as a standby: an echo of it proves that the partner knows (R3).
  const done = isActive
    ? confirmed
    : changeExtended(confirmed, { since: move.state.extended.sequence + 1 });
  switch (wish.afterwards) {
    case 'announce':
      return announce(done, now, wish.vips);
    case 'say-stopped':
      return isWhole(move.state, 'release-before-telling') ? say(done, 'stopped') : done;
    case 'exit':
      return change(say(done, 'stopped'), {}, { kind: 'exit' });
    case 'nothing':
      return done;
    default:
      return unreachable(wish.afterwards);
  }
}

/** Somebody took VIPs away: they are back and announced, or cannot be held here any more. */
function repaired(move: Move, { now, vips, refusal }: Extract<Input, { kind: 'repaired' }>): Move {
  if (!move.state.isActive) return move;
  return refusal === undefined ? announce(move, now, vips) : giveUpRefused(move, now);
}

/** With a partner, leave it to the partner; alone, try again after a deadtime. */
function giveUpRefused(move: Move, now: Instant): Move {
  const areServicesFailed = move.state.settings.paths.length > 0;
  return release(change(move, { areServicesFailed }), now, 'kernel-refused', 'say-stopped');
}

function witnessBelieves(move: Move, input: Extract<Input, { kind: 'believed' }>): Move {
  if (move.state.verification === undefined || !move.state.isActive) return move;
  const { verification, notes } = believed(move.state.verification, input.now, input);
  return change(move, { verification }, ...notes.map((n) => ({ kind: 'note', note: n }) as const));
}

/** A split brain seen on the wire, maybe with no heartbeat path left: told, and defended within the bucket (RFC 5227). */
function foreignClaim(move: Move, input: Extract<Input, { kind: 'foreign-claim' }>): Move {
  const { vip, by, now } = input;
  if (!move.state.isActive) return move;
  const noted = note(move, { kind: 'foreign-claim', vip, by });
  return announce(noted, now, [vip], 1);
}

function links(move: Move, now: Instant, down: readonly PathName[]): Move {
  const wasCut = move.state.linksDown.length > 0;
  const changed = note(change(move, { linksDown: down }), { kind: 'links', down });
  if (!changed.state.settings.monitorLinks || changed.state.settings.paths.length === 0) {
    return changed;
  }
  if (down.length > 0 && changed.state.isActive) {
    return release(changed, now, 'link-failure', 'say-stopped');
  }
  // A cable that is back says nothing about the partner: listen for a whole deadtime before judging it.
  if (wasCut && down.length === 0 && !changed.state.isActive) return rearm(changed, now);
  if (down.length > 0 && changed.state.extended.claim !== undefined) {
    return say(withdrawClaim(changed, now, 'link-failure'), 'stopped');
  }
  return changed;
}

type ServicesHealth = Extract<Input, { kind: 'services' }>['health'];

function services(move: Move, now: Instant, health: ServicesHealth): Move {
  if (health === 'partner-failed') return takeFromFailed(move, now);
  const changed = change(move, {
    isWedged: health === 'wedged',
    areServicesFailed: move.state.areServicesFailed || health === 'failed',
  });
  if (health !== 'ready' && changed.state.extended.claim !== undefined) {
    const why = health === 'failed' ? 'services-failed' : 'main-wedged';
    return say(withdrawClaim(changed, now, why), 'stopped');
  }
  if (health === 'ready' || !changed.state.isActive) {
    const wasWedged = move.state.isWedged && health === 'ready';
    return wasWedged ? rearm(changed, now) : changed;
  }
  if (health === 'failed') return release(changed, now, 'services-failed', 'say-stopped');
  return leaveToPartner(changed, now);
}

/** A stuck control thread is a reason to hand over, not to leave the VIPs without an owner: only to one who can. */
function leaveToPartner(move: Move, now: Instant): Move {
  const { isActive, isWedged } = move.state;
  if (!isActive || !isWedged || partnerUnready(move.state, now) !== undefined) return move;
  return release(move, now, 'main-wedged', 'say-stopped');
}

/** A reload: new timers from their next arming on; new VIPs raised and announced, old ones lowered. */
function reload(move: Move, now: Instant, settings: FailoverSettings): Move {
  const { isActive, wish, tickAt, settings: before } = move.state;
  const added = settings.vips.filter((vip) => !before.vips.includes(vip));
  const announces = isActive && (added.length > 0 || !wish.isConfirmed);
  const rest = wish.isConfirmed ? 'nothing' : wish.afterwards;
  const number = wish.number + 1;
  const next = after(now, settings.keepaliveMs);
  const renewed = change(
    move,
    {
      settings,
      areServicesFailed: false, // an operator's reload is the word that clears it (M8)
      tickAt: sooner(tickAt, next),
      wish: {
        number,
        isConfirmed: false,
        afterwards: announces ? 'announce' : rest,
        vips: wish.isConfirmed ? added : settings.vips,
      },
    },
    { kind: 'converge', wish: number, role: isActive ? 'active' : 'standby' },
  );
  const asked = asksFromNowOn(renewed, now, before);
  return !isActive && !mayActivate(move.state) ? rearm(asked, now) : asked;
}

/** Witnesses that were not named before could not have been asked in time: nobody was late. */
function asksFromNowOn(move: Move, now: Instant, before: FailoverSettings): Move {
  const isNew =
    before.extended?.namesWitnesses !== true &&
    extendedSettings(move.state)?.namesWitnesses === true;
  return isNew ? forgiveSilence(changeExtended(move, { askedSegmentAt: now }), now) : move;
}

function stop(move: Move, now: Instant): Move {
  if (move.state.isStopping) return move;
  const stopping = change(move, { isStopping: true });
  if (stopping.state.isActive) return release(stopping, now, 'stop', 'exit');
  const claims = stopping.state.extended.claim !== undefined;
  const idle = claims ? withdrawClaim(stopping, now, 'stop') : stopping;
  const number = idle.state.wish.number + 1;
  const wish = { number, isConfirmed: false, afterwards: 'exit', vips: [] } as const;
  return change(
    idle,
    { wish, reason: 'stop' },
    { kind: 'converge', wish: number, role: 'standby' },
  );
}
