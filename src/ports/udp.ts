/**
 * UDP sockets of the heartbeat paths.
 *
 * Bound to our own address and port exactly, without SO_REUSEADDR: two directors on one machine
 * must collide at start (EADDRINUSE), not share the partner's datagrams. Heartbeats leave first:
 * IP_TOS 0xc0 (network control, DSCP CS6) for the network and SO_PRIORITY 6 for our own queues.
 * Rejected: node:dgram (needs the event loop, which the pulse worker never returns to; no SO_MARK,
 * no SO_PRIORITY).
 * Source: udp(7), ip(7), ipv6(7), socket(7), RFC 2474 §4.2.2.
 */
import { err, type IpAddress, ipFamily, ok, type Result, utf8 } from '../base/index.ts';
import type { PortError } from '../model/index.ts';
import { ReceiveArena } from './arena.ts';
import { portError } from './errno.ts';
import {
  AF_INET,
  AF_INET6,
  IP_TOS,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPV6_TCLASS,
  IPV6_V6ONLY,
  SO_BINDTODEVICE,
  SO_MARK,
  SO_PRIORITY,
  SOCK_DGRAM,
  SOL_SOCKET,
} from './linux.ts';
import { type Native, native } from './native.ts';
import { internetAddress, readInternetAddress } from './socket-address.ts';
import type { Datagram, HeartbeatSocket } from './types.ts';

const NETWORK_CONTROL_TOS = 0xc0;
const CONTROL_PRIORITY = 6;
/** A heartbeat is far shorter; of a longer datagram the beginning is kept. */
const MAX_DATAGRAM = 2048;
const SLOTS = 64;

export type HeartbeatSocketOptions = {
  /** Our own address on this path; it must be on an interface. */
  readonly address: IpAddress;
  /** 0-65535; 0 lets the kernel choose. */
  readonly port: number;
  /** SO_BINDTODEVICE; also the zone of a link-local IPv6 address. */
  readonly device?: string;
  /** SO_MARK, for policy routing and firewalls; needs CAP_NET_ADMIN. */
  readonly mark?: number;
};

/**
 * Opens and binds; the error names the call that was refused and, as its target, the address and
 * port.
 */
export function openHeartbeatSocket(
  options: HeartbeatSocketOptions,
): Result<HeartbeatSocket & { readonly port: number }, PortError> {
  const { address, port, device, mark } = options;
  const kernel = native();
  const isIpv4 = ipFamily(address) === 4;
  const target = isIpv4 ? `${address}:${port}` : `[${address}]:${port}`;
  const scope = device === undefined ? 0 : kernel.interfaceIndex(device);
  if (scope < 0) return err(portError('interface', device ?? '', scope));
  const fd = kernel.socket(isIpv4 ? AF_INET : AF_INET6, SOCK_DGRAM, 0);
  if (fd < 0) return err(portError('socket', target, fd));

  const set = (level: number, name: number, value: number | Uint8Array) => () =>
    kernel.setsockopt(fd, level, name, value);
  const steps: readonly (readonly [string, () => number])[] = [
    // The type of service before the priority: setting it sets the priority, too.
    ...(isIpv4
      ? ([['IP_TOS', set(IPPROTO_IP, IP_TOS, NETWORK_CONTROL_TOS)]] as const)
      : ([
          ['IPV6_V6ONLY', set(IPPROTO_IPV6, IPV6_V6ONLY, 1)],
          ['IPV6_TCLASS', set(IPPROTO_IPV6, IPV6_TCLASS, NETWORK_CONTROL_TOS)],
        ] as const)),
    ['SO_PRIORITY', set(SOL_SOCKET, SO_PRIORITY, CONTROL_PRIORITY)],
    ...(device === undefined
      ? []
      : ([['SO_BINDTODEVICE', set(SOL_SOCKET, SO_BINDTODEVICE, utf8(device))]] as const)),
    ...(mark === undefined ? [] : ([['SO_MARK', set(SOL_SOCKET, SO_MARK, mark | 0)]] as const)),
    ['bind', () => kernel.bind(fd, internetAddress(address, port, scope))],
  ];
  for (const [operation, step] of steps) {
    const result = step();
    if (result < 0) {
      kernel.close(fd);
      return err(portError(operation, target, result));
    }
  }
  return ok(new UdpSocket(kernel, fd, scope));
}

class UdpSocket implements HeartbeatSocket {
  readonly fd: number;
  /** The port it is bound to. */
  readonly port: number;
  readonly #native: Native;
  readonly #scope: number;
  readonly #arena = new ReceiveArena(SLOTS, MAX_DATAGRAM);

  constructor(kernel: Native, fd: number, scope: number) {
    this.#native = kernel;
    this.fd = fd;
    this.#scope = scope;
    const own = new Uint8Array(kernel.addressStride);
    kernel.getsockname(fd, own);
    this.port = readInternetAddress(own)?.port ?? 0;
  }

  receive(max = SLOTS): readonly Datagram[] {
    // An error here is one left by an earlier send; reading has cleared it, so what waits comes the
    // second time.
    let count = this.#arena.receive(this.fd, max);
    if (count < 0) count = this.#arena.receive(this.fd, max);
    const datagrams: Datagram[] = [];
    for (let index = 0; index < count; index++) {
      const from = readInternetAddress(this.#arena.source(index));
      if (from === undefined) continue;
      datagrams.push({ from: from.address, port: from.port, bytes: this.#arena.message(index) });
    }
    return datagrams;
  }

  send(to: IpAddress, port: number, bytes: Uint8Array): PortError | undefined {
    const result = this.#native.send(this.fd, bytes, internetAddress(to, port, this.#scope));
    return result < 0 ? portError('send', `${to} port ${port}`, result) : undefined;
  }

  close(): void {
    this.#native.close(this.fd);
  }
}
