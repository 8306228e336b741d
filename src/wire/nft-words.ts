/** nft's words for what a virtual service is made of: names, addresses, masks, the choice of a server by weight. */
import { ipFamily } from '../base/index.ts';
import {
  type DestinationRow,
  endpointText,
  type ServiceKey,
  serviceKeyText,
} from '../model/index.ts';

export type NftFamily = 'inet' | 'netdev';

/** A chain, map or counter that the script needs; its text declares it. */
export type NftObject = {
  readonly family: NftFamily;
  readonly kind: 'chain' | 'map' | 'counter';
  readonly name: string;
  readonly body: string;
};

/** What a service becomes: chains and maps, and rules by the chain they stand in. */
export type NftRules = {
  readonly objects: readonly NftObject[];
  readonly rules: readonly (readonly [chain: string, rule: string])[];
};

/** What is counted of a real server: new connections, packets to it, packets from it. */
export type CounterKind = 'new' | 'to' | 'from';

/** `new_tcp_198_51_100_100_80__198_51_100_21_80`. */
export function counterName(kind: CounterKind, key: ServiceKey, row: DestinationRow): string {
  return `${kind}_${nameOf(key)}__${plain(endpointText(row.address, row.port))}`;
}

/** nft's words for the family: of the header, of the type. */
export function words(key: ServiceKey): readonly ['ip' | 'ip6', string] {
  const family = key.kind === 'mark' ? key.family : ipFamily(key.address);
  return family === 4 ? ['ip', 'ipv4_addr'] : ['ip6', 'ipv6_addr'];
}

/** `tcp_198_51_100_100_80`. */
export function nameOf(key: ServiceKey): string {
  return plain(serviceKeyText(key));
}

/** A name that nft takes: `198_51_100_100`. */
export function plain(text: string): string {
  return text.replaceAll(/[[\]]/g, '').replaceAll(/[^0-9a-z]/g, '_');
}

/** How a packet is found to be of a service: an expression, and its value in a verdict map. */
export function entryOf(key: ServiceKey): { readonly selector: string; readonly value: string } {
  if (key.kind === 'mark') {
    return { selector: `meta mark ${key.mark} meta nfproto ipv${key.family}`, value: '' };
  }
  const [ip] = words(key);
  if (key.port === 0)
    return { selector: `meta l4proto ${key.protocol} ${ip} daddr`, value: key.address };
  const { protocol, address, port } = key;
  return { selector: `${ip} daddr . ${protocol} dport`, value: `${address} . ${port}` };
}

/** One of the values, or verdicts, by weight; `connection` is as `sh`, by address and port. */
export function choose(
  scheduler: string,
  ip: string,
  choices: readonly (readonly [DestinationRow, string])[],
  into: 'map' | 'vmap' = 'map',
): string {
  const [only] = choices;
  if (choices.length === 1 && only !== undefined) return only[1];
  const weights = choices.map(([{ weight }]) => (scheduler === 'rr' ? 1 : weight));
  const shared = weights.reduce(commonDivisor);
  let at = 0;
  const slots = choices.map(([, value], index) => {
    const from = at;
    at += (weights[index] ?? 0) / shared;
    return `${from === at - 1 ? from : `${from}-${at - 1}`} : ${value}`;
  });
  const hashed = {
    sh: `${ip} saddr`,
    dh: `${ip} daddr`,
    connection: `${ip} saddr . th sport`,
  }[scheduler];
  const number =
    hashed === undefined ? `numgen inc mod ${at}` : `jhash ${hashed} mod ${at} seed 0x1`;
  return `${number} ${into} { ${slots.join(', ')} }`;
}

export function maskText(key: ServiceKey, length: number): string {
  const size = words(key)[0] === 'ip' ? 4 : 16;
  const octets = Array.from({ length: size }, (_, index) => {
    const bits = Math.min(8, Math.max(0, length - index * 8));
    return (0xff00 >> bits) & 0xff;
  });
  if (size === 4) return octets.join('.');
  const hex = octets.map((octet) => octet.toString(16).padStart(2, '0'));
  return Array.from({ length: 8 }, (_, index) => `${hex[index * 2]}${hex[index * 2 + 1]}`).join(
    ':',
  );
}

/** `{ a : x, b : y }`; of two values for one key the first. */
export function mapText(pairs: readonly (readonly [key: string, value: string])[]): string {
  const first = new Map<string, string>();
  for (const [key, value] of pairs) if (!first.has(key)) first.set(key, value);
  return `{ ${[...first].map(([key, value]) => `${key} : ${value}`).join(', ')} }`;
}

export function setText(values: readonly string[]): string {
  return `{ ${[...new Set(values)].join(', ')} }`;
}

function commonDivisor(a: number, b: number): number {
  return b === 0 ? a : commonDivisor(b, a % b);
}
