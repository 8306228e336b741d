/**
 * Waiting: `LinuxPoller` without the event loop (the pulse worker), `watchReadable` with it (the
 * main thread), and `Waker`, by which one of them wakes the other. Source: ppoll(2), eventfd(2).
 *
 * A thread that waits here cannot be ended from outside, not even by `worker.terminate()` or
 * `process.exit()`: wake it first.
 */
import { assert, err, type Milliseconds, ok, type Result } from '../base/index.ts';
import type { PortError } from '../model/index.ts';
import { portError } from './errno.ts';
import { CLOCK_MONOTONIC, POLLIN } from './linux.ts';
import { native } from './native.ts';
import type { Poller } from './types.ts';

const EINTR = -4;

export class LinuxPoller implements Poller {
  readonly #native = native();
  #fds = new Int32Array(0);
  #events = new Int32Array(0);

  wait(fds: readonly number[], timeoutMs: Milliseconds): readonly number[] {
    if (this.#fds.length !== fds.length) {
      this.#fds = new Int32Array(fds.length);
      this.#events = new Int32Array(fds.length);
    }
    this.#fds.set(fds);
    const until = this.#native.clock(CLOCK_MONOTONIC) + Math.max(0, timeoutMs);
    let left = Math.max(0, timeoutMs);
    for (;;) {
      this.#events.fill(POLLIN);
      const ready = this.#native.ppoll(this.#fds, this.#events, left);
      if (ready === 0) return [];
      if (ready > 0) return fds.filter((_, index) => this.#events[index] !== 0);
      // The kernel refuses only what is our mistake: too many descriptors, no memory for eight
      // bytes each.
      assert(ready === EINTR, `ppoll of ${fds.length} descriptors: ${ready}`);
      left = Math.max(0, until - this.#native.clock(CLOCK_MONOTONIC));
    }
  }
}

/** A counter that any thread of this process may raise; `fd` is readable until `drain`. */
export type Waker = {
  readonly fd: number;
  wake(): void;
  /** True when somebody woke us since the last time. */
  drain(): boolean;
  close(): void;
};

/** Opens an eventfd; another thread reaches it by `wakerOf(fd)`. */
export function openWaker(): Result<Waker, PortError> {
  const fd = native().eventfd();
  return fd < 0 ? err(portError('eventfd', 'waker', fd)) : ok(wakerOf(fd));
}

/** The waker of a descriptor that another thread opened. One of them closes it. */
export function wakerOf(fd: number): Waker {
  const kernel = native();
  return {
    fd,
    wake: () => {
      kernel.eventfdWrite(fd, 1);
    },
    drain: () => kernel.eventfdRead(fd) > 0,
    close: () => {
      kernel.close(fd);
    },
  };
}

/**
 * Calls `onReadable` in the event loop while `fd` is readable (level-triggered: drain it there).
 * `stop` before the descriptor is closed. An error of the descriptor shows when it is read.
 */
export function watchReadable(
  fd: number,
  onReadable: () => void,
): Result<{ stop(): void }, PortError> {
  const kernel = native();
  const watcher = kernel.watch(fd, onReadable);
  return typeof watcher === 'number'
    ? err(portError('watch', `descriptor ${fd}`, watcher))
    : ok({ stop: () => kernel.unwatch(watcher) });
}
