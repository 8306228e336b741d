/**
 * The lease of a kernel without nf_tables: the VIPs themselves end, by their address lifetimes.
 *
 * A VIP is raised with a lifetime of whole seconds and renewed while its owner is alive; a director that is frozen or killed
 * renews nothing, and the kernel takes its addresses away. The kernel sweeps once a second: a lifetime of n seconds ends
 * between n and n + 1 (measured: never later than n + 0.98). So a lease of `ms` is kept by lifetimes of floor(ms / 1000) - 1
 * seconds, and what is short of two seconds cannot be kept at all.
 *
 * Weaker than the gate (lease.ts) in one more way: the kernel has no "renew it only if it lives", so that is judged by our
 * own clock just before the renewal. Rejected: one expiring route or rule for all VIPs; IPv4 has no such thing.
 *
 * Source: rtnetlink(7) IFA_CACHEINFO; net/ipv4/devinet.c check_lifetime, net/ipv6/addrconf.c.
 */
import {
  after,
  elapsedMs,
  type Instant,
  type IpAddress,
  type Milliseconds,
  type Result,
} from '../base/index.ts';
import type { AddressOperation, AddressRow, KernelAddresses, PortError } from '../model/index.ts';
import type { LeaseForm } from './lease.ts';
import type { AddressPort, Clock } from './types.ts';

/** Renewals closer together than this would only cost time. */
const RENEW_MS: Milliseconds = 200;
/** Each is a message to the kernel at every renewal, from the thread that keeps the heartbeats. */
export const MAX_LIFETIME_VIPS = 256;

/** The lifetime that keeps a lease of `ms`; undefined: none does. */
export function lifetimeSeconds(ms: Milliseconds): number | undefined {
  const seconds = Math.floor(ms / 1000) - 1;
  return seconds < 1 ? undefined : seconds;
}

export class LifetimeLease {
  readonly form: LeaseForm = { hasEgress: false, isProtected: false, byLifetimes: true };
  /** Nothing to listen to: what happens to addresses is told by the address port. */
  readonly eventFd = -1;
  /** The address port through which the VIPs are to be raised. */
  readonly addresses: AddressPort;
  readonly #inner: AddressPort;
  readonly #clock: Clock;
  #vips: ReadonlySet<IpAddress> = new Set();
  /** The VIPs that stand with a lifetime. */
  readonly #rows = new Map<IpAddress, AddressRow>();
  #seconds = 1;
  #renewedAt: Instant | undefined;
  #expiresAt: Instant | undefined;
  #claimUntil: Instant | undefined;

  constructor(inner: AddressPort, clock: Clock) {
    this.#inner = inner;
    this.#clock = clock;
    this.addresses = {
      eventFd: inner.eventFd,
      drainEvents: () => inner.drainEvents(),
      observe: (): Result<KernelAddresses, PortError> => inner.observe(),
      apply: (operations) => this.#apply(operations),
      close: () => inner.close(),
    };
  }

  /** The VIPs alone get a lifetime; what else is written stays for ever. */
  install(vips: readonly IpAddress[]): undefined {
    this.#vips = new Set(vips);
    return undefined;
  }

  remainingMs(): Milliseconds | undefined {
    if (this.#expiresAt === undefined) return undefined;
    const left = elapsedMs(this.#clock.now(), this.#expiresAt);
    return left > 0 ? left : undefined;
  }

  acquire(ms: Milliseconds): PortError | undefined {
    const seconds = lifetimeSeconds(ms);
    if (seconds === undefined) return tooShort(ms);
    this.#seconds = seconds;
    this.#granted();
    return undefined;
  }

  claim(ms: Milliseconds): undefined {
    this.#claimUntil = after(this.#clock.now(), ms);
    return undefined;
  }

  redeem(ms: Milliseconds): 'alive' | 'dead' | PortError {
    const isLate = this.#claimUntil === undefined || this.#claimUntil <= this.#clock.now();
    this.#claimUntil = undefined;
    return isLate ? 'dead' : (this.acquire(ms) ?? 'alive');
  }

  /** Renews what stands. Dead: the kernel may have taken it away already; nothing is raised again. */
  extend(ms: Milliseconds): 'alive' | 'dead' | PortError {
    if (this.remainingMs() === undefined) return 'dead';
    const seconds = lifetimeSeconds(ms);
    if (seconds === undefined) return tooShort(ms);
    const now = this.#clock.now();
    const isFresh = this.#renewedAt !== undefined && elapsedMs(this.#renewedAt, now) < RENEW_MS;
    if (isFresh && seconds === this.#seconds) return 'alive';
    this.#seconds = seconds;
    const errors = this.#inner.apply([...this.#rows.values()].map((row) => this.#add(row)));
    const error = errors.find((each) => each !== undefined);
    if (error !== undefined) return error;
    this.#granted();
    return 'alive';
  }

  /** Nothing is renewed from here on; the addresses are lowered next. */
  drop(): undefined {
    this.#expiresAt = undefined;
    this.#rows.clear();
    return undefined;
  }

  drainEvents(): boolean {
    return false;
  }

  restore(): undefined {
    return undefined;
  }

  remove(): undefined {
    this.#expiresAt = undefined;
    return undefined;
  }

  /** From now on, as long as the kernel surely keeps what was written last. */
  #granted(): void {
    const now = this.#clock.now();
    this.#renewedAt = now;
    this.#expiresAt = after(now, this.#seconds * 1000);
  }

  #apply(operations: readonly AddressOperation[]): readonly (PortError | undefined)[] {
    const answers = this.#inner.apply(
      operations.map((operation) =>
        operation.kind === 'add-address' ? this.#add(operation.row) : operation,
      ),
    );
    for (const [index, { kind, row }] of operations.entries()) {
      if (answers[index] !== undefined || !this.#vips.has(row.address)) continue;
      if (kind === 'add-address') this.#rows.set(row.address, row);
      else this.#rows.delete(row.address);
    }
    return answers;
  }

  #add(row: AddressRow): AddressOperation {
    const isVip = this.#vips.has(row.address);
    return { kind: 'add-address', row, ...(isVip && { validSeconds: this.#seconds }) };
  }
}

function tooShort(ms: Milliseconds): PortError {
  return {
    operation: 'keep a lease by address lifetimes',
    target: `${ms} ms`,
    code: 'too-short',
    kernelText: 'they count whole seconds: at least 2000 ms',
  };
}
