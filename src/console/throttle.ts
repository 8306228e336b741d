/**
 * Throttle: how often something may be tried, by whom. Each key (an address, a user) has a bucket of attempts that fills
 * again at a steady pace. An attempt is paid for before it is made, so that a hundred at once are a hundred; one that
 * succeeds is paid back.
 *
 * The table is bounded: when it is full, who was seen longest ago is forgotten. So there is one bucket for each address
 * *and* one for each user, and a crowd of addresses empties the latter.
 */
import type { Milliseconds } from '../base/index.ts';

export type ThrottleLimits = {
  /** Attempts at once. */
  readonly burst: number;
  /** One more each. */
  readonly everyMs: Milliseconds;
  /** Keys remembered. */
  readonly size: number;
};

type Bucket = { readonly left: number; readonly at: number };

export class Throttle {
  readonly #limits: ThrottleLimits;
  /** In the order in which they were last used. */
  readonly #buckets = new Map<string, Bucket>();

  constructor(limits: ThrottleLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#buckets.size;
  }

  /** Takes one attempt; 0, or how long to wait for the next. `now` is monotonic. */
  take(key: string, now: Milliseconds): Milliseconds {
    const left = this.#left(key, now);
    if (left < 1) return Math.max(1, Math.round((1 - left) * this.#limits.everyMs));
    this.#put(key, { left: left - 1, at: now });
    return 0;
  }

  giveBack(key: string, now: Milliseconds): void {
    this.#put(key, { left: Math.min(this.#limits.burst, this.#left(key, now) + 1), at: now });
  }

  #left(key: string, now: Milliseconds): number {
    const bucket = this.#buckets.get(key);
    if (bucket === undefined) return this.#limits.burst;
    const grown = (now - bucket.at) / this.#limits.everyMs;
    return Math.min(this.#limits.burst, bucket.left + grown);
  }

  #put(key: string, bucket: Bucket): void {
    this.#buckets.delete(key);
    if (bucket.left < this.#limits.burst) this.#buckets.set(key, bucket);
    if (this.#buckets.size <= this.#limits.size) return;
    const [oldest] = this.#buckets.keys();
    if (oldest !== undefined) this.#buckets.delete(oldest);
  }
}

/** Whose attempt it is: an IPv4 address, or the /64 that one IPv6 subscriber has to himself. */
export function addressKey(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');
  if (!plain.includes(':')) return plain;
  const [head = '', tail] = plain.split('::', 2);
  const front = head === '' ? [] : head.split(':');
  const back = tail === undefined || tail === '' ? [] : tail.split(':');
  const gap = Math.max(0, 8 - front.length - back.length);
  const groups = [...front, ...Array.from({ length: gap }, () => '0'), ...back];
  return `${groups.slice(0, 4).join(':')}::/64`;
}
