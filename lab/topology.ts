/**
 * The lab's network: a client behind a router, one segment with two directors and two real servers, and a second,
 * private cable between the directors.
 *
 * ```
 *   client ---- router ---- switch ---- da   (director, node primary)
 *                             |   \---- db   (director, node backup)
 *                             |    \--- r1, r2  (real servers)
 *                             eye               da ==== db   (private heartbeat network)
 * ```
 *
 * Two things are arranged so that nothing heals by luck:
 * - The router keeps what it learned for hours. Its neighbour entries stay REACHABLE for 2 to 6 hours; once an
 *   announcement has moved one it is STALE, and DELAY on its first use, and may stay there four hours before anybody
 *   would ask. So only a frame that names another owner moves it (net/core/neighbour.c; arp(7)).
 * - Directors do not forward and know the router by heart (a permanent entry), so that neither relayed packets nor
 *   an ordinary question of theirs, which carries the VIP as its sender, can move the router's entry.
 * The directors must find each other in the natural way: there the neighbour cache is part of what is tried.
 *
 * Few processes build it: one `ip -batch` per namespace. Rejected: netlink of our own (the lab would test our code by
 * our code) and a process per command (0.5 s).
 */
import { type IpAddress, ip, type MacAddress, mac } from '../src/base/index.ts';
import { command, inNamespace } from './command.ts';

export type Director = 'da' | 'db';
export const DIRECTORS: readonly Director[] = ['da', 'db'];
export const NODES = ['switch', 'router', 'client', 'da', 'db', 'r1', 'r2'] as const;
export type NodeName = (typeof NODES)[number];

type Host = { readonly name: Exclude<NodeName, 'switch' | 'client'>; readonly number: number };
const HOSTS: readonly Host[] = [
  { name: 'router', number: 1 },
  { name: 'da', number: 11 },
  { name: 'db', number: 12 },
  { name: 'r1', number: 21 },
  { name: 'r2', number: 22 },
];
/** The observer's own place on the segment: it asks who has the VIP and is answered there. */
export const EYE = {
  addresses: { 4: ip('198.51.100.99'), 6: ip('fd77::99') },
  mac: macOf(99),
  device: 'eye',
};
export const CLIENT_ADDRESSES: Readonly<Record<Family, IpAddress>> = {
  4: ip('203.0.113.2'),
  6: ip('fd78::2'),
};
export type Family = 4 | 6;
export const VIPS: Readonly<Record<Family, IpAddress>> = {
  4: ip('198.51.100.100'),
  6: ip('fd77::100'),
};
/** The UDP port that answers at the VIP with the name of its director. */
export const ECHO_PORT = 7000;
export const REAL_SERVERS = ['r1', 'r2'] as const;
export const SERVER_ADDRESSES = {
  4: { r1: ip('198.51.100.21'), r2: ip('198.51.100.22') },
  6: { r1: ip('fd77::21'), r2: ip('fd77::22') },
} as const;
/** The TCP port of the virtual service, and of the real servers. */
export const SERVICE_PORT = 80;
/** Where real servers send their answers when the directors rewrite addresses: a floating address, too. */
export const NAT_ROUTER = ip('198.51.100.10');
/** How the virtual service reaches its servers. */
export type ServiceMethod = 'direct' | 'nat';
const HOURS_4_MS = 4 * 3600 * 1000;

export const OWN_ADDRESS: Readonly<Record<Director, IpAddress>> = {
  da: ip('198.51.100.11'),
  db: ip('198.51.100.12'),
};
export const PRIVATE_ADDRESS: Readonly<Record<Director, IpAddress>> = {
  da: ip('192.0.2.11'),
  db: ip('192.0.2.12'),
};
export const MACS: Readonly<Record<Director, MacAddress>> = { da: macOf(11), db: macOf(12) };

/** Which director a link-layer address of the segment belongs to. */
export function directorOf(address: string): Director | undefined {
  return DIRECTORS.find((name) => MACS[name] === address);
}

