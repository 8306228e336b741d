/**
 * The types of values: how the words after `=` are read, and the sentence when they are wrong.
 *
 * A `ValueType` reads words into a value or reports why not; the directives are a table of keys and these types
 * (directives.ts). `strict` names how Piranha 0.8.6 reads the same words (strict.ts).
 */
import { type IpAddress, ipBytes, ipFamily, ipFromBytes, parseIpAddress } from '../base/index.ts';
import type { Word } from './document.ts';
import { hasLeadingZero, parseAton, parseCInteger } from './numbers.ts';
import type { Place, ProblemCode, ProblemList } from './problem.ts';
import { nearest } from './suggest.ts';

/** How 0.8.6 reads a value. `ours`: it does not know the directive. */
export type StrictKind =
  | { readonly kind: 'ours' | 'text' | 'integer' | 'boolean' | 'port' | 'list' }
  | { readonly kind: 'host'; readonly refusesZero: boolean }
  | { readonly kind: 'host-device' | 'netmask' | 'persistence-mask' | 'literal' }
  | { readonly kind: 'choice'; readonly choices: readonly string[] };

/** Outside knowledge, given by the caller because this room reads no files: /etc/hosts and /etc/services. */
export type Lookups = {
  readonly resolve?: (name: string) => IpAddress | undefined;
  readonly servicePort?: (name: string, protocol: 'tcp' | 'udp') => number | undefined;
};

/** What a value type needs while it reads one line. */
export class ValueReader {
  readonly problems: ProblemList;
  readonly lookups: Lookups;
  key = '';
  line = 0;

  constructor(problems: ProblemList, lookups: Lookups) {
    this.problems = problems;
    this.lookups = lookups;
  }

  place(word: Word): Place {
    return { line: this.line, column: word.column, length: word.length };
  }

  /** Reports an error at a word; returns undefined, so that `return reader.fail(...)` ends a reading. */
  fail(word: Word, code: ProblemCode, message: string, suggestion?: string): undefined {
    this.problems.error(code, this.place(word), message, suggestion);
    return undefined;
  }

  warn(word: Word, code: ProblemCode, message: string, suggestion?: string): void {
    this.problems.warning(code, this.place(word), message, suggestion);
  }
}

export type ValueType<T> = {
  /** For people: `whole number of seconds, 1 to 86400`. */
  readonly description: string;
  /** How many words it takes; a list takes any number. */
  readonly words: 1 | 2 | 'any';
  readonly strict: StrictKind;
  /** `words` has the right count. */
  read(words: readonly Word[], reader: ValueReader): T | undefined;
};

type OneWord<T> = {
  readonly description: string;
  readonly strict: StrictKind;
  readonly read: (word: Word, reader: ValueReader) => T | undefined;
};

function oneWord<T>({ description, strict, read }: OneWord<T>): ValueType<T> {
  return {
    description,
    words: 1,
    strict,
    read([word], reader) {
      return word === undefined ? undefined : read(word, reader);
    },
  };
}

/** The same type under our own name: 0.8.6 does not know the directive. */
export function ours<T>(type: ValueType<T>): ValueType<T> {
  return { ...type, strict: { kind: 'ours' } };
}

type IntegerRange = { readonly min: number; readonly max: number; readonly unit?: string };

export function integer({ min, max, unit }: IntegerRange): ValueType<number> {
  const range = `${unit === undefined ? 'whole number' : `whole number of ${unit}`}, ${min} to ${max}`;
  return oneWord({
    description: range,
    strict: { kind: 'integer' },
    read(word, reader) {
      const value = readNumber(word, reader, `a ${range}`);
      if (value === undefined || (value >= min && value <= max)) return value;
      return reader.fail(
        word,
        'out-of-range',
        `\`${reader.key}\` wants a ${range}; found ${word.text}`,
      );
    },
  });
}

function readNumber(word: Word, reader: ValueReader, wanted: string): number | undefined {
  const value = parseCInteger(word.text);
  if (value === undefined) {
    const decimal = /^\s*(\d+)\s*$/.exec(word.text)?.[1]?.replace(/^0+(?=\d)/, '');
    return reader.fail(
      word,
      'not-an-integer',
      `\`${reader.key}\` wants ${wanted}; found \`${word.text}\``,
      decimal,
    );
  }
  if (hasLeadingZero(word.text)) {
    const decimal = word.text.trim().replace(/^([+-]?)0+(?=\d)/, '$1');
    reader.warn(
      word,
      'leading-zero',
      `\`${word.text}\` begins with 0, so it is octal and means ${value}`,
      value === Number(decimal) ? decimal : String(value),
    );
  }
  return value;
}

