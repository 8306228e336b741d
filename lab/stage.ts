/**
 * One lab, built and watched, in which incidents are played: settle the pair, wait for a random moment between two
 * heartbeats, play, watch for a while, write the record.
 *
 * A run begins only when nothing is left of the one before: both daemons fresh (a director bounds its announcements over
 * minutes, so a worn one would be judged for the harness's haste), da active, the router on it, and no announcement for
 * `quietMs`: a late frame of an earlier round could heal the router by luck.
 */

import { assert } from '../src/base/index.ts';
import { longestLeaseMs } from '../src/core/index.ts';
import { command } from './command.ts';
import { Cuts } from './cuts.ts';
import type { Setup } from './directors.ts';
import { Directors, deadtimeOf, HEARTBEAT_PORT } from './directors.ts';
import {
  INCIDENTS,
  type Incident,
  type IncidentName,
  randomFrom,
  type Scene,
} from './incidents.ts';
import { now, Observer, type Present, sleep } from './observer.ts';
import { type Mark, type RunRecord, recordOf } from './record.ts';
import { build, DIRECTORS, type Director, portOf, VIPS } from './topology.ts';
import { Traffic } from './traffic.ts';
import type { TrafficReport } from './traffic-record.ts';

const PROBE_MS = 5;
const ASK_MS = 5;
const SETTLE_LIMIT_MS = 30_000;
/** The clients' traffic is under way before the incident. */
const WARM_MS = 500;

export class Stage {
  readonly observer: Observer;
  readonly cuts: Cuts;
  readonly #traffic: Traffic | undefined;
  #directors: Directors;

  private constructor(
    observer: Observer,
    cuts: Cuts,
    directors: Directors,
    traffic: Traffic | undefined,
  ) {
    this.observer = observer;
    this.cuts = cuts;
    this.#directors = directors;
    this.#traffic = traffic;
  }

  get directors(): Directors {
    return this.#directors;
  }

  get setup(): Setup {
    return this.#directors.setup;
  }

  get deadtimeMs(): number {
    return deadtimeOf(this.setup);
  }

  static async build(setup: Setup): Promise<Stage> {
    const { hasPrivateNetwork, services } = setup;
    await build({ hasPrivateNetwork, ...(services && { services: services.method }) });
    const eye = {
      vip: VIPS[setup.family],
      heartbeatPort: HEARTBEAT_PORT,
      hasPrivateNetwork,
      probeMs: PROBE_MS,
      askMs: ASK_MS,
    };
    const [observer, cuts, traffic] = await Promise.all([
      Observer.start(eye),
      Cuts.open(),
      services && Traffic.start({ vip: VIPS[setup.family], ...services }),
    ]);
    return new Stage(observer, cuts, new Directors(setup), traffic);
  }

  /**
   * Both daemons run, da is active, the router is on it, and nobody announced anything for `quietMs`. Throws with the
   * logs otherwise.
   */
  async settle(quietMs: number, daemons: 'fresh' | 'as they are' = 'fresh'): Promise<void> {
    const { observer, directors } = this;
    if (daemons === 'fresh') await this.clean();
    directors.start('da');
    const isUp = ({ owners }: Present) => owners.has('da') || !directors.isRunning('da');
    await observer.until(isUp, SETTLE_LIMIT_MS);
    if (!observer.present.owners.has('da')) throw this.#unsettled('da did not become active');
    const startedAt = directors.isRunning('db') ? 0 : now();
    directors.start('db');
    const isCalm = (present: Present) =>
      present.owners.size === 1 &&
      present.owners.has('da') &&
      present.router === 'da' &&
      present.probe?.by === 'da' &&
      (present.heartbeatAt.db > startedAt || this.setup.kind === 'keepalived') &&
      now() - present.announcedAt > quietMs;
    const hasLost = () => DIRECTORS.some((node) => !directors.isRunning(node));
    let hasSettled = false;
    await observer.until((present) => {
      hasSettled = isCalm(present) && !hasLost();
      return hasSettled || hasLost();
    }, SETTLE_LIMIT_MS);
    if (!hasSettled) throw this.#unsettled('the pair did not become calm with da active');
    if (this.setup.services !== undefined) await this.#untilServing();
  }

