/**
 * `--plain`: rows for cut, awk and sort. Columns are parted by tabs, always as many, always in this order; what is not known
 * is `-`. New columns come at the end. The tables of docs/cli.md are held to `PLAIN_COLUMNS`.
 */
import type {
  EventRecord,
  IncidentRow,
  ServicesDocument,
  StatusDocument,
} from '../director/index.ts';

/** By the verb; of `status` by the kind of row, which is its first column. */
export const PLAIN_COLUMNS = {
  'status verdict': ['verdict', 'level', 'sentence'],
  'status role': ['role', 'node', 'role', 'reason', 'since', 'serial_no'],
  'status partner': ['partner', 'state', 'last said'],
  'status path': ['path', 'name', 'own', 'partner', 'link', 'heard ms ago', 'received', 'sent'],
  'status vip': ['vip', 'address', 'device', 'state', 'believed to be of'],
  services: [
    ...['service', 'key', 'server', 'address', 'port', 'method', 'weight', 'configured weight'],
    ...['state', 'reason', 'active connections', 'connections/s'],
  ],
  events: ['id', 'at', 'node', 'kind', 'reason', 'text'],
  incident: ['id', 'at', 'node', 'bytes', 'changes of role'],
} as const;

type Word = string | number | undefined;

/** One row. */
export function plainRow(words: readonly Word[]): string {
  return words.map(plainWord).join('\t');
}

/** What would end a column or a row becomes a blank. */
function plainWord(word: Word): string {
  const text = String(word ?? '').replaceAll(/[\t\n\r]+/g, ' ');
  return text === '' ? '-' : text;
}

/** Without a director's word there is the verdict alone. */
export function plainStatus(
  document: Pick<StatusDocument, 'verdict'> & Partial<StatusDocument>,
): string {
  const { verdict, partner, vips = [], role, node, reason, since, configuration } = document;
  const own: readonly Word[][] =
    role === undefined ? [] : [['role', node, role, reason, since, configuration?.serialNo]];
  const paths = partner?.paths.map((path) => {
    const { name, link, heardMsAgo, received, sent } = path;
    return ['path', name, path.own, path.partner, link, heardMsAgo, received, sent];
  });
  return [
    ['verdict', verdict.level, verdict.text],
    ...own,
    ...(partner === undefined ? [] : [['partner', partner.state, partner.said]]),
    ...(paths ?? []),
    ...vips.map(({ address, device, state, belief }) => {
      return ['vip', address, device, state, belief?.owner];
    }),
  ]
    .map(plainRow)
    .join('\n');
}

/** A row a server; a service without one has a row all the same. */
export function plainServices({ services }: ServicesDocument): string {
  return services
    .flatMap((service) => {
      const of = [service.name, service.key];
      if (service.servers.length === 0) return [[...of, ...Array<undefined>(10)]];
      return service.servers.map((server) => {
        const { name, address, port, method, weight, configuredWeight, state, reason } = server;
        const { connections, traffic } = server;
        const counted = [connections?.active, traffic?.connectionRate];
        const is = [name, address, port, method, weight, configuredWeight, state, reason];
        return [...of, ...is, ...counted];
      });
    })
    .map(plainRow)
    .join('\n');
}

export function plainEvent({ id, at, node, kind, reason, text }: EventRecord): string {
  return plainRow([id, at, node, kind, reason, text]);
}

export function plainIncidents(incidents: readonly IncidentRow[]): string {
  return incidents
    .map(({ id, at, node, bytes, roles }) => {
      const changes = roles.map(({ to, reason }) => `${to} (${reason})`).join(', ');
      return plainRow([id, at, node, bytes, changes]);
    })
    .join('\n');
}
