/**
 * A trace as lanes over time: what each director was, whom the router believed, and where nobody answered. The picture above the
 * two-column diagram, read in three seconds. Pure; drawn by lanes-view.tsx.
 */
import type { Node } from '../../model/index.ts';
import type { TraceRecord } from '../../sim/index.ts';

export type Span = {
  readonly fromMs: number;
  readonly toMs: number;
  /** `active`, `standby`, `claim`, `fault`, `frozen`, `paused`, `off`, ...; of the router a node or `nobody`. */
  readonly what: string;
};
export type Moment = { readonly atMs: number; readonly text: string };

export type Lanes = {
  readonly fromMs: number;
  readonly toMs: number;
  readonly primary: readonly Span[];
  readonly backup: readonly Span[];
  readonly router: readonly Span[];
  readonly moments: readonly Moment[];
};

/** Words of an event that last until the next one of that machine. */
const CONDITIONS: ReadonlyMap<string, string> = new Map([
  ['frozen', 'frozen'],
  ['frozen in the middle of a turn', 'frozen'],
  ['paused and cut off', 'paused'],
  ['killed, addresses stay', 'killed'],
  ['killed in the middle of a turn', 'killed'],
  ['power off', 'off'],
  ['ended', 'stopped'],
  ['active', 'active'],
  ['standby', 'standby'],
]);
const WAKES: ReadonlySet<string> = new Set(['wakes', 'resumes']);

/** A quiet end of the trace is cut: what happened in the first half of it is to be seen. */
const AFTERMATH = 0.15;

export function lanesOf(trace: readonly TraceRecord[]): Lanes {
  const last = trace.findLast(
    ({ kind }) => kind !== 'send' && kind !== 'hear' && kind !== 'announce',
  );
  const endMs = trace.at(-1)?.at ?? 0;
  const toMs = Math.max(Math.min(endMs, (last?.at ?? 0) * (1 + AFTERMATH) + 200), 1);
  const fromMs = trace[0]?.at ?? 0;
  const first = trace.find(({ kind }) => kind === 'router');
  const owner = (['primary', 'backup'] as const).find(
    (node) => firstRole(trace, node) === 'active',
  );
  // A recording does not say whom the router believed before: the one who was active.
  const before = first?.at !== fromMs && owner !== undefined ? [{ atMs: fromMs, what: owner }] : [];
  const beliefs = trace.flatMap((record) =>
    record.kind === 'router' ? [{ atMs: record.at, what: record.believes }] : [],
  );
  return {
    fromMs,
    toMs,
    primary: machineSpans(trace, 'primary', toMs),
    backup: machineSpans(trace, 'backup', toMs),
    router: spans([...before, ...beliefs], toMs),
    moments: momentsOf(trace),
  };
}

/** What befell the segment; of two things in one instant the first is enough. */
function momentsOf(trace: readonly TraceRecord[]): readonly Moment[] {
  const moments = new Map<number, string>();
  for (const record of trace) {
    const isOne = record.kind === 'event' && record.node === 'segment' && record.at > 0;
    if (isOne && !moments.has(record.at)) moments.set(record.at, record.text);
  }
  return Array.from(moments, ([atMs, text]) => ({ atMs, text }));
}

/** What a recording begins with is not told in it, but to be seen: who says RUNNING is active. */
function firstRole(trace: readonly TraceRecord[], node: Node): string {
  const mine = trace.find(
    (record) =>
      record.node === node &&
      (record.kind === 'send' || record.kind === 'role' || isRoleWord(record)),
  );
  if (mine?.kind === 'send') return mine.word === 'RUNNING' ? 'active' : 'standby';
  return mine?.kind === 'event' ? mine.text : '';
}

function isRoleWord(record: TraceRecord): boolean {
  return record.kind === 'event' && (record.text === 'active' || record.text === 'standby');
}

const WOKE_LATE = /^woke (\d+) ms late$/;

function machineSpans(trace: readonly TraceRecord[], node: Node, toMs: number): readonly Span[] {
  let role = firstRole(trace, node);
  const changes: { readonly atMs: number; readonly what: string }[] = [];
  if (role !== '') changes.push({ atMs: trace[0]?.at ?? 0, what: role });
  for (const record of trace) {
    if (record.node !== node) continue;
    if (record.kind === 'role') {
      role = record.to;
      changes.push({ atMs: record.at, what: role });
    } else if (record.kind === 'event') {
      const condition = CONDITIONS.get(record.text);
      if (condition === 'active' || condition === 'standby') role = condition;
      if (condition !== undefined) changes.push({ atMs: record.at, what: condition });
      else if (WAKES.has(record.text)) changes.push({ atMs: record.at, what: role });
      else if (WOKE_LATE.test(record.text)) {
        // It was frozen, and knows since when; nothing else of it can have happened in between.
        const lateMs = Number(WOKE_LATE.exec(record.text)?.[1]);
        changes.push({ atMs: Math.max(0, record.at - lateMs), what: 'frozen' });
        changes.push({ atMs: record.at, what: role });
      } else if (record.text === 'starts') {
        role = 'standby';
        changes.push({ atMs: record.at, what: role });
      }
    }
  }
  return spans(changes, toMs);
}

function spans(
  changes: readonly { readonly atMs: number; readonly what: string }[],
  toMs: number,
): readonly Span[] {
  return changes
    .map(({ atMs, what }, index) => ({
      fromMs: atMs,
      toMs: Math.min(changes[index + 1]?.atMs ?? toMs, toMs),
      what,
    }))
    .filter((span) => span.toMs > span.fromMs && span.what !== '');
}
