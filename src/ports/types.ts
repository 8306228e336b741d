/**
 * The interfaces of the Linux hands. Everything is synchronous and non-blocking (except `Poller.wait`), because the
 * pulse worker never returns to an event loop. Each has a Linux twin in this room; tests and the simulator have others.
 */
import type { Instant, IpAddress, Milliseconds, Result } from '../base/index.ts';
import type {
  AddressOperation,
  KernelAddresses,
  PortError,
  ServiceRow,
  TableOperation,
} from '../model/index.ts';
import type { IpvsCounters, IpvsDestination } from '../wire/index.ts';

export interface Clock {
  /** CLOCK_BOOTTIME in milliseconds with fractions. */
  now(): Instant;
}

export type Datagram = {
  readonly from: IpAddress;
  readonly port: number;
  readonly bytes: Uint8Array;
};

/** A bound UDP socket of one heartbeat path. */
export interface HeartbeatSocket {
  readonly fd: number;
  /** Everything that waits, at most `max` (64 unless told); empty when nothing does. */
  receive(max?: number): readonly Datagram[];
  send(to: IpAddress, port: number, bytes: Uint8Array): PortError | undefined;
  close(): void;
}

/** A raw link-layer socket bound to one interface. */
export interface PacketSocket {
  readonly fd: number;
  send(frame: Uint8Array): PortError | undefined;
  /** Whole frames from the destination address on; empty when nothing waits. */
  receive(max?: number): readonly Uint8Array[];
  close(): void;
}

/** A netlink socket. */
export interface NetlinkSocket {
  readonly fd: number;
  /**
   * Sends messages back to back (they are given sequence numbers here) and waits for the end of each answer: an
   * acknowledgement, an error or the end of a dump. Answers come in the order of the requests.
   * `timeoutMs` bounds the whole call (1000 unless told).
   */
  request(
    messages: readonly Uint8Array[],
    timeoutMs?: Milliseconds,
  ): Result<readonly NetlinkAnswer[], PortError>;
  /** Multicast notifications that wait; `overrun` when the kernel had to drop some (ENOBUFS): observe afresh. */
  receive(): { readonly messages: readonly Uint8Array[]; readonly overrun: boolean };
  close(): void;
}

/** The answer to one request: the messages of a dump, and an errno (0 = success) with the kernel's text. */
export type NetlinkAnswer = {
  readonly messages: readonly Uint8Array[];
  readonly errno: number;
  readonly kernelText?: string;
};

/** Waits on file descriptors without the event loop (ppoll). */
export interface Poller {
  /** Returns those that are readable (or hung up); empty after `timeoutMs`. Infinity waits for ever. */
  wait(fds: readonly number[], timeoutMs: Milliseconds): readonly number[];
}

/** Addresses and links of this network namespace. */
export interface AddressPort {
  /** Becomes readable when links or addresses change. */
  readonly eventFd: number;
  /** Drains the events; true when something changed that calls for a fresh `observe`. */
  drainEvents(): boolean;
  observe(): Result<KernelAddresses, PortError>;
  /** Pipelined; one entry per operation, undefined where it succeeded. */
  apply(operations: readonly AddressOperation[]): readonly (PortError | undefined)[];
  close(): void;
}

/** One run of an outside program. argv[0] is an absolute path or is searched in PATH; no shell ever. */
export type SpawnRequest = {
  readonly argv: readonly string[];
  readonly timeoutMs: Milliseconds;
  /** Numeric user to run as; absent: as ourselves. */
  readonly uid?: number;
  readonly gid?: number;
  /** Bytes of standard output to keep (0-65536). */
  readonly maxOutput: number;
};

export type SpawnOutcome =
  | { readonly kind: 'exited'; readonly status: number; readonly output: Uint8Array }
  | { readonly kind: 'killed'; readonly signal: number; readonly output: Uint8Array }
  | { readonly kind: 'timeout'; readonly output: Uint8Array }
  | { readonly kind: 'failed'; readonly error: PortError };

/** The tiny child forked first; the fat process never forks. */
export interface Spawner {
  run(request: SpawnRequest): Promise<SpawnOutcome>;
  close(): void;
}

/** One virtual service as the data plane holds it, with its traffic. */
export type ObservedService = {
  readonly service: ServiceRow;
  readonly counters: IpvsCounters;
  readonly destinations: readonly IpvsDestination[];
};

/** A data plane: IPVS, or nftables where the kernel has none. The same rows, the same plan. */
export interface TablePort {
  readonly plane: 'ipvs' | 'nftables';
  observe(): Answer<Result<readonly ObservedService[], PortError>>;
  /** In order; one entry per operation, undefined where it succeeded. */
  apply(operations: readonly TableOperation[]): Answer<readonly (PortError | undefined)[]>;
  close(): void;
}

/** At once (IPVS, over netlink) or after an outside program has run (nftables). */
type Answer<T> = T | Promise<T>;
