/**
 * ARP over Ethernet for IPv4: the questions, and the announcements that move a VIP (RFC 826, RFC 5227).
 *
 * An announcement says "this address lives at this link-layer address" unasked. It comes in two forms because gear
 * differs in which it believes: Piranha's (and send_arp's) reply with target = sender, and the request for oneself.
 * Both are 60 bytes and go to everybody.
 *
 * ```
 *  destination(6) source(6) 0806 | 0001 0800 06 04 opcode(2) sha(6) sip(4) tha(6) tip(4) | 18 bytes of zeroes
 * ```
 *
 * Source: RFC 826; RFC 2002 §4.6 (the reply form repeats the sender as target); piranha 0.8.6 send_arp.
 */
import {
  assert,
  concatBytes,
  err,
  type IpAddress,
  ipBytes,
  ipFamily,
  type MacAddress,
  macBytes,
  ok,
  type Result,
} from '../base/index.ts';
import {
  BROADCAST_MAC,
  decodeFrame,
  ETHERTYPE_ARP,
  encodeFrame,
  type FrameFault,
  type FrameHeader,
  readIp,
  readMac,
  ZERO_MAC,
} from './ethernet.ts';
import { be16, Reader, u8 } from './octets.ts';

export type ArpFrame = FrameHeader & {
  readonly operation: 'request' | 'reply';
  readonly senderMac: MacAddress;
  readonly senderIp: IpAddress;
  readonly targetMac: MacAddress;
  readonly targetIp: IpAddress;
  readonly vlan?: number;
};

const HARDWARE_ETHERNET = 1;
const PROTOCOL_IPV4 = 0x0800;
const OPCODE = { request: 1, reply: 2 } as const;

/** A whole frame of 60 bytes, untagged. Both IP addresses must be IPv4. */
export function encodeArp(frame: Omit<ArpFrame, 'vlan'>): Uint8Array {
  assert(
    ipFamily(frame.senderIp) === 4 && ipFamily(frame.targetIp) === 4,
    `ARP carries IPv4 only, not ${frame.senderIp} and ${frame.targetIp}`,
  );
  const payload = concatBytes(
    be16(HARDWARE_ETHERNET),
    be16(PROTOCOL_IPV4),
    u8(6),
    u8(4),
    be16(OPCODE[frame.operation]),
    macBytes(frame.senderMac),
    ipBytes(frame.senderIp),
    macBytes(frame.targetMac),
    ipBytes(frame.targetIp),
  );
  return encodeFrame({ ...frame, etherType: ETHERTYPE_ARP, payload });
}

/** Any ARP frame over Ethernet for IPv4, padded or not, tagged or not. Reverse and inverse ARP are `bad-value`. */
export function decodeArp(bytes: Uint8Array): Result<ArpFrame, FrameFault> {
  const frame = decodeFrame(bytes);
  if (!frame.ok) return frame;
  const { destination, source, vlan } = frame.value;
  if (frame.value.etherType !== ETHERTYPE_ARP) return err('wrong-protocol');
  const reader = new Reader(frame.value.payload, 'big');
  const hardware = reader.u16();
  const protocol = reader.u16();
  const lengths = reader.u16();
  const opcode = reader.u16();
  const senderMac = readMac(reader);
  const senderIp = readIp(reader, 4);
  const targetMac = readMac(reader);
  const targetIp = readIp(reader, 4);
  if (reader.isShort) return err('too-short');
  if (hardware !== HARDWARE_ETHERNET || protocol !== PROTOCOL_IPV4) return err('wrong-protocol');
  if (lengths !== 0x0604) return err('bad-length');
  if (opcode !== OPCODE.request && opcode !== OPCODE.reply) return err('bad-value');
  const operation = opcode === OPCODE.request ? 'request' : 'reply';
  const addresses = { senderMac, senderIp, targetMac, targetIp };
  return ok({ destination, source, operation, ...addresses, ...(vlan !== undefined && { vlan }) });
}

/**
 * "`vip` is at `mac`", to everybody.
 * `source` is the sender of the frame itself: `mac` unless we announce for a partner. Then it must be our own address,
 * or switches would learn the partner's at our port.
 */
export function encodeArpAnnouncement(announcement: {
  readonly form: 'reply' | 'request';
  readonly vip: IpAddress;
  readonly mac: MacAddress;
  readonly source?: MacAddress;
}): Uint8Array {
  const { form, vip, mac, source = mac } = announcement;
  return encodeArp({
    destination: BROADCAST_MAC,
    source,
    operation: form,
    senderMac: mac,
    senderIp: vip,
    targetMac: form === 'reply' ? mac : ZERO_MAC,
    targetIp: vip,
  });
}

/** "Who has `targetIp`? Tell `senderIp`": to everybody, or to `destination` alone to ask whether it still is there. */
export function encodeArpQuestion(question: {
  readonly senderMac: MacAddress;
  readonly senderIp: IpAddress;
  readonly targetIp: IpAddress;
  readonly destination?: MacAddress;
}): Uint8Array {
  const { senderMac, senderIp, targetIp, destination = BROADCAST_MAC } = question;
  return encodeArp({
    destination,
    source: senderMac,
    operation: 'request',
    senderMac,
    senderIp,
    targetMac: ZERO_MAC,
    targetIp,
  });
}
