/**
 * Echo requests to other machines (ping), for health checks: one raw socket per IP version, shared by all who ask.
 *
 * A raw socket hears every ICMP message of this machine; a filter in the kernel lets through only echo replies that
 * carry our identifier. Needs CAP_NET_RAW.
 * Rejected: ICMP datagram sockets (net.ipv4.ping_group_range excludes even root on stock kernels), a ping process per
 * probe.
 * Source: RFC 792, RFC 4443 §4, raw(7), icmp(7), linux/filter.h.
 */
import { concatBytes, err, type IpAddress, ip, ipFamily, ok, type Result } from '../base/index.ts';
import type { PortError } from '../model/index.ts';
import { internetChecksum } from '../wire/index.ts';
import { ReceiveArena } from './arena.ts';
import { portError } from './errno.ts';
import { AF_INET, AF_INET6, SOCK_RAW } from './linux.ts';
import { native } from './native.ts';
import { encodeFilter, type Instruction } from './packet.ts';
import { internetAddress, readInternetAddress } from './socket-address.ts';

export type EchoReply = { readonly from: IpAddress; readonly sequence: number };

export interface EchoSocket {
  readonly fd: number;
  /** Asks `to`; `sequence` is 0-65535. */
  send(to: IpAddress, sequence: number): PortError | undefined;
  /** Replies to our questions that wait. */
  receive(): readonly EchoReply[];
  close(): void;
}

const PROTOCOLS = {
  4: { domain: AF_INET, protocol: 1, request: 8, reply: 0 },
  6: { domain: AF_INET6, protocol: 58, request: 128, reply: 129 },
} as const;
const ANY = { 4: ip('0.0.0.0'), 6: ip('::') } as const;
/** Payload of a request: some routers drop empty ones. */
const DATA = new Uint8Array(32);
/** An IPv4 header with all its options, our echo. */
const MAX_PACKET = 60 + 8 + DATA.length;
const SLOTS = 64;

/** Opens a socket for `family`; `identifier` (0-65535) tells our questions from those of others. */
export function openEchoSocket(family: 4 | 6, identifier: number): Result<EchoSocket, PortError> {
  const kernel = native();
  const { domain, protocol, request, reply } = PROTOCOLS[family];
  const target = `ICMP over IPv${family}`;
  const fd = kernel.socket(domain, SOCK_RAW, protocol);
  if (fd < 0) return err(portError('socket', target, fd));
  const filtered = kernel.attachFilter(fd, filterOf(family, reply, identifier));
  if (filtered < 0) {
    kernel.close(fd);
    return err(portError('filter', target, filtered));
  }
  const arena = new ReceiveArena(SLOTS, MAX_PACKET);
  return ok({
    fd,
    send: (to, sequence) => {
      if (ipFamily(to) !== family) return portError('send', to, 'EAFNOSUPPORT');
      const result = kernel.send(
        fd,
        encodeRequest(request, identifier, sequence),
        internetAddress(to, 0),
      );
      return result < 0 ? portError('send', to, result) : undefined;
    },
    receive: () => {
      const replies: EchoReply[] = [];
      const count = arena.receive(fd);
      for (let index = 0; index < count; index++) {
        const from = readInternetAddress(arena.source(index))?.address ?? ANY[family];
        const packet = arena.message(index);
        // Over IPv4 the header comes along.
        const at = family === 4 ? ((packet[0] ?? 0) & 0x0f) * 4 : 0;
        if (packet.length < at + 8) continue;
        replies.push({ from, sequence: ((packet[at + 6] ?? 0) << 8) | (packet[at + 7] ?? 0) });
      }
      return replies;
    },
    close: () => {
      kernel.close(fd);
    },
  });
}

function encodeRequest(type: number, identifier: number, sequence: number): Uint8Array {
  const message = (checksum: number) =>
    concatBytes(
      Uint8Array.of(type, 0, checksum >> 8, checksum & 0xff),
      Uint8Array.of(identifier >> 8, identifier & 0xff, sequence >> 8, sequence & 0xff),
      DATA,
    );
  // The kernel replaces the checksum of ICMPv6, which covers addresses that only it knows.
  return message(internetChecksum(message(0)));
}

// linux/bpf_common.h
const LOAD_HEADER_LENGTH = 0xb1;
const LOAD_BYTE = 0x30;
const LOAD_HALF = 0x28;
const LOAD_BYTE_AFTER_HEADER = 0x50;
const LOAD_HALF_AFTER_HEADER = 0x48;
const JUMP_EQUAL = 0x15;
const RETURN = 0x06;

/** Echo replies with our identifier, and nothing else. */
function filterOf(family: 4 | 6, reply: number, identifier: number): Uint8Array {
  const [byte, half] =
    family === 4 ? [LOAD_BYTE_AFTER_HEADER, LOAD_HALF_AFTER_HEADER] : [LOAD_BYTE, LOAD_HALF];
  const header: readonly Instruction[] = family === 4 ? [[LOAD_HEADER_LENGTH, 0, 0, 0]] : [];
  return encodeFilter([
    ...header,
    [byte, 0, 0, 0],
    [JUMP_EQUAL, 0, 3, reply],
    [half, 0, 0, 4],
    [JUMP_EQUAL, 0, 1, identifier],
    [RETURN, 0, 0, MAX_PACKET],
    [RETURN, 0, 0, 0],
  ]);
}
