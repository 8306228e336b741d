/**
 * Memory into which one system call receives many messages; allocated once, so that a flood makes
 * no garbage.
 */
import { native } from './native.ts';

const EAGAIN = -11;

export class ReceiveArena {
  readonly #native = native();
  readonly #arena: Uint8Array;
  readonly #stride: number;
  readonly #lengths: Int32Array;
  readonly #sources: Uint8Array;

  /** Room for `slots` (1-64) messages of at most `stride` bytes each. */
  constructor(slots: number, stride: number) {
    this.#arena = new Uint8Array(slots * stride);
    this.#stride = stride;
    this.#lengths = new Int32Array(slots);
    this.#sources = new Uint8Array(slots * this.#native.addressStride);
  }

  /**
   * Takes what waits, at most `max` messages; gives their number, 0 when nothing waits, or a
   * negative errno.
   */
  receive(fd: number, max = this.#lengths.length): number {
    const lengths = this.#lengths.subarray(0, Math.min(max, this.#lengths.length));
    if (lengths.length === 0) return 0;
    const count = this.#native.recvmmsg(fd, this.#arena, this.#stride, lengths, this.#sources);
    return count === EAGAIN ? 0 : count;
  }

  /** A copy of message `index`, cut at the room it had. */
  message(index: number): Uint8Array {
    const start = index * this.#stride;
    const length = Math.min(Math.abs(this.#lengths[index] ?? 0), this.#stride);
    return this.#arena.slice(start, start + length);
  }

  /** Did message `index` have more bytes than there was room for? */
  isTruncated(index: number): boolean {
    return (this.#lengths[index] ?? 0) < 0;
  }

  /** The socket address of its sender; a view that the next `receive` overwrites. */
  source(index: number): Uint8Array {
    const stride = this.#native.addressStride;
    return this.#sources.subarray(index * stride, (index + 1) * stride);
  }
}
