/**
 * What is counted for metrics beside the status' counters: plain numbers that are cheap to keep and to copy.
 *
 * The worker keeps a few histograms with fixed buckets: an observation is a short loop over an array and allocates nothing.
 * They travel to main inside each snapshot; names, labels and text are made by whoever renders them (src/api).
 * Rejected: a metrics library inside the worker, which hashes labels and allocates for every observation.
 */
import { elapsedMs, type Instant, type Milliseconds } from '../base/index.ts';
import type { DropReason } from '../core/index.ts';
import type { PathName } from '../model/index.ts';
import { sequenceOf } from '../wire/index.ts';

/** A histogram: `counts[i]` observations of at most `bounds[i]`; the last count is of those above all bounds. */
export type Buckets = {
  readonly bounds: readonly number[];
  readonly counts: number[];
  sum: number;
};

export function bucketsOf(bounds: readonly number[]): Buckets {
  return { bounds, counts: new Array<number>(bounds.length + 1).fill(0), sum: 0 };
}

export function observe(buckets: Buckets, value: number): void {
  const { bounds, counts } = buckets;
  let index = 0;
  while (index < bounds.length && value > (bounds[index] ?? 0)) index++;
  counts[index] = (counts[index] ?? 0) + 1;
  buckets.sum += value;
}

/** Milliseconds. Around deadtimes people use (0.3 s to a minute). */
const GAP_MS = [50, 100, 250, 500, 1000, 2000, 3000, 5000, 10_000, 30_000, 60_000];
/** Milliseconds: a cable, a keepalive. */
const ECHO_MS = [0.5, 1, 2, 5, 10, 20, 50, 100, 250, 500, 1000, 2500, 10_000];
/** Milliseconds. A healthy worker stays in the first two. */
const LATE_MS = [0.5, 1, 2, 5, 10, 20, 50, 100, 250, 500, 1000];
/** Milliseconds. Main may pause; half a minute of it is a fault. */
const STALL_MS = [5, 10, 25, 50, 100, 250, 500, 1000, 5000, 30_000];
/** Milliseconds: one address, ten thousand addresses. */
const CONVERGE_MS = [1, 5, 10, 50, 100, 500, 1000, 5000];
/** A share: 1 = renewed on time, 0 = it had lapsed. */
const MARGIN = [0.1, 0.25, 0.5, 0.75, 0.9, 1];
/** Milliseconds from an announcement to its first proof. */
const VERIFICATION_MS = [10, 30, 100, 300, 1000, 3000, 10_000, 30_000];
/** Milliseconds: a probe on a LAN, and the longest limits. */
const CHECK_MS = [1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 10_000, 30_000];

export const verificationBuckets = () => bucketsOf(VERIFICATION_MS);
export const stallBuckets = () => bucketsOf(STALL_MS);
export const checkBuckets = () => bucketsOf(CHECK_MS);

/** The worker's. */
export type PulseMeters = {
  /** How long after its deadline the core was woken, ms. */
  readonly lateness: Buckets;
  /** From a wish to a kernel that holds it, ms. */
  readonly converge: Buckets;
  convergeFailures: number;
  /** Time left in the lease when it was renewed, as a share of what is left when all is on time, 0 to 1. */
  readonly leaseMargin: Buckets;
  /** Renewals that came too late. */
  leaseExpirations: number;
  /** Between two valid heartbeats of the partner, ms. */
  readonly gap: { readonly [path in PathName]: Buckets };
  /** Holes in the partner's sequence. The legacy dialect has none to see. */
  readonly lost: { [path in PathName]: number };
  /** From one of our heartbeats to the first of the partner's that says it was heard, ms. Not in the legacy dialect. */
  readonly echo: { readonly [path in PathName]: Buckets };
  readonly dropped: { readonly [path in PathName]: Map<DropReason, number> };
  /** Frames sent. */
  readonly announced: { [form in AnnouncedForm]: number };
};

/** ARP of either form, and the neighbour advertisement of IPv6. */
export const ANNOUNCED_FORMS = ['reply', 'request', 'advertisement'] as const;
export type AnnouncedForm = (typeof ANNOUNCED_FORMS)[number];

