/** The incidents of two flight recorders as one list: what lies close together in time is one, seen from both sides. Pure. */
import type { Incident } from './documents.ts';

export type IncidentRow = {
  readonly key: string;
  readonly at: string;
  /** `primary`, `backup`, `both`. */
  readonly nodes: string;
  readonly what: string;
  readonly local?: Incident;
  readonly partner?: Incident;
};

/** Two nodes notice the same thing at most a deadtime and its announcements apart. */
const TOGETHER_MS = 15_000;

/** Newest first. */
export function incidentRows(
  local: readonly Incident[],
  partner: readonly Incident[],
): readonly IncidentRow[] {
  const free = new Set(partner);
  const rows: IncidentRow[] = [];
  for (const incident of local) {
    const match = nearest(incident, free);
    if (match !== undefined) free.delete(match);
    rows.push(rowOf(incident, match));
  }
  for (const incident of free) rows.push(rowOf(undefined, incident));
  return rows.toSorted((a, b) => b.at.localeCompare(a.at));
}

function nearest(to: Incident, among: ReadonlySet<Incident>): Incident | undefined {
  let best: Incident | undefined;
  let bestMs = TOGETHER_MS;
  for (const candidate of among) {
    const apartMs = Math.abs(Date.parse(candidate.at) - Date.parse(to.at));
    if (apartMs < bestMs) [best, bestMs] = [candidate, apartMs];
  }
  return best;
}

function rowOf(local: Incident | undefined, partner: Incident | undefined): IncidentRow {
  const both = [local, partner].filter((it) => it !== undefined);
  const [first] = both;
  const said = both.map(wordsOf).filter((words) => words !== '');
  return {
    key: both.map(({ id }) => id).join('+'),
    at: both.map(({ at }) => at).sort()[0] ?? '',
    nodes: both.length > 1 ? 'both' : (first?.node ?? ''),
    what: said.length === 0 ? 'change of role' : [...new Set(said)].join('; '),
    ...(local !== undefined && { local }),
    ...(partner !== undefined && { partner }),
  };
}

/** The roles it went through, the reason of the last. */
function wordsOf({ node, roles }: Incident): string {
  const last = roles.at(-1);
  return last === undefined ? '' : `${node} ${last.to} (${last.reason})`;
}
