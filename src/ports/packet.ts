/**
 * Link-layer sockets: announcements out, foreign claims in (packet(7)).
 *
 * A socket is made deaf (protocol 0), gets its filter, and only then is bound to interface and
 * EtherType: nothing slips in before the filter. Our own frames are not echoed to us
 * (PACKET_IGNORE_OUTGOING, Linux 4.20). Filters are classic BPF (linux/filter.h) and run in the
 * kernel: on a busy segment a director that listens for ARP must not be woken by the traffic it
 * balances.
 */
import { err, ok, type Result } from '../base/index.ts';
import type { PortError } from '../model/index.ts';
import { ReceiveArena } from './arena.ts';
import { portError } from './errno.ts';
import {
  AF_PACKET,
  ETH_P_ALL,
  ETH_P_ARP,
  ETH_P_IP,
  ETH_P_IPV6,
  PACKET_IGNORE_OUTGOING,
  SOCK_RAW,
  SOL_PACKET,
} from './linux.ts';
import { type Native, native } from './native.ts';
import { packetAddress } from './socket-address.ts';
import type { PacketSocket } from './types.ts';

/** Whole frames up to this length; longer ones are no ARP and no neighbour discovery. */
const MAX_FRAME = 2048;
const SLOTS = 64;

/**
 * What the socket hears: nothing, ARP, or ARP and IPv6 neighbour solicitations and advertisements; a witness's
 * listener hears those and the answers to our echo requests; `segments`: those, TCP to a block of ports, and what routers
 * say of undelivered packets; `datagrams`: UDP to one port.
 */
export type Hearing = 'nothing' | 'arp' | 'neighbours' | 'answers' | 'segments' | 'datagrams';

/** A `Link` will do: then it hears nothing and only sends. */
export type PacketSocketOptions = {
  /** The interface's index. */
  readonly index: number;
  /** The interface's name, for error messages. */
  readonly name?: string;
  readonly hears?: Hearing;
  /** `answers`: the identifier of our echo requests, 0-65535; other echoes do not wake us. */
  readonly echoIdentifier?: number;
  /** `segments`: TCP must be addressed to one of the ports from here on; a multiple of `portCount`. `datagrams`: the port. */
  readonly firstPort?: number;
  /** A power of two; 64 unless told. */
  readonly portCount?: number;
};

/** Opens a socket on one interface; needs CAP_NET_RAW. */
export function openPacketSocket(options: PacketSocketOptions): Result<PacketSocket, PortError> {
  const { index, name = `interface ${index}`, hears = 'nothing' } = options;
  const filter = filterOf(hears, options);
  const kernel = native();
  const fd = kernel.socket(AF_PACKET, SOCK_RAW, 0);
  if (fd < 0) return err(portError('socket', name, fd));
  // Older kernels do not know it; the core drops its own echo as well.
  kernel.setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);
  let operation = 'filter';
  let result = kernel.attachFilter(fd, encodeFilter(filter));
  if (result >= 0) {
    operation = 'bind';
    result = kernel.bind(fd, packetAddress(index, PROTOCOLS[hears]));
  }
  if (result >= 0) return ok(new LinuxPacketSocket(kernel, fd, name));
  kernel.close(fd);
  return err(portError(operation, name, result));
}

class LinuxPacketSocket implements PacketSocket {
  readonly fd: number;
  readonly #native: Native;
  readonly #target: string;
  readonly #arena = new ReceiveArena(SLOTS, MAX_FRAME);

  constructor(kernel: Native, fd: number, target: string) {
    this.#native = kernel;
    this.fd = fd;
    this.#target = target;
  }

