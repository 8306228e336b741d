/**
 * When are two worlds the same? When their futures are: the key of a world is everything that its future depends on.
 *
 * Times count relative to the machine's own clock, deadlines long past are all alike, wish numbers matter only as "the
 * current one", what is only told to people (reason, startedAt, the trace) does not matter. A field of the core that is
 * not listed here would make the search blind: the compiler asks about each new one.
 *
 * The key is a row of numbers, remembered as 64 bits of it: with n states the chance that any two were taken for one is
 * below n * n / 2^65, one in ten million for two million states. Rejected: whole keys, 200 bytes a state.
 */
import type { Instant } from '../base/index.ts';
import { type Effect, type FailoverState, refill } from '../core/index.ts';
import { other } from './looks.ts';
import { BOTH, type Machine, trailerOf, type Who, type World } from './world.ts';

/** Fields of the core's state, and whether they are part of the key. */
export const CORE_FIELDS = {
  settings: false, // one for the whole search
  broken: false,
  reason: false,
  startedAt: false,
  isActive: true,
  tickAt: true,
  deadAt: true,
  heardAt: true,
  partnerSaid: true,
  partnerDialect: true,
  hasSeenRunning: true,
  courtesyAt: true,
  deafAt: true,
  lateAt: true,
  failbackAt: true,
  failbackOfferedTo: true,
  stopmeUntilAt: false, // undefined with service = lvs, and no other pair is searched
  linksDown: true,
  areServicesFailed: true,
  isWedged: true,
  isInMaintenance: true,
  resignedUntilAt: true,
  isStopping: true,
  wish: true,
  announcements: true,
  verification: true,
  extended: true,
} satisfies Record<keyof FailoverState, boolean>;

const LIVES = ['running', 'frozen', 'paused', 'killed', 'off', 'stopped', 'suspended'];
const AFTERWARDS = ['announce', 'say-stopped', 'exit', 'nothing'];
const SAID = ['nothing', 'running', 'stopped'];
const DIALECTS = ['unknown', 'legacy', 'extended'];
const ROLES = ['standby', 'claim', 'active'];
const NEVER = -0x7fffffff;

/** Writes the key of `world` into `key` and gives its length. */
export function writeKey(world: World, key: Int32Array): number {
  let at = 0;
  key[at++] =
    world.raised * 64 +
    flag(world.isSplit) * 32 +
    world.router * 8 +
    flag(world.isWitnessUp) * 4 +
    flag(world.isMild) * 2 +
    flag(world.isExcused);
  key[at++] = world.held * 16 + world.cuts;
  key[at++] = world.calm * 4096 + world.faultsLeft * 256 + world.lossesLeft * 16 + world.delaysLeft;
  key[at++] = world.ownerlessMs * 65536 + world.doubleMs;
  key[at++] = world.staleMs;
  for (let channel = 0; channel < world.channels.length; channel++) {
    const datagrams = world.channels[channel] ?? [];
    key[at++] = datagrams.length;
    const sender: Who = channel >> 1 === 0 ? 0 : 1;
    for (const bytes of datagrams) at = writeDatagram(world, sender, bytes, key, at);
  }
  for (const who of BOTH) at = writeMachine(world, who, key, at);
  return at;
}

