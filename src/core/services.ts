/**
 * The services machine: lvsd of old, and what all its nannies knew together. Settings, verdicts of probes and an
 * operator's overrides come in; the virtual-service table that should stand comes out.
 *
 * Everything is a level: each step works out anew what the touched services should look like. There is no event "add
 * the sorry server" that could be lost; it is in the table exactly while no server of its service takes connections.
 * (While a first conclusion is still due it is not brought in: clients that come in the first second of a life would be
 * bound to it by persistence. What a former life left standing stays.)
 *
 * Cost: a verdict that changes nothing is one map lookup. A change works out its own services only; all others keep
 * their very objects. A batch makes at most one table.
 * Rejected: one machine per virtual service, as nanny was one process per server; shared checks and the sorry server
 * would need messages between them.
 * Source: piranha 0.8.6 lvsd and nanny; keepalived.conf(5) quorum.
 */
import { assert, earliest, type Instant, unreachable } from '../base/index.ts';
import { type DestinationRow, type ServiceEntry, serviceKeyText } from '../model/index.ts';
import {
  absentServer,
  admit,
  adoptedServer,
  type CheckState,
  concludeServer,
  newCheck,
  reweigh,
  type ServerState,
  stepCheck,
  stepLoad,
  stepWeight,
} from './health.ts';
import { planServices, type ServerPlan, type ServicePlan } from './services-plan.ts';
import {
  desiredTable,
  isFree,
  isTakenOut,
  overrideOf,
  rowName,
  rulesOf,
  type ServiceState,
  type ServicesState,
  serverStatus,
  statusOf,
  weightOf,
} from './services-state.ts';
import type { ServicesEffect, ServicesInput } from './services-types.ts';
import { equalDestinations } from './table-plan.ts';

export type ServicesStep = {
  readonly state: ServicesState;
  readonly effects: readonly ServicesEffect[];
};

export function stepServices(state: ServicesState, input: ServicesInput): ServicesStep {
  switch (input.kind) {
    case 'settings':
      return onSettings(state, input);
    case 'verdicts':
      return onVerdicts(state, input);
    case 'loads':
      return onLoads(state, input);
    case 'override':
      return onOverride(state, input);
    case 'refused':
      return { state, effects: failure(state, input.text) };
    case 'wake':
      return onWake(state, input.now);
    default:
      return unreachable(input);
  }
}

type InputOf<K extends ServicesInput['kind']> = Extract<ServicesInput, { readonly kind: K }>;

function onSettings(old: ServicesState, input: InputOf<'settings'>): ServicesStep {
  const { now, settings, standing = [] } = input;
  const plan = planServices(settings);
  const checks = new Map<string, CheckState>();
  for (const key of plan.checks.keys()) checks.set(key, old.checks.get(key) ?? newCheck(now));
  const adopted = new Map(standing.map((entry) => [serviceKeyText(entry.service.key), entry]));
  const before = new Map<string, ServiceState>();
  for (const [key, service] of plan.services) {
    const known = old.services.get(key);
    const carried =
      known === undefined
        ? adoptService(service, adopted.get(key), now)
        : carryService(old, key, service, known);
    before.set(key, carried);
  }
  const base = { ...old, settings, plan, checks, services: before, wish: old.wish + 1 };
  const { state, effects } = settle(base, plan.services.keys(), now);
  return {
    state,
    effects: [
      { kind: 'checks', checks: [...plan.checks.values()], loads: plan.loads },
      ...effects.filter((effect) => effect.kind !== 'table'),
      { kind: 'table', wish: state.wish, table: desiredTable(state) },
    ],
  };
}

/** A service that this life has not had: what the kernel holds of it is kept until its checks conclude. */
function adoptService(
  plan: ServicePlan,
  standing: ServiceEntry | undefined,
  now: Instant,
): ServiceState {
  const weights = new Map(standing?.destinations.map((row) => [rowName(row), row.weight] as const));
  const servers = new Map<string, ServerState>();
  for (const { row } of plan.servers) {
    const weight = weights.get(rowName(row));
    servers.set(
      rowName(row),
      weight === undefined ? absentServer(now) : adoptedServer(weight, now),
    );
  }
  const sorry = plan.sorry === undefined ? undefined : rowName(plan.sorry);
  const isSorry = sorry !== undefined && weights.has(sorry) && !servers.has(sorry);
  const entry = { service: plan.service, destinations: [] };
  return { servers, isSorry, quorum: 'unknown', entry, wakeAt: undefined };
}

/** A reload: servers that are still listed keep their state, with a changed weight taken over at once. */
function carryService(
  old: ServicesState,
  key: string,
  plan: ServicePlan,
  known: ServiceState,
): ServiceState {
  const weights = new Map(
    old.plan.services
      .get(key)
      ?.servers.map((server) => [rowName(server.row), rulesOf(old, server).configured] as const),
  );
  const servers = new Map<string, ServerState>();
  for (const planned of plan.servers) {
    const name = rowName(planned.row);
    const server = known.servers.get(name);
    const rules = rulesOf(old, planned);
    const before = weights.get(name) ?? rules.configured;
    if (server !== undefined) servers.set(name, reweigh(server, { before, now: rules }));
  }
  return { ...known, servers };
}

