/**
 * The imagined segment: two machines that run the shipped core, what is under way between them, and a router.
 *
 * Time moves in steps of `stepMs`. Within an instant everything that is due happens in any order (the search tries all of
 * them): a director's turn, the delivery of a datagram. Only when nothing is due does time advance. The kernel answers
 * a wish at once and a frame reaches the router at once, unless a fault delays or loses it (faults.ts).
 *
 * The router is a single ARP entry: it changes only by announcements, and is asked for again only when it was deleted.
 * Rejected: real-valued delays; the orders they produce are the orders tried here, and a state space must end.
 *
 * A World is data, copied before it is changed; `trace`, when there is one, collects what happens (trace.ts).
 */
import { after, type Instant, instant, ip, type Milliseconds } from '../base/index.ts';
import {
  type Effect,
  type FailoverSettings,
  type FailoverState,
  type Input,
  initialState,
  type Rule,
  step,
} from '../core/index.ts';
import type { Node, PathName } from '../model/index.ts';
import { decodeHeartbeat, decodeTrailer, type Trailer } from '../wire/index.ts';
import {
  isAnswering,
  isDue,
  isLeased,
  isOpen,
  isWonFromOwner,
  leaseEnd,
  leaseMsOf,
  other,
  reachesWitness,
} from './looks.ts';
import {
  judgeActivation,
  judgeClaim,
  judgeRelease,
  judgeStopped,
  type Property,
} from './properties.ts';
import type { TraceEvent, TraceRecord } from './trace.ts';

/**
 * `frozen`: the process stands still, its socket fills, its kernel answers. `paused`: the whole machine, cut off.
 * `suspended`: the whole machine; what is sent to it waits in its network card.
 */
export type Life = 'running' | 'frozen' | 'paused' | 'suspended' | 'killed' | 'off' | 'stopped';

/** 0 = primary, 1 = backup. */
export type Who = 0 | 1;
export const BOTH = [0, 1] as const;
export const NODES: readonly [Node, Node] = ['primary', 'backup'];
export const NOBODY = 2;

export type Queued = { readonly path: 0 | 1; readonly bytes: Uint8Array };

type Pending = {
  readonly wish: number;
  readonly role: 'active' | 'standby';
  readonly isDone: boolean;
};

export type Machine = {
  core: FailoverState;
  /** This machine's own clock: a paused machine's stands still. */
  clock: Instant;
  life: Life;
  /** The kernel answers for the VIPs. */
  holds: boolean;
  /** The wish the kernel was given and has not answered; `isDone`: it has, but nobody is awake to read the answer. */
  pending: Pending | undefined;
  /** The pending wish takes until the next instant. */
  isKernelSlow: boolean;
  /** The kernel's lease ends here, by this machine's clock; undefined: none was acquired. */
  leaseUntil: Instant | undefined;
  /** The mark of a claim in the kernel; undefined: none, or redeemed. */
  claimUntil: Instant | undefined;
  /** Names the life of its process: two more for each, even for the primary, odd for the backup. */
  incarnation: number;
  hasLink: boolean;
  /** Its receiver is dead: nothing reaches it, what it says passes. */
  isDeaf: boolean;
  /** What arrived while it was frozen, oldest first. */
  socket: readonly Queued[];
  /** What a turn that was interrupted had still to do. */
  unfinished: readonly Effect[];
  /** Announcements on their way to the router: whose address each tells. */
  frames: readonly Who[];
  areFramesHeld: boolean;
  /** It has just woken and reads what waited: true only within that turn. */
  isCatchingUp: boolean;
  /** How long it has been listening in vain. */
  listenedMs: Milliseconds;
  /** Frames that announced itself in this incident. */
  announced: number;
};

export type World = {
  readonly segment: Segment;
  now: Milliseconds;
  machines: readonly [Machine, Machine];
  /** Datagrams under way by channel: 2 * sender + path. */
  channels: readonly (readonly Uint8Array[])[];
  /** Bits by channel: its first datagram takes until the next instant. */
  held: number;
  /** Bits by channel: nothing passes. */
  cuts: number;
  router: Who | typeof NOBODY;
  /** The host that directors may ask whether anybody is there. */
  isWitnessUp: boolean;
  /** How often, since the last fault or cure, somebody became active. */
  raised: number;
  /** Instants since the last fault or cure. */
  calm: number;
  faultsLeft: number;
  lossesLeft: number;
  delaysLeft: number;
  /** Nothing but cuts, losses and delays so far: then nobody may ever miss the VIP. */
  isMild: boolean;
  /** A split that heals once (faults.ts), and has not healed wholly. */
  isSplit: boolean;
  /** The router was answered by a kernel whose director cannot be told, or won from an owner that cannot hear (looks.ts). */
  isExcused: boolean;
  ownerlessMs: Milliseconds;
  doubleMs: Milliseconds;
  staleMs: Milliseconds;
  violation: Property | undefined;
  /** Effects with an outside in the last turn: where it can be interrupted. */
  turnEffects: number;
  trace: TraceRecord[] | undefined;
};

