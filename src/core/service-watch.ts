/**
 * The watch over one failover service (`service = fos`): a row of verdicts, and the one that ends it.
 *
 * Once seen up, the first failure ends it; never seen up, a failure one interval after the first one: a service that is
 * just being started has that long. Source: piranha 0.8.6, monitors of fos.
 */
import { elapsedMs, type Instant, type Milliseconds } from '../base/index.ts';

export type ServiceWatch = {
  readonly wasUp: boolean;
  /** Of a service that was never up. */
  readonly firstFailureAt?: Instant;
};

export const NOTHING_SEEN: ServiceWatch = { wasUp: false };

export type Seen = {
  readonly now: Instant;
  readonly isUp: boolean;
  /** Between two probes of it. */
  readonly intervalMs: Milliseconds;
};

/** Undefined: the service has failed. */
export function watchService(watch: ServiceWatch, seen: Seen): ServiceWatch | undefined {
  const { now, isUp, intervalMs } = seen;
  if (isUp) return { wasUp: true };
  if (watch.wasUp) return undefined;
  const { firstFailureAt = now } = watch;
  const isSecond = elapsedMs(firstFailureAt, now) >= intervalMs * NEARLY;
  return isSecond ? undefined : { wasUp: false, firstFailureAt };
}

/** A probe may begin a little before its time is round, and the first of a check is early. */
const NEARLY = 0.9;
