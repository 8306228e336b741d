/** Metrics of the pair: role, VIPs and who is believed, heartbeats, lease. */
import { ipFamily } from '../base/index.ts';
import { DROP_REASONS } from '../core/index.ts';
import { ANNOUNCED_FORMS, type VipStatus } from '../director/index.ts';
import { REASONS } from '../model/index.ts';
import {
  type HistogramSample,
  type MetricDefinition,
  type MetricsFace,
  PER_SECOND,
  type Sample,
  single,
  stateSet,
} from './metrics-definition.ts';

const ROLES = ['active', 'standby', 'claim', 'fault'] as const;
const PARTNER_ROLES = ['active', 'standby', 'claim', 'unknown'] as const;
const OWNERS = ['us', 'partner', 'stranger', 'unknown'] as const;
/** With more VIPs, one series each instead of four. */
const VIPS_IN_DETAIL = 1000;

export const PAIR_METRICS: readonly MetricDefinition[] = [
  {
    name: 'piranha_role',
    type: 'gauge',
    labels: ['role'],
    help: 'Role of this director; 1 on the current one.',
    read: ({ status }) => stateSet('role', ROLES, status.role),
  },
  {
    name: 'piranha_partner_role',
    type: 'gauge',
    labels: ['role'],
    help: 'Role the partner says it has; 1 on the current one. A silent partner is unknown, never down.',
    read: ({ status }) => stateSet('role', PARTNER_ROLES, partnerRole(status)),
  },
  {
    name: 'piranha_verdict',
    type: 'gauge',
    labels: ['level'],
    help: 'The first line of piranha status as a level; 1 on the current one.',
    read: ({ status }) =>
      stateSet('level', ['healthy', 'degraded', 'critical', 'unknown'], status.verdict.level),
  },
  {
    name: 'piranha_role_transitions_total',
    type: 'counter',
    labels: ['to', 'reason'],
    help: 'Changes of role since start, by the new role and the reason.',
    read: ({ facts }) =>
      ROLES.flatMap((to) =>
        REASONS.map((reason) => ({
          labels: { to, reason },
          value: facts.totals.roleChanges.get(to)?.get(reason) ?? 0,
        })),
      ),
  },
  {
    name: 'piranha_role_since_timestamp_seconds',
    type: 'gauge',
    labels: [],
    help: 'When the current role began.',
    read: ({ status }) => single(Date.parse(status.since) / 1000),
  },
  {
    name: 'piranha_epoch',
    type: 'gauge',
    labels: [],
    help: 'Epoch of the newest takeover this director knows of; extended dialect.',
    read: ({ status }) => single(status.pair?.epoch),
  },
  {
    name: 'piranha_vip_owned',
    type: 'gauge',
    labels: ['vip', 'interface'],
    help: 'Whether this director answers for the VIP: the address is raised and its lease, if there is one, lives.',
    read: ({ status }) => status.vips.map((vip) => owned(status, vip)),
  },
  {
    name: 'piranha_vip_believed',
    type: 'gauge',
    labels: ['vip', 'owner'],
    help: 'Where the segment was last proved to send the VIP, as the owner sees it; 1 on the current answer. Absent while nobody who answers can be asked. Above 1000 VIPs only owner="us".',
    read: believed,
  },
  {
    name: 'piranha_witness_asked',
    type: 'gauge',
    labels: [],
    help: 'Whether somebody on the segment is asked whom it believes: 0 with verify = off, in the legacy dialect, and where there is nobody to ask.',
    read: ({ status }) => single(status.pair?.witness.isAsked),
  },
  {
    name: 'piranha_witnesses_answering',
    type: 'gauge',
    labels: [],
    help: 'How many witnesses answer to our own address: without one nothing can be proved. Only while active; a standby asks nobody.',
    read: ({ status, facts }) => (status.role === 'active' ? single(facts.answering.length) : []),
  },
  {
    name: 'piranha_vip_verification_seconds',
    type: 'histogram',
    labels: [],
    help: 'From the announcement of a VIP to the first proof that a witness sends to it.',
    read: ({ facts }) => histogram(facts.totals.verification),
  },
  {
    name: 'piranha_foreign_claims_total',
    type: 'counter',
    labels: ['vip', 'by'],
    help: 'Frames in which somebody else claimed a VIP this director owns: the partner or a stranger.',
    read: foreignClaims,
  },
  {
    name: 'piranha_announcements_sent_total',
    type: 'counter',
    labels: ['form'],
    help: 'Announcements sent: gratuitous ARP as reply or request, and unsolicited neighbour advertisements.',
    read: ({ facts }) =>
      ANNOUNCED_FORMS.map((form) => ({ labels: { form }, value: facts.meters.announced[form] })),
  },
  {
    name: 'piranha_announcement_errors_total',
    type: 'counter',
    labels: [],
    help: 'Announcements that could not be sent.',
    read: ({ status }) => single(status.counters.announceErrors),
  },
  {
    name: 'piranha_heartbeats_sent_total',
    type: 'counter',
    labels: ['path'],
    help: 'Heartbeats sent to the partner.',
    read: ({ status }) => perPath(status, ({ sent }) => sent),
  },
  {
    name: 'piranha_heartbeat_send_errors_total',
    type: 'counter',
    labels: ['path'],
    help: 'Heartbeats the kernel refused to send.',
    read: ({ status }) => perPath(status, ({ sendErrors }) => sendErrors),
  },
  {
    name: 'piranha_heartbeats_received_total',
    type: 'counter',
    labels: ['path'],
    help: 'Valid heartbeats of the partner.',
    read: ({ status }) => perPath(status, ({ received }) => received),
  },
  {
    name: 'piranha_heartbeats_lost_total',
    type: 'counter',
    labels: ['path'],
    help: "Holes in the partner's sequence; the legacy dialect has no sequence.",
    read: ({ status, facts }) => perPath(status, ({ name }) => facts.meters.lost[name]),
  },
  {
    name: 'piranha_heartbeats_dropped_total',
    type: 'counter',
    labels: ['path', 'reason'],
    help: 'Datagrams ignored, by the path they came on and by reason. duplicate is the same heartbeat by the second path and no fault.',
    read: ({ status, facts }) =>
      status.partner.paths.flatMap(({ name: path }) =>
        DROP_REASONS.map((reason) => ({
          labels: { path, reason },
          value: facts.meters.dropped[path].get(reason) ?? 0,
        })),
      ),
  },
  {
    name: 'piranha_heartbeat_gap_seconds',
    type: 'histogram',
    labels: ['path'],
    help: 'Time between two valid heartbeats of the partner; read it against piranha_deadtime_seconds.',
    read: ({ status, facts }) =>
      status.partner.paths.map(({ name }) => ({
        labels: { path: name },
        buckets: facts.meters.gap[name],
        divisor: PER_SECOND,
      })),
  },
  {
    name: 'piranha_heartbeat_echo_seconds',
    type: 'histogram',
    labels: ['path'],
    help: 'From a heartbeat of ours to the first of the partner by this path that says it was heard: the way there and back, and its wait for its own next one. Empty in the legacy dialect.',
    read: ({ status, facts }) =>
      status.partner.paths.map(({ name }) => ({
        labels: { path: name },
        buckets: facts.meters.echo[name],
        divisor: PER_SECOND,
      })),
  },
  {
    name: 'piranha_partner_last_heard_timestamp_seconds',
    type: 'gauge',
    labels: ['path'],
    help: 'When the partner was last heard on the path; 0: never in this life.',
    read: ({ status, facts }) =>
      perPath(status, ({ heardMsAgo }) =>
        heardMsAgo === undefined ? 0 : (facts.wallMs - heardMsAgo) / 1000,
      ),
  },
  {
    name: 'piranha_heartbeat_link_up',
    type: 'gauge',
    labels: ['path'],
    help: 'Whether the own device of the path has a link.',
    read: ({ status }) => perPath(status, ({ link }) => Number(link === 'up')),
  },
  {
    name: 'piranha_keepalive_seconds',
    type: 'gauge',
    labels: [],
    help: 'Configured interval between heartbeats.',
    read: ({ status }) => single(status.timers.keepaliveMs / 1000),
  },
  {
    name: 'piranha_deadtime_seconds',
    type: 'gauge',
    labels: [],
    help: 'Configured silence after which the partner is taken to be gone.',
    read: ({ status }) => single(status.timers.deadtimeMs / 1000),
  },
  {
    name: 'piranha_lease_seconds',
    type: 'gauge',
    labels: [],
    help: 'Length of the kernel lease; 0: none is kept.',
    read: ({ facts }) => single(facts.leaseMs / 1000),
  },
  {
    name: 'piranha_lease_renewal_margin_ratio',
    type: 'histogram',
    labels: [],
    help: 'Time left in the kernel lease when a heartbeat renewed it, as a share of (lease - interval): 1 is on time, 0 had lapsed.',
    read: ({ facts }) => [{ labels: {}, buckets: facts.meters.leaseMargin, divisor: 1 }],
  },
  {
    name: 'piranha_lease_expirations_total',
    type: 'counter',
    labels: [],
    help: 'Renewals that came after the end of the lease: this director had stopped answering before it knew.',
    read: ({ facts }) => single(facts.meters.leaseExpirations),
  },
];