/** monitor_links: any number, non-zero is on. */
export const NON_ZERO: ValueType<boolean> = oneWord({
  description: '0 or 1 (any other number is 1)',
  strict: { kind: 'integer' },
  read(word, reader) {
    const value = readNumber(word, reader, '0 or 1');
    return value === undefined ? undefined : value !== 0;
  },
});

/** syncd_id: the kernel takes eight bits. */
export const LOW_OCTET: ValueType<number> = oneWord({
  description: 'whole number, 0 to 255',
  strict: { kind: 'integer' },
  read(word, reader) {
    const value = readNumber(word, reader, 'a whole number, 0 to 255');
    if (value === undefined || (value >= 0 && value <= 255)) return value;
    const used = ((value % 256) + 256) % 256;
    reader.warn(
      word,
      'truncated',
      `\`${reader.key}\` is 0 to 255; of ${word.text} only the low eight bits are used: ${used}`,
      String(used),
    );
    return used;
  },
});

export const BOOLEAN: ValueType<boolean> = oneWord({
  description: '0 or 1',
  strict: { kind: 'boolean' },
  read(word, reader) {
    const value = parseCInteger(word.text);
    if (value === 0 || value === 1) return value === 1;
    const meant = /^(yes|true|on|enabled?)$/i.test(word.text)
      ? '1'
      : /^(no|false|off|disabled?)$/i.test(word.text)
        ? '0'
        : undefined;
    return reader.fail(
      word,
      'not-a-boolean',
      `\`${reader.key}\` wants 0 or 1; found \`${word.text}\``,
      meant,
    );
  },
});

export function choice<const T extends string>(choices: readonly T[]): ValueType<T> {
  return oneWord({
    description: choices.map((word) => `\`${word}\``).join(', '),
    strict: { kind: 'choice', choices },
    read(word, reader) {
      const found = choices.find((name) => name === word.text);
      if (found !== undefined) return found;
      const last = choices.length > 1 ? ` or ${choices.at(-1)}` : '';
      return reader.fail(
        word,
        'not-a-choice',
        `\`${reader.key}\` wants ${choices.slice(0, -1).join(', ')}${last}; found \`${word.text}\``,
        nearest(word.text, choices),
      );
    },
  });
}

/** Free text; longer than `limit` characters is warned about, because 0.8.6 cuts or refuses it. */
export function text(limit = 255): ValueType<string> {
  return oneWord({
    description: `text, at most ${limit} characters`,
    strict: { kind: 'text' },
    read(word, reader) {
      if (hasControlCharacter(word.text)) {
        return reader.fail(
          word,
          'stray-control-character',
          `\`${reader.key}\` holds a control character; write \\r, \\n or \\t for those that can be sent`,
        );
      }
      if (word.text.length > limit) {
        reader.warn(
          word,
          'too-long',
          `\`${reader.key}\` is ${word.text.length} characters long; Piranha promises ${limit}`,
        );
      }
      return word.text;
    },
  });
}

/** Any but the tab. */
export function hasControlCharacter(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  return /[\x00-\x08\x0a-\x1f\x7f]/.test(text);
}

/** An absolute path. */
export const PATH: ValueType<string> = oneWord({
  description: 'absolute path',
  strict: { kind: 'text' },
  read(word, reader) {
    if (word.text.startsWith('/')) return word.text;
    return reader.fail(
      word,
      'bad-path',
      `\`${reader.key}\` wants an absolute path; found \`${word.text}\``,
    );
  },
});

/** TCP or UDP port, by number or by its name in /etc/services. */
export const PORT: ValueType<number> = oneWord({
  description: 'port 0 to 65535, or a service name',
  strict: { kind: 'port' },
  read(word, reader) {
    if (/^[a-zA-Z]/.test(word.text)) {
      const port =
        reader.lookups.servicePort?.(word.text, 'tcp') ??
        reader.lookups.servicePort?.(word.text, 'udp');
      if (port !== undefined) return port;
      return reader.fail(
        word,
        'unknown-service',
        `\`${reader.key}\`: no service named \`${word.text}\` is known; write its port number`,
      );
    }
    return PORT_NUMBER.read([word], reader);
  },
});

export const PORT_NUMBER = integer({ min: 0, max: 65535 });

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
