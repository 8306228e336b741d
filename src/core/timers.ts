/**
 * What follows from keepalive and deadtime: the renewal, the lease, the settling of a claim. One place for the daemon, its
 * refusals, the console's timeline and the rehearsal.
 *
 * The longest safe lease has ended when the partner, having lost the last heartbeat before our freeze, raises the VIPs. It
 * is as long as that, because deadtime minus lease is the outage of a freeze.
 */
import type { Milliseconds } from '../base/index.ts';
import type { Settings } from '../model/index.ts';

export type PairTimers = Pick<Settings, 'keepaliveMs' | 'deadtimeMs'>;

/** Half a claim's time for each way and back on a LAN, with room for a scheduler. */
export const SETTLE_MS: Milliseconds = 20;
/** Jitter of the renewal, and one jiffy of the slowest kernel (HZ=100). */
const LEASE_MARGIN_MS: Milliseconds = 20;
/** A kernel ends a lease early by up to one. */
const JIFFY_MS: Milliseconds = 10;
/** Twice 500 ppm, the rate by which two clocks may differ. */
const CLOCK_RATE = 0.001;

/** The interval of the extended dialect, at which heartbeats are sent and the lease is extended. */
export function renewalMs({ keepaliveMs, deadtimeMs }: PairTimers): Milliseconds {
  return Math.min(keepaliveMs, deadtimeMs / 6);
}

export function longestLeaseMs(timers: PairTimers): Milliseconds {
  const { deadtimeMs } = timers;
  return Math.floor(deadtimeMs - renewalMs(timers) - LEASE_MARGIN_MS - CLOCK_RATE * deadtimeMs);
}

/** One late tick must not end it. */
export function shortestLeaseMs(timers: PairTimers): Milliseconds {
  return Math.ceil(2 * renewalMs(timers)) + JIFFY_MS;
}