  send(frame: Uint8Array): PortError | undefined {
    const result = this.#native.send(this.fd, frame);
    return result < 0 ? portError('send', this.#target, result) : undefined;
  }

  receive(max = SLOTS): readonly Uint8Array[] {
    // ENETDOWN is told once when the interface goes down; who cares watches the links. Frames come
    // the second time.
    let count = this.#arena.receive(this.fd, max);
    if (count < 0) count = this.#arena.receive(this.fd, max);
    const frames: Uint8Array[] = [];
    for (let index = 0; index < count; index++) {
      if (!this.#arena.isTruncated(index)) frames.push(this.#arena.message(index));
    }
    return frames;
  }

  close(): void {
    this.#native.close(this.fd);
  }
}

export type Instruction = readonly [
  code: number,
  jumpTrue: number,
  jumpFalse: number,
  value: number,
];

// linux/bpf_common.h
const LOAD_HALF = 0x28;
const LOAD_BYTE = 0x30;
const JUMP_EQUAL = 0x15;
const RETURN = 0x06;

// Offsets in a frame: linux/if_ether.h, linux/ipv6.h, linux/icmpv6.h.
const ETHER_TYPE = 12;
const NEXT_HEADER = 14 + 6;
const ICMPV6_TYPE = 14 + 40;
const ICMPV6 = 58;
const NEIGHBOUR_SOLICITATION = 135;
const NEIGHBOUR_ADVERTISEMENT = 136;

const ACCEPT: Instruction = [RETURN, 0, 0, MAX_FRAME];
const DROP: Instruction = [RETURN, 0, 0, 0];

type FixedHearing = Exclude<Hearing, 'answers' | 'segments' | 'datagrams'>;
const FILTERS: Record<FixedHearing, readonly Instruction[]> = {
  nothing: [DROP],
  arp: [[LOAD_HALF, 0, 0, ETHER_TYPE], [JUMP_EQUAL, 0, 1, ETH_P_ARP], ACCEPT, DROP],
  neighbours: [
    [LOAD_HALF, 0, 0, ETHER_TYPE],
    [JUMP_EQUAL, 6, 0, ETH_P_ARP],
    [JUMP_EQUAL, 0, 6, ETH_P_IPV6],
    [LOAD_BYTE, 0, 0, NEXT_HEADER],
    [JUMP_EQUAL, 0, 4, ICMPV6],
    [LOAD_BYTE, 0, 0, ICMPV6_TYPE],
    [JUMP_EQUAL, 1, 0, NEIGHBOUR_SOLICITATION],
    [JUMP_EQUAL, 0, 1, NEIGHBOUR_ADVERTISEMENT],
    ACCEPT,
    DROP,
  ],
};

/** What it is bound to; 0 hears nothing at all. */
const PROTOCOLS: Record<Hearing, number> = {
  nothing: 0,
  arp: ETH_P_ARP,
  neighbours: ETH_P_ALL,
  answers: ETH_P_ALL,
  segments: ETH_P_ALL,
  datagrams: ETH_P_ALL,
};

const JUMP_ANY_BIT = 0x45;
const LOAD_HEADER_LENGTH = 0xb1;
const LOAD_BYTE_AFTER_HEADER = 0x50;
const LOAD_HALF_AFTER_HEADER = 0x48;
const IPV4_FRAGMENT = 14 + 6;
const IPV4_PROTOCOL = 14 + 9;
const ICMP = 1;
const OFFSET_BITS = 0x1fff;
const ECHO_REPLY = 0;
const ECHO_REPLY_6 = 129;

/** ARP, neighbour discovery, and echo replies with our identifier. Jumps count from the next instruction. */
function answersFilter(identifier: number): readonly Instruction[] {
  return [
    [LOAD_HALF, 0, 0, ETHER_TYPE],
    [JUMP_EQUAL, 19, 0, ETH_P_ARP],
    [JUMP_EQUAL, 10, 0, ETH_P_IPV6],
    [JUMP_EQUAL, 0, 18, ETH_P_IP],
    [LOAD_BYTE, 0, 0, IPV4_PROTOCOL],
    [JUMP_EQUAL, 0, 16, ICMP],
    [LOAD_HALF, 0, 0, IPV4_FRAGMENT],
    [JUMP_ANY_BIT, 14, 0, OFFSET_BITS],
    [LOAD_HEADER_LENGTH, 0, 0, 14],
    [LOAD_BYTE_AFTER_HEADER, 0, 0, 14],
    [JUMP_EQUAL, 0, 11, ECHO_REPLY],
    [LOAD_HALF_AFTER_HEADER, 0, 0, 14 + 4],
    [JUMP_EQUAL, 8, 9, identifier],
    [LOAD_BYTE, 0, 0, NEXT_HEADER],
    [JUMP_EQUAL, 0, 7, ICMPV6],
    [LOAD_BYTE, 0, 0, ICMPV6_TYPE],
    [JUMP_EQUAL, 4, 0, NEIGHBOUR_SOLICITATION],
    [JUMP_EQUAL, 3, 0, NEIGHBOUR_ADVERTISEMENT],
    [JUMP_EQUAL, 0, 3, ECHO_REPLY_6],
    [LOAD_HALF, 0, 0, ICMPV6_TYPE + 4],
    [JUMP_EQUAL, 0, 1, identifier],
    ACCEPT,
    DROP,
  ];
}

const TCP = 6;
const UDP = 17;
const UNREACHABLE = 3;
const UNREACHABLE_6 = 1;
const TOO_BIG_6 = 2;
/** BPF_ALU | BPF_AND | BPF_K */
const KEEP_BITS = 0x54;

/**
 * ARP, neighbour discovery, TCP to the `count` ports from `first` on, and what routers say of packets that they could not
 * deliver. Jumps count from the next instruction.
 */
function segmentsFilter(first: number, count: number): readonly Instruction[] {
  const block = 0x10000 - count;
  return [
    [LOAD_HALF, 0, 0, ETHER_TYPE],
    [JUMP_EQUAL, 24, 0, ETH_P_ARP],
    [JUMP_EQUAL, 12, 0, ETH_P_IPV6],
    [JUMP_EQUAL, 0, 23, ETH_P_IP],
    [LOAD_HALF, 0, 0, IPV4_FRAGMENT],
    [JUMP_ANY_BIT, 21, 0, OFFSET_BITS],
    [LOAD_HEADER_LENGTH, 0, 0, 14],
    [LOAD_BYTE, 0, 0, IPV4_PROTOCOL],
    [JUMP_EQUAL, 3, 0, TCP],
    [JUMP_EQUAL, 0, 17, ICMP],
    [LOAD_BYTE_AFTER_HEADER, 0, 0, 14],
    [JUMP_EQUAL, 14, 15, UNREACHABLE],
    [LOAD_HALF_AFTER_HEADER, 0, 0, 14 + 2],
    [KEEP_BITS, 0, 0, block],
    [JUMP_EQUAL, 11, 12, first],
    [LOAD_BYTE, 0, 0, NEXT_HEADER],
    [JUMP_EQUAL, 6, 0, TCP],
    [JUMP_EQUAL, 0, 9, ICMPV6],
    [LOAD_BYTE, 0, 0, ICMPV6_TYPE],
    [JUMP_EQUAL, 6, 0, NEIGHBOUR_SOLICITATION],
    [JUMP_EQUAL, 5, 0, NEIGHBOUR_ADVERTISEMENT],
    [JUMP_EQUAL, 4, 0, UNREACHABLE_6],
    [JUMP_EQUAL, 3, 4, TOO_BIG_6],
    [LOAD_HALF, 0, 0, ICMPV6_TYPE + 2],
    [KEEP_BITS, 0, 0, block],
    [JUMP_EQUAL, 0, 1, first],
    ACCEPT,
    DROP,
  ];
}

/** IPv4 and IPv6 UDP to one port, as it comes by the wire, before any firewall. */
function datagramsFilter(port: number): readonly Instruction[] {
  return [
    [LOAD_HALF, 0, 0, ETHER_TYPE],
    [JUMP_EQUAL, 8, 0, ETH_P_IPV6],
    [JUMP_EQUAL, 0, 12, ETH_P_IP],
    [LOAD_BYTE, 0, 0, IPV4_PROTOCOL],
    [JUMP_EQUAL, 0, 10, UDP],
    [LOAD_HALF, 0, 0, IPV4_FRAGMENT],
    [JUMP_ANY_BIT, 8, 0, OFFSET_BITS],
    [LOAD_HEADER_LENGTH, 0, 0, 14],
    [LOAD_HALF_AFTER_HEADER, 0, 0, 14 + 2],
    [JUMP_EQUAL, 4, 5, port],
    [LOAD_BYTE, 0, 0, NEXT_HEADER],
    [JUMP_EQUAL, 0, 3, UDP],
    [LOAD_HALF, 0, 0, ICMPV6_TYPE + 2],
    [JUMP_EQUAL, 0, 1, port],
    ACCEPT,
    DROP,
  ];
}

function filterOf(hears: Hearing, options: PacketSocketOptions): readonly Instruction[] {
  if (hears === 'answers') return answersFilter(options.echoIdentifier ?? 0);
  const { firstPort = 0, portCount = 64 } = options;
  if (hears === 'datagrams') return datagramsFilter(firstPort);
  return hears === 'segments' ? segmentsFilter(firstPort, portCount) : FILTERS[hears];
}

export function encodeFilter(instructions: readonly Instruction[]): Uint8Array {
  const bytes = new Uint8Array(instructions.length * 8);
  const fields = new DataView(bytes.buffer);
  for (const [index, [code, jumpTrue, jumpFalse, value]] of instructions.entries()) {
    fields.setUint16(index * 8, code, true);
    fields.setUint8(index * 8 + 2, jumpTrue);
    fields.setUint8(index * 8 + 3, jumpFalse);
    fields.setUint32(index * 8 + 4, value, true);
  }
  return bytes;
}