/** The switch's port of a director: `p-da` on the segment, `h-da` on the private network. */
export function portOf(name: Director, network: 'segment' | 'private' = 'segment'): string {
  return `${network === 'segment' ? 'p' : 'h'}-${name}`;
}

export type TopologyOptions = {
  /** Adds the second heartbeat network between the directors. */
  readonly hasPrivateNetwork: boolean;
  /** Makes r1 and r2 the real servers of a virtual service, and the directors fit for it. */
  readonly services?: ServiceMethod;
};

/** Builds everything inside the namespaces of this process (see cell.ts); throws with the failing command's words. */
export async function build(options: TopologyOptions): Promise<void> {
  await command(['ip', '-batch', '-'], NODES.map((name) => `netns add ${name}`).join('\n'));
  await command(['ip', '-n', 'switch', '-batch', '-'], switchLines(options).join('\n'));
  await Promise.all([
    ...HOSTS.map((host) => configureHost(host, options)),
    command(['ip', '-n', 'client', '-batch', '-'], clientLines().join('\n')),
  ]);
}

function switchLines({ hasPrivateNetwork }: TopologyOptions): string[] {
  const bridge = 'type bridge forward_delay 0 stp_state 0 mcast_snooping 0';
  const lines = [
    'link set lo up',
    `link add br0 ${bridge}`,
    'link set br0 addrgenmode none',
    'link set br0 up',
  ];
  for (const { name, number } of HOSTS)
    lines.push(...cable(`p-${name}`, 'br0', name, 'eth0', number));
  lines.push(
    `link add p-eye type veth peer name eye address ${EYE.mac}`,
    'link set eye addrgenmode none',
    'link set eye up',
    'link set p-eye addrgenmode none',
    'link set p-eye master br0 up',
    `link add name client netns client type veth peer name eth1 netns router`,
  );
  if (hasPrivateNetwork) {
    lines.push(`link add br1 ${bridge}`, 'link set br1 addrgenmode none', 'link set br1 up');
    for (const name of DIRECTORS) {
      const number = name === 'da' ? 11 : 12;
      lines.push(...cable(`h-${name}`, 'br1', name, 'eth1', 0x100 + number));
    }
  }
  return lines;
}

function cable(
  port: string,
  bridge: string,
  node: string,
  device: string,
  number: number,
): string[] {
  return [
    `link add ${port} type veth peer name ${device} address ${macOf(number)} netns ${node}`,
    `link set ${port} addrgenmode none`,
    `link set ${port} master ${bridge} up`,
  ];
}

async function configureHost({ name, number }: Host, options: TopologyOptions): Promise<void> {
  const lines = [
    'link set lo up',
    'link set eth0 addrgenmode none',
    'link set eth0 up',
    `addr add 198.51.100.${number}/24 dev eth0`,
    `addr add fd77::${number}/64 dev eth0 nodad`,
    `addr add fe80::${number}/64 dev eth0 nodad`,
  ];
  if (name === 'router') {
    lines.push(
      'link set eth1 addrgenmode none',
      'link set eth1 up',
      'addr add 203.0.113.1/24 dev eth1',
      'addr add fd78::1/64 dev eth1 nodad',
      'addr add fe80::1/64 dev eth1 nodad',
    );
  } else {
    lines.push(
      'route add default via 198.51.100.1',
      'route add default via fd77::1',
      `neigh add 198.51.100.1 lladdr ${macOf(1)} dev eth0 nud permanent`,
      `neigh add fd77::1 lladdr ${macOf(1)} dev eth0 nud permanent`,
    );
  }
  if (options.hasPrivateNetwork && (name === 'da' || name === 'db')) {
    lines.push(
      'link set eth1 addrgenmode none',
      'link set eth1 up',
      `addr add 192.0.2.${number}/24 dev eth1`,
    );
  }
  lines.push(...serviceLines(name, options.services));
  await command(['ip', '-n', name, '-batch', '-'], lines.join('\n'));
  await writeSysctls(name, sysctlsOf(name, options.services));
}

