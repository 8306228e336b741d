/**
 * Metrics of virtual services and real servers.
 *
 * Labels are names as lvs.cf has them; two of one name are told apart by their key. A director of thousands of real servers tells
 * of each only what alerts and weights need and the rest by service, because a scrape is read fifteen seconds later by a
 * database that keeps every series for weeks.
 */
import { OVERRIDE_KINDS, SERVER_REASONS } from '../core/index.ts';
import {
  type ServerDocument,
  type ServiceRowDocument,
  type ServicesDocument,
  serverKey,
} from '../director/index.ts';
import { PROBE_FAILURES } from '../model/index.ts';
import {
  type Labels,
  type MetricDefinition,
  type MetricsFace,
  PER_SECOND,
  type Sample,
} from './metrics-definition.ts';

/** With more real servers than this, connections and configured weights are told by service only. */
export const SERVERS_IN_DETAIL = 2000;
const STATES = ['up', 'down', 'draining', 'disabled'] as const;
const RESULTS = ['up', ...PROBE_FAILURES] as const;
const REASONS = [...SERVER_REASONS, ...PROBE_FAILURES] as const;
const IN_DETAIL = `Only up to ${SERVERS_IN_DETAIL} real servers.`;

export const SERVICES_METRICS: readonly MetricDefinition[] = [
  {
    name: 'piranha_virtual_service_info',
    type: 'gauge',
    labels: ['virtual_service', 'key', 'scheduler', 'method'],
    help: 'What the virtual service is: protocol and address or firewall mark, scheduler, forwarding method; always 1.',
    read: (face) =>
      perService(face, ({ key, scheduler, servers }) => [
        { labels: { key, scheduler, method: servers[0]?.method ?? '' }, value: 1 },
      ]),
  },
  {
    name: 'piranha_virtual_service_stands',
    type: 'gauge',
    labels: ['virtual_service'],
    help: 'Whether the data plane holds the service.',
    read: (face) => perService(face, ({ stands }) => Number(stands)),
  },
  {
    name: 'piranha_virtual_service_quorum',
    type: 'gauge',
    labels: ['virtual_service'],
    help: 'Whether enough real servers are up; absent until it is known.',
    read: (face) =>
      perService(face, ({ quorum }) =>
        quorum === 'unknown' ? undefined : Number(quorum === 'reached'),
      ),
  },
  {
    name: 'piranha_virtual_service_sorry_active',
    type: 'gauge',
    labels: ['virtual_service'],
    help: 'Whether the sorry server answers instead; absent without one.',
    read: (face) =>
      perService(face, ({ sorryServer }) => sorryServer && Number(sorryServer.isShown)),
  },
  {
    name: 'piranha_virtual_service_real_servers',
    type: 'gauge',
    labels: ['virtual_service', 'state'],
    help: 'Real servers of the service by state: up, down, draining (weight 0 by an operator), disabled (by an operator).',
    read: (face) => perService(face, ({ servers }) => counted(servers)),
  },
  ...traffic(
    ['connections', 'Connections scheduled by the kernel.'],
    ['incoming_packets', 'Packets from clients.'],
    [
      'outgoing_packets',
      'Packets to clients; 0 under direct and tunnel, where answers pass the director by.',
    ],
    ['incoming_bytes', 'Bytes from clients.'],
    [
      'outgoing_bytes',
      'Bytes to clients; 0 under direct and tunnel, where answers pass the director by.',
    ],
  ),
  {
    name: 'piranha_virtual_service_active_connections',
    type: 'gauge',
    labels: ['virtual_service'],
    help: 'Active connections of all its real servers.',
    read: (face) =>
      perService(face, ({ servers }) =>
        servers.reduce((sum, { connections }) => sum + (connections?.active ?? 0), 0),
      ),
  },
  {
    name: 'piranha_real_server_up',
    type: 'gauge',
    labels: ['virtual_service', 'real_server'],
    help: 'Whether the real server takes new connections.',
    read: (face) => perServer(face, ({ state }) => Number(state === 'active')),
  },
  {
    name: 'piranha_real_server_weight',
    type: 'gauge',
    labels: ['virtual_service', 'real_server'],
    help: 'Weight in the table; absent while the real server is not in it.',
    read: (face) => perServer(face, ({ weight }) => weight),
  },
  {
    name: 'piranha_real_server_changes_total',
    type: 'counter',
    labels: ['virtual_service', 'real_server'],
    help: 'How often the real server began or ceased to take new connections.',
    read: (face) =>
      perServer(
        face,
        ({ name }, service) =>
          face.facts.totals.changesOfServer.get(serverKey(service.name, name)) ?? 0,
      ),
  },
  {
    name: 'piranha_real_server_configured_weight',
    type: 'gauge',
    labels: ['virtual_service', 'real_server'],
    help: `Weight in lvs.cf. ${IN_DETAIL}`,
    read: (face) => inDetail(face, ({ configuredWeight }) => configuredWeight),
  },
  {
    name: 'piranha_real_server_connections',
    type: 'gauge',
    labels: ['virtual_service', 'real_server', 'state'],
    help: `Connections in the kernel's table, active and inactive. ${IN_DETAIL}`,
    read: (face) =>
      inDetail(
        face,
        ({ connections }) =>
          connections && [
            { labels: { state: 'active' }, value: connections.active },
            { labels: { state: 'inactive' }, value: connections.inactive },
          ],
      ),
  },
  {
    name: 'piranha_real_server_connections_total',
    type: 'counter',
    labels: ['virtual_service', 'real_server'],
    help: `Connections scheduled to the real server. ${IN_DETAIL}`,
    read: (face) => inDetail(face, ({ traffic }) => traffic?.connections),
  },
  {
    name: 'piranha_health_transitions_total',
    type: 'counter',
    labels: ['to', 'reason'],
    help: 'Changes of all real servers, by what they became and why.',
    read: ({ facts }) =>
      (['up', 'down'] as const).flatMap((to) =>
        REASONS.map((reason) => ({
          labels: { to, reason },
          value: facts.totals.serverChanges.get(to)?.get(reason) ?? 0,
        })),
      ),
  },
  {
    name: 'piranha_check_duration_seconds',
    type: 'histogram',
    labels: ['kind'],
    help: 'How long probes took, by kind of check.',
    read: ({ facts }) =>
      Array.from(facts.totals.probes, ([kind, { tookMs }]) => ({
        labels: { kind },
        buckets: tookMs,
        divisor: PER_SECOND,
      })),
  },
  {
    name: 'piranha_check_results_total',
    type: 'counter',
    labels: ['kind', 'result'],
    help: 'Probes by kind of check and what came of them.',
    read: ({ facts }) =>
      Array.from(facts.totals.probes).flatMap(([kind, { results }]) =>
        RESULTS.map((result) => ({ labels: { kind, result }, value: results.get(result) ?? 0 })),
      ),
  },
  {
    name: 'piranha_overrides',
    type: 'gauge',
    labels: ['kind'],
    help: "An operator's words beside lvs.cf and the checks: forgotten drains and weights are seen here.",
    read: ({ services }) => {
      if (services === undefined) return [];
      return OVERRIDE_KINDS.map((kind) => ({
        labels: { kind },
        value: services.overrides.filter((override) => override.kind === kind).length,
      }));
    },
  },
];

