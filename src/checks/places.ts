/**
 * Places for probes of one kind, and the two lines before them.
 *
 * Who has no place waits, in order. Those whose last probe ran into its limit stand in a line of their own with half of
 * the places: however many servers hang, the others are probed on time.
 */
import type { Instant } from '../base/index.ts';

type Guest = {
  readonly dueAt: Instant;
  /** Its last probe ran into its limit. */
  readonly isSlow: boolean;
};

export class Places<G extends Guest> {
  readonly #most: number;
  readonly #mostSlow: number;
  /** Insertion order is the order of the line. */
  readonly #line = new Set<G>();
  readonly #slowLine = new Set<G>();
  #taken = 0;
  #slowTaken = 0;

  constructor(most: number) {
    this.#most = most;
    this.#mostSlow = Math.max(1, most >> 1);
  }

  get taken(): number {
    return this.#taken;
  }

  get waiting(): number {
    return this.#line.size + this.#slowLine.size;
  }

  queue(guest: G): void {
    (guest.isSlow ? this.#slowLine : this.#line).add(guest);
  }

  unqueue(guest: G): void {
    this.#line.delete(guest);
    this.#slowLine.delete(guest);
  }

  /** Takes a place for whoever is next; the function, called once, gives it back. Undefined: nobody waits, or all are taken. */
  enter(): { readonly guest: G; readonly leave: () => void } | undefined {
    if (this.#taken >= this.#most) return undefined;
    const [first] = this.#line;
    const [slow] = this.#slowTaken < this.#mostSlow ? this.#slowLine : [];
    const isSlowFirst = slow !== undefined && (first === undefined || slow.dueAt < first.dueAt);
    const guest = isSlowFirst ? slow : first;
    if (guest === undefined) return undefined;
    this.unqueue(guest);
    const slowPlaces = isSlowFirst ? 1 : 0;
    this.#taken++;
    this.#slowTaken += slowPlaces;
    const leave = () => {
      this.#taken--;
      this.#slowTaken -= slowPlaces;
    };
    return { guest, leave };
  }
}
