/**
 * What the doctor's checks judge: configuration, kernel, daemon and processes of this machine, read once. Checks are then
 * plain functions of these facts, which tests make up.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { type IpAddress, ipBytes, ipFamily, type Result } from '../base/index.ts';
import {
  decideNode,
  loadSettings,
  observeKernel,
  type ServicesDocument,
  type StatusDocument,
} from '../director/index.ts';
import {
  floatingAddresses,
  type Gateway,
  type KernelAddresses,
  type Link,
  type Node,
  type RealServer,
  type Settings,
  type VirtualService,
} from '../model/index.ts';
import { observeAddressFlags, observeGateways, observeWays, type Way } from '../ports/index.ts';
import type { KernelAddress } from '../wire/index.ts';
import type { Said } from './finding.ts';
import { askServices } from './services.ts';
import { isStatus, statusOf } from './status.ts';

export type Process = {
  readonly pid: number;
  readonly name: string;
};

export type Check = {
  readonly name: string;
  /** What it looks for. */
  readonly about: string;
  readonly look: (facts: Facts, settings: Settings) => readonly Said[];
};

export type Facts = {
  readonly configFile: string;
  /** The error: every sentence that is wrong with the file. */
  readonly settings: Result<Settings, readonly string[]>;
  readonly kernel: KernelAddresses;
  readonly gateways: readonly Gateway[];
  /** The rows of `kernel` with their flags and lifetimes. */
  readonly addresses: readonly KernelAddress[];
  /** By which way packets to a listed real server leave; one that is not here cannot be reached. */
  readonly ways: ReadonlyMap<IpAddress, Way>;
  /** Absent: no address of ours is in the file. */
  readonly node?: Node;
  /** Absent: the daemon does not answer; `silence` says how. */
  readonly status?: StatusDocument;
  /** What it says later. */
  readonly askAgain: () => Promise<StatusDocument | undefined>;
  readonly silence?: string;
  readonly services?: ServicesDocument;
  /** How many threads of the daemon are in a real-time class; absent: not to be seen. */
  readonly realTimeThreads?: number;
  /** The others in this network namespace. */
  readonly processes: readonly Process[];
  /** The error of the key file's check; absent: none is named, or it is good. */
  readonly keyFault?: string;
  /** Does the partner answer through the channel between the two? */
  readonly hasChannel: boolean;
  /** The partner's own word through the channel, and how far its clock is ahead of ours, give or take. */
  readonly partner?: StatusDocument;
  readonly clock?: { readonly aheadMs: number; readonly uncertainMs: number };
  /** What ethtool -k says of a device; undefined where there is no ethtool. */
  readonly features: (device: string) => string | undefined;
  /** A file of /proc or /sys; undefined where there is none. */
  readonly read: (path: string) => string | undefined;
  /** The names in a directory, in order; none where there is no such directory. */
  readonly list: (path: string) => readonly string[];
};

export async function gatherFacts(options: {
  readonly runDirectory: string;
  readonly configFile: string;
  readonly keyFault: (path: string) => string | undefined;
}): Promise<Facts> {
  const { runDirectory, configFile } = options;
  const loaded = loadSettings(configFile);
  const observed = observeKernel();
  const kernel = observed.ok ? observed.value : { links: [], rows: [] };
  const gateways = observeGateways();
  const settings = loaded.ok ? loaded.value.settings : undefined;
  const node = settings && decideNode(settings, kernel);
  const status = await statusOf(runDirectory, 'own', configFile);
  const services = await askServices(runDirectory, 'own');
  const realTimeThreads = isStatus(status) ? countRealTime(status.pid) : undefined;
  const keyFile = settings?.heartbeatKeyFile;
  const keyFault = keyFile === undefined ? undefined : options.keyFault(keyFile);
  const askedAt = Date.now();
  const partner = await statusOf(runDirectory, 'partner', configFile);
  const answeredAt = Date.now();
  const addresses = observeAddressFlags();
  const servers = settings === undefined ? [] : listedServers(settings);
  const ways = observeWays([...new Set(servers.map(({ server }) => server.address))]);
  return {
    configFile,
    settings: loaded.ok ? { ok: true, value: loaded.value.settings } : loaded,
    kernel,
    gateways: gateways.ok ? gateways.value : [],
    addresses: addresses.ok ? addresses.value : [],
    ways: ways.ok ? ways.value : new Map(),
    ...(node !== undefined && { node }),
    ...(isStatus(status) ? { status } : { silence: status.verdict.text }),
    askAgain: async () => {
      const later = await statusOf(runDirectory, 'own', configFile);
      return isStatus(later) ? later : undefined;
    },
    ...(services.ok && { services: services.value }),
    ...(realTimeThreads !== undefined && { realTimeThreads }),
    processes: processesHere(),
    ...(keyFault !== undefined && { keyFault }),
    hasChannel: isStatus(partner),
    ...(isStatus(partner) && { partner, clock: clockOf(partner, askedAt, answeredAt) }),
    features,
    read: readSystem,
    list: namesIn,
  };
}

