/**
 * What main remembers to answer with: the worker's last snapshot and the last role changes. Whoever asks gets a fresh
 * snapshot if the worker gives one in time; those who ask together share one question.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { elapsedMs, type Milliseconds } from '../base/index.ts';
import type { Note } from '../core/index.ts';
import type { Clock } from '../ports/index.ts';
import { type Beliefs, isKnown, learnBelief, NO_BELIEFS } from './belief.ts';
import type { FromWorker, PulseSnapshot } from './messages.ts';
import {
  addChange,
  type RoleChange,
  type StatusDocument,
  type StatusFrame,
  statusDocument,
  wallText,
} from './status.ts';

/** Below what `piranha status` waits. */
const REPORT_LIMIT_MS: Milliseconds = 300;
const SETTLE_LIMIT_MS: Milliseconds = 2000;
const SETTLE_LOOK_MS: Milliseconds = 20;

export class StatusBoard {
  readonly #clock: Clock;
  readonly #frame: () => StatusFrame;
  readonly #askWorker: () => void;
  #snapshot: PulseSnapshot | undefined;
  #changes: readonly RoleChange[] = [];
  #beliefs: Beliefs = NO_BELIEFS;
  #question: Promise<void> | undefined;
  #onSnapshot: () => void = () => {};

  constructor(clock: Clock, frame: () => StatusFrame, askWorker: () => void) {
    this.#clock = clock;
    this.#frame = frame;
    this.#askWorker = askWorker;
  }

  keepSnapshot(snapshot: PulseSnapshot): void {
    this.#snapshot = snapshot;
    this.#onSnapshot();
  }

  keepNote({ note, at }: Extract<FromWorker, { kind: 'note' }>): void {
    this.#beliefs = learnBelief(this.#beliefs, note);
    if (note.kind !== 'role') return;
    const { from, to, reason } = note;
    const agoMs = elapsedMs(at, this.#clock.now());
    const change = { at: wallText(Date.now() - agoMs), from, to, reason };
    this.#changes = addChange(this.#changes, change);
  }

  /** The worker's last word; undefined before the first. */
  get snapshot(): PulseSnapshot | undefined {
    return this.#snapshot;
  }

  /** Would this note tell anything that is not known? */
  isKnown(note: Note): boolean {
    return isKnown(this.#beliefs, note);
  }

  /** As of the last snapshot; undefined before the first. */
  document(): StatusDocument | undefined {
    if (this.#snapshot === undefined) return undefined;
    const clocks = { now: this.#clock.now(), wallMs: Date.now() };
    return statusDocument(this.#frame(), this.#snapshot, this.#changes, clocks, this.#beliefs);
  }

  /** Waits until the kernel holds what was last wished for: undefined, or the kernel's refusal. */
  async settled(): Promise<string | undefined> {
    const limit = performance.now() + SETTLE_LIMIT_MS;
    for (;;) {
      await this.freshDocument();
      const addresses = this.#snapshot?.addresses;
      if (addresses === undefined || addresses.isSettled) return undefined;
      if (addresses.refusal !== undefined) return addresses.refusal;
      // Ten thousand addresses take their time; what is merely slow is no refusal.
      if (performance.now() > limit) return undefined;
      await sleep(SETTLE_LOOK_MS);
    }
  }

  async freshDocument(): Promise<StatusDocument | undefined> {
    this.#question ??= new Promise((resolve) => {
      const limit = setTimeout(() => this.#onSnapshot(), REPORT_LIMIT_MS);
      this.#onSnapshot = () => {
        clearTimeout(limit);
        this.#question = undefined;
        this.#onSnapshot = () => {};
        resolve();
      };
      this.#askWorker();
    });
    await this.#question;
    return this.document();
  }
}
