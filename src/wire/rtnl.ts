/**
 * rtnetlink: questions and orders about links, addresses, neighbours and routes. What the kernel answers, and tells
 * unasked, is read in rtnl-answers.ts.
 *
 * ```
 *  netlink header(16) | ifinfomsg(16), ifaddrmsg(8), ndmsg(12) or rtmsg(12) | attributes
 * ```
 *
 * Source: rtnetlink(7), linux/rtnetlink.h, linux/if_link.h, linux/if_addr.h, linux/neighbour.h.
 */
import {
  concatBytes,
  type IpAddress,
  ipBytes,
  ipFamily,
  type MacAddress,
  macBytes,
} from '../base/index.ts';
import type { AddressRow } from '../model/index.ts';
import {
  attribute,
  encodeMessage,
  NLM_F_ACK,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  NLM_F_REQUEST,
  textAttribute,
  u32Attribute,
} from './netlink.ts';
import { le16, le32, u8 } from './octets.ts';
import {
  AF_INET,
  AF_INET6,
  AF_UNSPEC,
  IFA,
  IFA_F_NODAD,
  IFLA,
  NDA,
  NUD_PERMANENT,
  RTA,
  RTEXT_FILTER_SKIP_STATS,
  RTM,
} from './rtnl-codes.ts';

/** Multicast groups to join, by number. */
export const RTNLGRP = { link: 1, neighbour: 3, ipv4Address: 5, ipv6Address: 9 } as const;

/** Life left, in seconds; absent = for ever. `preferredSeconds` is never more than `validSeconds`. */
export type AddressLifetime = { readonly validSeconds: number; readonly preferredSeconds: number };

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

/** Valid for ever, preferred for none of it. */
const NEVER_A_SOURCE: AddressLifetime = { preferredSeconds: 0, validSeconds: 0xffff_ffff };

/**
 * Raises an address; EEXIST when it stands. IPv6 goes without duplicate address detection: a VIP that moves would
 * wait a second, and find its old owner; and deprecated, so that nothing of ours picks it as its source: a probe from
 * the VIP would be answered by a direct-routing server to itself (RFC 6724 §5 rules 3 and 8). With a lifetime an
 * address that stands is renewed instead.
 * A label longer than 15 characters is refused by the kernel (ERANGE).
 */
export function encodeAddressAdd(row: AddressRow, lifetime?: AddressLifetime): Uint8Array {
  const flags = NLM_F_CREATE | (lifetime === undefined ? NLM_F_EXCL : NLM_F_REPLACE);
  const deprecated = ipFamily(row.address) === 6 ? NEVER_A_SOURCE : undefined;
  return encodeMessage({
    type: RTM.newAddress,
    flags: NLM_F_REQUEST | NLM_F_ACK | flags,
    payload: encodeAddressRow(row, lifetime ?? deprecated),
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

function familyCode(family: 4 | 6 | undefined): number {
  if (family === undefined) return AF_UNSPEC;
  return family === 4 ? AF_INET : AF_INET6;
}
