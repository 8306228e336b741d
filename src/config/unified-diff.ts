/**
 * Two texts as a unified diff, as people know it from diff -u: three lines around each change.
 *
 * Myers' greedy algorithm (An O(ND) Difference Algorithm, 1986) on what is left between the common beginning and the
 * common end. Two texts that have little in common would cost the square of their difference: beyond a bound the middle
 * is shown as replaced as a whole, which is what a reader would see anyway.
 */

const CONTEXT = 3;
const MOST_EDITS = 2000;

type Edit = { readonly kind: ' ' | '-' | '+'; readonly text: string };

export type DiffNames = { readonly before: string; readonly after: string };

/** Empty when the texts are equal. */
export function unifiedDiff(before: string, after: string, names: DiffNames): string {
  if (before === after) return '';
  const edits = editsOf(linesOf(before), linesOf(after));
  return [`--- ${names.before}`, `+++ ${names.after}`, ...hunks(edits), ''].join('\n');
}

/** A last line without its end is another line than one with it, and says so as diff does. */
function linesOf(text: string): readonly string[] {
  if (text === '') return [];
  const lines = text.split('\n');
  const last = lines.pop() ?? '';
  return last === '' ? lines : [...lines, `${last}\n\\ No newline at end of file`];
}

function editsOf(a: readonly string[], b: readonly string[]): readonly Edit[] {
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let end = 0;
  while (end < a.length - start && end < b.length - start) {
    if (a[a.length - 1 - end] !== b[b.length - 1 - end]) break;
    end++;
  }
  const same = (lines: readonly string[]): readonly Edit[] =>
    lines.map((text) => ({ kind: ' ', text }));
  return [
    ...same(a.slice(0, start)),
    ...shortest(a.slice(start, a.length - end), b.slice(start, b.length - end)),
    ...same(a.slice(a.length - end)),
  ];
}

/** The shortest script, or everything replaced when it is longer than the bound. */
function shortest(a: readonly string[], b: readonly string[]): readonly Edit[] {
  const most = Math.min(a.length + b.length, MOST_EDITS);
  const size = 2 * most + 3;
  const middle = most + 1;
  const reach = new Int32Array(size);
  const trace: Int32Array[] = [];
  for (let edits = 0; edits <= most; edits++) {
    trace.push(reach.slice(middle - edits - 1, middle + edits + 2));
    for (let diagonal = -edits; diagonal <= edits; diagonal += 2) {
      const left = reach[middle + diagonal - 1] ?? 0;
      const above = reach[middle + diagonal + 1] ?? 0;
      const isDown = diagonal === -edits || (diagonal !== edits && left < above);
      let x = isDown ? above : left + 1;
      while (x < a.length && x - diagonal < b.length && a[x] === b[x - diagonal]) x++;
      reach[middle + diagonal] = x;
      if (x >= a.length && x - diagonal >= b.length) return walkBack(a, b, trace);
    }
  }
  const replaced = (kind: '-' | '+', lines: readonly string[]): readonly Edit[] =>
    lines.map((text) => ({ kind, text }));
  return [...replaced('-', a), ...replaced('+', b)];
}

/** From the end to the beginning, along what each round had reached: `trace[n]` holds diagonals -n-1 to n+1. */
function walkBack(
  a: readonly string[],
  b: readonly string[],
  trace: readonly Int32Array[],
): readonly Edit[] {
  const found: Edit[] = [];
  let x = a.length;
  let y = b.length;
  for (let edits = trace.length - 1; edits >= 0; edits--) {
    const reach = trace[edits];
    const at = (diagonal: number): number => reach?.[diagonal + edits + 1] ?? 0;
    const diagonal = x - y;
    const isDown =
      diagonal === -edits || (diagonal !== edits && at(diagonal - 1) < at(diagonal + 1));
    const from = isDown ? diagonal + 1 : diagonal - 1;
    const fromX = edits === 0 ? 0 : at(from);
    const fromY = edits === 0 ? 0 : fromX - from;
    while (x > fromX && y > fromY) {
      found.push({ kind: ' ', text: a[--x] ?? '' });
      y--;
    }
    if (edits === 0) break;
    if (isDown) found.push({ kind: '+', text: b[--y] ?? '' });
    else found.push({ kind: '-', text: a[--x] ?? '' });
  }
  return found.reverse();
}

function hunks(edits: readonly Edit[]): readonly string[] {
  const lines: string[] = [];
  let [ofBefore, ofAfter] = [1, 1];
  for (let index = 0; index < edits.length; ) {
    const next = edits.findIndex(({ kind }, at) => at >= index && kind !== ' ');
    if (next < 0) break;
    const start = Math.max(index, next - CONTEXT);
    for (; index < start; index++) [ofBefore, ofAfter] = [ofBefore + 1, ofAfter + 1];
    let last = next;
    for (let at = next; at < edits.length && at - last <= 2 * CONTEXT; at++) {
      if (edits[at]?.kind !== ' ') last = at;
    }
    const hunk = edits.slice(start, last + 1 + CONTEXT);
    const before = hunk.filter(({ kind }) => kind !== '+').length;
    const after = hunk.filter(({ kind }) => kind !== '-').length;
    lines.push(`@@ -${range(ofBefore, before)} +${range(ofAfter, after)} @@`);
    for (const { kind, text } of hunk) lines.push(kind + text);
    [ofBefore, ofAfter, index] = [ofBefore + before, ofAfter + after, start + hunk.length];
  }
  return lines;
}

function range(start: number, count: number): string {
  return count === 1 ? `${start}` : `${count === 0 ? start - 1 : start},${count}`;
}
