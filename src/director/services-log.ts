/**
 * What lvsd and nanny say in the log, as pure functions from what happened to lines.
 *
 * Idents and key phrases are Piranha's, because people filter and page on them; each line ends in the reason word that
 * status, metrics and API use too, and in what the last probe saw. A refusal of the kernel is told by the line of the
 * file that asked for it.
 * Source: log phrases of piranha 0.8.6 (docs/protocol.md).
 */
import { unreachable } from '../base/index.ts';
import type { ServerReason, ServicesNote, ServicesState } from '../core/index.ts';
import {
  checkText,
  type DestinationRow,
  endpointText,
  type Origin,
  type PortError,
  PROBE_FAILURES,
  type ServiceKey,
  serviceKeyText,
  type TableOperation,
} from '../model/index.ts';
import { nftRowRefusal } from '../wire/index.ts';

/** Who speaks, as the original named its processes. */
export type Ident = 'lvsd' | 'nanny' | 'fos' | 'pulse';
export type LogLine = { readonly ident: Ident; readonly text: string };

type Plan = ServicesState['plan'];
type ServicePlan = Plan extends { readonly services: ReadonlyMap<string, infer P> } ? P : never;

/** The lines for a note. `wasServing`: before it the server took new connections. */
export function servicesNoteLines(
  note: ServicesNote,
  plan: Plan,
  context: { readonly wasServing: boolean; readonly isVerbose: boolean },
): readonly LogLine[] {
  switch (note.kind) {
    case 'server':
      return serverLines(note, endpointOf(plan, note.service, note.server), context);
    case 'sorry': {
      const what = note.isShown ? 'no server is active: using' : 'a server is active: removing';
      return [lvsd(`${what} the sorry server of ${note.service} (sorry-server)`)];
    }
    case 'quorum': {
      const word = note.isReached ? 'reached' : 'lost';
      return [lvsd(`quorum of virtual service ${note.service} ${word} (quorum-${word})`)];
    }
    case 'override-ended':
      return [lvsd(`the override of ${note.target} has ended: its checks decide (override-ended)`)];
    default:
      return unreachable(note);
  }
}

function serverLines(
  note: Extract<ServicesNote, { kind: 'server' }>,
  endpoint: string,
  { wasServing, isVerbose }: { readonly wasServing: boolean; readonly isVerbose: boolean },
): readonly LogLine[] {
  const { weight, reason, detail } = note;
  const isServing = weight !== undefined && weight > 0;
  const ending = `(${reason})${detail === undefined ? '' : `: ${detail}`}`;
  if (isServing && !wasServing) {
    return [nanny(`[ active ] making ${endpoint} available ${ending}`)];
  }
  if (isServing) {
    const isWorthIt = isVerbose || reason === 'weighed';
    return isWorthIt ? [nanny(`weight of ${endpoint} is ${weight} now ${ending}`)] : [];
  }
  const quiesced = weight === 0 ? ', quiesced' : '';
  // One that was not available before, down from the start, is not shut down.
  const isOut = !wasServing && isFailure(reason);
  const what = isOut ? `not making ${endpoint} available` : `shutting down ${endpoint}`;
  const told = nanny(`[inactive] ${what} due to ${cause(reason)}${quiesced} ${ending}`);
  if (reason !== 'wrong-answer') return [told];
  return [
    nanny(`Trouble. Received results are not what we expected from ${endpoint} ${ending}`),
    told,
  ];
}

/** After `due to`. */
function cause(reason: ServerReason): string {
  if (reason === 'wrong-answer' || reason === 'answer-too-long') return 'an unexpected answer';
  if (reason === 'drained' || reason === 'disabled' || reason === 'weighed')
    return 'an order of the operator';
  if (reason === 'tls-refused' || reason === 'certificate') return 'a failed TLS check';
  if (reason === 'program-failed') return 'a failed program';
  if (reason === 'bad-check') return 'a check that cannot be made';
  return isFailure(reason) ? 'connection failure' : 'its configuration';
}

function isFailure(reason: ServerReason): boolean {
  return PROBE_FAILURES.some((word) => word === reason);
}

/** What a start or a reload begins and ends. */
export function settingsLines(before: Plan, now: Plan): readonly LogLine[] {
  const lines: LogLine[] = [];
  for (const [key, { name }] of before.services) {
    if (!now.services.has(key))
      lines.push(lvsd(`shutting down virtual service ${name} (settings)`));
  }
  for (const [key, service] of now.services) {
    const known = before.services.get(key);
    if (known === undefined)
      lines.push(lvsd(`starting virtual service ${service.name} (settings)`));
    const monitored = new Set(known?.servers.flatMap((server) => server.checks));
    for (const server of service.servers) {
      for (const checkKey of server.checks) {
        const check = now.checks.get(checkKey);
        if (check === undefined || monitored.has(checkKey)) continue;
        const [name = server.row.address] = server.names;
        const [from, to] = [placeText(service.service.key), rowText(server.row)];
        lines.push(
          lvsd(`create_monitor for ${service.name}/${name} running as ${checkText(check)}`),
          nanny(`starting LVS client monitor for ${from} -> ${to}`),
        );
      }
    }
  }
  return lines;
}

