/**
 * Time as data. The core never reads a clock: every input carries an Instant.
 *
 * An Instant is milliseconds (fractions allowed) on CLOCK_BOOTTIME: it never steps with the wall clock, and it
 * counts a suspend, so that a director which slept notices that it is late. Durations are plain numbers whose
 * names end in `Ms`.
 */
declare const instantBrand: unique symbol;
export type Instant = number & { readonly [instantBrand]: true };
export type Milliseconds = number;

/** Gives the Instant that lies `ms` milliseconds after the epoch of its clock. */
export function instant(ms: Milliseconds): Instant {
  return ms as Instant;
}

/** The Instant `ms` after `at`; `ms` may be negative. */
export function after(at: Instant, ms: Milliseconds): Instant {
  return (at + ms) as Instant;
}

/** Milliseconds from `earlier` to `later`; negative when they are the other way round. */
export function elapsedMs(earlier: Instant, later: Instant): Milliseconds {
  return later - earlier;
}

/** The sooner of the deadlines that exist; undefined when none does. */
export function earliest(...deadlines: readonly (Instant | undefined)[]): Instant | undefined {
  let first: Instant | undefined;
  for (const deadline of deadlines) {
    if (deadline !== undefined && (first === undefined || deadline < first)) first = deadline;
  }
  return first;
}

/** The sooner of two deadlines. */
export function sooner(a: Instant, b: Instant): Instant {
  return a < b ? a : b;
}

/** The later of two deadlines. */
export function later(a: Instant, b: Instant): Instant {
  return a > b ? a : b;
}
