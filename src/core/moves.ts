/**
 * What both dialects are made of: the state of one director and the moves that change it.
 *
 * A move takes a state with the effects so far and gives the next one; so a rule reads as the list of what it does.
 * The contract behind the order of effects is in failover-types.ts.
 */
import {
  after,
  elapsedMs,
  type Instant,
  type IpAddress,
  type Milliseconds,
} from '../base/index.ts';
import type { PathName, Reason, Role } from '../model/index.ts';
import {
  encodeExtendedHeartbeat,
  encodeHeartbeat,
  type HeartbeatKind,
  type Trailer,
} from '../wire/index.ts';
import { type Announcements, announceDue, cancelRound, startRound } from './announcements.ts';
import type { ExtendedSettings, ExtendedState } from './extended-types.ts';
import type { DropReason, Effect, FailoverSettings, Note } from './failover-types.ts';
import {
  askWitnesses,
  lastQuestionAsked,
  startVerification,
  type Verification,
} from './verification.ts';

/** The rules that can be switched off by name, to show that each is needed (src/sim mutants). Never in production. */
export const RULES = [
  'announce-on-running', // first fix of bug 140414
  'dying-breath', // second fix of bug 140414
  'announce-after-silence', // the one dying breath may be lost
  'announce-for-partner', // the loser tells the segment too: the winner may be deaf
  'yield-to-deaf-partner', // who cannot hear cannot be told
  'cold-start-guard', // one active after a simultaneous start
  'late-wake', // what is read after being frozen may make us yield, never activate
  'release-before-telling', // STOPPED only after the VIPs are gone
  // the extended dialect
  'settle', // R2: raise only after the claim stood undisturbed
  'hear-stopped', // R3: who is told that the partner gave up claims at once
  'proof', // R3: STOPPED makes us claim only with an echo of our own standing by
  'ineligible-rearms-not', // R3: a partner that may not take over is nobody to wait for
  'yield-to-claim', // R4: who claims cannot hear us
  'ask-first', // R5: who is deaf is asked now, not judged by what it has not heard so far
  'drop-old-ask', // R5: an old question says nothing about now
  'rank', // R6: RUNNING against RUNNING
  'claim-mark', // R2: who was frozen between decision and deed acquires no lease
  'answer-claim', // R6: CLAIM against CLAIM
  'dead-lease', // R7: who finds its lease dead is standby
  'announce-on-heal', // R8
  'told-by-level', // R8: what the partner is now counts, not what was seen to happen
  'told-life', // R8: a partner that restarted may have been active
  'told-moves', // R8: a partner that was active and gave way before it was heard
  'verify', // R9: ask who is believed, and teach who is not
  'refresh', // R9: say it again now and then
  'owe-announcement', // R8: who owned speaks for an owner that does not hear it, however it ceased to own
  'announce-to-silence', // R8: who falls silent may have owned while we were paused
  'hear-before-claim', // R10: who hears nothing at all is deaf itself
  'resign-isolated', // witness_hosts: an owner that hears none of them leaves the VIPs to its partner
  'witness-doubt', // ... but only to one that hears them, or when it hears nobody any more
] as const;
export type Rule = (typeof RULES)[number];

/** The wish last given to the crank, and what to do when the kernel has it. */
export type Wish = {
  readonly number: number;
  readonly isConfirmed: boolean;
  readonly afterwards: 'announce' | 'say-stopped' | 'exit' | 'nothing';
  /** What to announce then. */
  readonly vips: readonly IpAddress[];
};

export type FailoverState = {
  readonly settings: FailoverSettings;
  readonly broken: readonly Rule[];
  readonly isActive: boolean;
  /** The last role change, for status. */
  readonly reason: Reason;
  readonly startedAt: Instant;
  readonly tickAt: Instant;
  /** Silence until here is the partner's death. Undefined: already passed, or nobody to listen to. */
  readonly deadAt: Instant | undefined;
  readonly heardAt: Instant | undefined;
  readonly partnerSaid: 'nothing' | 'running' | 'stopped';
  readonly partnerDialect: 'unknown' | 'legacy' | 'extended';
  /** The partner was heard RUNNING in this life: its STOPPED is then a resignation, not a cold start. */
  readonly hasSeenRunning: boolean;
  /** Standby backup: a partner that starts up like us goes first; until here. */
  readonly courtesyAt: Instant | undefined;
  /** Active and hearing an active backup, which we have answered: one that goes on until here is deaf. */
  readonly deafAt: Instant | undefined;
  /** The turn in which we found ourselves late: what is read in it is old. */
  readonly lateAt: Instant | undefined;
  /** failback = auto, active backup: when the primary has been a healthy standby for long enough. */
  readonly failbackAt: Instant | undefined;
  /** Failback is offered once: to this life of the partner (0 in the legacy dialect, which has no lives). */
  readonly failbackOfferedTo: number | undefined;
  /** service = fos: a legacy partner whose services failed is told STOPME; until here (fos.ts). */
  readonly stopmeUntilAt: Instant | undefined;
  readonly linksDown: readonly PathName[];
  readonly areServicesFailed: boolean;
  readonly isWedged: boolean;
  /** An operator's word: not to take over, until told or for a time. */
  readonly isInMaintenance: boolean;
  readonly resignedUntilAt: Instant | undefined;
  readonly isStopping: boolean;
  readonly wish: Wish;
  readonly announcements: Announcements;
  readonly verification: Verification | undefined;
  readonly extended: ExtendedState;
};