function traffic(...rows: readonly (readonly [TrafficWord, string])[]): MetricDefinition[] {
  return rows.map(([word, help]) => ({
    name: `piranha_virtual_service_${word}_total`,
    type: 'counter',
    labels: ['virtual_service'],
    help,
    read: (face) => perService(face, (service) => service.traffic?.[TRAFFIC[word]]),
  }));
}

const TRAFFIC = {
  connections: 'connections',
  incoming_packets: 'inPackets',
  outgoing_packets: 'outPackets',
  incoming_bytes: 'inBytes',
  outgoing_bytes: 'outBytes',
} as const;
type TrafficWord = keyof typeof TRAFFIC;

function counted(servers: readonly ServerDocument[]): readonly Sample[] {
  const totals = { up: 0, down: 0, draining: 0, disabled: 0 };
  for (const server of servers) totals[stateOf(server)]++;
  return STATES.map((state) => ({ labels: { state }, value: totals[state] }));
}

function stateOf({ state, reason }: ServerDocument): (typeof STATES)[number] {
  if (reason === 'drained') return 'draining';
  if (reason === 'disabled') return 'disabled';
  return state === 'active' ? 'up' : 'down';
}

type Service = ServiceRowDocument;
type NamedService = {
  readonly service: Service;
  readonly labels: Labels;
  readonly servers: readonly { readonly server: ServerDocument; readonly labels: Labels }[];
};

/** Worked out once a scrape: every metric of this page walks over the same rows. */
const named = new WeakMap<ServicesDocument, readonly NamedService[]>();

function namesOf(document: ServicesDocument): readonly NamedService[] {
  const known = named.get(document);
  if (known !== undefined) return known;
  const names = uniqueNames(document.services, ({ key }) => key);
  const made = document.services.map((service, index): NamedService => {
    const virtual_service = names[index] ?? service.key;
    const servers = uniqueNames(service.servers, ({ address, port }) => `${address} ${port}`);
    return {
      service,
      labels: { virtual_service },
      servers: service.servers.map((server, at) => ({
        server,
        labels: { virtual_service, real_server: servers[at] ?? server.address },
      })),
    };
  });
  named.set(document, made);
  return made;
}

/** A name that several share gets what tells them apart: two series of the same labels would void the whole scrape. */
function uniqueNames<T extends { readonly name: string }>(
  rows: readonly T[],
  distinction: (row: T) => string,
): readonly string[] {
  const seen = new Set<string>();
  const twice = new Set<string>();
  for (const { name } of rows) (seen.has(name) ? twice : seen).add(name);
  return rows.map((row) => (twice.has(row.name) ? `${row.name} (${distinction(row)})` : row.name));
}

function perService(
  { services }: MetricsFace,
  samples: (service: Service) => readonly Sample[] | number | undefined,
): readonly Sample[] {
  if (services === undefined) return [];
  return namesOf(services).flatMap(({ service, labels }) => labelled(labels, samples(service)));
}

function perServer(
  { services }: MetricsFace,
  samples: (server: ServerDocument, service: Service) => readonly Sample[] | number | undefined,
): readonly Sample[] {
  if (services === undefined) return [];
  return namesOf(services).flatMap(({ service, servers }) =>
    servers.flatMap(({ server, labels }) => labelled(labels, samples(server, service))),
  );
}

function inDetail(
  face: MetricsFace,
  samples: (server: ServerDocument) => readonly Sample[] | number | undefined,
): readonly Sample[] {
  const servers = face.services?.services.reduce((sum, service) => sum + service.servers.length, 0);
  return (servers ?? 0) > SERVERS_IN_DETAIL ? [] : perServer(face, samples);
}

/** A number alone has no labels of its own; undefined: no series. */
function labelled(labels: Labels, samples: readonly Sample[] | number | undefined) {
  if (samples === undefined) return [];
  if (typeof samples === 'number') return [{ labels, value: samples }];
  return samples.map(({ labels: more, value }) => ({ labels: { ...labels, ...more }, value }));
}
