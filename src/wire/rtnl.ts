/**
 * rtnetlink: links, addresses, neighbours and routes of the kernel as rows, and the questions and orders about them.
 *
 * One decoder, decodeRtnl, reads dumps and notifications alike, since the kernel sends the same message for "here is
 * one" and "one came up"; only the deletions have a type of their own. What is not ours to know (statistics, queueing,
 * encapsulation) is stepped over.
 *
 * ```
 *  netlink header(16) | ifinfomsg(16), ifaddrmsg(8), ndmsg(12) or rtmsg(12) | attributes
 * ```
 *
 * Source: rtnetlink(7), linux/rtnetlink.h, linux/if_link.h, linux/if_addr.h, linux/neighbour.h.
 */
import {
  concatBytes,
  err,
  type IpAddress,
  ipBytes,
  ipFamily,
  ipFromBytes,
  type MacAddress,
  macBytes,
  macFromBytes,
  ok,
  type Result,
} from '../base/index.ts';
import type { AddressRow, Link } from '../model/index.ts';
import {
  AttributeReader,
  attribute,
  decodeMessage,
  encodeMessage,
  type NetlinkFault,
  NLM_F_ACK,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  NLM_F_REQUEST,
  textAttribute,
  u32Attribute,
} from './netlink.ts';
import { le16, le32, Reader, u8 } from './octets.ts';

/** Multicast groups to join, by number. */
export const RTNLGRP = { link: 1, neighbour: 3, ipv4Address: 5, ipv6Address: 9 } as const;

const RTM = {
  newLink: 16,
  delLink: 17,
  getLink: 18,
  newAddress: 20,
  delAddress: 21,
  getAddress: 22,
  newRoute: 24,
  delRoute: 25,
  getRoute: 26,
  newNeighbour: 28,
  delNeighbour: 29,
  getNeighbour: 30,
} as const;

const AF_UNSPEC = 0;
const AF_INET = 2;
const AF_INET6 = 10;
const ARPHRD_ETHER = 1;
const IFF_UP = 0x1;
const IFF_LOWER_UP = 0x10000;
const IFLA = { address: 1, name: 3, extendedMask: 29 } as const;
const RTEXT_FILTER_SKIP_STATS = 8;
const IFA = { address: 1, local: 2, label: 3, broadcast: 4, cacheInfo: 6, flags: 8 } as const;
const IFA_F_NODAD = 0x02;
const NDA = { destination: 1, linkLayer: 2 } as const;
const NUD_PERMANENT = 0x80;
const RTA = {
  destination: 1,
  outInterface: 4,
  gateway: 5,
  priority: 6,
  preferredSource: 7,
  multipath: 9,
  table: 15,
  via: 18,
} as const;
const FOREVER = 0xffffffff;

/** Life left, in seconds; absent = for ever. `preferredSeconds` is never more than `validSeconds`. */
export type AddressLifetime = { readonly validSeconds: number; readonly preferredSeconds: number };

export type KernelAddress = AddressRow & {
  /** IFA_F_*: secondary 0x01, tentative 0x40, permanent 0x80, duplicate found 0x08. */
  readonly flags: number;
  readonly lifetime?: AddressLifetime;
};

/** Neighbour states, linux/neighbour.h NUD_*, by bit. */
const NEIGHBOUR_STATES = [
  'incomplete',
  'reachable',
  'stale',
  'delay',
  'probe',
  'failed',
  'no-arp',
  'permanent',
] as const;
export type NeighbourState = (typeof NEIGHBOUR_STATES)[number] | 'none';

export type NeighbourRow = {
  readonly interfaceIndex: number;
  readonly address: IpAddress;
  readonly state: NeighbourState;
  readonly mac?: MacAddress;
};

/** One way out; a route has several when it is multipath, none when it is e.g. unreachable. */
export type RouteHop = { readonly interfaceIndex: number; readonly gateway?: IpAddress };

export type RouteRow = {
  readonly family: 4 | 6;
  /** 254 = main, 255 = local. */
  readonly table: number;
  /** Absent in a default route. */
  readonly destination?: IpAddress;
  readonly prefixLength: number;
  /** The address of ours that packets leave with. */
  readonly source?: IpAddress;
  readonly metric: number;
  readonly hops: readonly RouteHop[];
};

/** One row that is there (or came, or changed), or that is gone. */
export type RtnlNotice = { readonly isGone: boolean } & (
  | { readonly kind: 'link'; readonly link: Link }
  | { readonly kind: 'address'; readonly address: KernelAddress }
  | { readonly kind: 'neighbour'; readonly neighbour: NeighbourRow }
  | { readonly kind: 'route'; readonly route: RouteRow }
);