function writeMachine(world: World, who: Who, key: Int32Array, start: number): number {
  const machine = world.machines[who];
  const { life, core, pending, leaseUntil, claimUntil, clock } = machine;
  let at = start;
  key[at++] = LIVES.indexOf(life);
  key[at++] =
    flag(machine.isDeaf) * 8 +
    flag(machine.holds) * 4 +
    flag(machine.hasLink) * 2 +
    flag(machine.areFramesHeld);
  key[at++] = machine.announced;
  key[at++] = machine.frames.length;
  for (const owner of machine.frames) key[at++] = owner;
  if (pending === undefined) key[at++] = 0;
  else {
    const isCurrent = flag(pending.wish === core.wish.number);
    const bits = flag(pending.role === 'active') * 4 + flag(pending.isDone) * 2 + isCurrent;
    key[at++] = 1 + bits * 2 + flag(machine.isKernelSlow);
  }
  key[at++] = leaseUntil === undefined ? NEVER : Math.max(leaseUntil - clock, 0);
  key[at++] = claimUntil === undefined ? NEVER : Math.max(claimUntil - clock, 0);
  if (life === 'killed' || life === 'off' || life === 'stopped') return at;
  key[at++] = Math.min(machine.listenedMs, core.settings.deadtimeMs);
  key[at++] = machine.socket.length;
  for (const { path, bytes } of machine.socket) {
    key[at++] = path;
    at = writeDatagram(world, other(who), bytes, key, at);
  }
  key[at++] = machine.unfinished.length;
  for (const effect of machine.unfinished) at = writeEffect(world, who, effect, key, at);
  at = writeCore(core, clock, key, at);
  return core.settings.dialect === 'auto' ? writeExtended(world, who, key, at) : at;
}

/**
 * Sequences, moves, lives and epochs only grow; what counts is how far something lies behind the newest there is. Two
 * sequences that are both long past are told apart where the core compares them.
 */
function writeExtended(world: World, who: Who, key: Int32Array, start: number): number {
  const machine = world.machines[who];
  const { sequence, since, epoch, maxEpoch, claim, ask, told, owesAnnouncement, partner } =
    machine.core.extended;
  const newest = newestEpoch(world);
  let at = writeHearing(machine, key, start);
  key[at++] = Math.min(sequence - since, LONG_PAST);
  key[at++] = newest - epoch;
  key[at++] = newest - maxEpoch;
  key[at++] = flag(owesAnnouncement) + flag(claim?.isContested === true) * 2;
  const overdue = -machine.core.settings.keepaliveMs;
  key[at++] = claim === undefined ? NEVER : Math.max(claim.settleAt - machine.clock, overdue);
  key[at++] = ask === undefined ? NEVER : Math.min(sequence - ask.sequence, LONG_PAST);
  key[at++] = ask === undefined ? NEVER : Math.min(machine.clock - ask.at, 1000);
  const rival = world.machines[other(who)];
  key[at++] = told === undefined ? NEVER : rival.incarnation - told.incarnation;
  key[at++] = told === undefined ? NEVER : movesBehind(rival, told);
  if (partner === undefined) {
    key[at++] = NEVER;
    return at;
  }
  key[at++] = rival.incarnation - partner.incarnation;
  key[at++] = sequenceBehind(rival, partner);
  key[at++] = newest - partner.epoch;
  key[at++] = movesBehind(rival, partner);
  const { echo } = partner;
  const echoed = echo?.incarnation === machine.incarnation ? echo.sequence : -1;
  key[at++] =
    ROLES.indexOf(partner.role) +
    flag(partner.isEligible) * 4 +
    flag(echoed >= since) * 8 +
    flag(ask !== undefined && echoed >= ask.sequence) * 16 +
    flag(partner.isProven) * 32;
  key[at++] = echoed < 0 ? NEVER : Math.min(sequence - echoed, LONG_PAST);
  return at;
}

function writeHearing({ core, clock }: Machine, key: Int32Array, start: number): number {
  const { askedSegmentAt, segmentHeardAt, unheardSince, isIsolated } = core.extended;
  const oldest = 3 * core.settings.deadtimeMs;
  let at = start;
  for (const moment of [askedSegmentAt, unheardSince]) {
    key[at++] = moment === undefined ? NEVER : Math.min(clock - moment, oldest);
  }
  const isAnswered = segmentHeardAt !== undefined && segmentHeardAt >= (askedSegmentAt ?? 0);
  key[at++] = flag(isAnswered) + flag(isIsolated) * 2;
  return at;
}

