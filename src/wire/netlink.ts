/**
 * Netlink framing: how the kernel and we wrap every question and answer (netlink(7), linux/netlink.h).
 *
 * ```
 *  0        4      6      8         12        16
 *  | length | type | flag | sequence | port id | payload, then attributes, each { length, type, value }, aligned to 4
 * ```
 *
 * The reader is total: no bytes, however hostile, make it throw or loop. Attributes are read by name through a cursor
 * that remembers the first fault for itself and everything nested in it, so a decoder asks once, at its end.
 *
 * Netlink speaks the machine's own byte order. Only little-endian machines (x86-64, arm64) are supported; a big-endian
 * port of this room would start here. Rejected: decoding whole families from tables of attribute types (a small
 * interpreter to save a few lines, and errors far from their cause).
 */
import { assert, concatBytes, err, fromUtf8, ok, type Result, utf8 } from '../base/index.ts';
import { le16, le32, le64, Reader, u8 } from './octets.ts';

export const NETLINK_FAULTS = [
  'truncated-header', // fewer bytes left than a header has
  'bad-message-length', // nlmsg_len is below 16 or beyond the end
  'truncated-payload', // the fixed part of the payload is cut short
  'bad-attribute-length', // nla_len is below 4 or beyond the end
  'bad-attribute-value', // a value of another size than its meaning has
  'missing-attribute', // an attribute without which the message means nothing
  'wrong-type', // a message of another type than the decoder reads
] as const;
export type NetlinkFault = (typeof NETLINK_FAULTS)[number];

/** nlmsg_type of the messages that frame the others. */
export const NLMSG_NOOP = 1;
export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;
export const NLMSG_OVERRUN = 4;

/** nlmsg_flags; the meanings from 0x100 on depend on what is asked: read, write, or an acknowledgement. */
export const NLM_F_REQUEST = 0x01;
export const NLM_F_MULTI = 0x02;
export const NLM_F_ACK = 0x04;
export const NLM_F_DUMP_INTR = 0x10;
export const NLM_F_DUMP = 0x300;
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
export const NLM_F_APPEND = 0x800;
export const NLM_F_CAPPED = 0x100;
export const NLM_F_ACK_TLVS = 0x200;

const HEADER_LENGTH = 16;
const NLA_F_NESTED = 0x8000;
/** nla_type without NLA_F_NESTED and NLA_F_NET_BYTEORDER. */
const NLA_TYPE_MASK = 0x3fff;
const NLA_MAX = 0xffff;

export type NetlinkMessage = {
  readonly type: number;
  readonly flags: number;
  /** Chosen by who asks, repeated in the answer. */
  readonly sequence: number;
  /** The socket it is from, in answers; 0 = the kernel. */
  readonly port: number;
  readonly payload: Uint8Array;
};

/** One message, header and all; sequence and port are 0 (the socket fills them in) unless given. */
export function encodeMessage(
  message: Pick<NetlinkMessage, 'type' | 'flags' | 'payload'> & Partial<NetlinkMessage>,
): Uint8Array {
  return concatBytes(
    le32(HEADER_LENGTH + message.payload.length),
    le16(message.type),
    le16(message.flags),
    le32(message.sequence ?? 0),
    le32(message.port ?? 0),
    message.payload,
  );
}

/** The messages as one datagram: each begins at a multiple of 4. */
export function joinMessages(messages: readonly Uint8Array[]): Uint8Array {
  return concatBytes(...messages.flatMap((message) => [message, padding(message.length)]));
}

/** Cuts a datagram into its messages, each with its header (views, no copies). */
export function splitMessages(datagram: Uint8Array): Result<readonly Uint8Array[], NetlinkFault> {
  const messages: Uint8Array[] = [];
  let offset = 0;
  while (offset < datagram.length) {
    if (datagram.length - offset < HEADER_LENGTH) return err('truncated-header');
    const length = new Reader(datagram.subarray(offset), 'little').u32();
    if (length < HEADER_LENGTH || length > datagram.length - offset) {
      return err('bad-message-length');
    }
    messages.push(datagram.subarray(offset, offset + length));
    offset += align(length);
  }
  return ok(messages);
}

/** One message; bytes after its length are not looked at. */
export function decodeMessage(bytes: Uint8Array): Result<NetlinkMessage, NetlinkFault> {
  const reader = new Reader(bytes, 'little');
  const length = reader.u32();
  const type = reader.u16();
  const flags = reader.u16();
  const sequence = reader.u32();
  const port = reader.u32();
  if (reader.isShort) return err('truncated-header');
  if (length < HEADER_LENGTH || length > bytes.length) return err('bad-message-length');
  return ok({ type, flags, sequence, port, payload: reader.bytes(length - HEADER_LENGTH) });
}

