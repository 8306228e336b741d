/**
 * The virtual-service table as an nft script: the data plane for kernels without IPVS.
 *
 *   direct   netdev ingress: the frame's link-layer addresses are rewritten and it leaves again, at once. A map per
 *            service remembers which server a connection has, so a change of weights moves new connections only.
 *   nat      inet prerouting: DNAT; the kernel's connection tracking remembers.
 *
 * Weights become slots: `numgen inc mod 4 map { 0-2 : a, 3 : b }` sends exactly three to one; `sh` and `dh` hash the
 * client's or the service's address into the same slots. A quiesced server has no slot, and keeps its connections.
 * The whole is one transaction. Maps are kept from one to the next, rules are made anew; a comment carries a digest, by
 * which a look sees that the table stands as it was written.
 *
 * What it cannot do has a sentence (`nftRefusal`): it counts no connections and builds no tunnels.
 * Rejected: one big connection map for all services (its key does not fit into nft's registers).
 * Source: nft(8), nft 1.0.6.
 */
import { type IpAddress, ipFamily, type MacAddress } from '../base/index.ts';
import {
  type DestinationRow,
  type ForwardingMethod,
  type ServiceEntry,
  type ServiceKey,
  type ServiceTable,
  serviceKeyText,
} from '../model/index.ts';

export const NFT_SERVICES_TABLE = 'piranha-lvs';

/** Where a direct-routing server is: its link-layer address, and ours on the way to it. */
export type ServerPlace = {
  readonly mac: MacAddress;
  readonly device: string;
  readonly ownMac: MacAddress;
};

/** A chain or map that the script needs; its text declares it. */
export type NftObject = {
  readonly family: 'inet' | 'netdev';
  readonly kind: 'chain' | 'map';
  readonly name: string;
  readonly body: string;
};

export type NftServices = {
  readonly objects: readonly NftObject[];
  readonly rules: readonly string[];
};

/** Why nftables cannot carry this, as a clause; undefined: it can. */
export function nftRefusal(asked: {
  readonly scheduler: string;
  readonly method: ForwardingMethod;
  readonly isMarked: boolean;
  readonly hasPersistenceMask: boolean;
}): string | undefined {
  const { scheduler, method, isMarked, hasPersistenceMask } = asked;
  if (!['rr', 'wrr', 'sh', 'dh'].includes(scheduler)) {
    return `nftables does not count connections, so it has no scheduler ${scheduler}; rr, wrr, sh and dh are possible`;
  }
  if (method === 'tunnel') return 'nftables builds no tunnels; nat and direct are possible';
  if (isMarked && method === 'direct') {
    return 'nftables routes directly before marks are set; give the service an address in place of its fwmark';
  }
  if (hasPersistenceMask && method === 'nat') {
    return 'nftables keeps nat clients by their whole address; leave pmask out';
  }
  return undefined;
}

/** One direct service at a time may have `places` missing; such servers are left out. */
export function buildNftServices(
  table: ServiceTable,
  places: ReadonlyMap<IpAddress, ServerPlace>,
  devices: readonly string[],
): NftServices {
  const objects: NftObject[] = [];
  const rules: string[] = [];
  const entries = { netdev: new Map<string, string[]>(), inet: new Map<string, string[]>() };
  for (const entry of table) {
    const [first] = entry.destinations;
    if (first === undefined) continue;
    const family = first.method === 'direct' ? 'netdev' : 'inet';
    const built = family === 'netdev' ? directRules(entry, places) : natRules(entry);
    if (built.rules.length === 0) continue;
    const chain = `s_${nameOf(entry.service.key)}`;
    objects.push({ family, kind: 'chain', name: chain, body: '' }, ...built.maps);
    for (const rule of built.rules)
      rules.push(`add rule ${family} ${NFT_SERVICES_TABLE} ${chain} ${rule}`);
    const { selector, value } = entryOf(entry.service.key);
    const values = entries[family].get(selector) ?? [];
    values.push(value === '' ? `goto ${chain}` : `${value} : goto ${chain}`);
    entries[family].set(selector, values);
  }
  for (const family of ['netdev', 'inet'] as const) {
    if (family === 'netdev' && devices.length === 0) continue;
    const list = devices.map((device) => `"${device}"`).join(', ');
    const hook =
      family === 'netdev'
        ? `type filter hook ingress devices = { ${list} } priority -300; policy accept;`
        : 'type nat hook prerouting priority dstnat; policy accept;';
    objects.push({ family, kind: 'chain', name: 'in', body: hook });
    for (const [selector, values] of entries[family]) {
      const text = values[0]?.startsWith('goto ') ? values : [`vmap { ${values.join(', ')} }`];
      for (const word of text)
        rules.push(`add rule ${family} ${NFT_SERVICES_TABLE} in ${selector} ${word}`);
    }
  }
  return { objects, rules };
}

