/** For tests: the face of a director that owns its VIPs, with as many real servers as asked for. */
import { ip } from '../base/index.ts';
import {
  Ledger,
  type MetricFacts,
  type ServerDocument,
  type ServicesDocument,
  type StatusDocument,
  zeroCounters,
  zeroMeters,
} from '../director/index.ts';
import type { MetricsFace } from './metrics-definition.ts';

export const VIP = ip('198.51.100.100');
const SERVERS_A_SERVICE = 10;

export type Changes = {
  readonly status?: Partial<StatusDocument>;
  readonly facts?: Partial<MetricFacts>;
  readonly services?: ServicesDocument;
};

export function face({ status, facts, services = servicesOf(2) }: Changes = {}): MetricsFace {
  return {
    status: { ...STATUS, ...status },
    services,
    facts: { ...FACTS, ...facts },
    process: {
      version: '1.2.3',
      node: '24.0.0',
      cpuSeconds: 1.5,
      residentBytes: 80_000_000,
      openFds: 40,
    },
  };
}

/** Services of ten real servers each. */
export function servicesOf(servers: number): ServicesDocument {
  const services = Array.from(
    { length: Math.ceil(servers / SERVERS_A_SERVICE) },
    (_, index) =>
      ({
        name: `shop-${index}`,
        key: `tcp 198.51.100.100:${index + 1}`,
        scheduler: 'wlc',
        persistentSeconds: 0,
        quorum: 'reached',
        stands: true,
        traffic: TRAFFIC,
        servers: Array.from({ length: Math.min(servers, SERVERS_A_SERVICE) }, (_each, at) =>
          serverOf(`web-${at}`),
        ),
      }) as const,
  );
  return { v: 1, dataPlane: { kind: 'ipvs', why: 'it is there' }, services, overrides: [] };
}

export function serverOf(name: string, changes: Partial<ServerDocument> = {}): ServerDocument {
  return {
    name,
    address: '198.51.100.21',
    port: 80,
    method: 'direct',
    configuredWeight: 3,
    weight: 3,
    state: 'active',
    reason: 'healthy',
    sinceMs: 5000,
    connections: { active: 7, inactive: 2 },
    traffic: TRAFFIC,
    ...changes,
  };
}

const TRAFFIC = {
  connections: 12,
  inPackets: 100,
  outPackets: 0,
  inBytes: 6400,
  outBytes: 0,
  connectionRate: 1,
  inByteRate: 64,
  outByteRate: 0,
};

const STATUS: StatusDocument = {
  v: 1,
  verdict: { level: 'healthy', text: 'This director is active; the partner is standby.' },
  pid: 17,
  node: 'primary',
  role: 'active',
  reason: 'partner-silent',
  since: '2026-11-22T10:00:00.000Z',
  sinceMs: 60_000,
  startedAt: '2026-11-22T09:00:00.000Z',
  configuration: { file: '/etc/sysconfig/ha/lvs.cf', serialNo: 7 },
  timers: { keepaliveMs: 1000, deadtimeMs: 6000 },
  partner: {
    state: 'heard',
    said: 'stopped',
    paths: [
      {
        name: 'public',
        own: '198.51.100.11',
        partner: '198.51.100.12',
        link: 'up',
        heardMsAgo: 40,
        sent: 600,
        sendErrors: 0,
        received: 599,
      },
    ],
  },
  pair: {
    epoch: 7,
    speaks: 'auto',
    isAuthenticated: true,
    witness: { verify: 'gateway', isHearing: true, isAsked: true },
    lease: { lengthMs: 3000, remainingMs: 2900, hooks: 'in+out', isProtected: true, restored: 0 },
    partner: { dialect: 'extended', role: 'standby', hasSameConfiguration: true },
  },
  vips: [{ address: VIP, device: 'eth0', state: 'up', belief: { owner: 'us' } }],
  counters: zeroCounters(),
  changes: [],
};

const FACTS: MetricFacts = {
  wallMs: 1_800_000_000_000,
  meters: zeroMeters(),
  totals: new Ledger(1_700_000_000_000).totals,
  leaseMs: 3000,
  configDigest: '0011223344556677',
  configWarnings: 1,
  answering: [ip('198.51.100.1')],
  pendingMs: 0,
  audited: new Map(),
  recordedBytes: 4096,
};
