/**
 * The record of one run: what the observer saw between the fault and the end, counted. Pure: events in, numbers out, so
 * that the counting itself is tested without a network.
 *
 * All times are milliseconds after the fault, unless the name says otherwise.
 */
import type { LabEvent, Snapshot } from './events.ts';
import { DIRECTORS, type Director, directorOf } from './topology.ts';
import { sumOf, type TrafficRecord, type TrafficReport, trafficOf } from './traffic-record.ts';

/** A step of the incident: `frozen`, `woken`, `cut`, `healed`, ... */
export type Mark = { readonly at: number; readonly what: string };
export type Change<T> = { readonly ms: number; readonly is: T };
/** How long none, one and both directors were in a state. */
export type Shares = { readonly none: number; readonly one: number; readonly both: number };

export type RunRecord = {
  readonly incident: string;
  readonly director: string;
  readonly keepaliveMs: number;
  readonly deadtimeMs: number;
  readonly run: number;
  readonly seed: number;
  /** From the last heartbeat that da sent to the fault. */
  readonly phaseMs: number;
  readonly steps: readonly Change<string>[];
  /** Who holds the VIP in the kernel. */
  readonly owners: readonly Change<readonly Director[]>[];
  readonly ownersMs: Shares;
  /** Who answers a fresh question on the segment. */
  readonly answering: readonly Change<readonly Director[]>[];
  readonly answeringMs: Shares;
  readonly router: readonly Change<string>[];
  readonly probes: {
    readonly sent: number;
    readonly lost: number;
    /** Answered after the last step by the director that does not own in the end. */
    readonly wrong: number;
  };
  /** The longest time without an answered probe. */
  readonly outageMs: number;
  /** From the last heartbeat that reached db to the VIP on db; absent when db never took it. */
  readonly takeoverMs?: number;
  /** The same, less the deadtime, where db had to wait for it. */
  readonly overDeadtimeMs?: number;
  readonly announcements: Readonly<Record<Director, number>>;
  /** The most that one director sent within half a second. */
  readonly burst: number;
  /** Where da was frozen or killed: how long after that its kernel still answered for the VIP. */
  readonly silentAfterMs?: number;
  /** From the last step until one director answered and the router was on it, for good; absent when never. */
  readonly goodAfterMs?: number;
  /** The clients' connections to the virtual service, where there is one. */
  readonly traffic?: TrafficRecord;
  readonly verdict: Verdict;
  /** The longest time the observer itself was not looking. */
  readonly worstStallMs: number;
};

export type Verdict = {
  readonly owner: Director | null;
  readonly router: string | null;
  /** Exactly one director answers for the VIP. */
  readonly isOneOwner: boolean;
  /** The router sends to another one than the owner. */
  readonly isStale: boolean;
  /** No director announced more than ten times (once a minute more in a long look-on), nor too many within half a second. */
  readonly isCalm: boolean;
  /** The VIP never moved. */
  readonly isStill: boolean;
  /** No probe was lost. */
  readonly isUninterrupted: boolean;
  /** Whoever was frozen or killed fell silent with its lease. */
  readonly isSilenced: boolean;
  /** The clients of the virtual service lost nothing that a handover may not cost, and were back in time. */
  readonly isServed: boolean;
  /** One owner, not stale, calm, served; still, uninterrupted and silenced where that is asked. */
  readonly isGood: boolean;
};

const CALM_FRAMES = 10;
/** An owner repeats its announcement this often for good (`announce_refresh`): not part of an incident. */
const REFRESH_MS = 60_000;
/**
 * Spaced: an announcement in both forms, and once more where a rival was heard in the meantime; the next a second on. In the
 * legacy dialect two owners hear each other for two keepalives at most, so there a rival is heard more than once: three
 * heartbeats, and what it announces itself.
 */
const BURST_FRAMES = 4;
const LEGACY_BURST_FRAMES = 6;
const BURST_MS = 500;
/** From the end of the lease to the next question of the observer; when it was late itself, so much more. */
const ASKING_MS = 10;
/** Clients and servers are ordinary programs, and so late at worst; a lost packet would show: it is sent again after 200. */
const CLIENT_MS = 100;