/**
 * `direct`: the real servers hold the VIP without telling anybody. `nat`: their way out is the director, which forwards
 * then, though not what is for a VIP that it does not hold: only the local table comes before the blackhole.
 */
function serviceLines(name: Host['name'], method: ServiceMethod | undefined): string[] {
  const vips = Object.values(VIPS);
  if (method === undefined || name === 'router') return [];
  if (name === 'da' || name === 'db') return vips.map((vip) => `route add blackhole ${vip}`);
  return method === 'nat'
    ? [`route replace default via ${NAT_ROUTER}`]
    : vips.map((vip) => `addr add ${vip} dev lo${vip.includes(':') ? ' nodad' : ''}`);
}

function clientLines(): string[] {
  return [
    'link set lo up',
    'link set client name eth0',
    'link set eth0 addrgenmode none',
    'link set eth0 up',
    'addr add 203.0.113.2/24 dev eth0',
    'addr add fd78::2/64 dev eth0 nodad',
    'addr add fe80::2/64 dev eth0 nodad',
    'route add default via 203.0.113.1',
    'route add default via fd78::1',
  ];
}

const HOST_SYSCTLS: Readonly<Record<string, number>> = {
  'ipv4/ip_forward': 0,
  'ipv4/conf/all/accept_redirects': 0,
};

/** Real servers answer no ARP for what is on their lo, and never ask with it as the sender. */
const SILENT_SYSCTLS: Readonly<Record<string, number>> = {
  'ipv4/conf/all/arp_ignore': 1,
  'ipv4/conf/all/arp_announce': 2,
};

/** A redirect would teach the real servers the way past their director. */
const FORWARDING_SYSCTLS: Readonly<Record<string, number>> = {
  'ipv4/ip_forward': 1,
  'ipv4/conf/all/send_redirects': 0,
  'ipv4/conf/eth0/send_redirects': 0,
};

function sysctlsOf(name: Host['name'], method: ServiceMethod | undefined) {
  if (name === 'router') return ROUTER_SYSCTLS;
  const isDirector = name === 'da' || name === 'db';
  const more = isDirector ? (method === 'nat' ? FORWARDING_SYSCTLS : {}) : SILENT_SYSCTLS;
  return { ...HOST_SYSCTLS, ...more };
}

const ROUTER_SYSCTLS: Readonly<Record<string, number>> = {
  'ipv4/ip_forward': 1,
  'ipv6/conf/all/forwarding': 1,
  'ipv4/conf/all/rp_filter': 0,
  'ipv4/conf/eth0/send_redirects': 0,
  ...strictNeighbours('ipv4'),
  ...strictNeighbours('ipv6'),
};

/** Units of the kernel: milliseconds for the first, seconds for the next two (Documentation/networking/ip-sysctl.rst). */
function strictNeighbours(family: 'ipv4' | 'ipv6'): Record<string, number> {
  const of = `${family}/neigh/eth0`;
  return {
    [`${of}/base_reachable_time_ms`]: HOURS_4_MS,
    [`${of}/gc_stale_time`]: HOURS_4_MS / 1000,
    [`${of}/delay_first_probe_time`]: HOURS_4_MS / 1000,
    [`${of}/ucast_solicit`]: 0,
    [`${of}/app_solicit`]: 0,
  };
}

async function writeSysctls(node: string, values: Readonly<Record<string, number>>): Promise<void> {
  const script = Object.entries(values).map(
    ([key, value]) => `echo ${value} > /proc/sys/net/${key}`,
  );
  await command(inNamespace(node, ['sh', '-e']), script.join('\n'));
}

function macOf(number: number): MacAddress {
  const digits = number.toString().padStart(2, '0');
  return number < 0x100
    ? mac(`02:00:00:00:00:${digits}`)
    : mac(`02:00:00:00:01:${(number - 0x100).toString().padStart(2, '0')}`);
}