/** A state with the effects that led to it; the moves below take one and give one. */
export type Move = { readonly state: FailoverState; readonly effects: readonly Effect[] };

/** active, standby, or fault: standby that may not take over. */
export function roleOf(state: FailoverState): Role {
  if (state.isActive) return 'active';
  if (state.extended.claim !== undefined || state.stopmeUntilAt !== undefined) return 'claim';
  return mayActivate(state) ? 'standby' : 'fault';
}

export function isWhole(state: FailoverState, rule: Rule): boolean {
  return !state.broken.includes(rule);
}

export function change(move: Move, changes: Partial<FailoverState>, ...more: Effect[]): Move {
  return { state: { ...move.state, ...changes }, effects: [...move.effects, ...more] };
}

export function note(move: Move, event: Note): Move {
  return change(move, {}, { kind: 'note', note: event });
}

export function drop(move: Move, reason: DropReason, from: IpAddress): Move {
  return note(move, { kind: 'dropped', reason, from });
}

export function changeExtended(move: Move, changes: Partial<ExtendedState>): Move {
  return change(move, { extended: { ...move.state.extended, ...changes } });
}

/** Present when this node speaks the extended dialect at all (`dialect = auto`). */
export function extendedSettings(state: FailoverState): ExtendedSettings | undefined {
  return state.settings.dialect === 'auto' ? state.settings.extended : undefined;
}

/** Between heartbeats: keepalive exactly in the legacy dialect, six a deadtime or more in the extended one. */
export function intervalMs({ settings }: FailoverState): Milliseconds {
  const isExtended = settings.dialect === 'auto' && settings.extended !== undefined;
  return isExtended
    ? Math.min(settings.keepaliveMs, settings.deadtimeMs / 6)
    : settings.keepaliveMs;
}

/**
 * Silence after which this node acts. The extended dialect leaves room for the claim to settle, and obeys the
 * *partner's* lease: a mismatch of the two files makes a takeover slower, never unsafe.
 */
export function deadAfterMs(state: FailoverState): Milliseconds {
  const settings = extendedSettings(state);
  const { deadtimeMs } = state.settings;
  if (settings === undefined || state.partnerDialect === 'legacy') return deadtimeMs;
  const { partner } = state.extended;
  const own = deadtimeMs - settings.settleMs;
  if (partner === undefined || partner.leaseMs === 0) return own;
  // One heartbeat may be lost just before a freeze: its owner extended the lease once more than we heard.
  const lastRenewal = partner.leaseMs + partner.intervalMs;
  return Math.max(own, lastRenewal - settings.settleMs + LEASE_MARGIN_MS);
}

/** Jitter of the renewal and one jiffy of the slowest kernel (HZ=100). */
export const LEASE_MARGIN_MS: Milliseconds = 20;

/** Says what we are on every path, now. */
export function say(move: Move, word: 'running' | 'stopped'): Move {
  const { state } = move;
  const settings = extendedSettings(state);
  const kind = magicOf(state, word);
  if (settings === undefined) {
    const bytes = encodeHeartbeat(kind);
    const sends = state.settings.paths.map(
      ({ name }): Effect => ({ kind: 'send', path: name, bytes }),
    );
    return change(move, {}, ...sends);
  }
  const next = changeExtended(move, { sequence: state.extended.sequence + 1 });
  const trailer = trailerOf(next.state, settings, word);
  const sends = state.settings.paths.map(
    ({ name, own, partner }): Effect => ({
      kind: 'send',
      path: name,
      bytes: encodeExtendedHeartbeat(trailer, { from: own, to: partner }, settings.keys[0], kind),
    }),
  );
  return change(next, {}, ...sends);
}