/** Asks for all links. */
export function encodeLinkDump(): Uint8Array {
  // Without the mask every link comes with a kilobyte of statistics.
  const mask = u32Attribute(IFLA.extendedMask, RTEXT_FILTER_SKIP_STATS);
  return encodeMessage({
    type: RTM.getLink,
    flags: NLM_F_REQUEST | NLM_F_DUMP,
    payload: concatBytes(new Uint8Array(16), mask),
  });
}

/** Asks for all addresses, or those of one family. */
export function encodeAddressDump(family?: 4 | 6): Uint8Array {
  const payload = addressHeader({
    family: familyCode(family),
    prefixLength: 0,
    flags: 0,
    index: 0,
  });
  return encodeMessage({ type: RTM.getAddress, flags: NLM_F_REQUEST | NLM_F_DUMP, payload });
}

/**
 * Raises an address; EEXIST when it stands. IPv6 goes without duplicate address detection: a VIP that moves would
 * wait a second, and find its old owner. With a lifetime an address that stands is renewed instead.
 * A label longer than 15 characters is refused by the kernel (ERANGE).
 */
export function encodeAddressAdd(row: AddressRow, lifetime?: AddressLifetime): Uint8Array {
  const flags = NLM_F_CREATE | (lifetime === undefined ? NLM_F_EXCL : NLM_F_REPLACE);
  return encodeMessage({
    type: RTM.newAddress,
    flags: NLM_F_REQUEST | NLM_F_ACK | flags,
    payload: encodeAddressRow(row, lifetime),
  });
}

/** Removes an address by device, address, prefix and (IPv4) label; EADDRNOTAVAIL when it is not there. */
export function encodeAddressDelete(row: AddressRow): Uint8Array {
  return encodeMessage({
    type: RTM.delAddress,
    flags: NLM_F_REQUEST | NLM_F_ACK,
    payload: encodeAddressRow(row),
  });
}

function encodeAddressRow(row: AddressRow, lifetime?: AddressLifetime): Uint8Array {
  const isIpv6 = ipFamily(row.address) === 6;
  const parts = [
    addressHeader({
      family: familyCode(ipFamily(row.address)),
      prefixLength: row.prefixLength,
      flags: isIpv6 ? IFA_F_NODAD : 0,
      index: row.interfaceIndex,
    }),
    attribute(IFA.local, ipBytes(row.address)),
    attribute(IFA.address, ipBytes(row.address)),
  ];
  if (row.broadcast !== undefined) parts.push(attribute(IFA.broadcast, ipBytes(row.broadcast)));
  if (row.label !== undefined) parts.push(textAttribute(IFA.label, row.label));
  if (isIpv6) parts.push(u32Attribute(IFA.flags, IFA_F_NODAD));
  if (lifetime !== undefined) {
    const { preferredSeconds, validSeconds } = lifetime;
    const info = concatBytes(le32(preferredSeconds), le32(validSeconds), new Uint8Array(8));
    parts.push(attribute(IFA.cacheInfo, info));
  }
  return concatBytes(...parts);
}

function addressHeader(header: {
  readonly family: number;
  readonly prefixLength: number;
  readonly flags: number;
  readonly index: number;
}): Uint8Array {
  return concatBytes(
    u8(header.family),
    u8(header.prefixLength),
    u8(header.flags),
    u8(0), // scope: universe
    le32(header.index),
  );
}

/** Asks for all neighbours, or those of one family. */
export function encodeNeighbourDump(family?: 4 | 6): Uint8Array {
  return encodeMessage({
    type: RTM.getNeighbour,
    flags: NLM_F_REQUEST | NLM_F_DUMP,
    payload: neighbourHeader(familyCode(family), 0, 0),
  });
}

/** Pins a neighbour: never asked for, never forgotten, whatever it says. Replaces what was known of it. */
export function encodeNeighbourAdd(neighbour: {
  readonly interfaceIndex: number;
  readonly address: IpAddress;
  readonly mac: MacAddress;
}): Uint8Array {
  const { interfaceIndex, address, mac } = neighbour;
  return encodeMessage({
    type: RTM.newNeighbour,
    flags: NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE,
    payload: concatBytes(
      neighbourHeader(familyCode(ipFamily(address)), interfaceIndex, NUD_PERMANENT),
      attribute(NDA.destination, ipBytes(address)),
      attribute(NDA.linkLayer, macBytes(mac)),
    ),
  });
}