/** What NLMSG_ERROR (an errno of 0 is the acknowledgement) and NLMSG_DONE (end of a dump) say. */
export type Acknowledgement = {
  /** A positive errno; 0 = success. */
  readonly errno: number;
  /** Extended acknowledgement: the kernel's own words. */
  readonly kernelText?: string;
  /** Where in our request the kernel found fault, in bytes from its header on. */
  readonly offset?: number;
  /** The type of the attribute that was missing. */
  readonly missingType?: number;
};

const NLMSGERR_ATTR_MSG = 1;
const NLMSGERR_ATTR_OFFS = 2;
const NLMSGERR_ATTR_MISS_TYPE = 5;

/** Reads NLMSG_ERROR and NLMSG_DONE, with the extended acknowledgement when there is one. */
export function decodeAcknowledgement(
  message: NetlinkMessage,
): Result<Acknowledgement, NetlinkFault> {
  if (message.type !== NLMSG_ERROR && message.type !== NLMSG_DONE) return err('wrong-type');
  const reader = new Reader(message.payload, 'little');
  const errno = 0 - reader.i32();
  if (reader.isShort) return err('truncated-payload');
  if (message.type === NLMSG_ERROR) {
    // The kernel repeats our request: its header always, the rest unless NLM_F_CAPPED.
    const repeated = reader.u32();
    if (reader.isShort || reader.remaining < HEADER_LENGTH - 4) return err('truncated-payload');
    const isCapped = (message.flags & NLM_F_CAPPED) !== 0;
    const length = isCapped ? HEADER_LENGTH : align(repeated);
    if (length < HEADER_LENGTH || length - 4 > reader.remaining) return err('bad-message-length');
    reader.bytes(length - 4);
  }
  if ((message.flags & NLM_F_ACK_TLVS) === 0) return ok({ errno });
  const attributes = new AttributeReader(reader.rest());
  const kernelText = attributes.text(NLMSGERR_ATTR_MSG);
  const offset = attributes.u32(NLMSGERR_ATTR_OFFS);
  const missingType = attributes.u32(NLMSGERR_ATTR_MISS_TYPE);
  return attributes.result({
    errno,
    ...(kernelText !== undefined && { kernelText }),
    ...(offset !== undefined && { offset }),
    ...(missingType !== undefined && { missingType }),
  });
}

/** The answer a kernel gives; for tests and the imagined kernel of the simulator. */
export function encodeAcknowledgement(
  acknowledgement: Acknowledgement,
  request: NetlinkMessage,
): Uint8Array {
  const { errno, kernelText, offset, missingType } = acknowledgement;
  const tlvs = concatBytes(
    kernelText === undefined ? NOTHING : textAttribute(NLMSGERR_ATTR_MSG, kernelText),
    offset === undefined ? NOTHING : u32Attribute(NLMSGERR_ATTR_OFFS, offset),
    missingType === undefined ? NOTHING : u32Attribute(NLMSGERR_ATTR_MISS_TYPE, missingType),
  );
  const header = encodeMessage(request).subarray(0, HEADER_LENGTH);
  return encodeMessage({
    type: NLMSG_ERROR,
    flags: NLM_F_CAPPED | (tlvs.length > 0 ? NLM_F_ACK_TLVS : 0),
    sequence: request.sequence,
    payload: concatBytes(le32(-errno), header, tlvs),
  });
}

const NOTHING = new Uint8Array(0);

/** One attribute { length, type, value } padded to a multiple of 4; `value` at most 65531 bytes. */
export function attribute(type: number, value: Uint8Array): Uint8Array {
  const length = 4 + value.length;
  assert(length <= NLA_MAX, `attribute ${type} of ${value.length} bytes is too long`);
  return concatBytes(le16(length), le16(type), value, padding(length));
}

/** An attribute that holds attributes. The kernel's newer families insist on the flag, the older ones ignore it. */
export function nestedAttribute(type: number, ...parts: readonly Uint8Array[]): Uint8Array {
  return attribute(type | NLA_F_NESTED, concatBytes(...parts));
}

export function u8Attribute(type: number, value: number): Uint8Array {
  return attribute(type, u8(value));
}

export function u16Attribute(type: number, value: number): Uint8Array {
  return attribute(type, le16(value));
}

export function u32Attribute(type: number, value: number): Uint8Array {
  return attribute(type, le32(value));
}

export function u64Attribute(type: number, value: bigint): Uint8Array {
  return attribute(type, le64(value));
}

/** Text with its final zero byte. */
export function textAttribute(type: number, value: string): Uint8Array {
  return attribute(type, utf8(`${value}\0`));
}

