/**
 * virtual_server_group: the places where a service is reached, ranges of addresses written out.
 * Source: keepalived.conf(5) "Virtual server group(s)".
 */
import { type IpAddress, ipBytes, ipFamily, ipFromBytes } from '../base/index.ts';
import type { Notes } from './keepalived-notes.ts';
import type { Entry } from './keepalived-syntax.ts';
import { addressOf, wholeOf } from './keepalived-vrrp.ts';

/** Where a service is reached: an address and port, or a mark, whose address is found later. */
export type Endpoint = {
  readonly address?: IpAddress;
  readonly port: number;
  readonly mark: number;
};

/** Addresses of a range in a group. */
const MAX_RANGE = 256;
const MAX_ENDPOINTS = 4096;

export type Groups = ReadonlyMap<string, readonly Endpoint[]>;

/** `virtual_server_group NAME { ... }`: all of them by name. */
export function readGroups(entries: readonly Entry[], notes: Notes): Groups {
  const groups = new Map<string, readonly Endpoint[]>();
  let room = MAX_ENDPOINTS;
  for (const { args, children } of entries) {
    const endpoints = (children ?? []).flatMap((entry) => {
      if (room <= 0) return [];
      const found = groupMember(entry, notes);
      room -= found.length;
      return found;
    });
    groups.set(args[0] ?? '', endpoints);
  }
  return groups;
}

function groupMember(entry: Entry, notes: Notes): readonly Endpoint[] {
  if (entry.key === 'fwmark') {
    return [{ port: 0, mark: wholeOf(entry, { min: 1, max: 4_294_967_295, byDefault: 1 }, notes) }];
  }
  const port = portOf(entry.args[0]);
  const addresses = rangeOf(entry.key);
  if (addresses !== undefined && port !== undefined) {
    return addresses.map((address) => ({ address, port, mark: 0 }));
  }
  const sentence = `neither an address, nor a range of up to ${MAX_RANGE} addresses, with a port`;
  notes.add('lost', entry, sentence);
  return [];
}

/** `192.0.2.1`, `192.0.2.1-10`, `192.0.2.250-192.0.3.10`, `192.0.2.8/29`, and the same of IPv6. */
function rangeOf(text: string): readonly IpAddress[] | undefined {
  const [from = '', to, ...more] = text.split('-');
  const [network = '', length, ...rest] = from.split('/');
  const first = addressOf(network);
  if (first === undefined || more.length > 0 || rest.length > 0) return undefined;
  if (to === undefined && length === undefined) return [first];
  const start = numberOfAddress(first);
  const end = length === undefined ? lastOf(first, start, to) : endOf(first, start, length, to);
  if (end === undefined || end < start || end - start >= BigInt(MAX_RANGE)) return undefined;
  const count = Number(end - start) + 1;
  const width = ipBytes(first).length;
  const all = Array.from({ length: count }, (_, index) =>
    ipFromBytes(bytesOf(start + BigInt(index), width)),
  );
  return all.every((address) => address !== undefined) ? all : undefined;
}

/** The far end of `A-B`, where B may be the last part of an address only: decimal, or hexadecimal of IPv6. */
function lastOf(first: IpAddress, start: bigint, to = ''): bigint | undefined {
  const last = addressOf(to);
  if (last !== undefined) {
    return ipFamily(last) === ipFamily(first) ? numberOfAddress(last) : undefined;
  }
  if (ipFamily(first) === 4) {
    return /^\d{1,3}$/.test(to) && Number(to) < 256
      ? start - (start % 256n) + BigInt(to)
      : undefined;
  }
  return /^[0-9a-f]{1,4}$/i.test(to) ? start - (start % 65_536n) + BigInt(`0x${to}`) : undefined;
}

function endOf(first: IpAddress, start: bigint, length: string, to?: string): bigint | undefined {
  const hostBits = ipBytes(first).length * 8 - Number(length);
  const isRange = /^\d{1,3}$/.test(length) && hostBits >= 0 && to === undefined;
  return isRange ? start + 2n ** BigInt(hostBits) - 1n : undefined;
}

function numberOfAddress(address: IpAddress): bigint {
  return ipBytes(address).reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
}

function bytesOf(number: bigint, width: number): Uint8Array {
  return Uint8Array.from({ length: width }, (_, index) =>
    Number((number >> BigInt(8 * (width - 1 - index))) % 256n),
  );
}

/** A port or nothing, which is 0. */
export function portOf(text: string | undefined): number | undefined {
  if (text === undefined) return 0;
  return /^\d{1,5}$/.test(text) && Number(text) <= 65_535 ? Number(text) : undefined;
}
