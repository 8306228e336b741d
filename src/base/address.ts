/**
 * Addresses as canonical text: `198.51.100.11`, `fd77::100` (RFC 5952), `02:00:00:00:00:11`.
 * A branded string compares with ===, is a map key, survives JSON and structured clone; the bytes are one call away.
 */
import { err, ok, type Result } from './result.ts';

declare const ipBrand: unique symbol;
declare const macBrand: unique symbol;
export type IpAddress = string & { readonly [ipBrand]: true };
export type MacAddress = string & { readonly [macBrand]: true };

/** Parses dotted IPv4 (exactly four decimal octets, no leading zeros) or IPv6 text (RFC 4291 §2.2, no zone). */
export function parseIpAddress(text: string): Result<IpAddress, 'not-an-ip-address'> {
  if (!text.includes(':')) {
    // What ipv4Bytes takes is canonical already.
    return ipv4Bytes(text) === undefined ? err('not-an-ip-address') : ok(text as IpAddress);
  }
  const bytes = ipv6Bytes(text);
  return bytes === undefined ? err('not-an-ip-address') : ok(formatIp(bytes));
}

/** The same for text known to be right (constants, kernel answers already decoded); throws otherwise. */
export function ip(text: string): IpAddress {
  const parsed = parseIpAddress(text);
  if (!parsed.ok) throw new TypeError(`not an IP address: ${text}`);
  return parsed.value;
}

export function ipFamily(address: IpAddress): 4 | 6 {
  return address.includes(':') ? 6 : 4;
}

/** 4 or 16 bytes in network order. */
export function ipBytes(address: IpAddress): Uint8Array {
  const bytes = address.includes(':') ? ipv6Bytes(address) : ipv4Bytes(address);
  if (bytes === undefined) throw new TypeError(`not an IP address: ${address}`);
  return bytes;
}

/** From 4 or 16 bytes in network order; undefined for any other length. */
export function ipFromBytes(bytes: Uint8Array): IpAddress | undefined {
  return bytes.length === 4 || bytes.length === 16 ? formatIp(bytes) : undefined;
}

export function parseMacAddress(text: string): Result<MacAddress, 'not-a-mac-address'> {
  return /^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$/.test(text)
    ? ok(text.toLowerCase() as MacAddress)
    : err('not-a-mac-address');
}

export function mac(text: string): MacAddress {
  const parsed = parseMacAddress(text);
  if (!parsed.ok) throw new TypeError(`not a link-layer address: ${text}`);
  return parsed.value;
}

export function macBytes(address: MacAddress): Uint8Array {
  return Uint8Array.from(address.split(':'), (octet) => Number.parseInt(octet, 16));
}

/** From 6 bytes; undefined for any other length. */
export function macFromBytes(bytes: Uint8Array): MacAddress | undefined {
  if (bytes.length !== 6) return undefined;
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':') as MacAddress;
}

function formatIp(bytes: Uint8Array): IpAddress {
  return (bytes.length === 4 ? bytes.join('.') : formatIpv6(bytes)) as IpAddress;
}

/** By hand rather than by split and Number: an lvs.cf of ten thousand services has fifty thousand of them. */
function ipv4Bytes(text: string): Uint8Array | undefined {
  if (text.length < 7 || text.length > 15) return undefined;
  const bytes = new Uint8Array(4);
  let index = 0;
  let digits = 0;
  let octet = 0;
  for (let at = 0; at <= text.length; at++) {
    const code = at === text.length ? DOT : text.charCodeAt(at);
    if (code === DOT) {
      if (digits === 0 || octet > 255 || index > 3) return undefined;
      bytes[index++] = octet;
      digits = 0;
      octet = 0;
    } else {
      const digit = code - ZERO;
      if (digit < 0 || digit > 9 || (digits > 0 && octet === 0)) return undefined;
      octet = octet * 10 + digit;
      digits++;
    }
  }
  return index === 4 ? bytes : undefined;
}

const DOT = 46;
const ZERO = 48;

function ipv6Bytes(text: string): Uint8Array | undefined {
  if (!/^[0-9a-fA-F:.]{2,45}$/.test(text)) return undefined;
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = groups(halves[0] ?? '');
  const tail = halves.length === 2 ? groups(halves[1] ?? '') : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const all = [...head, ...new Array<number>(Math.max(0, missing)).fill(0), ...tail];
  return Uint8Array.from(all.flatMap((group) => [group >> 8, group & 0xff]));
}

/** 16-bit groups of one side of `::`, an IPv4 tail counting as two; undefined when one is malformed. */
function groups(text: string): number[] | undefined {
  if (text === '') return [];
  const found: number[] = [];
  const parts = text.split(':');
  for (const [index, part] of parts.entries()) {
    if (part.includes('.')) {
      const tail = index === parts.length - 1 ? ipv4Bytes(part) : undefined;
      if (tail === undefined) return undefined;
      const [a = 0, b = 0, c = 0, d = 0] = tail;
      found.push((a << 8) | b, (c << 8) | d);
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(part)) return undefined;
      found.push(Number.parseInt(part, 16));
    }
  }
  return found.length <= 8 ? found : undefined;
}

/** RFC 5952 §4: lower case, the longest run of two or more zero groups (the first of equals) as `::`. */
function formatIpv6(bytes: Uint8Array): string {
  const words: number[] = [];
  for (let index = 0; index < 16; index += 2) {
    words.push(((bytes[index] ?? 0) << 8) | (bytes[index + 1] ?? 0));
  }
  let best = { start: -1, length: 1 };
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (start + length < 8 && words[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  const hex = words.map((word) => word.toString(16));
  if (best.start < 0) return hex.join(':');
  return `${hex.slice(0, best.start).join(':')}::${hex.slice(best.start + best.length).join(':')}`;
}
