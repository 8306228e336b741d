/** For tests: the face of a director that owns its VIPs, with as many real servers as asked for. */
import { ip } from '../base/index.ts';
import {
  Ledger,
  type MetricFacts,
  type ServicesDocument,
  type StatusDocument,
  sampleDocuments,
  zeroMeters,
} from '../director/index.ts';
import type { MetricsFace } from './metrics-definition.ts';

const { TRAFFIC, serverOf, statusOf } = await sampleDocuments();
const SERVERS_A_SERVICE = 10;

export type Changes = {
  readonly status?: Partial<StatusDocument>;
  readonly facts?: Partial<MetricFacts>;
  readonly services?: ServicesDocument;
};

export function face({ status, facts, services = servicesOf(2) }: Changes = {}): MetricsFace {
  return {
    status: statusOf(status),
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
