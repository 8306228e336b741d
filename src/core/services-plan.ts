/**
 * What an lvs.cf asks of the services machine, worked out once per reload: one entry per virtual service as the kernel
 * counts them, its servers, and which checks decide about each.
 *
 * Sections that have the same key (one firewall mark for http and https; the same VIP, port and protocol twice) are one
 * service to the kernel, so they are merged: the first section gives scheduler and persistence, the servers are put
 * together. A server listed by several of them is in service when *all* its checks say so: clients of a mark are sent
 * to it for every port. Equal checks are one check, however many services lean on it.
 *
 * Which port a destination has: with nat the real server's. Direct and tunnel leave packets alone, so there it is the
 * service's own (ipvsadm(8) does the same silently; 0.8.4 did not, bug 533113). A mark of one section has the real
 * server's, so with nat two instances on one host are two rows; a mark of several when they agree about the server, else
 * 0, which keeps the port that the client asked for.
 * Source: lvs.cf(5), ipvsadm(8), piranha 0.8.6 lvsd.
 */
import { type IpAddress, ipBytes, ipFamily } from '../base/index.ts';
import {
  type Check,
  DEFAULT_QUORUM,
  type DestinationRow,
  endpointText,
  type Origin,
  type Quorum,
  type RealServer,
  type RefusableDirective,
  type ServiceKey,
  type ServiceRow,
  type Settings,
  serviceKeyText,
  type VirtualService,
} from '../model/index.ts';
import { slowStartStepMs, type WeightRules } from './health.ts';
import { checkFor, vipCheckFor } from './health-check.ts';

export type ServerPlan = {
  /** Its `server` names, without repetition; the first is shown. */
  readonly names: readonly string[];
  /** What an override may call it: `shop/web-a`, then `web-a`. */
  readonly targets: readonly string[];
  /** The row at its configured weight. */
  readonly row: DestinationRow;
  /** Keys of the checks that must all be up. */
  readonly checks: readonly string[];
  readonly rules: WeightRules;
  readonly origin: Origin;
};

export type ServicePlan = {
  /** Of the sections, joined by `+`. */
  readonly name: string;
  readonly service: ServiceRow;
  readonly servers: readonly ServerPlan[];
  readonly sorry?: DestinationRow;
  readonly quorum: Quorum;
  readonly origin: Origin;
  /** Of single directives; `network` among them. */
  readonly origins: Readonly<Partial<Record<RefusableDirective | 'network', Origin>>>;
};

/** A load to measure, about every 20 s. */
export type LoadMonitor = { readonly address: IpAddress; readonly argv: readonly string[] };

export type ServicesPlan = {
  /** By serviceKeyText, in the order of the file. */
  readonly services: ReadonlyMap<string, ServicePlan>;
  /** By key: each probe once. */
  readonly checks: ReadonlyMap<string, Check>;
  /** Which services lean on a check. */
  readonly servicesOfCheck: ReadonlyMap<string, readonly string[]>;
  readonly loads: readonly LoadMonitor[];
};

type Member = {
  readonly section: VirtualService;
  readonly server: RealServer;
  readonly check: Check;
  /** Of the VIP at the server; both must be up. */
  readonly vipCheck: Check | undefined;
};

/** The plan of the enabled virtual services; empty when the file is one of `service = fos`. */
export function planServices(settings: Settings): ServicesPlan {
  const sections = settings.service === 'lvs' ? settings.virtualServices : [];
  const groups = new Map<string, [VirtualService, ...VirtualService[]]>();
  for (const section of sections) {
    if (!section.isEnabled) continue;
    const key = serviceKeyText(serviceKeyOf(section));
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [section]);
    else group.push(section);
  }
  const services = new Map<string, ServicePlan>();
  const checks = new Map<string, Check>();
  const servicesOfCheck = new Map<string, string[]>();
  const loads = new Map<string, LoadMonitor>();
  for (const [key, group] of groups) {
    const members = membersOf(group);
    for (const member of members) {
      const { section, server } = member;
      for (const check of checksOf(member)) {
        checks.set(check.key, check);
        const users = servicesOfCheck.get(check.key) ?? [];
        if (!users.includes(key)) users.push(key);
        servicesOfCheck.set(check.key, users);
      }
      const argv = loadCommand(section.loadMonitor, server.address, settings.rshCommand);
      if (argv !== undefined) loads.set(server.address, { address: server.address, argv });
    }
    services.set(key, planService(group, members, settings));
  }
  return { services, checks, servicesOfCheck, loads: [...loads.values()] };
}

export function serviceKeyOf(section: VirtualService): ServiceKey {
  const { vip, protocol, port, firewallMark } = section;
  return firewallMark > 0
    ? { kind: 'mark', family: ipFamily(vip.address), mark: firewallMark }
    : { kind: 'address', protocol, address: vip.address, port };
}

