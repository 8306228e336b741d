/**
 * The table that an operator wants to see: every virtual service with its servers, their weight, why they are where they are,
 * and the traffic that the data plane counted. One document for the command line, JSON readers and the console.
 * Pure. `v` is the version of this shape.
 */
import { elapsedMs, type Instant, type Milliseconds } from '../base/index.ts';
import {
  type Override,
  type ServerReason,
  type ServerStatus,
  type ServiceStatus,
  type ServicesState,
  servicesStatus,
} from '../core/index.ts';
import { type DestinationRow, type ForwardingMethod, serviceKeyText } from '../model/index.ts';
import type { ObservedService } from '../ports/index.ts';
import type { ChosenPlane } from './data-plane.ts';

export type ServicesDocument = {
  readonly v: 1;
  readonly dataPlane: { readonly kind: ChosenPlane['kind']; readonly why: string };
  readonly services: readonly ServiceRowDocument[];
  readonly overrides: readonly OverrideDocument[];
};

export type ServiceRowDocument = {
  readonly name: string;
  /** `tcp 198.51.100.100:80`, `mark 5`. */
  readonly key: string;
  readonly scheduler: string;
  readonly persistentSeconds: number;
  readonly quorum: 'unknown' | 'reached' | 'lost';
  /** False: the data plane does not hold it. */
  readonly stands: boolean;
  readonly sorryServer?: { readonly address: string; readonly isShown: boolean };
  readonly traffic?: Traffic;
  readonly servers: readonly ServerDocument[];
};

export type ServerDocument = {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly method: ForwardingMethod;
  readonly configuredWeight: number;
  /** Absent: not in the table. */
  readonly weight?: number;
  readonly state: 'active' | 'quiesced' | 'inactive';
  readonly reason: ServerReason;
  /** What the last failed probe said. */
  readonly detail?: string;
  readonly sinceMs: Milliseconds;
  readonly override?: OverrideDocument;
  /** Absent: the data plane does not know which are open. */
  readonly connections?: { readonly active: number; readonly inactive: number };
  readonly traffic?: Traffic;
};

/** Since the row was made, and per second. Under `direct` and `tunnel` the answers pass us by: nothing goes out. */
export type Traffic = {
  readonly connections: number;
  readonly inPackets: number;
  readonly outPackets: number;
  readonly inBytes: number;
  readonly outBytes: number;
  readonly connectionRate: number;
  readonly inByteRate: number;
  readonly outByteRate: number;
};

export type OverrideDocument = {
  readonly target: string;
  readonly kind: Override['kind'];
  /** Of kind `weight`. */
  readonly weight?: number;
  /** Absent: until it is lifted. */
  readonly leftMs?: Milliseconds;
};

export function servicesDocument(
  state: ServicesState,
  plane: ChosenPlane,
  observed: readonly ObservedService[],
  now: Instant,
): ServicesDocument {
  // nftables counts connections that began, and does not know which are open.
  const look = { now, knowsOpen: plane.kind === 'ipvs' };
  const standing = new Map(observed.map((it) => [serviceKeyText(it.service.key), it]));
  return {
    v: 1,
    dataPlane: { kind: plane.kind, why: plane.why },
    services: servicesStatus(state).map((status) =>
      serviceDocument(state, status, standing.get(status.key), look),
    ),
    overrides: Array.from(state.overrides, ([target, override]) =>
      overrideDocument(target, override, now),
    ),
  };
}

type Look = { readonly now: Instant; readonly knowsOpen: boolean };

function serviceDocument(
  state: ServicesState,
  status: ServiceStatus,
  observed: ObservedService | undefined,
  look: Look,
): ServiceRowDocument {
  const { name, key, scheduler, quorum, sorryServer } = status;
  const plan = state.plan.services.get(key);
  return {
    name,
    key,
    scheduler,
    persistentSeconds: plan?.service.persistentSeconds ?? 0,
    quorum,
    stands: observed !== undefined,
    ...(sorryServer !== undefined && { sorryServer }),
    ...(observed !== undefined && { traffic: traffic(observed.counters) }),
    servers: status.servers.map((server, index) => {
      const planned = plan?.servers[index];
      const target = planned?.targets.find((word) => state.overrides.has(word)) ?? server.name;
      return serverDocument(server, { target, row: planned?.row, observed, ...look });
    }),
  };
}

function serverDocument(
  server: ServerStatus,
  context: {
    readonly target: string;
    readonly row: DestinationRow | undefined;
    readonly observed: ObservedService | undefined;
  } & Look,
): ServerDocument {
  const { name, address, port, configuredWeight, weight, reason, detail, since } = server;
  const { target, observed, now, knowsOpen } = context;
  const row = observed?.destinations.find(
    ({ destination }) => destination.address === address && destination.port === port,
  );
  return {
    name,
    address,
    port,
    method: context.row?.method ?? 'nat',
    configuredWeight,
    ...(weight !== undefined && { weight }),
    state: weight === undefined ? 'inactive' : weight > 0 ? 'active' : 'quiesced',
    reason,
    ...(detail !== undefined && { detail }),
    sinceMs: Math.round(elapsedMs(since, now)),
    ...(server.override !== undefined && {
      override: overrideDocument(target, server.override, now),
    }),
    ...(row !== undefined &&
      knowsOpen && {
        connections: { active: row.activeConnections, inactive: row.inactiveConnections },
      }),
    ...(row !== undefined && { traffic: traffic(row.counters) }),
  };
}

function overrideDocument(target: string, override: Override, now: Instant): OverrideDocument {
  const { until, ...word } = override;
  if (until === undefined) return { target, ...word };
  return { target, ...word, leftMs: Math.max(0, Math.round(elapsedMs(now, until))) };
}

function traffic(counters: ObservedService['counters']): Traffic {
  const { connections, inPackets, outPackets, inBytes, outBytes } = counters;
  const { connectionRate, inByteRate, outByteRate } = counters;
  const totals = { connections, inPackets, outPackets, inBytes, outBytes };
  return { ...totals, connectionRate, inByteRate, outByteRate };
}
