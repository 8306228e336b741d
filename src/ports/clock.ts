/** The clock of the director: CLOCK_BOOTTIME (base/time.ts says why). Source: clock_gettime(2). */
import { type Instant, instant } from '../base/index.ts';
import { CLOCK_BOOTTIME } from './linux.ts';
import { native } from './native.ts';
import type { Clock } from './types.ts';

export class BootClock implements Clock {
  readonly #native = native();

  now(): Instant {
    return instant(this.#native.clock(CLOCK_BOOTTIME));
  }
}
