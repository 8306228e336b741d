/**
 * What IPVS says: its services, real servers, daemons, timeouts and version, from dumps and answers.
 *
 * Rows are those of the model; what only the kernel knows (counters, connections) stands beside them. Older kernels
 * leave newer attributes out, so everything that came after Linux 2.6.28 has a substitute.
 *
 * Source: linux/ip_vs.h, net/netfilter/ipvs/ip_vs_ctl.c.
 */
import { err, type IpAddress, ipFromBytes, type Result } from '../base/index.ts';
import type {
  DestinationRow,
  ForwardingMethod,
  ServiceFlag,
  ServiceKey,
  ServiceProtocol,
  ServiceRow,
  TunnelKind,
} from '../model/index.ts';
import { decodeGeneric } from './genl.ts';
import type { IpvsDaemon, IpvsTimeouts } from './ipvs.ts';
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
  INFO,
  METHOD,
  METHOD_MASK,
  PROTOCOL,
  SERVICE,
  TOP,
  TUNNEL_TYPE,
} from './ipvs-codes.ts';
import type { AttributeReader, NetlinkFault } from './netlink.ts';
import { Reader } from './octets.ts';

/** Traffic since the row was made or zeroed, and the rates per second the kernel estimates every 2 s. */
export type IpvsCounters = {
  readonly connections: number;
  readonly inPackets: number;
  readonly outPackets: number;
  readonly inBytes: number;
  readonly outBytes: number;
  readonly connectionRate: number;
  readonly inPacketRate: number;
  readonly outPacketRate: number;
  readonly inByteRate: number;
  readonly outByteRate: number;
};

export type IpvsService = {
  readonly service: ServiceRow;
  /** The helper that reads a session out of the payload: `sip`. */
  readonly persistenceEngine?: string;
  readonly counters: IpvsCounters;
};

export type IpvsDestination = {
  readonly destination: DestinationRow;
  readonly activeConnections: number;
  readonly inactiveConnections: number;
  readonly persistentConnections: number;
  readonly counters: IpvsCounters;
};

/** One message of a service dump (or a write of ours). */
export function decodeIpvsService(bytes: Uint8Array): Result<IpvsService, NetlinkFault> {
  const top = decodeGeneric(bytes);
  if (!top.ok) return top;
  const { command } = top.value;
  if (command !== COMMAND.newService && command !== COMMAND.setService) return err('wrong-type');
  const attributes = top.value.attributes.nested(TOP.service);
  if (attributes === undefined) return err(top.value.attributes.fault ?? 'missing-attribute');
  const key = decodeKey(attributes);
  if (key === undefined) return err(attributes.fault ?? 'missing-attribute');
  const bits = decodeFlags(attributes);
  const seconds = attributes.need(attributes.u32(SERVICE.timeout), 0);
  const persistenceEngine = attributes.text(SERVICE.persistenceEngine);
  return attributes.result({
    service: {
      key,
      scheduler: attributes.need(attributes.text(SERVICE.scheduler), ''),
      flags: FLAGS.filter((flag) => (bits & FLAG[flag]) !== 0),
      persistentSeconds: (bits & FLAG_PERSISTENT) === 0 ? 0 : seconds,
      persistencePrefixLength: decodeNetmask(attributes, familyOf(key)),
    },
    ...(persistenceEngine !== undefined && { persistenceEngine }),
    counters: decodeCounters(attributes),
  });
}

const FLAGS = Object.keys(FLAG) as readonly ServiceFlag[];
const PROTOCOLS = Object.keys(PROTOCOL) as readonly ServiceProtocol[];

function decodeKey(attributes: AttributeReader): ServiceKey | undefined {
  const family = decodeFamilyCode(attributes.need(attributes.u16(SERVICE.family), AF_INET));
  if (family === undefined) return attributes.reject('bad-attribute-value');
  const mark = attributes.u32(SERVICE.mark);
  if (mark !== undefined) return { kind: 'mark', family, mark };
  const number = attributes.u16(SERVICE.protocol);
  const address = decodePaddedAddress(attributes, SERVICE.address, family);
  const port = attributes.be16(SERVICE.port);
  if (number === undefined || address === undefined || port === undefined) return undefined;
  const protocol = PROTOCOLS.find((candidate) => PROTOCOL[candidate] === number);
  if (protocol === undefined) return attributes.reject('bad-attribute-value');
  return { kind: 'address', protocol, address, port };
}