/** The whole transaction. `stale`: objects of an earlier script that this one does not have. */
export function nftScript(
  { objects, rules }: NftServices,
  stale: readonly NftObject[],
  digest: string,
): string {
  const table = NFT_SERVICES_TABLE;
  const declare = ({ family, kind, name, body }: NftObject) =>
    `add ${kind} ${family} ${table} ${name}${body === '' ? '' : ` { ${body} }`}`;
  const about = ['inet', 'netdev'].map((family) => `add chain ${family} ${table} about`);
  const digests = ['inet', 'netdev'].map(
    (family) => `add rule ${family} ${table} about counter comment "${digest}"`,
  );
  return [
    ...['inet', 'netdev'].map((family) => `add table ${family} ${table}`),
    ...about,
    ...stale.map(declare),
    ...objects.map(declare),
    ...['inet', 'netdev'].map((family) => `flush table ${family} ${table}`),
    ...stale.map(({ family, kind, name }) => `delete ${kind} ${family} ${table} ${name}`),
    ...rules,
    ...digests,
    '',
  ].join('\n');
}

/** Takes both tables away, whether they stand or not. */
export function nftRemoval(): string {
  return ['inet', 'netdev']
    .flatMap((family) => [
      `add table ${family} ${NFT_SERVICES_TABLE}`,
      `delete table ${family} ${NFT_SERVICES_TABLE}`,
    ])
    .concat('')
    .join('\n');
}

type Built = { readonly maps: readonly NftObject[]; readonly rules: readonly string[] };

function directRules(
  { service, destinations }: ServiceEntry,
  places: ReadonlyMap<IpAddress, ServerPlace>,
): Built {
  const here = destinations.flatMap((row) => {
    const place = places.get(row.address);
    return place === undefined ? [] : [{ row, place }];
  });
  if (here.length === 0) return { maps: [], rules: [] };
  const [ip, type] = words(service.key);
  const name = nameOf(service.key);
  // nft 1.0.6 cannot add an IPv6 address and a port to a map: a hash of the address stands for it, kept in the mark.
  // Two connections with one hash share a server, which harms neither.
  const isIpv6 = ip === 'ip6';
  const client = isIpv6 ? 'meta mark . th sport' : 'ip saddr . th sport';
  const clientType = `${isIpv6 ? 'mark' : type} . inet_service`;
  const maps = [dynamicMap(`c_${name}`, clientType, CONNECTION_SECONDS)];
  const devices = Map.groupBy(here, ({ place }) => `${place.device} ${place.ownMac}`);
  const leave = [...devices].map(([, group]) => {
    const { device = '', ownMac = '' } = group[0]?.place ?? {};
    const macs = unique(group.map(({ place }) => place.mac));
    return `ether daddr { ${macs} } ether saddr set ${ownMac} fwd to "${device}"`;
  });
  const rules = [
    ...(isIpv6 ? ['meta mark set jhash ip6 saddr mod 4294967295 seed 0x1'] : []),
    `ether daddr set ${client} map @c_${name}`,
    `ether daddr { ${unique(here.map(({ place }) => place.mac))} } update @c_${name} { ${client} : ether daddr }`,
    ...leave,
  ];
  const alive = here.filter(({ row }) => row.weight > 0);
  if (alive.length === 0) return { maps, rules };
  const macs = unique(alive.map(({ place }) => place.mac));
  const isPersistent = service.persistentSeconds > 0;
  const kept = `p_${name}_${service.persistentSeconds}_${service.persistencePrefixLength}`;
  const known = `${ip} saddr & ${maskText(service.key, service.persistencePrefixLength)}`;
  if (isPersistent) {
    maps.push(dynamicMap(kept, type, service.persistentSeconds));
    rules.push(`ether daddr set ${known} map @${kept}`);
  }
  const chosen = choose(
    service.scheduler,
    ip,
    alive.map(({ row, place }) => [row, place.mac]),
  );
  rules.push(`ether daddr != { ${macs} } ether daddr set ${chosen}`);
  if (isPersistent) rules.push(`update @${kept} { ${known} : ether daddr }`);
  rules.push(`add @c_${name} { ${client} : ether daddr }`, ...leave);
  return { maps, rules };
}