function writeDatagram(
  world: World,
  sender: Who,
  bytes: Uint8Array,
  key: Int32Array,
  start: number,
): number {
  const trailer = trailerOf(bytes);
  let at = start;
  key[at++] = bytes[0] ?? 0;
  if (trailer === undefined) return at;
  const from = world.machines[sender];
  const to = world.machines[other(sender)];
  key[at++] =
    ROLES.indexOf(trailer.role) + flag(trailer.isEligible) * 4 + flag(trailer.isStopping) * 8;
  key[at++] = from.incarnation - trailer.incarnation;
  key[at++] = sequenceBehind(from, trailer);
  key[at++] = newestEpoch(world) - trailer.epoch;
  key[at++] = movesBehind(from, trailer);
  const { echo } = trailer;
  key[at++] = echo === undefined ? NEVER : to.incarnation - echo.incarnation;
  const isOfThisLife = echo?.incarnation === to.incarnation;
  if (!isOfThisLife) return at;
  const { sequence, since, ask } = to.core.extended;
  key[at++] = Math.min(sequence - echo.sequence, LONG_PAST);
  key[at++] = flag(echo.sequence >= since) + flag(ask && echo.sequence >= ask.sequence) * 2;
  return at;
}

/** Behind by more than this is long past. */
const LONG_PAST = 60;

function newestEpoch({ machines }: World): number {
  return Math.max(machines[0].core.extended.maxEpoch, machines[1].core.extended.maxEpoch);
}

/** Of an earlier life only the number itself is known. */
function sequenceBehind(
  of: Machine,
  { incarnation, sequence }: { readonly incarnation: number; readonly sequence: number },
): number {
  const isOfThisLife = incarnation === of.incarnation;
  return isOfThisLife ? Math.min(of.core.extended.sequence - sequence, LONG_PAST) : -2 - sequence;
}

function movesBehind(
  of: Machine,
  { incarnation, moves }: { readonly incarnation: number; readonly moves: number },
): number {
  return incarnation === of.incarnation ? of.core.extended.moves - moves : -2 - moves;
}

function writeCore(core: FailoverState, clock: Instant, key: Int32Array, start: number): number {
  const { keepaliveMs, deadtimeMs, paths } = core.settings;
  let at = start;
  key[at++] =
    flag(core.isActive) +
    flag(core.hasSeenRunning) * 2 +
    flag(core.failbackOfferedTo !== undefined) * 4 +
    flag(core.areServicesFailed) * 8 +
    flag(core.isWedged) * 16 +
    flag(core.isStopping) * 32 +
    flag(core.wish.isConfirmed) * 64 +
    flag(core.lateAt === clock) * 128 +
    AFTERWARDS.indexOf(core.wish.afterwards) * 256 +
    SAID.indexOf(core.partnerSaid) * 1024 +
    core.linksDown.length * 4096 +
    core.wish.vips.length * 16384 +
    flag(core.isInMaintenance) * 65536 +
    DIALECTS.indexOf(core.partnerDialect) * 131072;
  // A deadline that is overdue by a keepalive does what one overdue by an hour does, if heartbeats are sent.
  const overdue = paths.length > 0 ? -keepaliveMs : -deadtimeMs;
  const { tickAt, deadAt, courtesyAt, deafAt, failbackAt, resignedUntilAt } = core;
  for (const deadline of [tickAt, deadAt, courtesyAt, deafAt, failbackAt, resignedUntilAt]) {
    key[at++] = deadline === undefined ? NEVER : Math.max(deadline - clock, overdue);
  }
  const oldest = Math.max(deadtimeMs, 2 * keepaliveMs) + 1;
  key[at++] = core.heardAt === undefined ? NEVER : Math.min(clock - core.heardAt, oldest);
  return writeAnnouncements(core, clock, key, at);
}

