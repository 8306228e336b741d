/**
 * What the doctor's checks judge: configuration, kernel, daemon and processes of this machine, read once. Checks are then
 * plain functions of these facts, which tests make up.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { type IpAddress, ipBytes, ipFamily, type Result } from '../base/index.ts';
import {
  decideNode,
  loadSettings,
  observeKernel,
  type ServicesDocument,
  type StatusDocument,
} from '../director/index.ts';
import type {
  Gateway,
  KernelAddresses,
  Link,
  Node,
  RealServer,
  Settings,
  VirtualService,
} from '../model/index.ts';
import { observeGateways } from '../ports/index.ts';
import { askServices } from './services.ts';
import { isStatus, statusOf } from './status.ts';

export type Process = {
  readonly pid: number;
  readonly name: string;
};

export type Facts = {
  readonly configFile: string;
  /** The error: every sentence that is wrong with the file. */
  readonly settings: Result<Settings, readonly string[]>;
  readonly kernel: KernelAddresses;
  readonly gateways: readonly Gateway[];
  /** Absent: no address of ours is in the file. */
  readonly node?: Node;
  /** Absent: the daemon does not answer; `silence` says how. */
  readonly status?: StatusDocument;
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
  /** A file of /proc or /sys; undefined where there is none. */
  readonly read: (path: string) => string | undefined;
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
  return {
    configFile,
    settings: loaded.ok ? { ok: true, value: loaded.value.settings } : loaded,
    kernel,
    gateways: gateways.ok ? gateways.value : [],
    ...(node !== undefined && { node }),
    ...(isStatus(status) ? { status } : { silence: status.verdict.text }),
    ...(services.ok && { services: services.value }),
    ...(realTimeThreads !== undefined && { realTimeThreads }),
    processes: processesHere(),
    ...(keyFault !== undefined && { keyFault }),
    hasChannel: isStatus(await statusOf(runDirectory, 'partner', configFile)),
    read: readSystem,
  };
}

export function readSystem(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined; // not in this kernel, or not for us
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
