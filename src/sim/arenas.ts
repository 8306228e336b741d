/**
 * Arenas: what is searched. Each is a pair of directors, what may go wrong and how often, and where it starts.
 *
 * A search ends only if everything in it is bounded, so no single one has every fault at once: each arena puts the faults
 * together that meet in practice. The sum of their states is the number `piranha sim --exhaustive` prints.
 */
import { ip, type Milliseconds } from '../base/index.ts';
import type { ExtendedSettings, FailoverSettings, Rule } from '../core/index.ts';
import { act, LONG_WAIT_MS } from './act.ts';
import { ADVANCE, type Bounds, type FaultKind, LONG_CALM, possible } from './faults.ts';
import { type Property, unsettled } from './properties.ts';
import {
  darkWorld,
  draft,
  type Misbuild,
  type Segment,
  start,
  type Who,
  type World,
} from './world.ts';

export type Timers = { readonly keepaliveMs: Milliseconds; readonly deadtimeMs: Milliseconds };
export const TIMERS: Timers = { keepaliveMs: 1000, deadtimeMs: 3000 };

export type SegmentOptions = {
  readonly timers?: Timers;
  readonly paths?: 1 | 2;
  readonly monitorLinks?: boolean;
  /** Steps of time in a keepalive. */
  readonly steps?: number;
  /** Between the slow repetitions of an announcement; none when absent. */
  readonly refreshMs?: Milliseconds;
  /** The slow repetition is not imagined, and what only it cures is excused. */
  readonly reliesOnRefresh?: true;
  readonly isExtended?: true;
  /** Whom a director may ask whether anybody is there: a neighbour that is known, or one of `witness_hosts`. */
  readonly witness?: 'known' | 'named';
  /** The router learns from questions only; directors ask it whether it believes them. */
  readonly ignoresAnnouncements?: true;
  /** Another than the one that fits the timers; 0: none. */
  readonly leaseMs?: Milliseconds;
  /** Datagrams that fit into a socket that nobody reads: the oldest stay. Six when absent. */
  readonly socketSize?: number;
  readonly broken?: readonly Rule[];
  readonly misbuilt?: readonly Misbuild[];
};

/** Timers of the extended dialect that fit the steps of time: a delayed datagram takes 100 ms. */
const EXTENDED_TIMERS: Timers = { keepaliveMs: 200, deadtimeMs: 1200 };
const EXTENDED: ExtendedSettings = {
  incarnation: 0,
  settleMs: 300,
  delayMs: 100,
  leaseMs: 700,
  keys: [],
  serialNo: 1,
  configDigest: '0000000000000000',
  linkAddresses: [],
  hasWitness: false,
  namesWitnesses: false,
};

/** A pair of directors with one VIP, node by node as their lvs.cf would have it. */
export function segment(options: SegmentOptions = {}): Segment {
  const { isExtended, steps = 4 } = options;
  const { timers = isExtended ? EXTENDED_TIMERS : TIMERS } = options;
  return {
    settings: [settingsOf(0, options, timers), settingsOf(1, options, timers)],
    broken: options.broken ?? [],
    misbuilt: options.misbuilt ?? [],
    ignoresAnnouncements: options.ignoresAnnouncements ?? false,
    reliesOnRefresh: options.reliesOnRefresh ?? false,
    stepMs: timers.keepaliveMs / steps,
    socketSize: options.socketSize ?? 6,
  };
}

const PUBLIC = [ip('198.51.100.11'), ip('198.51.100.12')] as const;
const PRIVATE = [ip('192.0.2.11'), ip('192.0.2.12')] as const;
const VIP = ip('198.51.100.100');

function settingsOf(who: Who, options: SegmentOptions, timers: Timers): FailoverSettings {
  const { refreshMs, witness, leaseMs = EXTENDED.leaseMs } = options;
  const asks = { hasWitness: witness !== undefined, namesWitnesses: witness === 'named' };
  const asksWitnesses = options.ignoresAnnouncements === true;
  const verifies = asksWitnesses || refreshMs !== undefined;
  const partner = who === 0 ? 1 : 0;
  const first = { name: 'public', own: PUBLIC[who], partner: PUBLIC[partner] } as const;
  const second = { name: 'private', own: PRIVATE[who], partner: PRIVATE[partner] } as const;
  return {
    node: who === 0 ? 'primary' : 'backup',
    paths: options.paths === 2 ? [first, second] : [first],
    ...timers,
    dialect: options.isExtended ? 'auto' : 'legacy',
    ...(options.isExtended ? { extended: { ...EXTENDED, ...asks, leaseMs } } : {}),
    failback: 'none',
    monitorLinks: options.monitorLinks ?? false,
    vips: [VIP],
    ...(verifies && { verification: { asksWitnesses, unasked: [], refreshMs: refreshMs ?? 0 } }),
  };
}

