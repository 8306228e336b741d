/**
 * The incidents: what is done to the pair, and when. `da` is node `primary` and active before each of them.
 *
 * Each step is marked with the time at which it was ordered; a cut takes 0.6 ms to be there. Lengths are drawn from
 * the run's seed, so that a run can be repeated; what the seed cannot hold still (the phase of heartbeats, the
 * scheduler) is measured instead and stands in the record.
 */
import { spawn } from 'node:child_process';
import { cpus } from 'node:os';
import type { Cuts } from './cuts.ts';
import type { Directors } from './directors.ts';
import { now, type Observer, sleep } from './observer.ts';

export type Scene = {
  readonly observer: Observer;
  readonly cuts: Cuts;
  readonly directors: Directors;
  readonly keepaliveMs: number;
  readonly deadtimeMs: number;
  /** How long `load` lasts. */
  readonly loadMs: number;
  /** 0 <= x < 1, from the seed. */
  random(): number;
  mark(what: string): void;
};

export type Incident = {
  readonly about: string;
  /** Both directors are down before it, not a settled pair. */
  readonly startsCold?: true;
  /** Nobody waits for a deadtime in it. */
  readonly isHandover?: true;
  /** The VIP must not move at all. */
  readonly isRest?: true;
  play(scene: Scene): Promise<void>;
};

export const INCIDENTS = {
  freeze: {
    about: 'the active daemon is stopped (SIGSTOP) past the deadtime, then goes on',
    async play(scene) {
      scene.mark('frozen');
      scene.directors.signal('da', 'SIGSTOP');
      await sleep(pastDeadtime(scene));
      scene.mark('woken');
      scene.directors.signal('da', 'SIGCONT');
    },
  },
  pause: {
    about: 'the active machine is paused: frozen and cut off, then both end within 2 ms',
    async play(scene) {
      scene.mark('paused');
      scene.directors.signal('da', 'SIGSTOP');
      await scene.cuts.unplug('da');
      await sleep(pastDeadtime(scene));
      scene.mark('resumed');
      await scene.cuts.clear();
      scene.directors.signal('da', 'SIGCONT');
    },
  },
  crash: {
    about: 'the active daemon is killed (kill -9) on a living host, later started again',
    async play(scene) {
      scene.mark('killed');
      await scene.directors.kill('da');
      await sleep(2 * scene.deadtimeMs + scene.random() * scene.deadtimeMs);
      await restart(scene);
    },
  },
  death: {
    about: "the active node's cables silently end nowhere, for good",
    async play(scene) {
      scene.mark('gone');
      await scene.cuts.unplug('da');
      await sleep(scene.deadtimeMs);
    },
  },
  stop: {
    about: 'the active daemon is stopped cleanly (SIGTERM)',
    isHandover: true,
    async play(scene) {
      scene.mark('told to stop');
      await scene.directors.stop('da');
      scene.mark('ended');
    },
  },
  split: {
    about: 'the directors do not hear each other, the router sees both; then healed',
    async play(scene) {
      scene.mark('cut');
      await scene.cuts.cutBoth();
      await sleep(longCut(scene));
      scene.mark('healed');
      await scene.cuts.clear();
    },
  },
  'one-way-a': {
    about: 'what da says no longer reaches db; then healed',
    async play(scene) {
      scene.mark('da unheard');
      await scene.cuts.cut('da', 'db');
      await sleep(longCut(scene));
      scene.mark('healed');
      await scene.cuts.clear();
    },
  },
  'one-way-b': {
    about: 'what db says no longer reaches da; then healed',
    async play(scene) {
      scene.mark('db unheard');
      await scene.cuts.cut('db', 'da');
      await sleep(longCut(scene));
      scene.mark('healed');
      await scene.cuts.clear();
    },
  },
  'half-heal': {
    about: 'split, then one direction only heals, and stays so',
    async play(scene) {
      scene.mark('cut');
      await scene.cuts.cutBoth();
      await sleep(longCut(scene));
      if (scene.random() < 0.5) {
        scene.mark('da heard again');
        await scene.cuts.heal('da', 'db');
      } else {
        scene.mark('db heard again');
        await scene.cuts.heal('db', 'da');
      }
      await sleep(scene.deadtimeMs);
    },
  },
  'cold-start': {
    about: 'both directors are started at once',
    startsCold: true,
    async play(scene) {
      scene.mark('both started');
      scene.directors.start('da');
      scene.directors.start('db');
      await scene.observer.until(({ answering }) => answering.length > 0, 15_000);
      await sleep(2 * scene.deadtimeMs);
    },
  },
  load: {
    about: 'nothing fails, but every processor is kept busy (--for SECONDS)',
    isRest: true,
    async play(scene) {
      scene.mark('busy');
      const busy = cpus().map(() =>
        spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' }),
      );
      await sleep(scene.loadMs);
      for (const child of busy) child.kill('SIGKILL');
      scene.mark('idle');
    },
  },
} as const satisfies Readonly<Record<string, Incident>>;

export type IncidentName = keyof typeof INCIDENTS;

export function isIncidentName(name: string): name is IncidentName {
  return Object.hasOwn(INCIDENTS, name);
}

export const INCIDENT_NAMES: readonly IncidentName[] =
  Object.keys(INCIDENTS).filter(isIncidentName);

/** Around the moment of takeover and beyond: what wakes within a keepalive of it is the hardest case. */
function pastDeadtime(scene: Scene): number {
  return scene.deadtimeMs + (scene.random() * 4.5 - 0.5) * scene.keepaliveMs;
}

function longCut(scene: Scene): number {
  return scene.deadtimeMs * (1.5 + scene.random() * 1.5) + scene.random() * scene.keepaliveMs;
}

async function restart(scene: Scene): Promise<void> {
  const startedAt = now();
  scene.directors.start('da');
  scene.mark('started again');
  await scene.observer.until(({ heartbeatAt }) => heartbeatAt.da > startedAt, 5000);
  await sleep(scene.deadtimeMs);
}

/** A repeatable source of numbers 0 <= x < 1 (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
