/**
 * Orders of an operator: takeover, resign, maintenance. One at a time, each followed until what it was meant for is true.
 *
 * An order is refused with the reason when it would leave no owner; else whoever gave it hears what has happened so far,
 * and asks again for the rest: its steps, each with its milliseconds, and whether it is done.
 *
 * A takeover is done when the witnesses believe it, a resignation when the partner says that it is active. Rejected: an
 * answer that waits for the end. Whoever asks may go away, and the socket drops whoever is silent for two seconds.
 */
import {
  elapsedMs,
  err,
  type Instant,
  type IpAddress,
  type Milliseconds,
  ok,
  type Result,
} from '../base/index.ts';
import type { Note, OperatorOrder } from '../core/index.ts';
import type { Refusal } from './face.ts';
import type { FromWorker, PulseSnapshot, ToWorker } from './messages.ts';
import type { PulsePlan } from './plan.ts';

export const ORDERS = ['takeover', 'resign', 'maintenance-on', 'maintenance-off'] as const;

export type OrderReport = {
  readonly order: OperatorOrder;
  readonly state: 'working' | 'done' | 'failed';
  /** What happened, and how long after the order. */
  readonly steps: readonly { readonly text: string; readonly afterMs: Milliseconds }[];
};

export type OrderAnswer = Result<OrderReport, Refusal>;

const LIMIT_MS: Milliseconds = 10_000;
const LOOK_MS: Milliseconds = 20;
const LONGEST_MS: Milliseconds = 24 * 3600 * 1000;

type Work = {
  readonly order: OperatorOrder;
  readonly startedAt: Instant;
  readonly wasActive: boolean;
  readonly unbelieved: Set<IpAddress>;
  readonly steps: { text: string; afterMs: Milliseconds }[];
  state: OrderReport['state'];
  readonly timers: readonly NodeJS.Timeout[];
};

export class Orders {
  readonly #post: (message: ToWorker) => void;
  readonly #plan: () => PulsePlan;
  readonly #tell: (text: string) => void;
  #waiting:
    | { readonly order: OperatorOrder; readonly settle: (answer: OrderAnswer) => void }
    | undefined;
  #work: Work | undefined;

  /** `tell`: how far an order is, as sentences. */
  constructor(
    post: (message: ToWorker) => void,
    plan: () => PulsePlan,
    tell: (text: string) => void = () => {},
  ) {
    this.#post = post;
    this.#plan = plan;
    this.#tell = tell;
  }

  /** The worker has carried it out, or refused. */
  ordered({ at, isActive, refusal }: Extract<FromWorker, { kind: 'ordered' }>): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    this.#waiting = undefined;
    if (refusal !== undefined) {
      this.#tell(`order ${waiting.order} refused: ${refusal}`);
      waiting.settle(err({ reason: 'refused', text: refusal }));
      return;
    }
    this.#work = {
      order: waiting.order,
      startedAt: at,
      wasActive: isActive,
      unbelieved: askedAbout(this.#plan()),
      steps: [],
      state: 'working',
      timers: [
        setInterval(() => this.#post({ kind: 'report' }), LOOK_MS),
        setTimeout(() => this.#end('failed', `not done within ${LIMIT_MS / 1000} s`), LIMIT_MS),
      ],
    };
    const isAtOnce =
      waiting.order === 'maintenance-off' || (waiting.order !== 'takeover' && !isActive);
    if (isAtOnce) this.#end('done', `${waiting.order}: this director is not active, nothing moves`);
    waiting.settle(this.last());
  }

  noted(note: Note, at: Instant): void {
    const work = this.#work;
    if (work?.state !== 'working') return;
    const step = (text: string): void => this.#step(work, text, elapsedMs(work.startedAt, at));
    if (note.kind === 'role') {
      step(`${note.from} -> ${note.to} (${note.reason})`);
      const isLost = note.to !== 'claim' && note.to !== 'active';
      if (work.order === 'takeover' && isLost) this.#end('failed', `it failed: ${note.reason}`, at);
    }
    if (work.order !== 'takeover') return;
    if (note.kind === 'believed') {
      step(
        `${note.witness} sends ${note.vips.length === 1 ? note.vips[0] : `${note.vips.length} VIPs`} here`,
      );
      for (const vip of note.vips) work.unbelieved.delete(vip);
      if (work.unbelieved.size === 0) this.#end('done', undefined, at);
    }
    if (note.kind === 'unbelieved') {
      this.#end('failed', 'active, but no witness is known to believe it', at);
    }
  }

  saw({ at, role, addresses, partnerSaid }: PulseSnapshot): void {
    const work = this.#work;
    if (work?.state !== 'working') return;
    if (work.order === 'takeover') {
      const isUnasked = this.#plan().failover.verification?.asksWitnesses !== true;
      const isUp = role === 'active' && addresses.isSettled;
      if (isUnasked && isUp) this.#end('done', 'active; nobody is asked to believe it', at);
    } else if (role !== 'active' && addresses.isSettled && partnerSaid === 'running') {
      this.#end('done', 'the partner is active', at);
    }
  }

  /** No order is followed any more. */
  close(): void {
    for (const timer of this.#work?.timers ?? []) clearTimeout(timer);
  }

  /** Settles when the worker has heard it, with what has happened so far. `forMs` belongs to resign. */
  give(order: OperatorOrder, forMs?: Milliseconds): Promise<OrderAnswer> {
    if (forMs !== undefined && (order !== 'resign' || forMs < 1 || forMs > LONGEST_MS)) {
      return refuse('bad-request', 'forMs belongs to resign: milliseconds, at most a day');
    }
    if (this.#waiting !== undefined || this.#work?.state === 'working') {
      return refuse('busy', 'another order is being carried out');
    }
    return new Promise((settle) => {
      this.#waiting = { order, settle };
      this.#post({ kind: 'order', order, ...(forMs !== undefined && { forMs }) });
    });
  }

  /** The last order and what has come of it. */
  last(): OrderAnswer {
    if (this.#work === undefined) return err({ reason: 'no-order', text: 'no order yet' });
    const { order, state, steps } = this.#work;
    return ok({ order, state, steps });
  }

  #end(state: 'done' | 'failed', text: string | undefined, at?: Instant): void {
    const work = this.#work;
    if (work?.state !== 'working') return;
    const last = work.steps.at(-1)?.afterMs ?? 0;
    const afterMs = at === undefined ? last : elapsedMs(work.startedAt, at);
    if (text !== undefined) this.#step(work, text, afterMs);
    work.state = state;
    this.#tell(`order ${work.order}: ${state} (order-${state})`);
    this.close();
  }

  #step(work: Work, text: string, afterMs: Milliseconds): void {
    work.steps.push({ text, afterMs });
    this.#tell(`order ${work.order}: ${text}, ${afterMs.toFixed(1)} ms after it was given`);
  }
}

async function refuse(reason: Refusal['reason'], text: string): Promise<OrderAnswer> {
  return err({ reason, text });
}

/** The VIPs that somebody can be asked about: the others are never proved, and not waited for. */
function askedAbout({ failover }: PulsePlan): Set<IpAddress> {
  const unasked = new Set(failover.verification?.unasked);
  return new Set(failover.vips.filter((vip) => !unasked.has(vip)));
}
