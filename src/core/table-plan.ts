/**
 * From the table that stands to the table we want, in the fewest writes and without a moment of our making in which
 * a service that has servers has none.
 *
 * Rows are compared, never remembered commands: start, reload, a server's failure, a repair after `ipvsadm -C` and the
 * recovery from a crash are all this one function. A row that is right costs no write; a row that differs costs one.
 *
 * Whose row is it? A whole virtual service belongs to one owner: it is ours when it is desired or its key stands in
 * `ours` (what we wrote before and no longer want). Everything inside is then ours too, so that a destination which an
 * earlier life left behind goes away. All other services are not looked at. Rejected: marking single destinations as
 * ours, the kernel has no place for a mark, and after a crash nobody would remember.
 *
 * Order, service by service: the service itself, new servers and raised weights, other edits, lowered weights, removed
 * servers; at the very end whole services. What gives traffic a place to go comes before what takes one away.
 * Source: ipvsadm(8), linux/ip_vs.h.
 */
import {
  type DestinationRow,
  endpointText,
  type ServiceEntry,
  type ServiceKey,
  type ServiceRow,
  type ServiceTable,
  serviceKeyText,
  type TableOperation,
} from '../model/index.ts';

/**
 * The writes that turn `observed` into `desired`, in the order in which to make them.
 *
 * @param ours keys (as `serviceKeyText`) of services that an earlier wish of ours put there; desired ones need not be in it.
 */
export function planTable(
  desired: ServiceTable,
  observed: ServiceTable,
  ours: ReadonlySet<string>,
): readonly TableOperation[] {
  const standing = new Map(observed.map((entry) => [serviceKeyText(entry.service.key), entry]));
  const wanted = new Set<string>();
  const operations: TableOperation[] = [];
  for (const entry of desired) {
    const key = serviceKeyText(entry.service.key);
    wanted.add(key);
    planService(entry, standing.get(key), operations);
  }
  for (const [key, entry] of standing) {
    if (ours.has(key) && !wanted.has(key)) {
      operations.push({ kind: 'delete-service', key: entry.service.key });
    }
  }
  return operations;
}

/** True when the kernel need not be told: every field that a service has is the same. */
export function equalServices(a: ServiceRow, b: ServiceRow): boolean {
  return (
    a.scheduler === b.scheduler &&
    a.persistentSeconds === b.persistentSeconds &&
    a.persistencePrefixLength === b.persistencePrefixLength &&
    a.flags.length === b.flags.length &&
    a.flags.every((flag) => b.flags.includes(flag))
  );
}

export function equalDestinations(a: DestinationRow, b: DestinationRow): boolean {
  return (
    a.weight === b.weight &&
    a.method === b.method &&
    a.upperThreshold === b.upperThreshold &&
    a.lowerThreshold === b.lowerThreshold &&
    tunnelText(a) === tunnelText(b)
  );
}

function planService(
  desired: ServiceEntry,
  standing: ServiceEntry | undefined,
  operations: TableOperation[],
): void {
  const { service } = desired;
  if (standing === undefined) operations.push({ kind: 'add-service', service });
  else if (!equalServices(service, standing.service)) {
    operations.push({ kind: 'edit-service', service });
  }
  planDestinations(service.key, desired, standing?.destinations ?? [], operations);
}

function planDestinations(
  key: ServiceKey,
  desired: ServiceEntry,
  standing: readonly DestinationRow[],
  operations: TableOperation[],
): void {
  const left = new Map(standing.map((row) => [destinationKey(row), row]));
  const lowered: TableOperation[] = [];
  const edited: TableOperation[] = [];
  for (const destination of desired.destinations) {
    const name = destinationKey(destination);
    const current = left.get(name);
    left.delete(name);
    if (current === undefined) {
      operations.push({ kind: 'add-destination', key, destination });
    } else if (!equalDestinations(destination, current)) {
      const rise = destination.weight - current.weight;
      const list = rise > 0 ? operations : rise < 0 ? lowered : edited;
      list.push({ kind: 'edit-destination', key, destination });
    }
  }
  operations.push(...edited, ...lowered);
  for (const destination of left.values()) {
    operations.push({ kind: 'delete-destination', key, destination });
  }
}

function destinationKey(row: DestinationRow): string {
  return endpointText(row.address, row.port);
}

/** A tunnel only counts where the method uses one. */
function tunnelText({ method, tunnel }: DestinationRow): string {
  if (method !== 'tunnel' || tunnel === undefined) return '';
  return tunnel.kind === 'gue' ? `gue ${tunnel.port} ${tunnel.checksum}` : `gre ${tunnel.checksum}`;
}