function partnerRole({ partner, pair }: MetricsFace['status']): (typeof PARTNER_ROLES)[number] {
  if (partner.state !== 'heard') return 'unknown';
  const said = PARTNER_ROLES.find((role) => role === pair?.partner.role);
  return said ?? (partner.said === 'running' ? 'active' : 'standby');
}

function owned({ pair }: MetricsFace['status'], { address, device, state }: VipStatus): Sample {
  const isLapsed = pair?.lease !== undefined && pair.lease.remainingMs === undefined;
  const labels = { vip: address, interface: device };
  return { labels, value: Number(state === 'up' && !isLapsed) };
}

/** Asked only where an answer is possible: a gateway that answers nobody proves nothing. */
function believed({ status, facts }: MetricsFace): readonly Sample[] {
  const families = new Set(facts.answering.map(ipFamily));
  const owners = status.vips.length > VIPS_IN_DETAIL ? (['us'] as const) : OWNERS;
  return status.vips.flatMap(({ address, belief }) => {
    if (belief === undefined) return [];
    if (belief.owner === 'unknown' && !families.has(ipFamily(address))) return [];
    return stateSet('owner', owners, belief.owner, { vip: address });
  });
}

/** From 0 for every VIP, so that the first claim is seen as an increase. */
function foreignClaims({ status, facts }: MetricsFace): readonly Sample[] {
  const isInDetail = status.vips.length <= VIPS_IN_DETAIL;
  const { foreignClaims: claims } = facts.totals;
  return status.vips.flatMap(({ address }) => {
    const known = claims.get(address);
    if (known === undefined && !isInDetail) return [];
    return (['partner', 'stranger'] as const).map((by) => ({
      labels: { vip: address, by },
      value: known?.get(by) ?? 0,
    }));
  });
}

type Path = MetricsFace['status']['partner']['paths'][number];

function perPath({ partner }: MetricsFace['status'], value: (path: Path) => number): Sample[] {
  return partner.paths.map((path) => ({ labels: { path: path.name }, value: value(path) }));
}

function histogram(buckets: HistogramSample['buckets']): readonly HistogramSample[] {
  return [{ labels: {}, buckets, divisor: PER_SECOND }];
}