function onVerdicts(old: ServicesState, { now, verdicts }: InputOf<'verdicts'>): ServicesStep {
  let checks: Map<string, CheckState> | undefined;
  const touched = new Set<string>();
  const failures: ServicesEffect[] = [];
  for (const { check: key, verdict } of verdicts) {
    const check = old.plan.checks.get(key);
    const before = (checks ?? old.checks).get(key);
    // A verdict may arrive after the reload that removed its check.
    if (check === undefined || before === undefined) continue;
    const next = stepCheck(before, verdict, check, now);
    if (next === before) continue;
    checks ??= new Map(old.checks);
    checks.set(key, next);
    if (!verdict.isUp && verdict.reason === 'own-limits' && next.status !== before.status) {
      failures.push(...failure(old, `monitor of ${check.address} failed: ${verdict.detail}`));
    }
    if (next.status === before.status) continue;
    for (const service of old.plan.servicesOfCheck.get(key) ?? []) touched.add(service);
  }
  if (checks === undefined) return { state: old, effects: failures };
  const { state, effects } = settle({ ...old, checks }, touched, now);
  return { state, effects: [...effects, ...failures] };
}

function onLoads(old: ServicesState, { now, loads }: InputOf<'loads'>): ServicesStep {
  const services = new Map(old.services);
  const touched = new Set<string>();
  for (const [key, service] of old.services) {
    const servers = new Map(service.servers);
    for (const planned of old.plan.services.get(key)?.servers ?? []) {
      const { row } = planned;
      const rules = rulesOf(old, planned);
      const server = servers.get(rowName(row));
      if (!rules.followsLoad || server === undefined || !loads.has(row.address)) continue;
      const next = stepLoad(server, rules.configured, loads.get(row.address));
      if (next === server) continue;
      servers.set(rowName(row), next);
      touched.add(key);
    }
    if (touched.has(key)) services.set(key, { ...service, servers });
  }
  return settle({ ...old, services }, touched, now);
}

function onOverride(old: ServicesState, input: InputOf<'override'>): ServicesStep {
  const { now, target, override } = input;
  const overrides = new Map(old.overrides);
  if (override === undefined) overrides.delete(target);
  else overrides.set(target, override);
  return settleOverrides({ ...old, overrides }, old, now);
}

function onWake(old: ServicesState, now: Instant): ServicesStep {
  const ended = [...old.overrides].filter(([, { until }]) => until !== undefined && until <= now);
  if (ended.length > 0) {
    const overrides = new Map(old.overrides);
    for (const [target] of ended) overrides.delete(target);
    const { state, effects } = settleOverrides({ ...old, overrides }, old, now);
    const notes = ended.map(
      ([target]): ServicesEffect => ({ kind: 'note', note: { kind: 'override-ended', target } }),
    );
    return { state, effects: [...notes, ...effects] };
  }
  const due = [...old.services].filter(([, { wakeAt }]) => wakeAt !== undefined && wakeAt <= now);
  return settle(
    old,
    due.map(([key]) => key),
    now,
  );
}

/**
 * After a change of overrides. A server that comes back from a drain has no connections: it starts slowly again. A number
 * takes effect at once.
 */
function settleOverrides(next: ServicesState, old: ServicesState, now: Instant): ServicesStep {
  const services = new Map(next.services);
  for (const [key, service] of next.services) {
    const servers = new Map(service.servers);
    for (const server of next.plan.services.get(key)?.servers ?? []) {
      const name = rowName(server.row);
      const known = servers.get(name);
      if (known?.presence !== 'in') continue;
      const [was, is] = [overrideOf(old, server), overrideOf(next, server)];
      const isBack = isTakenOut(was) && isFree(is);
      const rules = rulesOf(next, server);
      const before = rulesOf(old, server).configured;
      servers.set(name, isBack ? admit(rules, now) : reweigh(known, { before, now: rules }));
    }
    services.set(key, { ...service, servers });
  }
  return settle({ ...next, services }, services.keys(), now);
}

/** Works out the named services; a new table when any of them changed. */
function settle(old: ServicesState, keys: Iterable<string>, now: Instant): ServicesStep {
  const services = new Map(old.services);
  const effects: ServicesEffect[] = [];
  let isChanged = false;
  for (const key of keys) {
    const plan = old.plan.services.get(key);
    const before = old.services.get(key);
    assert(plan !== undefined && before !== undefined, `no such service: ${key}`);
    const next = settleService(old, plan, before, now);
    services.set(key, next);
    isChanged ||= next.entry !== before.entry;
    effects.push(...changesOf(old, plan, { before, next }));
  }
  const state = { ...old, services, wish: isChanged ? old.wish + 1 : old.wish };
  if (isChanged) effects.push({ kind: 'table', wish: state.wish, table: desiredTable(state) });
  // Hooks last: what they announce is then on its way into the kernel.
  const order = (effect: ServicesEffect) => (effect.kind === 'hook' ? 1 : 0);
  return { state, effects: effects.sort((a, b) => order(a) - order(b)) };
}

