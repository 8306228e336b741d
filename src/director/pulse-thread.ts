/**
 * Main's end of the pulse worker: starts the thread, rings its doorbell, hands on what it says.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { err, ok, PULSE_HEAP, type Result } from '../base/index.ts';
import type { Waker } from '../ports/index.ts';
import { type FromWorker, Pulsebeat, type ToWorker, type WorkerSetup } from './messages.ts';
import type { PulsePlan } from './plan.ts';
import { refusedText } from './sentences.ts';

/** Sockets are open, and nothing is touched yet. */
export type Ready = Extract<FromWorker, { kind: 'ready' }>;
/** What the worker says of its life. */
export type Said = Exclude<FromWorker, { kind: 'ready' | 'refused' }>;

export class PulseThread {
  readonly pulsebeat = new Pulsebeat();
  /** The error is a sentence. */
  readonly firstWord: Promise<Result<Ready, string>>;
  /** The thread is gone: with an error when it died of one. */
  readonly ended: Promise<Error | undefined>;
  readonly #doorbell: Waker;
  readonly #worker: Worker;
  /** Said before somebody listened. */
  readonly #unheard: Said[] = [];
  #listener: ((said: Said) => void) | undefined;

  /** `worker`: one that has begun to load already. */
  constructor(plan: PulsePlan, doorbell: Waker, worker = startWorker()) {
    this.#doorbell = doorbell;
    this.#worker = worker;
    let failure: Error | undefined;
    worker.on('error', (error) => {
      failure = error instanceof Error ? error : new Error(String(error));
    });
    this.ended = once(worker, 'exit').then(() => {
      doorbell.close();
      return failure;
    });
    this.firstWord = new Promise((resolve) => {
      worker.on('message', (message: FromWorker) => {
        if (message.kind === 'ready') resolve(ok(message));
        else if (message.kind === 'refused') resolve(err(refusedText(message.error)));
        else this.#hear(message);
      });
      void this.ended.then((error) => {
        resolve(err(`the pulse worker ended: ${error?.message ?? 'without a word'}`));
      });
    });
    const setup: WorkerSetup = { plan, shared: this.pulsebeat.buffer, doorbellFd: doorbell.fd };
    worker.postMessage(setup);
  }

  /** Hands on what the worker says, and what it has said so far. */
  listen(listener: (said: Said) => void): void {
    this.#listener = listener;
    for (const said of this.#unheard.splice(0)) listener(said);
  }

  post(message: ToWorker): void {
    this.#worker.postMessage(message);
    this.#doorbell.wake();
  }

  #hear(said: Said): void {
    if (this.#listener === undefined) this.#unheard.push(said);
    else this.#listener(said);
  }
}

function startWorker(): Worker {
  return new Worker(new URL('./pulse-worker.ts', import.meta.url), { resourceLimits: PULSE_HEAP });
}
