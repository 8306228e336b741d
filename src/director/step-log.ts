/**
 * The worker's end of the flight recorder: what the core was told, posted to main in batches. Writing is main's work; a
 * disk must never delay a heartbeat.
 */
import { elapsedMs, type Instant, type Milliseconds } from '../base/index.ts';
import {
  type CoreRecord,
  checkpointOf,
  type Effect,
  type FailoverState,
  type Input,
  isWorthRecording,
  recordOf,
} from '../core/index.ts';
import type { FromWorker } from './messages.ts';

const BATCH = 64;
const BATCH_MS: Milliseconds = 500;
/** Between two checkpoints: a recording starts at one. */
const CHECKPOINT_MS: Milliseconds = 5000;

export class StepLog {
  readonly #post: (message: FromWorker) => void;
  #batch: CoreRecord[] = [];
  #postedAt: Instant | undefined;
  #checkpointAt: Instant | undefined;
  /** A change of role is among them: the file of the incident begins with it. */
  #isUrgent = false;

  constructor(post: (message: FromWorker) => void) {
    this.#post = post;
  }

  /** One step of the core. */
  add(before: FailoverState, input: Input, after: FailoverState, effects: readonly Effect[]): void {
    if (!isWorthRecording(before, after, effects)) return;
    const { now } = input;
    if (this.#checkpointAt === undefined || elapsedMs(this.#checkpointAt, now) >= CHECKPOINT_MS) {
      this.#checkpointAt = now;
      this.#batch.push(checkpointOf(before, now));
    }
    this.#batch.push(recordOf(input, effects));
    this.#isUrgent ||= effects.some(isRoleChange);
  }

  /** At the end of a turn: posts what has been collected for long enough. */
  flush(now: Instant, isLast: boolean): void {
    const isOld = this.#postedAt === undefined || elapsedMs(this.#postedAt, now) >= BATCH_MS;
    const isFull = this.#batch.length >= BATCH;
    if (this.#batch.length === 0 || !(isOld || isFull || isLast || this.#isUrgent)) return;
    this.#post({ kind: 'recorded', records: this.#batch });
    this.#batch = [];
    this.#isUrgent = false;
    this.#postedAt = now;
  }
}

function isRoleChange(effect: Effect): boolean {
  return effect.kind === 'note' && effect.note.kind === 'role';
}
