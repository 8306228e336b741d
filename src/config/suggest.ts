/**
 * "did you mean": the known word nearest to a mistyped one, by optimal string alignment distance (insertions,
 * deletions, substitutions, neighbours swapped: what fingers do).
 */

/**
 * The nearest of `words` within a third of its length (at most 3 edits), or the only one that begins so; undefined
 * when nothing is near.
 */
export function nearest(typed: string, words: readonly string[]): string | undefined {
  if (typed.length > 40) return undefined;
  const [longer, ...others] = words.filter((word) => typed.length > 2 && word.startsWith(typed));
  if (longer !== undefined && others.length === 0) return longer;
  const lower = typed.toLowerCase();
  let best: string | undefined;
  let bestDistance = Math.min(3, Math.max(1, Math.floor(typed.length / 3))) + 1;
  for (const word of words) {
    if (Math.abs(word.length - typed.length) >= bestDistance) continue;
    const distance = editDistance(lower, word);
    if (distance < bestDistance) {
      best = word;
      bestDistance = distance;
    }
  }
  return best;
}

/** Optimal string alignment distance of two short texts. */
export function editDistance(a: string, b: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const isSame = a[row - 1] === b[column - 1];
      let cost = Math.min(
        (previous[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (previous[column - 1] ?? 0) + (isSame ? 0 : 1),
      );
      if (a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1] && column > 1 && row > 1) {
        cost = Math.min(cost, (beforePrevious[column - 2] ?? 0) + 1);
      }
      current.push(cost);
    }
    beforePrevious = previous;
    previous = current;
  }
  return previous[b.length] ?? 0;
}
