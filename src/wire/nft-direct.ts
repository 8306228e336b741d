/**
 * Direct routing in nftables: at a device's ingress the frame's link-layer addresses are rewritten and it leaves again,
 * at once. A map per service remembers which server a connection has, so a change of weights moves new ones only.
 *
 *   s_SERVICE   remembered -> its server;  new -> persistence, else the slots of the weights, and remembered
 *   n_SERVICE   who was new is counted
 *   l_SERVICE   the packet is counted and leaves
 *   y_SERVICE   what the partner tells of a connection is remembered, and the frame ends there
 *
 * The partner is told of every new connection (TCP: of every SYN), and of one packet in 64 afterwards, by a copy of the
 * client's own packet: its source link-layer address is a token that stands for the server. So after a takeover
 * connections that are held open go on, and no process has a part in it. Such a frame is heard before the lease gate,
 * which a standby keeps shut.
 * What a map remembers cannot be overwritten by a packet, only forgotten and remembered anew: so whoever was bound to a
 * server that left is bound to its next one. It is forgotten only where it would be wrong: kernels before 6.5 without
 * that mending lose the memory of what a packet deletes.
 * A map that is full remembers nobody else: then a hash of client and port takes the place of turns, so that the packets of a
 * connection stay together until the weights change. A flood of SYNs costs no more than that.
 * An ICMP error about a server's answer comes to the VIP, and names a client and not the server: every server of the VIP
 * gets a copy, and who has no such connection passes over it. Fragments behind the first have no port and go nowhere.
 * Rejected: choosing by a hash of client and port, which needs no telling: it would give up exact turns, and a server
 * that came or went would move connections at a takeover. Telling by IP options or marks of ours: the packet would
 * not be the client's any more.
 * Source: nft(8) (dup, fwd), nft 1.0.6; net/netfilter/nft_dup_netdev.c, nft_dynset.c, nft_set_hash.c; RFC 1191, RFC 8201.
 */
import { type IpAddress, ipBytes, ipFamily, type MacAddress } from '../base/index.ts';
import type { DestinationRow, ServiceEntry, ServiceKey } from '../model/index.ts';
import {
  choose,
  counterName,
  mapText,
  maskText,
  type NftObject,
  type NftRules,
  nameOf,
  plain,
  setText,
  words,
} from './nft-words.ts';

/** Where a direct-routing server is: its link-layer address, and ours on the way to it. */
export type ServerPlace = {
  readonly mac: MacAddress;
  readonly device: string;
  readonly ownMac: MacAddress;
};

type Placed = { readonly row: DestinationRow; readonly place: ServerPlace };

const NOTHING: NftRules = { objects: [], rules: [] };
/** As long as IPVS keeps a silent TCP connection. */
const CONNECTION_SECONDS = 900;
const MAP_ROOM = 65_536;
/** The partner hears again of a connection once in so many packets. */
const TELL_AGAIN = 64;
/** Copies of ICMP errors for one VIP, so that a flood of forged ones is not multiplied. */
const ERRORS_PER_SECOND = 1000;
/** By nft's words of the family: what tells a sender that its packet did not arrive, and how large one may be. */
const ERRORS = {
  ip: 'icmp type { destination-unreachable, time-exceeded, parameter-problem }',
  ip6: 'icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem }',
} as const;

/** A map from what a client is known by to the link-layer address of its server. */
type Memory = { readonly map: string; readonly known: string };

