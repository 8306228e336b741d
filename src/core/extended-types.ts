/** What the extended dialect needs to know and to remember (docs/protocol.md, docs/failover.md). */
import type { Instant, IpAddress, MacAddress, Milliseconds } from '../base/index.ts';
import type { Reason } from '../model/index.ts';
import type { ExtendedRole } from '../wire/index.ts';

export type ExtendedSettings = {
  /** Names this life: later lives have higher ones (wire/trailer.ts). */
  readonly incarnation: number;
  /** How long a claim must stand undisturbed: more than two one-way delays. 20 ms on a LAN. */
  readonly settleMs: Milliseconds;
  /** The longest one-way delay reckoned with; a claim is repeated at this interval. A quarter of settleMs. */
  readonly delayMs: Milliseconds;
  /** Length of the kernel lease; 0: the kernel keeps none. */
  readonly leaseMs: Milliseconds;
  /** HMAC keys: the first signs, each is accepted (rotation). Empty: heartbeats are not authenticated. */
  readonly keys: readonly Uint8Array[];
  readonly serialNo: number;
  readonly configDigest: string;
  readonly linkAddresses: readonly MacAddress[];
  /** R10: is there anybody on the VIP's segment to ask before claiming? */
  readonly hasWitness: boolean;
  /** witness_hosts on a segment of the VIPs: who hears none of them is isolated (hearing.ts). */
  readonly namesWitnesses: boolean;
};

/** What was last heard of the partner. */
export type Partner = {
  readonly incarnation: number;
  readonly sequence: number;
  readonly role: ExtendedRole;
  readonly epoch: number;
  readonly moves: number;
  readonly isEligible: boolean;
  readonly reason: Reason;
  readonly echo: { readonly incarnation: number; readonly sequence: number } | undefined;
  readonly intervalMs: Milliseconds;
  readonly leaseMs: Milliseconds;
  readonly linkAddresses: readonly MacAddress[];
  /** For people: does it run the same file? */
  readonly serialNo: number;
  readonly configDigest: string;
  /** It has echoed this life of ours: it cannot be a replay from another time. */
  readonly isProven: boolean;
};

/** An active node asks a rival that it outranks: do you hear me? */
export type Ask = { readonly sequence: number; readonly at: Instant };

/** A claim that settles. */
export type Claim = {
  readonly settleAt: Instant;
  /** Another claim was heard: RUNNING of anyone ends this one. */
  readonly isContested: boolean;
};

export type ExtendedState = {
  readonly sequence: number;
  readonly epoch: number;
  readonly maxEpoch: number;
  readonly moves: number;
  /** The first sequence said as a standby: an echo of it or a later one proves that the partner knows. */
  readonly since: number;
  readonly claim: Claim | undefined;
  readonly ask: Ask | undefined;
  /** The partner's life and moves over which we last announced. */
  readonly told: { readonly incarnation: number; readonly moves: number } | undefined;
  /** The segment may still believe us: an owner that does not hear us is to be announced by us, once. */
  readonly owesAnnouncement: boolean;
  readonly partner: Partner | undefined;
  /** R10: when the segment was asked, and when anything was last heard on it. */
  readonly askedSegmentAt: Instant | undefined;
  readonly segmentHeardAt: Instant | undefined;
  /** The first question that none of the named witnesses has answered; undefined: the last one was answered. */
  readonly unheardSince: Instant | undefined;
  /** None of the named witnesses is heard: not eligible. */
  readonly isIsolated: boolean;
};

export const NOTHING_SAID: ExtendedState = {
  sequence: 0,
  epoch: 0,
  maxEpoch: 0,
  moves: 0,
  since: 1,
  claim: undefined,
  ask: undefined,
  told: undefined,
  owesAnnouncement: true,
  partner: undefined,
  askedSegmentAt: undefined,
  segmentHeardAt: undefined,
  unheardSince: undefined,
  isIsolated: false,
};

/** Where a heartbeat came from and went to. */
export type Arrival = { readonly from: IpAddress; readonly to: IpAddress; readonly now: Instant };
