/**
 * IPv4 and IPv6 headers, just enough to put one small packet into a frame and to take it out again.
 *
 * Packets here are announcements, questions and echoes: never fragmented, no options written. IPv4 options are stepped
 * over when reading; an IPv6 packet with extension headers is of another protocol for us.
 * Source: RFC 791 §3.1, RFC 6864 §4 (identification 0 with Don't Fragment), RFC 8200 §3, checksum RFC 1071.
 */
import {
  assert,
  concatBytes,
  err,
  type IpAddress,
  ipBytes,
  ipFamily,
  ok,
  type Result,
} from '../base/index.ts';
import {
  decodeFrame,
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  encodeFrame,
  type Frame,
  type FrameFault,
  type FrameHeader,
  readIp,
} from './ethernet.ts';
import { be16, be32, Reader, u8 } from './octets.ts';

export type IpPacket = {
  readonly sourceIp: IpAddress;
  readonly destinationIp: IpAddress;
  /** IANA protocol number, IPv6 next header. */
  readonly protocol: number;
  /** IPv4 time to live, IPv6 hop limit (0-255). */
  readonly hopLimit: number;
  readonly payload: Uint8Array;
};

const IPV4_DONT_FRAGMENT = 0x4000;
/** More Fragments, or an offset that is not 0. */
const IPV4_FRAGMENT_MASK = 0x3fff;

/** A whole frame with one packet in it. Both addresses must be of one family. */
export function encodeIpFrame(packet: FrameHeader & IpPacket): Uint8Array {
  const family = ipFamily(packet.sourceIp);
  assert(family === ipFamily(packet.destinationIp), 'one packet, one IP version');
  return encodeFrame({
    destination: packet.destination,
    source: packet.source,
    etherType: family === 4 ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6,
    payload: family === 4 ? encodeIpv4(packet) : encodeIpv6(packet),
  });
}

/** Takes the packet out of a frame; padding behind it is dropped. */
export function decodeIpFrame(bytes: Uint8Array): Result<FrameHeader & IpPacket, FrameFault> {
  const frame = decodeFrame(bytes);
  if (!frame.ok) return frame;
  const packet = decodePacket(frame.value);
  if (!packet.ok) return packet;
  const { destination, source } = frame.value;
  return ok({ destination, source, ...packet.value });
}

function decodePacket({ etherType, payload }: Frame): Result<IpPacket, FrameFault> {
  if (etherType === ETHERTYPE_IPV4) return decodeIpv4(payload);
  if (etherType === ETHERTYPE_IPV6) return decodeIpv6(payload);
  return err('wrong-protocol');
}

function encodeIpv4(packet: IpPacket): Uint8Array {
  const header = (checksum: number) =>
    concatBytes(
      be16(0x4500), // version 4, five words of header; ordinary service
      be16(20 + packet.payload.length),
      be16(0),
      be16(IPV4_DONT_FRAGMENT),
      u8(packet.hopLimit),
      u8(packet.protocol),
      be16(checksum),
      ipBytes(packet.sourceIp),
      ipBytes(packet.destinationIp),
    );
  return concatBytes(header(internetChecksum(header(0))), packet.payload);
}

function decodeIpv4(bytes: Uint8Array): Result<IpPacket, FrameFault> {
  const reader = new Reader(bytes, 'big');
  const version = reader.u8();
  reader.u8();
  const length = reader.u16();
  reader.u16();
  const fragment = reader.u16();
  const hopLimit = reader.u8();
  const protocol = reader.u8();
  reader.u16();
  const sourceIp = readIp(reader, 4);
  const destinationIp = readIp(reader, 4);
  if (reader.isShort) return err('too-short');
  const headerLength = (version & 0x0f) * 4;
  if (version >> 4 !== 4) return err('wrong-protocol');
  if (headerLength < 20 || length < headerLength || length > bytes.length) return err('bad-length');
  if (internetChecksum(bytes.subarray(0, headerLength)) !== 0) return err('bad-checksum');
  if ((fragment & IPV4_FRAGMENT_MASK) !== 0) return err('fragment');
  const payload = bytes.subarray(headerLength, length);
  return ok({ sourceIp, destinationIp, protocol, hopLimit, payload });
}

function encodeIpv6(packet: IpPacket): Uint8Array {
  return concatBytes(
    be32(0x60000000), // version 6, no traffic class, no flow label
    be16(packet.payload.length),
    u8(packet.protocol),
    u8(packet.hopLimit),
    ipBytes(packet.sourceIp),
    ipBytes(packet.destinationIp),
    packet.payload,
  );
}

function decodeIpv6(bytes: Uint8Array): Result<IpPacket, FrameFault> {
  const reader = new Reader(bytes, 'big');
  const version = reader.u32() >>> 28;
  const length = reader.u16();
  const protocol = reader.u8();
  const hopLimit = reader.u8();
  const sourceIp = readIp(reader, 16);
  const destinationIp = readIp(reader, 16);
  if (reader.isShort) return err('too-short');
  if (version !== 6) return err('wrong-protocol');
  if (length > reader.remaining) return err('bad-length');
  return ok({ sourceIp, destinationIp, protocol, hopLimit, payload: reader.bytes(length) });
}

/** RFC 1071 over all the bytes, an odd one at the end counting as if followed by zero. A right packet sums up to 0. */
export function internetChecksum(bytes: Uint8Array): number {
  let sum = 0;
  for (const [index, byte] of bytes.entries()) sum += index % 2 === 0 ? byte << 8 : byte;
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return ~sum & 0xffff;
}

/** What an upper-layer checksum of IPv6 covers beside the message itself (RFC 8200 §8.1). */
export function ipv6PseudoHeader(packet: Omit<IpPacket, 'hopLimit'>): Uint8Array {
  return concatBytes(
    ipBytes(packet.sourceIp),
    ipBytes(packet.destinationIp),
    be32(packet.payload.length),
    be32(packet.protocol),
  );
}
