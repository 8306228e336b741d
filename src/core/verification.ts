/**
 * Closed loop, not hope: does the router believe the announcement (R9)?
 *
 * After each announcement the crank asks witnesses (the gateway, `verify_hosts`) from the VIP itself; an answer to a VIP
 * comes back only to the node that the witness believes in. The first question is an echo alone; the later ones come
 * with an ordinary ARP request from the VIP, which teaches hosts that ignore gratuitous announcements. With the end of
 * the round the asking ends, too: two owners of a split would otherwise fight over the router.
 *
 *   announced --asked--> pending --answer--> believed
 *                           |  end of the round
 *                           +---------------> unbelieved, until the next announcement (refresh, heal)
 */
import {
  after,
  elapsedMs,
  type Instant,
  type IpAddress,
  type Milliseconds,
} from '../base/index.ts';
import type { Effect, Note } from './failover-types.ts';

export type Verification = {
  /** When the announcements began that are to be believed. */
  readonly since: Instant;
  /** VIPs that nobody has believed yet. */
  readonly pending: readonly IpAddress[];
  readonly questions: number;
  /** The round is over and the last question asked: who is pending here is not believed. */
  readonly judgeAt: Instant | undefined;
};

/** Time for the answer to the last question. */
const PATIENCE_MS: Milliseconds = 1000;

export function startVerification(
  before: Verification | undefined,
  now: Instant,
  vips: readonly IpAddress[],
): Verification {
  if (before === undefined || before.pending.length === 0) {
    return { since: now, pending: vips, questions: 0, judgeAt: undefined };
  }
  return { ...before, judgeAt: undefined, pending: [...new Set([...before.pending, ...vips])] };
}

/** Asks about what is pending; the effect follows the announcement that it is about. */
export function askWitnesses(verification: Verification): {
  readonly verification: Verification;
  readonly effects: readonly Effect[];
} {
  const { pending, questions } = verification;
  if (pending.length === 0) return { verification, effects: [] };
  const ask: Effect = { kind: 'verify', vips: pending, teaches: questions > 0 };
  return { verification: { ...verification, questions: questions + 1 }, effects: [ask] };
}

/** A witness answered to these VIPs, and the answer came to us. */
export function believed(
  verification: Verification,
  now: Instant,
  { vips, witness }: { readonly vips: readonly IpAddress[]; readonly witness: IpAddress },
): { readonly verification: Verification; readonly notes: readonly Note[] } {
  const answered = new Set(vips);
  const news = verification.pending.filter((vip) => answered.has(vip));
  if (news.length === 0) return { verification, notes: [] };
  const tookMs = elapsedMs(verification.since, now);
  const pending = verification.pending.filter((vip) => !answered.has(vip));
  return {
    verification: { ...verification, pending },
    notes: [{ kind: 'believed', vips: news, witness, tookMs }],
  };
}

/** The round is over. */
export function lastQuestionAsked(verification: Verification, now: Instant): Verification {
  const judgeAt = verification.pending.length > 0 ? after(now, PATIENCE_MS) : undefined;
  return { ...verification, judgeAt };
}

export function judge(
  verification: Verification,
  now: Instant,
): { readonly verification: Verification; readonly notes: readonly Note[] } {
  const { judgeAt, pending } = verification;
  if (judgeAt === undefined || judgeAt > now) return { verification, notes: [] };
  const judged = { ...verification, judgeAt: undefined };
  return {
    verification: judged,
    notes: pending.length > 0 ? [{ kind: 'unbelieved', vips: pending }] : [],
  };
}
