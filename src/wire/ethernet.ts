/**
 * Ethernet frames as a packet socket gives and takes them: from the destination address on, without the checksum.
 *
 * 802.1Q tags (one, or two of 802.1ad) are stepped over when reading, since a promiscuous or trunk interface shows
 * them; we never write one, because a VLAN device of the kernel adds its own. Source: IEEE 802.3 §3.2, 802.1Q §9.
 */
import {
  concatBytes,
  err,
  type IpAddress,
  ip,
  ipFromBytes,
  type MacAddress,
  mac,
  macBytes,
  macFromBytes,
  ok,
  type Result,
} from '../base/index.ts';
import { be16, Reader } from './octets.ts';

/** Why a frame was not understood; one list for all protocols of this room that live in frames. */
export const FRAME_FAULTS = [
  'too-short', // fewer bytes than the protocol's fixed part
  'wrong-protocol', // another protocol than the decoder reads
  'bad-length', // a length field contradicts the bytes
  'bad-checksum',
  'bad-hop-limit', // neighbour discovery that was routed: a stranger from outside the segment
  'bad-value', // a field outside what the protocol allows
  'fragment', // a part of a packet: never put together here
] as const;
export type FrameFault = (typeof FRAME_FAULTS)[number];

export const BROADCAST_MAC = mac('ff:ff:ff:ff:ff:ff');
export const ZERO_MAC = mac('00:00:00:00:00:00');
const ZERO_IP = ip('0.0.0.0');

export const ETHERTYPE_IPV4 = 0x0800;
export const ETHERTYPE_ARP = 0x0806;
export const ETHERTYPE_IPV6 = 0x86dd;
const ETHERTYPE_VLAN = 0x8100;
const ETHERTYPE_PROVIDER_VLAN = 0x88a8;

/** The least a frame has on the wire, less its checksum. */
const MINIMUM_LENGTH = 60;

/** Where a frame comes from and goes to. */
export type FrameHeader = {
  readonly destination: MacAddress;
  readonly source: MacAddress;
};

export type Frame = FrameHeader & {
  readonly etherType: number;
  /** 802.1Q VLAN identifier (0-4095) of the innermost tag; absent when untagged. */
  readonly vlan?: number;
  readonly payload: Uint8Array;
};

/** A whole untagged frame, padded with zeroes to 60 bytes. */
export function encodeFrame(frame: Omit<Frame, 'vlan'>): Uint8Array {
  const bytes = concatBytes(
    macBytes(frame.destination),
    macBytes(frame.source),
    be16(frame.etherType),
    frame.payload,
  );
  return bytes.length < MINIMUM_LENGTH
    ? concatBytes(bytes, new Uint8Array(MINIMUM_LENGTH - bytes.length))
    : bytes;
}

/** The payload still carries the padding: only the protocol in it knows its length. */
export function decodeFrame(bytes: Uint8Array): Result<Frame, FrameFault> {
  const reader = new Reader(bytes, 'big');
  const destination = readMac(reader);
  const source = readMac(reader);
  let etherType = reader.u16();
  let vlan: number | undefined;
  for (let tags = 0; tags < 2 && isVlanTag(etherType); tags++) {
    vlan = reader.u16() & 0x0fff;
    etherType = reader.u16();
  }
  if (reader.isShort) return err('too-short');
  const payload = reader.rest();
  return ok({ destination, source, etherType, payload, ...(vlan !== undefined && { vlan }) });
}

function isVlanTag(etherType: number): boolean {
  return etherType === ETHERTYPE_VLAN || etherType === ETHERTYPE_PROVIDER_VLAN;
}

/** The next 6 bytes; zeroes when they are not there (the reader remembers). */
export function readMac(reader: Reader): MacAddress {
  return macFromBytes(reader.bytes(6)) ?? ZERO_MAC;
}

/** The next 4 or 16 bytes; 0.0.0.0 when they are not there (the reader remembers). */
export function readIp(reader: Reader, length: 4 | 16): IpAddress {
  return ipFromBytes(reader.bytes(length)) ?? ZERO_IP;
}