export type RunFacts = {
  /** One of the directors at least speaks the legacy dialect. */
  readonly isLegacy?: boolean;
  readonly incident: string;
  readonly isHandover: boolean;
  readonly isRest: boolean;
  /** No probe may be lost. */
  readonly mustAnswer?: boolean;
  /** da is frozen or killed in the first step, and its lease, counted from then, can be no longer than this. */
  readonly leaseMs?: number;
  /** What the clients of the virtual service noted. */
  readonly traffic?: TrafficReport;
  /** The directors tell each other of connections: a handover may not cost one that is held open. */
  readonly isSynchronised?: boolean;
  readonly director: string;
  readonly keepaliveMs: number;
  readonly deadtimeMs: number;
  readonly run: number;
  readonly seed: number;
  readonly faultAt: number;
  readonly endAt: number;
  readonly marks: readonly Mark[];
  /** Before the fault. */
  readonly ownersBefore: readonly Director[];
  readonly routerBefore: string | undefined;
  readonly end: Snapshot;
  readonly events: readonly LabEvent[];
};

export function recordOf(facts: RunFacts): RunRecord {
  const { events, faultAt, endAt, marks } = facts;
  const within = events.filter((event) => event[1] >= faultAt && event[1] <= endAt);
  const owners = ownerChanges(facts, within);
  const answering = answeringChanges(facts, within);
  const router = routerChanges(facts, within);
  const announcements = {
    da: countAnnouncements(within, 'da'),
    db: countAnnouncements(within, 'db'),
  };
  const burst = Math.max(...DIRECTORS.map((node) => worstBurst(within, node)));
  const silentAfterMs = facts.leaseMs === undefined ? undefined : lastAnswerOfDa(facts, answering);
  const traffic = facts.traffic && trafficOf(facts.traffic, faultAt, endAt);
  const outageMs = round(longestOutage(within, endAt));
  const verdict = judge(facts, {
    answering,
    announcements,
    burst,
    isServed: traffic === undefined || isServed(facts, traffic, outageMs),
    isStill: owners.length === 1,
    isUninterrupted: within.every((event) => event[0] !== 'probe' || event[2] !== null),
    isSilenced: (silentAfterMs ?? 0) <= (facts.leaseMs ?? 0) + ASKING_MS + worstStall(within),
  });
  const takeoverMs = takeover(events, faultAt, endAt);
  const lastStep = Math.max(faultAt, ...marks.map((mark) => mark.at)) - faultAt;
  const good = goodSince(answering, router);
  return {
    incident: facts.incident,
    director: facts.director,
    keepaliveMs: facts.keepaliveMs,
    deadtimeMs: facts.deadtimeMs,
    run: facts.run,
    seed: facts.seed,
    phaseMs: round(faultAt - lastSent(events, faultAt)),
    steps: marks.map((mark) => ({ ms: round(mark.at - faultAt), is: mark.what })),
    owners,
    ownersMs: shares(owners, endAt - faultAt),
    answering,
    answeringMs: shares(answering, endAt - faultAt),
    router,
    probes: countProbes(within, faultAt + lastStep, verdict.owner),
    outageMs,
    ...(takeoverMs !== undefined && {
      takeoverMs: round(takeoverMs),
      ...(hasWaited(facts, takeoverMs) && {
        overDeadtimeMs: round(takeoverMs - facts.deadtimeMs),
      }),
    }),
    announcements,
    burst,
    ...(silentAfterMs !== undefined && { silentAfterMs: round(silentAfterMs) }),
    ...(verdict.isGood &&
      good !== undefined && { goodAfterMs: round(Math.max(0, good - lastStep)) }),
    ...(traffic && { traffic }),
    verdict,
    worstStallMs: round(worstStall(within)),
  };
}

/** Ten minutes have more events than a call may have arguments. */
function worstStall(events: readonly LabEvent[]): number {
  return events.reduce(
    (worst, event) => (event[0] === 'stall' ? Math.max(worst, event[2]) : worst),
    0,
  );
}

