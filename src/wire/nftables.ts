/**
 * nf_tables over netlink: the nine messages and seven expressions that the lease gate is made of, and the answers
 * needed to adopt it.
 *
 * The nft program is not used: one process per change takes 14 ms here, one transaction 0.05 ms, and its listing of
 * our constant keys does not load again. Every number is in network order, unlike in the rest of netlink. A transaction
 * is BEGIN, messages, END in one datagram: all of it happens, or nothing.
 *
 * Source: linux/netfilter/nf_tables.h, linux/netfilter/nfnetlink.h.
 */
import { concatBytes, ok, type Result, utf8 } from '../base/index.ts';
import {
  AttributeReader,
  attribute,
  decodeMessage,
  encodeMessage,
  type NetlinkFault,
  NLM_F_APPEND,
  NLM_F_CREATE,
  NLM_F_DUMP,
  nestedAttribute,
  textAttribute,
} from './netlink.ts';
import { be16, be32, be64 } from './octets.ts';

/** nfgen_family: `netdev` tables see ARP, IPv4 and IPv6 of a device, `inet` ones both IPs of the machine. */
const FAMILIES = { inet: 1, netdev: 5 } as const;
export type NftTableFamily = keyof typeof FAMILIES;
const NFT_OBJECT_COUNTER = 1;
const NFNL_SUBSYS_NFTABLES = 10;
/** Multicast group of changes to tables, chains, rules and sets (NFNLGRP_NFTABLES). */
export const NFNLGRP_NFTABLES = 7;

const MESSAGE = {
  newTable: 0,
  getTable: 1,
  deleteTable: 2,
  newChain: 3,
  newRule: 6,
  getRule: 7,
  newSet: 9,
  newElement: 12,
  getElement: 13,
  deleteElement: 14,
  newObject: 18,
  getObject: 19,
} as const;

/** Nobody but the creating socket may change the table (Linux 5.13). Alone a trap: it dies with its socket. */
export const TABLE_OWNER = 2;
/** It outlives its owner as an orphan that can be adopted (Linux 6.9). */
export const TABLE_PERSIST = 4;

/** The two hooks of a device; egress exists since Linux 5.16. */
export type NetdevHook = 'ingress' | 'egress';

/** Where a payload expression counts from. */
export type PayloadBase = 'link' | 'network' | 'transport';

const BASES: readonly PayloadBase[] = ['link', 'network', 'transport'];
const REGISTER = 1;
const VERDICT_REGISTER = 0;
const NF_DROP = 0;
const NF_ACCEPT = 1;
const NFT_JUMP = -3;
const META_PROTOCOL = 1;
const META_L4PROTO = 16;

// ---- messages ----

function tableMessage(
  number: number,
  flags: number,
  ...attributes: readonly Uint8Array[]
): Uint8Array {
  return familyMessage('netdev', number, flags, ...attributes);
}

function familyMessage(
  family: NftTableFamily,
  number: number,
  flags: number,
  ...attributes: readonly Uint8Array[]
): Uint8Array {
  const header = Uint8Array.of(FAMILIES[family], 0, 0, 0);
  return encodeMessage({
    type: (NFNL_SUBSYS_NFTABLES << 8) | number,
    flags,
    payload: concatBytes(header, ...attributes),
  });
}

function batchEdge(type: number): Uint8Array {
  const header = concatBytes(Uint8Array.of(0, 0), be16(NFNL_SUBSYS_NFTABLES));
  return encodeMessage({ type, flags: 0, payload: header });
}

/** One transaction. The answers come one to one, the two edges included. */
export function transaction(messages: readonly Uint8Array[]): readonly Uint8Array[] {
  return [batchEdge(16), ...messages, batchEdge(17)];
}

export function newTable(name: string, flags: number): Uint8Array {
  return tableMessage(MESSAGE.newTable, NLM_F_CREATE, textAttribute(1, name), number32(2, flags));
}

export function deleteTable(name: string): Uint8Array {
  return tableMessage(MESSAGE.deleteTable, 0, textAttribute(1, name));
}

/** All tables of this family, for adoption and to see that ours still stands. */
export function dumpTables(): Uint8Array {
  return tableMessage(MESSAGE.getTable, NLM_F_DUMP);
}

/** All rules of a table. */
export function dumpRules(family: NftTableFamily, table: string): Uint8Array {
  return familyMessage(family, MESSAGE.getRule, NLM_F_DUMP, textAttribute(1, table));
}

/** All named counters of a table. */
export function dumpCounters(family: NftTableFamily, table: string): Uint8Array {
  const type = attribute(3, be32(NFT_OBJECT_COUNTER));
  return familyMessage(family, MESSAGE.getObject, NLM_F_DUMP, textAttribute(1, table), type);
}

