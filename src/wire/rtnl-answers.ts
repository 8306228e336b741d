/**
 * What rtnetlink says, as rows: links, addresses, neighbours and routes.
 *
 * One decoder reads dumps and notifications alike, since the kernel sends the same message for "here is one" and "one
 * came up"; only the deletions have a type of their own. What is not ours to know (statistics, queueing,
 * encapsulation) is stepped over.
 *
 * Source: rtnetlink(7), linux/rtnetlink.h, linux/if_link.h, linux/if_addr.h, linux/neighbour.h.
 */
import {
  err,
  type IpAddress,
  ipFromBytes,
  type MacAddress,
  macFromBytes,
  ok,
  type Result,
} from '../base/index.ts';
import type { AddressRow, Link } from '../model/index.ts';
import { AttributeReader, decodeMessage, type NetlinkFault } from './netlink.ts';
import { Reader } from './octets.ts';
import type { AddressLifetime } from './rtnl.ts';
import {
  AF_INET,
  AF_INET6,
  ARPHRD_ETHER,
  FOREVER,
  IFA,
  IFF_LOWER_UP,
  IFF_UP,
  IFLA,
  NDA,
  RTA,
  RTM,
} from './rtnl-codes.ts';

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
  const mtu = attributes.u32(IFLA.mtu);
  // Loopback and tunnels have an "address" that nobody can send a frame to.
  const mac = hardware === ARPHRD_ETHER && address ? macFromBytes(address) : undefined;
  return attributes.result({
    index,
    name,
    isUp: (flags & IFF_UP) !== 0,
    hasCarrier: (flags & IFF_LOWER_UP) !== 0,
    ...(mac !== undefined && { mac }),
    ...(mtu !== undefined && { mtu }),
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