/** What never changes in a search. */
export type Segment = {
  readonly settings: readonly [FailoverSettings, FailoverSettings];
  readonly broken: readonly Rule[];
  /** What is wrong with the kernels or the crank, to show what the core relies on. */
  readonly misbuilt: readonly Misbuild[];
  /** The router takes its entry from questions only (RFC 826), not from announcements. */
  readonly ignoresAnnouncements: boolean;
  readonly reliesOnRefresh: boolean; // what only the slow repetition of an owner cures is excused (looks.ts)
  readonly stepMs: Milliseconds;
  readonly socketSize: number; // datagrams that fit into a socket that nobody reads
};

export const MISBUILDS = [
  'lease-too-long', // the kernel keeps a lease for a deadtime longer than it is told
  'lease-revived', // a dead lease is made anew by extending it
  'renewed-by-packet', // the lease is extended by a heartbeat that leaves the machine, by nothing else
] as const;
export type Misbuild = (typeof MISBUILDS)[number];

const PATHS: readonly [PathName, PathName] = ['public', 'private'];

/** Both machines without power, nothing under way, the router without an entry. */
export function darkWorld(segment: Segment): World {
  const machine = (who: Who): Machine => ({
    core: initialState(segment.settings[who], instant(0), segment.broken),
    clock: instant(0),
    life: 'off',
    holds: false,
    pending: undefined,
    isKernelSlow: false,
    leaseUntil: undefined,
    claimUntil: undefined,
    incarnation: who,
    hasLink: true,
    isDeaf: false,
    socket: [],
    unfinished: [],
    frames: [],
    areFramesHeld: false,
    isCatchingUp: false,
    listenedMs: 0,
    announced: 0,
  });
  return {
    segment,
    now: 0,
    machines: [machine(0), machine(1)],
    channels: [[], [], [], []],
    held: 0,
    cuts: 0,
    router: NOBODY,
    isWitnessUp: true,
    raised: 0,
    calm: 0,
    faultsLeft: 0,
    lossesLeft: 0,
    delaysLeft: 0,
    isMild: false,
    isSplit: false,
    isExcused: false,
    ownerlessMs: 0,
    doubleMs: 0,
    staleMs: 0,
    violation: undefined,
    turnEffects: 0,
    trace: undefined,
  };
}

/** A copy that may be changed: the machines are fresh, everything inside them is replaced, never altered. */
export function draft(world: World): World {
  const [primary, backup] = world.machines;
  return { ...world, machines: [{ ...primary }, { ...backup }], turnEffects: 0 };
}

/** A turn: the datagram, if any, then the timers. `limit`: stop short before that effect. */
export function turn(world: World, who: Who, queued: Queued | undefined, limit?: number): void {
  const machine = world.machines[who];
  if (queued !== undefined) hear(world, who, queued, limit);
  if (machine.unfinished.length === 0 && isDue(machine)) {
    feed(world, who, { kind: 'wake', now: machine.clock }, limit);
  }
}

export function hear(world: World, who: Who, queued: Queued, limit?: number): void {
  const machine = world.machines[who];
  const path = PATHS[queued.path];
  const { bytes } = queued;
  const from = world.segment.settings[who].paths[queued.path]?.partner;
  if (from === undefined) return;
  machine.listenedMs = 0;
  if (world.trace) note(world, who, { kind: 'hear', word: wordName(bytes), path });
  feed(world, who, { kind: 'datagram', now: machine.clock, path, from, bytes }, limit);
}

/** One input to the core of `who`; its effects happen in order. */
export function feed(world: World, who: Who, input: Input, limit?: number): void {
  const machine = world.machines[who];
  const before = machine.core;
  const move = step(before, input);
  machine.core = move.state;
  if (move.state.isActive && !before.isActive) judgeActivation(world, who, before);
  if (!move.state.isActive && before.isActive) judgeRelease(world, who, before.extended.ask);
  const claims = move.state.extended.claim !== undefined;
  if (claims && before.extended.claim === undefined) judgeClaim(world, who);
  perform(world, who, move.effects, limit);
}

const INTERRUPTIBLE: ReadonlySet<Effect['kind']> = new Set([
  'send',
  'converge',
  'announce',
  'claim-lease',
  'extend-lease',
]);

export function perform(
  world: World,
  who: Who,
  effects: readonly Effect[],
  limit = Number.POSITIVE_INFINITY,
): void {
  const machine = world.machines[who];
  for (let index = 0; index < effects.length; index++) {
    const effect = effects[index];
    if (effect === undefined) continue;
    if (INTERRUPTIBLE.has(effect.kind)) {
      if (world.turnEffects >= limit) {
        machine.unfinished = effects.slice(index);
        return;
      }
      world.turnEffects++;
    }
    carryOut(world, who, effect);
  }
}