/** No faults: things take their course. */
export const NOTHING: Bounds = {
  faults: 0,
  losses: 0,
  delays: 0,
  kinds: [],
  window: 0,
  horizon: LONG_CALM - 1,
  losesAnnouncements: false,
  isDoubleForbidden: false,
};

/** A pair at rest for long: `owner` active, its partner started `offset` steps of time later than a whole keepalive. */
export function atRest(on: Segment, owner: Who, offset: number): World {
  const keepalive = on.settings[0].keepaliveMs / on.stepMs;
  const first = takeCourse(powerOn(darkWorld(on), owner), 6 * keepalive + offset);
  const world = takeCourse(powerOn(first, owner === 0 ? 1 : 0), LONG_WAIT_MS / on.stepMs);
  const trouble = unsettled(world);
  if (trouble !== undefined) throw new RangeError(`a pair that does not come to rest: ${trouble}`);
  const rested = draft(world);
  for (const machine of rested.machines) machine.announced = 0;
  return { ...rested, now: 0, calm: LONG_CALM, isMild: true };
}

function powerOn(world: World, who: Who): World {
  const next = draft(world);
  start(next, who);
  return { ...next, calm: 0 };
}

const UNJUDGED: Bounds = { ...NOTHING, watches: [] };

/** `instants` of the world without any fault. */
export function takeCourse(world: World, instants: number): World {
  let next = world;
  const until = world.now + instants * world.segment.stepMs;
  while (next.now < until) {
    next = act({ ...next, calm: 1 }, possible(next, UNJUDGED)[0] ?? ADVANCE, UNJUDGED);
  }
  return next;
}

/** Pairs at rest in every phase of their two timers, with a search's whole budget. */
export function restingPairs(on: Segment, bounds: Bounds): World[] {
  const steps = on.settings[0].keepaliveMs / on.stepMs;
  const worlds: World[] = [];
  for (let offset = 0; offset < steps; offset++) {
    worlds.push(funded(atRest(on, 0, offset), bounds), funded(atRest(on, 1, offset), bounds));
  }
  return worlds;
}

export type Arena = {
  readonly name: string;
  readonly about: string;
  readonly segment: SegmentOptions;
  /**
   * Where it starts: at rest, one of them active (absent); switched off; switched on at the same
   * moment; the same with one direction cut.
   */
  readonly starts?: 'dark' | 'together' | 'one-way';
  readonly bounds: Partial<Bounds>;
  /** Too large for every day. */
  readonly isDeep?: true;
  /** One row of a long table. */
  readonly isOneOfMany?: true;
};

const CABLES = ['cut', 'split'] as const;
const MACHINES = ['freeze', 'freeze-in-turn', 'kill', 'kill-in-turn', 'power', 'stop'] as const;
const EVERYTHING = [...CABLES, ...MACHINES, 'pause'] as const;

