/**
 * The extended dialect: a trailer behind the four bytes of a heartbeat.
 *
 * An original pulse reads four bytes and ignores the rest, so the same datagram serves both dialects; Wireshark's PULSE
 * dissector still decodes it. All numbers in network order. Echo *sequence numbers, never ages*: an age from a paused
 * machine lies. The tag authenticates everything before it and the two addresses of the path, so that a datagram
 * cannot be played back on another path or in the other direction.
 *
 * ```
 *  0  4  magic            RUNNING or STOPPED, those of fos in a fos pair, little-endian (heartbeat.ts)
 *  4  2  tag              "PX"
 *  6  1  version          1
 *  7  1  role             0 standby, 1 claim, 2 active
 *  8  1  flags            bit 0 eligible, bit 1 stopping, bit 2 signed
 *  9  1  reason           index in REASONS (model/words.ts)
 * 10  2  length           of the whole datagram
 * 12  4  epoch
 * 16  4  moves            role changes between standby and active in this life
 * 20  8  incarnation      milliseconds since 1970 * 4096 + 12 random bits, of the start of this life
 * 28  4  sequence
 * 32  8  echo incarnation the partner's, 0 = none heard
 * 40  4  echo sequence    the highest heard of it
 * 44  4  interval         between heartbeats, microseconds
 * 48  4  deadtime         microseconds
 * 52  4  lease            length of the kernel lease, microseconds, 0 = none
 * 56  4  serial_no        of lvs.cf
 * 60  8  config digest    first bytes of SHA-256
 * 68  2  services up      70 2 services
 * 72  1  n                link-layer addresses that follow, 0-8
 * 73  6n own link-layer address on each VIP device, devices in the order of their names
 * ..  16 HMAC-SHA-256, first half; present when signed
 * ```
 *
 * A longer body of a later version is read as far as we know it. Source: our own, docs/protocol.md.
 */
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import {
  concatBytes,
  err,
  type IpAddress,
  ipBytes,
  type MacAddress,
  macBytes,
  macFromBytes,
  ok,
  type Result,
  toHex,
  utf8,
} from '../base/index.ts';
import { REASONS, type Reason } from '../model/index.ts';
import { encodeHeartbeat, type HeartbeatKind } from './heartbeat.ts';
import { Reader, Writer } from './octets.ts';

export type ExtendedRole = 'standby' | 'claim' | 'active';

export type Trailer = {
  readonly role: ExtendedRole;
  readonly isEligible: boolean;
  readonly isStopping: boolean;
  readonly reason: Reason;
  readonly epoch: number;
  readonly moves: number;
  /** 0 to 2^53 - 1; later lives have higher ones, as far as their clocks are right. */
  readonly incarnation: number;
  readonly sequence: number;
  /** What we have heard of the receiver; undefined: nothing. */
  readonly echo: { readonly incarnation: number; readonly sequence: number } | undefined;
  readonly intervalMs: number;
  readonly deadtimeMs: number;
  readonly leaseMs: number;
  readonly serialNo: number;
  /** 16 hexadecimal digits. */
  readonly configDigest: string;
  readonly servicesUp: number;
  readonly services: number;
  readonly linkAddresses: readonly MacAddress[];
};

/** The addresses of the path a datagram travels, from its sender's point of view. */
export type Route = { readonly from: IpAddress; readonly to: IpAddress };

/**
 * `bare`: the four bytes of the legacy dialect, nothing more. `not-a-trailer`: something else follows them.
 * `unsigned`: a key is set and the datagram carries no tag; `bad-tag`: the tag fits none of the keys.
 */
export type TrailerFault =
  | 'bare'
  | 'not-a-trailer'
  | 'too-short'
  | 'malformed'
  | 'unsigned'
  | 'bad-tag';

const ROLES: readonly ExtendedRole[] = ['standby', 'claim', 'active'];
const TAG = 0x5058;
const VERSION = 1;
const FIXED = 73;
const MAC_BYTES = 16;
const MAX_LINKS = 8;
const MAX_DATAGRAM = 512;
const ELIGIBLE = 1;
const STOPPING = 2;
const SIGNED = 4;

/** The whole datagram; signed when a key is given. `word` is the magic in front: that of the role, unless told. */
export function encodeExtendedHeartbeat(
  trailer: Trailer,
  route: Route,
  key?: Uint8Array,
  word: HeartbeatKind = trailer.role === 'active' ? 'running' : 'stopped',
): Uint8Array {
  const links = trailer.linkAddresses.slice(0, MAX_LINKS);
  const length = FIXED + links.length * 6 + (key === undefined ? 0 : MAC_BYTES);
  const flags =
    (trailer.isEligible ? ELIGIBLE : 0) |
    (trailer.isStopping ? STOPPING : 0) |
    (key === undefined ? 0 : SIGNED);
  const writer = new Writer(FIXED + links.length * 6)
    .put(encodeHeartbeat(word))
    .u16(TAG)
    .u8(VERSION)
    .u8(ROLES.indexOf(trailer.role))
    .u8(flags)
    .u8(REASONS.indexOf(trailer.reason))
    .u16(length)
    .u32(trailer.epoch)
    .u32(trailer.moves)
    .u53(trailer.incarnation)
    .u32(trailer.sequence)
    .u53(trailer.echo?.incarnation ?? 0)
    .u32(trailer.echo?.sequence ?? 0)
    .u32(microseconds(trailer.intervalMs))
    .u32(microseconds(trailer.deadtimeMs))
    .u32(microseconds(trailer.leaseMs))
    .u32(trailer.serialNo);
  const digest = trailer.configDigest.padEnd(16, '0');
  writer
    .u32(Number.parseInt(digest.slice(0, 8), 16))
    .u32(Number.parseInt(digest.slice(8, 16), 16))
    .u16(trailer.servicesUp)
    .u16(trailer.services)
    .u8(links.length);
  for (const link of links) writer.put(macBytes(link));
  const body = writer.bytes;
  return key === undefined ? body : concatBytes(body, sign(body, route, key));
}

