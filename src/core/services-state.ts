/**
 * The state of the services machine and what can be read from it: the table, the next deadline, the rows that
 * `piranha services` shows. The steps that change it are in services.ts.
 */
import { assert, earliest, type Instant } from '../base/index.ts';
import {
  type DestinationRow,
  endpointText,
  type ServiceEntry,
  type ServiceTable,
  type Settings,
} from '../model/index.ts';
import type { CheckState, ServerState, WeightRules } from './health.ts';
import type { ServerPlan, ServicesPlan } from './services-plan.ts';
import type { Override, ServerReason, ServerStatus, ServiceStatus } from './services-types.ts';

export type ServiceState = {
  /** By endpointText of the destination. */
  readonly servers: ReadonlyMap<string, ServerState>;
  readonly isSorry: boolean;
  readonly quorum: 'unknown' | 'reached' | 'lost';
  /** What should stand. */
  readonly entry: ServiceEntry;
  readonly wakeAt: Instant | undefined;
};

export type ServicesState = {
  readonly settings: Settings | undefined;
  readonly plan: ServicesPlan;
  readonly checks: ReadonlyMap<string, CheckState>;
  readonly services: ReadonlyMap<string, ServiceState>;
  readonly overrides: ReadonlyMap<string, Override>;
  /** Number of the newest table. */
  readonly wish: number;
};

/** Before the first settings: nothing is wanted. */
export function initialServices(): ServicesState {
  const empty = new Map<string, never>();
  const plan = { services: empty, checks: empty, servicesOfCheck: empty, loads: [] };
  return {
    settings: undefined,
    plan,
    checks: empty,
    services: empty,
    overrides: empty,
    wish: 0,
  };
}

/** The earliest moment at which `wake` has something to do; undefined: never. */
export function servicesWakeAt(state: ServicesState): Instant | undefined {
  let first: Instant | undefined;
  for (const service of state.services.values()) first = earliest(first, service.wakeAt);
  for (const { until } of state.overrides.values()) first = earliest(first, until);
  return first;
}

/** The table that should stand now. */
export function desiredTable(state: ServicesState): ServiceTable {
  return Array.from(state.services.values(), (service) => service.entry);
}

/** Down when one check is, up when all are. */
export function statusOf(state: ServicesState, server: ServerPlan): CheckState['status'] {
  let status: CheckState['status'] = 'up';
  for (const key of server.checks) {
    const check = state.checks.get(key)?.status ?? 'unknown';
    if (check === 'down') return 'down';
    if (check === 'unknown') status = 'unknown';
  }
  return status;
}

export function overrideOf(state: ServicesState, server: ServerPlan): Override | undefined {
  if (state.overrides.size === 0) return undefined;
  const target = server.targets.find((name) => state.overrides.has(name));
  return target === undefined ? undefined : state.overrides.get(target);
}

/** What a server's weight goes by: lvs.cf, or the operator's number in place of it. */
export function rulesOf(state: ServicesState, server: ServerPlan): WeightRules {
  const override = overrideOf(state, server);
  if (override?.kind !== 'weight') return server.rules;
  return { ...server.rules, configured: override.weight };
}

/** Do its checks alone decide whether connections come to it? */
export function isFree(override: Override | undefined): boolean {
  return override === undefined || (override.kind === 'weight' && !isDrain(override));
}

/** Is no new connection to come to it, by an operator's word? */
export function isTakenOut(override: Override | undefined): boolean {
  return override?.kind === 'disable' || isDrain(override);
}

function isDrain(override: Override | undefined): boolean {
  if (override?.kind === 'weight') return override.weight === 0;
  return override?.kind === 'drain';
}

/** The weight in the table; undefined: no row. */
export function weightOf(
  state: ServerState,
  override: Override | undefined,
  server: ServerPlan,
): number | undefined {
  if (override?.kind === 'disable') return undefined;
  if (override?.kind === 'force-up' && state.presence !== 'in') return server.rules.configured;
  if (state.presence === 'absent') return undefined;
  return isDrain(override) || state.presence === 'quiesced' ? 0 : state.weight;
}

/** What `piranha services` shows. */
export function servicesStatus(state: ServicesState): readonly ServiceStatus[] {
  return Array.from(state.services, ([key, service]): ServiceStatus => {
    const plan = state.plan.services.get(key);
    assert(plan !== undefined, `no plan of ${key}`);
    const shown = {
      name: plan.name,
      key,
      scheduler: plan.service.scheduler,
      servers: plan.servers.map((server) => serverStatus(state, server, service)),
      quorum: service.quorum,
    };
    if (plan.sorry === undefined) return shown;
    return { ...shown, sorryServer: { address: plan.sorry.address, isShown: service.isSorry } };
  });
}

/** One server of one service. */
export function serverStatus(
  state: ServicesState,
  server: ServerPlan,
  service: ServiceState,
): ServerStatus {
  const { address, port } = server.row;
  const known = service.servers.get(rowName(server.row));
  assert(known !== undefined, `no state of ${address}`);
  const override = overrideOf(state, server);
  const failed = server.checks
    .map((key) => state.checks.get(key))
    .find((check) => check?.failure !== undefined)?.failure;
  const reason = reasonOf(known, override, statusOf(state, server));
  return {
    name: server.names[0] ?? address,
    address,
    port,
    configuredWeight: server.rules.configured,
    weight: weightOf(known, override, server),
    reason: reason ?? failed?.reason ?? 'recovering',
    ...(failed === undefined ? {} : { detail: failed.detail }),
    since: known.since,
    ...(override === undefined ? {} : { override }),
  };
}

/** Undefined: a check is down, and its last failure is the reason, if it has not been good since. */
function reasonOf(
  server: ServerState,
  override: Override | undefined,
  status: CheckState['status'],
): ServerReason | undefined {
  if (isDrain(override)) return 'drained';
  if (override?.kind === 'disable') return 'disabled';
  if (override?.kind === 'force-up') return 'forced-up';
  if (status === 'down') return undefined;
  if (server.isHeld && server.presence !== 'absent') return 'kept';
  if (status === 'unknown') return server.presence === 'in' ? 'kept' : 'unproven';
  if (server.stepAt !== undefined) return 'slow-start';
  return override === undefined ? 'healthy' : 'weighed';
}

/** The name of a destination inside its service. */
export function rowName(row: Pick<DestinationRow, 'address' | 'port'>): string {
  return endpointText(row.address, row.port);
}