function magicOf(state: FailoverState, word: 'running' | 'stopped'): HeartbeatKind {
  if (state.settings.service !== 'fos') return word;
  const asks = state.stopmeUntilAt !== undefined && mayActivate(state);
  return word === 'stopped' && asks ? 'stopme' : `fos-${word}`;
}

function trailerOf(
  state: FailoverState,
  settings: ExtendedSettings,
  word: 'running' | 'stopped',
): Trailer {
  const { extended } = state;
  const { partner } = extended;
  const rest = extended.claim === undefined ? 'standby' : 'claim';
  return {
    role: word === 'running' ? 'active' : rest,
    isEligible: state.isActive || mayActivate(state),
    isStopping: state.isStopping,
    reason: reasonOf(state),
    epoch: extended.epoch,
    moves: extended.moves,
    incarnation: settings.incarnation,
    sequence: extended.sequence,
    echo:
      partner === undefined
        ? undefined
        : { incarnation: partner.incarnation, sequence: partner.sequence },
    intervalMs: intervalMs(state),
    deadtimeMs: state.settings.deadtimeMs,
    leaseMs: settings.leaseMs,
    serialNo: settings.serialNo,
    configDigest: settings.configDigest,
    servicesUp: 0,
    services: 0,
    linkAddresses: settings.linkAddresses,
  };
}

/** Standby and free to take over: no failed link (M9), services or main thread, no operator's word against it. */
export function mayActivate(state: FailoverState): boolean {
  return obstacleOf(state) === undefined;
}

/** What keeps a standby from taking over, the nearest to its end first; undefined: nothing. */
function obstacleOf(state: FailoverState): Reason | undefined {
  if (state.isStopping) return 'stop';
  if (state.isInMaintenance) return 'maintenance';
  if (state.resignedUntilAt !== undefined) return 'operator';
  const { monitorLinks, paths } = state.settings;
  if (monitorLinks && paths.length > 0 && state.linksDown.length > 0) return 'link-failure';
  // One flag, two ways to it: a refusal of the kernel is never a standby's first.
  if (state.areServicesFailed) {
    return state.reason === 'kernel-refused' ? state.reason : 'services-failed';
  }
  if (state.isWedged) return 'main-wedged';
  return state.extended.isIsolated ? 'isolated' : undefined;
}

/** Why it is what it is: what keeps a standby from taking over is nearer than what once made it one. */
export function reasonOf(state: FailoverState): Reason {
  return (state.isActive ? undefined : obstacleOf(state)) ?? state.reason;
}

/** Says RUNNING first, then raises: a partner of the original waits for nothing else. */
export function activate(move: Move, reason: Reason, from?: Role): Move {
  const before = from ?? roleOf(move.state);
  const number = move.state.wish.number + 1;
  const counted = changeExtended(move, {
    moves: move.state.extended.moves + 1,
    claim: undefined,
    ask: undefined,
    owesAnnouncement: false,
  });
  const active = change(counted, {
    isActive: true,
    reason,
    courtesyAt: undefined,
    deafAt: undefined,
    failbackAt: undefined,
    stopmeUntilAt: undefined,
    wish: { number, isConfirmed: false, afterwards: 'announce', vips: move.state.settings.vips },
  });
  const told = say(note(active, { kind: 'role', from: before, to: 'active', reason }), 'running');
  return change(
    told,
    {},
    { kind: 'hook', hook: 'active' },
    { kind: 'converge', wish: number, role: 'active' },
  );
}

/** Gives the VIPs back; `afterwards` happens when the kernel no longer has them. Our own announcements end at once. */
export function release(
  move: Move,
  now: Instant,
  reason: Reason,
  afterwards: Wish['afterwards'],
): Move {
  const number = move.state.wish.number + 1;
  const counted = changeExtended(move, {
    moves: move.state.extended.moves + 1,
    ask: undefined,
    owesAnnouncement: true,
    // Nothing proves that the partner knows us standby before we have said so.
    since: move.state.extended.sequence + 1,
  });
  const standby = change(counted, {
    isActive: false,
    reason,
    deadAt: after(now, deadAfterMs(move.state)),
    deafAt: undefined,
    failbackAt: undefined,
    announcements: cancelRound(move.state.announcements),
    verification: undefined,
    wish: { number, isConfirmed: false, afterwards, vips: [] },
  });
  const to = roleOf(standby.state);
  const noted = note(standby, { kind: 'role', from: 'active', to, reason });
  const hasTold = !isWhole(move.state, 'release-before-telling') && afterwards === 'say-stopped';
  return change(
    hasTold ? say(noted, 'stopped') : noted,
    {},
    { kind: 'cancel-announcements' },
    { kind: 'hook', hook: 'inactive' },
    { kind: 'converge', wish: number, role: 'standby' },
  );
}

