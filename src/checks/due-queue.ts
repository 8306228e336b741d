/**
 * A queue of things by the moment they are due, in which a thing can be moved: a binary heap that knows where each of
 * its members stands. Thousands of checks have one timer between them, armed for the head of this queue.
 * Rejected: a timer per check (as cheap to arm, but nobody could look at them or keep them from firing one by one).
 */
import type { Instant } from '../base/index.ts';

/** What can stand in the queue. `queueIndex` belongs to the queue; -1 = not in it. */
export type Due = { dueAt: Instant; queueIndex: number };

export class DueQueue<T extends Due> {
  readonly #heap: T[] = [];

  get head(): T | undefined {
    return this.#heap[0];
  }

  /** Puts it in, or moves it, to be due at `at`. */
  schedule(item: T, at: Instant): void {
    item.dueAt = at;
    if (item.queueIndex < 0) {
      item.queueIndex = this.#heap.length;
      this.#heap.push(item);
    }
    this.#sink(this.#rise(item.queueIndex));
  }

  remove(item: T): void {
    const index = item.queueIndex;
    if (index < 0) return;
    item.queueIndex = -1;
    const last = this.#heap.pop();
    if (last === undefined || last === item) return;
    this.#place(last, index);
    this.#sink(this.#rise(index));
  }

  #rise(from: number): number {
    let index = from;
    const item = this.#heap[index];
    while (item !== undefined && index > 0) {
      const up = (index - 1) >> 1;
      const parent = this.#heap[up];
      if (parent === undefined || parent.dueAt <= item.dueAt) break;
      this.#place(parent, index);
      this.#place(item, up);
      index = up;
    }
    return index;
  }

  #sink(from: number): void {
    let index = from;
    const item = this.#heap[index];
    while (item !== undefined) {
      const left = this.#heap[2 * index + 1];
      const right = this.#heap[2 * index + 2];
      const isRight = left !== undefined && right !== undefined && right.dueAt < left.dueAt;
      const child = isRight ? right : left;
      if (child === undefined || child.dueAt >= item.dueAt) break;
      const down = child.queueIndex;
      this.#place(child, index);
      this.#place(item, down);
      index = down;
    }
  }

  #place(item: T, index: number): void {
    this.#heap[index] = item;
    item.queueIndex = index;
  }
}
