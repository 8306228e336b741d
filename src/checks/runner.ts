/**
 * The schedule of all checks of a director: thousands of probes, none of which can hold up another.
 *
 * Each check has its own phase inside its interval, worked out from its name, so that the probes of one file are spread
 * evenly and fall on the same places after a restart. The first probe of a new check comes within a second, because a
 * server is out of service until then; from the second on the grid holds. A probe that is still running when the next
 * one is due swallows it: there are never two of one check.
 *
 * At most `maxInFlight` probes run at once; what is due waits in line (places.ts). Programs have places of their own, fewer
 * than the spawner has, which hooks and nft need, too. A program that was killed at its limit keeps its place until it
 * is gone; a check that is due before then is down without a second one.
 * Verdicts are handed over in batches of a few milliseconds, so that a rack that loses power makes one table.
 *
 * One timer, at most every 4 ms. Rejected: a worker thread (the judgement is cheap; the heartbeats, which must not
 * wait, have the worker), setInterval per check.
 */
import { after, elapsedMs, type Instant, type Milliseconds } from '../base/index.ts';
import { type Check, checkText, down, type Verdict } from '../model/index.ts';
import { DueQueue } from './due-queue.ts';
import { Places } from './places.ts';
import { errorCode, type Prober, type RunningProbe } from './probe.ts';

export type ReportedVerdict = { readonly check: string; readonly verdict: Verdict };

export type RunnerOptions = {
  readonly now: () => Instant;
  readonly proberOf: (check: Check) => Prober;
  /** Gets every verdict, in batches. */
  readonly onVerdicts: (verdicts: readonly ReportedVerdict[]) => void;
  /** Every probe as it ends, for the statistics. */
  readonly onProbe?: (check: Check, verdict: Verdict, tookMs: Milliseconds) => void;
  /** Probes at once, programs apart; 1024 unless told. Each holds a descriptor. */
  readonly maxInFlight?: number;
  /** Check programs at once; 256 unless told. The spawner has room for 512 programs of any kind. */
  readonly maxPrograms?: number;
};

export type RunnerStats = {
  readonly checks: number;
  readonly inFlight: number;
  /** Due, but without a place. */
  readonly waiting: number;
  readonly made: number;
  /** The longest that a probe began after its time since the last call. */
  readonly worstLateMs: Milliseconds;
};

type Job = {
  readonly check: Check;
  readonly prober: Prober;
  /** Milliseconds into the interval. */
  readonly phase: Milliseconds;
  /** The next probe, or while one runs its limit. */
  dueAt: Instant;
  queueIndex: number;
  /** `ending`: it has its verdict, and what it began is not gone yet. */
  state: 'idle' | 'waiting' | 'running' | 'ending';
  startedAt: Instant;
  running: RunningProbe | undefined;
  /** Number of its newest probe: the verdict of an older one is not heard. */
  probe: number;
  /** The last one ran into its limit. */
  isSlow: boolean;
  readonly places: Places<Job>;
  /** Gives its place back. */
  leave: () => void;
};

const MAX_IN_FLIGHT = 1024;
const MAX_PROGRAMS = 256;
const TICK_MS = 4;
/** setTimeout takes 31 bits; one that finds nothing due is armed again. */
const LONGEST_WAIT_MS = 3_600_000;
const BATCH_MS = 5;
const FIRST_WITHIN_MS = 1000;

export class CheckRunner {
  readonly #options: RunnerOptions;
  readonly #probes: Places<Job>;
  readonly #programs: Places<Job>;
  readonly #jobs = new Map<string, Job>();
  readonly #queue = new DueQueue<Job>();
  #isAdmitting = false;
  #made = 0;
  #worstLateMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #batch: ReportedVerdict[] = [];
  #batchTimer: NodeJS.Timeout | undefined;

  constructor(options: RunnerOptions) {
    this.#options = options;
    this.#probes = new Places(options.maxInFlight ?? MAX_IN_FLIGHT);
    this.#programs = new Places(options.maxPrograms ?? MAX_PROGRAMS);
  }

  /** The checks to make from now on. Those that were already made go on undisturbed. */
  setChecks(checks: readonly Check[]): void {
    const wanted = new Set(checks.map(({ key }) => key));
    for (const [key, job] of this.#jobs) {
      if (wanted.has(key)) continue;
      this.#jobs.delete(key);
      this.#drop(job);
    }
    const now = this.#options.now();
    for (const check of checks) {
      if (this.#jobs.has(check.key)) continue;
      const fraction = phaseOf(check.key);
      const job: Job = {
        check,
        prober: this.#options.proberOf(check),
        phase: fraction * check.intervalMs,
        dueAt: now,
        queueIndex: -1,
        state: 'idle',
        startedAt: now,
        running: undefined,
        probe: 0,
        isSlow: false,
        places: check.procedure.kind === 'program' ? this.#programs : this.#probes,
        leave: () => {},
      };
      this.#jobs.set(check.key, job);
      const within = Math.min(check.intervalMs, FIRST_WITHIN_MS);
      this.#queue.schedule(job, after(now, fraction * within));
    }
    this.#admit(now);
    this.#arm(now);
  }

  /** Ends every probe; verdicts that were not handed over yet are lost. */
  stop(): void {
    this.setChecks([]);
    clearTimeout(this.#timer);
    clearTimeout(this.#batchTimer);
    this.#timer = undefined;
    this.#batchTimer = undefined;
    this.#batch = [];
  }

  stats(): RunnerStats {
    const worstLateMs = this.#worstLateMs;
    this.#worstLateMs = 0;
    return {
      checks: this.#jobs.size,
      inFlight: this.#probes.taken + this.#programs.taken,
      waiting: this.#waiting,
      made: this.#made,
      worstLateMs,
    };
  }

  get #waiting(): number {
    return this.#probes.waiting + this.#programs.waiting;
  }

  #drop(job: Job): void {
    this.#queue.remove(job);
    job.places.unqueue(job);
    if (job.state !== 'running') return;
    job.running?.abort();
    this.#leave(job, job.running?.gone);
  }

  #tick(): void {
    const now = this.#options.now();
    for (let job = this.#queue.head; job !== undefined && job.dueAt <= now; ) {
      if (job.state === 'running') this.#expire(job);
      else if (job.state === 'ending') this.#skip(job, now);
      else {
        job.state = 'waiting';
        this.#queue.remove(job);
        job.places.queue(job);
      }
      job = this.#queue.head;
    }
    this.#admit(now);
    this.#arm(now);
  }