function carryOut(world: World, who: Who, effect: Effect): void {
  const machine = world.machines[who];
  switch (effect.kind) {
    case 'send':
      send(world, who, effect.path === 'private' ? 1 : 0, effect.bytes);
      return;
    case 'converge':
      if (!openGate(world, machine, effect.role)) {
        feed(world, who, { kind: 'lease', now: machine.clock, isAlive: false });
        return;
      }
      machine.pending = { wish: effect.wish, role: effect.role, isDone: false };
      machine.isKernelSlow = false;
      return;
    case 'claim-lease':
      machine.claimUntil = after(machine.clock, effect.ms);
      return;
    case 'announce':
      if (!world.segment.ignoresAnnouncements) {
        machine.frames = [...machine.frames, effect.owner === 'own' ? who : other(who)];
      }
      if (effect.owner === 'own') machine.announced += effect.forms.length;
      return;
    case 'verify':
      verify(world, who, effect.teaches);
      return;
    case 'ask-segment':
      if (reachesWitness(world, machine)) {
        feed(world, who, { kind: 'segment-heard', now: machine.clock });
      }
      return;
    case 'extend-lease':
      if (!world.segment.misbuilt.includes('renewed-by-packet')) extendLease(world, who);
      return;
    case 'exit':
      machine.life = 'stopped';
      note(world, who, { kind: 'event', text: 'ended' });
      return;
    case 'note':
      if (effect.note.kind === 'role') {
        note(world, who, { kind: 'role', to: effect.note.to, reason: effect.note.reason });
      }
      return;
    default:
      return;
  }
}

/**
 * Gate first, then the address: raised under a lease, lowered behind a closed gate. False: the mark of the claim has
 * expired, and nothing is opened.
 */
function openGate(world: World, machine: Machine, role: 'active' | 'standby'): boolean {
  const { claimUntil, clock } = machine;
  machine.claimUntil = undefined;
  if (role === 'active' && claimUntil !== undefined && claimUntil <= clock) return false;
  const leaseMs = leaseMsOf(machine.core);
  const isOpened = role === 'active' && leaseMs > 0;
  machine.leaseUntil = isOpened ? leaseEnd(world, machine) : undefined;
  return true;
}

/** The router answers to who it believes in; a question from the VIP teaches it what an announcement does not. */
function verify(world: World, who: Who, teaches: boolean): void {
  const machine = world.machines[who];
  if (teaches && world.segment.ignoresAnnouncements) machine.frames = [...machine.frames, who];
  const { vips, paths } = machine.core.settings;
  const witness = paths[0]?.partner;
  if (world.router !== who || !isAnswering(machine) || witness === undefined) return;
  feed(world, who, { kind: 'believed', now: machine.clock, vips, witness });
}

/** A living lease is extended, a dead one stays dead. */
function extendLease(world: World, who: Who): void {
  const machine = world.machines[who];
  if (isLeased(machine) || world.segment.misbuilt.includes('lease-revived')) {
    machine.leaseUntil = leaseEnd(world, machine);
  } else {
    feed(world, who, { kind: 'lease', now: machine.clock, isAlive: false });
  }
}

function send(world: World, who: Who, path: 0 | 1, bytes: Uint8Array): void {
  const channel = who * 2 + path;
  const word = world.trace === undefined ? '' : wordName(bytes);
  if (bytes[0] === STOPPED) judgeStopped(world, who);
  note(world, who, { kind: 'send', word, path: PATHS[path] });
  if (!isOpen(world, channel)) {
    note(world, who, { kind: 'lose', word, path: PATHS[path] });
    return;
  }
  const { core, holds } = world.machines[who];
  const renews = core.isActive && holds && bytes[0] !== STOPPED;
  if (renews && world.segment.misbuilt.includes('renewed-by-packet')) extendLease(world, who);
  world.channels = world.channels.map((words, index) =>
    index === channel ? [...words, bytes] : words,
  );
}

/** Takes the first datagram out of a channel. */
export function takeDatagram(world: World, channel: number): Queued {
  const bytes = world.channels[channel]?.[0] ?? new Uint8Array(0);
  world.channels = world.channels.map((words, index) =>
    index === channel ? words.slice(1) : words,
  );
  return { path: (channel & 1) === 0 ? 0 : 1, bytes };
}