/** Forgets a neighbour; ENOENT when there is none. */
export function encodeNeighbourDelete(neighbour: {
  readonly interfaceIndex: number;
  readonly address: IpAddress;
}): Uint8Array {
  const { interfaceIndex, address } = neighbour;
  return encodeMessage({
    type: RTM.delNeighbour,
    flags: NLM_F_REQUEST | NLM_F_ACK,
    payload: concatBytes(
      neighbourHeader(familyCode(ipFamily(address)), interfaceIndex, 0),
      attribute(NDA.destination, ipBytes(address)),
    ),
  });
}

function neighbourHeader(family: number, index: number, state: number): Uint8Array {
  return concatBytes(u8(family), new Uint8Array(3), le32(index), le16(state), u8(0), u8(0));
}

/** Asks by which way packets to an address leave: answered by one route, or ENETUNREACH. */
export function encodeRouteGet(address: IpAddress): Uint8Array {
  const bytes = ipBytes(address);
  return encodeMessage({
    type: RTM.getRoute,
    flags: NLM_F_REQUEST,
    payload: concatBytes(
      u8(familyCode(ipFamily(address))),
      u8(bytes.length * 8),
      new Uint8Array(10),
      attribute(RTA.destination, bytes),
    ),
  });
}

/** Asks for all routes of a family. Default gateways are those in table 254 with prefix length 0. */
export function encodeRouteDump(family: 4 | 6): Uint8Array {
  return encodeMessage({
    type: RTM.getRoute,
    flags: NLM_F_REQUEST | NLM_F_DUMP,
    payload: concatBytes(u8(familyCode(family)), new Uint8Array(11)),
  });
}

/** Reads one message of a dump or a notification. `wrong-type` for what is no row of these four kinds. */
export function decodeRtnl(bytes: Uint8Array): Result<RtnlNotice, NetlinkFault> {
  const message = decodeMessage(bytes);
  if (!message.ok) return message;
  const { type, payload } = message.value;
  const isGone = (type & 3) === 1;
  switch (type) {
    case RTM.newLink:
    case RTM.delLink:
      return withRow(decodeLink(payload), (link) => ({ kind: 'link', isGone, link }));
    case RTM.newAddress:
    case RTM.delAddress:
      return withRow(decodeAddress(payload), (address) => ({ kind: 'address', isGone, address }));
    case RTM.newNeighbour:
    case RTM.delNeighbour:
      return withRow(decodeNeighbourRow(payload), (neighbour) => ({
        kind: 'neighbour',
        isGone,
        neighbour,
      }));
    case RTM.newRoute:
    case RTM.delRoute:
      return withRow(decodeRoute(payload), (route) => ({ kind: 'route', isGone, route }));
    default:
      return err('wrong-type');
  }
}

function withRow<T>(
  row: Result<T, NetlinkFault>,
  wrap: (value: T) => RtnlNotice,
): Result<RtnlNotice, NetlinkFault> {
  return row.ok ? ok(wrap(row.value)) : row;
}

function decodeLink(payload: Uint8Array): Result<Link, NetlinkFault> {
  const reader = new Reader(payload, 'little');
  reader.u16();
  const hardware = reader.u16();
  const index = reader.u32();
  const flags = reader.u32();
  reader.u32();
  if (reader.isShort) return err('truncated-payload');
  const attributes = new AttributeReader(reader.rest());
  const name = attributes.need(attributes.text(IFLA.name), '');
  const address = attributes.bytes(IFLA.address);
  // Loopback and tunnels have an "address" that nobody can send a frame to.
  const mac = hardware === ARPHRD_ETHER && address ? macFromBytes(address) : undefined;
  return attributes.result({
    index,
    name,
    isUp: (flags & IFF_UP) !== 0,
    hasCarrier: (flags & IFF_LOWER_UP) !== 0,
    ...(mac !== undefined && { mac }),
  });
}

function decodeAddress(payload: Uint8Array): Result<KernelAddress, NetlinkFault> {
  const reader = new Reader(payload, 'little');
  const family = reader.u8();
  const prefixLength = reader.u8();
  const shortFlags = reader.u8();
  reader.u8();
  const interfaceIndex = reader.u32();
  if (reader.isShort) return err('truncated-payload');
  const attributes = new AttributeReader(reader.rest());
  // IFA_ADDRESS is the other end of a point-to-point link; IPv6 leaves IFA_LOCAL out where there is none.
  const address =
    ipAttribute(attributes, IFA.local, family) ?? ipAttribute(attributes, IFA.address, family);
  if (address === undefined) return err(attributes.fault ?? 'missing-attribute');
  const broadcast = ipAttribute(attributes, IFA.broadcast, family);
  const label = attributes.text(IFA.label);
  const lifetime = decodeLifetime(attributes);
  return attributes.result({
    interfaceIndex,
    address,
    prefixLength,
    ...(broadcast !== undefined && { broadcast }),
    ...(label !== undefined && { label }),
    flags: attributes.u32(IFA.flags) ?? shortFlags,
    ...(lifetime !== undefined && { lifetime }),
  });
}

