/** The flight recordings that lie in the run directory, for those who ask: a list, and each as text. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

export type IncidentRow = {
  /** The file's name without its ending. */
  readonly id: string;
  /** ISO 8601: when it was written, five seconds after the last change of role in it. */
  readonly at: string;
  readonly node: string;
  /** The changes of role in it, in order. */
  readonly roles: readonly {
    readonly from: string;
    readonly to: string;
    readonly reason: string;
  }[];
  readonly bytes: number;
};

const ID = /^\d{8}T\d{6}Z-\d{1,9}$/;

/** By path: a recording does not change once it has its name, and is read once for the list. */
const known = new Map<string, IncidentRow>();

/** Newest first; none when there was no incident. Throws what the file system says. */
export function listIncidents(directory: string): readonly IncidentRow[] {
  if (!existsSync(directory)) return [];
  const names = readdirSync(directory).filter((name) => ID.test(name.replace(/\.jsonl$/, '')));
  const paths = new Set(names.map((name) => join(directory, name)));
  for (const path of known.keys()) if (!paths.has(path)) known.delete(path);
  return names
    .filter((name) => name.endsWith('.jsonl'))
    .flatMap((name) => rowOf(join(directory, name), name.replace(/\.jsonl$/, '')) ?? [])
    .sort((a, b) => b.at.localeCompare(a.at) || b.id.localeCompare(a.id, 'en', { numeric: true }));
}

/** Of all recordings, one that still grows among them. Throws what the file system says. */
export function recordedBytes(directory: string): number {
  if (!existsSync(directory)) return 0;
  const sizes = readdirSync(directory).map((name) => {
    return statSync(join(directory, name), { throwIfNoEntry: false })?.size ?? 0;
  });
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** The whole recording; undefined when there is none of this id, or the id is no id. */
export function readIncident(directory: string, id: string): string | undefined {
  const path = join(directory, `${id}.jsonl`);
  return ID.test(id) && existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}

function rowOf(path: string, id: string): IncidentRow | undefined {
  const found = known.get(path);
  if (found !== undefined) return found;
  const text = readFileSync(path, 'utf8');
  const [header = ''] = text.split('\n', 1);
  const node = /"node":"(\w+)"/.exec(header)?.[1];
  const at = /"writtenAt":"([^"]+)"/.exec(header)?.[1];
  if (node === undefined || at === undefined) return undefined; // not written by a recorder
  const roles = Array.from(text.matchAll(/"role (\w+) -> (\w+) ([a-z-]+)"/g), (match) => {
    const [, from = '', to = '', reason = ''] = match;
    return { from, to, reason };
  });
  const row = { id, at, node, roles, bytes: statSync(path).size };
  known.set(path, row);
  return row;
}
