/**
 * The nftables data plane: the Linux twin of `TablePort` for kernels without IPVS (wire/nft-services.ts says how).
 *
 * A write is one transaction of the field's own tool, `nft -f`, run by the spawner; the script is a file of the run
 * directory (0600), because a spawned program has no input. nft cannot be asked for the rows it was made from, so they
 * are kept here and beside the script, with a digest of the rules as the kernel held them after the write. A look
 * compares that digest: equal, the rows stand; anything else (a flushed table, one edited rule), nothing does, and all
 * of it is written anew. What connections are known stays known through every write. So a restarted director adopts.
 *
 * Direct routing needs the servers' link-layer addresses: from the kernel's neighbour entries, which every check
 * renews; a server that has none yet is asked with one datagram. Who moved is followed without a word.
 *
 * UDP has no end, so with nat a server that leaves would keep each client that goes on sending: those conversations are ended in
 * the connection tracking, and their next packet is a new one's first. TCP's are left alone, as IPVS leaves them
 * (expire_nodest_conn = 0): they end with the server, or go on when it was away for a moment only.
 */
import { createHash } from 'node:crypto';
import { accessSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { err, fromUtf8, type IpAddress, ok, type Result } from '../base/index.ts';
import {
  type DestinationRow,
  endpointText,
  type PortError,
  type ServiceEntry,
  type ServiceTable,
  serviceKeyText,
  type TableOperation,
} from '../model/index.ts';
import {
  buildNftServices,
  isLeftBehind,
  leftServers,
  type NftObject,
  nftRemoval,
  nftRowRefusal,
  nftScript,
  type ServerPlace,
} from '../wire/index.ts';
import { BootClock } from './clock.ts';
import { endFlows } from './conntrack.ts';
import { portError } from './errno.ts';
import { openNetlinkSocket } from './netlink-socket.ts';
import { fingerprintOf, NftCounters, sumCounters } from './nft-view.ts';
import type { Clock, NetlinkSocket, ObservedService, Spawner, TablePort } from './types.ts';
import { openWhereabouts, type Whereabouts } from './whereabouts.ts';

const LIMIT_MS = 10_000;
const MAX_OUTPUT = 4096;
const PROGRAMS = ['/usr/sbin/nft', '/sbin/nft', '/usr/bin/nft'];

type NftPorts = {
  readonly spawner: Spawner;
  readonly program: string;
  readonly directory: string;
  readonly where: Whereabouts;
  readonly netfilter: NetlinkSocket;
  readonly clock: Clock;
  readonly log: (line: string) => void;
};

/** What a life hands to the next one. */
type Kept = {
  /** Of what was to be written. */
  readonly digest: string;
  /** Of the rules as they stood then. */
  readonly fingerprint: string;
  readonly table: ServiceTable;
  readonly objects: readonly NftObject[];
  /** Where its servers were seen last. */
  readonly places: readonly (readonly [IpAddress, ServerPlace])[];
};
/** The fingerprint of no rules that ever stood: the next look finds drift. */
const CHANGED = 'changed';
const NOTHING: Kept = { digest: '', fingerprint: '', table: [], objects: [], places: [] };

/** Who is told of connections: any of these addresses on this device is the partner's. */
export type SyncPartner = { readonly device: string; readonly addresses: readonly IpAddress[] };

/**
 * ENOENT without the tool, its own words when the kernel takes none of it. `log` hears what could not be done beside a table
 * that stands.
 */
export async function openNftPlane(
  spawner: Spawner,
  directory: string,
  log: (line: string) => void,
): Promise<Result<NftPlane, PortError>> {
  const program = PROGRAMS.find(isThere);
  if (program === undefined) return err(portError('run', 'nft', 'ENOENT'));
  const where = openWhereabouts();
  if (!where.ok) return where;
  const netfilter = openNetlinkSocket({ family: 'netfilter' });
  if (!netfilter.ok) {
    where.value.close();
    return netfilter;
  }
  const plane = new NftPlane({
    spawner,
    program,
    directory,
    where: where.value,
    netfilter: netfilter.value,
    clock: new BootClock(),
    log,
  });
  const listed = await plane.run('list tables', 'list tables');
  if (listed.ok) return ok(plane);
  plane.close();
  return listed;
}

export class NftPlane implements TablePort {
  readonly plane = 'nftables';
  readonly #ports: NftPorts;
  readonly #counters: NftCounters;
  #sync: SyncPartner | undefined;
  #kept: Kept;
  #stands = false;

  constructor(ports: NftPorts) {
    this.#ports = ports;
    this.#kept = readKept(this.#file('json'));
    for (const [address, place] of this.#kept.places) ports.where.places.set(address, place);
    this.#counters = new NftCounters(ports.netfilter);
  }

  /** From the next look on; undefined: nobody is told of connections. */
  synchronise(partner: SyncPartner | undefined): void {
    this.#sync = partner;
  }

  async observe(): Promise<Result<readonly ObservedService[], PortError>> {
    const { netfilter, clock, where } = this.#ports;
    where.look();
    const standing = fingerprintOf(netfilter);
    if (!standing.ok) return standing;
    const { table, fingerprint, digest } = this.#kept;
    this.#stands = standing.value.digest === fingerprint;
    if (this.#stands && digestOf(this.#build(table)) !== digest) {
      const refused = await this.#install(table);
      if (refused !== undefined) return err(refused);
    }
    this.#counters.read(clock.now());
    return ok(this.#stands ? table.map((entry) => this.#observed(entry)) : []);
  }

  async apply(operations: readonly TableOperation[]): Promise<readonly (PortError | undefined)[]> {
    const table = new Map<string, ServiceEntry>();
    for (const entry of this.#stands ? this.#kept.table : []) {
      table.set(serviceKeyText(entry.service.key), entry);
    }
    const results: (PortError | undefined)[] = [];
    for (const operation of operations) results.push(await this.#change(table, operation));
    const refused = await this.#install([...table.values()]);
    return refused === undefined ? results : operations.map(() => refused);
  }

  close(): void {
    this.#ports.where.close();
    this.#ports.netfilter.close();
  }

  /** One nft script to its end; the error has nft's first line. */
  async run(operation: string, script: string): Promise<Result<string, PortError>> {
    const file = this.#file('nft');
    try {
      writeFileSync(file, script, { mode: 0o600 });
    } catch (error) {
      return err(portError('write', file, codeOf(error)));
    }
    return this.#sh(operation, 'exec "$0" -f "$1"', file);
  }

  /** A shell for one thing: nft says what is wrong on standard error, and the spawner keeps standard output. */
  async #sh(operation: string, text: string, word: string): Promise<Result<string, PortError>> {
    const { spawner, program } = this.#ports;
    const argv = ['/bin/sh', '-c', `exec 2>&1; ${text}`, program, word];
    const outcome = await spawner.run({ argv, timeoutMs: LIMIT_MS, maxOutput: MAX_OUTPUT });
    if (outcome.kind === 'failed') return err(outcome.error);
    const output = fromUtf8(outcome.output);
    if (outcome.kind === 'exited' && outcome.status === 0) return ok(output);
    const [line = ''] = output.split('\n');
    const said = line.replace(/^.*?Error: /, '');
    return err(portError(operation, 'nftables', 'nft-refused', said === '' ? outcome.kind : said));
  }

  async #change(
    table: Map<string, ServiceEntry>,
    operation: TableOperation,
  ): Promise<PortError | undefined> {
    const key = serviceKeyText('service' in operation ? operation.service.key : operation.key);
    const entry = table.get(key);
    if (operation.kind === 'delete-service') {
      table.delete(key);
      return undefined;
    }
    if ('service' in operation) {
      // What cannot be carried is refused with its servers: a service without any carries nothing.
      table.set(key, { service: operation.service, destinations: entry?.destinations ?? [] });
      return undefined;
    }
    if (entry === undefined) return portError(operation.kind, key, 'ESRCH');
    const { destination } = operation;
    const others = entry.destinations.filter((row) => rowText(row) !== rowText(destination));
    if (operation.kind === 'delete-destination') {
      table.set(key, { ...entry, destinations: others });
      return undefined;
    }
    const refusal = nftRowRefusal(entry.service, destination.method);
    if (refusal !== undefined) return portError(operation.kind, key, 'unsupported', refusal.text);
    if (destination.method === 'direct' && !(await this.#ports.where.find(destination.address))) {
      const text = `nobody answers for ${destination.address} on a link of this machine`;
      return portError(operation.kind, key, 'no-neighbour', text);
    }
    const at = entry.destinations.findIndex((row) => rowText(row) === rowText(destination));
    const destinations =
      at < 0 ? [...others, destination] : entry.destinations.with(at, destination);
    table.set(key, { ...entry, destinations });
    return undefined;
  }

  /**
   * Objects that are known to stand and are not needed any more go; what is needed is declared, which changes nothing
   * where it stands. Where that is refused (something of another kind has our name), all is made from nothing.
   */
  async #install(table: ServiceTable): Promise<PortError | undefined> {
    const { netfilter } = this.#ports;
    const built = this.#build(table);
    const names = new Set(built.objects.map(objectText));
    const stale = this.#kept.objects.filter((object) => !names.has(objectText(object)));
    const anew = `${nftRemoval()}${nftScript(built, [])}`;
    const scripts =
      table.length === 0 ? [nftRemoval()] : [nftScript(built, this.#stands ? stale : []), anew];
    let refused: PortError | undefined;
    for (const script of scripts) {
      const installed = await this.run('write', script);
      refused = installed.ok ? undefined : installed.error;
      if (refused === undefined) break;
    }
    if (refused !== undefined) return refused;
    const standing = fingerprintOf(netfilter);
    if (!standing.ok) return standing.error;
    const { objects } = built;
    const servers = new Set(
      table.flatMap((entry) => entry.destinations.map(({ address }) => address)),
    );
    const places = [...this.#ports.where.places].filter(([address]) => servers.has(address));
    const digest = digestOf(built);
    // Somebody was quicker than this look (a flush right behind the write): what is there now is not ours, whatever it is.
    const isOurs = standing.value.rules === built.rules.length;
    const fingerprint = isOurs ? standing.value.digest : CHANGED;
    const before = this.#kept.table;
    this.#kept = { digest, fingerprint, table, objects, places };
    this.#stands = true;
    this.#remember();
    this.#release(before);
    return undefined;
  }

  /** Whole or not at all; a table that cannot be remembered stands all the same. */
  #remember(): void {
    const file = this.#file('json');
    try {
      writeFileSync(`${file}.new`, `${JSON.stringify(this.#kept)}\n`, { mode: 0o600 });
      renameSync(`${file}.new`, file);
    } catch (error) {
      this.#ports.log(`${file} cannot be written: ${codeOf(error)}`);
    }
  }

  /** Ends the UDP conversations of servers that left. */
  #release(before: ServiceTable): void {
    const { netfilter, log } = this.#ports;
    const { table } = this.#kept;
    const servers = leftServers(before, table);
    if (servers.length === 0) return;
    const refused = endFlows(netfilter, servers, (flow) => isLeftBehind(flow, before, table));
    if (refused !== undefined)
      log(`UDP clients of a server that left may stay with it: ${refused.code}`);
  }

  #build(table: ServiceTable) {
    const partner = this.#partner();
    const { places, devices } = this.#ports.where;
    const ground = { places, devices };
    return buildNftServices(table, partner === undefined ? ground : { ...ground, partner });
  }

  #partner(): ServerPlace | undefined {
    const { device, addresses = [] } = this.#sync ?? {};
    const places = addresses.map((address) => this.#ports.where.places.get(address));
    return places.find((place) => place?.device === device);
  }

  #observed({ service, destinations }: ServiceEntry): ObservedService {
    const rows = destinations.map((destination) => ({
      destination,
      // Connections are remembered, not followed: nobody knows which of them have ended.
      activeConnections: 0,
      inactiveConnections: 0,
      persistentConnections: 0,
      counters: this.#counters.of(service.key, destination),
    }));
    return {
      service,
      counters: sumCounters(rows.map(({ counters }) => counters)),
      destinations: rows,
    };
  }

  #file(kind: 'nft' | 'json'): string {
    return join(this.#ports.directory, `nft-services.${kind}`);
  }
}

function digestOf(built: ReturnType<typeof buildNftServices>): string {
  return createHash('sha256').update(JSON.stringify(built)).digest('hex').slice(0, 32);
}

function readKept(file: string): Kept {
  try {
    const kept: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return isKept(kept) ? kept : NOTHING;
  } catch {
    return NOTHING; // a first life, or a file cut short: everything is written anew
  }
}

function isKept(value: unknown): value is Kept {
  return (
    typeof value === 'object' &&
    value !== null &&
    'fingerprint' in value &&
    'places' in value &&
    'table' in value &&
    'objects' in value
  );
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'EIO';
}

function isThere(path: string): boolean {
  try {
    accessSync(path);
    return true;
  } catch {
    return false; // another place is tried
  }
}

function objectText({ family, kind, name, body }: NftObject): string {
  return `${family} ${kind} ${name} ${body}`;
}

function rowText({ address, port }: DestinationRow): string {
  return endpointText(address, port);
}
