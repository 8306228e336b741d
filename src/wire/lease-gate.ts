/**
 * The gate: one netdev table that lets this machine answer for its VIPs only while a lease lives.
 *
 *   ingress of every device     ARP asking for a VIP, neighbour solicitation for a VIP, packets to a VIP
 *   egress of every device      ARP and neighbour advertisements of *our* link-layer address for a VIP, packets from one
 *        |  is it about a VIP?
 *        v
 *     gate:  lease element there? -> go on      not there, or expired -> drop
 *
 * The lease is one element with a timeout under a constant key, for all VIPs: expiry is compared at every look-up by
 * the kernel itself, so it is never late, and early by at most a jiffy. A frozen or killed director stops answering
 * with nobody's help. Every device is gated, because a Linux host answers for any of its addresses on any of them.
 *
 * The egress rules for ARP look at the frame's own bytes as well: what the kernel takes for the protocol comes from
 * the sender's socket. They let pass what announces *another* link-layer address for a VIP: the owner that gave way
 * tells the segment where the VIP is now.
 *
 * Rejected: renewal by a rule that sees the heartbeat leave. With the partner off, the datagram waits for an ARP answer
 * for ever and the survivor loses its own VIP.
 */
import {
  equalBytes,
  type IpAddress,
  ipBytes,
  ipFamily,
  type MacAddress,
  macBytes,
} from '../base/index.ts';
import {
  acceptPacket,
  constant,
  counter,
  deleteElements,
  deleteTable,
  dropPacket,
  equals,
  etherTypeIs,
  jumpTo,
  lookup,
  type NetdevHook,
  newBaseChain,
  newChain,
  newElements,
  newRule,
  newSet,
  newTable,
  payload,
  protocolIs,
  transaction,
} from './nftables.ts';
import { be16, u8 } from './octets.ts';

export type LeaseGate = {
  /** Of the table; one director in a network namespace. */
  readonly table: string;
  /** TABLE_OWNER | TABLE_PERSIST where the kernel takes both, otherwise 0. */
  readonly flags: number;
  readonly vips: readonly IpAddress[];
  /** Every device but loopback, by name. */
  readonly devices: readonly string[];
  /** Our link-layer addresses on them. */
  readonly ownMacs: readonly MacAddress[];
  readonly hasEgress: boolean;
  /** What is left of a living lease, carried over; absent: none. */
  readonly leaseMs?: number;
};

const ARP = 0x0806;
const IPV4 = 0x0800;
const IPV6 = 0x86dd;
const ICMPV6 = 58;
const SOLICITATION = 135;
const ADVERTISEMENT = 136;
const LEASE_KEY = Uint8Array.of(0, 0, 0, 1);
/** The mark of a claim: no packet asks for it, only its own expiry matters. */
const CLAIM_KEY = Uint8Array.of(0, 0, 0, 2);
/** One key makes at most one dead element a lapse; they are swept every second. */
const LEASE_ROOM = 64;
const PRIORITY = -500;
/** Elements in one message: an attribute holds 64 KiB. */
const PER_MESSAGE = 1000;

/** Builds the table, or replaces it: one transaction, in which no packet sees it half done. */
export function buildGate(gate: LeaseGate): readonly Uint8Array[] {
  const { table, flags, devices, hasEgress, leaseMs } = gate;
  const hooks: readonly NetdevHook[] = hasEgress ? ['ingress', 'egress'] : ['ingress'];
  const chains =
    devices.length === 0
      ? []
      : hooks.map((hook) => newBaseChain({ table, name: hook, hook, devices, priority: PRIORITY }));
  const egress = hasEgress ? egressRules(table) : [];
  const rules = devices.length === 0 ? [] : [...ingressRules(table), ...egress];
  return transaction([
    newTable(table, flags),
    deleteTable(table),
    newTable(table, flags),
    newSet({ table, name: 'vips4', keyLength: 4, id: 1 }),
    newSet({ table, name: 'vips6', keyLength: 16, id: 2 }),
    newSet({ table, name: 'ownmacs', keyLength: 6, id: 3 }),
    newSet({ table, name: 'lease', keyLength: 4, id: 4, expires: { size: LEASE_ROOM } }),
    ...elements(table, 'vips4', keysOf(gate.vips, 4)),
    ...elements(table, 'vips6', keysOf(gate.vips, 6)),
    ...elements(table, 'ownmacs', unique(gate.ownMacs).map(macBytes)),
    ...(leaseMs === undefined ? [] : [leaseElement(table, leaseMs)]),
    newChain(table, 'gate'),
    ...chains,
    newRule(table, 'gate', [constant(LEASE_KEY), lookup('lease', false), counter(), dropPacket()]),
    ...rules,
  ]);
}

/** A lease that is there whatever was there before. */
export function acquireLease(table: string, ms: number): readonly Uint8Array[] {
  // Adding what is there changes nothing, so the first one only makes the deletion safe.
  const add = leaseElement(table, ms);
  return transaction([add, deleteElements(table, 'lease', [LEASE_KEY]), add]);
}

