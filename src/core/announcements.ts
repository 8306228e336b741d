/**
 * Rounds of announcements: when to tell the segment where the VIPs are.
 *
 * A round is five gratuitous ARP replies a second apart (piranha.md §2.6, the original's send_arp), the first one also in
 * request form for gear that learns only from requests. A trigger during a round does not start another: it brings
 * the next frame forward and makes sure that two more follow, because what counts on the segment is the *last* frame,
 * and a rival that gives way may have sent one after ours. The original started a round for every heartbeat heard and
 * flooded the segment (up to 20 frames), keepalived sends up to 115 in a millisecond. A bucket of ten frames, refilled
 * by one every three seconds, bounds an incident whatever the backlog; repetitions leave the last two to the next
 * trigger, or a takeover soon after another would have to wait for a frame with the router on the wrong node.
 *
 *   idle --start--> running --last frame--> idle
 *                     | ^
 *                     +-+ start again: next frame sooner, at least two more
 */
import {
  after,
  type Instant,
  type IpAddress,
  later,
  type Milliseconds,
  sooner,
} from '../base/index.ts';
import type { AnnouncementForm, Effect } from './failover-types.ts';

export type AnnouncementRound = {
  readonly vips: readonly IpAddress[];
  readonly nextAt: Instant;
  readonly lastAt: Instant | undefined;
  /** The next one answers a trigger, it is no repetition. */
  readonly isUrgent: boolean;
  /** Announcements still to come, the next one included. */
  readonly remaining: number;
  /** Frames sent for each VIP in this round. */
  readonly frames: number;
};

export type Announcements = {
  readonly round: AnnouncementRound | undefined;
  /** Frames that may still be sent for each VIP, 0-10. */
  readonly tokens: number;
  /** When the next token comes; undefined while the bucket is full. */
  readonly tokenAt: Instant | undefined;
  /** The next slow repetition, while no round runs. */
  readonly refreshAt: Instant | undefined;
};

export const FULL_ROUND = 5;
const SHORT_ROUND = 2;
export const MAX_TOKENS = 10;
const SPACING_MS: Milliseconds = 1000;
const TOKEN_MS: Milliseconds = 3000;
/** Frames that repetitions leave in the bucket. */
const RESERVE = 2;

export const NO_ANNOUNCEMENTS: Announcements = {
  round: undefined,
  tokens: MAX_TOKENS,
  tokenAt: undefined,
  refreshAt: undefined,
};

/** Starts a round for `vips`, or hurries the one that runs. `soonMs`: the least time between two frames. */
export function startRound(
  state: Announcements,
  now: Instant,
  vips: readonly IpAddress[],
  soonMs: Milliseconds,
  length = FULL_ROUND,
): Announcements {
  if (vips.length === 0) return state;
  const { round } = state;
  if (round === undefined) {
    // One that follows another closely is short: the segment has been told how we look, only the last frame counts.
    const refilled = refill(state, now);
    const remaining = refilled.tokens === MAX_TOKENS ? length : Math.min(length, SHORT_ROUND);
    const fresh = { vips, nextAt: now, lastAt: undefined, isUrgent: true, remaining, frames: 0 };
    return { ...refilled, round: fresh };
  }
  const soonest = round.lastAt === undefined ? now : after(round.lastAt, soonMs);
  return {
    ...state,
    round: {
      ...round,
      vips: union(round.vips, vips),
      nextAt: sooner(later(soonest, now), round.nextAt),
      isUrgent: true,
      remaining: Math.max(round.remaining, SHORT_ROUND),
    },
  };
}

/** The round is given up in the same breath as the role. */
export function cancelRound(state: Announcements): Announcements {
  return { ...state, round: undefined, refreshAt: undefined };
}

/** Sends what is due at `now`. */
export function announceDue(
  state: Announcements,
  now: Instant,
): { readonly state: Announcements; readonly effects: readonly Effect[] } {
  const refilled = refill(state, now);
  const { round } = refilled;
  if (round === undefined || round.nextAt > now) return { state: refilled, effects: [] };
  if (refilled.tokens <= (round.isUrgent ? 0 : RESERVE)) {
    // Out of frames: one more, as soon as there is one, because only the last frame counts.
    const nextAt = refilled.tokenAt ?? after(now, TOKEN_MS);
    return { state: { ...refilled, round: { ...round, nextAt, remaining: 1 } }, effects: [] };
  }
  const forms: readonly AnnouncementForm[] =
    refilled.tokens === MAX_TOKENS ? ['reply', 'request'] : ['reply'];
  const frames = round.frames + forms.length;
  const announce: Effect = { kind: 'announce', vips: round.vips, forms, owner: 'own' };
  const spent = {
    tokens: refilled.tokens - forms.length,
    tokenAt: refilled.tokenAt ?? after(now, TOKEN_MS),
    refreshAt: undefined,
  };
  if (round.remaining === 1) {
    const finished: Effect = { kind: 'note', note: { kind: 'announcements-finished', frames } };
    return {
      state: { ...spent, round: undefined, refreshAt: undefined },
      effects: [announce, finished],
    };
  }
  const next: AnnouncementRound = {
    ...round,
    frames,
    isUrgent: false,
    lastAt: now,
    nextAt: after(now, SPACING_MS),
    remaining: round.remaining - 1,
  };
  return { state: { ...spent, round: next }, effects: [announce] };
}

/** When something is due; the token bucket alone wakes nobody. */
export function announcementsWakeAt(state: Announcements): Instant | undefined {
  return state.round?.nextAt ?? state.refreshAt;
}

/** The bucket as it stands at `now`. */
export function refill(state: Announcements, now: Instant): Announcements {
  let { tokens, tokenAt } = state;
  while (tokenAt !== undefined && tokenAt <= now) {
    tokens += 1;
    tokenAt = tokens < MAX_TOKENS ? after(tokenAt, TOKEN_MS) : undefined;
  }
  return { ...state, tokens, tokenAt };
}

function union(a: readonly IpAddress[], b: readonly IpAddress[]): readonly IpAddress[] {
  return a === b ? a : [...new Set([...a, ...b])];
}
