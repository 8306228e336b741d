/** Records as text: one line a run, and the table of all of them. */
import type { RunRecord } from './record.ts';
import { sumOf, type TrafficRecord } from './traffic-record.ts';

export type Summary = {
  readonly incident: string;
  readonly director: string;
  readonly runs: number;
  readonly stale: number;
  readonly noSingleOwner: number;
  readonly tooManyFrames: number;
  /** Runs in which the VIP moved. */
  readonly moved: number;
  /** Runs in which the observer never looked away for longer than 25 ms: the times below are of these. */
  readonly timed: number;
  readonly outageMs: Spread | undefined;
  readonly overDeadtimeMs: Spread | undefined;
  readonly goodAfterMs: Spread | undefined;
  readonly bothAnsweringMs: Spread | undefined;
  readonly lost: Spread | undefined;
  readonly silentAfterMs: Spread | undefined;
  /** Announcements per VIP, both directors together. */
  readonly frames: Spread | undefined;
  readonly worstStallMs: number;
  /** Of the clients of the virtual service, where there was one. */
  readonly traffic?: TrafficSummary;
};

export type TrafficSummary = {
  readonly opened: number;
  readonly refused: number;
  readonly reset: number;
  readonly silent: number;
  readonly held: number;
  readonly heldReset: number;
  readonly heldSilent: number;
  readonly gapMs: Spread | undefined;
};

const STALL_LIMIT_MS = 25;

export type Spread = { readonly median: number; readonly worst: number };

export function spread(values: readonly number[]): Spread | undefined {
  const sorted = [...values].sort((a, b) => a - b);
  const worst = sorted.at(-1);
  if (worst === undefined) return undefined;
  const upper = sorted[sorted.length >> 1] ?? 0;
  const lower = sorted[(sorted.length - 1) >> 1] ?? 0;
  return { median: (upper + lower) / 2, worst };
}

export function summarise(records: readonly RunRecord[]): Summary[] {
  const groups = Map.groupBy(records, (record) => `${record.director} ${record.incident}`);
  return [...groups.values()].map((group) => {
    const timed = group.filter((record) => record.worstStallMs <= STALL_LIMIT_MS);
    return {
      incident: group[0]?.incident ?? '',
      director: group[0]?.director ?? '',
      runs: group.length,
      stale: group.filter((record) => record.verdict.isStale).length,
      noSingleOwner: group.filter((record) => !record.verdict.isOneOwner).length,
      tooManyFrames: group.filter((record) => !record.verdict.isCalm).length,
      moved: group.filter((record) => !record.verdict.isStill).length,
      timed: timed.length,
      outageMs: spread(timed.map((record) => record.outageMs)),
      overDeadtimeMs: spread(defined(timed.map((record) => record.overDeadtimeMs))),
      goodAfterMs: spread(defined(timed.map((record) => record.goodAfterMs))),
      bothAnsweringMs: spread(timed.map((record) => record.answeringMs.both)),
      lost: spread(group.map(({ probes }) => probes.lost)),
      silentAfterMs: spread(defined(timed.map((record) => record.silentAfterMs))),
      frames: spread(group.map(({ announcements }) => announcements.da + announcements.db)),
      worstStallMs: Math.max(...group.map((record) => record.worstStallMs)),
      ...trafficSummary(group, timed),
    };
  });
}

function trafficSummary(group: readonly RunRecord[], timed: readonly RunRecord[]) {
  const all = group.flatMap(({ traffic }) => traffic ?? []);
  if (all.length === 0) return {};
  const sum = (count: (traffic: TrafficRecord) => number) =>
    all.reduce((total, traffic) => total + count(traffic), 0);
  return {
    traffic: {
      opened: sum(({ opened }) => opened),
      refused: sum(({ lost }) => lost.refused),
      reset: sum(({ lost }) => lost.reset),
      silent: sum(({ lost }) => lost.silent),
      held: sum(({ held }) => held.kept + sumOf(held.lost)),
      heldReset: sum(({ held }) => held.lost.refused + held.lost.reset),
      heldSilent: sum(({ held }) => held.lost.silent),
      gapMs: spread(timed.flatMap(({ traffic }) => traffic?.gapMs ?? [])),
    },
  };
}

function defined(values: readonly (number | undefined)[]): number[] {
  return values.filter((value) => value !== undefined);
}

