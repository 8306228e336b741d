/** The virtual-service table as a page for a person: a line a service, a line a server, reasons in words. */

import { ip } from '../base/index.ts';
import type { ServicesDocument } from '../director/index.ts';
import { endpointText } from '../model/index.ts';
import { ageText } from './status-text.ts';

type Service = ServicesDocument['services'][number];
type Server = Service['servers'][number];

const OPERATOR: ReadonlySet<string> = new Set(['drained', 'disabled', 'forced-up', 'weighed']);

export function servicesText({ dataPlane, services, overrides }: ServicesDocument): string {
  const blocks = services.map((service) => [serviceLine(service), ...serverLines(service)]);
  return [
    `DATA PLANE  ${dataPlane.kind} (${dataPlane.why})`,
    ...(services.length === 0 ? ['', 'no virtual service is active'] : []),
    ...blocks.flatMap((block) => ['', ...block]),
    ...(overrides.length === 0 ? [] : ['', ...overrides.map(overrideLine)]),
  ].join('\n');
}

function serviceLine(service: Service): string {
  const { name, key, scheduler, persistentSeconds, quorum, stands, traffic, sorryServer } = service;
  const words = [
    scheduler,
    ...(persistentSeconds > 0 ? [`persistent ${persistentSeconds} s`] : []),
    ...(quorum === 'lost' ? ['QUORUM LOST'] : []),
    ...(stands ? [] : ['not in the data plane']),
    ...(sorryServer?.isShown === true ? [`SORRY SERVER ${sorryServer.address}`] : []),
  ];
  const rate =
    traffic === undefined
      ? ''
      : `   ${traffic.connections} connections, ${traffic.connectionRate}/s, ` +
        `${bytesText(traffic.inByteRate)}/s in, ${bytesText(traffic.outByteRate)}/s out`;
  return `${name}  ${key}  ${words.join(', ')}${rate}`;
}

function serverLines({ servers }: Service): readonly string[] {
  const rows = servers.map((server) => [
    server.name,
    endpointText(ip(server.address), server.port),
    server.method,
    weightText(server),
    server.state,
    connectionsText(server),
    reasonText(server),
  ]);
  const widths = [0, 1, 2, 3, 4, 5].map((column) =>
    Math.max(0, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  return rows.map(
    (row) =>
      `  ${row
        .map((word, column) => word.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd()}`,
  );
}

/** `3`, on its way `1/3`, out `-/3`. */
function weightText({ weight, configuredWeight }: Server): string {
  return weight === configuredWeight ? `${weight}` : `${weight ?? '-'}/${configuredWeight}`;
}

function connectionsText({ connections, traffic }: Server): string {
  if (traffic === undefined) return '';
  const count =
    connections === undefined ? `${traffic.connections} so far` : `${connections.active} active`;
  return `${count}, ${traffic.connectionRate}/s`;
}

/** The age is that of what the checks say; an operator's word has what is left of it instead. */
function reasonText({ reason, detail, sinceMs, override }: Server): string {
  const left = override?.leftMs === undefined ? '' : `, ${ageText(override.leftMs)} left`;
  const since = OPERATOR.has(reason) ? left : `${left} for ${ageText(sinceMs)}`;
  const said = detail === undefined ? '' : `: ${detail}`;
  return `${reason}${since}${said}`;
}

function overrideLine(override: ServicesDocument['overrides'][number]): string {
  const { target, kind, weight, leftMs } = override;
  const end = leftMs === undefined ? 'until it is lifted' : `${ageText(leftMs)} left`;
  return `OVERRIDE  ${target}: ${kind}${weight === undefined ? '' : ` ${weight}`}, ${end}`;
}

/** `812 B`, `1.4 MB`. */
export function bytesText(count: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let [value, unit] = [count, 0];
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}