/** `lvs.cf:31: kernel refused scheduler "mh" for virtual web: no such scheduler here (ENOENT)`. */
export function refusalText(operation: TableOperation, error: PortError, plan: Plan): string {
  const key = 'service' in operation ? operation.service.key : operation.key;
  const service = plan.services.get(serviceKeyText(key));
  const name = service === undefined ? serviceKeyText(key) : `virtual ${service.name}`;
  const why = `${refusalWords(operation, error)}`;
  const { what, origin } = refused(operation, error, service);
  const who = error.code === 'unsupported' ? 'the data plane' : 'kernel';
  const whom = what === 'the service' ? name : `${what} for ${name}`;
  return `${place(origin)}${who} refused ${whom}: ${why}`;
}

function refused(
  operation: TableOperation,
  { code }: PortError,
  service: ServicePlan | undefined,
): { readonly what: string; readonly origin: Origin | undefined } {
  const origins = service?.origins;
  if ('destination' in operation && code === 'unsupported') {
    const row = service?.service;
    const refusal = row && nftRowRefusal(row, operation.destination.method);
    const own = refusal === undefined ? undefined : origins?.[refusal.directive];
    return { what: 'the service', origin: own ?? service?.origin };
  }
  if ('destination' in operation) {
    const { destination } = operation;
    const server = service?.servers.find(({ row }) => rowText(row) === rowText(destination));
    const verb = operation.kind === 'delete-destination' ? 'the removal of ' : '';
    const name = server === undefined ? '' : ` ${server.names[0]}`;
    const what = `${verb}server${name} (${rowText(destination)} ${destination.method})`;
    const isSorry = service?.sorry !== undefined && rowText(service.sorry) === rowText(destination);
    const own = isSorry ? origins?.sorry_server : undefined;
    return { what, origin: server?.origin ?? own ?? service?.origin };
  }
  const origin = service?.origin;
  if (operation.kind === 'delete-service') return { what: 'the removal', origin };
  if (code !== 'ENOENT' || !('service' in operation)) return { what: 'the service', origin };
  const what = `scheduler "${operation.service.scheduler}"`;
  return { what, origin: origins?.scheduler ?? origin };
}

function refusalWords(operation: TableOperation, { code, kernelText }: PortError): string {
  if (kernelText !== undefined) return `${kernelText} (${code})`;
  const isService = operation.kind === 'add-service' || operation.kind === 'edit-service';
  if (code === 'ENOENT' && isService) return 'ENOENT, it has no such scheduler';
  return code;
}

/** What somebody else did to rows of ours, seen from what it takes to put them back. */
export function driftText(repairs: readonly TableOperation[], plan: Plan): string {
  const [first] = repairs;
  if (first === undefined) return 'the table was changed by someone else (kernel-drift)';
  const more = repairs.length > 1 ? ` and ${repairs.length - 1} more` : '';
  return `someone else changed the virtual-service table: ${operationText(first, plan)}${more} to repair it (kernel-drift)`;
}

/** One write in words: `web: add server web-a (198.51.100.21:80) weight 3`. */
function operationText(operation: TableOperation, plan: Plan): string {
  const key = 'service' in operation ? operation.service.key : operation.key;
  const service = plan.services.get(serviceKeyText(key));
  const name = service?.name ?? serviceKeyText(key);
  if (!('destination' in operation)) {
    const verb = operation.kind.split('-')[0];
    return `${name}: ${verb} the service`;
  }
  const { destination } = operation;
  const server = service?.servers.find(({ row }) => rowText(row) === rowText(destination));
  const who = server?.names[0] === undefined ? '' : ` ${server.names[0]}`;
  const verb = operation.kind.split('-')[0];
  const weight = operation.kind === 'delete-destination' ? '' : ` weight ${destination.weight}`;
  return `${name}: ${verb} server${who} (${rowText(destination)})${weight}`;
}

function place(origin: Origin | undefined): string {
  return origin === undefined ? '' : `${origin.file}:${origin.line}: `;
}

function endpointOf(plan: Plan, service: string, server: string): string {
  for (const { name, servers } of plan.services.values()) {
    if (name !== service) continue;
    const found = servers.find(({ names, row }) => (names[0] ?? row.address) === server);
    if (found !== undefined) return rowText(found.row);
  }
  return `${service}/${server}`;
}

function rowText({ address, port }: DestinationRow): string {
  return endpointText(address, port);
}

function placeText(key: ServiceKey): string {
  return key.kind === 'mark' ? serviceKeyText(key) : endpointText(key.address, key.port);
}

function lvsd(text: string): LogLine {
  return { ident: 'lvsd', text };
}

function nanny(text: string): LogLine {
  return { ident: 'nanny', text };
}
