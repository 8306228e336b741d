/**
 * TCP segments without data (or with zeroes, where it is the length that is asked about), whole frames: the SYN by which a
 * real server is asked whether it takes a packet for the VIP, and its answer. Also inside an IPv4 tunnel, as IPVS sends it
 * to a real server of the method `tunnel`.
 *
 * ```
 *  ports(4) sequence(4) acknowledgement(4) offset(4 bits) flags(12 bits) window(2) checksum(2) urgent(2)
 * ```
 *
 * Nothing here is a connection: one question, one answer, and a reset so that nobody waits for us.
 * Source: RFC 9293 §3.1, §3.10.7.1 (a reset is an answer, too); RFC 2003 (IP in IP); RFC 8200 §8.1.
 */
import {
  concatBytes,
  err,
  type IpAddress,
  ipBytes,
  ipFamily,
  ok,
  type Result,
} from '../base/index.ts';
import type { FrameFault, FrameHeader } from './ethernet.ts';
import {
  decodeIpFrame,
  encodeIpFrame,
  type IpPacket,
  internetChecksum,
  ipv6PseudoHeader,
} from './ip.ts';
import { be16, be32, Reader, u8 } from './octets.ts';

const PROTOCOL_TCP = 6;
const PROTOCOL_IPIP = 4;
const HOP_LIMIT = 64;
const WINDOW = 1024;
const ETHERNET_HEADER = 14;
const FLAGS = { syn: 0x002, rst: 0x004, ack: 0x010 } as const;

export type TcpFrame = FrameHeader & {
  readonly sourceIp: IpAddress;
  readonly destinationIp: IpAddress;
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** 0 to 2^32 - 1 */
  readonly sequence: number;
  readonly acknowledgement: number;
  readonly flags: readonly (keyof typeof FLAGS)[];
  /** 0-255, 64 unless told: with 1 no machine passes it on. Not read back. */
  readonly hopLimit?: number;
  /** The longest segment that the sender takes (option 2 of a SYN), 0-65535. Read where it is there, never written. */
  readonly maximumSegment?: number;
  /** So many zeroes behind the header, to make the packet as long as one with data (0 unless told). Not read back. */
  readonly padding?: number;
};

/** A whole frame with a segment that carries no data but its padding. */
export function encodeTcpFrame(frame: TcpFrame): Uint8Array {
  const segment = (checksum: number): Uint8Array =>
    concatBytes(
      be16(frame.sourcePort),
      be16(frame.destinationPort),
      be32(frame.sequence),
      be32(frame.acknowledgement),
      be16(0x5000 | frame.flags.reduce((bits, flag) => bits | FLAGS[flag], 0)),
      be16(WINDOW),
      be16(checksum),
      be16(0),
      new Uint8Array(frame.padding ?? 0),
    );
  const packet = { ...frame, protocol: PROTOCOL_TCP, payload: segment(0) };
  const payload = segment(checksumOf(packet));
  return encodeIpFrame({ ...packet, hopLimit: frame.hopLimit ?? HOP_LIMIT, payload });
}

/** The same segment in an IPv4 packet from `from` to `to`; the inner addresses must be IPv4, too. */
export function encodeTunnelledTcp(
  frame: TcpFrame,
  tunnel: { readonly from: IpAddress; readonly to: IpAddress },
): Uint8Array {
  const inner = encodeTcpFrame(frame);
  return encodeIpFrame({
    destination: frame.destination,
    source: frame.source,
    sourceIp: tunnel.from,
    destinationIp: tunnel.to,
    protocol: PROTOCOL_IPIP,
    hopLimit: HOP_LIMIT,
    payload: inner.subarray(ETHERNET_HEADER, ETHERNET_HEADER + 40 + (frame.padding ?? 0)), // no more of the frame
  });
}

/**
 * Any TCP segment; its data is not looked at. Nor is the checksum: between two namespaces or guests of one machine it is
 * left to a network card that does not exist, and a packet socket sees it unfinished.
 */
export function decodeTcpFrame(bytes: Uint8Array): Result<TcpFrame, FrameFault> {
  const packet = decodeIpFrame(bytes);
  if (!packet.ok) return packet;
  const { destination, source, sourceIp, destinationIp, protocol, payload } = packet.value;
  if (protocol !== PROTOCOL_TCP) return err('wrong-protocol');
  const reader = new Reader(payload, 'big');
  const sourcePort = reader.u16();
  const destinationPort = reader.u16();
  const sequence = reader.u32();
  const acknowledgement = reader.u32();
  const bits = reader.u16();
  reader.u32();
  reader.u16();
  if (reader.isShort) return err('too-short');
  if ((bits >> 12) * 4 < 20 || (bits >> 12) * 4 > payload.length) return err('bad-length');
  const flags = (['syn', 'rst', 'ack'] as const).filter((flag) => (bits & FLAGS[flag]) !== 0);
  const addresses = { destination, source, sourceIp, destinationIp };
  const rest = { sourcePort, destinationPort, sequence, acknowledgement, flags };
  const maximumSegment = maximumSegmentOf(payload.subarray(20, (bits >> 12) * 4));
  return ok({ ...addresses, ...rest, ...(maximumSegment !== undefined && { maximumSegment }) });
}

/** RFC 9293 §3.2: options are kind and length, but for the end and the filler, which have none. */
function maximumSegmentOf(options: Uint8Array): number | undefined {
  const reader = new Reader(options, 'big');
  while (reader.remaining > 0) {
    const kind = reader.u8();
    if (kind === 0) return undefined;
    if (kind === 1) continue;
    const value = reader.bytes(reader.u8() - 2);
    if (reader.isShort) return undefined;
    if (kind === 2 && value.length === 2) return new Reader(value, 'big').u16();
  }
  return undefined;
}

function checksumOf(packet: Omit<IpPacket, 'hopLimit'>): number {
  const head =
    ipFamily(packet.sourceIp) === 6
      ? ipv6PseudoHeader(packet)
      : concatBytes(
          ipBytes(packet.sourceIp),
          ipBytes(packet.destinationIp),
          u8(0),
          u8(packet.protocol),
          be16(packet.payload.length),
        );
  return internetChecksum(concatBytes(head, packet.payload));
}
