/**
 * The heartbeat of Piranha: a UDP datagram whose first four bytes are a magic word.
 *
 * pulse sends the word as it lies in memory, so x86 and arm send it little-endian and ppc or s390 big-endian, and two
 * directors of different order never understood each other. We send little-endian and recognise both; what to make of
 * the other order is for the core to say. pulse reads four bytes and ignores what follows: whatever comes after the
 * word is handed on untouched as `rest`, which is where the extended dialect lives.
 *
 * ```
 *  da db ad bd | rest ...        RUNNING: I am active
 *  bd da bd ad | rest ...        STOPPED: I am not
 * ```
 *
 * Source: piranha 0.8.6 (pulse); Wireshark's PULSE dissector knows the first two.
 */
import { err, ok, type Result, unreachable } from '../base/index.ts';
import { type ByteOrder, be32, le32, Reader } from './octets.ts';

/** Every word pulse can say. HOLD, HELD and the `fos` ones belong to service = fos. */
const MAGIC = {
  running: 0xbdaddbda,
  stopped: 0xadbddabd,
  hold: 0xdeafbabe,
  held: 0xdeafdada,
  'fos-running': 0xbeefbabe,
  'fos-stopped': 0xdeadbeef,
  stopme: 0xdeaddada,
} as const;

export type HeartbeatKind = keyof typeof MAGIC;

export const HEARTBEAT_KINDS = Object.keys(MAGIC) as readonly HeartbeatKind[];

export type Heartbeat = {
  readonly kind: HeartbeatKind;
  readonly byteOrder: ByteOrder;
  /** What follows the word (a view): empty from an original pulse. */
  readonly rest: Uint8Array;
};

/** Whose words they are: two directors of different `service` are no pair. HOLD and HELD are everybody's. */
export function serviceOf(kind: HeartbeatKind): 'lvs' | 'fos' | 'any' {
  switch (kind) {
    case 'running':
    case 'stopped':
      return 'lvs';
    case 'fos-running':
    case 'fos-stopped':
    case 'stopme':
      return 'fos';
    case 'hold':
    case 'held':
      return 'any';
    default:
      return unreachable(kind);
  }
}

/** `too-short`: fewer than four bytes; `unknown-magic`: four bytes that are none of the words in either order. */
export type HeartbeatFault = 'too-short' | 'unknown-magic';

/** The four bytes of a word; a trailer, if any, is put behind them by the caller. */
export function encodeHeartbeat(kind: HeartbeatKind, byteOrder: ByteOrder = 'little'): Uint8Array {
  switch (byteOrder) {
    case 'little':
      return le32(MAGIC[kind]);
    case 'big':
      return be32(MAGIC[kind]);
    default:
      return unreachable(byteOrder);
  }
}

export function decodeHeartbeat(datagram: Uint8Array): Result<Heartbeat, HeartbeatFault> {
  for (const byteOrder of ['little', 'big'] as const) {
    const reader = new Reader(datagram, byteOrder);
    const word = reader.u32();
    if (reader.isShort) return err('too-short');
    const kind = HEARTBEAT_KINDS.find((candidate) => MAGIC[candidate] === word);
    if (kind !== undefined) return ok({ kind, byteOrder, rest: reader.rest() });
  }
  return err('unknown-magic');
}