/** The other clock stood at `since` + `sinceMs` at some moment between question and answer. */
function clockOf(partner: StatusDocument, askedAt: number, answeredAt: number) {
  const theirs = Date.parse(partner.since) + partner.sinceMs;
  const aheadMs = theirs - (askedAt + answeredAt) / 2;
  return { aheadMs, uncertainMs: (answeredAt - askedAt) / 2 + 2 };
}

function features(device: string): string | undefined {
  const { status, stdout } = spawnSync('ethtool', ['-k', device], {
    encoding: 'utf8',
    timeout: 2000,
  });
  return status === 0 ? stdout : undefined;
}

export function readSystem(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined; // not in this kernel, or not for us
  }
}

function namesIn(path: string): readonly string[] {
  try {
    return readdirSync(path).sort();
  } catch {
    return []; // not there, or not for us
  }
}

/** proc_pid_stat(5) field 41: 1 SCHED_FIFO, 2 SCHED_RR. */
function countRealTime(pid: number): number | undefined {
  let threads: readonly string[];
  try {
    threads = readdirSync(`/proc/${pid}/task`);
  } catch {
    return undefined; // of another user, or in another pid namespace
  }
  return threads.filter((thread) => {
    const stat = readSystem(`/proc/${pid}/task/${thread}/stat`) ?? '';
    const policy = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[41 - 3];
    return policy === '1' || policy === '2';
  }).length;
}

/** The processes that share our network namespace; all of them, where the kernel does not say. */
function processesHere(): readonly Process[] {
  const namespaceOf = (pid: string): string | undefined => {
    try {
      return readlinkSync(`/proc/${pid}/ns/net`);
    } catch {
      return undefined; // gone, or not ours to see
    }
  };
  const own = namespaceOf('self');
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && namespaceOf(name) === own)
    .flatMap((name) => {
      const command = readSystem(`/proc/${name}/comm`);
      return command === undefined ? [] : [{ pid: Number(name), name: command }];
    });
}

export type Listed = { readonly service: VirtualService; readonly server: RealServer };

/** The enabled real servers of the enabled services. */
export function listedServers(settings: Settings): readonly Listed[] {
  return settings.virtualServices.flatMap((service) =>
    service.isEnabled
      ? service.realServers
          .filter(({ isEnabled }) => isEnabled)
          .map((server) => ({ service, server }))
      : [],
  );
}

/** The devices of the VIPs, each once. */
export function vipDevices(settings: Settings): readonly string[] {
  return [...new Set(floatingAddresses(settings).map(({ device }) => device))];
}

/** Those, and the ones by which heartbeats and packets to real servers leave. */
export function usedDevices({ kernel, ways, node }: Facts, settings: Settings): readonly string[] {
  const own = new Set(node === undefined ? [] : heartbeatAddresses(settings, node));
  const indexes = new Set([
    ...kernel.rows.flatMap((row) => (own.has(row.address) ? [row.interfaceIndex] : [])),
    ...Array.from(ways.values(), ({ interfaceIndex }) => interfaceIndex),
  ]);
  const names = kernel.links.flatMap(({ index, name }) => (indexes.has(index) ? [name] : []));
  return [...new Set([...vipDevices(settings), ...names])].filter((name) => name !== 'lo');
}

/** Where a node sends its heartbeats from. */
export function heartbeatAddresses(settings: Settings, node: Node): readonly IpAddress[] {
  const { primary, primaryPrivate, backup, backupPrivate } = settings;
  const both = node === 'primary' ? [primary, primaryPrivate] : [backup, backupPrivate];
  return both.filter((address) => address !== undefined);
}

export function floatingSet(settings: Settings): ReadonlySet<IpAddress> {
  return new Set(floatingAddresses(settings).map(({ address }) => address));
}

/** The interface on whose segment an address lies, and our own address there. */
export function placeOf(
  address: IpAddress,
  { links, rows }: KernelAddresses,
  floating: ReadonlySet<IpAddress>,
): { readonly link: Link; readonly own: IpAddress } | undefined {
  for (const row of rows) {
    if (floating.has(row.address) || row.address === address) continue;
    if (!isWithin(address, row.address, row.prefixLength)) continue;
    const link = links.find(({ index }) => index === row.interfaceIndex);
    if (link !== undefined) return { link, own: row.address };
  }
  return undefined;
}

export function isWithin(address: IpAddress, network: IpAddress, prefixLength: number): boolean {
  if (ipFamily(address) !== ipFamily(network)) return false;
  const [a, b] = [ipBytes(address), ipBytes(network)];
  for (let bit = 0; bit < prefixLength; bit++) {
    const mask = 0x80 >> (bit % 8);
    if (((a[bit >> 3] ?? 0) & mask) !== ((b[bit >> 3] ?? 0) & mask)) return false;
  }
  return true;
}