export type SetOptions = {
  readonly table: string;
  readonly name: string;
  /** Bytes of a key, 1-64. */
  readonly keyLength: number;
  /** Unique in its transaction. */
  readonly id: number;
  /**
   * Elements may expire. Such a set needs room for the dead ones, too: they count until they are swept (1 s).
   * Otherwise 65536 elements fit.
   */
  readonly expires?: { readonly size: number };
};

export function newSet({ table, name, keyLength, id, expires }: SetOptions): Uint8Array {
  const SET_TIMEOUT = 0x10;
  return tableMessage(
    MESSAGE.newSet,
    NLM_F_CREATE,
    textAttribute(1, table),
    textAttribute(2, name),
    number32(3, expires === undefined ? 0 : SET_TIMEOUT),
    number32(4, 0), // the type of the key: for listings only
    number32(5, keyLength),
    ...(expires === undefined ? [] : [nestedAttribute(9, number32(1, expires.size))]),
    number32(10, id),
  );
}

export type SetElement = {
  readonly key: Uint8Array;
  /** Milliseconds; absent: it stays. */
  readonly timeoutMs?: number;
};

/** Adds elements; adding one that exists changes nothing, its timeout included. */
export function newElements(
  table: string,
  set: string,
  elements: readonly SetElement[],
): Uint8Array {
  return elementsMessage(MESSAGE.newElement, NLM_F_CREATE, { table, set, elements });
}

/** Fails with ENOENT, and the whole transaction with it, when one of them is not there or has expired. */
export function deleteElements(
  table: string,
  set: string,
  keys: readonly Uint8Array[],
): Uint8Array {
  const elements = keys.map((key) => ({ key }));
  return elementsMessage(MESSAGE.deleteElement, 0, { table, set, elements });
}

export function dumpElements(table: string, set: string): Uint8Array {
  return tableMessage(
    MESSAGE.getElement,
    NLM_F_DUMP,
    textAttribute(1, table),
    textAttribute(2, set),
  );
}

type Elements = {
  readonly table: string;
  readonly set: string;
  readonly elements: readonly SetElement[];
};

function elementsMessage(number: number, flags: number, { table, set, elements }: Elements) {
  const list = elements.map(({ key, timeoutMs }) =>
    nestedAttribute(
      1,
      nestedAttribute(1, attribute(1, key)),
      ...(timeoutMs === undefined ? [] : [attribute(4, be64(BigInt(Math.round(timeoutMs))))]),
    ),
  );
  return tableMessage(
    number,
    flags,
    textAttribute(1, table),
    textAttribute(2, set),
    nestedAttribute(3, ...list),
  );
}

/** A chain without a hook, to be jumped to. */
export function newChain(table: string, name: string): Uint8Array {
  return tableMessage(
    MESSAGE.newChain,
    NLM_F_CREATE,
    textAttribute(1, table),
    textAttribute(3, name),
  );
}

export type BaseChain = {
  readonly table: string;
  readonly name: string;
  readonly hook: NetdevHook;
  readonly devices: readonly string[];
  readonly priority: number;
};

/** A chain that sees every frame of `devices`; what no rule decides is accepted. */
export function newBaseChain({ table, name, hook, devices, priority }: BaseChain): Uint8Array {
  const [first = '', ...others] = devices;
  const where =
    others.length === 0
      ? textAttribute(3, first)
      : nestedAttribute(4, ...devices.map((device) => textAttribute(1, device)));
  return tableMessage(
    MESSAGE.newChain,
    NLM_F_CREATE,
    textAttribute(1, table),
    textAttribute(3, name),
    nestedAttribute(4, number32(1, hook === 'ingress' ? 0 : 1), number32(2, priority), where),
    number32(5, NF_ACCEPT),
    textAttribute(7, 'filter'),
  );
}

/** Appends a rule: its expressions are evaluated in order until one does not match. */
export function newRule(
  table: string,
  chain: string,
  expressions: readonly Uint8Array[],
): Uint8Array {
  return tableMessage(
    MESSAGE.newRule,
    NLM_F_CREATE | NLM_F_APPEND,
    textAttribute(1, table),
    textAttribute(2, chain),
    nestedAttribute(4, ...expressions),
  );
}

// ---- expressions ----

function expression(name: string, ...attributes: readonly Uint8Array[]): Uint8Array {
  return nestedAttribute(1, textAttribute(1, name), nestedAttribute(2, ...attributes));
}

/** Loads `length` bytes of the packet. */
export function payload(base: PayloadBase, offset: number, length: number): Uint8Array {
  return expression(
    'payload',
    number32(1, REGISTER),
    number32(2, BASES.indexOf(base)),
    number32(3, offset),
    number32(4, length),
  );
}

/** Goes on only when the bytes last loaded equal `value`. */
export function equals(value: Uint8Array): Uint8Array {
  return expression(
    'cmp',
    number32(1, REGISTER),
    number32(2, 0),
    nestedAttribute(3, attribute(1, value)),
  );
}

/** Goes on only for frames of this EtherType, as the kernel understood it. */
export function etherTypeIs(etherType: number): readonly Uint8Array[] {
  return [
    expression('meta', number32(1, REGISTER), number32(2, META_PROTOCOL)),
    equals(be16(etherType)),
  ];
}

