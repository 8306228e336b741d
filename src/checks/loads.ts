/**
 * Load measurement (load_monitor): about every 20 s a program is asked for the load of each server that a service wants
 * weighted by it, and the 1-minute average is read from what it prints.
 *
 * Programs run as ourselves, unlike those of checks: rsh and ssh find their keys by the user. A server whose load cannot
 * be read keeps its weight. At most eight run at once, so that a dead server farm costs eight waiting programs.
 * Source: nanny(8), lvs.cf(5) load_monitor, rsh_command.
 */
import { fromUtf8, type Milliseconds } from '../base/index.ts';
import { type LoadMonitor, parseLoad } from '../core/index.ts';
import type { Spawner } from '../ports/index.ts';

const INTERVAL_MS = 20_000;
const LIMIT_MS = 10_000;
const MAX_OUTPUT = 4095;
const AT_ONCE = 8;

export class LoadRunner {
  readonly #spawner: Spawner;
  readonly #onLoads: (loads: ReadonlyMap<string, number | undefined>) => void;
  readonly #intervalMs: Milliseconds;
  #monitors: readonly LoadMonitor[] = [];
  #timer: NodeJS.Timeout | undefined;
  /** Grows with every new list: a round over an old one ends early and reports nothing. */
  #list = 0;

  /** `onLoads` gets a round of measurements by server address; undefined where none could be read. */
  constructor(
    spawner: Spawner,
    onLoads: (loads: ReadonlyMap<string, number | undefined>) => void,
    intervalMs: Milliseconds = INTERVAL_MS,
  ) {
    this.#spawner = spawner;
    this.#onLoads = onLoads;
    this.#intervalMs = intervalMs;
  }

  /** What to measure from now on; the first round begins at once. */
  setMonitors(monitors: readonly LoadMonitor[]): void {
    clearTimeout(this.#timer);
    this.#monitors = monitors;
    this.#list++;
    if (monitors.length > 0) void this.#round(this.#list);
  }

  stop(): void {
    this.setMonitors([]);
  }

  async #round(list: number): Promise<void> {
    const loads = new Map<string, number | undefined>();
    const left = [...this.#monitors];
    const worker = async () => {
      for (let next = left.shift(); next !== undefined; next = left.shift()) {
        if (list !== this.#list) return;
        loads.set(next.address, await this.#measure(next));
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    if (list !== this.#list) return;
    this.#onLoads(loads);
    this.#timer = setTimeout(() => void this.#round(list), this.#intervalMs);
  }

  async #measure({ argv }: LoadMonitor): Promise<number | undefined> {
    const request = { argv, timeoutMs: LIMIT_MS, maxOutput: MAX_OUTPUT };
    const outcome = await this.#spawner.run(request);
    return outcome.kind === 'exited' ? parseLoad(fromUtf8(outcome.output)) : undefined;
  }
}