/** Servers whose place is not known are left out. `partner`: who is told of connections. */
export function directRules(
  entry: ServiceEntry,
  places: ReadonlyMap<IpAddress, ServerPlace>,
  partner: ServerPlace | undefined,
): NftRules {
  const here = placed(entry, places);
  if (here.length === 0) return NOTHING;
  const { service } = entry;
  const { key } = service;
  const name = nameOf(key);
  const [ip] = words(key);
  const { isTcp, before, maps, connection, persistence } = flowOf(entry);
  const macs = setText(here.map(({ place }) => place.mac));
  const tell = partner === undefined ? [] : [tellText(here, partner)];
  const rules = [
    ...before,
    `ether daddr set ${recall(connection)}`,
    `ether daddr ${macs} ${change('update', connection)}`,
    // A client may use a port again that is still remembered here, and no longer there.
    ...tell.flatMap((text) => (isTcp ? [`ether daddr ${macs} tcp flags syn ${text}`] : [])),
    ...tell.map((text) => `ether daddr ${macs} numgen random mod ${TELL_AGAIN} 0 ${text}`),
    `ether daddr ${macs} goto l_${name}`,
  ];
  const news: string[] = [];
  const alive = here.filter(({ row }) => row.weight > 0);
  if (alive.length > 0) {
    // An RST for a connection that nobody knows ends nothing, and is none.
    if (isTcp) rules.push('tcp flags rst drop');
    if (persistence !== undefined) rules.push(`ether daddr set ${recall(persistence)}`);
    const slots = alive.map(({ row, place }) => [row, place.mac] as const);
    const living = setText(alive.map(({ place }) => place.mac));
    const withoutMemory = persistence === undefined ? 'connection' : 'sh';
    const steady = ['sh', 'dh'].includes(service.scheduler) ? service.scheduler : withoutMemory;
    const chosen = `ether daddr set ${choose(service.scheduler, ip, slots)}`;
    rules.push(
      ...(persistence === undefined
        ? [`ether daddr != ${living} ${chosen}`]
        : [
            `ether daddr != ${living} ${change('delete', persistence)} ${chosen}`,
            change('update', persistence),
          ]),
      change('delete', connection),
      // Where the map is full, the rule ends here.
      `${change('add', connection)} goto n_${name}`,
      `ether daddr set ${choose(steady, ip, slots)}`,
      ...(persistence === undefined ? [] : [`ether daddr set ${recall(persistence)}`]),
      `goto l_${name}`,
    );
    news.push(
      `counter name ether daddr map ${counters('new', key, alive)}`,
      ...tell,
      `goto l_${name}`,
    );
  }
  return {
    objects: [
      chain(`s_${name}`),
      chain(`n_${name}`),
      chain(`l_${name}`),
      ...maps,
      ...here.flatMap(({ row }) => [
        counter(counterName('new', key, row)),
        counter(counterName('to', key, row)),
      ]),
    ],
    rules: [
      ...rules.map((rule) => [`s_${name}`, rule] as const),
      ...news.map((rule) => [`n_${name}`, rule] as const),
      ...leaving(key, here).map((rule) => [`l_${name}`, rule] as const),
    ],
  };
}

/** The chain in which the partner's word is heard; its frames are led there by `heardRule`. */
export function hearingRules(
  entry: ServiceEntry,
  places: ReadonlyMap<IpAddress, ServerPlace>,
): NftRules {
  const here = placed(entry, places);
  if (here.length === 0) return NOTHING;
  const name = `y_${nameOf(entry.service.key)}`;
  const { before, connection, persistence } = flowOf(entry);
  const same = setText(here.map(({ place: { mac } }) => `${mac} . ${mac}`));
  const rules = [connection, ...(persistence === undefined ? [] : [persistence])].flatMap(
    (memory) => [
      // The frame has done its duty: its source address holds for a moment what is remembered so far.
      `ether saddr set ${recall(memory)}`,
      `ether saddr . ether daddr != ${same} ${change('delete', memory)}`,
      change('update', memory),
    ],
  );
  return {
    objects: [chain(name)],
    rules: [...before, ...rules, 'drop'].map((rule) => [name, rule]),
  };
}

/**
 * Copies of ICMP errors for the servers of each VIP, and what stands in the base chain to lead there. The frame itself
 * goes on to this machine.
 */
export function errorRules(
  table: readonly ServiceEntry[],
  places: ReadonlyMap<IpAddress, ServerPlace>,
  base: string,
): NftRules {
  const byVip = Map.groupBy(
    table.filter((entry) => placed(entry, places).length > 0),
    ({ service: { key } }) => (key.kind === 'address' ? key.address : undefined),
  );
  const objects: NftObject[] = [];
  const rules: (readonly [string, string])[] = [];
  const jumps: Record<'ip' | 'ip6', string[]> = { ip: [], ip6: [] };
  for (const [vip, entries] of byVip) {
    if (vip === undefined) continue;
    const name = `e_${plain(vip)}`;
    const servers = new Map(
      entries
        .flatMap((entry) => placed(entry, places))
        .map(({ place }) => [place.mac, place.device]),
    );
    objects.push(chain(name));
    rules.push(
      [
        name,
        `limit rate over ${ERRORS_PER_SECOND}/second burst ${ERRORS_PER_SECOND} packets return`,
      ],
      // Where the frame was sent to stands in its source meanwhile.
      [name, 'ether saddr set ether daddr'],
      ...Array.from(
        servers,
        ([mac, device]) => [name, `ether daddr set ${mac} dup to "${device}"`] as const,
      ),
      [name, 'ether daddr set ether saddr'],
    );
    jumps[ipFamily(vip) === 4 ? 'ip' : 'ip6'].push(`${vip} : jump ${name}`);
  }
  for (const ip of ['ip', 'ip6'] as const) {
    if (jumps[ip].length === 0) continue;
    // A frame for another address of this link (a macvlan's) is not ours to answer for.
    rules.push([
      base,
      `meta pkttype host ${ERRORS[ip]} ${ip} daddr vmap { ${jumps[ip].join(', ')} }`,
    ]);
  }
  return { objects, rules };
}