/** Reads what follows the magic. With keys, only a datagram signed with one of them (rotation: two) is taken. */
export function decodeTrailer(
  datagram: Uint8Array,
  route: Route,
  keys: readonly Uint8Array[],
): Result<Trailer, TrailerFault> {
  if (datagram.length <= 4) return err('bare');
  const reader = new Reader(datagram.subarray(4, MAX_DATAGRAM), 'big');
  if (reader.u16() !== TAG || reader.isShort) return err('not-a-trailer');
  const version = reader.u8();
  const role = ROLES[reader.u8()];
  const flags = reader.u8();
  const reason = REASONS[reader.u8()] ?? 'start';
  const length = reader.u16();
  const trailer = readBody(reader, { role: role ?? 'standby', flags, reason });
  if (reader.isShort) return err('too-short');
  if (version < VERSION || role === undefined || trailer === undefined) return err('malformed');
  if (length !== datagram.length || length > MAX_DATAGRAM) return err('malformed');
  if (keys.length > 0) {
    if ((flags & SIGNED) === 0 || length < FIXED + MAC_BYTES) return err('unsigned');
    const body = datagram.subarray(0, length - MAC_BYTES);
    const tag = datagram.subarray(length - MAC_BYTES);
    if (!keys.some((key) => isSame(sign(body, route, key), tag))) return err('bad-tag');
  }
  return ok(trailer);
}

/**
 * Life and number of a datagram that decodeTrailer has taken, read without decoding the rest; undefined: it has none.
 */
export function sequenceOf(datagram: Uint8Array): (Place & { readonly echo: Place }) | undefined {
  if (datagram.length < FIXED) return undefined;
  const reader = new Reader(datagram.subarray(4, 44), 'big');
  if (reader.u16() !== TAG) return undefined;
  reader.bytes(14);
  const place = { incarnation: Number(reader.u64()), sequence: reader.u32() };
  return { ...place, echo: { incarnation: Number(reader.u64()), sequence: reader.u32() } };
}

type Place = { readonly incarnation: number; readonly sequence: number };

type Start = { readonly role: ExtendedRole; readonly flags: number; readonly reason: Reason };

function readBody(reader: Reader, { role, flags, reason }: Start): Trailer | undefined {
  const epoch = reader.u32();
  const moves = reader.u32();
  const incarnation = Number(reader.u64());
  const sequence = reader.u32();
  const echoIncarnation = Number(reader.u64());
  const echoSequence = reader.u32();
  const intervalMs = reader.u32() / 1000;
  const deadtimeMs = reader.u32() / 1000;
  const leaseMs = reader.u32() / 1000;
  const serialNo = reader.u32();
  const configDigest = toHex(reader.bytes(8), '');
  const servicesUp = reader.u16();
  const services = reader.u16();
  const count = reader.u8();
  const linkAddresses: MacAddress[] = [];
  for (let index = 0; index < Math.min(count, MAX_LINKS); index++) {
    const address = macFromBytes(reader.bytes(6));
    if (address !== undefined) linkAddresses.push(address);
  }
  if (count > MAX_LINKS || incarnation === 0) return undefined;
  if (!Number.isSafeInteger(incarnation) || !Number.isSafeInteger(echoIncarnation))
    return undefined;
  const hasEcho = echoIncarnation !== 0;
  return {
    role,
    isEligible: (flags & ELIGIBLE) !== 0,
    isStopping: (flags & STOPPING) !== 0,
    reason,
    epoch,
    moves,
    incarnation,
    sequence,
    echo: hasEcho ? { incarnation: echoIncarnation, sequence: echoSequence } : undefined,
    intervalMs,
    deadtimeMs,
    leaseMs,
    serialNo,
    configDigest,
    servicesUp,
    services,
    linkAddresses,
  };
}

/** First 16 hexadecimal digits of SHA-256 over a text: how a configuration is compared without being sent. */
export function digestText(text: string): string {
  return toHex(sha256(utf8(text)).subarray(0, 8), '');
}

function sign(body: Uint8Array, { from, to }: Route, key: Uint8Array): Uint8Array {
  const message = concatBytes(body, ipBytes(from), ipBytes(to));
  return hmac(sha256, key, message).subarray(0, MAC_BYTES);
}

/** In the same time wherever the first difference is. */
function isSame(a: Uint8Array, b: Uint8Array): boolean {
  let difference = a.length ^ b.length;
  for (let index = 0; index < a.length; index++) difference |= (a[index] ?? 0) ^ (b[index] ?? 0);
  return difference === 0;
}

function microseconds(ms: number): number {
  return Math.min(0xffffffff, Math.max(0, Math.round(ms * 1000)));
}
