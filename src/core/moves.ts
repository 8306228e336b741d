/**
 * What both dialects are made of: the state of one director and the moves that change it.
 *
 * A move takes a state with the effects so far and gives the next one; so a rule reads as the list of what it does.
 * The contract behind the order of effects is in failover-types.ts.
 */
import { after, type Instant, type IpAddress } from '../base/index.ts';
import type { PathName, Reason, Role } from '../model/index.ts';
import { encodeHeartbeat } from '../wire/index.ts';
import { type Announcements, announceDue, cancelRound, startRound } from './announcements.ts';
import type { DropReason, Effect, FailoverSettings, Note } from './failover-types.ts';

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
  /** The partner was heard RUNNING in this life: its STOPPED is then a resignation, not a cold start. */
  readonly hasSeenRunning: boolean;
  /** Standby backup: a partner that starts up like us goes first; until here. */
  readonly courtesyAt: Instant | undefined;
  /** Active and hearing an active partner: when we first answered it. */
  readonly contestedAt: Instant | undefined;
  /** The turn in which we found ourselves late: what is read in it is old. */
  readonly lateAt: Instant | undefined;
  /** failback = auto, active backup: when the primary has been a healthy standby for long enough. */
  readonly failbackAt: Instant | undefined;
  readonly hasOfferedFailback: boolean;
  readonly linksDown: readonly PathName[];
  readonly areServicesFailed: boolean;
  readonly isWedged: boolean;
  readonly isStopping: boolean;
  readonly wish: Wish;
  readonly announcements: Announcements;
};

/** A state with the effects that led to it; the moves below take one and give one. */
export type Move = { readonly state: FailoverState; readonly effects: readonly Effect[] };

/** active, standby, or fault: standby that may not take over. */
export function roleOf(state: FailoverState): Role {
  if (state.isActive) return 'active';
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

/** Says what we are on every path, now. */
export function say(move: Move, word: 'running' | 'stopped'): Move {
  const bytes = encodeHeartbeat(word);
  const sends = move.state.settings.paths.map(
    ({ name }): Effect => ({ kind: 'send', path: name, bytes }),
  );
  return change(move, {}, ...sends);
}

/** Standby and free to take over: no failed link (M9), services or main thread. */
export function mayActivate(state: FailoverState): boolean {
  const isCut =
    state.settings.monitorLinks && state.settings.paths.length > 0 && state.linksDown.length > 0;
  return !isCut && !state.areServicesFailed && !state.isWedged && !state.isStopping;
}

/** Says RUNNING first, then raises: a partner of the original waits for nothing else. */
export function activate(move: Move, reason: Reason): Move {
  const before = roleOf(move.state);
  const number = move.state.wish.number + 1;
  const active = change(move, {
    isActive: true,
    reason,
    courtesyAt: undefined,
    contestedAt: undefined,
    failbackAt: undefined,
    hasOfferedFailback: false,
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
  const standby = change(move, {
    isActive: false,
    reason,
    deadAt: after(now, move.state.settings.deadtimeMs),
    contestedAt: undefined,
    failbackAt: undefined,
    announcements: cancelRound(move.state.announcements),
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
export function announce(move: Move, now: Instant, vips: readonly IpAddress[]): Move {
  const { state } = move;
  if (!state.wish.isConfirmed) return move;
  const soonMs = Math.min(250, state.settings.keepaliveMs / 2);
  const started = { announcements: startRound(state.announcements, now, vips, soonMs) };
  return sendAnnouncements(change(move, started), now);
}

/** Sends the announcements that are due: only of an active node, and only what the kernel has confirmed. */
export function sendAnnouncements(move: Move, now: Instant): Move {
  if (!move.state.isActive || !move.state.wish.isConfirmed) return move;
  const due = announceDue(move.state.announcements, now);
  return change(move, { announcements: due.state }, ...due.effects);
}

export function isDue(at: Instant | undefined, now: Instant): boolean {
  return at !== undefined && at <= now;
}
