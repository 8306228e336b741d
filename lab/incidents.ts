/**
 * The incidents: what is done to the pair, and when. `da` is node `primary` and active before each of them.
 *
 * Each step is marked with the time at which it was ordered; a cut takes 0.6 ms to be there. Lengths are drawn from
 * the run's seed, so that a run can be repeated; what the seed cannot hold still (the phase of heartbeats, the
 * scheduler) is measured instead and stands in the record.
 */
import { spawn } from 'node:child_process';
import { cpus } from 'node:os';
import { command, inNamespace } from './command.ts';
import type { Cuts } from './cuts.ts';
import type { Directors } from './directors.ts';
import { now, type Observer, sleep } from './observer.ts';
import type { Mark } from './record.ts';
import { DIRECTORS, type Director, portOf } from './topology.ts';

/** A daemon starts in a second; on a machine that is kept busy it has taken seven. */
const RESTART_LIMIT_MS = 20_000;

export type Scene = {
  readonly observer: Observer;
  readonly cuts: Cuts;
  readonly directors: Directors;
  readonly keepaliveMs: number;
  readonly deadtimeMs: number;
  /** How long what lasts for a time lasts. */
  readonly loadMs: number;
  /** 0 <= x < 1, from the seed. */
  random(): number;
  mark(what: string): void;
};

export type Course = {
  readonly marks: readonly Mark[];
  /** What is left of a lease at the least, whenever its owner dies. */
  readonly safeMs: number;
};

export type Incident = {
  readonly about: string;
  /** Both directors are down before it, not a settled pair. */
  readonly startsCold?: true;
  /** Nobody waits for a deadtime in it. */
  readonly isHandover?: true;
  /** The VIP must not move at all. */
  readonly isRest?: true;
  /** Not one probe may be lost, when it went like this. */
  readonly mustAnswer?: (course: Course) => boolean;
  /** Its first step freezes or kills da on a living host: with a lease, the kernel falls silent by itself. */
  readonly silencesDa?: true;
  /** The command line it is tried with; absent: with every one. */
  readonly flags?: readonly string[];
  play(scene: Scene): Promise<void>;
};

/** The ordinary questions of a takeover that is not believed come after 1, 2 and 4 s. */
const ROUTER_LIMIT_MS = 8000;

