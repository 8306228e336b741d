/**
 * ICMP and ICMPv6 messages with their checksum, the echo by which a director asks a router whether it believes us, and what
 * routers say of segments that they could not pass on.
 *
 * ```
 *  type(1) code(1) checksum(2) | body: identifier(2) sequence(2) data ...
 * ```
 *
 * The ICMPv6 checksum covers the addresses too, so messages are read and written together with their packet.
 * Source: RFC 792 (echo, unreachable), RFC 1191 §4, RFC 4443 §2.3, §3.1, §3.2, §4.1, §4.2.
 */
import {
  concatBytes,
  err,
  type IpAddress,
  ipFamily,
  ipFromBytes,
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
import { be16, Reader, u8 } from './octets.ts';

const PROTOCOL_ICMP = 1;
const PROTOCOL_ICMPV6 = 58;
const ECHO_TYPE = {
  4: { request: 8, reply: 0 },
  6: { request: 128, reply: 129 },
} as const;

export type IcmpMessage = {
  readonly type: number;
  readonly code: number;
  /** Everything after the checksum. */
  readonly body: Uint8Array;
};

/** Where a message goes from and to, and how far. */
export type IcmpEnvelope = FrameHeader & {
  readonly sourceIp: IpAddress;
  readonly destinationIp: IpAddress;
  /** 0-255 */
  readonly hopLimit: number;
};

/** A whole frame; ICMP or ICMPv6 by the family of the addresses. */
export function encodeIcmpFrame(message: IcmpEnvelope & IcmpMessage): Uint8Array {
  const protocol = ipFamily(message.sourceIp) === 4 ? PROTOCOL_ICMP : PROTOCOL_ICMPV6;
  const payload = (checksum: number) =>
    concatBytes(u8(message.type), u8(message.code), be16(checksum), message.body);
  const packet = { ...message, protocol, payload: payload(0) };
  return encodeIpFrame({ ...packet, payload: payload(checksumOf(packet)) });
}

/** Any ICMP or ICMPv6 message whose checksum is right. */
export function decodeIcmpFrame(bytes: Uint8Array): Result<IcmpEnvelope & IcmpMessage, FrameFault> {
  const packet = decodeIpFrame(bytes);
  if (!packet.ok) return packet;
  const { destination, source, sourceIp, destinationIp, hopLimit, protocol } = packet.value;
  const expected = ipFamily(sourceIp) === 4 ? PROTOCOL_ICMP : PROTOCOL_ICMPV6;
  if (protocol !== expected) return err('wrong-protocol');
  const reader = new Reader(packet.value.payload, 'big');
  const type = reader.u8();
  const code = reader.u8();
  reader.u16();
  if (reader.isShort) return err('too-short');
  if (checksumOf(packet.value) !== 0) return err('bad-checksum');
  const body = reader.rest();
  return ok({ destination, source, sourceIp, destinationIp, hopLimit, type, code, body });
}

function checksumOf(packet: Omit<IpPacket, 'hopLimit'>): number {
  return packet.protocol === PROTOCOL_ICMP
    ? internetChecksum(packet.payload)
    : internetChecksum(concatBytes(ipv6PseudoHeader(packet), packet.payload));
}

export type EchoFrame = IcmpEnvelope & {
  readonly kind: 'request' | 'reply';
  /** 0-65535: which asker. */
  readonly identifier: number;
  /** 0-65535: which question. */
  readonly sequence: number;
  readonly data: Uint8Array;
};

export function encodeEchoFrame(echo: EchoFrame): Uint8Array {
  const type = ECHO_TYPE[ipFamily(echo.sourceIp)][echo.kind];
  const body = concatBytes(be16(echo.identifier), be16(echo.sequence), echo.data);
  return encodeIcmpFrame({ ...echo, type, code: 0, body });
}

/** A router, or the machine itself, could not deliver a TCP segment of ours. */
export type TcpComplaint = {
  readonly kind: 'too-big' | 'unreachable';
  /** Who says so. */
  readonly by: IpAddress;
  /** Of the segment that is complained about. */
  readonly to: IpAddress;
  readonly sourcePort: number;
  readonly sequence: number;
  /** ICMP: 0 network, 1 host, 3 port, 9, 10, 13 forbidden; ICMPv6: 0 no route, 1 forbidden, 3 address, 4 port. */
  readonly code: number;
  /** `too-big`: the longest packet that passes; 0 where an old router does not say. */
  readonly mtu: number;
};

const UNREACHABLE = { 4: 3, 6: 1 } as const;
const FRAGMENTATION_NEEDED = 4;
const PACKET_TOO_BIG_6 = 2;
const PROTOCOL_TCP = 6;

/** "Too big" or "unreachable" about a TCP segment, of which at least 8 bytes come back (RFC 792, RFC 1191, RFC 4443 §3). */
export function decodeTcpComplaint(bytes: Uint8Array): Result<TcpComplaint, FrameFault> {
  const message = decodeIcmpFrame(bytes);
  if (!message.ok) return message;
  const { type, code, body, sourceIp: by } = message.value;
  const family = ipFamily(by);
  const isTooBig =
    family === 4
      ? type === UNREACHABLE[4] && code === FRAGMENTATION_NEEDED
      : type === PACKET_TOO_BIG_6;
  if (!isTooBig && type !== UNREACHABLE[family]) return err('wrong-protocol');
  const reader = new Reader(body, 'big');
  const word = reader.u32();
  const headerBytes = family === 4 ? ((body[4] ?? 0) & 0x0f) * 4 : 40;
  const header = reader.bytes(headerBytes);
  const sourcePort = reader.u16();
  reader.u16();
  const sequence = reader.u32();
  if (reader.isShort || headerBytes < 20) return err('too-short');
  const [protocol, to] =
    family === 4
      ? [header[9], ipFromBytes(header.subarray(16, 20))]
      : [header[6], ipFromBytes(header.subarray(24, 40))];
  if (protocol !== PROTOCOL_TCP || to === undefined) return err('wrong-protocol');
  const mtu = isTooBig ? (family === 4 ? word & 0xffff : word) : 0;
  return ok({
    kind: isTooBig ? 'too-big' : 'unreachable',
    by,
    to,
    sourcePort,
    sequence,
    code,
    mtu,
  });
}

/** An echo request or reply; `wrong-protocol` for any other ICMP message. */
export function decodeEchoFrame(bytes: Uint8Array): Result<EchoFrame, FrameFault> {
  const message = decodeIcmpFrame(bytes);
  if (!message.ok) return message;
  const { type, code, body, ...envelope } = message.value;
  const types = ECHO_TYPE[ipFamily(envelope.sourceIp)];
  if (type !== types.request && type !== types.reply) return err('wrong-protocol');
  if (code !== 0) return err('bad-value');
  const reader = new Reader(body, 'big');
  const identifier = reader.u16();
  const sequence = reader.u16();
  if (reader.isShort) return err('too-short');
  const kind = type === types.request ? 'request' : 'reply';
  return ok({ ...envelope, kind, identifier, sequence, data: reader.rest() });
}
