/** Errors of the world as words for a person. */
import type { PortError, Settings } from '../model/index.ts';
import type { PulsePlan } from './plan.ts';

const MEANINGS: ReadonlyMap<string, string> = new Map([
  ['EACCES', 'permission denied'],
  ['EADDRINUSE', 'address already in use'],
  ['EADDRNOTAVAIL', 'no such address here'],
  ['EAGAIN', 'the queue is full'],
  ['EEXIST', 'exists already'],
  ['EINVAL', 'not accepted'],
  ['EHOSTUNREACH', 'no route to the host'],
  ['ENETDOWN', 'the interface is down'],
  ['ENETUNREACH', 'the network is unreachable'],
  ['ENOBUFS', 'the queue is full'],
  ['EISDIR', 'it is a directory'],
  ['ENODEV', 'no such interface'],
  ['ENOENT', 'no such file'],
  ['EPERM', 'not permitted'],
]);

/** `bind 198.51.100.11:539: address already in use (EADDRINUSE)`; the kernel's own text goes before ours. */
export function portErrorText({ operation, target, code, kernelText }: PortError): string {
  const meaning = kernelText ?? MEANINGS.get(code);
  return `${operation} ${target}: ${meaning === undefined ? code : `${meaning} (${code})`}`;
}

/** `no such file (ENOENT)` for what node:fs and node:net throw. */
export function systemErrorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error ? String(error.code) : '';
  const meaning = MEANINGS.get(code);
  return meaning === undefined ? error.message : `${meaning} (${code})`;
}

/** A reload that the kernel refused. */
export function refusedText(error: PortError): string {
  const text = portErrorText(error);
  return error.operation === 'bind' ? `failed to bind to heartbeat address: ${text}` : text;
}

export function repairedText(vips: readonly string[]): string {
  const [first] = vips;
  const more = vips.length > 1 ? ` and ${vips.length - 1} more` : '';
  return `VIP ${first}${more} was removed by someone else: raised again (repaired)`;
}

/** Said once, at the start. */
export function authenticationLines({
  settings,
  plan,
}: {
  readonly settings: Settings;
  readonly plan: PulsePlan;
}): readonly string[] {
  const isAlone = plan.failover.paths.length === 0;
  if (isAlone || (plan.failover.extended?.keys.length ?? 0) > 0) return [];
  const cure = settings.dialect === 'legacy' ? 'dialect = legacy' : 'no heartbeat_key_file';
  return [
    `heartbeats are not authenticated (${cure}): anyone on the segment can steal the VIPs (unauthenticated)`,
  ];
}