const NAMED_ARENAS: readonly Arena[] = [
  {
    name: 'cables',
    about: 'two cuts of any direction, healed together, one by one or never',
    segment: { steps: 2 },
    bounds: { faults: 2, kinds: CABLES },
  },
  {
    name: 'cables-late',
    about: 'one cut, a datagram, frame or kernel that takes a step longer, in finer time',
    segment: { steps: 4 },
    bounds: { faults: 1, delays: 1, kinds: CABLES },
  },
  {
    name: 'cables-loss',
    about: 'one cut and a lost heartbeat, in finer time',
    segment: { steps: 4 },
    bounds: { faults: 1, losses: 1, kinds: CABLES },
  },
  {
    name: 'machines',
    about: 'two of freeze, kill -9, power failure, clean stop; also in the middle of a turn',
    segment: { steps: 2 },
    bounds: { faults: 2, kinds: MACHINES },
  },
  {
    name: 'one-of-all',
    about: 'one fault of any kind and a delay, in finer time',
    segment: { steps: 4 },
    bounds: { faults: 1, delays: 1, kinds: EVERYTHING },
  },
  {
    name: 'pause-loss',
    about: 'a paused machine and a lost heartbeat, in finer time',
    segment: { steps: 4 },
    bounds: { faults: 1, losses: 1, kinds: ['pause'] },
  },
  {
    name: 'two-paths',
    about: 'a cut on either of two heartbeat paths',
    segment: { steps: 2, paths: 2 },
    bounds: { faults: 1, kinds: CABLES },
  },
  {
    name: 'links',
    about: 'monitor_links: two pulled cables',
    segment: { steps: 2, monitorLinks: true },
    bounds: { faults: 2, kinds: ['link'] },
  },
  {
    name: 'cold-start',
    about: 'both machines switched on at any two moments, one stopped and started again',
    segment: { steps: 4 },
    starts: 'dark',
    bounds: { faults: 1, kinds: ['stop'], window: 40, isDoubleForbidden: true },
  },
  {
    name: 'bug-140414',
    about:
      'a director frozen or paused for any time, nothing lost: the story this project starts from',
    segment: { steps: 4 },
    bounds: { faults: 1, kinds: ['freeze', 'freeze-in-turn', 'pause'] },
  },
  {
    name: 'repeating',
    about: 'one fault of any kind and any loss; the owner repeats its announcement',
    segment: { steps: 2, refreshMs: 6000 },
    bounds: { faults: 1, losses: 1, losesAnnouncements: true, kinds: EVERYTHING, horizon: 36 },
  },
  {
    name: 'leases',
    about: 'extended dialect: one of freeze, kill -9, power, stop, at any effect; never two owners',
    segment: { steps: 2, isExtended: true, socketSize: 3 },
    bounds: { faults: 1, kinds: MACHINES, isDoubleForbidden: true, horizon: 120 },
  },
  {
    name: 'late-deeds',
    about:
      'extended dialect: frozen twice, also between any two effects of a turn; never two owners',
    segment: { steps: 2, isExtended: true },
    bounds: { faults: 2, kinds: ['freeze-in-turn'], isDoubleForbidden: true, horizon: 120 },
  },
  {
    name: 'claims',
    about: 'extended dialect: a cut or a paused machine',
    segment: { steps: 2, isExtended: true },
    bounds: { faults: 1, kinds: [...CABLES, 'pause'], horizon: 120 },
  },
  {
    name: 'claims-loss',
    about: 'extended dialect: a cut or a paused machine, and a lost heartbeat',
    segment: { steps: 2, isExtended: true },
    bounds: { faults: 1, losses: 1, kinds: [...CABLES, 'pause'], horizon: 120 },
    isDeep: true,
  },
  {
    name: 'one-way',
    about: 'extended dialect: one direction cut and a delay; not even for a moment two owners',
    segment: { steps: 2, isExtended: true },
    bounds: { faults: 1, delays: 1, kinds: ['cut'], isDoubleForbidden: true, horizon: 120 },
  },
  {
    name: 'cold-claims',
    about: 'extended dialect: switched on at any two moments, with a delay; never two owners',
    segment: { steps: 2, isExtended: true },
    starts: 'dark',
    bounds: { delays: 1, isDoubleForbidden: true, horizon: 120 },
  },
  {
    name: 'cold-split',
    about: 'extended dialect: switched on together, parted, healed at once, by halves or never',
    segment: { steps: 2, isExtended: true },
    starts: 'together',
    bounds: { faults: 1, kinds: ['split'], horizon: 120 },
  },
  {
    name: 'cold-one-way',
    about: 'extended dialect: switched on where one direction was never whole; one takeover',
    segment: { steps: 2, isExtended: true },
    starts: 'one-way',
    bounds: { isRaisedOnce: true, isDoubleForbidden: true, horizon: 120 },
  },
  {
    name: 'suspended',
    about:
      'extended dialect: a suspended machine, whose network card keeps what it is sent, and a loss',
    segment: { steps: 2, isExtended: true },
    bounds: { faults: 1, losses: 1, kinds: ['suspend'], horizon: 120 },
  },
  {
    name: 'handover',
    about: 'extended dialect: a clean stop, and a datagram or kernel that takes longer',
    segment: { steps: 2, isExtended: true },
    bounds: { faults: 1, delays: 1, kinds: ['stop'], isDoubleForbidden: true, horizon: 120 },
  },
  {
    name: 'deaf-standby',
    about: 'extended dialect: the receiver of a standby dies, a neighbour can be asked',
    segment: { steps: 2, isExtended: true, witness: 'known' },
    bounds: { faults: 1, losses: 1, kinds: ['deaf'], isDoubleForbidden: true, horizon: 120 },
  },
  {
    name: 'witnesses',
    about: 'extended dialect, witness_hosts: the witness, a receiver or the cable of the VIPs dies',
    segment: { steps: 2, isExtended: true, witness: 'named' },
    bounds: { faults: 1, kinds: ['witness', 'deaf', 'link'], horizon: 120 },
  },
  {
    name: 'stubborn-router',
    about: 'extended dialect: a router that learns from questions only, one of freeze, power, stop',
    segment: { steps: 2, isExtended: true, ignoresAnnouncements: true },
    bounds: { faults: 1, kinds: ['freeze', 'power', 'stop'], horizon: 120 },
  },
];

