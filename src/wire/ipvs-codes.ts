/**
 * The numbers of IPVS, as linux/ip_vs.h has them, shared by those who write to it (ipvs.ts) and those who read from it
 * (ipvs-answers.ts).
 */
import { ipFamily } from '../base/index.ts';
import type { ForwardingMethod, ServiceFlag, ServiceKey, ServiceProtocol } from '../model/index.ts';

/** The name to ask the family's number by. */
export const IPVS_FAMILY = 'IPVS';
export const IPVS_VERSION = 1;

export const COMMAND = {
  newService: 1,
  setService: 2,
  delService: 3,
  getService: 4,
  newDestination: 5,
  setDestination: 6,
  delDestination: 7,
  getDestination: 8,
  newDaemon: 9,
  delDaemon: 10,
  getDaemon: 11,
  setConfig: 12,
  getConfig: 13,
  setInfo: 14,
  getInfo: 15,
  zero: 16,
  flush: 17,
} as const;

export const TOP = {
  service: 1,
  destination: 2,
  daemon: 3,
  tcpTimeout: 4,
  tcpFinTimeout: 5,
  udpTimeout: 6,
} as const;
export const SERVICE = {
  family: 1,
  protocol: 2,
  address: 3,
  port: 4,
  mark: 5,
  scheduler: 6,
  flags: 7,
  timeout: 8,
  netmask: 9,
  stats: 10,
  persistenceEngine: 11,
  stats64: 12,
} as const;
export const DESTINATION = {
  address: 1,
  port: 2,
  method: 3,
  weight: 4,
  upperThreshold: 5,
  lowerThreshold: 6,
  activeConnections: 7,
  inactiveConnections: 8,
  persistentConnections: 9,
  stats: 10,
  family: 11,
  stats64: 12,
  tunnelType: 13,
  tunnelPort: 14,
  tunnelFlags: 15,
} as const;
export const DAEMON = {
  state: 1,
  interface: 2,
  syncId: 3,
  maxLength: 4,
  group: 5,
  group6: 6,
  port: 7,
  ttl: 8,
} as const;
export const INFO = { version: 1, connectionTableSize: 2 } as const;

export const AF_INET = 2;
export const AF_INET6 = 10;
export const PROTOCOL: Record<ServiceProtocol, number> = { tcp: 6, udp: 17, sctp: 132 };
export const METHOD: Record<ForwardingMethod, number> = { nat: 0, tunnel: 2, direct: 3 };
export const METHOD_MASK = 0x7;
export const FLAG_PERSISTENT = 0x1;
export const FLAG: Record<ServiceFlag, number> = {
  'one-packet': 0x4,
  'flag-1': 0x8,
  'flag-2': 0x10,
  'flag-3': 0x20,
};
export const TUNNEL_TYPE = { gue: 1, gre: 2 } as const;
export const TUNNEL_CHECKSUM = { none: 0, full: 1, remote: 2 } as const;
export const DAEMON_STATE = { master: 1, backup: 2 } as const;

/** AF_INET or AF_INET6. */
export function familyOf(key: ServiceKey): number {
  const family = key.kind === 'mark' ? key.family : ipFamily(key.address);
  return family === 4 ? AF_INET : AF_INET6;
}
