/**
 * Keeps the kernel's virtual-service table as it is wished: observe, plan, apply, and look again every second.
 *
 *   wish(table) ──> converging ──> at rest ── a second has passed ──> looking ── nothing to write ──> at rest
 *                       ^                                                └── something to write: drift, reported ──> converging
 *
 * Only the newest wish counts: one that arrives while another is being written is worked out against what stands then.
 * IPVS tells nobody about changes, so `ipvsadm -C` by hand is found by looking; what a look finds to write nobody
 * wished for, so it is somebody else's work and is told as drift.
 *
 * Ours is every service of the newest wish, and those of earlier wishes (or of an earlier life) until they are gone.
 * A write that fails is told once. What the kernel refuses to add, for what it is, is tried again every half minute. What
 * only went wrong on the way, and whatever takes traffic from a server, at the next look, then after twice as long each
 * time: a server that died must not stay in the table because nft was slow once.
 * Rejected: trusting what we wrote. Comparing costs one dump a second; believing costs an outage that nobody sees.
 */
import { after, type Instant, type Milliseconds } from '../base/index.ts';
import { planTable } from '../core/index.ts';
import {
  type PortError,
  type ServiceTable,
  serviceKeyText,
  type TableOperation,
} from '../model/index.ts';
import type { Clock, ObservedService, TablePort } from '../ports/index.ts';

export type Refusal = { readonly operation: TableOperation; readonly error: PortError };

export type KeeperEvents = {
  /** New refusals; what follows from another one (servers of a service that was refused) is left out. */
  readonly onRefused: (refusals: readonly Refusal[]) => void;
  /** Somebody else changed rows of ours; these writes put them back. */
  readonly onDrift: (repairs: readonly TableOperation[]) => void;
  /** The table cannot be read; undefined: it can be again. Told at changes. */
  readonly onTrouble: (error: PortError | undefined) => void;
};

export type KeeperOptions = {
  readonly port: TablePort;
  readonly clock: Clock;
  readonly events: KeeperEvents;
  /** Keys of services that an earlier life wrote. */
  readonly ours?: Iterable<string>;
  /** Between two looks; 1000 unless told. A repair is then complete within two seconds. */
  readonly lookMs?: Milliseconds;
};

const LOOK_MS: Milliseconds = 1000;
/** A look that takes long is made less often, up to here: at rest the keeper costs at most a few percent of a core. */
const LAZIEST_LOOK_MS: Milliseconds = 1500;
const REST_FACTOR = 30;
const RETRY_MS: Milliseconds = 30_000;

/** Said of the row itself, by the kernel or the data plane: the same write will be refused again. */
const OF_THE_ROW = new Set([
  'unsupported',
  'no-neighbour',
  ...['ENOENT', 'EINVAL', 'ERANGE', 'EPERM', 'EACCES'],
  ...['EOPNOTSUPP', 'EAFNOSUPPORT', 'EPROTONOSUPPORT'],
]);

type Waiting = {
  readonly code: string;
  readonly waitMs: Milliseconds;
  readonly retryAt: Instant;
};