/** Everything that can befall a pair in the extended dialect, where nobody can be asked. */
const ALL_FAULTS = [...EVERYTHING, 'suspend', 'services'] as const;

/**
 * Two faults of any kind, each kind after each. All of them at once would be one search that outgrows every memory; the
 * first fault chosen, and the second, it is many that end. What they have in common (the first fault alone) is searched
 * once for each.
 */
const TWO_FAULTS: readonly Arena[] = [
  ...pairs(ALL_FAULTS, 'extended', { steps: 2, isExtended: true, reliesOnRefresh: true }, 120),
  ...pairs(EVERYTHING, 'legacy', { steps: 2, refreshMs: 6000 }, 36),
];

function pairs(
  kinds: readonly FaultKind[],
  dialect: string,
  on: SegmentOptions,
  horizon: number,
): Arena[] {
  return kinds.flatMap((first) =>
    kinds.map((second) => ({
      name: `${dialect}:${first}+${second}`,
      about: `${dialect} dialect: ${first}, then ${second}`,
      segment: on,
      bounds: {
        faults: 2,
        kinds: [first, second],
        order: [[first], [second]],
        horizon,
        isHealedOnce: true,
      },
      isDeep: true,
      isOneOfMany: true,
    })),
  );
}

export const ARENAS: readonly Arena[] = [...NAMED_ARENAS, ...TWO_FAULTS];

/** The worlds from which an arena is searched, and its bounds in full. */
export function enter(
  arena: Arena,
  broken: readonly Rule[] = [],
  watches?: readonly Property[],
): { readonly starts: readonly World[]; readonly bounds: Bounds } {
  const on = segment({ ...arena.segment, broken });
  const { steps = 4 } = arena.segment;
  const { keepaliveMs, deadtimeMs } = on.settings[0];
  const deadtime = (deadtimeMs / keepaliveMs) * steps;
  const bounds: Bounds = {
    ...NOTHING,
    window: deadtime + steps,
    horizon: 4 * deadtime,
    ...arena.bounds,
    ...(watches === undefined ? {} : { watches }),
  };
  switch (arena.starts) {
    case 'dark':
      return { starts: darkPair(on, bounds), bounds };
    case 'together':
      return { starts: [coldPair(on, bounds)], bounds };
    case 'one-way':
      return { starts: [1, 4].map((cuts) => ({ ...coldPair(on, bounds), cuts })), bounds };
    default:
      return { starts: restingPairs(on, bounds), bounds };
  }
}

/** Both machines are switched off; switching them on is a cure, at any moment of the window. */
export function darkPair(on: Segment, bounds: Bounds): World[] {
  return [funded(darkWorld(on), bounds)];
}

/** Both have just been switched on. */
function coldPair(on: Segment, bounds: Bounds): World {
  return funded(powerOn(powerOn(darkWorld(on), 0), 1), bounds);
}

function funded(world: World, { faults, losses, delays }: Bounds): World {
  return { ...world, faultsLeft: faults, lossesLeft: losses, delaysLeft: delays };
}