function settleService(
  state: ServicesState,
  plan: ServicePlan,
  before: ServiceState,
  now: Instant,
): ServiceState {
  const servers = new Map<string, ServerState>();
  const destinations: DestinationRow[] = [];
  let [isPending, servingWeight, isServing] = [false, 0, false];
  let wakeAt: Instant | undefined;
  for (const server of plan.servers) {
    const name = rowName(server.row);
    const status = statusOf(state, server);
    const rules = rulesOf(state, server);
    const known = before.servers.get(name) ?? absentServer(now);
    const concluded = concludeServer(known, status, rules, now);
    const next = stepWeight(concluded, rules, now);
    const override = overrideOf(state, server);
    const weight = weightOf(next, override, server);
    servers.set(name, next);
    wakeAt = earliest(wakeAt, next.stepAt);
    if (weight !== undefined) destinations.push({ ...server.row, weight });
    if (weight !== undefined && weight > 0) {
      isServing = true;
      servingWeight += rules.configured;
    }
    isPending ||= status === 'unknown' && isFree(override);
  }
  const { sorry } = plan;
  const isSorry = sorry !== undefined && !isServing && (before.isSorry || !isPending);
  const isListed = isSorry && destinations.some((row) => rowName(row) === rowName(sorry));
  if (isSorry && !isListed) destinations.push(sorry);
  const quorum = quorumOf(plan, before.quorum, { servingWeight, isPending });
  const entry = { service: plan.service, destinations };
  const isSame = isSameEntry(entry, before.entry);
  return { servers, isSorry, quorum, entry: isSame ? before.entry : entry, wakeAt };
}

/** A reload makes new service rows; that alone calls for a table anyway. */
function isSameEntry(a: ServiceEntry, b: ServiceEntry): boolean {
  if (a.service !== b.service || a.destinations.length !== b.destinations.length) return false;
  return a.destinations.every((row, index) => {
    const other = b.destinations[index];
    return other !== undefined && rowName(row) === rowName(other) && equalDestinations(row, other);
  });
}

/**
 * Hysteresis only between the two: the first conclusion is drawn at the bare quorum, once every server has one.
 * A service without servers has nothing to conclude: it is a VIP.
 */
function quorumOf(
  { quorum: { weight, hysteresis }, servers }: ServicePlan,
  before: ServiceState['quorum'],
  seen: { readonly servingWeight: number; readonly isPending: boolean },
): ServiceState['quorum'] {
  if (before === 'unknown') {
    if (seen.servingWeight >= weight) return 'reached';
    return seen.isPending || servers.length === 0 ? 'unknown' : 'lost';
  }
  if (seen.servingWeight >= weight + hysteresis) return 'reached';
  // At least one server must be left, or a large hysteresis could never be lost.
  return seen.servingWeight < Math.max(1, weight - hysteresis) ? 'lost' : before;
}

function changesOf(
  state: ServicesState,
  plan: ServicePlan,
  { before, next }: { readonly before: ServiceState; readonly next: ServiceState },
): readonly ServicesEffect[] {
  const effects: ServicesEffect[] = [];
  const weights = new Map(before.entry.destinations.map((row) => [rowName(row), row.weight]));
  for (const server of plan.servers) {
    const name = rowName(server.row);
    const status = serverStatus(state, server, next);
    const isFirst = isFirstFailure(state, server, {
      before: before.servers.get(name),
      next: next.servers.get(name),
    });
    if (status.weight === weights.get(name) && !isFirst) continue;
    const { weight, reason, detail } = status;
    const who = { service: plan.name, server: status.name };
    const told = { kind: 'server', ...who, weight, reason } as const;
    effects.push({ kind: 'note', note: detail === undefined ? told : { ...told, detail } });
  }
  if (before.isSorry !== next.isSorry) {
    const note = { kind: 'sorry', service: plan.name, isShown: next.isSorry } as const;
    effects.push({ kind: 'note', note });
  }
  if (before.quorum === next.quorum || next.quorum === 'unknown') return effects;
  const isReached = next.quorum === 'reached';
  effects.push({ kind: 'note', note: { kind: 'quorum', service: plan.name, isReached } });
  const command = isReached ? plan.quorum.upCommand : plan.quorum.downCommand;
  if (command !== undefined) effects.push({ kind: 'hook', service: plan.name, command });
  return effects;
}

/** The first conclusion about a server is that it is down: its weight does not change, and yet somebody must hear it. */
function isFirstFailure(
  state: ServicesState,
  server: ServerPlan,
  { before, next }: Readonly<Record<'before' | 'next', ServerState | undefined>>,
): boolean {
  const isConcluded = (before?.isHeld ?? true) && next?.isHeld === false;
  return isConcluded && isFree(overrideOf(state, server)) && statusOf(state, server) === 'down';
}

/** hard_shutdown = 1, as the original: one failed monitor takes everything down. The default is 0: it is only told. */
function failure(state: ServicesState, text: string): readonly ServicesEffect[] {
  return state.settings?.hardShutdown === true ? [{ kind: 'failed', text }] : [];
}