/** Starts or hurries a round. While the kernel has not confirmed the addresses, its confirmation starts one anyway. */
export function announce(
  move: Move,
  now: Instant,
  vips: readonly IpAddress[],
  length?: number,
): Move {
  const { announcements, settings, verification, wish } = move.state;
  if (!wish.isConfirmed) return move;
  const soonMs = Math.min(250, settings.keepaliveMs / 2);
  const asked = isWhole(move.state, 'verify') ? askedAbout(settings, vips) : [];
  const started = change(move, {
    announcements: startRound(announcements, now, vips, soonMs, length),
    verification: asked.length > 0 ? startVerification(verification, now, asked) : verification,
  });
  return sendAnnouncements(started, now);
}

/** The VIPs that somebody can be asked about. */
function askedAbout(
  { verification }: FailoverSettings,
  vips: readonly IpAddress[],
): readonly IpAddress[] {
  if (verification?.asksWitnesses !== true) return [];
  const unasked = new Set(verification.unasked);
  return unasked.size === 0 ? vips : vips.filter((vip) => !unasked.has(vip));
}

/** Sends the announcements that are due: only of an active node, and only what the kernel has confirmed. */
export function sendAnnouncements(move: Move, now: Instant): Move {
  const { isActive, wish, announcements, settings } = move.state;
  if (!isActive || !wish.isConfirmed) return move;
  const isRefresh = announcements.round === undefined && isDue(announcements.refreshAt, now);
  if (isRefresh) return untold(announce(move, now, settings.vips, 1));
  const due = announceDue(announcements, now);
  const sent = change(move, { announcements: due.state }, ...due.effects);
  const hasAnnounced = due.effects.some(({ kind }) => kind === 'announce');
  const asked = hasAnnounced ? ask(sent) : sent;
  const hasEnded = announcements.round !== undefined && due.state.round === undefined;
  return hasEnded ? roundOver(asked, now) : asked;
}

/** The slow refresh is rest, and rest is not told every minute. */
function untold(move: Move): Move {
  const isNews = (effect: Effect): boolean =>
    effect.kind !== 'note' || effect.note.kind !== 'announcements-finished';
  return { ...move, effects: move.effects.filter(isNews) };
}

function ask(move: Move): Move {
  if (move.state.verification === undefined) return move;
  const { verification, effects } = askWitnesses(move.state.verification);
  return change(move, { verification }, ...effects);
}

/** The next slow repetition is set. */
function roundOver(move: Move, now: Instant): Move {
  const { announcements, settings, verification } = move.state;
  const repeats = isWhole(move.state, 'refresh');
  const refreshMs = repeats ? (settings.verification?.refreshMs ?? 0) : 0;
  const refreshAt = refreshMs > 0 ? after(now, refreshMs) : undefined;
  return change(move, {
    announcements: { ...announcements, refreshAt },
    verification: verification && lastQuestionAsked(verification, now),
  });
}

export function isDue(at: Instant | undefined, now: Instant): boolean {
  return at !== undefined && at <= now;
}

/** Listen for a whole deadtime before judging the partner. */
export function rearm(move: Move, now: Instant): Move {
  return move.state.isActive ? move : change(move, { deadAt: after(now, deadAfterMs(move.state)) });
}

/** A claim that may not be: back to listening. */
export function withdrawClaim(move: Move, now: Instant, reason: Reason): Move {
  const standby = changeExtended(
    change(move, { reason, deadAt: after(now, deadAfterMs(move.state)) }),
    {
      claim: undefined,
      since: move.state.extended.sequence + 1,
    },
  );
  const to = roleOf(standby.state);
  return note(standby, { kind: 'role', from: 'claim', to, reason });
}

/** Why the partner cannot be left the VIPs now, as a sentence; undefined: it can. */
export function partnerUnready(state: FailoverState, now: Instant): string | undefined {
  if (state.settings.paths.length === 0) return 'there is no partner: the VIPs would have no owner';
  const { heardAt, partnerDialect, extended } = state;
  const silentMs = heardAt === undefined ? undefined : elapsedMs(heardAt, now);
  if (silentMs === undefined || silentMs > deadAfterMs(state)) {
    return 'the partner is silent: the VIPs would have no owner';
  }
  if (partnerDialect === 'legacy' || extended.partner === undefined) return undefined;
  if (!extended.partner.isEligible) {
    return `the partner may not take over (${extended.partner.reason}): the VIPs would have no owner`;
  }
  return undefined;
}