function decodeLifetime(attributes: AttributeReader): AddressLifetime | undefined {
  const info = attributes.bytes(IFA.cacheInfo);
  if (info === undefined) return undefined;
  const reader = new Reader(info, 'little');
  const preferredSeconds = reader.u32();
  const validSeconds = reader.u32();
  if (reader.isShort) return attributes.reject('bad-attribute-value');
  return validSeconds === FOREVER ? undefined : { validSeconds, preferredSeconds };
}

function decodeNeighbourRow(payload: Uint8Array): Result<NeighbourRow, NetlinkFault> {
  const reader = new Reader(payload, 'little');
  const family = reader.u8();
  reader.bytes(3);
  const interfaceIndex = reader.u32();
  const bits = reader.u16();
  reader.u16();
  if (reader.isShort) return err('truncated-payload');
  const attributes = new AttributeReader(reader.rest());
  const address = ipAttribute(attributes, NDA.destination, family);
  if (address === undefined) return err(attributes.fault ?? 'missing-attribute');
  const linkLayer = attributes.bytes(NDA.linkLayer);
  const mac = linkLayer === undefined ? undefined : macFromBytes(linkLayer);
  const state = NEIGHBOUR_STATES.find((_, bit) => (bits & (1 << bit)) !== 0) ?? 'none';
  return attributes.result({ interfaceIndex, address, state, ...(mac !== undefined && { mac }) });
}

function decodeRoute(payload: Uint8Array): Result<RouteRow, NetlinkFault> {
  const reader = new Reader(payload, 'little');
  const family = reader.u8();
  const prefixLength = reader.u8();
  reader.u16();
  const shortTable = reader.u8();
  reader.bytes(7);
  if (reader.isShort) return err('truncated-payload');
  if (family !== AF_INET && family !== AF_INET6) return err('wrong-type');
  const attributes = new AttributeReader(reader.rest());
  const destination = ipAttribute(attributes, RTA.destination, family);
  const source = ipAttribute(attributes, RTA.preferredSource, family);
  return attributes.result({
    family: family === AF_INET ? 4 : 6,
    table: attributes.u32(RTA.table) ?? shortTable,
    ...(destination !== undefined && { destination }),
    prefixLength,
    ...(source !== undefined && { source }),
    metric: attributes.u32(RTA.priority) ?? 0,
    hops: decodeHops(attributes, family),
  });
}

/** RTA_OIF with RTA_GATEWAY or RTA_VIA; or RTA_MULTIPATH: rtnexthop { length, flags, weight, index }, attributes. */
function decodeHops(attributes: AttributeReader, family: number): readonly RouteHop[] {
  const single = attributes.u32(RTA.outInterface);
  const list = attributes.bytes(RTA.multipath);
  if (list === undefined) {
    return single === undefined ? [] : [hop(attributes, family, single)];
  }
  const hops: RouteHop[] = [];
  for (let rest = list; rest.length > 0; ) {
    const reader = new Reader(rest, 'little');
    const length = reader.u16();
    reader.u16();
    const index = reader.u32();
    if (reader.isShort || length < 8 || length > rest.length) {
      attributes.reject('bad-attribute-length');
      return [];
    }
    hops.push(hop(attributes.within(rest.subarray(8, length)), family, index));
    rest = rest.subarray((length + 3) & ~3);
  }
  return hops;
}

function hop(attributes: AttributeReader, family: number, interfaceIndex: number): RouteHop {
  // RTA_VIA is a gateway of the other family: { family (2 bytes), address }.
  const via = attributes.bytes(RTA.via)?.subarray(2);
  const gateway =
    ipAttribute(attributes, RTA.gateway, family) ?? (via === undefined ? via : ipFromBytes(via));
  return { interfaceIndex, ...(gateway !== undefined && { gateway }) };
}

function ipAttribute(
  attributes: AttributeReader,
  type: number,
  family: number,
): IpAddress | undefined {
  const bytes = attributes.bytes(type);
  if (bytes === undefined) return undefined;
  const isRight = bytes.length === (family === AF_INET ? 4 : 16);
  return isRight ? ipFromBytes(bytes) : attributes.reject('bad-attribute-value');
}

function familyCode(family: 4 | 6 | undefined): number {
  if (family === undefined) return AF_UNSPEC;
  return family === 4 ? AF_INET : AF_INET6;
}