/** The first datagram of a channel arrives: read by a running director, queued by a frozen one's socket. */
export function deliver(world: World, channel: number, limit?: number): void {
  const queued = takeDatagram(world, channel);
  const who: Who = channel >> 1 === 0 ? 1 : 0;
  const machine = world.machines[who];
  const path = PATHS[queued.path];
  if (!isOpen(world, channel)) {
    note(world, other(who), { kind: 'lose', word: wordName(queued.bytes), path });
  } else if (machine.life === 'frozen' || machine.life === 'suspended') {
    if (machine.socket.length >= world.segment.socketSize) return;
    machine.socket = [...machine.socket, queued];
    note(world, who, { kind: 'queue', word: wordName(queued.bytes), path });
  } else {
    turn(world, who, queued, limit);
  }
}

/** The kernel fulfils the wish it was given last and says so. */
export function converge(world: World, who: Who): void {
  const machine = world.machines[who];
  const { pending } = machine;
  if (pending === undefined) return;
  const isHeld = pending.role === 'active';
  if (isHeld !== machine.holds) note(world, who, { kind: 'addresses', isHeld });
  machine.holds = isHeld;
  machine.isKernelSlow = false;
  machine.pending = machine.life === 'frozen' ? { ...pending, isDone: true } : undefined;
  if (machine.life === 'running') {
    feed(world, who, { kind: 'converged', now: machine.clock, wish: pending.wish });
  }
}

/** The first announcement of `who` reaches the router, or is lost. */
export function announce(world: World, who: Who, isLost: boolean): void {
  const machine = world.machines[who];
  const [owner, ...rest] = machine.frames;
  machine.frames = rest;
  if (owner === undefined) return;
  const arrives = !isLost && machine.hasLink;
  note(world, who, { kind: 'announce', owner: NODES[owner], isLost: !arrives });
  if (!arrives) return;
  world.isExcused = isWonFromOwner(world, owner);
  believe(world, owner);
}

export function believe(world: World, router: Who | typeof NOBODY): void {
  if (world.router !== router) {
    const believes = router === NOBODY ? 'nobody' : NODES[router];
    world.trace?.push({ at: world.now, node: 'segment', kind: 'router', believes });
  }
  world.router = router;
}

/** A new life of the process, whatever the kernel still holds. */
export function start(world: World, who: Who): void {
  const machine = world.machines[who];
  machine.life = 'running';
  machine.pending = undefined;
  machine.isKernelSlow = false;
  machine.socket = [];
  machine.unfinished = [];
  machine.listenedMs = 0;
  machine.incarnation += 2;
  const settings = world.segment.settings[who];
  const { extended } = settings;
  const own =
    extended === undefined
      ? settings
      : { ...settings, extended: { ...extended, incarnation: machine.incarnation } };
  machine.core = initialState(own, machine.clock, world.segment.broken);
  const hasLiveLease = machine.leaseUntil !== undefined && isLeased(machine);
  if (hasLiveLease) extendLease(world, who);
  feed(world, who, { kind: 'start', now: machine.clock, isForcedActive: false, hasLiveLease });
  if (!machine.hasLink) feed(world, who, { kind: 'links', now: machine.clock, down: ['public'] });
}

/** The next instant. */
export function advance(world: World): void {
  const { stepMs } = world.segment;
  world.now += stepMs;
  world.held = 0;
  for (const machine of world.machines) {
    machine.areFramesHeld = false;
    if (machine.pending?.isDone === false) machine.isKernelSlow = false;
    const stands = machine.life === 'paused' || machine.life === 'suspended';
    if (!stands) machine.clock = after(machine.clock, stepMs);
    if (machine.life === 'running' || machine.life === 'frozen') machine.listenedMs += stepMs;
  }
}

/** First byte of STOPPED, the word of everybody who is not active. */
const STOPPED = 0xbd;

/** RUNNING, STOPPED, or what the trailer says more exactly. */
export function wordName(bytes: Uint8Array): string {
  const trailer = trailerOf(bytes);
  if (trailer?.role === 'claim') return 'CLAIM';
  const decoded = decodeHeartbeat(bytes);
  return decoded.ok ? decoded.value.kind.toUpperCase() : '?';
}

const trailers = new WeakMap<Uint8Array, Trailer>();

/** The trailer of a heartbeat of the extended dialect; undefined: there is none. */
export function trailerOf(bytes: Uint8Array): Trailer | undefined {
  if (bytes.length <= 4) return undefined;
  const known = trailers.get(bytes);
  if (known !== undefined) return known;
  const decoded = decodeTrailer(bytes, ANY_ROUTE, []);
  if (decoded.ok) trailers.set(bytes, decoded.value);
  return decoded.ok ? decoded.value : undefined;
}

/** Without keys the route is not looked at. */
const ANY_ROUTE = { from: ip('0.0.0.0'), to: ip('0.0.0.0') };

export function note(world: World, who: Who, event: TraceEvent): void {
  world.trace?.push({ at: world.now, node: NODES[who], ...event });
}
