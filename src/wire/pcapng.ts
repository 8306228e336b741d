/**
 * Frames as a file that tcpdump, tshark and Wireshark open: pcapng, one interface block for each device, one packet block
 * for each frame, with a comment that says what it is evidence of.
 *
 * ```
 *  section header | interface description ... | enhanced packet ...     each: type(4) length(4) body length(4)
 *  option: code(2) length(2) value, padded to 4 bytes; the last is code 0
 * ```
 *
 * Only written, never read. Rejected: the older pcap, which knows neither names of devices nor comments.
 * Source: draft-ietf-opsawg-pcapng §3, §4.1, §4.2, §4.3; link types: draft-ietf-opsawg-pcaplinktype.
 */
import { concatBytes, utf8 } from '../base/index.ts';
import { le16, le32 } from './octets.ts';

export type CapturedFrame = {
  readonly device: string;
  /** Milliseconds since 1970, with fractions. */
  readonly wallMs: number;
  readonly isSent: boolean;
  /** From the destination address on. */
  readonly bytes: Uint8Array;
  /** One line each. */
  readonly comments: readonly string[];
};

const SECTION_HEADER = 0x0a0d0d0a;
const BYTE_ORDER = 0x1a2b3c4d;
const INTERFACE = 1;
const PACKET = 6;
const LINK_ETHERNET = 1;
/** The whole frame. */
const NO_LIMIT = 0;
const OPTION = { comment: 1, application: 4, name: 2, flags: 2 } as const;
/** Flags word: two bits of direction. */
const INBOUND = 1;
const OUTBOUND = 2;

/** `application` is who wrote it. Times are kept to the microsecond. */
export function encodePcapng(frames: readonly CapturedFrame[], application: string): Uint8Array {
  const devices = [...new Set(frames.map(({ device }) => device))];
  const version = concatBytes(le16(1), le16(0), le32(-1), le32(-1)); // 1.0, length of the section not told
  return concatBytes(
    block(
      SECTION_HEADER,
      le32(BYTE_ORDER),
      version,
      options([OPTION.application, utf8(application)]),
    ),
    ...devices.map((device) =>
      block(
        INTERFACE,
        le16(LINK_ETHERNET),
        le16(0),
        le32(NO_LIMIT),
        options([OPTION.name, utf8(device)]),
      ),
    ),
    ...frames.map((frame) => packet(frame, devices.indexOf(frame.device))),
  );
}

function packet({ wallMs, isSent, bytes, comments }: CapturedFrame, device: number): Uint8Array {
  const microseconds = BigInt(Math.round(wallMs * 1000));
  return block(
    PACKET,
    le32(device),
    le32(Number(microseconds >> 32n)),
    le32(Number(microseconds & 0xffff_ffffn)),
    le32(bytes.length),
    le32(bytes.length),
    padded(bytes),
    options(...comments.map((comment) => [OPTION.comment, utf8(comment)] as const), [
      OPTION.flags,
      le32(isSent ? OUTBOUND : INBOUND),
    ]),
  );
}

function block(type: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const body = concatBytes(...parts);
  const length = le32(body.length + 12);
  return concatBytes(le32(type), length, body, length);
}

function options(...all: readonly (readonly [code: number, value: Uint8Array])[]): Uint8Array {
  const written = all.map(([code, value]) =>
    concatBytes(le16(code), le16(value.length), padded(value)),
  );
  return concatBytes(...written, le32(0));
}

function padded(bytes: Uint8Array): Uint8Array {
  return concatBytes(bytes, new Uint8Array((4 - (bytes.length % 4)) % 4));
}
