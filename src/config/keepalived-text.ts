/** The lines of lvs.cf that the importer writes: one directive a line, comments above the sections they were above. */
import { type IpAddress, ipBytes, ipFamily, ipFromBytes } from '../base/index.ts';
import { formatValue } from './edit.ts';
import type { Endpoint } from './keepalived-groups.ts';
import type { ImportedServer, ImportedService } from './keepalived-services.ts';
import type { Entry } from './keepalived-syntax.ts';
import type { ImportedVip } from './keepalived-vrrp.ts';

/** A marked service has no port of its own: that of its servers, when they agree. */
export function portOf({ servers }: ImportedService, { mark, port }: Endpoint): number {
  if (mark === 0) return port;
  const [first, ...others] = new Set(servers.map((server) => server.port));
  return others.length === 0 ? (first ?? 0) : 0;
}

export function serverLines(server: ImportedServer, name: string): string[] {
  const pairs = new Map([
    ['address', server.address],
    ['active', server.method === 'other' ? '0' : '1'],
    ['port', String(server.port)],
    ...server.directives,
  ]);
  const inner = lines(pairs, '        ');
  return [...commentLines(server.entry, '    '), `    server ${name} {`, ...inner, '    }'];
}

export function lines(pairs: ReadonlyMap<string, string>, indent: string): string[] {
  return [...pairs].map(([key, value]) => {
    const isPlace = key === 'address' || key === 'nat_router';
    return `${indent}${key} = ${isPlace ? value : (formatValue(value) ?? '')}`;
  });
}

const MAX_COMMENTS = 20;

export function commentLines({ comments }: Entry, indent: string): string[] {
  return comments
    .slice(-MAX_COMMENTS)
    .map((text) => `${indent}# ${text.replace(/\p{Cc}/gu, ' ')}`.trimEnd());
}

export function place({ address, device, label }: ImportedVip): string {
  return `${address} ${label ?? device}`;
}

export function maskOf(key: string, { address, prefixLength }: ImportedVip): [string, string][] {
  return [[key, maskFor(String(prefixLength), address)]];
}

/** lvs.cf writes a netmask for IPv4 and a prefix length for IPv6. */
export function maskFor(text: string, address: IpAddress): string {
  if (ipFamily(address) === 6 || !/^\d+$/.test(text)) return text;
  const bits = '1'.repeat(Math.min(32, Number(text))).padEnd(32, '0');
  const octets = [0, 8, 16, 24].map((at) => Number.parseInt(bits.slice(at, at + 8), 2));
  return ipFromBytes(Uint8Array.from(octets)) ?? text;
}

export function isInNetwork(server: IpAddress, { address, prefixLength }: ImportedVip): boolean {
  const bitsOf = (of: IpAddress) =>
    Array.from(ipBytes(of), (byte) => byte.toString(2).padStart(8, '0')).join('');
  const isAlike = ipFamily(server) === ipFamily(address);
  return (
    isAlike && bitsOf(server).slice(0, prefixLength) === bitsOf(address).slice(0, prefixLength)
  );
}