/** What stands before the look-up of the service: the token becomes the server's address again. */
export function heardRule(
  table: readonly ServiceEntry[],
  places: ReadonlyMap<IpAddress, ServerPlace>,
): string {
  const servers = table.flatMap((entry) => placed(entry, places));
  const tokens = servers.map(({ row, place }) => [tokenOf(row.address), place.mac] as const);
  return `ether saddr ${setText(tokens.map(([token]) => token))} ether daddr set ether saddr map ${mapText(tokens)}`;
}

function placed(
  { destinations }: ServiceEntry,
  places: ReadonlyMap<IpAddress, ServerPlace>,
): readonly Placed[] {
  return destinations.flatMap((row) => {
    const place = places.get(row.address);
    return place === undefined ? [] : [{ row, place }];
  });
}

/** What a connection is known by, and the maps that remember it. */
function flowOf({ service }: ServiceEntry) {
  const { key, persistentSeconds, persistencePrefixLength } = service;
  const [ip, type] = words(key);
  const name = nameOf(key);
  // nft 1.0.6 cannot add an IPv6 address and a port to a map: a hash of the address stands for it, kept in the mark.
  // Two connections with one hash share a server, which harms neither.
  const isIpv6 = ip === 'ip6';
  const connection: Memory = {
    map: `c_${name}`,
    known: isIpv6 ? 'meta mark . th sport' : 'ip saddr . th sport',
  };
  const persistence: Memory | undefined =
    persistentSeconds === 0
      ? undefined
      : {
          map: `p_${name}_${persistentSeconds}_${persistencePrefixLength}`,
          known: `${ip} saddr & ${maskText(key, persistencePrefixLength)}`,
        };
  return {
    isTcp: key.kind === 'address' && key.protocol === 'tcp',
    connection,
    persistence,
    maps: [
      dynamicMap(connection, `${isIpv6 ? 'mark' : type} . inet_service`, CONNECTION_SECONDS),
      ...(persistence === undefined ? [] : [dynamicMap(persistence, type, persistentSeconds)]),
    ],
    before: isIpv6 ? ['meta mark set jhash ip6 saddr mod 4294967295 seed 0x1'] : [],
  };
}

function recall({ map, known }: Memory): string {
  return `${known} map @${map}`;
}

/**
 * `update` lets what is remembered live anew, `add` does not, and neither changes its server; `delete` of what is not there is
 * nothing. Kernels take a deletion from a map only with a value, and do not look at it.
 */
function change(verb: 'add' | 'update' | 'delete', { map, known }: Memory): string {
  return `${verb} @${map} { ${known} : ether daddr }`;
}

/** A copy for the partner; then the frame is again what it was. */
function tellText(here: readonly Placed[], { mac, device }: ServerPlace): string {
  const tokens = here.map(({ row, place }) => [place.mac, tokenOf(row.address)] as const);
  const back = tokens.map(([server, token]) => [token, server] as const);
  return [
    `ether saddr set ether daddr map ${mapText(tokens)}`,
    `ether daddr set ${mac} dup to "${device}"`,
    `ether daddr set ether saddr map ${mapText(back)}`,
  ].join(' ');
}

/** Locally administered; two IPv6 servers that end alike are one to the partner. */
function tokenOf(address: IpAddress): string {
  const bytes = ipBytes(address);
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  const four =
    ipFamily(address) === 4 ? bytes : [24, 16, 8, 0].map((shift) => (hash >>> shift) & 0xff);
  return `02:50:${Array.from(four, (byte) => byte.toString(16).padStart(2, '0')).join(':')}`;
}

function leaving(key: ServiceKey, here: readonly Placed[]): readonly string[] {
  const devices = Map.groupBy(here, ({ place }) => `${place.device} ${place.ownMac}`);
  return [
    `counter name ether daddr map ${counters('to', key, here)}`,
    ...[...devices].map(([, group]) => {
      const { device = '', ownMac = '' } = group[0]?.place ?? {};
      const macs = setText(group.map(({ place }) => place.mac));
      return `ether daddr ${macs} ether saddr set ${ownMac} fwd to "${device}"`;
    }),
  ];
}

function counters(kind: 'new' | 'to', key: ServiceKey, here: readonly Placed[]): string {
  return mapText(here.map(({ row, place }) => [place.mac, `"${counterName(kind, key, row)}"`]));
}

function chain(name: string): NftObject {
  return { family: 'netdev', kind: 'chain', name, body: '' };
}

function counter(name: string): NftObject {
  return { family: 'netdev', kind: 'counter', name, body: '' };
}

function dynamicMap({ map: name }: Memory, type: string, seconds: number): NftObject {
  const body = `type ${type} : ether_addr; flags dynamic,timeout; timeout ${seconds}s; size ${MAP_ROOM};`;
  return { family: 'netdev', kind: 'map', name, body };
}