function writeAnnouncements(
  { announcements, settings, verification }: FailoverState,
  clock: Instant,
  key: Int32Array,
  start: number,
): number {
  let at = start;
  // The bucket is refilled when it is looked at: what it would hold then is what counts.
  const { tokens, tokenAt } = refill(announcements, clock);
  key[at++] = tokens;
  key[at++] = tokenAt === undefined ? NEVER : tokenAt - clock;
  const { refreshAt } = announcements;
  key[at++] = refreshAt === undefined ? NEVER : Math.max(refreshAt - clock, -settings.keepaliveMs);
  if (verification === undefined) key[at++] = NEVER;
  else {
    const { pending, questions, judgeAt } = verification;
    key[at++] = pending.length * 2 + flag(questions > 0);
    key[at++] = judgeAt === undefined ? NEVER : Math.max(judgeAt - clock, -settings.keepaliveMs);
  }
  const { round } = announcements;
  key[at++] = round === undefined ? 0 : 1;
  if (round === undefined) return at;
  key[at++] = Math.max(round.nextAt - clock, -settings.keepaliveMs);
  key[at++] = round.lastAt === undefined ? NEVER : Math.min(clock - round.lastAt, 1000);
  key[at++] = round.remaining * 4 + flag(round.isUrgent) * 2 + Math.min(round.frames, 1);
  key[at++] = round.vips.length;
  return at;
}

function writeEffect(
  world: World,
  who: Who,
  effect: Effect,
  key: Int32Array,
  start: number,
): number {
  const { core } = world.machines[who];
  let at = start;
  switch (effect.kind) {
    case 'send':
      key[at++] = 100 + flag(effect.path === 'private');
      return writeDatagram(world, who, effect.bytes, key, at);
    case 'converge':
      key[at++] = 10 + flag(effect.role === 'active') * 2 + flag(effect.wish === core.wish.number);
      return at;
    case 'announce':
      key[at++] = 20 + flag(effect.owner === 'partner') * 2 + effect.forms.length * 4;
      return at;
    case 'extend-lease':
      key[at++] = 3;
      return at;
    case 'claim-lease':
      key[at++] = 4;
      return at;
    case 'verify':
      key[at++] = 6 + flag(effect.teaches);
      return at;
    case 'ask-segment':
      key[at++] = 5;
      return at;
    case 'exit':
      key[at++] = 1;
      return at;
    default:
      key[at++] = 2; // notes, hooks: nothing depends on them
      return at;
  }
}

function flag(is: boolean | undefined): 0 | 1 {
  return is ? 1 : 0;
}

/** The states met so far: an open-addressing table of 64-bit fingerprints. */
export class Fingerprints {
  #size = 0;
  #low = new Uint32Array(1 << 16);
  #high = new Uint32Array(1 << 16);

  get size(): number {
    return this.#size;
  }

  /** Adds the key; false when it was there already. */
  add(key: Int32Array, length: number): boolean {
    let low = 0x9e3779b9;
    let high = 0x85ebca6b;
    for (let index = 0; index < length; index++) {
      const word = key[index] ?? 0;
      low = Math.imul(low ^ word, 0xcc9e2d51);
      low = (low << 13) | (low >>> 19);
      high = Math.imul(high + word, 0x1b873593) ^ (high >>> 15);
    }
    low = mix(low ^ (high >>> 3));
    high = mix(high ^ length);
    const isNew = this.#insert(low, high === 0 ? 1 : high);
    if (isNew && this.#size * 2 > this.#low.length) this.#grow();
    return isNew;
  }

  #insert(low: number, high: number): boolean {
    const mask = this.#low.length - 1;
    let slot = low & mask;
    while (this.#high[slot] !== 0) {
      if (this.#high[slot] === high >>> 0 && this.#low[slot] === low >>> 0) return false;
      slot = (slot + 1) & mask;
    }
    this.#low[slot] = low;
    this.#high[slot] = high;
    this.#size++;
    return true;
  }

  #grow(): void {
    const lows = this.#low;
    const highs = this.#high;
    this.#low = new Uint32Array(lows.length * 2);
    this.#high = new Uint32Array(lows.length * 2);
    this.#size = 0;
    for (let slot = 0; slot < lows.length; slot++) {
      const high = highs[slot] ?? 0;
      if (high !== 0) this.#insert(lows[slot] ?? 0, high);
    }
  }
}

function mix(hash: number): number {
  let mixed = hash ^ (hash >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