export class TableKeeper {
  readonly #options: KeeperOptions;
  readonly #ours: Set<string>;
  readonly #refused = new Map<string, Waiting>();
  #wish: ServiceTable | undefined;
  #isStale = false;
  #running: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;
  #trouble: string | undefined;
  #observed: readonly ObservedService[] = [];
  #lookCostMs = 0;

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#ours = new Set(options.ours ?? []);
  }

  /** Keys of the services that are ours, wished for or not yet gone. */
  get ours(): ReadonlySet<string> {
    return this.#ours;
  }

  /** What the last look saw, at most two seconds ago. */
  get observed(): readonly ObservedService[] {
    return this.#observed;
  }

  /** Makes the kernel hold `table`; whatever was wished before is replaced. */
  wish(table: ServiceTable): void {
    this.#wish = table;
    for (const { service } of table) this.#ours.add(serviceKeyText(service.key));
    this.#isStale = true;
    this.#wakeUp();
  }

  /** Settles when the newest wish has been worked through. */
  async idle(): Promise<void> {
    await this.#running;
  }

  /** Ends the looking; what stands stays. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  #wakeUp(): void {
    if (this.#isClosed) return;
    clearTimeout(this.#timer);
    this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    do await this.#converge();
    while (this.#isStale && this.#trouble === undefined && !this.#isClosed);
    this.#running = undefined;
    if (this.#isClosed) return;
    const lazyMs = Math.min(LAZIEST_LOOK_MS, this.#lookCostMs * REST_FACTOR);
    this.#timer = setTimeout(() => this.#wakeUp(), Math.max(this.#restMs, lazyMs));
  }

  get #restMs(): Milliseconds {
    return this.#options.lookMs ?? LOOK_MS;
  }

  async #converge(): Promise<void> {
    const { port, clock, events } = this.#options;
    const startedAt = clock.now();
    const observed = await port.observe();
    const now = clock.now();
    this.#tellTrouble(observed.ok ? undefined : observed.error);
    if (!observed.ok || this.#wish === undefined) return;
    this.#observed = observed.value;
    // Asked only now: a wish that came while we looked is no drift.
    const isWish = this.#isStale;
    this.#isStale = false;
    const standing = tableOf(observed.value);
    const planned = planTable(this.#wish, standing, this.#ours);
    this.#lookCostMs = clock.now() - startedAt;
    this.#forgetAnswered(planned);
    const operations = this.#withoutRefused(planned, now);
    if (operations.length === 0) return;
    const isRetry = operations.every((operation) => this.#refused.has(textOf(operation)));
    if (!isWish && !isRetry) events.onDrift(operations);
    const results = await port.apply(operations);
    this.#hear(operations, results, now);
  }

  #hear(
    operations: readonly TableOperation[],
    results: readonly (PortError | undefined)[],
    now: Instant,
  ): void {
    const told: Refusal[] = [];
    const lost = new Set<string>();
    const unmade = new Map<string, Waiting>();
    for (const [index, operation] of operations.entries()) {
      const error = results[index];
      const text = textOf(operation);
      const key = keyOf(operation);
      if (error === undefined) {
        this.#refused.delete(text);
        if (operation.kind === 'delete-service') this.#disown(key);
        continue;
      }
      const before = this.#refused.get(text);
      const waitMs = this.#waitMs(operation, error.code, before);
      // Servers of a service that could not be made are tried again with it.
      const waiting = unmade.get(key) ?? { code: error.code, waitMs, retryAt: after(now, waitMs) };
      this.#refused.set(text, waiting);
      if (before?.code !== error.code && !lost.has(key)) told.push({ operation, error });
      // One sentence says it for all servers of a service.
      if (operation.kind === 'add-service' || error.code === 'unsupported') lost.add(key);
      if (operation.kind === 'add-service') unmade.set(key, waiting);
    }
    if (told.length > 0) this.#options.events.onRefused(told);
  }

  #waitMs(operation: TableOperation, code: string, before: Waiting | undefined): Milliseconds {
    const isAdding = operation.kind === 'add-service' || operation.kind === 'add-destination';
    const isSettled = OF_THE_ROW.has(code) && (isAdding || operation.kind === 'edit-service');
    if (isSettled) return RETRY_MS;
    return before === undefined ? this.#restMs : Math.min(RETRY_MS, 2 * before.waitMs);
  }

  /** A service that is gone and not wished for is nobody's: who makes it anew owns it. */
  #disown(key: string): void {
    const isWished = this.#wish?.some(({ service }) => serviceKeyText(service.key) === key);
    if (isWished !== true) this.#ours.delete(key);
  }

  /** Servers wait for the service that was refused. */
  #withoutRefused(planned: readonly TableOperation[], now: Instant): readonly TableOperation[] {
    if (this.#refused.size === 0) return planned;
    const lost = new Set<string>();
    return planned.filter((operation) => {
      const refused = this.#refused.get(textOf(operation));
      const mayTry = refused === undefined || refused.retryAt <= now;
      if (!mayTry && operation.kind === 'add-service') lost.add(keyOf(operation));
      return mayTry && !lost.has(keyOf(operation));
    });
  }

  /** What the plan does not ask for any more has been answered otherwise. */
  #forgetAnswered(planned: readonly TableOperation[]): void {
    if (this.#refused.size === 0) return;
    const asked = new Set(planned.map(textOf));
    for (const text of this.#refused.keys()) if (!asked.has(text)) this.#refused.delete(text);
  }

  #tellTrouble(error: PortError | undefined): void {
    if (error?.code === this.#trouble) return;
    this.#trouble = error?.code;
    this.#options.events.onTrouble(error);
  }
}

/** The rows without their traffic. */
export function tableOf(observed: readonly ObservedService[]): ServiceTable {
  return observed.map(({ service, destinations }) => ({
    service,
    destinations: destinations.map(({ destination }) => destination),
  }));
}

function keyOf(operation: TableOperation): string {
  return serviceKeyText('service' in operation ? operation.service.key : operation.key);
}

function textOf(operation: TableOperation): string {
  return JSON.stringify(operation);
}
