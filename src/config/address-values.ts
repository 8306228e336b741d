/**
 * The types of values that are addresses: hosts, floating addresses with their devices, netmasks.
 *
 * Forms that only inet_aton takes (`10.1`) are read as Piranha reads them and warned about; IPv6 is ours.
 */
import { type IpAddress, ipBytes, ipFamily, ipFromBytes, parseIpAddress } from '../base/index.ts';
import type { Word } from './document.ts';
import { parseAton } from './numbers.ts';
import { oneWord, type ValueReader, type ValueType } from './values.ts';

/** An address or a host name. */
export const HOST: ValueType<IpAddress> = hostType({ refusesZero: false });
/** The same, where 0.0.0.0 cannot be meant. */
export const OWN_HOST: ValueType<IpAddress> = hostType({ refusesZero: true });

function hostType({ refusesZero }: { readonly refusesZero: boolean }): ValueType<IpAddress> {
  return oneWord({
    description: refusesZero ? 'address or host name, not 0.0.0.0' : 'address or host name',
    strict: { kind: 'host', refusesZero },
    read(word, reader) {
      const address = readHost(word, reader);
      if (address === undefined || !refusesZero || !isUnspecified(address)) return address;
      return reader.fail(
        word,
        'not-an-address',
        `\`${reader.key}\` wants this node's address; ${address} is none`,
      );
    },
  });
}

/** 0.0.0.0 or `::`. */
export function isUnspecified(address: IpAddress): boolean {
  return address === '0.0.0.0' || address === '::';
}

function readHost(word: Word, reader: ValueReader): IpAddress | undefined {
  const parsed = parseIpAddress(word.text);
  if (parsed.ok) return parsed.value;
  const loose = parseAton(word.text);
  const address = loose === undefined ? undefined : ipFromBytes(loose);
  if (address !== undefined) {
    reader.warn(word, 'unusual-address', `\`${word.text}\` means ${address}`, address);
    return address;
  }
  if (!isHostName(word.text)) {
    return reader.fail(
      word,
      'not-an-address',
      `\`${reader.key}\` wants an address or a host name; found \`${word.text}\``,
    );
  }
  const resolved = reader.lookups.resolve?.(word.text);
  if (resolved !== undefined) return resolved;
  return reader.fail(
    word,
    'unknown-host',
    `\`${reader.key}\`: the host name \`${word.text}\` is not known here; only the hosts file is asked, never DNS`,
  );
}

/** RFC 1123 §2.1, underscores allowed; the last label is not all digits (that is a mistyped address). */
function isHostName(name: string): boolean {
  return (
    name.length <= 253 &&
    /^[a-zA-Z0-9_]([a-zA-Z0-9_-]*[a-zA-Z0-9_])?(\.[a-zA-Z0-9_]([a-zA-Z0-9_-]*[a-zA-Z0-9_])?)*\.?$/.test(
      name,
    ) &&
    !/(^|\.)\d+\.?$/.test(name)
  );
}

/** An address without names, as `sorry_server` has it. */
export const LITERAL: ValueType<IpAddress> = oneWord({
  description: 'address (no host name)',
  strict: { kind: 'literal' },
  read(word, reader) {
    const parsed = parseIpAddress(word.text);
    if (parsed.ok) return parsed.value;
    const loose = parseAton(word.text);
    const address = loose === undefined ? undefined : ipFromBytes(loose);
    if (address === undefined) {
      return reader.fail(
        word,
        'not-an-address',
        `\`${reader.key}\` wants an address, without port and not a name; found \`${word.text}\``,
      );
    }
    reader.warn(word, 'unusual-address', `\`${word.text}\` means ${address}`, address);
    return address;
  },
});

export type HostList = readonly IpAddress[];

/** Up to 16 addresses or host names, separated by blanks. */
export const HOST_LIST: ValueType<HostList> = {
  description: 'up to 16 addresses or host names',
  words: 'any',
  strict: { kind: 'ours' },
  read(words, reader) {
    const sixteenth = words[16];
    if (sixteenth !== undefined) {
      return reader.fail(sixteenth, 'too-long', `\`${reader.key}\` takes at most 16 hosts`);
    }
    const addresses = words.map((word) => readHost(word, reader));
    return addresses.every((address) => address !== undefined) ? addresses : undefined;
  },
};