  /** As many of those in line as there are places for. */
  #admit(now: Instant): void {
    // A probe may end while it is begun; who begins it goes on with the line, or thousands of them would nest.
    if (this.#isAdmitting) return;
    this.#isAdmitting = true;
    for (const places of [this.#probes, this.#programs]) {
      for (let next = places.enter(); next !== undefined; next = places.enter()) {
        next.guest.leave = next.leave;
        this.#start(next.guest, now);
      }
    }
    this.#isAdmitting = false;
  }

  #start(job: Job, now: Instant): void {
    this.#worstLateMs = Math.max(this.#worstLateMs, now - job.dueAt);
    this.#made++;
    job.state = 'running';
    job.startedAt = now;
    const probe = ++job.probe;
    this.#queue.schedule(job, after(now, job.check.timeoutMs));
    const done = (verdict: Verdict) => {
      if (job.probe === probe && job.state === 'running') this.#finish(job, verdict);
    };
    try {
      const running = job.prober(done);
      if (job.state === 'running') job.running = running;
    } catch (error) {
      // node throws for a few refusals of the kernel that others get as an event.
      done(down('own-limits', `${checkText(job.check)}: ${errorCode(error)}`));
    }
  }

  #expire(job: Job): void {
    const missing = job.running?.abort() ?? 'a verdict';
    const limit = `${job.check.timeoutMs} ms`;
    const text = `${checkText(job.check)}: ${missing} not within ${limit}`;
    this.#finish(job, down('timeout', text), { gone: job.running?.gone });
  }

  /** What the last probe began is still there: nothing else is begun, and the server has not proven itself. */
  #skip(job: Job, now: Instant): void {
    this.#queue.schedule(job, nextOnGrid(now, job));
    const text = `${checkText(job.check)}: the program of an earlier probe has not ended`;
    this.#report({ check: job.check.key, verdict: down('timeout', text) });
  }

  /** `late`: it ran into its limit. */
  #finish(job: Job, verdict: Verdict, late?: { readonly gone: Promise<void> | undefined }): void {
    this.#leave(job, late?.gone);
    job.isSlow = late !== undefined;
    const now = this.#options.now();
    this.#queue.schedule(job, nextOnGrid(now, job));
    this.#options.onProbe?.(job.check, verdict, elapsedMs(job.startedAt, now));
    this.#report({ check: job.check.key, verdict });
    if (this.#waiting > 0) this.#admit(now);
    this.#arm(now);
  }

  #leave(job: Job, gone?: Promise<void>): void {
    job.running = undefined;
    if (gone === undefined) {
      job.state = 'idle';
      job.leave();
      return;
    }
    job.state = 'ending';
    void gone.then(() => {
      this.#leave(job);
      const now = this.#options.now();
      this.#admit(now);
      this.#arm(now);
    });
  }

  #report(verdict: ReportedVerdict): void {
    this.#batch.push(verdict);
    this.#batchTimer ??= setTimeout(() => {
      const batch = this.#batch;
      this.#batch = [];
      this.#batchTimer = undefined;
      this.#options.onVerdicts(batch);
    }, BATCH_MS);
  }

  #arm(now: Instant): void {
    const head = this.#queue.head;
    if (head === undefined || head.dueAt >= this.#timerAt) return;
    clearTimeout(this.#timer);
    const waitMs = Math.min(LONGEST_WAIT_MS, Math.max(TICK_MS, Math.ceil(head.dueAt - now)));
    this.#timerAt = now + waitMs;
    this.#timer = setTimeout(() => {
      this.#timerAt = Number.POSITIVE_INFINITY;
      this.#tick();
    }, waitMs);
  }
}

/** The first moment after `now` that lies `phase` milliseconds into an interval. */
function nextOnGrid(now: Instant, { phase, check: { intervalMs } }: Job): Instant {
  const turns = Math.floor((now - phase) / intervalMs) + 1;
  return after(now, turns * intervalMs + phase - now);
}

/** 0 to 1, the same for the same name for ever: FNV-1a, mixed once more because names end alike. */
export function phaseOf(name: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < name.length; index++) {
    hash = Math.imul(hash ^ name.charCodeAt(index), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}
