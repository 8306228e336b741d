/**
 * What we tell systemd, where it runs us. It hears that we live only while the worker turns: a wedged worker must be
 * restarted, too, although this thread is fine.
 */
import type { Notifier } from '../ports/index.ts';
import type { Pulsebeat } from './messages.ts';

export class Supervisor {
  readonly #notifier: Notifier | undefined;
  readonly #timer: NodeJS.Timeout | undefined;
  #statusText = '';

  /** `notifier` undefined: nobody supervises. */
  constructor(notifier: Notifier | undefined, pulsebeat: Pulsebeat) {
    this.#notifier = notifier;
    const watchdogMs = notifier?.watchdogMs;
    let seen = -1;
    const pet = (): void => {
      const beats = pulsebeat.workerBeats();
      if (beats !== seen) notifier?.watchdog();
      seen = beats;
    };
    this.#timer = watchdogMs === undefined ? undefined : setInterval(pet, watchdogMs / 2);
  }

  ready(): void {
    this.#notifier?.ready();
  }

  stopping(): void {
    this.#notifier?.stopping();
  }

  /** Told when it changes. */
  status(text: string | undefined): void {
    if (text === undefined || text === this.#statusText) return;
    this.#statusText = text;
    this.#notifier?.status(text);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#notifier?.close();
  }
}
