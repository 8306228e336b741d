/**
 * Is main alive? The worker's side of the health lease.
 *
 * Main counts up in shared memory. The lease has run out when the count has not moved for `limitMs` of *this
 * thread's own running time*: while the whole process is frozen both stand still, and the first to wake must not
 * blame the other. Hence a gap between two looks counts for at most a second. Rejected: a time stamp written by
 * main, by which a thawed worker always finds main long dead.
 */
import { elapsedMs, type Instant, type Milliseconds } from '../base/index.ts';

/** The worker looks at least twice a second. */
const LONGEST_COUNTED_GAP_MS: Milliseconds = 1000;
/** Long: the kernel serves without main, only checks stand still. Seen: 5 s without the processor on a full machine. */
export const MAIN_LEASE_MS: Milliseconds = 30_000;

export class MainWatch {
  readonly #limitMs: Milliseconds;
  #beats: number;
  #lookedAt: Instant;
  #stuckMs: Milliseconds = 0;

  constructor(now: Instant, beats: number, limitMs: Milliseconds = MAIN_LEASE_MS) {
    this.#limitMs = limitMs;
    this.#beats = beats;
    this.#lookedAt = now;
  }

  /** True while main is wedged. */
  look(now: Instant, beats: number): boolean {
    const gap = Math.min(elapsedMs(this.#lookedAt, now), LONGEST_COUNTED_GAP_MS);
    this.#stuckMs = beats === this.#beats ? this.#stuckMs + gap : 0;
    this.#beats = beats;
    this.#lookedAt = now;
    return this.#stuckMs >= this.#limitMs;
  }
}
