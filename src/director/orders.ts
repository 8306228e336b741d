/**
 * Orders of an operator: takeover, resign, maintenance. One at a time, each followed until what it was meant for is true.
 *
 *   POST /v1/role { order, forMs? }   409 with the reason when it would leave no owner; else what has happened so far
 *   GET  /v1/role                     the last order: its steps, each with its milliseconds, and whether it is done
 *
 * A takeover is done when the witnesses believe it, a resignation when the partner says that it is active. Rejected: an
 * answer that waits for the end. Whoever asks may go away, and the socket drops whoever is silent for two seconds.
 */
import { elapsedMs, type Instant, type IpAddress, type Milliseconds } from '../base/index.ts';
import type { Note, OperatorOrder } from '../core/index.ts';
import type { FromWorker, PulseSnapshot, ToWorker } from './messages.ts';
import type { PulsePlan } from './plan.ts';
import type { Answer, Route, Routes } from './status-server.ts';

export const ORDERS = ['takeover', 'resign', 'maintenance-on', 'maintenance-off'] as const;

export type OrderReport = {
  readonly order: OperatorOrder;
  readonly state: 'working' | 'done' | 'failed';
  /** What happened, and how long after the order. */
  readonly steps: readonly { readonly text: string; readonly afterMs: Milliseconds }[];
};

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
  #waiting:
    | { readonly order: OperatorOrder; readonly settle: (answer: Answer) => void }
    | undefined;
  #work: Work | undefined;

  constructor(post: (message: ToWorker) => void, plan: () => PulsePlan) {
    this.#post = post;
    this.#plan = plan;
  }

  get routes(): Routes {
    const route: Route = { POST: (body) => this.#take(body), GET: async () => this.#report() };
    return new Map([['/v1/role', route]]);
  }

  /** The worker has carried it out, or refused. */
  ordered({ at, isActive, refusal }: Extract<FromWorker, { kind: 'ordered' }>): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    this.#waiting = undefined;
    if (refusal !== undefined) {
      waiting.settle({ code: 409, body: { title: refusal, status: 409 } });
      return;
    }
    this.#work = {
      order: waiting.order,
      startedAt: at,
      wasActive: isActive,
      unbelieved: new Set(this.#plan().failover.vips),
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
    waiting.settle(this.#report());
  }

  noted(note: Note, at: Instant): void {
    const work = this.#work;
    if (work?.state !== 'working') return;
    const step = (text: string): void => {
      work.steps.push({ text, afterMs: elapsedMs(work.startedAt, at) });
    };
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

  #take(body: unknown): Promise<Answer> {
    const [word, forMs] = [fieldOf(body, 'order'), fieldOf(body, 'forMs')];
    const order = ORDERS.find((known) => known === word);
    if (order === undefined) return problem(400, `an order is wanted: ${ORDERS.join(', ')}`);
    const isTime = typeof forMs === 'number' && forMs >= 1 && forMs <= LONGEST_MS;
    if (forMs !== undefined && !(isTime && order === 'resign')) {
      return problem(400, 'forMs belongs to resign: milliseconds, at most a day');
    }
    if (this.#waiting !== undefined || this.#work?.state === 'working') {
      return problem(409, 'another order is being carried out');
    }
    return new Promise((settle) => {
      this.#waiting = { order, settle };
      this.#post({ kind: 'order', order, ...(isTime && { forMs }) });
    });
  }

  #report(): Answer {
    if (this.#work === undefined)
      return { code: 404, body: { title: 'no order yet', status: 404 } };
    const { order, state, steps } = this.#work;
    const report: OrderReport = { order, state, steps };
    return { code: 200, body: report };
  }

  #end(state: 'done' | 'failed', text: string | undefined, at?: Instant): void {
    const work = this.#work;
    if (work?.state !== 'working') return;
    const last = work.steps.at(-1)?.afterMs ?? 0;
    const afterMs = at === undefined ? last : elapsedMs(work.startedAt, at);
    if (text !== undefined) work.steps.push({ text, afterMs });
    work.state = state;
    this.close();
  }
}

async function problem(code: number, title: string): Promise<Answer> {
  return { code, body: { title, status: code } };
}

function fieldOf(body: unknown, name: string): unknown {
  return typeof body === 'object' && body !== null
    ? new Map(Object.entries(body)).get(name)
    : undefined;
}
