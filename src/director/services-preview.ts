/**
 * What a reload would do, in words, before it is done: `web-b: weight 3 -> 2; no VIP moves`.
 *
 * Two files are compared as what they ask for (every server at its configured weight), not with what stands: health
 * comes and goes, and the reader asked about the file. Pure.
 */
import { planTable, type ServicesState } from '../core/index.ts';
import {
  type DestinationRow,
  endpointText,
  floatingAddresses,
  type ServiceTable,
  type Settings,
  serviceKeyText,
  type TableOperation,
} from '../model/index.ts';
import { operationText } from './services-log.ts';

type Plan = ServicesState['plan'];
export type Asked = { readonly settings: Settings; readonly plan: Plan };

/** One line a change; the last one is about VIPs. */
export function previewReload(before: Asked, next: Asked): readonly string[] {
  const [was, will] = [tableOfPlan(before.plan), tableOfPlan(next.plan)];
  const ours = new Set(before.plan.services.keys());
  const writes = planTable(will, was, ours).map((operation) =>
    changeText(operation, was, operation.kind.startsWith('delete') ? before.plan : next.plan),
  );
  return [...writes, ...checkChanges(before.plan, next.plan), vipChanges(before, next)];
}

function tableOfPlan(plan: Plan): ServiceTable {
  return Array.from(plan.services.values(), ({ service, servers }) => ({
    service,
    destinations: servers.map(({ row }) => row),
  }));
}

function changeText(operation: TableOperation, was: ServiceTable, plan: Plan): string {
  if (operation.kind !== 'edit-destination') return operationText(operation, plan);
  const key = serviceKeyText(operation.key);
  const entry = was.find(({ service }) => serviceKeyText(service.key) === key);
  const place = rowText(operation.destination);
  const old = entry?.destinations.find((row) => rowText(row) === place);
  const service = plan.services.get(key);
  const name = service?.servers.find(({ row }) => rowText(row) === place)?.names[0] ?? place;
  const { weight, method } = operation.destination;
  const changes: string[] = [];
  if (old?.weight !== weight) changes.push(`weight ${old?.weight ?? '?'} -> ${weight}`);
  if (old?.method !== method) changes.push(`${old?.method ?? '?'} -> ${method}`);
  return `${name}: ${changes.join(', ')}`;
}

function checkChanges(before: Plan, next: Plan): readonly string[] {
  const added = [...next.checks.keys()].filter((key) => !before.checks.has(key)).length;
  const ended = [...before.checks.keys()].filter((key) => !next.checks.has(key)).length;
  if (added === 0 && ended === 0) return [];
  return [`checks: ${added} begin, ${ended} end`];
}

function vipChanges(before: Asked, next: Asked): string {
  const texts = ({ settings }: Asked) =>
    floatingAddresses(settings).map(({ address, device }) => `${address} on ${device}`);
  const [was, will] = [texts(before), texts(next)];
  const raised = will.filter((text) => !was.includes(text));
  const lowered = was.filter((text) => !will.includes(text));
  if (raised.length === 0 && lowered.length === 0) return 'no VIP moves';
  const words = [
    ...raised.map((text) => `raise VIP ${text}`),
    ...lowered.map((text) => `lower VIP ${text}`),
  ];
  return words.join('; ');
}

function rowText({ address, port }: DestinationRow): string {
  return endpointText(address, port);
}
