/**
 * IPVS over generic netlink: orders and questions to the kernel's virtual-service table, its synchronisation daemons
 * and its timeouts. What it answers is read in ipvs-answers.ts.
 *
 * Rows are those of the model. Numbers are in the machine's order, but ports and IPv4 masks in network order; addresses
 * are always 16 bytes with IPv4 in the first four. A write carries the whole row: the kernel refuses a service without
 * scheduler, flags, timeout and netmask.
 *
 * Source: linux/ip_vs.h, net/netfilter/ipvs/ip_vs_ctl.c.
 */
import { concatBytes, type IpAddress, ipBytes, ipFamily, unreachable } from '../base/index.ts';
import type {
  DestinationRow,
  ServiceKey,
  ServiceRow,
  TableOperation,
  TunnelKind,
} from '../model/index.ts';
import { encodeGeneric } from './genl.ts';
import {
  AF_INET,
  AF_INET6,
  COMMAND,
  DAEMON,
  DAEMON_STATE,
  DESTINATION,
  FLAG,
  FLAG_PERSISTENT,
  familyOf,
  IPVS_VERSION,
  METHOD,
  PROTOCOL,
  SERVICE,
  TOP,
  TUNNEL_CHECKSUM,
  TUNNEL_TYPE,
} from './ipvs-codes.ts';
import {
  attribute,
  nestedAttribute,
  textAttribute,
  u8Attribute,
  u16Attribute,
  u32Attribute,
} from './netlink.ts';
import { be16, be32, le32 } from './octets.ts';

/** Sends or receives the connections by multicast, so that a takeover keeps them. */
export type IpvsDaemon = {
  readonly state: 'master' | 'backup';
  /** The device, at most 15 characters. */
  readonly interface: string;
  /** 0-255; only those of one number hear each other. */
  readonly syncId: number;
  /** Bytes of a datagram; absent = by the device's MTU. This and the next three: Linux 4.3. */
  readonly maxLength?: number;
  /** 224.0.0.81 unless given. */
  readonly group?: IpAddress;
  /** 8848 unless given. */
  readonly port?: number;
  /** 1 unless given. */
  readonly ttl?: number;
};

/** Of idle connections, in seconds; in a write 0 leaves the kernel's value. */
export type IpvsTimeouts = {
  readonly tcpSeconds: number;
  readonly tcpFinSeconds: number;
  readonly udpSeconds: number;
};

/** One write to the table. EEXIST on a second add, ESRCH where there is no such service, ENOENT no such server. */
export function encodeIpvsOperation(family: number, operation: TableOperation): Uint8Array {
  switch (operation.kind) {
    case 'add-service':
      return encodeIpvsServiceWrite(family, 'add', operation.service);
    case 'edit-service':
      return encodeIpvsServiceWrite(family, 'edit', operation.service);
    case 'delete-service':
      return act(family, COMMAND.delService, serviceKey(operation.key));
    case 'add-destination':
      return destinationWrite(family, COMMAND.newDestination, operation);
    case 'edit-destination':
      return destinationWrite(family, COMMAND.setDestination, operation);
    case 'delete-destination':
      return destinationWrite(family, COMMAND.delDestination, operation);
    default:
      return unreachable(operation);
  }
}

/** A service with its persistence engine, which the model's rows do not know. */
export function encodeIpvsServiceWrite(
  family: number,
  verb: 'add' | 'edit',
  service: ServiceRow,
  persistenceEngine?: string,
): Uint8Array {
  const { key, scheduler, flags, persistentSeconds, persistencePrefixLength } = service;
  const bits = flags.reduce((sum, flag) => sum | FLAG[flag], 0);
  const persistent = persistentSeconds > 0 ? FLAG_PERSISTENT : 0;
  const isIpv6 = familyOf(key) === AF_INET6;
  const engine =
    persistenceEngine === undefined
      ? []
      : [textAttribute(SERVICE.persistenceEngine, persistenceEngine)];
  const parts = [
    textAttribute(SERVICE.scheduler, scheduler),
    ...engine,
    // Which flags, and which of them to set: all of them are told.
    attribute(SERVICE.flags, concatBytes(le32(bits | persistent), le32(0xffffffff))),
    u32Attribute(SERVICE.timeout, persistentSeconds),
    isIpv6
      ? u32Attribute(SERVICE.netmask, persistencePrefixLength)
      : attribute(SERVICE.netmask, be32(ipv4Mask(persistencePrefixLength))),
  ];
  const command = verb === 'add' ? COMMAND.newService : COMMAND.setService;
  return act(family, command, serviceKey(key, ...parts));
}

function destinationWrite(
  family: number,
  command: number,
  { key, destination }: { readonly key: ServiceKey; readonly destination: DestinationRow },
): Uint8Array {
  const { address, port, method, tunnel, weight, upperThreshold, lowerThreshold } = destination;
  const parts = [
    u16Attribute(DESTINATION.family, ipFamily(address) === 4 ? AF_INET : AF_INET6),
    attribute(DESTINATION.address, paddedAddress(address)),
    attribute(DESTINATION.port, be16(port)),
  ];
  if (command !== COMMAND.delDestination) {
    parts.push(
      u32Attribute(DESTINATION.method, METHOD[method]),
      u32Attribute(DESTINATION.weight, weight),
      ...tunnelAttributes(tunnel),
      u32Attribute(DESTINATION.upperThreshold, upperThreshold),
      u32Attribute(DESTINATION.lowerThreshold, lowerThreshold),
    );
  }
  return act(family, command, serviceKey(key), nestedAttribute(TOP.destination, ...parts));
}

