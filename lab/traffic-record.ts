/**
 * What became of the clients' connections, counted. Pure: what the clients noted goes in, numbers come out.
 *
 * A connection can be lost in three ways: refused (nobody there), reset (the answer to a packet of a connection that
 * the receiver does not know), or silently (nothing comes any more). New ones and those held open are counted apart:
 * a new one can be tried again, one in the middle of its work cannot.
 */

/** What the clients do. */
export type LoadOrder = {
  readonly vip: string;
  /** New connections, each with one question. */
  readonly perSecond: number;
  /** Connections held open and asked every 20 ms. */
  readonly held: number;
};

/** What the clients noted. Results are a server's name, `timeout`, `closed` or an errno's name. */
export type TrafficReport = {
  readonly conversations: readonly (readonly [begunAt: number, endedAt: number, result: string])[];
  readonly held: readonly { readonly result: string; readonly answers: readonly number[] }[];
};

export type Losses = {
  readonly refused: number;
  readonly reset: number;
  /** No answer within four seconds, or closed without one. */
  readonly silent: number;
};

export type TrafficRecord = {
  readonly opened: number;
  /** Which server answered how many of them. */
  readonly servedBy: Readonly<Record<string, number>>;
  readonly lost: Losses;
  /** Answered, but only after a packet was sent again: after 180 ms or more. */
  readonly late: number;
  readonly held: { readonly kept: number; readonly lost: Losses };
  /** The longest time in which no connection, new or held, got an answer. */
  readonly gapMs: number;
};

/** The kernel sends nothing again before 200 ms. */
const LATE_MS = 180;

/** Of the connections begun after `faultAt`, and those that were held open then. */
export function trafficOf(report: TrafficReport, faultAt: number, endAt: number): TrafficRecord {
  const opened = report.conversations.filter(([begunAt]) => begunAt >= faultAt);
  const results = opened.map(([, , result]) => result);
  const served = opened.filter(([, , result]) => isServer(result));
  const heldResults = report.held.map(({ result }) => result);
  const answers = [
    ...report.conversations.filter(([, , result]) => isServer(result)).map(([, at]) => at),
    ...report.held.flatMap((held) => held.answers),
  ];
  return {
    opened: opened.length,
    servedBy: countEach(results.filter(isServer)),
    lost: lossesOf(results),
    late: served.filter(([begunAt, endedAt]) => endedAt - begunAt >= LATE_MS).length,
    held: { kept: heldResults.filter(isServer).length, lost: lossesOf(heldResults) },
    // Up to the last one that was begun: who waits on for an answer that never comes keeps nobody else waiting.
    gapMs: longestGap(answers, faultAt, Math.min(endAt, opened.at(-1)?.[0] ?? endAt)),
  };
}

/** Of one kind of connection. */
export function sumOf({ refused, reset, silent }: Losses): number {
  return refused + reset + silent;
}

function isServer(result: string): boolean {
  return /^r\d$/.test(result);
}

function lossesOf(results: readonly string[]): Losses {
  const refused = results.filter((result) => result === 'ECONNREFUSED').length;
  const reset = results.filter((result) => result === 'ECONNRESET' || result === 'EPIPE').length;
  return { refused, reset, silent: results.filter((it) => !isServer(it)).length - refused - reset };
}

function countEach(words: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const word of words.toSorted()) counts[word] = (counts[word] ?? 0) + 1;
  return counts;
}

function longestGap(answers: readonly number[], from: number, to: number): number {
  const times = answers.filter((at) => at >= from && at <= to).sort((a, b) => a - b);
  let longest = 0;
  let last = from;
  for (const at of [...times, to]) {
    longest = Math.max(longest, at - last);
    last = at;
  }
  return Math.round(longest * 100) / 100;
}