function natRules({ service, destinations }: ServiceEntry): Built {
  const { key } = service;
  const alive = destinations.filter(({ weight }) => weight > 0);
  if (alive.length === 0) return { maps: [], rules: [] };
  const [ip] = words(key);
  // A client keeps its server by its address: the hash is the same for all its connections.
  const scheduler = service.persistentSeconds > 0 ? 'sh' : service.scheduler;
  const keepsPort = alive.every(({ port }) => port === 0);
  const protocols = key.kind === 'address' ? [key.protocol] : ['tcp', 'udp'];
  const target = (row: DestinationRow): string => {
    if (keepsPort) return row.address;
    if (alive.length > 1) return `${row.address} . ${row.port}`;
    return ip === 'ip6' ? `[${row.address}]:${row.port}` : `${row.address}:${row.port}`;
  };
  const chosen = choose(
    scheduler,
    ip,
    alive.map((row) => [row, target(row)]),
  );
  return {
    maps: [],
    rules: protocols.map((protocol) => `meta l4proto ${protocol} dnat ${ip} to ${chosen}`),
  };
}

/** One of the values, by weight. */
function choose(
  scheduler: string,
  ip: string,
  choices: readonly (readonly [DestinationRow, string])[],
): string {
  const [only] = choices;
  if (choices.length === 1 && only !== undefined) return only[1];
  const weights = choices.map(([{ weight }]) => (scheduler === 'rr' ? 1 : weight));
  const shared = weights.reduce(commonDivisor);
  let at = 0;
  const slots = choices.map(([, value], index) => {
    const from = at;
    at += (weights[index] ?? 0) / shared;
    return `${from === at - 1 ? from : `${from}-${at - 1}`} : ${value}`;
  });
  const hashed = { sh: `${ip} saddr`, dh: `${ip} daddr` }[scheduler];
  const number =
    hashed === undefined ? `numgen inc mod ${at}` : `jhash ${hashed} mod ${at} seed 0x1`;
  return `${number} map { ${slots.join(', ')} }`;
}

/** As long as IPVS keeps a silent TCP connection. */
const CONNECTION_SECONDS = 900;
const MAP_ROOM = 65_536;

function dynamicMap(name: string, type: string, seconds: number): NftObject {
  const body = `type ${type} : ether_addr; flags dynamic,timeout; timeout ${seconds}s; size ${MAP_ROOM};`;
  return { family: 'netdev', kind: 'map', name, body };
}

/** How a packet is found to be of a service: an expression, and its value in a verdict map. */
function entryOf(key: ServiceKey): { readonly selector: string; readonly value: string } {
  if (key.kind === 'mark') {
    return { selector: `meta mark ${key.mark} meta nfproto ipv${key.family}`, value: '' };
  }
  const [ip] = words(key);
  if (key.port === 0)
    return { selector: `meta l4proto ${key.protocol} ${ip} daddr`, value: key.address };
  const { protocol, address, port } = key;
  return { selector: `${ip} daddr . ${protocol} dport`, value: `${address} . ${port}` };
}

/** nft's words for the family: of the header, of the type. */
function words(key: ServiceKey): readonly ['ip' | 'ip6', string] {
  const family = key.kind === 'mark' ? key.family : ipFamily(key.address);
  return family === 4 ? ['ip', 'ipv4_addr'] : ['ip6', 'ipv6_addr'];
}

/** `tcp_198_51_100_100_80`. */
function nameOf(key: ServiceKey): string {
  return serviceKeyText(key)
    .replaceAll(/[[\]]/g, '')
    .replaceAll(/[^0-9a-z]/g, '_');
}

function maskText(key: ServiceKey, length: number): string {
  const size = words(key)[0] === 'ip' ? 4 : 16;
  const octets = Array.from({ length: size }, (_, index) => {
    const bits = Math.min(8, Math.max(0, length - index * 8));
    return (0xff00 >> bits) & 0xff;
  });
  if (size === 4) return octets.join('.');
  const hex = octets.map((octet) => octet.toString(16).padStart(2, '0'));
  return Array.from({ length: 8 }, (_, index) => `${hex[index * 2]}${hex[index * 2 + 1]}`).join(
    ':',
  );
}

function unique(values: readonly string[]): string {
  return [...new Set(values)].join(', ');
}

function commonDivisor(a: number, b: number): number {
  return b === 0 ? a : commonDivisor(b, a % b);
}