export function runLine(record: RunRecord, total: number): string {
  const { announcements, overDeadtimeMs } = record;
  const facts = [
    `outage ${record.outageMs} ms`,
    ...(overDeadtimeMs === undefined
      ? []
      : [`takeover ${signed(overDeadtimeMs)} ms over deadtime`]),
    `frames da ${announcements.da} db ${announcements.db}`,
    ...(record.traffic === undefined ? [] : [trafficText(record.traffic)]),
  ];
  const number = `${record.run}/${total}`.padStart(7);
  return `${record.incident.padEnd(15)} ${number}  ${facts.join(', ')}; ${verdictText(record)}`;
}

function trafficText({ opened, servedBy, lost, late, held, gapMs }: TrafficRecord): string {
  const shares = Object.entries(servedBy).map(([name, count]) => `${name} ${count}`);
  const losses = (of: typeof lost) =>
    `${of.refused} refused, ${of.reset} reset, ${of.silent} silent`;
  const all = held.kept + sumOf(held.lost);
  return `${opened} connections (${shares.join(', ')}; ${losses(lost)}; ${late} late), ${held.kept} of ${all} held kept (${losses(held.lost)}), no answer for ${gapMs} ms`;
}

function verdictText({ verdict, goodAfterMs, silentAfterMs, probes }: RunRecord): string {
  if (verdict.isStale) return `STALE: ${verdict.owner} owns, the router sends to ${verdict.router}`;
  if (!verdict.isOneOwner) return 'NO SINGLE OWNER';
  if (!verdict.isCalm)
    return 'TOO MANY ANNOUNCEMENTS (more than ten and one a minute by one director, or too many within half a second)';
  if (!verdict.isSilenced) return `ANSWERED AFTER ITS LEASE: da for ${silentAfterMs} ms`;
  if (!verdict.isServed) return 'CLIENTS LOST connections, or had to wait longer than for the VIP';
  if (!verdict.isGood && !verdict.isUninterrupted) return `${probes.lost} PROBES LOST`;
  if (!verdict.isGood) return 'THE VIP MOVED and nothing had failed';
  const after = goodAfterMs === undefined ? '' : ` ${goodAfterMs} ms after the last step`;
  return `ok: ${verdict.owner} owns, router on it${after}`;
}

const COLUMNS: readonly (readonly [string, (summary: Summary) => string])[] = [
  ['director', (s) => s.director],
  ['incident', (s) => s.incident],
  ['runs', (s) => String(s.runs)],
  ['stale', (s) => String(s.stale)],
  ['no single owner', (s) => String(s.noSingleOwner)],
  ['too many frames', (s) => String(s.tooManyFrames)],
  ['VIP moved', (s) => String(s.moved)],
  ['timed', (s) => String(s.timed)],
  ['outage ms', (s) => pair(s.outageMs)],
  ['over deadtime ms', (s) => pair(s.overDeadtimeMs)],
  ['good after ms', (s) => pair(s.goodAfterMs)],
  ['both answered ms', (s) => pair(s.bothAnsweringMs)],
  ['dead one answered ms', (s) => pair(s.silentAfterMs)],
  ['probes lost', (s) => pair(s.lost)],
  ['frames', (s) => pair(s.frames)],
  ['observer stall ms', (s) => format(s.worstStallMs)],
];

/** Where there are clients. */
const TRAFFIC_COLUMNS: typeof COLUMNS = [
  ['connections', ({ traffic }) => String(traffic?.opened ?? '-')],
  ['refused', ({ traffic }) => String(traffic?.refused ?? '-')],
  ['reset', ({ traffic }) => String(traffic?.reset ?? '-')],
  ['silent', ({ traffic }) => String(traffic?.silent ?? '-')],
  ['held', ({ traffic }) => String(traffic?.held ?? '-')],
  ['held reset', ({ traffic }) => String(traffic?.heldReset ?? '-')],
  ['held silent', ({ traffic }) => String(traffic?.heldSilent ?? '-')],
  ['no answer ms', ({ traffic }) => pair(traffic?.gapMs)],
];

/** Median / worst in the columns with two numbers. */
export function table(summaries: readonly Summary[]): string {
  const hasTraffic = summaries.some(({ traffic }) => traffic !== undefined);
  const columns = hasTraffic ? [...COLUMNS, ...TRAFFIC_COLUMNS] : COLUMNS;
  const rows = [
    columns.map(([title]) => title),
    ...summaries.map((s) => columns.map(([, cell]) => cell(s))),
  ];
  const widths = columns.map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function pair(value: Spread | undefined): string {
  return value === undefined ? '-' : `${format(value.median)} / ${format(value.worst)}`;
}

function format(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(value < 100 ? 1 : 0);
}

function signed(value: number): string {
  return value < 0 ? String(value) : `+${value}`;
}
