/**
 * Main's end of the pulse worker: starts the thread, rings its doorbell, hands on what it says.
 */
import { Worker } from 'node:worker_threads';
import type { Waker } from '../ports/index.ts';
import { type FromWorker, Pulsebeat, type ToWorker, type WorkerSetup } from './messages.ts';
import type { PulsePlan } from './plan.ts';

/** Small young generation: a collection of the worker's own garbage takes well under a millisecond. */
const HEAP = { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 64, stackSizeMb: 2 };

export type PulseThreadEvents = {
  readonly onMessage: (message: FromWorker) => void;
  /** The thread is gone: `error` when it died of one. */
  readonly onEnd: (error: Error | undefined) => void;
};

export class PulseThread {
  readonly pulsebeat = new Pulsebeat();
  readonly #doorbell: Waker;
  readonly #worker: Worker;

  constructor(plan: PulsePlan, doorbell: Waker, { onMessage, onEnd }: PulseThreadEvents) {
    const setup: WorkerSetup = {
      plan,
      shared: this.pulsebeat.buffer,
      doorbellFd: doorbell.fd,
    };
    this.#doorbell = doorbell;
    this.#worker = new Worker(new URL('./pulse-worker.ts', import.meta.url), {
      workerData: setup,
      resourceLimits: HEAP,
    });
    let failure: Error | undefined;
    this.#worker.on('message', onMessage);
    this.#worker.on('error', (error) => {
      failure = error instanceof Error ? error : new Error(String(error));
    });
    this.#worker.on('exit', () => {
      doorbell.close();
      onEnd(failure);
    });
  }

  post(message: ToWorker): void {
    this.#worker.postMessage(message);
    this.#doorbell.wake();
  }
}