/** Leaves the mark of a claim for `ms`, whatever was there before. */
export function markClaim(table: string, ms: number): readonly Uint8Array[] {
  const add = element(table, CLAIM_KEY, ms);
  return transaction([add, deleteElements(table, 'lease', [CLAIM_KEY]), add]);
}

/** A lease for the mark of a living claim: fails with ENOENT, and creates nothing, when the mark has expired. */
export function redeemClaim(table: string, ms: number): readonly Uint8Array[] {
  const add = leaseElement(table, ms);
  const claim = deleteElements(table, 'lease', [CLAIM_KEY]);
  return transaction([claim, add, deleteElements(table, 'lease', [LEASE_KEY]), add]);
}

/** Fails with ENOENT, and creates nothing, when the lease has expired: a dead one is not revived (R1). */
export function extendLease(table: string, ms: number): readonly Uint8Array[] {
  return transaction([deleteElements(table, 'lease', [LEASE_KEY]), leaseElement(table, ms)]);
}

export function dropLease(table: string): readonly Uint8Array[] {
  return transaction([leaseElement(table, 1000), deleteElements(table, 'lease', [LEASE_KEY])]);
}

export function removeGate(table: string): readonly Uint8Array[] {
  return transaction([deleteTable(table)]);
}

/** A scratch table that shows what this kernel takes; always removed again in the same transaction. */
export function probeGate(table: string, flags: number, hook: NetdevHook): readonly Uint8Array[] {
  return transaction([
    newTable(table, flags),
    newBaseChain({ table, name: 'probe', hook, devices: ['lo'], priority: PRIORITY }),
    deleteTable(table),
  ]);
}

function leaseElement(table: string, ms: number): Uint8Array {
  return element(table, LEASE_KEY, ms);
}

function element(table: string, key: Uint8Array, ms: number): Uint8Array {
  return newElements(table, 'lease', [{ key, timeoutMs: ms }]);
}

/** Is this the key of the lease itself? */
export function isLeaseKey(key: Uint8Array): boolean {
  return equalBytes(key, LEASE_KEY);
}

function elements(table: string, set: string, keys: readonly Uint8Array[]): readonly Uint8Array[] {
  const messages: Uint8Array[] = [];
  for (let at = 0; at < keys.length; at += PER_MESSAGE) {
    const some = keys.slice(at, at + PER_MESSAGE).map((key) => ({ key }));
    messages.push(newElements(table, set, some));
  }
  return messages;
}

function keysOf(vips: readonly IpAddress[], family: 4 | 6): readonly Uint8Array[] {
  return unique(vips)
    .filter((vip) => ipFamily(vip) === family)
    .map(ipBytes);
}

function unique<T>(values: readonly T[]): readonly T[] {
  return [...new Set(values)];
}

/** Offsets from the network header: ARP target 24, IPv4 destination 16, IPv6 destination 24. */
function ingressRules(table: string): readonly Uint8Array[] {
  const to = [jumpTo('gate')];
  const rule = (...parts: readonly Uint8Array[]) => newRule(table, 'ingress', [...parts, ...to]);
  return [
    rule(...etherTypeIs(ARP), payload('network', 24, 4), lookup('vips4', true)),
    rule(...etherTypeIs(IPV4), payload('network', 16, 4), lookup('vips4', true)),
    rule(...neighbour(SOLICITATION)),
    rule(...etherTypeIs(IPV6), payload('network', 24, 16), lookup('vips6', true)),
  ];
}

/** ARP: sender's link-layer address at 8, protocol address at 14. IPv4 source 12, IPv6 source 8. */
function egressRules(table: string): readonly Uint8Array[] {
  const rule = (...parts: readonly Uint8Array[]) =>
    newRule(table, 'egress', [...parts, jumpTo('gate')]);
  const ownMac = (offset: number) => [payload('transport', offset, 6), lookup('ownmacs', true)];
  const arpOfOurs = [
    payload('network', 8, 6),
    lookup('ownmacs', true),
    payload('network', 14, 4),
    lookup('vips4', true),
  ];
  const hasNoOption = [payload('network', 4, 2), equals(be16(24))];
  return [
    rule(...etherTypeIs(ARP), ...arpOfOurs),
    rule(payload('link', 12, 2), equals(be16(ARP)), ...arpOfOurs),
    rule(...etherTypeIs(IPV4), payload('network', 12, 4), lookup('vips4', true)),
    // Target link-layer option: type 2, length 1, address at 26.
    rule(...neighbour(ADVERTISEMENT), ...ownMac(26)),
    rule(...neighbour(ADVERTISEMENT), ...hasNoOption),
    newRule(table, 'egress', [...neighbour(ADVERTISEMENT), acceptPacket()]),
    rule(...etherTypeIs(IPV6), payload('network', 8, 16), lookup('vips6', true)),
  ];
}

/** A neighbour message (RFC 4861 §4.3, §4.4) whose *target*, 8 bytes into ICMPv6, is a VIP. */
function neighbour(type: number): readonly Uint8Array[] {
  return [
    ...etherTypeIs(IPV6),
    ...protocolIs(ICMPV6),
    payload('transport', 0, 1),
    equals(u8(type)),
    payload('transport', 8, 16),
    lookup('vips6', true),
  ];
}
