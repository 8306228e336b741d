/**
 * IPv6 neighbour discovery: what ARP is to IPv4. The question (solicitation) and the answer, which unasked is the
 * announcement that moves a VIP (advertisement with the override flag, to all nodes).
 *
 * ```
 *  advertisement  136 00 checksum | R S O 0...(4) target(16) | options: type(1) length/8(1) value
 *  solicitation   135 00 checksum | 0(4)          target(16) | options
 * ```
 *
 * A receiver must drop what came through a router: the hop limit is 255 or the sender is not on the segment.
 * Source: RFC 4861 §4.3, §4.4, §7.1, §7.2.6; RFC 2464 §7 (33:33 addresses); RFC 4291 §2.7.1 (solicited node).
 */
import {
  assert,
  concatBytes,
  err,
  type IpAddress,
  ip,
  ipBytes,
  ipFamily,
  ipFromBytes,
  type MacAddress,
  mac,
  macBytes,
  macFromBytes,
  ok,
  type Result,
} from '../base/index.ts';
import { type FrameFault, readIp } from './ethernet.ts';
import { decodeIcmpFrame, encodeIcmpFrame, type IcmpEnvelope } from './icmp.ts';
import { be32, Reader, u8 } from './octets.ts';

export type NeighbourFrame = Omit<IcmpEnvelope, 'hopLimit'> &
  (
    | {
        readonly kind: 'advertisement';
        readonly target: IpAddress;
        readonly isRouter: boolean;
        /** It answers a question; false in announcements. */
        readonly isSolicited: boolean;
        /** It replaces what the receiver knew. */
        readonly isOverride: boolean;
        /** Link-layer address of the target. */
        readonly linkLayer?: MacAddress;
      }
    | {
        readonly kind: 'solicitation';
        readonly target: IpAddress;
        /** Link-layer address of the sender; absent in a duplicate address probe. */
        readonly linkLayer?: MacAddress;
      }
  );

const TYPE_SOLICITATION = 135;
const TYPE_ADVERTISEMENT = 136;
const OPTION_SOURCE_LINK_LAYER = 1;
const OPTION_TARGET_LINK_LAYER = 2;
const FLAG_ROUTER = 0x80000000;
const FLAG_SOLICITED = 0x40000000;
const FLAG_OVERRIDE = 0x20000000;
const HOP_LIMIT = 255;

const ALL_NODES = ip('ff02::1');
const ALL_NODES_MAC = mac('33:33:00:00:00:01');
const UNSPECIFIED = ip('::');

/** A whole frame. All addresses must be IPv6. */
export function encodeNeighbour(frame: NeighbourFrame): Uint8Array {
  assert(ipFamily(frame.target) === 6, `neighbour discovery is IPv6, not ${frame.target}`);
  const isAdvertisement = frame.kind === 'advertisement';
  const option = isAdvertisement ? OPTION_TARGET_LINK_LAYER : OPTION_SOURCE_LINK_LAYER;
  const linkLayer =
    frame.linkLayer === undefined
      ? new Uint8Array(0)
      : concatBytes(u8(option), u8(1), macBytes(frame.linkLayer));
  return encodeIcmpFrame({
    ...frame,
    hopLimit: HOP_LIMIT,
    type: isAdvertisement ? TYPE_ADVERTISEMENT : TYPE_SOLICITATION,
    code: 0,
    body: concatBytes(be32(flagsOf(frame)), ipBytes(frame.target), linkLayer),
  });
}

function flagsOf(frame: NeighbourFrame): number {
  if (frame.kind === 'solicitation') return 0;
  return (
    (frame.isRouter ? FLAG_ROUTER : 0) |
    (frame.isSolicited ? FLAG_SOLICITED : 0) |
    (frame.isOverride ? FLAG_OVERRIDE : 0)
  );
}

