/**
 * The face of the failover machine: what goes in, what comes out.
 *
 * One synchronous function, `step(state, input) -> { state, effects }`; `wakeAt(state)` is the earliest deadline of
 * the state. Bytes and time come in as data. The director's pulse worker turns the crank on real sockets, the
 * simulator (src/sim) on imagined ones; the flight recorder replays. All three run this very code.
 *
 * Contract with the crank:
 * - `now` never goes backwards. One read of the clock per turn: every datagram drained in a turn and the `wake`
 *   that ends it carry the same `now`. Sockets are drained before `wake` is fed.
 * - Effects are carried out in order. A `converge` is answered, sooner or later, by a `converged` with its number;
 *   the answer to an older number is ignored by the core.
 * - `announce` names VIPs; the crank builds the frames with the device's own link-layer address and checks that the
 *   core still is active before each frame (a long queue can outlive the role); `cancel-announcements` empties it.
 */
import type { Instant, IpAddress, Milliseconds } from '../base/index.ts';
import type { Dialect, Failback, Node, PathName, Reason, Role } from '../model/index.ts';
import type { ExtendedSettings } from './extended-types.ts';

/** One heartbeat path: our address on it and the partner's. */
export type Path = {
  readonly name: PathName;
  readonly own: IpAddress;
  readonly partner: IpAddress;
};

/** The part of the configuration that the failover machine needs. */
export type FailoverSettings = {
  readonly node: Node;
  /** Absent: lvs. A pair of `service = fos` has words of its own (fos.ts). */
  readonly service?: 'fos';
  /** Empty when `backup_active = 0`: nothing is sent, the VIPs are taken after a deadtime. */
  readonly paths: readonly Path[];
  readonly keepaliveMs: Milliseconds;
  readonly deadtimeMs: Milliseconds;
  readonly dialect: Dialect;
  readonly failback: Failback;
  /** monitor_links; ignored without a partner. */
  readonly monitorLinks: boolean;
  /** Every floating address, the NAT router's included. */
  readonly vips: readonly IpAddress[];
  /** Absent: announcements are neither verified nor repeated (`verify = off`, and the simulator's legacy runs). */
  readonly verification?: VerificationSettings;
  /** Absent: the legacy dialect only. */
  readonly extended?: ExtendedSettings;
};

export type VerificationSettings = {
  /** Ask witnesses whether they believe us; false where there is nobody to ask. */
  readonly asksWitnesses: boolean;
  /** VIPs about which there is nobody to ask: none of their address family, or none on their segment. */
  readonly unasked: readonly IpAddress[];
  /** Between the slow repetitions of an owner's announcement; 0: none. Switch tables age faster than ARP. */
  readonly refreshMs: Milliseconds;
};

export type Input =
  /** The first input of a life. `hasLiveLease`: the lease of an earlier life was found alive and extended. */
  | {
      readonly kind: 'start';
      readonly now: Instant;
      readonly isForcedActive: boolean;
      readonly hasLiveLease?: boolean;
    }
  | {
      readonly kind: 'datagram';
      readonly now: Instant;
      /** The socket it arrived on. */
      readonly path: PathName;
      readonly from: IpAddress;
      readonly bytes: Uint8Array;
    }
  /** A deadline may have passed. Always the last input of a turn. */
  | { readonly kind: 'wake'; readonly now: Instant }
  /** The kernel holds wish `wish`, or refused it. */
  | {
      readonly kind: 'converged';
      readonly now: Instant;
      readonly wish: number;
      readonly refusal?: string;
    }
  /** Someone else removed addresses of ours and they were put back: announce them. */
  | {
      readonly kind: 'repaired';
      readonly now: Instant;
      readonly vips: readonly IpAddress[];
      /** They could not be put back: the device is gone, or the kernel refuses. */
      readonly refusal?: string;
    }
  /** State of the heartbeat NICs changed: the paths whose own device has no link. */
  | { readonly kind: 'links'; readonly now: Instant; readonly down: readonly PathName[] }
  /**
   * The virtual services (lvsd of old): `failed` is the C flag of 0.8.6. `wedged`: our own main thread is stuck.
   * `partner-failed`, with service = fos: those of the active partner do not answer.
   */
  | {
      readonly kind: 'services';
      readonly now: Instant;
      readonly health: 'ready' | 'failed' | 'wedged' | 'partner-failed';
    }
  /** The kernel's answer to `extend-lease`: is the lease still alive? */
  | { readonly kind: 'lease'; readonly now: Instant; readonly isAlive: boolean }
  /** A witness answered to these VIPs of ours, and the answer came here: it believes us. */
  | {
      readonly kind: 'believed';
      readonly now: Instant;
      readonly vips: readonly IpAddress[];
      readonly witness: IpAddress;
    }
  /** Somebody on the segment says that one of our VIPs is at his link-layer address. */
  | {
      readonly kind: 'foreign-claim';
      readonly now: Instant;
      readonly vip: IpAddress;
      readonly by: 'partner' | 'stranger';
    }
  /** Some frame of another host was heard on the VIP's segment; of a named witness, where any is named. */
  | { readonly kind: 'segment-heard'; readonly now: Instant }
  /** An operator's word; the crank has already refused what would leave no owner (refusalOf). */
  | {
      readonly kind: 'operator';
      readonly now: Instant;
      readonly order: OperatorOrder;
      /** `resign`: not to take over again for so long. */
      readonly forMs?: Milliseconds;
    }
  /** A reload took effect. */
  | { readonly kind: 'settings'; readonly now: Instant; readonly settings: FailoverSettings }
  /** Clean stop: TERM or INT. After the last effect (`exit`) the life is over. */
  | { readonly kind: 'stop'; readonly now: Instant };

