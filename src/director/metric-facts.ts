/** What metrics tell beside the status and the services: numbers that no person reads as they are. Pure. */
import type { IpAddress, Milliseconds } from '../base/index.ts';
import type { AuditResult } from './audit-log.ts';
import type { LedgerTotals, Totals } from './ledger.ts';
import type { PulseSnapshot } from './messages.ts';
import type { PulseMeters } from './meters.ts';
import type { PulsePlan } from './plan.ts';

export type MetricFacts = {
  readonly wallMs: number;
  readonly meters: PulseMeters;
  readonly totals: LedgerTotals;
  /** 0: no lease is kept. */
  readonly leaseMs: Milliseconds;
  /** First 16 hexadecimal digits of the SHA-256 of lvs.cf. */
  readonly configDigest: string;
  readonly configWarnings: number;
  /** Witnesses that answer us when asked from our own address. */
  readonly answering: readonly IpAddress[];
  /** Left to confirm the change that waits; 0: none waits. */
  readonly pendingMs: Milliseconds;
  /** Entries of the audit in this life, by action and result; attempts that a flood kept out of it are counted, too. */
  readonly audited: Totals<string, AuditResult>;
  /** Of the flight recordings on the disk. */
  readonly recordedBytes: number;
};

export function metricFacts(
  snapshot: PulseSnapshot,
  { failover }: PulsePlan,
  totals: LedgerTotals,
  rest: Omit<MetricFacts, 'meters' | 'totals' | 'leaseMs' | 'configDigest' | 'answering'>,
): MetricFacts {
  return {
    ...rest,
    meters: snapshot.meters,
    totals,
    leaseMs: snapshot.lease?.lengthMs ?? 0,
    configDigest: failover.extended?.configDigest ?? '',
    answering: snapshot.rank?.answering ?? [],
  };
}
