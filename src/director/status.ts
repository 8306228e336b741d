/**
 * Status: what this director knows of itself and its partner, as one document, verdict first.
 *
 * The idea: one object serves the command line, JSON readers and later the console. It never says what cannot be
 * known: a silent partner is "not heard", not "down". Pure: snapshots and clock readings in, document out.
 *
 * `v` is the version of this shape: readers refuse a number they do not know.
 */
import { elapsedMs, type Instant, type IpAddress, type Milliseconds } from '../base/index.ts';
import type { Node, PathName, Reason, Role, Vip } from '../model/index.ts';
import { type Belief, type Beliefs, NO_BELIEFS } from './belief.ts';
import type { PulseCounters, PulseSnapshot } from './messages.ts';
import type { PulsePlan } from './plan.ts';
import { type PairStatus, pairStatus } from './status-pair.ts';
import { staleVerdict, verdict } from './verdict.ts';

/** In Nagios' order: also the exit codes of `piranha status`, 0 to 3. */
export const LEVELS = ['healthy', 'degraded', 'critical', 'unknown'] as const;
export type Level = (typeof LEVELS)[number];

export type Verdict = { readonly level: Level; readonly text: string };

export type StatusDocument = {
  readonly v: 1;
  readonly verdict: Verdict;
  readonly pid: number;
  readonly node: Node;
  readonly role: Role;
  readonly reason: Reason;
  /** ISO 8601, and how long ago. */
  readonly since: string;
  readonly sinceMs: Milliseconds;
  readonly startedAt: string;
  readonly configuration: { readonly file: string; readonly serialNo: number };
  /** What silence is measured by: how often heartbeats go out, and after how long the partner takes over. */
  readonly timers: { readonly keepaliveMs: Milliseconds; readonly deadtimeMs: Milliseconds };
  /** What carries the virtual services, and why it was taken. */
  readonly dataPlane?: { readonly kind: string; readonly why: string };
  /** What holds beside the file, or not for long: overrides, a change that waits for its confirmation. */
  readonly beside?: readonly string[];
  readonly partner: PartnerStatus;
  /** Lease, rank, the partner's own words. */
  readonly pair?: PairStatus;
  readonly vips: readonly VipStatus[];
  /** Why the kernel does not hold what the role asks for. */
  readonly refusal?: string;
  readonly counters: PulseCounters;
  /** The last ten, newest first. */
  readonly changes: readonly RoleChange[];
};

export type PartnerStatus = {
  readonly state: 'none' | 'heard' | 'silent' | 'never-heard';
  readonly said: 'nothing' | 'running' | 'stopped';
  readonly paths: readonly PathStatus[];
};

export type PathStatus = {
  readonly name: PathName;
  readonly own: string;
  readonly partner: string;
  readonly link: 'up' | 'down';
  /** Absent: never heard on this path. The legacy dialect carries no round-trip time. */
  readonly heardMsAgo?: Milliseconds;
  readonly sent: number;
  readonly sendErrors: number;
  readonly received: number;
};

export type VipStatus = {
  readonly address: IpAddress;
  readonly device: string;
  readonly state: 'up' | 'down' | 'changing';
  /** While we are active: whom the segment believes. */
  readonly belief?: Belief;
};

export type RoleChange = {
  readonly at: string;
  readonly from: Role;
  readonly to: Role;
  readonly reason: Reason;
};

/** What does not change while the daemon lives, or only by a reload. */
export type StatusFrame = {
  readonly pid: number;
  readonly node: Node;
  readonly file: string;
  readonly serialNo: number;
  readonly startedAtWallMs: number;
  readonly plan: PulsePlan;
  readonly dataPlane?: StatusDocument['dataPlane'];
  readonly beside?: readonly string[];
};

export type Clocks = { readonly now: Instant; readonly wallMs: number };

const KEPT_CHANGES = 10;
/** The worker sends a snapshot at least every second. */
const STALE_MS: Milliseconds = 2500;

