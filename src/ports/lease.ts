/**
 * The kernel lease: the right to answer for the VIPs, kept by nf_tables and extended at every tick (wire/lease-gate.ts).
 *
 * The form is chosen by probing, not by version: is there an egress hook, does the table take an owner and persist. A
 * protected table (owner and persist) cannot be flushed by anybody else; elsewhere its deletion is seen, and the gate
 * rebuilt in one transaction with what was left of the lease. The table outlives the process: a director that is
 * restarted within the lease finds it alive and goes on.
 *
 * One socket does it all, because the owner of a table is a socket. `extend` is the hot path: one transaction, measured
 * at 0.05 ms.
 */
import {
  after,
  elapsedMs,
  err,
  type Instant,
  type IpAddress,
  type MacAddress,
  type Milliseconds,
  ok,
  type Result,
} from '../base/index.ts';
import type { Link, PortError } from '../model/index.ts';
import {
  acquireLease,
  buildGate,
  decodeElements,
  decodeEventTable,
  decodeMessage,
  decodeTableName,
  dropLease,
  dumpElements,
  dumpTables,
  extendLease,
  isLeaseKey,
  type LeaseGate,
  markClaim,
  NFNLGRP_NFTABLES,
  newTable,
  probeGate,
  redeemClaim,
  removeGate,
  TABLE_OWNER,
  TABLE_PERSIST,
  transaction,
} from '../wire/index.ts';
import { errnoName } from './errno.ts';
import { openNetlinkSocket } from './netlink-socket.ts';
import type { Clock, NetlinkAnswer, NetlinkSocket } from './types.ts';

/** Which of the gate's forms this kernel takes. */
export type LeaseForm = {
  readonly hasEgress: boolean;
  readonly isProtected: boolean;
  /** No gate at all: the addresses end by themselves (lifetime-lease.ts). */
  readonly byLifetimes?: true;
};

export const LEASE_TABLE = 'piranha-lease';
const ENOENT = 2;

export class LinuxLease {
  readonly form: LeaseForm;
  /** Readable when somebody changes tables. */
  readonly eventFd: number;
  readonly #socket: NetlinkSocket & { readonly portId: number };
  readonly #events: NetlinkSocket;
  readonly #clock: Clock;
  #gate: LeaseGate | undefined;
  #expiresAt: Instant | undefined;

  constructor(
    parts: {
      readonly socket: NetlinkSocket & { readonly portId: number };
      readonly events: NetlinkSocket;
      readonly clock: Clock;
    },
    form: LeaseForm,
    remainingMs: Milliseconds | undefined,
  ) {
    this.#socket = parts.socket;
    this.#events = parts.events;
    this.#clock = parts.clock;
    this.eventFd = parts.events.fd;
    this.form = form;
    this.#expiresAt = remainingMs === undefined ? undefined : after(parts.clock.now(), remainingMs);
  }