function decodeFlags(attributes: AttributeReader): number {
  const value = attributes.need(attributes.bytes(SERVICE.flags), new Uint8Array(8));
  const reader = new Reader(value, 'little');
  const bits = reader.u32();
  if (reader.isShort) attributes.reject('bad-attribute-value');
  return bits;
}

/** A mask with holes, which only a foreign service can have, counts up to its first hole. */
function decodeNetmask(attributes: AttributeReader, family: number): number {
  if (family === AF_INET6) return attributes.need(attributes.u32(SERVICE.netmask), 128);
  return Math.clz32(~attributes.need(attributes.be32(SERVICE.netmask), 0xffffffff));
}

/** One message of a destination dump (or a write of ours). `service` is the one that was asked about. */
export function decodeIpvsDestination(
  bytes: Uint8Array,
  service: ServiceKey,
): Result<IpvsDestination, NetlinkFault> {
  const top = decodeGeneric(bytes);
  if (!top.ok) return top;
  const { command } = top.value;
  if (command !== COMMAND.newDestination && command !== COMMAND.setDestination) {
    return err('wrong-type');
  }
  const attributes = top.value.attributes.nested(TOP.destination);
  if (attributes === undefined) return err(top.value.attributes.fault ?? 'missing-attribute');
  // Kernels before 3.18 do not tell the family: it is the service's.
  const family = decodeFamilyCode(attributes.u16(DESTINATION.family) ?? familyOf(service));
  if (family === undefined) return err(attributes.fault ?? 'bad-attribute-value');
  const address = decodePaddedAddress(attributes, DESTINATION.address, family);
  if (address === undefined) return err(attributes.fault ?? 'missing-attribute');
  const way = attributes.need(attributes.u32(DESTINATION.method), 0) & METHOD_MASK;
  const method = METHODS.find((candidate) => METHOD[candidate] === way);
  if (method === undefined) return err('bad-attribute-value');
  const tunnel = method === 'tunnel' ? decodeTunnel(attributes) : undefined;
  return attributes.result({
    destination: {
      address,
      port: attributes.need(attributes.be16(DESTINATION.port), 0),
      method,
      ...(tunnel !== undefined && { tunnel }),
      weight: attributes.need(attributes.u32(DESTINATION.weight), 0),
      upperThreshold: attributes.u32(DESTINATION.upperThreshold) ?? 0,
      lowerThreshold: attributes.u32(DESTINATION.lowerThreshold) ?? 0,
    },
    activeConnections: attributes.u32(DESTINATION.activeConnections) ?? 0,
    inactiveConnections: attributes.u32(DESTINATION.inactiveConnections) ?? 0,
    persistentConnections: attributes.u32(DESTINATION.persistentConnections) ?? 0,
    counters: decodeCounters(attributes),
  });
}

const METHODS = Object.keys(METHOD) as readonly ForwardingMethod[];

function decodeTunnel(attributes: AttributeReader): TunnelKind | undefined {
  const type = attributes.u8(DESTINATION.tunnelType) ?? 0;
  const flags = attributes.u16(DESTINATION.tunnelFlags) ?? 0;
  const port = attributes.be16(DESTINATION.tunnelPort) ?? 0;
  if (type === TUNNEL_TYPE.gre)
    return { kind: 'gre', checksum: (flags & 1) === 0 ? 'none' : 'full' };
  if (type !== TUNNEL_TYPE.gue) return undefined;
  const checksum = (flags & 1) !== 0 ? 'full' : (flags & 2) !== 0 ? 'remote' : 'none';
  return { kind: 'gue', port, checksum };
}

function decodePaddedAddress(
  attributes: AttributeReader,
  type: number,
  family: 4 | 6,
): IpAddress | undefined {
  const value = attributes.bytes(type);
  if (value === undefined) return undefined;
  const length = family === 4 ? 4 : 16;
  if (value.length < length) return attributes.reject('bad-attribute-value');
  return ipFromBytes(value.subarray(0, length));
}