/** Adds a change in front and forgets the eleventh. */
export function addChange(
  changes: readonly RoleChange[],
  change: RoleChange,
): readonly RoleChange[] {
  return [change, ...changes].slice(0, KEPT_CHANGES);
}

/** `clocks.now` may be later than the snapshot: a worker that does not answer is the first thing to say then. */
export function statusDocument(
  frame: StatusFrame,
  snapshot: PulseSnapshot,
  changes: readonly RoleChange[],
  clocks: Clocks,
  beliefs: Beliefs = NO_BELIEFS,
): StatusDocument {
  const { plan } = frame;
  const partner = partnerStatus(plan, snapshot);
  const staleMs = elapsedMs(snapshot.at, clocks.now);
  const sinceMs = elapsedMs(snapshot.since, clocks.now);
  const { refusal } = snapshot.addresses;
  const { lease, rank } = snapshot;
  const verify = plan.witness?.verify ?? 'off';
  const vips = plan.vips.map((vip) => vipStatus(vip, snapshot, beliefs));
  return {
    v: 1,
    verdict: staleMs > STALE_MS ? staleVerdict(staleMs) : verdict(snapshot, partner, vips),
    pid: frame.pid,
    node: frame.node,
    role: snapshot.role,
    reason: snapshot.reason,
    since: wallText(clocks.wallMs - sinceMs),
    sinceMs: Math.round(sinceMs),
    startedAt: wallText(frame.startedAtWallMs),
    configuration: { file: frame.file, serialNo: frame.serialNo },
    timers: { keepaliveMs: plan.failover.keepaliveMs, deadtimeMs: plan.failover.deadtimeMs },
    ...(frame.dataPlane !== undefined && { dataPlane: frame.dataPlane }),
    ...(frame.beside !== undefined && frame.beside.length > 0 && { beside: frame.beside }),
    partner,
    ...(rank !== undefined && { pair: pairStatus(plan.failover, verify, rank, lease) }),
    vips,
    ...(refusal !== undefined && { refusal }),
    counters: snapshot.counters,
    changes,
  };
}

export function wallText(wallMs: number): string {
  return new Date(wallMs).toISOString();
}

/** As it was at the snapshot: between the two nobody knows. */
function partnerStatus(plan: PulsePlan, snapshot: PulseSnapshot): PartnerStatus {
  const now = snapshot.at;
  const { paths, deadtimeMs } = plan.failover;
  const ages = paths.flatMap(({ name }) => ageOf(snapshot.heardAt[name], now));
  const freshest = Math.min(...ages);
  const heard = freshest <= deadtimeMs ? 'heard' : ages.length === 0 ? 'never-heard' : 'silent';
  return {
    state: paths.length === 0 ? 'none' : heard,
    said: snapshot.partnerSaid,
    paths: paths.map(({ name, own, partner }) => {
      const [heardMsAgo] = ageOf(snapshot.heardAt[name], now);
      return {
        name,
        own,
        partner,
        link: snapshot.linksDown.includes(name) ? 'down' : 'up',
        ...(heardMsAgo !== undefined && { heardMsAgo: Math.round(heardMsAgo) }),
        sent: snapshot.counters.sent[name],
        sendErrors: snapshot.counters.sendErrors[name],
        received: snapshot.counters.received[name],
      };
    }),
  };
}

function ageOf(heardAt: Instant | undefined, now: Instant): readonly Milliseconds[] {
  return heardAt === undefined ? [] : [elapsedMs(heardAt, now)];
}

function vipStatus(
  { address, device }: Vip,
  { role, addresses }: PulseSnapshot,
  beliefs: Beliefs,
): VipStatus {
  if (!addresses.isSettled) return { address, device, state: 'changing' };
  const isUp = role === 'active' && addresses.refusal === undefined;
  const belief = isUp ? beliefs.get(address) : undefined;
  return { address, device, state: isUp ? 'up' : 'down', ...(belief !== undefined && { belief }) };
}