  /** What is left of the lease by our clock; undefined: it has lapsed, or there is none. */
  remainingMs(): Milliseconds | undefined {
    if (this.#expiresAt === undefined) return undefined;
    const left = elapsedMs(this.#clock.now(), this.#expiresAt);
    return left > 0 ? left : undefined;
  }

  /** Builds the gate for these VIPs and devices, or replaces it; a living lease is carried over. */
  install(vips: readonly IpAddress[], links: readonly Link[]): PortError | undefined {
    const gated = links.filter(({ name }) => name !== 'lo');
    const ownMacs = gated.flatMap(({ mac }): readonly MacAddress[] => (mac ? [mac] : []));
    const devices = gated.map(({ name }) => name);
    const flags = this.form.isProtected ? TABLE_OWNER | TABLE_PERSIST : 0;
    const gate: LeaseGate = {
      table: LEASE_TABLE,
      flags,
      vips,
      devices,
      ownMacs,
      hasEgress: this.form.hasEgress,
    };
    const error = this.#build(gate);
    if (error === undefined) this.#gate = gate;
    return error;
  }

  /** Grants a lease of `ms` whatever was before. */
  acquire(ms: Milliseconds): PortError | undefined {
    const until = after(this.#clock.now(), ms);
    const error = this.#commit('acquire', acquireLease(LEASE_TABLE, ms));
    if (error === undefined) this.#expiresAt = until;
    return error;
  }

  /** Leaves the mark of a claim for `ms`. */
  claim(ms: Milliseconds): PortError | undefined {
    return this.#commit('mark the claim', markClaim(LEASE_TABLE, ms));
  }

  /** Grants a lease for the mark of a living claim; `dead` when the mark has expired: too late. */
  redeem(ms: Milliseconds): 'alive' | 'dead' | PortError {
    const until = after(this.#clock.now(), ms);
    const error = this.#commit('redeem the claim', redeemClaim(LEASE_TABLE, ms));
    if (error === undefined) this.#expiresAt = until;
    if (error?.code === 'ENOENT') return 'dead';
    return error ?? 'alive';
  }

  /**
   * Extends a living lease; `dead` when it has expired: it is not revived (R1). Somebody who removed the table in the
   * middle of a living lease finds it rebuilt.
   */
  extend(ms: Milliseconds): 'alive' | 'restored' | 'dead' | PortError {
    const now = this.#clock.now();
    const error = this.#commit('extend', extendLease(LEASE_TABLE, ms));
    if (error === undefined) {
      this.#expiresAt = after(now, ms);
      return 'alive';
    }
    if (error.code !== 'ENOENT') return error;
    if (this.remainingMs() === undefined || this.#stands()) {
      this.#expiresAt = undefined;
      return 'dead';
    }
    return this.restore() ?? 'restored';
  }

  /** Ends the lease: from here on nothing is answered. */
  drop(): PortError | undefined {
    this.#expiresAt = undefined;
    return this.#commit('drop', dropLease(LEASE_TABLE));
  }

  /** Drains the notifications; true when somebody else touched our table. */
  drainEvents(): boolean {
    const { messages, overrun } = this.#events.receive();
    return messages.reduce((isTouched, bytes) => isTouched || this.#isForeign(bytes), overrun);
  }

  /** Rebuilds what somebody removed, with what is left of the lease. */
  restore(): PortError | undefined {
    return this.#gate === undefined ? undefined : this.#build(this.#gate);
  }

  /** Does the table still stand? */
  isStanding(): boolean {
    return this.#stands();
  }

  /** Takes the gate away: nothing of ours stands between this machine and its addresses. */
  remove(): PortError | undefined {
    this.#expiresAt = undefined;
    this.#gate = undefined;
    const error = this.#commit('remove', removeGate(LEASE_TABLE));
    return error?.code === 'ENOENT' ? undefined : error;
  }

  close(): void {
    this.#socket.close();
    this.#events.close();
  }

  #build(gate: LeaseGate): PortError | undefined {
    const leaseMs = this.remainingMs();
    const messages = buildGate(leaseMs === undefined ? gate : { ...gate, leaseMs });
    return this.#commit('build', messages);
  }

  #stands(): boolean {
    const answers = this.#socket.request([dumpTables()]);
    if (!answers.ok) return false;
    return answers.value.some(({ messages }) => messages.some(isOurTable));
  }

  #isForeign(bytes: Uint8Array): boolean {
    const message = decodeMessage(bytes);
    if (!message.ok || message.value.port === this.#socket.portId) return false;
    const table = decodeEventTable(bytes);
    return table.ok && table.value === LEASE_TABLE;
  }

  #commit(operation: string, messages: readonly Uint8Array[]): PortError | undefined {
    return commit(this.#socket, operation, messages);
  }
}

/** Finds out what the kernel takes, and adopts the gate of an earlier life. */
export function openLease(clock: Clock): Result<LinuxLease, PortError> {
  const socket = openNetlinkSocket({ family: 'netfilter' });
  if (!socket.ok) return socket;
  const form = probe(socket.value);
  if (!form.ok) {
    socket.value.close();
    return form;
  }
  const events = openNetlinkSocket({ family: 'netfilter', groups: [NFNLGRP_NFTABLES] });
  if (!events.ok) {
    socket.value.close();
    return events;
  }
  const remainingMs = adopt(socket.value, form.value);
  return ok(
    new LinuxLease({ socket: socket.value, events: events.value, clock }, form.value, remainingMs),
  );
}

/** The forms, best first: an error means that not even the simplest is taken (no nf_tables, no netdev family). */
function probe(socket: NetlinkSocket): Result<LeaseForm, PortError> {
  const takes = (flags: number, hook: 'ingress' | 'egress') =>
    commit(socket, 'probe', probeGate('piranha-probe', flags, hook));
  const plain = takes(0, 'ingress');
  if (plain !== undefined) return err(plain);
  return ok({
    hasEgress: takes(0, 'egress') === undefined,
    isProtected: takes(TABLE_OWNER | TABLE_PERSIST, 'ingress') === undefined,
  });
}

/** What is left of the lease of an earlier life; its table becomes ours. */
function adopt(socket: NetlinkSocket, form: LeaseForm): Milliseconds | undefined {
  const tables = socket.request([dumpTables()]);
  if (!tables.ok || !tables.value.some(({ messages }) => messages.some(isOurTable)))
    return undefined;
  if (form.isProtected) {
    commit(socket, 'adopt', transaction([newTable(LEASE_TABLE, TABLE_OWNER | TABLE_PERSIST)]));
  }
  const answers = socket.request([dumpElements(LEASE_TABLE, 'lease')]);
  if (!answers.ok) return undefined;
  for (const { messages } of answers.value) {
    for (const bytes of messages) {
      const elements = decodeElements(bytes);
      const found = elements.ok ? elements.value.find(({ key }) => isLeaseKey(key)) : undefined;
      const left = found?.expiresInMs;
      if (left !== undefined && left > 0) return left;
    }
  }
  return undefined;
}

function isOurTable(bytes: Uint8Array): boolean {
  const name = decodeTableName(bytes);
  return name.ok && name.value === LEASE_TABLE;
}

function commit(
  socket: NetlinkSocket,
  operation: string,
  messages: readonly Uint8Array[],
): PortError | undefined {
  const answers = socket.request(messages);
  if (!answers.ok) return answers.error;
  const refused = answers.value.find((answer: NetlinkAnswer) => answer.errno !== 0);
  if (refused === undefined) return undefined;
  const { errno, kernelText } = refused;
  const code = errno === ENOENT ? 'ENOENT' : errnoName(errno);
  const target = `table ${LEASE_TABLE}`;
  return { operation, target, code, ...(kernelText !== undefined && { kernelText }) };
}