function tunnelAttributes(tunnel: TunnelKind | undefined): readonly Uint8Array[] {
  // IP in IP is left out: kernels before 5.3 know no other and refuse nothing.
  if (tunnel === undefined) return [];
  return [
    u8Attribute(DESTINATION.tunnelType, TUNNEL_TYPE[tunnel.kind]),
    attribute(DESTINATION.tunnelPort, be16(tunnel.kind === 'gue' ? tunnel.port : 0)),
    u16Attribute(DESTINATION.tunnelFlags, TUNNEL_CHECKSUM[tunnel.checksum]),
  ];
}

/** Asks for all services. */
export function encodeIpvsServiceDump(family: number): Uint8Array {
  return encodeCommand(family, COMMAND.getService, 'dump');
}

/** Asks for the real servers of one service. */
export function encodeIpvsDestinationDump(family: number, key: ServiceKey): Uint8Array {
  return encodeCommand(family, COMMAND.getDestination, 'dump', serviceKey(key));
}

/** Empties the table of this network namespace, foreign services included. */
export function encodeIpvsFlush(family: number): Uint8Array {
  return act(family, COMMAND.flush);
}

/** Zeroes the counters of one service, or of everything. */
export function encodeIpvsZero(family: number, key?: ServiceKey): Uint8Array {
  return act(family, COMMAND.zero, ...(key === undefined ? [] : [serviceKey(key)]));
}

/**
 * Starts a daemon; a machine may run one of each state. EEXIST when one of its state runs, EINVAL while some service
 * has real servers of the other family (they cannot be synchronised).
 */
export function encodeIpvsDaemonStart(family: number, daemon: IpvsDaemon): Uint8Array {
  const { state, syncId, maxLength, group, port, ttl } = daemon;
  const parts = [
    u32Attribute(DAEMON.state, DAEMON_STATE[state]),
    textAttribute(DAEMON.interface, daemon.interface),
    u32Attribute(DAEMON.syncId, syncId),
  ];
  if (maxLength !== undefined) parts.push(u16Attribute(DAEMON.maxLength, maxLength));
  if (group !== undefined) {
    const type = ipFamily(group) === 4 ? DAEMON.group : DAEMON.group6;
    parts.push(attribute(type, ipBytes(group)));
  }
  if (port !== undefined) parts.push(u16Attribute(DAEMON.port, port));
  if (ttl !== undefined) parts.push(u8Attribute(DAEMON.ttl, ttl));
  return act(family, COMMAND.newDaemon, nestedAttribute(TOP.daemon, ...parts));
}

/** Stops the daemon of one state; ESRCH when none runs. */
export function encodeIpvsDaemonStop(family: number, state: IpvsDaemon['state']): Uint8Array {
  const which = u32Attribute(DAEMON.state, DAEMON_STATE[state]);
  return act(family, COMMAND.delDaemon, nestedAttribute(TOP.daemon, which));
}

/** Asks which daemons run. */
export function encodeIpvsDaemonDump(family: number): Uint8Array {
  return encodeCommand(family, COMMAND.getDaemon, 'dump');
}

export function encodeIpvsTimeouts(family: number, timeouts: IpvsTimeouts): Uint8Array {
  return act(
    family,
    COMMAND.setConfig,
    u32Attribute(TOP.tcpTimeout, timeouts.tcpSeconds),
    u32Attribute(TOP.tcpFinTimeout, timeouts.tcpFinSeconds),
    u32Attribute(TOP.udpTimeout, timeouts.udpSeconds),
  );
}

export function encodeIpvsTimeoutsGet(family: number): Uint8Array {
  return act(family, COMMAND.getConfig);
}

export function encodeIpvsInfoGet(family: number): Uint8Array {
  return act(family, COMMAND.getInfo);
}

function act(family: number, command: number, ...attributes: readonly Uint8Array[]): Uint8Array {
  return encodeCommand(family, command, 'act', ...attributes);
}

function encodeCommand(
  family: number,
  command: number,
  kind: 'dump' | 'act',
  ...attributes: readonly Uint8Array[]
): Uint8Array {
  return encodeGeneric({ family, command, version: IPVS_VERSION, kind, attributes });
}

/** IPVS_CMD_ATTR_SERVICE: the key, and what more there is to say. */
function serviceKey(key: ServiceKey, ...more: readonly Uint8Array[]): Uint8Array {
  const identity =
    key.kind === 'mark'
      ? [u32Attribute(SERVICE.mark, key.mark)]
      : [
          u16Attribute(SERVICE.protocol, PROTOCOL[key.protocol]),
          attribute(SERVICE.address, paddedAddress(key.address)),
          attribute(SERVICE.port, be16(key.port)),
        ];
  const family = u16Attribute(SERVICE.family, familyOf(key));
  return nestedAttribute(TOP.service, family, ...identity, ...more);
}

function paddedAddress(address: IpAddress): Uint8Array {
  const whole = new Uint8Array(16);
  whole.set(ipBytes(address));
  return whole;
}

function ipv4Mask(prefixLength: number): number {
  return prefixLength === 0 ? 0 : -1 << (32 - prefixLength);
}