/** A solicitation or advertisement that passes the receiver's checks of RFC 4861 §7.1. */
export function decodeNeighbour(bytes: Uint8Array): Result<NeighbourFrame, FrameFault> {
  const message = decodeIcmpFrame(bytes);
  if (!message.ok) return message;
  const { type, code, body, hopLimit, ...envelope } = message.value;
  if (ipFamily(envelope.sourceIp) !== 6) return err('wrong-protocol');
  if (type !== TYPE_SOLICITATION && type !== TYPE_ADVERTISEMENT) return err('wrong-protocol');
  if (hopLimit !== HOP_LIMIT) return err('bad-hop-limit');
  const reader = new Reader(body, 'big');
  const flags = reader.u32();
  const target = readIp(reader, 16);
  if (reader.isShort) return err('too-short');
  const isAdvertisement = type === TYPE_ADVERTISEMENT;
  const wanted = isAdvertisement ? OPTION_TARGET_LINK_LAYER : OPTION_SOURCE_LINK_LAYER;
  const option = decodeLinkLayer(reader, wanted);
  if (!option.ok) return option;
  const linkLayer = option.value;
  const common = { ...envelope, target, ...(linkLayer !== undefined && { linkLayer }) };
  const frame: NeighbourFrame = isAdvertisement
    ? {
        ...common,
        kind: 'advertisement',
        isRouter: (flags & FLAG_ROUTER) !== 0,
        isSolicited: (flags & FLAG_SOLICITED) !== 0,
        isOverride: (flags & FLAG_OVERRIDE) !== 0,
      }
    : { ...common, kind: 'solicitation' };
  return code === 0 && isSensible(frame) ? ok(frame) : err('bad-value');
}

/** Looks through the options for a link-layer address; all others are stepped over (RFC 4861 §4.6). */
function decodeLinkLayer(
  reader: Reader,
  wanted: number,
): Result<MacAddress | undefined, FrameFault> {
  let found: MacAddress | undefined;
  while (reader.remaining > 0) {
    const type = reader.u8();
    const length = reader.u8() * 8;
    if (length === 0) return err('bad-length');
    const value = reader.bytes(length - 2);
    if (reader.isShort) return err('bad-length');
    if (type === wanted) found ??= macFromBytes(value);
  }
  return ok(found);
}

/** The rules of RFC 4861 §7.1.1 and §7.1.2 that are about addresses. */
function isSensible(frame: NeighbourFrame): boolean {
  if (isMulticast(frame.target)) return false;
  if (frame.kind === 'advertisement') {
    return !(isMulticast(frame.destinationIp) && frame.isSolicited);
  }
  if (frame.sourceIp !== UNSPECIFIED) return true;
  // A probe for duplicates has no sender to answer to.
  return frame.linkLayer === undefined && frame.destinationIp === solicitedNode(frame.target);
}

function isMulticast(address: IpAddress): boolean {
  return ipBytes(address)[0] === 0xff;
}

/**
 * "`vip` is at `mac`", unasked, to all nodes.
 * `source` is the sender of the frame itself: `mac` unless we announce for a partner.
 */
export function encodeNeighbourAnnouncement(announcement: {
  readonly vip: IpAddress;
  readonly mac: MacAddress;
  readonly source?: MacAddress;
}): Uint8Array {
  const { vip, mac, source = mac } = announcement;
  return encodeNeighbour({
    kind: 'advertisement',
    destination: ALL_NODES_MAC,
    source,
    sourceIp: vip,
    destinationIp: ALL_NODES,
    target: vip,
    isRouter: false,
    isSolicited: false,
    isOverride: true,
    linkLayer: mac,
  });
}

/** "Who has `targetIp`? Tell `senderIp`", to those whose address ends like the target's. */
export function encodeNeighbourQuestion(question: {
  readonly senderMac: MacAddress;
  readonly senderIp: IpAddress;
  readonly targetIp: IpAddress;
}): Uint8Array {
  const destinationIp = solicitedNode(question.targetIp);
  return encodeNeighbour({
    kind: 'solicitation',
    destination: multicastMac(destinationIp),
    source: question.senderMac,
    sourceIp: question.senderIp,
    destinationIp,
    target: question.targetIp,
    linkLayer: question.senderMac,
  });
}

/** ff02::1:ff00:0/104 with the last 24 bits of the address. */
function solicitedNode(address: IpAddress): IpAddress {
  const bytes = ipBytes(ip('ff02::1:ff00:0'));
  bytes.set(ipBytes(address).subarray(13), 13);
  return ipFromBytes(bytes) ?? UNSPECIFIED;
}

/** 33:33 and the last 32 bits of the group. */
function multicastMac(group: IpAddress): MacAddress {
  const bytes = concatBytes(Uint8Array.of(0x33, 0x33), ipBytes(group).subarray(12));
  return macFromBytes(bytes) ?? ALL_NODES_MAC;
}