function decodeFamilyCode(code: number): 4 | 6 | undefined {
  if (code === AF_INET) return 4;
  return code === AF_INET6 ? 6 : undefined;
}

/** STATS64 (Linux 4.1), else STATS, in which only the bytes have 64 bits; the same in services and destinations. */
function decodeCounters(parent: AttributeReader): IpvsCounters {
  const wide = parent.nested(SERVICE.stats64);
  const narrow = wide ?? parent.nested(SERVICE.stats);
  const [
    connections = 0,
    inPackets = 0,
    outPackets = 0,
    inBytes = 0,
    outBytes = 0,
    connectionRate = 0,
    inPacketRate = 0,
    outPacketRate = 0,
    inByteRate = 0,
    outByteRate = 0,
  ] = Array.from({ length: 10 }, (_, index) => Number(narrow?.unsigned(index + 1) ?? 0));
  return {
    ...{ connections, inPackets, outPackets, inBytes, outBytes },
    ...{ connectionRate, inPacketRate, outPacketRate, inByteRate, outByteRate },
  };
}

/** One message of a daemon dump (or a start of ours). */
export function decodeIpvsDaemon(bytes: Uint8Array): Result<IpvsDaemon, NetlinkFault> {
  const top = decodeGeneric(bytes);
  if (!top.ok) return top;
  if (top.value.command !== COMMAND.newDaemon) return err('wrong-type');
  const attributes = top.value.attributes.nested(TOP.daemon);
  if (attributes === undefined) return err(top.value.attributes.fault ?? 'missing-attribute');
  const number = attributes.need(attributes.u32(DAEMON.state), DAEMON_STATE.master);
  if (number !== DAEMON_STATE.master && number !== DAEMON_STATE.backup) {
    return err('bad-attribute-value');
  }
  const group = attributes.bytes(DAEMON.group) ?? attributes.bytes(DAEMON.group6);
  const groupIp = group === undefined ? undefined : ipFromBytes(group);
  const maxLength = attributes.u16(DAEMON.maxLength);
  const port = attributes.u16(DAEMON.port);
  const ttl = attributes.u8(DAEMON.ttl);
  return attributes.result({
    state: number === DAEMON_STATE.master ? 'master' : 'backup',
    interface: attributes.need(attributes.text(DAEMON.interface), ''),
    syncId: attributes.need(attributes.u32(DAEMON.syncId), 0),
    ...(maxLength !== undefined && { maxLength }),
    ...(groupIp !== undefined && { group: groupIp }),
    ...(port !== undefined && { port }),
    ...(ttl !== undefined && { ttl }),
  });
}

/** The answer to encodeIpvsTimeoutsGet. */
export function decodeIpvsTimeouts(bytes: Uint8Array): Result<IpvsTimeouts, NetlinkFault> {
  const top = decodeGeneric(bytes);
  if (!top.ok) return top;
  if (top.value.command !== COMMAND.setConfig) return err('wrong-type');
  const { attributes } = top.value;
  // A kernel without TCP or UDP support in IPVS leaves theirs out.
  return attributes.result({
    tcpSeconds: attributes.u32(TOP.tcpTimeout) ?? 0,
    tcpFinSeconds: attributes.u32(TOP.tcpFinTimeout) ?? 0,
    udpSeconds: attributes.u32(TOP.udpTimeout) ?? 0,
  });
}

export type IpvsInfo = {
  /** `1.2.1` */
  readonly version: string;
  /** Buckets. */
  readonly connectionTableSize: number;
};

/** The answer to encodeIpvsInfoGet. */
export function decodeIpvsInfo(bytes: Uint8Array): Result<IpvsInfo, NetlinkFault> {
  const top = decodeGeneric(bytes);
  if (!top.ok) return top;
  if (top.value.command !== COMMAND.setInfo) return err('wrong-type');
  const { attributes } = top.value;
  const version = attributes.need(attributes.u32(INFO.version), 0);
  return attributes.result({
    version: `${version >> 16}.${(version >> 8) & 0xff}.${version & 0xff}`,
    connectionTableSize: attributes.need(attributes.u32(INFO.connectionTableSize), 0),
  });
}
