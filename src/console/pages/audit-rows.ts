/**
 * The audit of both nodes as one list on one clock: who asked for what, from where, what came of it. Pure.
 *
 * One clock: this machine's. A status document says since when something holds and for how long, and so what its machine's
 * clock showed when it was told; the partner's times are moved by what the two clocks differ.
 */
import type { AuditEntry, StatusDocument } from './documents.ts';
import { ageText } from './words.ts';

export type AuditRow = {
  readonly key: string;
  /** By this machine's clock. */
  readonly wallMs: number;
  /** Whose audit it stands in. */
  readonly node: string;
  readonly entry: AuditEntry;
};

export type AuditPart = {
  readonly node: string;
  readonly entries: readonly AuditEntry[];
  /** How far this node's clock is ahead of this machine's. */
  readonly aheadMs: number;
};

/** What the clock of a director showed when it said this. */
export function clockOf({ since, sinceMs }: Pick<StatusDocument, 'since' | 'sinceMs'>): number {
  return Date.parse(since) + sinceMs;
}

/** Newest first. */
export function auditRows(parts: readonly AuditPart[]): readonly AuditRow[] {
  const rows = parts.flatMap(({ node, entries, aheadMs }) =>
    entries.map((entry, index) => ({
      // Two entries of one node may be of the same millisecond; their place in the chain tells them apart.
      key: `${node} ${entry.previous} ${index}`,
      wallMs: Date.parse(entry.at) - aheadMs,
      node,
      entry,
    })),
  );
  // Each node's own order stands: entries come oldest first, and the sort keeps what is equal in place.
  return rows.toReversed().sort((a, b) => b.wallMs - a.wallMs);
}

export type AuditFilter = { readonly words: string; readonly isRefusedOnly: boolean };

export function fittingRows(
  rows: readonly AuditRow[],
  { words, isRefusedOnly }: AuditFilter,
): readonly AuditRow[] {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  return rows.filter(({ node, entry }) => {
    if (isRefusedOnly && entry.result === 'done') return false;
    const { who, from, action, reason = '', result, detail } = entry;
    const text = [node, who, from, action, reason, result, detail].join(' ').toLowerCase();
    return wanted.every((word) => text.includes(word));
  });
}

/** As the director wrote them, each with its node: a line of JSON for each, oldest first. */
export function auditLines(rows: readonly AuditRow[]): string {
  const lines = rows.toReversed().map(({ node, entry }) => JSON.stringify({ node, ...entry }));
  return lines.map((line) => `${line}\n`).join('');
}

/** What was asked, without its brackets: `web/r1, drain, for 30 min`; and what came of it. */
export function detailText(detail: string): string {
  const [asked = '', ...outcome] = detail.split(' -> ');
  return [askedText(asked), ...outcome].filter((part) => part !== '').join(' → ');
}

function askedText(asked: string): string {
  if (!asked.startsWith('{')) return asked;
  try {
    const value: unknown = JSON.parse(asked);
    return Object.entries(Object(value))
      .map(([name, it]) => {
        if (name === 'forMs' || name === 'confirmMs') return `for ${ageText(Number(it))}`;
        if (typeof it === 'boolean') return switchText(name, it);
        return typeof it === 'string' ? it : `${name} ${String(it)}`;
      })
      .join(', ');
  } catch {
    return asked; // cut off in the middle: as it is
  }
}

/** A change on both nodes is confirmed by half a confirmation on each. */
function switchText(name: string, isSet: boolean): string {
  const words =
    name === 'isBoth' ? 'both nodes' : name === 'isHalf' ? 'the half of this node' : name;
  return isSet ? words : `not ${words}`;
}

/** `POST /v1/config/apply` -> `config apply`. */
export function actionText(action: string): string {
  return action.replace(/^[A-Z]+ \/v1\//, '').replaceAll('/', ' ');
}