export type OperatorOrder = 'takeover' | 'resign' | 'maintenance-on' | 'maintenance-off';

/** Why a datagram was ignored; each is counted and shown. */
export const DROP_REASONS = [
  'too-short', // fewer than four bytes: "bad heartbeat packet"
  'stranger', // the sender is not the partner: "Unexpected heartbeat from IP" (-v)
  'incompatible', // a foreign magic: fos against lvs, another endianness
  'no-partner', // backup_active = 0
  'bare', // four bytes from a partner that speaks the extended dialect
  'not-a-trailer', // something unknown behind the four bytes
  'malformed', // a trailer that contradicts itself
  'unsigned', // a key is set and the datagram carries no tag
  'bad-tag', // the tag fits none of our keys
  'duplicate', // the same heartbeat by the second path
  'replayed', // an old heartbeat
  'epoch-jump', // an epoch far above the highest known
  'own-echo', // our own heartbeat came back
] as const;
export type DropReason = (typeof DROP_REASONS)[number];

/** Things worth telling a person; the director turns them into log lines (key phrases of Piranha), events, metrics. */
export type Note =
  | {
      readonly kind: 'role';
      readonly from: Role;
      readonly to: Role;
      readonly reason: Reason;
    }
  | { readonly kind: 'dropped'; readonly reason: DropReason; readonly from: IpAddress }
  /** Both are active and we stay: "partner active: resending arps". */
  | { readonly kind: 'split-brain-announce' }
  /** A witness believes us, so long after the announcement. */
  | {
      readonly kind: 'believed';
      readonly vips: readonly IpAddress[];
      readonly witness: IpAddress;
      readonly tookMs: Milliseconds;
    }
  /** The round is over, and nobody has answered to these VIPs. */
  | { readonly kind: 'unbelieved'; readonly vips: readonly IpAddress[] }
  /** Another owner was seen on the wire. */
  | { readonly kind: 'foreign-claim'; readonly vip: IpAddress; readonly by: 'partner' | 'stranger' }
  /** A round of announcements is over: "gratuitous lvs arps finished". */
  | { readonly kind: 'announcements-finished'; readonly frames: number }
  | { readonly kind: 'links'; readonly down: readonly PathName[] }
  /** First heartbeat after silence, or silence after heartbeats. */
  | { readonly kind: 'partner'; readonly is: 'heard' | 'silent' }
  /** The machine found itself woken `lateMs` after its deadline. */
  | { readonly kind: 'late'; readonly lateMs: Milliseconds }
  /** The partner's deadtime differs from ours. */
  | { readonly kind: 'partner-timers'; readonly deadtimeMs: Milliseconds }
  /** Nothing at all is heard on the VIP's segment: we are the deaf one and do not claim. */
  | { readonly kind: 'deaf' }
  /** None of `witness_hosts` is heard any more, or one of them again. */
  | { readonly kind: 'witnesses'; readonly are: 'heard' | 'silent' }
  | { readonly kind: 'hold'; readonly magic: 'hold' | 'held' | 'stopme' };

/** The two shapes of an IPv4 announcement; IPv6 is always an unsolicited neighbour advertisement. */
export type AnnouncementForm = 'reply' | 'request';

export type Effect =
  /** Transmit on one path, to the partner's address, heartbeat port to heartbeat port. */
  | { readonly kind: 'send'; readonly path: PathName; readonly bytes: Uint8Array }
  /** Make the kernel hold the floating addresses (`active`) or none of them (`standby`). */
  | { readonly kind: 'converge'; readonly wish: number; readonly role: 'active' | 'standby' }
  | {
      readonly kind: 'announce';
      readonly vips: readonly IpAddress[];
      readonly forms: readonly AnnouncementForm[];
      /**
       * Whose link-layer address to announce. `partner`: this node has just given way and tells the segment where the
       * VIPs are now, because the partner may not know that it had a rival. The crank knows the address from the
       * kernel's neighbour entry of the partner on the VIP's device; without one the frame is not sent.
       */
      readonly owner: 'own' | 'partner';
    }
  | { readonly kind: 'cancel-announcements' }
  /**
   * After the announcements queued before it: ask the witnesses from each VIP (ICMP echo); `teaches`: with an ordinary
   * ARP request or neighbour solicitation from the VIP as well. Answered by `believed`.
   */
  | { readonly kind: 'verify'; readonly vips: readonly IpAddress[]; readonly teaches: boolean }
  /**
   * Leave a mark in the kernel for `ms` that a claim stands. Without a living mark `converge` to active acquires no lease:
   * a process that was frozen between its decision and its deed has lost the right to it. Answered by `lease`.
   */
  | { readonly kind: 'claim-lease'; readonly ms: Milliseconds }
  /** Extend the kernel lease if it is still alive; answered by `lease`. `converge` to active acquires one. */
  | { readonly kind: 'extend-lease' }
  /** Ask hosts of the VIP's segment from our own address whether anybody is there; answered by `segment-heard`. */
  | { readonly kind: 'ask-segment' }
  /** Run active_cmd or inactive_cmd; in this order, one at a time, never waited for by the core. */
  | { readonly kind: 'hook'; readonly hook: 'active' | 'inactive' }
  | { readonly kind: 'note'; readonly note: Note }
  /** The clean stop is complete. */
  | { readonly kind: 'exit' };