  /** A standby is warm: both tables hold both real servers. */
  async #untilServing(): Promise<void> {
    for (const limit = now() + SETTLE_LIMIT_MS; now() < limit; await sleep(50)) {
      const serving = await Promise.all(DIRECTORS.map((node) => this.directors.isServing(node)));
      if (serving.every(Boolean)) return;
    }
    throw this.#unsettled('the real servers did not come into service on both directors');
  }

  /** Other daemons, or other timers, in the same network. */
  async recast(setup: Setup): Promise<void> {
    assert(
      setup.hasPrivateNetwork === this.setup.hasPrivateNetwork &&
        setup.family === this.setup.family &&
        setup.services === this.setup.services,
      'the network stays as it is',
    );
    await this.clean();
    this.#directors = new Directors(setup);
  }

  /** No daemon, no VIP, no cut. */
  async clean(): Promise<void> {
    await Promise.all(DIRECTORS.map((node) => this.directors.powerCycle(node)));
    await this.cuts.clear();
    await this.observer.until(
      ({ answering, owners }) => answering.length + owners.size === 0,
      2000,
    );
  }

  async run(name: IncidentName, options: RunOptions): Promise<RunRecord> {
    const incident: Incident = INCIDENTS[name];
    await swapPorts(options.run % 2 === 0 ? 'da' : 'db');
    if (incident.startsCold) await this.clean();
    else await this.settle(options.quietMs);
    const random = randomFrom(options.seed);
    this.#traffic?.begin();
    if (this.#traffic !== undefined) await sleep(WARM_MS);
    if (!incident.startsCold) await this.#untilPhase(random());
    const { scene, record } = await this.begin(name, { ...options, random });
    await incident.play(scene);
    await sleep(options.watchMs);
    const finished = await record(await this.#traffic?.end());
    this.observer.takeEvents();
    return finished;
  }

  /** What happens from now on belongs to the incident; `record` says what it was so far. */
  async begin(
    name: IncidentName,
    options: Pick<RunOptions, 'run' | 'seed' | 'loadMs'> & Pick<Scene, 'random'>,
  ): Promise<{
    readonly scene: Scene;
    readonly record: (traffic?: TrafficReport) => Promise<RunRecord>;
  }> {
    const { observer, cuts, directors, deadtimeMs, setup } = this;
    const { run, seed, random, loadMs = 10_000 } = options;
    const { kind: director, keepaliveMs } = setup;
    const incident: Incident = INCIDENTS[name];
    const before = await observer.snapshot();
    const marks: Mark[] = [];
    const mark = (what: string) => marks.push({ at: now(), what });
    const faultAt = now();
    const record = async (traffic?: TrafficReport) => {
      const end = await observer.snapshot();
      return recordOf({
        incident: name,
        isHandover: incident.isHandover ?? false,
        isRest: incident.isRest ?? false,
        isLegacy: Object.values(setup.dialects).includes('legacy'),
        mustAnswer: incident.mustAnswer?.({ marks, safeMs: safeMsOf(setup) }) ?? false,
        ...(incident.silencesDa && setup.dialects.da === 'auto' && { leaseMs: leaseMsOf(setup) }),
        ...{ director, keepaliveMs, deadtimeMs, run, seed, faultAt, marks, end },
        endAt: now(),
        ...(traffic && { traffic, isSynchronised: setup.services?.method === 'direct' }),
        ownersBefore: before.owners,
        routerBefore: before.router,
        events: observer.peekEvents(),
      });
    };
    const scene = { observer, cuts, directors, keepaliveMs, deadtimeMs, loadMs, random, mark };
    return { scene, record };
  }

  /** The ends of both daemons' logs. */
  logs(): string {
    return DIRECTORS.map((node) => `--- ${node}\n${this.directors.logTail(node)}`).join('\n');
  }

  async close(): Promise<void> {
    await Promise.all(DIRECTORS.map((node) => this.directors.kill(node)));
    this.observer.close();
    this.cuts.close();
    this.#traffic?.close();
  }

  /** A random moment of the heartbeat period; the observer tells what it really was. */
  async #untilPhase(fraction: number): Promise<void> {
    const { keepaliveMs } = this.setup;
    const due = this.observer.present.heartbeatAt.da + (1 + fraction) * keepaliveMs;
    let target = due;
    while (target < now()) target += keepaliveMs;
    await sleep(target - now());
  }

  #unsettled(what: string): Error {
    const { owners, router, answering, probe } = this.observer.present;
    const state = `VIP on [${[...owners]}], router on ${router}, answering [${answering}], probe by ${probe?.by}`;
    const ended = DIRECTORS.filter((node) => !this.directors.isRunning(node));
    const loss = ended.length === 0 ? '' : `; not running: ${ended}`;
    return new Error(`${what} (${state}${loss})\n${this.logs()}`);
  }
}

/** The lease of the shipped defaults (lease_ms is not set in the lab's lvs.cf). */
function leaseMsOf({ keepaliveMs, deadtimeMs }: Setup): number {
  return longestLeaseMs({ keepaliveMs, deadtimeMs });
}

/** The interval of heartbeats, at which the lease is extended, is no longer than a sixth of the deadtime. */
function safeMsOf(setup: Setup): number {
  return leaseMsOf(setup) - setup.deadtimeMs / 6;
}

/** Whose port the switch floods first: of two who answer one question, the router believes the later one. */
async function swapPorts(first: Director): Promise<void> {
  const port = portOf(first);
  const lines = [`link set ${port} nomaster`, `link set ${port} master br0`];
  await command(['ip', '-n', 'switch', '-batch', '-'], lines.join('\n'));
}

export type RunOptions = {
  readonly run: number;
  readonly seed: number;
  readonly quietMs: number;
  /** How long to watch after the last step. */
  readonly watchMs: number;
  /** How long `load` lasts (10 s). */
  readonly loadMs?: number;
};
