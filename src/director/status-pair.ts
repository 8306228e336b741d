/**
 * The parts of the status that tell of the pair: lease, rank, what the partner says of itself, who is asked. Pure.
 */
import type { IpAddress, Milliseconds } from '../base/index.ts';
import type { FailoverSettings, FailoverState, Partner } from '../core/index.ts';
import type { Reason, Verify } from '../model/index.ts';
import type { LeaseStatus } from './lease-keeper.ts';

/** What the worker says of rank and partner; plain data. */
export type RankSnapshot = {
  readonly epoch: number;
  /** The partner's, by what it says. */
  readonly dialect: 'unknown' | 'legacy' | 'extended';
  readonly partner?: PartnerWords;
  /** Nothing at all is heard on the VIP's segment. */
  readonly isDeaf: boolean;
  /** None of witness_hosts is heard. */
  readonly isIsolated?: boolean;
  /** Witnesses that answer us when asked from our own address. */
  readonly answering: readonly IpAddress[];
  /** Are witnesses asked; is there anybody to hear before a claim? */
  readonly isAsking: boolean;
  readonly isHearing: boolean;
};

/** The partner's own words in its last heartbeat of the extended dialect. */
export type PartnerWords = Pick<
  Partner,
  'role' | 'isEligible' | 'reason' | 'epoch' | 'leaseMs' | 'serialNo' | 'configDigest'
>;

export type PairStatus = {
  readonly epoch: number;
  /** What this director speaks: `auto` follows the partner. */
  readonly speaks: 'auto' | 'legacy';
  readonly isAuthenticated: boolean;
  readonly witness: {
    readonly verify: Verify;
    readonly isHearing: boolean;
    readonly isAsked: boolean;
  };
  readonly lease?: {
    readonly lengthMs: Milliseconds;
    readonly remainingMs?: Milliseconds;
    /** The gate's; `lifetimes`: there is none, the addresses end by themselves. */
    readonly hooks: 'in' | 'in+out' | 'lifetimes';
    readonly isProtected: boolean;
    readonly restored: number;
  };
  readonly partner: {
    readonly dialect: RankSnapshot['dialect'];
    readonly role?: string;
    readonly isEligible?: boolean;
    readonly reason?: Reason;
    readonly epoch?: number;
    readonly leaseMs?: Milliseconds;
    readonly serialNo?: number;
    readonly hasSameConfiguration?: boolean;
  };
};

export function rankSnapshot(state: FailoverState, answering: readonly IpAddress[]): RankSnapshot {
  const { epoch, partner } = state.extended;
  const rank = {
    epoch,
    dialect: state.partnerDialect,
    isDeaf: state.reason === 'deaf' && state.partnerSaid === 'nothing',
    isIsolated: state.extended.isIsolated,
    answering,
    isAsking: state.settings.verification?.asksWitnesses === true,
    isHearing: state.settings.extended?.hasWitness === true,
  };
  if (partner === undefined || state.partnerDialect !== 'extended') return rank;
  const {
    role,
    isEligible,
    reason,
    epoch: partnerEpoch,
    leaseMs,
    serialNo,
    configDigest,
  } = partner;
  const words = { role, isEligible, reason, epoch: partnerEpoch, leaseMs, serialNo, configDigest };
  return { ...rank, partner: words };
}

export function pairStatus(
  { extended, dialect }: FailoverSettings,
  verify: Verify,
  rank: RankSnapshot,
  lease: LeaseStatus | undefined,
): PairStatus {
  const words = rank.partner;
  return {
    epoch: rank.epoch,
    speaks: extended === undefined ? 'legacy' : dialect,
    isAuthenticated: (extended?.keys.length ?? 0) > 0,
    witness: {
      verify,
      isHearing: rank.isHearing,
      isAsked: rank.isAsking,
    },
    ...(lease !== undefined && { lease: leaseStatus(lease) }),
    partner: {
      dialect: rank.dialect,
      ...(words !== undefined && {
        role: words.role,
        isEligible: words.isEligible,
        reason: words.reason,
        epoch: words.epoch,
        leaseMs: words.leaseMs,
        serialNo: words.serialNo,
        hasSameConfiguration: words.configDigest === extended?.configDigest,
      }),
    },
  };
}

function leaseStatus({
  lengthMs,
  remainingMs,
  form,
  restored,
}: LeaseStatus): NonNullable<PairStatus['lease']> {
  return {
    lengthMs,
    ...(remainingMs !== undefined && { remainingMs: Math.round(remainingMs) }),
    hooks: hooksOf(form),
    isProtected: form.isProtected,
    restored,
  };
}

function hooksOf({ byLifetimes, hasEgress }: LeaseStatus['form']) {
  if (byLifetimes === true) return 'lifetimes';
  return hasEgress ? 'in+out' : 'in';
}
