/**
 * What the observer makes of a frame at a switch port: an announcement of the VIP, a heartbeat, or nothing.
 *
 * At a director's port a frame that comes in was sent by that director, cut or not; one that goes out passed the switch
 * and, if it is a heartbeat, came from the partner. A classic BPF program in the kernel drops all other frames, or the
 * probes would wake the observer four times each.
 */
import type { IpAddress, MacAddress } from '../src/base/index.ts';
import {
  decodeArp,
  decodeHeartbeat,
  decodeNeighbour,
  ETHERTYPE_ARP,
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
} from '../src/wire/index.ts';
import type { LabEvent } from './events.ts';
import type { Arrival } from './sockets.ts';
import { type Director, directorOf } from './topology.ts';

const PACKET_OUTGOING = 4;
const PROTOCOL_UDP = 17;
const PROTOCOL_ICMPV6 = 58;
const PROTOCOL_VRRP = 112;
const NEIGHBOUR_ADVERTISEMENT = 136;

const TAKE = 14;
const LEAVE = 15;

/** ARP, neighbour advertisements, and heartbeats: UDP to `heartbeatPort`, or VRRP (keepalived's). */
export function segmentFilter(heartbeatPort: number): Uint8Array {
  return assemble([
    ['load16', 12],
    ['is', ETHERTYPE_ARP, TAKE, 2],
    ['is', ETHERTYPE_IPV6, 10, 3],
    ['is', ETHERTYPE_IPV4, 4, LEAVE],
    ['load8', 23], // protocol
    ['is', PROTOCOL_VRRP, TAKE, 6],
    ['is', PROTOCOL_UDP, 7, LEAVE],
    ['headerLength', 14],
    ['load16AfterHeader', 16], // destination port
    ['is', heartbeatPort, TAKE, LEAVE],
    ['load8', 20], // next header
    ['is', PROTOCOL_ICMPV6, 12, LEAVE],
    ['load8', 54], // type
    ['is', NEIGHBOUR_ADVERTISEMENT, TAKE, LEAVE],
    ['return', 0xffff],
    ['return', 0],
  ]);
}

/** Operations of classic BPF (linux/filter.h); `is` names the lines to go on with when equal and when not. */
const OPCODES = {
  load8: 0x30,
  load16: 0x28,
  load16AfterHeader: 0x48,
  headerLength: 0xb1,
  is: 0x15,
  return: 0x06,
} as const;

type Instruction = readonly [keyof typeof OPCODES, number, number?, number?];

function assemble(program: readonly Instruction[]): Uint8Array {
  const bytes = new Uint8Array(program.length * 8);
  const view = new DataView(bytes.buffer);
  for (const [index, [operation, value, then, otherwise]] of program.entries()) {
    view.setUint16(index * 8, OPCODES[operation], true);
    view.setUint8(index * 8 + 2, (then ?? index + 1) - index - 1);
    view.setUint8(index * 8 + 3, (otherwise ?? index + 1) - index - 1);
    view.setUint32(index * 8 + 4, value, true);
  }
  return bytes;
}

/** The director whose answer to "who has `vip`?" this is: an ARP reply or a neighbour advertisement. */
export function whoAnswered({ bytes, from }: Arrival, vip: IpAddress): Director | undefined {
  if (from[10] === PACKET_OUTGOING) return undefined;
  const claim = readClaim(bytes, vip);
  // What is said to all is an announcement, and one director may announce the other.
  const isAnswer = claim !== undefined && claim.form !== 'request' && !claim.isToAll;
  return isAnswer ? directorOf(claim.mac) : undefined;
}

type Claim = {
  readonly form: 'reply' | 'request' | 'advertisement';
  /** Where it says the VIP is. */
  readonly mac: MacAddress;
  readonly isToAll: boolean;
};

/** A frame that says where `vip` is. */
function readClaim(bytes: Uint8Array, vip: IpAddress): Claim | undefined {
  const isToAll = ((bytes[0] ?? 0) & 1) === 1;
  const arp = decodeArp(bytes);
  if (arp.ok) {
    const { operation, senderIp, senderMac } = arp.value;
    return senderIp === vip ? { form: operation, mac: senderMac, isToAll } : undefined;
  }
  const neighbour = decodeNeighbour(bytes);
  if (!neighbour.ok || neighbour.value.kind !== 'advertisement') return undefined;
  const { target, linkLayer, source } = neighbour.value;
  return target === vip ? { form: 'advertisement', mac: linkLayer ?? source, isToAll } : undefined;
}

export type PortContext = {
  /** Whose port it is. */
  readonly director: Director;
  readonly network: 'segment' | 'private';
  readonly at: number;
  readonly vip: IpAddress;
  readonly heartbeatPort: number;
};

export function readPort(arrival: Arrival, context: PortContext): LabEvent | undefined {
  const { bytes } = arrival;
  const { director, network, at } = context;
  const isOutgoing = arrival.from[10] === PACKET_OUTGOING;
  const etherType = ((bytes[12] ?? 0) << 8) | (bytes[13] ?? 0);
  if (etherType !== ETHERTYPE_IPV4) {
    const claim = isOutgoing ? undefined : readClaim(bytes, context.vip);
    if (claim === undefined || !claim.isToAll) return undefined;
    return ['announcement', at, director, claim.form, claim.mac];
  }
  const protocol = bytes[23];
  if (protocol !== PROTOCOL_UDP && protocol !== PROTOCOL_VRRP) return undefined;
  const says = protocol === PROTOCOL_VRRP ? 'advert' : heartbeatWord(bytes);
  if (!isOutgoing) return ['heartbeat', at, director, 'sent', network, says];
  return ['heartbeat', at, director === 'da' ? 'db' : 'da', 'passed', network, says];
}

/** The word after the Ethernet, IPv4 and UDP headers. */
function heartbeatWord(frame: Uint8Array): string {
  const headerLength = ((frame[14] ?? 0) & 0x0f) * 4;
  const heartbeat = decodeHeartbeat(frame.subarray(14 + headerLength + 8));
  return heartbeat.ok ? heartbeat.value.kind : '?';
}
