/**
 * Which lease this kernel keeps: the gate, else address lifetimes, else none, said as such.
 *
 * A director ran here before there were leases, and a deadtime that lifetimes cannot serve is no reason to refuse it now:
 * it runs without a lease, as it did, and says so at the start and in status. Who names `lease_ms` wants a lease; when
 * it cannot be kept, the start is refused.
 */
import { err, type Milliseconds, ok, type Result } from '../base/index.ts';
import { type FailoverSettings, longestLeaseMs, renewalMs } from '../core/index.ts';
import type { PortError } from '../model/index.ts';
import {
  type AddressPort,
  type Clock,
  LifetimeLease,
  lifetimeSeconds,
  MAX_LIFETIME_VIPS,
} from '../ports/index.ts';
import type { LeasePort } from './lease-keeper.ts';
import { portErrorText } from './sentences.ts';

export type ChosenLease = {
  readonly lease?: LeasePort;
  /** Through which the VIPs are raised. */
  readonly addresses: AddressPort;
  /** Why a reload to these settings cannot be: their lease could not be kept any more. */
  readonly leaseUnfit?: (failover: FailoverSettings) => PortError | undefined;
  /** To be told when the life begins. */
  readonly told?: string;
};

/** One late renewal must not end it: the kernel takes an address away up to this much before its second. */
const SWEEP_MS: Milliseconds = 100;

/** Without a gate. `why`: what the kernel said to it. */
export function chooseLease(
  failover: FailoverSettings,
  why: PortError,
  ports: { readonly addresses: AddressPort; readonly clock: Clock },
): Result<ChosenLease, PortError> {
  const { addresses, clock } = ports;
  const leaseMs = failover.extended?.leaseMs ?? 0;
  if (!isLeaseWanted(failover)) return ok({ addresses });
  const unfit = lifetimesUnfit(failover);
  if (unfit === undefined) {
    const lease = new LifetimeLease(addresses, clock);
    const seconds = lifetimeSeconds(leaseMs);
    const form = `the VIPs end by address lifetimes of ${seconds} s`;
    const told = `no kernel gate: ${portErrorText(why)}; ${form} (lease-by-lifetimes)`;
    return ok({ lease, addresses: lease.addresses, leaseUnfit: lifetimesUnfit, told });
  }
  if (leaseMs < longestLeaseMs(failover)) return err(unfit);
  const risk = 'no kernel lease, a frozen director would go on answering';
  const told = `${risk}: ${portErrorText(why)}; ${portErrorText(unfit)} (no-lease)`;
  return ok({ addresses, told });
}

function isLeaseWanted({ paths, dialect, extended }: FailoverSettings): boolean {
  return paths.length > 0 && dialect !== 'legacy' && (extended?.leaseMs ?? 0) > 0;
}

/** Why a lease of these settings cannot be kept by lifetimes; undefined: it can. */
export function lifetimesUnfit(failover: FailoverSettings): PortError | undefined {
  if (!isLeaseWanted(failover)) return undefined;
  const leaseMs = failover.extended?.leaseMs ?? 0;
  const seconds = lifetimeSeconds(leaseMs);
  const refuse = (kernelText: string): PortError => ({
    operation: 'keep a lease by address lifetimes',
    target: `lease of ${leaseMs} ms, ${failover.vips.length} VIPs`,
    code: 'unfit',
    kernelText,
  });
  if (failover.vips.length > MAX_LIFETIME_VIPS) {
    return refuse(`they are for ${MAX_LIFETIME_VIPS} VIPs at most`);
  }
  if (seconds === undefined || seconds * 1000 - SWEEP_MS < 2 * renewalMs(failover)) {
    return refuse('they count whole seconds and end up to one late: a longer deadtime is needed');
  }
  return undefined;
}