export const INCIDENTS = {
  freeze: {
    about: 'the active daemon is stopped (SIGSTOP) past the deadtime, then goes on',
    silencesDa: true,
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
    silencesDa: true,
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
  'unheard-return': {
    about:
      'split; db takes over, is killed as soon as the router sends to it, and comes back unheard',
    flags: ['--dialect', 'auto'],
    async play(scene) {
      scene.mark('cut');
      await scene.cuts.cutBoth();
      await scene.observer.until(({ router }) => router === 'db', ROUTER_LIMIT_MS);
      scene.mark('db killed');
      await scene.directors.kill('db');
      // Within its lease it would go on as the owner it was.
      await sleep((1 + scene.random()) * scene.deadtimeMs);
      scene.mark('da heard again');
      await scene.cuts.heal('da', 'db');
      await startAgain(scene, 'db');
      await sleep(2 * scene.deadtimeMs);
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
  restart: {
    about: 'the active daemon is killed (kill -9) and started again at once',
    flags: ['--dialect', 'auto', '--keepalive', '1000', '--deadtime', '3000'],
    // A start takes 0.4 to 1 s, on a busy machine many: only one that ends inside the lease is judged.
    mustAnswer: ({ marks, safeMs }) => {
      const [killed, , back] = marks;
      return killed !== undefined && back !== undefined && back.at - killed.at < safeMs;
    },
    async play(scene) {
      scene.mark('killed');
      await scene.directors.kill('da');
      await startAgain(scene);
      scene.mark('heard again');
      await sleep(scene.deadtimeMs);
    },
  },
  'partner-off': {
    about: 'the standby machine loses power; its partner owns on (--for SECONDS)',
    flags: ['--dialect', 'auto', '--second-network'],
    isRest: true,
    mustAnswer: always,
    async play(scene) {
      scene.mark('db off');
      await scene.cuts.unplug('db');
      await scene.directors.powerCycle('db');
      await privateCable('down');
      await sleep(scene.loadMs);
      await privateCable('up');
    },
  },
  'heartbeat-cable': {
    about: 'the cable of the second network is out: no carrier (--for SECONDS)',
    flags: ['--dialect', 'auto', '--second-network'],
    isRest: true,
    mustAnswer: always,
    async play(scene) {
      scene.mark('cable out');
      await privateCable('down');
      await sleep(scene.loadMs);
      scene.mark('cable in');
      await privateCable('up');
    },
  },
  'heartbeat-down': {
    about: "the active node's interface to the second network is set down (--for SECONDS)",
    flags: ['--dialect', 'auto', '--second-network'],
    isRest: true,
    mustAnswer: always,
    async play(scene) {
      scene.mark('interface down');
      await command(['ip', '-n', 'da', 'link', 'set', 'eth1', 'down']);
      await sleep(scene.loadMs);
      scene.mark('interface up');
      await command(['ip', '-n', 'da', 'link', 'set', 'eth1', 'up']);
    },
  },
  'deaf-standby': {
    about: 'nothing reaches the standby any more, what it sends does arrive; then healed',
    flags: ['--dialect', 'auto'],
    isRest: true,
    mustAnswer: always,
    async play(scene) {
      scene.mark('db deaf');
      await scene.cuts.deafen('db');
      await sleep(4 * scene.deadtimeMs + scene.random() * scene.deadtimeMs);
      scene.mark('healed');
      await scene.cuts.clear();
    },
  },
  'dull-router': {
    about: 'death of the active node, and the router ignores announcements (gratuitous ARP, NA)',
    flags: ['--dialect', 'auto'],
    async play(scene) {
      await scene.cuts.dullRouter();
      scene.mark('gone');
      await scene.cuts.unplug('da');
      await scene.observer.until(({ router }) => router === 'db', ROUTER_LIMIT_MS);
    },
  },
  flush: {
    about: 'somebody flushes all nftables rules of both directors every second (--for SECONDS)',
    flags: ['--dialect', 'auto'],
    isRest: true,
    mustAnswer: always,
    async play(scene) {
      for (const end = now() + scene.loadMs; now() < end; ) {
        scene.mark('flushed');
        const flush = ['nft', 'flush', 'ruleset'];
        await Promise.all(DIRECTORS.map((node) => command(inNamespace(node, flush))));
        await sleep(1000);
      }
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

/** What it needs on the command line. */
export function flagsOf(name: IncidentName): readonly string[] {
  const incident: Incident = INCIDENTS[name];
  return incident.flags ?? [];
}

export function isIncidentName(name: string): name is IncidentName {
  return Object.hasOwn(INCIDENTS, name);
}

export const INCIDENT_NAMES: readonly IncidentName[] =
  Object.keys(INCIDENTS).filter(isIncidentName);

function always(): boolean {
  return true;
}

/** Both ends lose their carrier, as with a crossover cable. */
async function privateCable(state: 'up' | 'down'): Promise<void> {
  const lines = DIRECTORS.map((node) => `link set ${portOf(node, 'private')} ${state}`);
  await command(['ip', '-n', 'switch', '-batch', '-'], lines.join('\n'));
}

/** Around the moment of takeover and beyond: what wakes within a keepalive of it is the hardest case. */
function pastDeadtime(scene: Scene): number {
  return scene.deadtimeMs + (scene.random() * 4.5 - 0.5) * scene.keepaliveMs;
}

function longCut(scene: Scene): number {
  return scene.deadtimeMs * (1.5 + scene.random() * 1.5) + scene.random() * scene.keepaliveMs;
}

async function restart(scene: Scene): Promise<void> {
  await startAgain(scene);
  await sleep(scene.deadtimeMs);
}

async function startAgain(scene: Scene, node: Director = 'da'): Promise<void> {
  const startedAt = now();
  scene.directors.start(node);
  scene.mark('started again');
  await scene.observer.until(({ heartbeatAt }) => heartbeatAt[node] > startedAt, RESTART_LIMIT_MS);
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
