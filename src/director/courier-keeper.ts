/**
 * Keeps a courier running while the file asks for one: a key and a partner. Started through the spawner, which ends it
 * with us; when it ends by itself it is started again, a little later each time.
 *
 * A courier with an old plan (other keys, other addresses) is told to go by taking its socket away; the next one has the
 * new plan. It costs a Node process, about 50 MB: the price of keeping TLS and what strangers send out of this one.
 */
import { rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromUtf8, type Milliseconds } from '../base/index.ts';
import { type CourierPlan, courierFiles, courierSecrets, courierUser } from '../courier/index.ts';
import type { Node } from '../model/index.ts';
import type { Spawner, SpawnOutcome } from '../ports/index.ts';
import type { PulsePlan } from './plan.ts';
import type { RunDirectory } from './run-directory.ts';
import { portErrorText, systemErrorText } from './sentences.ts';

/** The spawner's longest, 24 days: then it is started anew. */
const LIMIT_MS: Milliseconds = 2 ** 31 - 1;
const KEPT_OUTPUT = 1024;
const SHORTEST_PAUSE_MS: Milliseconds = 250;
const LONGEST_PAUSE_MS: Milliseconds = 30_000;
/** A courier that lived so long was well. */
const WELL_MS: Milliseconds = 60_000;
const MAIN = join(import.meta.dirname, '../../src/main.ts');
const FLAGS = [
  ...['--disable-warning=ExperimentalWarning', '--disable-sigusr1', '--max-semi-space-size=1'],
  ...['--optimize-for-size', '--v8-pool-size=1', '--no-opt', '--no-maglev'],
];

export type CourierKeeperParts = {
  readonly spawner: Spawner;
  readonly directory: RunDirectory;
  readonly node: Node;
  readonly tell: (lines: readonly string[]) => void;
};

export class CourierKeeper {
  readonly #parts: CourierKeeperParts;
  /** By the newest configuration. */
  #next: string | undefined;
  #holds = 0;
  #wanted: string | undefined;
  #isRunning = false;
  #isClosed = false;
  #pauseMs = SHORTEST_PAUSE_MS;
  #pause: NodeJS.Timeout | undefined;

  constructor(parts: CourierKeeperParts) {
    this.#parts = parts;
  }

  /** The configuration that is in force from now on. */
  use(plan: PulsePlan): void {
    const next = courierPlan(plan, this.#parts.node, this.#parts.directory);
    this.#next = next === undefined ? undefined : JSON.stringify(next);
    this.#follow();
  }

  /** The courier that runs is kept until `work` is done: what it tells the partner may be the change that moves it. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    this.#holds++;
    try {
      return await work();
    } finally {
      this.#holds--;
      this.#follow();
    }
  }

  #follow(): void {
    if (this.#holds > 0 || this.#isClosed || this.#next === this.#wanted) return;
    this.#wanted = this.#next;
    this.#pauseMs = SHORTEST_PAUSE_MS;
    this.#takeSocket(); // who runs with the old plan ends, and the next one has this one
    void this.#start();
  }

  /** The spawner ends what runs. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#pause);
    const { plan, state } = courierFiles(this.#parts.directory.path);
    this.#takeSocket();
    for (const file of [plan, state]) rmSync(file, { force: true });
  }

  async #start(): Promise<void> {
    if (this.#isRunning || this.#isClosed || this.#wanted === undefined) return;
    this.#isRunning = true;
    clearTimeout(this.#pause);
    const { spawner, directory, tell } = this.#parts;
    const runDirectory = directory.path;
    const wanted = this.#wanted;
    const startedAt = performance.now();
    try {
      const { plan } = courierFiles(runDirectory);
      rmSync(plan, { force: true });
      writeFileSync(plan, wanted, { mode: 0o600, flag: 'wx' });
      const argv = [process.execPath, ...FLAGS, MAIN, 'courier', '--run-dir', runDirectory];
      const outcome = await spawner.run({ argv, timeoutMs: LIMIT_MS, maxOutput: KEPT_OUTPUT });
      if (!this.#isClosed && wanted === this.#wanted) tell([endedText(outcome)]);
    } catch (error) {
      tell([`the courier cannot be started: ${systemErrorText(error)}`]);
    }
    this.#isRunning = false;
    if (this.#isClosed) return;
    const isWell = performance.now() - startedAt > WELL_MS || wanted !== this.#wanted;
    this.#pauseMs = isWell ? SHORTEST_PAUSE_MS : Math.min(LONGEST_PAUSE_MS, this.#pauseMs * 2);
    this.#pause = setTimeout(() => void this.#start(), this.#pauseMs);
  }

  #takeSocket(): void {
    rmSync(courierFiles(this.#parts.directory.path).partnerSocket, { force: true });
  }
}

/** Why there is no channel to the partner, in a clause; undefined: there should be one. */
export function channelLack({ failover }: PulsePlan): string | undefined {
  if (failover.paths.length === 0) return 'there is no partner: backup_active is 0';
  if ((failover.extended?.keys.length ?? 0) > 0) return undefined;
  return 'there is no channel to the partner: it needs heartbeat_key_file';
}

/** Undefined: no courier. The path that is the pair's alone is tried first. */
function courierPlan(
  { failover, courierPort }: PulsePlan,
  node: Node,
  directory: RunDirectory,
): CourierPlan | undefined {
  const secrets = courierSecrets(failover.extended?.keys ?? [], node);
  if (secrets === undefined || failover.paths.length === 0) return undefined;
  const user = courierUser();
  return {
    v: 1,
    port: courierPort,
    paths: failover.paths.toReversed().map(({ own, partner }) => ({ own, partner })),
    secrets,
    ...(user !== undefined && { user }),
    group: statSync(directory.socket, { throwIfNoEntry: false })?.gid ?? 0,
  };
}

function endedText(outcome: SpawnOutcome): string {
  const ended = 'the courier ended, it is started again:';
  switch (outcome.kind) {
    case 'exited':
      return `${ended} ${fromUtf8(outcome.output).trim() || `status ${outcome.status}`}`;
    case 'killed':
      return `${ended} by signal ${outcome.signal}`;
    case 'timeout':
      return `${ended} it has run for 24 days`;
    case 'failed':
      return `${ended} ${portErrorText(outcome.error)}`;
  }
}
