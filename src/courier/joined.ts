/** Two byte streams joined: what one gives the other gets, counted and slowed down, until either ends or both are silent. */
import type { Socket } from 'node:net';
import { pipeline, Transform, type TransformCallback } from 'node:stream';
import type { Limits } from './limits.ts';

const WINDOW_MS = 100;

/** Passes bytes on, at most so many a second and so many in all. */
class Meter extends Transform {
  readonly #limits: Pick<Limits, 'bytes' | 'rate'>;
  #total = 0;
  #windowAt = performance.now();
  #inWindow = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(limits: Pick<Limits, 'bytes' | 'rate'>) {
    super();
    this.#limits = limits;
  }

  override _transform(chunk: Uint8Array, _encoding: string, done: TransformCallback): void {
    const now = performance.now();
    if (now - this.#windowAt >= WINDOW_MS) {
      this.#windowAt = now;
      this.#inWindow = 0;
    }
    this.#total += chunk.length;
    this.#inWindow += chunk.length;
    if (this.#total > this.#limits.bytes) {
      done(new Error('more bytes than a connection may carry'));
      return;
    }
    const allowed = (this.#limits.rate * WINDOW_MS) / 1000;
    if (this.#inWindow <= allowed) {
      done(undefined, chunk);
      return;
    }
    // Who sent more than a window's worth waits for as many windows.
    const waitMs = (WINDOW_MS * this.#inWindow) / allowed - (now - this.#windowAt);
    this.#timer = setTimeout(() => done(undefined, chunk), waitMs);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    clearTimeout(this.#timer);
    done(error);
  }
}

/** `onEnd` is called once, when both are closed. */
export function join(a: Socket, b: Socket, limits: Limits, onEnd: () => void): void {
  let open = 2;
  const over = (other: Socket) => (): void => {
    other.destroySoon(); // what waits for it is still written
    open--;
    if (open === 0) onEnd();
  };
  a.once('close', over(b));
  b.once('close', over(a));
  for (const socket of [a, b]) {
    socket.setMaxListeners(20); // each is both ends of two pipelines
    socket.setTimeout(limits.idleMs, () => socket.destroy());
  }
  const ended = (): void => {}; // an end that was not clean closes both, which is all there is to do
  pipeline(a, new Meter(limits), b, ended);
  pipeline(b, new Meter(limits), a, ended);
}
