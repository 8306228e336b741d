/**
 * The lab's side of the observer: starts eye.ts, keeps what it says (all of it for the record, the last of it as the
 * present state) and lets others wait for a state.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { unreachable } from '../src/base/index.ts';
import type { EyeSettings, LabEvent, Snapshot } from './events.ts';
import { type Director, directorOf } from './topology.ts';

/** What is true now, as far as the observer knows (up to 25 ms ago). */
export type Present = {
  readonly owners: Set<Director>;
  answering: readonly Director[];
  router: Director | 'stranger' | undefined;
  /** When each director last sent a heartbeat. */
  readonly heartbeatAt: Record<Director, number>;
  announcedAt: number;
  probe: { readonly sentAt: number; readonly by: Director | null } | undefined;
};

/** Milliseconds on CLOCK_MONOTONIC: the observer's clock. */
export function now(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
}

export class Observer {
  readonly present: Present = {
    owners: new Set(),
    answering: [],
    router: undefined,
    heartbeatAt: { da: 0, db: 0 },
    announcedAt: 0,
    probe: undefined,
  };
  isRealtime = false;
  readonly #eye: ChildProcess;
  readonly #listeners = new Set<(event: LabEvent) => void>();
  readonly #snapshots = new Map<number, (snapshot: Snapshot) => void>();
  #events: LabEvent[] = [];
  #nextSnapshot = 1;
  #isReady = false;

  private constructor(settings: EyeSettings) {
    const eye = join(import.meta.dirname, 'eye.ts');
    this.#eye = spawn(process.execPath, [eye, JSON.stringify(settings)], {
      stdio: ['pipe', 'pipe', 'inherit'],
      detached: true, // Ctrl-C is for the lab to answer, not for its eyes
    });
    const lines = createInterface({ input: this.#eye.stdout ?? process.stdin });
    lines.on('line', (line) => {
      const event: LabEvent = JSON.parse(line);
      this.#take(event);
    });
    this.#eye.stdin?.on('error', () => undefined); // its exit is told below
  }

  static start(settings: EyeSettings): Promise<Observer> {
    return new Promise((resolve, reject) => {
      const observer = new Observer(settings);
      observer.#eye.on('exit', (status) => {
        const loss = new Error(`the observer ended with status ${status}`);
        if (!observer.#isReady) reject(loss);
        else throw loss; // nothing that is waited for will come any more
      });
      const stop = observer.onEvent((event) => {
        if (event[0] !== 'ready') return;
        observer.isRealtime = event[2].isRealtime;
        observer.#isReady = true;
        stop();
        resolve(observer);
      });
    });
  }

  /** Calls `listener` with every event from now on; gives the function that ends it. */
  onEvent(listener: (event: LabEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Resolves with true as soon as the present state satisfies `condition`, with false after `timeoutMs`. */
  until(condition: (present: Present) => boolean, timeoutMs: number): Promise<boolean> {
    if (condition(this.present)) return Promise.resolve(true);
    return new Promise((resolve) => {
      const end = (met: boolean) => {
        clearTimeout(timer);
        stop();
        resolve(met);
      };
      const timer = setTimeout(() => end(false), timeoutMs);
      const stop = this.onEvent(() => {
        if (condition(this.present)) end(true);
      });
    });
  }

  /** Asks all kernels at once. Everything seen before it was asked has been told when it resolves. */
  snapshot(): Promise<Snapshot> {
    return new Promise((resolve) => {
      const id = this.#nextSnapshot++;
      this.#snapshots.set(id, resolve);
      this.#eye.stdin?.write(`${id}\n`);
    });
  }

  /** The events since the last `takeEvents`, which stay. */
  peekEvents(): readonly LabEvent[] {
    return this.#events;
  }

  /** The events since the last call. */
  takeEvents(): readonly LabEvent[] {
    const events = this.#events;
    this.#events = [];
    return events;
  }

  close(): void {
    this.#eye.removeAllListeners('exit');
    this.#eye.stdin?.end();
  }

  #take(event: LabEvent): void {
    this.#events.push(event);
    this.#update(event);
    for (const listener of this.#listeners) listener(event);
  }

  #update(event: LabEvent): void {
    const { present } = this;
    switch (event[0]) {
      case 'ready':
      case 'stall':
        return;
      case 'probe':
        // A lost probe is told half a second late: what came after it counts.
        if (event[1] >= (present.probe?.sentAt ?? 0)) {
          present.probe = { sentAt: event[1], by: event[2] };
        }
        return;
      case 'answering':
        present.answering = event[2];
        return;
      case 'vip':
        if (event[3] === 'raised') present.owners.add(event[2]);
        else present.owners.delete(event[2]);
        return;
      case 'router':
        present.router = event[2] === null ? undefined : (directorOf(event[2]) ?? 'stranger');
        return;
      case 'announcement':
        present.announcedAt = event[1];
        return;
      case 'heartbeat':
        if (event[3] === 'sent') present.heartbeatAt[event[2]] = event[1];
        return;
      case 'snapshot':
        this.#snapshots.get(event[2])?.(event[3]);
        this.#snapshots.delete(event[2]);
        return;
      default:
        unreachable(event[0]);
    }
  }
}