/**
 * A cursor over attributes. Every question gives undefined when the attribute is absent, and notes a fault when it is
 * there with a size that its meaning does not have. The first fault counts for the reader and all readers nested in
 * it. Of an attribute given twice the last counts, as in the kernel; `all` gives every one.
 */
export class AttributeReader {
  readonly #found: { readonly type: number; readonly value: Uint8Array }[] = [];
  readonly #faults: NetlinkFault[];

  constructor(bytes: Uint8Array, faults: NetlinkFault[] = []) {
    this.#faults = faults;
    let offset = 0;
    // Fewer than 4 bytes at the end are padding: libnl and the kernel only warn about them.
    while (bytes.length - offset >= 4) {
      const reader = new Reader(bytes.subarray(offset), 'little');
      const length = reader.u16();
      const type = reader.u16() & NLA_TYPE_MASK;
      if (length < 4 || length > bytes.length - offset) {
        this.#faults.push('bad-attribute-length');
        return;
      }
      this.#found.push({ type, value: reader.bytes(length - 4) });
      offset += align(length);
    }
  }

  /** The first thing that was wrong, in this reader or in one nested in it. */
  get fault(): NetlinkFault | undefined {
    return this.#faults[0];
  }

  /** The decoder's last line: `value` if nothing was wrong. */
  result<T>(value: T): Result<T, NetlinkFault> {
    return this.fault === undefined ? ok(value) : err(this.fault);
  }

  bytes(type: number): Uint8Array | undefined {
    return this.#found.findLast((entry) => entry.type === type)?.value;
  }

  /** All values of a list, in order. */
  all(type: number): readonly Uint8Array[] {
    return this.#found.filter((entry) => entry.type === type).map((entry) => entry.value);
  }

  u8(type: number): number | undefined {
    return this.#sized(type, 1)?.u8();
  }

  u16(type: number): number | undefined {
    return this.#sized(type, 2)?.u16();
  }

  /** Network order, as ports in IPVS. */
  be16(type: number): number | undefined {
    return this.#sized(type, 2, 'big')?.u16();
  }

  u32(type: number): number | undefined {
    return this.#sized(type, 4)?.u32();
  }

  i32(type: number): number | undefined {
    return this.#sized(type, 4)?.i32();
  }

  /** Network order, as everything in nf_tables. */
  be32(type: number): number | undefined {
    return this.#sized(type, 4, 'big')?.u32();
  }

  u64(type: number): bigint | undefined {
    return this.#sized(type, 8)?.u64();
  }

  be64(type: number): bigint | undefined {
    return this.#sized(type, 8, 'big')?.u64();
  }

  /** A counter of 4 or 8 bytes: kernels widen them. */
  unsigned(type: number): bigint | undefined {
    const isNarrow = this.bytes(type)?.length === 4;
    return isNarrow ? BigInt(this.u32(type) ?? 0) : this.u64(type);
  }

  /** Text up to its first zero byte. */
  text(type: number): string | undefined {
    const value = this.bytes(type);
    if (value === undefined) return undefined;
    const end = value.indexOf(0);
    return fromUtf8(end < 0 ? value : value.subarray(0, end));
  }

  nested(type: number): AttributeReader | undefined {
    const value = this.bytes(type);
    return value === undefined ? undefined : this.within(value);
  }

  /** A reader for each element of a list whose types are mere numbers. */
  entries(): readonly AttributeReader[] {
    return this.#found.map(({ value }) => this.within(value));
  }

  /** A reader of other bytes that shares this one's faults: for lists that are not themselves attributes. */
  within(bytes: Uint8Array): AttributeReader {
    return new AttributeReader(bytes, this.#faults);
  }

  allNested(type: number): readonly AttributeReader[] {
    return this.all(type).map((value) => this.within(value));
  }

  /** Notes a fault of the decoder's own finding, e.g. `bad-attribute-value`. */
  reject(fault: NetlinkFault): undefined {
    this.#faults.push(fault);
    return undefined;
  }

  /** `value`, or a note that it is missing and `substitute`, which `result` then keeps from being seen. */
  need<T>(value: T | undefined, substitute: T): T {
    if (value !== undefined) return value;
    this.#faults.push('missing-attribute');
    return substitute;
  }

  #sized(type: number, size: number, order: 'big' | 'little' = 'little'): Reader | undefined {
    const value = this.bytes(type);
    if (value === undefined) return undefined;
    if (value.length !== size) return this.reject('bad-attribute-value');
    return new Reader(value, order);
  }
}

function align(length: number): number {
  return (length + 3) & ~3;
}

function padding(length: number): Uint8Array {
  return new Uint8Array(align(length) - length);
}