function ownerChanges(facts: RunFacts, events: readonly LabEvent[]): Change<readonly Director[]>[] {
  let owners = facts.ownersBefore;
  const changes: Change<readonly Director[]>[] = [{ ms: 0, is: owners }];
  for (const event of events) {
    if (event[0] !== 'vip') continue;
    const holds = event[3] === 'raised';
    const next = DIRECTORS.filter((node) => (node === event[2] ? holds : owners.includes(node)));
    if (next.join() === owners.join()) continue;
    owners = next;
    changes.push({ ms: round(event[1] - facts.faultAt), is: owners });
  }
  return changes;
}

function answeringChanges(
  facts: RunFacts,
  events: readonly LabEvent[],
): Change<readonly Director[]>[] {
  const before = facts.events.findLast(
    (event) => event[0] === 'answering' && event[1] < facts.faultAt,
  );
  const first = before?.[0] === 'answering' ? before[2] : facts.ownersBefore;
  const changes: Change<readonly Director[]>[] = [{ ms: 0, is: first }];
  for (const event of events) {
    if (event[0] === 'answering')
      changes.push({ ms: round(event[1] - facts.faultAt), is: event[2] });
  }
  return changes;
}

function routerChanges(facts: RunFacts, events: readonly LabEvent[]): Change<string>[] {
  const changes: Change<string>[] = [{ ms: 0, is: nameOf(facts.routerBefore) }];
  for (const event of events) {
    if (event[0] !== 'router') continue;
    const is = nameOf(event[2] ?? undefined);
    if (is !== changes.at(-1)?.is) changes.push({ ms: round(event[1] - facts.faultAt), is });
  }
  return changes;
}

function judge(
  facts: RunFacts,
  seen: Pick<RunRecord, 'answering' | 'announcements' | 'burst'> &
    Pick<Verdict, 'isStill' | 'isUninterrupted' | 'isSilenced' | 'isServed'>,
): Verdict {
  const { isStill, isUninterrupted, isSilenced, isServed, announcements, burst } = seen;
  const last = seen.answering.at(-1)?.is ?? [];
  const owner = last.length === 1 ? (last[0] ?? null) : null;
  const router = facts.end.router === undefined ? null : nameOf(facts.end.router);
  const isOneOwner = owner !== null && facts.end.owners.includes(owner);
  const isStale = isOneOwner && router !== owner;
  const calmFrames = CALM_FRAMES + Math.floor((facts.endAt - facts.faultAt) / REFRESH_MS);
  const isCalm =
    Math.max(announcements.da, announcements.db) <= calmFrames &&
    burst <= (facts.isLegacy === true ? LEGACY_BURST_FRAMES : BURST_FRAMES);
  const isAsAsked =
    (isStill || !facts.isRest) && (isUninterrupted || facts.mustAnswer !== true) && isSilenced;
  const isGood = isOneOwner && !isStale && isCalm && isServed && isAsAsked;
  return {
    owner,
    router,
    isOneOwner,
    isStale,
    isCalm,
    isStill,
    isUninterrupted,
    isSilenced,
    isServed,
    isGood,
  };
}

/**
 * Traffic is back when the VIP is. Beyond that only a handover is judged, and by all that it can save: nobody is
 * refused and nobody waits in vain; where the directors tell each other of connections, none is reset either. Where they
 * do not (nat), those that were being opened across the switch go with the old director's memory: one in a hundred.
 */
function isServed(facts: RunFacts, traffic: TrafficRecord, outageMs: number): boolean {
  const { lost, held, gapMs } = traffic;
  const isBack = gapMs <= outageMs + CLIENT_MS;
  if (!facts.isHandover) return isBack;
  const all = sumOf(lost) + sumOf(held.lost);
  if (facts.isSynchronised === true) return isBack && all === 0;
  const isRefused = lost.refused + held.lost.refused > 0;
  return isBack && !isRefused && lost.silent + held.lost.silent <= traffic.opened / 100;
}

/** Between the first step and the next one, in which da comes back. */
function lastAnswerOfDa(
  { marks, faultAt, endAt }: RunFacts,
  answering: readonly Change<readonly Director[]>[],
): number {
  const end = (marks[1]?.at ?? endAt) - faultAt;
  const before = answering.filter((change) => change.ms < end);
  const last = before.findLastIndex((change) => change.is.includes('da'));
  return last < 0 ? 0 : (before[last + 1]?.ms ?? end);
}