function membersOf(group: readonly VirtualService[]): readonly Member[] {
  return group.flatMap((section) =>
    section.realServers
      .filter((server) => server.isEnabled)
      .map((server) => ({
        section,
        server,
        check: checkFor(section, server),
        vipCheck: vipCheckFor(section, server),
      })),
  );
}

function checksOf({ check, vipCheck }: Member): readonly Check[] {
  return vipCheck === undefined ? [check] : [check, vipCheck];
}

function planService(
  group: readonly [VirtualService, ...VirtualService[]],
  members: readonly Member[],
  settings: Settings,
): ServicePlan {
  const [first] = group;
  const key = serviceKeyOf(first);
  const sorry = group.find((section) => section.sorryServer !== undefined);
  const byRow = new Map<string, [Member, ...Member[]]>();
  for (const member of members) {
    const { address, port } = member.server;
    const hasOwnPort = settings.network === 'nat' && (key.kind === 'address' || group.length === 1);
    const name = hasOwnPort ? endpointText(address, port) : address;
    const same = byRow.get(name);
    if (same === undefined) byRow.set(name, [member]);
    else same.push(member);
  }
  const plan = {
    name: group.map((section) => section.name).join('+'),
    service: serviceRow(first, key),
    servers: [...byRow.values()].map((same) => planServer(same, key, settings)),
    quorum: first.quorum ?? DEFAULT_QUORUM,
    origin: first.origin,
    origins: originsOf(group, settings),
  };
  if (sorry?.sorryServer === undefined) return plan;
  const port = key.kind === 'mark' && group.length > 1 ? 0 : sorry.port;
  return {
    ...plan,
    sorry: destinationRow({ address: sorry.sorryServer, port, weight: 1 }, settings),
  };
}

/** Scheduler and persistence are the first section's; a sorry server that of the first which has one. */
function originsOf(
  [first, ...more]: readonly [VirtualService, ...VirtualService[]],
  settings: Settings,
): ServicePlan['origins'] {
  const network = settings.origins?.network;
  const sorry = [first, ...more].find((section) => section.sorryServer !== undefined);
  const sorryOrigin = sorry?.origins?.sorry_server;
  return {
    ...first.origins,
    ...(network !== undefined && { network }),
    ...(sorryOrigin !== undefined && { sorry_server: sorryOrigin }),
  };
}

function planServer(
  members: readonly [Member, ...Member[]],
  key: ServiceKey,
  settings: Settings,
): ServerPlan {
  const [{ section, server, check }] = members;
  const ports = new Set(members.map((member) => member.server.port));
  const markedPort = ports.size === 1 ? server.port : 0;
  const keptPort = settings.network === 'nat' ? server.port : key.kind === 'address' ? key.port : 0;
  const port = key.kind === 'mark' ? markedPort : keptPort;
  const names = unique(members.map((member) => member.server.name));
  const exact = members.map((member) => `${member.section.name}/${member.server.name}`);
  return {
    names,
    targets: unique([...exact, ...names]),
    row: destinationRow({ address: server.address, port, weight: server.weight }, settings),
    checks: unique(members.flatMap(checksOf).map((one) => one.key)),
    rules: {
      configured: server.weight,
      stepMs: slowStartStepMs(check.intervalMs),
      quiesces: members.some((member) => member.section.quiesceServer),
      followsLoad: loadCommand(section.loadMonitor, server.address, '') !== undefined,
    },
    origin: server.origin,
  };
}

function serviceRow(section: VirtualService, key: ServiceKey): ServiceRow {
  const { scheduler, persistentSeconds, persistenceMask, vip } = section;
  const full = ipFamily(vip.address) === 4 ? 32 : 128;
  const isMasked = persistentSeconds > 0 && persistenceMask !== undefined;
  const persistencePrefixLength = isMasked ? prefixLength(persistenceMask) : full;
  return { key, scheduler, flags: [], persistentSeconds, persistencePrefixLength };
}

function destinationRow(
  place: Pick<DestinationRow, 'address' | 'port' | 'weight'>,
  { network: method }: Settings,
): DestinationRow {
  return { ...place, method, upperThreshold: 0, lowerThreshold: 0 };
}

/** Leading one bits of a netmask. */
function prefixLength(mask: IpAddress): number {
  const bits = Array.from(ipBytes(mask), (byte) => byte.toString(2).padStart(8, '0')).join('');
  const zero = bits.indexOf('0');
  return zero < 0 ? bits.length : zero;
}

/** What tells a server's load; undefined for `none` and for words that nanny does not know. */
function loadCommand(monitor: string, address: IpAddress, rsh: string): string[] | undefined {
  if (monitor === 'rup' || monitor === 'ruptime') return [monitor, address];
  if (monitor !== 'uptime') return undefined;
  return [...rsh.split(' ').filter((word) => word !== ''), address, 'uptime'];
}

function unique(words: readonly string[]): readonly string[] {
  return [...new Set(words)];
}
