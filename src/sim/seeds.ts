/**
 * Randomised long runs: the world is hurt for a while in every way there is, then everything is mended, and within the
 * horizon the pair must be settled: one owner, the router on it. A run is its seed: the same seed, the same run.
 *
 * The search proves short stories; a seed tells one of many faults after another that no search can afford.
 */
import type { Milliseconds } from '../base/index.ts';
import type { Rule } from '../core/index.ts';
import { act } from './act.ts';
import { NOTHING, restingPairs, segment, TIMERS, type Timers } from './arenas.ts';
import {
  ADVANCE,
  type Bounds,
  curesOf,
  FAULT_KINDS,
  interruptions,
  isMishap,
  LONG_CALM,
  possible,
} from './faults.ts';
import { type Property, unsettled } from './properties.ts';
import { opening } from './search.ts';
import type { TraceRecord } from './trace.ts';
import type { World } from './world.ts';

export type SeedOptions = {
  readonly timers?: Timers;
  readonly broken?: readonly Rule[];
};

export type SeedResult = {
  readonly seed: number;
  readonly faults: number;
  /** Losses and delays. */
  readonly mishaps: number;
  readonly tookMs: Milliseconds;
  readonly property: Property | undefined;
  /** From the last rest before the failure; empty when all is well. */
  readonly trace: readonly TraceRecord[];
};

/** How often, for each instant or datagram. */
const FAULT = 0.04;
const CURE = 0.06;
const MISHAP = 0.03;
const INTERRUPTION = 0.002;

/** What holds however many faults there are: how long things last is left to the search. */
const WATCHES: readonly Property[] = [
  'stale-router',
  'two-owners',
  'no-owner',
  'restless',
  'told-too-early',
  'took-unheard',
  'took-by-old-news',
];

const WILD: Bounds = {
  ...NOTHING,
  faults: 1,
  losses: 1,
  delays: 1,
  kinds: FAULT_KINDS.filter((kind) => kind !== 'forget'),
  window: LONG_CALM,
  horizon: LONG_CALM,
  losesAnnouncements: true,
  watches: WATCHES,
};

export function runSeed(seed: number, options: SeedOptions = {}): SeedResult {
  const { timers = TIMERS } = options;
  const random = randomFrom(seed);
  const { keepaliveMs } = timers;
  const on = segment({
    timers,
    paths: random() < 0.5 ? 1 : 2,
    monitorLinks: random() < 0.5,
    steps: 8,
    refreshMs: Math.max(20 * keepaliveMs, 10_000),
    broken: options.broken ?? [],
  });
  const starts = restingPairs(on, WILD);
  const start = starts[Math.floor(random() * starts.length)];
  if (start === undefined) throw new RangeError('no pair at rest');
  const run: Run = { world: { ...start, trace: opening(start) }, faults: 0, mishaps: 0 };
  const hurtUntil = keepaliveMs * (40 + Math.floor(random() * 80));
  while (run.world.now < hurtUntil && run.world.violation === undefined) hurt(run, random);
  mend(run);
  const calmUntil = run.world.now + Math.max(60 * keepaliveMs, 40_000);
  while (run.world.now < calmUntil && run.world.violation === undefined) heal(run, random);
  const property = run.world.violation ?? unsettled(run.world);
  const trace = property === undefined ? [] : (run.world.trace ?? []);
  const { faults, mishaps } = run;
  return { seed, faults, mishaps, tookMs: run.world.now, property, trace };
}

type Run = { world: World; faults: number; mishaps: number };

/** One action, perhaps one that hurts. */
function hurt(run: Run, random: () => number): void {
  // Budgets and calm are renewed, so that nothing is ever over.
  const world = { ...run.world, calm: 1, faultsLeft: 1, lossesLeft: 1, delaysLeft: 1 };
  const actions = possible(world, WILD);
  if (actions[0] === ADVANCE) {
    between(run, world, random);
    return;
  }
  // Everything that is due may come first; mishaps are rare.
  const mishaps = actions.filter(isMishap);
  if (mishaps.length > 0 && random() < MISHAP) {
    run.mishaps++;
    run.world = act(world, oneOf(mishaps, random), WILD);
    return;
  }
  const action = oneOf(
    actions.filter((candidate) => !isMishap(candidate)),
    random,
  );
  if (random() < INTERRUPTION) {
    const rehearsal = act({ ...world, trace: undefined }, action, WILD);
    const broken = interruptions(world, action, rehearsal, WILD);
    if (broken.length > 0) run.faults++;
    run.world = act(world, broken.length > 0 ? oneOf(broken, random) : action, WILD);
    return;
  }
  run.world = act(world, action, WILD);
}

function oneOf(actions: readonly number[], random: () => number): number {
  return actions[Math.floor(random() * actions.length)] ?? ADVANCE;
}

/** An instant is over: time, a fault or a cure. */
function between(run: Run, world: World, random: () => number): void {
  const cures = curesOf(world);
  if (cures.length > 0 && random() < CURE) {
    run.world = act(world, oneOf(cures, random), WILD);
    return;
  }
  const faults = possible(world, WILD).filter(
    (action) => action !== ADVANCE && !cures.includes(action),
  );
  if (faults.length > 0 && random() < FAULT) {
    run.faults++;
    run.world = act(world, oneOf(faults, random), WILD);
    return;
  }
  run.world = act(world, ADVANCE, WILD);
}

function mend(run: Run): void {
  let cures = curesOf(run.world);
  while (cures.length > 0 && run.world.violation === undefined) {
    run.world = act(run.world, cures[0] ?? ADVANCE, WILD);
    cures = curesOf(run.world);
  }
}

/** One action without any fault, in any order. A machine that was stopping when all was mended is started again. */
function heal(run: Run, random: () => number): void {
  const world = { ...run.world, calm: 1, faultsLeft: 0, lossesLeft: 0, delaysLeft: 0 };
  const cures = curesOf(world);
  if (cures.length > 0) {
    run.world = world;
    mend(run);
    return;
  }
  const actions = possible(world, WILD).filter((action) => !cures.includes(action));
  run.world = act(world, oneOf(actions, random), WILD);
}

/** Numbers of [0, 1) from a seed (splitmix32). */
function randomFrom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
  };
}