/** Goes on only for packets of this IP protocol, extension headers passed over. */
export function protocolIs(protocol: number): readonly Uint8Array[] {
  return [
    expression('meta', number32(1, REGISTER), number32(2, META_L4PROTO)),
    equals(Uint8Array.of(protocol)),
  ];
}

/** Loads constant bytes. */
export function constant(value: Uint8Array): Uint8Array {
  return expression('immediate', number32(1, REGISTER), nestedAttribute(2, attribute(1, value)));
}

/** Goes on only when the bytes last loaded are (`isIn`) or are not an element of the set. */
export function lookup(set: string, isIn: boolean): Uint8Array {
  return expression(
    'lookup',
    textAttribute(1, set),
    number32(2, REGISTER),
    number32(5, isIn ? 0 : 1),
  );
}

export function counter(): Uint8Array {
  return expression('counter');
}

export function dropPacket(): Uint8Array {
  return verdict(NF_DROP);
}

export function acceptPacket(): Uint8Array {
  return verdict(NF_ACCEPT);
}

export function jumpTo(chain: string): Uint8Array {
  return verdict(NFT_JUMP, chain);
}

function verdict(code: number, chain?: string): Uint8Array {
  const target = chain === undefined ? [] : [textAttribute(2, chain)];
  const data = nestedAttribute(2, nestedAttribute(2, number32(1, code), ...target));
  return expression('immediate', number32(1, VERDICT_REGISTER), data);
}

function number32(type: number, value: number): Uint8Array {
  return attribute(type, be32(value));
}

// ---- answers ----

/** The name of a table in an answer to dumpTables; undefined for another kind of message. */
export function decodeTableName(bytes: Uint8Array): Result<string | undefined, NetlinkFault> {
  return decodeNamed(bytes, MESSAGE.newTable, (reader) => reader.text(1));
}

export type FoundElement = { readonly key: Uint8Array; readonly expiresInMs: number | undefined };

/** The elements in one message of the answer to dumpElements. */
export function decodeElements(bytes: Uint8Array): Result<readonly FoundElement[], NetlinkFault> {
  const found = decodeNamed(bytes, MESSAGE.newElement, (reader) =>
    (reader.nested(3)?.allNested(1) ?? []).map((element) => {
      const expires = element.be64(5);
      return {
        key: element.nested(1)?.bytes(1) ?? utf8(''),
        expiresInMs: expires === undefined ? undefined : Number(expires),
      };
    }),
  );
  return found.ok ? ok(found.value ?? []) : found;
}

/** What a notification of the group is about: the table's name, if it names one. */
export function decodeEventTable(bytes: Uint8Array): Result<string | undefined, NetlinkFault> {
  const message = decodeMessage(bytes);
  if (!message.ok) return message;
  const isTables = message.value.type >> 8 === NFNL_SUBSYS_NFTABLES;
  const isNamed =
    isTables && message.value.payload.length >= 4 && (message.value.type & 0xff) !== 15;
  if (!isNamed) return ok(undefined);
  const reader = new AttributeReader(message.value.payload.subarray(4));
  return reader.result(reader.text(1));
}

/**
 * A rule in the answer to dumpRules, as the kernel keeps it: its handle, its place and its expressions. The same bytes
 * mean that nobody touched it, as long as it has no counter of its own. The generation in front of them is left out.
 */
export function ruleBytes(bytes: Uint8Array): Uint8Array | undefined {
  const message = decodeMessage(bytes);
  const isRule =
    message.ok && message.value.type === ((NFNL_SUBSYS_NFTABLES << 8) | MESSAGE.newRule);
  return isRule ? message.value.payload.subarray(4) : undefined;
}

export type NamedCounter = {
  readonly name: string;
  readonly packets: number;
  readonly bytes: number;
};

/** A counter in the answer to dumpCounters. */
export function decodeCounter(bytes: Uint8Array): Result<NamedCounter | undefined, NetlinkFault> {
  return decodeNamed(bytes, MESSAGE.newObject, (reader) => {
    const data = reader.nested(4);
    return {
      name: reader.text(2) ?? '',
      bytes: Number(data?.be64(1) ?? 0),
      packets: Number(data?.be64(2) ?? 0),
    };
  });
}

function decodeNamed<T>(
  bytes: Uint8Array,
  number: number,
  read: (reader: AttributeReader) => T,
): Result<T | undefined, NetlinkFault> {
  const message = decodeMessage(bytes);
  if (!message.ok) return message;
  const { type, payload: body } = message.value;
  if (type !== ((NFNL_SUBSYS_NFTABLES << 8) | number)) return ok(undefined);
  if (body.length < 4) return { ok: false, error: 'truncated-payload' };
  const reader = new AttributeReader(body.subarray(4));
  const value = read(reader);
  return reader.result(value);
}
