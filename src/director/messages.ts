/**
 * What the main thread and the pulse worker say to each other, and the few numbers they share.
 *
 * The idea: messages are plain data (structured clone), each a closed union; liveness goes through shared memory,
 * because a wedged thread posts nothing. Rejected: one thread calling the other's functions through a remote
 * facade, which hides that neither may wait for the other.
 */
import type { Instant, Milliseconds } from '../base/index.ts';
import type { CoreRecord, DropReason, Note, OperatorOrder } from '../core/index.ts';
import type { Gateway, PathName, PortError, Reason, Role } from '../model/index.ts';
import type { LeaseStatus } from './lease-keeper.ts';
import type { PulseMeters } from './meters.ts';
import type { PulsePlan } from './plan.ts';
import type { RankSnapshot } from './status-pair.ts';

/** The first that the worker is told. */
export type WorkerSetup = {
  readonly plan: PulsePlan;
  readonly shared: SharedArrayBuffer;
  /** Readable when main has posted something. */
  readonly doorbellFd: number;
};

export type ToWorker =
  /** The checks are passed: touch the world. */
  | { readonly kind: 'begin'; readonly isForcedActive: boolean }
  | { readonly kind: 'settings'; readonly plan: PulsePlan }
  /** Somebody asks for the status: answer with a fresh snapshot. */
  | { readonly kind: 'report' }
  /** An operator's word; answered by `ordered`. */
  | { readonly kind: 'order'; readonly order: OperatorOrder; readonly forMs?: Milliseconds }
  /** The default routes changed. */
  | { readonly kind: 'gateways'; readonly gateways: readonly Gateway[] }
  /** hard_shutdown = 1: the virtual services have failed as a whole. Or, with service = fos: those of the partner. */
  | { readonly kind: 'services'; readonly health: 'failed' | 'partner-failed' }
  | { readonly kind: 'stop' };

export type FromWorker =
  /** Sockets are open; `schedulingRefusal` is why there is no real-time class. */
  | {
      readonly kind: 'ready';
      readonly worstLateMs: Milliseconds;
      /** The lease of an earlier life still lives: every millisecond counts. */
      readonly isResuming: boolean;
      readonly schedulingRefusal?: string;
    }
  /** It could not open what it needs; nothing was touched. */
  | { readonly kind: 'refused'; readonly error: PortError }
  | {
      readonly kind: 'note';
      readonly note: Note;
      readonly at: Instant;
      readonly suppressed: number;
    }
  | { readonly kind: 'hook'; readonly hook: 'active' | 'inactive' }
  /** The kernel refused something; told once until it changes. */
  | { readonly kind: 'trouble'; readonly text: string }
  | { readonly kind: 'repaired'; readonly vips: readonly string[] }
  /** `isActive`: the role in which the order was heard. */
  | {
      readonly kind: 'ordered';
      readonly at: Instant;
      readonly isActive: boolean;
      readonly refusal?: string;
    }
  | { readonly kind: 'reloaded'; readonly refusal?: PortError }
  /** For the flight recorder. */
  | { readonly kind: 'recorded'; readonly records: readonly CoreRecord[] }
  | { readonly kind: 'snapshot'; readonly snapshot: PulseSnapshot }
  | { readonly kind: 'exit' };

/** The worker's state as others may see it. */
export type PulseSnapshot = {
  readonly at: Instant;
  readonly role: Role;
  readonly reason: Reason;
  readonly since: Instant;
  /** Does the kernel hold what the role asks for? The text is the kernel's refusal. */
  readonly addresses: { readonly isSettled: boolean; readonly refusal?: string };
  /** The partner's last word; `nothing` after a deadtime of silence. */
  readonly partnerSaid: 'nothing' | 'running' | 'stopped';
  /** The last valid heartbeat of the partner. */
  readonly heardAt: { readonly [path in PathName]?: Instant };
  readonly linksDown: readonly PathName[];
  /** Absent: no lease is kept. */
  readonly lease?: LeaseStatus;
  /** Absent: a worker of the legacy dialect alone. */
  readonly rank?: RankSnapshot;
  readonly counters: PulseCounters;
  /** For metrics alone. */
  readonly meters: PulseMeters;
};

export type PulseCounters = {
  sent: { [path in PathName]: number };
  sendErrors: { [path in PathName]: number };
  received: { [path in PathName]: number };
  dropped: { [reason in DropReason]?: number };
  announced: number;
  announceErrors: number;
  repaired: number;
  lateWakes: number;
  worstLateMs: number;
};

export function zeroCounters(): PulseCounters {
  const perPath = () => ({ public: 0, private: 0 });
  return {
    sent: perPath(),
    sendErrors: perPath(),
    received: perPath(),
    dropped: {},
    announced: 0,
    announceErrors: 0,
    repaired: 0,
    lateWakes: 0,
    worstLateMs: 0,
  };
}

/** Two counters that only ever grow; a reader sees life by their moving. Atomics, so that neither side ever waits. */
export class Pulsebeat {
  readonly buffer: SharedArrayBuffer;
  readonly #cells: Int32Array;

  constructor(buffer = new SharedArrayBuffer(8)) {
    this.buffer = buffer;
    this.#cells = new Int32Array(buffer);
  }

  /** Main is alive. */
  beatMain(): void {
    Atomics.add(this.#cells, 0, 1);
  }

  /** The worker finished a turn. */
  beatWorker(): void {
    Atomics.add(this.#cells, 1, 1);
  }

  mainBeats(): number {
    return Atomics.load(this.#cells, 0);
  }

  workerBeats(): number {
    return Atomics.load(this.#cells, 1);
  }
}