/** `dirs`: the original wants brackets as words of their own. */
export const BRACKETED_LIST: ValueType<readonly string[]> = {
  description: 'list: `[ a b ]`',
  words: 'any',
  strict: { kind: 'list' },
  read(words, reader) {
    const [first] = words;
    const end = words.findIndex((word) => word.text === ']');
    if (first?.text === '[' && end > 0) return words.slice(1, end).map((word) => word.text);
    if (first === undefined) return undefined;
    return reader.fail(
      first,
      'not-a-list',
      `\`${reader.key}\` wants a list with blanks around its brackets: [ one two ]`,
    );
  },
};

/** A floating address and where it is raised, the netmask still to come. */
export type FloatingAddress = {
  readonly address: IpAddress;
  readonly device: string;
  readonly label?: string;
};

export const HOST_DEVICE: ValueType<FloatingAddress> = {
  description: 'address or host name, then device or device:alias',
  words: 2,
  strict: { kind: 'host-device' },
  read([host, name], reader) {
    if (host === undefined || name === undefined) return undefined;
    const address = readHost(host, reader);
    const device = readDevice(name, reader);
    return address === undefined || device === undefined ? undefined : { address, ...device };
  },
};

/** A network interface by name. */
export const DEVICE: ValueType<string> = oneWord({
  description: 'device name, at most 15 characters',
  strict: { kind: 'text' },
  read(word, reader) {
    return readDevice(word, reader)?.device;
  },
});

/** IFNAMSIZ less its final NUL (linux/if.h): the limit for a device and for an address label. */
const MAX_LABEL = 15;

function readDevice(
  word: Word,
  reader: ValueReader,
): { readonly device: string; readonly label?: string } | undefined {
  const name = word.text;
  const colon = name.indexOf(':');
  const device = colon < 0 ? name : name.slice(0, colon);
  if (device === '') {
    return reader.fail(word, 'bad-device', `\`${reader.key}\` names no device; found \`${name}\``);
  }
  if (/[\s/]/.test(name) || device === '.' || device === '..') {
    return reader.fail(word, 'bad-device', `\`${name}\` cannot be the name of a device`);
  }
  if (name.length > MAX_LABEL) {
    return reader.fail(
      word,
      'bad-device',
      `\`${name}\` is ${name.length} characters long; the kernel takes ${MAX_LABEL}`,
    );
  }
  return colon < 0 ? { device } : { device, label: name };
}

/** A netmask as written: dotted, an IPv6 mask, or a prefix length for IPv6; which fits is seen with the address. */
export type Netmask = { readonly word: Word; readonly line: number };

export const NETMASK: ValueType<Netmask> = oneWord({
  description: 'IPv4 netmask; for an IPv6 address its prefix length',
  strict: { kind: 'netmask' },
  read(word, reader) {
    return { word, line: reader.line };
  },
});

/** The persistence mask: 0.8.6 ignores a bad one without a word. */
export const PERSISTENCE_MASK: ValueType<Netmask> = {
  ...NETMASK,
  strict: { kind: 'persistence-mask' },
};

/** Bits of a netmask for a family: 0-32, 0-128; undefined when it is none. */
export function netmaskLength(text: string, family: 4 | 6): number | undefined {
  if (family === 6 && /^\d{1,3}$/.test(text)) return Number(text) <= 128 ? Number(text) : undefined;
  const parsed = parseIpAddress(text);
  const bytes =
    family === 4
      ? parseAton(text)
      : parsed.ok && ipFamily(parsed.value) === 6
        ? ipBytes(parsed.value)
        : undefined;
  return bytes === undefined ? undefined : contiguousBits(bytes);
}

/** Bits of the clients that a `pmask` takes for one; undefined: it is none (0, or the whole address) or no netmask. */
export function persistenceLength({ word }: Netmask, family: 4 | 6): number | undefined {
  const bits = netmaskLength(word.text, family);
  return bits === 0 || bits === (family === 4 ? 32 : 128) ? undefined : bits;
}

function contiguousBits(bytes: Uint8Array): number | undefined {
  let bits = 0;
  while (bits < bytes.length * 8 && bitAt(bytes, bits) === 1) bits++;
  for (let rest = bits; rest < bytes.length * 8; rest++) {
    if (bitAt(bytes, rest) === 1) return undefined;
  }
  return bits;
}

function bitAt(bytes: Uint8Array, index: number): number {
  return ((bytes[index >> 3] ?? 0) >> (7 - (index & 7))) & 1;
}
