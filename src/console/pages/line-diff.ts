/**
 * Differences between texts by line, and the joining of two people's changes. Pure.
 *
 * Common beginning and end are cut off first; what lies between is compared by a longest common subsequence, bounded: a middle
 * of more than a few thousand lines on both sides counts as replaced as a whole. Rejected: a diff library; this is what
 * a form's change needs, and the director makes the diff that counts.
 *
 * Source of the three-way rule: diff3, Khanna, Kunal, Pierce, "A Formal Investigation of Diff3" (2007).
 */

/** Lines `from` to `to` (exclusive) of the old text become `lines`. */
export type Change = {
  readonly from: number;
  readonly to: number;
  readonly lines: readonly string[];
};

/** Cells of the table of common subsequences; above that a middle is replaced whole. */
const MOST_CELLS = 4_000_000;

export function changesBetween(before: string, after: string): readonly Change[] {
  const [a, b] = [before.split('\n'), after.split('\n')];
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let end = 0;
  while (end < Math.min(a.length, b.length) - start && a.at(-1 - end) === b.at(-1 - end)) end++;
  const [middleA, middleB] = [a.slice(start, a.length - end), b.slice(start, b.length - end)];
  if (middleA.length === 0 && middleB.length === 0) return [];
  if (middleA.length * middleB.length > MOST_CELLS || middleA.length * middleB.length === 0) {
    return [{ from: start, to: start + middleA.length, lines: middleB }];
  }
  return changesOfMiddle(middleA, middleB, start);
}

function changesOfMiddle(
  a: readonly string[],
  b: readonly string[],
  offset: number,
): readonly Change[] {
  const width = b.length + 1;
  const common = new Uint16Array((a.length + 1) * width);
  const at = (row: number, column: number): number => common[row * width + column] ?? 0;
  for (let row = a.length - 1; row >= 0; row--) {
    for (let column = b.length - 1; column >= 0; column--) {
      common[row * width + column] =
        a[row] === b[column]
          ? at(row + 1, column + 1) + 1
          : Math.max(at(row + 1, column), at(row, column + 1));
    }
  }
  const changes: Change[] = [];
  let [row, column] = [0, 0];
  while (row < a.length || column < b.length) {
    const isSame = row < a.length && column < b.length && a[row] === b[column];
    if (isSame) {
      row++;
      column++;
      continue;
    }
    const [fromRow, fromColumn] = [row, column];
    while ((row < a.length || column < b.length) && !(row < a.length && a[row] === b[column])) {
      const isRemoval =
        column >= b.length || (row < a.length && at(row + 1, column) >= at(row, column + 1));
      if (isRemoval) row++;
      else column++;
    }
    changes.push({ from: offset + fromRow, to: offset + row, lines: b.slice(fromColumn, column) });
  }
  return changes;
}

/** As unified rows with up to `context` lines around each change. */
export function unifiedText(before: string, after: string, context = 2): string {
  const a = before.split('\n');
  const out: string[] = [];
  let shown = 0;
  for (const { from, to, lines } of changesBetween(before, after)) {
    const start = Math.max(shown, from - context);
    if (start > shown || out.length === 0) out.push(`@@ line ${start + 1} @@`);
    out.push(...a.slice(start, from).map((line) => ` ${line}`));
    out.push(...a.slice(from, to).map((line) => `-${line}`), ...lines.map((line) => `+${line}`));
    shown = Math.min(a.length, to + context);
    out.push(...a.slice(to, shown).map((line) => ` ${line}`));
  }
  return out.join('\n');
}

/**
 * Both changes in one text; undefined when they touch the same or neighbouring lines and a person has to decide. Lines that
 * both only added at one place are kept one after the other: the order of directives means nothing in an lvs.cf, and one that
 * stands there twice is told by the check.
 */
export function mergeTexts(base: string, mine: string, theirs: string): string | undefined {
  const [ours, others] = [changesBetween(base, mine), changesBetween(base, theirs)];
  const isApart = (a: Change, b: Change): boolean =>
    a.to < b.from || b.to < a.from || (isAddition(a) && isAddition(b));
  const clash = ours.some((a) =>
    others.some((b) => !isApart(a, b) && !(isSameChange(a, b) && a.from === b.from)),
  );
  if (clash) return undefined;
  const fresh = ours.filter((a) => !others.some((b) => isSameChange(a, b)));
  const lines = base.split('\n');
  for (const { from, to, lines: put } of [...fresh, ...others].toSorted(
    (a, b) => b.from - a.from,
  )) {
    lines.splice(from, to - from, ...put);
  }
  return lines.join('\n');
}

function isAddition({ from, to }: Change): boolean {
  return from === to;
}

function isSameChange(a: Change, b: Change): boolean {
  return a.from === b.from && a.to === b.to && a.lines.join('\n') === b.lines.join('\n');
}
