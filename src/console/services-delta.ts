/**
 * What changed between two services documents, by virtual service. With ten thousand real servers a document is
 * megabytes, and most of it stands still; ages do not count as change, since a page counts them on by itself.
 *
 * Rejected: a general JSON patch. Rows have a key and an order that rarely changes; when it does, all is sent again.
 */

export type ServicesChange =
  | { readonly kind: 'none' }
  /** JSON of the document. */
  | { readonly kind: 'all'; readonly text: string }
  /** JSON of the rows that differ, and of everything beside the rows. */
  | { readonly kind: 'rows'; readonly rows: readonly string[]; readonly rest: string };

const AGES = /"(?:sinceMs|leftMs)":[\d.]+,?/g;

export class ServicesMemory {
  #rows: ReadonlyMap<string, string> | undefined;
  #rest = '';

  /** Undefined: this is no services document; the one after it is shown as a whole. */
  next(text: string): ServicesChange | undefined {
    const document = parse(text);
    const before = this.#rows;
    this.#rows = undefined;
    if (document === undefined) return undefined;
    const { services, rest } = document;
    const rows = new Map<string, string>();
    const changed: string[] = [];
    for (const row of services) {
      const full = JSON.stringify(row);
      const still = full.replace(AGES, '');
      const key = keyOf(row);
      if (before?.get(key) !== still) changed.push(full);
      rows.set(key, still);
    }
    const isSameList = rows.size === services.length && sameKeys(rows, before);
    const restStill = rest.replace(AGES, '');
    const isSameRest = restStill === this.#rest;
    this.#rows = rows;
    this.#rest = restStill;
    if (!isSameList) return { kind: 'all', text };
    if (changed.length === 0 && isSameRest) return { kind: 'none' };
    return { kind: 'rows', rows: changed, rest };
  }
}

function parse(
  text: string,
): { readonly services: readonly object[]; readonly rest: string } | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || !('services' in value)) return undefined;
  const { services, ...rest } = value;
  if (!Array.isArray(services)) return undefined;
  const rows = services.filter((row: unknown) => typeof row === 'object' && row !== null);
  return { services: rows, rest: JSON.stringify(rest) };
}

function keyOf(row: object): string {
  return 'key' in row && typeof row.key === 'string' ? row.key : '';
}

function sameKeys(
  a: ReadonlyMap<string, string>,
  b: ReadonlyMap<string, string> | undefined,
): boolean {
  if (a.size !== b?.size) return false;
  const others = b.keys();
  for (const key of a.keys()) if (others.next().value !== key) return false;
  return true;
}