/** Since when, after the fault, the last stretch of "one answers and the router is on it" lasts. */
function goodSince(
  answering: readonly Change<readonly Director[]>[],
  router: readonly Change<string>[],
): number | undefined {
  const times = [...answering, ...router].map((change) => change.ms).sort((a, b) => a - b);
  const isGoodAt = (ms: number) => {
    const now = answering.findLast((change) => change.ms <= ms)?.is ?? [];
    return now.length === 1 && router.findLast((change) => change.ms <= ms)?.is === now[0];
  };
  let since: number | undefined;
  for (const ms of times) since = isGoodAt(ms) ? (since ?? ms) : undefined;
  return since;
}

/** From the last heartbeat of da that left the switch towards db to the VIP on db. */
function takeover(events: readonly LabEvent[], faultAt: number, endAt: number): number | undefined {
  const raised = events.find(
    (event) =>
      event[0] === 'vip' &&
      event[2] === 'db' &&
      event[3] === 'raised' &&
      event[1] >= faultAt &&
      event[1] <= endAt,
  );
  if (raised === undefined) return undefined;
  const heard = events.findLast(
    (event) =>
      event[0] === 'heartbeat' &&
      event[2] === 'da' &&
      event[3] === 'passed' &&
      event[1] < raised[1],
  );
  return heard === undefined ? undefined : raised[1] - heard[1];
}

/** Not where it was handed over, nor where da woke and said standby while db was settling: that word was the last one. */
function hasWaited({ isHandover, deadtimeMs }: RunFacts, takeoverMs: number): boolean {
  return !isHandover && takeoverMs > deadtimeMs / 2;
}

function lastSent(events: readonly LabEvent[], faultAt: number): number {
  const sent = events.findLast(
    (event) =>
      event[0] === 'heartbeat' && event[2] === 'da' && event[3] === 'sent' && event[1] <= faultAt,
  );
  return sent?.[1] ?? faultAt;
}

function shares(changes: readonly Change<readonly Director[]>[], lengthMs: number): Shares {
  const sum = [0, 0, 0];
  for (const [index, { ms, is }] of changes.entries()) {
    const end = changes[index + 1]?.ms ?? lengthMs;
    sum[is.length] = (sum[is.length] ?? 0) + end - ms;
  }
  return { none: round(sum[0] ?? 0), one: round(sum[1] ?? 0), both: round(sum[2] ?? 0) };
}

function countProbes(events: readonly LabEvent[], lastStepAt: number, owner: Director | null) {
  const probes = events.filter((event) => event[0] === 'probe');
  return {
    sent: probes.length,
    lost: probes.filter((event) => event[2] === null).length,
    wrong: probes.filter(
      (event) =>
        event[1] >= lastStepAt && event[2] !== null && owner !== null && event[2] !== owner,
    ).length,
  };
}

/** From the first lost probe to the next answered one, or to the end when none was answered any more. */
function longestOutage(events: readonly LabEvent[], endAt: number): number {
  const probes = events.filter((event) => event[0] === 'probe').sort((a, b) => a[1] - b[1]);
  let longest = 0;
  let since: number | undefined;
  for (const [, at, by] of probes) {
    if (since !== undefined) longest = Math.max(longest, at - since);
    since = by === null ? (since ?? at) : undefined;
  }
  return since === undefined ? longest : Math.max(longest, endAt - since);
}

/** The most of one director that left within `BURST_MS`. */
function worstBurst(events: readonly LabEvent[], node: Director): number {
  const times = events.flatMap((event) =>
    event[0] === 'announcement' && event[2] === node ? [event[1]] : [],
  );
  const within = times.map(
    (from) => times.filter((at) => at >= from && at < from + BURST_MS).length,
  );
  return Math.max(0, ...within);
}

function countAnnouncements(events: readonly LabEvent[], node: Director): number {
  return events.filter((event) => event[0] === 'announcement' && event[2] === node).length;
}

function nameOf(mac: string | undefined): string {
  return mac === undefined ? 'nobody' : (directorOf(mac) ?? 'stranger');
}

function round(ms: number): number {
  return Math.round(ms * 100) / 100;
}
