/**
 * Socket addresses in the kernel's layout: sockaddr_in, sockaddr_in6, sockaddr_nl, sockaddr_ll,
 * sockaddr_un. Families and indexes are in the machine's order (little-endian machines only, as in
 * wire/netlink), ports in network order. Source: linux/in.h, linux/in6.h, linux/netlink.h,
 * linux/if_packet.h, unix(7).
 */
import { type IpAddress, ipBytes, ipFamily, ipFromBytes, utf8 } from '../base/index.ts';
import { AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_UNIX } from './linux.ts';

/** `scope` is the interface index that a link-local IPv6 address needs. */
export function internetAddress(address: IpAddress, port: number, scope = 0): Uint8Array {
  const isIpv4 = ipFamily(address) === 4;
  const bytes = new Uint8Array(isIpv4 ? 16 : 28);
  const fields = new DataView(bytes.buffer);
  fields.setUint16(0, isIpv4 ? AF_INET : AF_INET6, true);
  fields.setUint16(2, port);
  bytes.set(ipBytes(address), isIpv4 ? 4 : 8);
  if (!isIpv4) fields.setUint32(24, scope, true);
  return bytes;
}

/** Address and port of a source that the kernel wrote; undefined when it is of another family. */
export function readInternetAddress(
  bytes: Uint8Array,
): { readonly address: IpAddress; readonly port: number } | undefined {
  const fields = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const family = fields.getUint16(0, true);
  if (family !== AF_INET && family !== AF_INET6) return undefined;
  const address = ipFromBytes(family === AF_INET ? bytes.subarray(4, 8) : bytes.subarray(8, 24));
  return address === undefined ? undefined : { address, port: fields.getUint16(2) };
}

/** The kernel's own netlink address; bound to it, the kernel chooses our port id. */
export function netlinkAddress(portId = 0): Uint8Array {
  const bytes = new Uint8Array(12);
  const fields = new DataView(bytes.buffer);
  fields.setUint16(0, AF_NETLINK, true);
  fields.setUint32(4, portId, true);
  return bytes;
}

export function readNetlinkPortId(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(4, true);
}

/** All frames of one EtherType on one interface. */
export function packetAddress(interfaceIndex: number, etherType: number): Uint8Array {
  const bytes = new Uint8Array(20);
  const fields = new DataView(bytes.buffer);
  fields.setUint16(0, AF_PACKET, true);
  fields.setUint16(2, etherType);
  fields.setInt32(4, interfaceIndex, true);
  return bytes;
}

/** A path, or with a leading `@` a name in the abstract namespace; at most 107 bytes. */
export function unixAddress(path: string): Uint8Array {
  const name = utf8(path);
  const bytes = new Uint8Array(2 + name.length + (path.startsWith('@') ? 0 : 1));
  new DataView(bytes.buffer).setUint16(0, AF_UNIX, true);
  bytes.set(name, 2);
  if (path.startsWith('@')) bytes[2] = 0;
  return bytes;
}
