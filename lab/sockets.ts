/**
 * The observer's sockets, each opened inside another network namespace and read in one loop.
 *
 * A thread may enter a namespace, open a socket there and leave: the socket stays (setns(2)). So one process sees the
 * whole lab with one clock. Rejected: a process in each namespace (five of them, five clocks' worth of scheduling noise
 * on the machine that is being measured).
 */
import { closeSync, openSync } from 'node:fs';
import { type IpAddress, ipBytes, ipFamily } from '../src/base/index.ts';
import { native } from '../src/ports/index.ts';
import type { Family } from './topology.ts';

const AF_INET = 2;
const AF_INET6 = 10;
const AF_NETLINK = 16;
const AF_PACKET = 17;
const SOCK_DGRAM = 2;
const SOCK_RAW = 3;
const ETH_P_ALL = 0x0003;
const SOL_SOCKET = 1;
const SO_RCVBUFFORCE = 33;
const SO_RCVBUF = 8;
const IPPROTO_IP = 0;
const IPPROTO_IPV6 = 41;
const IP_FREEBIND = 15;
const IPV6_FREEBIND = 78;
const STRIDE = 2048;
const BATCH = 32;
const ADDRESS_STRIDE = 32;

/** Runs `make` with this thread in the namespace of `node`. */
export function within<T>(node: string, make: () => T): T {
  const home = openSync('/proc/thread-self/ns/net', 'r');
  const there = openSync(`/run/netns/${node}`, 'r');
  try {
    check(native().enterNetwork(there), `entering the namespace of ${node}`);
    return make();
  } finally {
    check(native().enterNetwork(home), 'returning to the own namespace');
    closeSync(there);
    closeSync(home);
  }
}

/** Every frame that enters or leaves the device and passes `filter` (classic BPF, eight bytes an instruction). */
export function openPacket(device: string, filter: Uint8Array): number {
  const fd = check(native().socket(AF_PACKET, SOCK_RAW, 0), `packet socket on ${device}`);
  check(native().attachFilter(fd, filter), 'packet filter');
  enlarge(fd);
  const address = new Uint8Array(20);
  const view = new DataView(address.buffer);
  view.setUint16(0, AF_PACKET, true);
  view.setUint16(2, ETH_P_ALL, false);
  view.setInt32(4, check(native().interfaceIndex(device), device), true);
  check(native().bind(fd, address), `packet socket on ${device}`);
  return fd;
}

/** A UDP socket of an unspecified port. */
export function openUdp(family: Family): number {
  return check(native().socket(family === 4 ? AF_INET : AF_INET6, SOCK_DGRAM, 0), 'udp socket');
}

/** The same, bound to an address whether or not the machine has it at the moment (IP_FREEBIND). */
export function openUdpAt(address: IpAddress, port: number): number {
  const family = ipFamily(address);
  const fd = openUdp(family);
  const [level, name] = family === 4 ? [IPPROTO_IP, IP_FREEBIND] : [IPPROTO_IPV6, IPV6_FREEBIND];
  check(native().setsockopt(fd, level, name, 1), 'IP_FREEBIND');
  check(native().bind(fd, inetAddress(address, port)), `udp ${address}:${port}`);
  enlarge(fd);
  return fd;
}

/** rtnetlink, with the multicast groups of the mask (RTMGRP_*). */
export function openRoute(groups: number): number {
  const fd = check(native().socket(AF_NETLINK, SOCK_RAW, 0), 'netlink socket');
  const address = new Uint8Array(12);
  const view = new DataView(address.buffer);
  view.setUint16(0, AF_NETLINK, true);
  view.setUint32(8, groups, true);
  enlarge(fd);
  check(native().bind(fd, address), 'netlink socket');
  return fd;
}

/** sockaddr_in or sockaddr_in6 (ip(7), ipv6(7)). */
export function inetAddress(address: IpAddress, port: number): Uint8Array {
  const isFour = ipFamily(address) === 4;
  const bytes = new Uint8Array(isFour ? 16 : 28);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, isFour ? AF_INET : AF_INET6, true);
  view.setUint16(2, port, false);
  bytes.set(ipBytes(address), isFour ? 4 : 8);
  return bytes;
}

/** Sends without waiting; what the kernel refuses is lost, as on any segment. */
export function send(fd: number, bytes: Uint8Array, to?: Uint8Array): void {
  native().send(fd, bytes, to);
}

/** One thing read: `from` is the raw socket address of its sender. Both are views that the next read overwrites. */
export type Arrival = { readonly bytes: Uint8Array; readonly from: Uint8Array };

const arena = new Uint8Array(STRIDE * BATCH * 4);
const lengths = new Int32Array(BATCH);
const addresses = new Uint8Array(BATCH * ADDRESS_STRIDE);

/** Everything that waits on `fd`, at most 32; netlink dumps come in parts of up to 8 kB. */
export function* receive(fd: number, stride = STRIDE): Generator<Arrival> {
  const count = native().recvmmsg(fd, arena, stride, lengths, addresses);
  for (let index = 0; index < count; index++) {
    const length = Math.min(Math.abs(lengths[index] ?? 0), stride);
    yield {
      bytes: arena.subarray(index * stride, index * stride + length),
      from: addresses.subarray(index * ADDRESS_STRIDE, (index + 1) * ADDRESS_STRIDE),
    };
  }
}

/** A kernel's refusal here means that the lab cannot observe: it ends. */
export function check(result: number, what: string): number {
  if (result < 0) throw new Error(`${what}: errno ${-result}`);
  return result;
}

function enlarge(fd: number): void {
  const size = 1 << 22;
  if (native().setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, size) < 0) {
    native().setsockopt(fd, SOL_SOCKET, SO_RCVBUF, size); // without privileges: as much as the machine allows
  }
}