export function zeroMeters(): PulseMeters {
  return {
    lateness: bucketsOf(LATE_MS),
    converge: bucketsOf(CONVERGE_MS),
    convergeFailures: 0,
    leaseMargin: bucketsOf(MARGIN),
    leaseExpirations: 0,
    gap: { public: bucketsOf(GAP_MS), private: bucketsOf(GAP_MS) },
    lost: { public: 0, private: 0 },
    echo: { public: bucketsOf(ECHO_MS), private: bucketsOf(ECHO_MS) },
    dropped: { public: new Map(), private: new Map() },
    announced: { reply: 0, request: 0, advertisement: 0 },
  };
}

/** What a lease had left, `intervalMs` after its last renewal if all was on time. */
export function observeRenewal(
  meters: PulseMeters,
  lease: { readonly remainingMs: Milliseconds; readonly lengthMs: Milliseconds },
  intervalMs: Milliseconds,
): void {
  const full = lease.lengthMs - intervalMs;
  if (full <= 0) return;
  observe(meters.leaseMargin, Math.min(1, Math.max(0, lease.remainingMs / full)));
}

type Place = {
  heardAt: Instant | undefined;
  incarnation: number;
  sequence: number;
  /** Of ours, the highest that came back. */
  echoed: number;
};

/** Moments of sending that are remembered: an echo that comes later is told by the silence before it. */
const KEPT_SENT = 256;

/** Follows the partner's heartbeats on each path by themselves; which of two paths was first does not matter to it. */
export class PathMeter {
  readonly #meters: PulseMeters;
  readonly #places: { readonly [path in PathName]: Place };
  /** When each of our last heartbeats left first, by its number, with the life it belongs to. */
  readonly #sent = new Map<number, Instant>();
  #ownIncarnation = 0;

  constructor(meters: PulseMeters) {
    const place = (): Place => ({ heardAt: undefined, incarnation: 0, sequence: 0, echoed: -1 });
    this.#meters = meters;
    this.#places = { public: place(), private: place() };
  }

  /** One of ours left, by whichever path. */
  send(now: Instant, bytes: Uint8Array): void {
    const mark = sequenceOf(bytes);
    if (mark === undefined || this.#sent.has(mark.sequence)) return;
    this.#ownIncarnation = mark.incarnation;
    this.#sent.set(mark.sequence, now);
    this.#sent.delete(mark.sequence - KEPT_SENT);
  }

  /**
   * What the core has judged. False: it is no heartbeat of the partner, or brings nothing new on this path, since somebody
   * sends old ones again. One that the core has had by the other path is new on this one.
   */
  hear(path: PathName, now: Instant, bytes: Uint8Array, drop: DropReason | undefined): boolean {
    const place = this.#places[path];
    const isRepeat = drop === 'duplicate';
    if (drop !== undefined) {
      const dropped = this.#meters.dropped[path];
      dropped.set(drop, (dropped.get(drop) ?? 0) + 1);
    }
    if (drop !== undefined && !isRepeat) return false;
    const mark = sequenceOf(bytes);
    if (mark !== undefined) {
      const isSameLife = mark.incarnation === place.incarnation;
      if (isRepeat && isSameLife && mark.sequence <= place.sequence) return false;
      if (isSameLife) this.#meters.lost[path] += Math.max(0, mark.sequence - place.sequence - 1);
      place.incarnation = mark.incarnation;
      place.sequence = mark.sequence;
      this.#echoed(path, place, mark.echo, now);
    }
    if (place.heardAt !== undefined) observe(this.#meters.gap[path], elapsedMs(place.heardAt, now));
    place.heardAt = now;
    return true;
  }

  #echoed(
    path: PathName,
    place: Place,
    echo: { readonly incarnation: number; readonly sequence: number },
    now: Instant,
  ): void {
    if (echo.incarnation !== this.#ownIncarnation || echo.sequence <= place.echoed) return;
    const sentAt = this.#sent.get(echo.sequence);
    if (sentAt === undefined) return;
    place.echoed = echo.sequence;
    observe(this.#meters.echo[path], elapsedMs(sentAt, now));
  }
}
