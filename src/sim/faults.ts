/**
 * What can happen next in a world: the orders of what is due, and the faults with their cures.
 *
 * An action is a small number, `kind * 64 + argument`, so that a search of millions of states remembers how it came to
 * each in six bytes. Faults strike when an instant is over, except those that interrupt a turn between two of its
 * effects. Each fault, loss and delay costs from a budget; a cure is free, may come at any later instant of the
 * window or never, and comes once.
 */

import { isAnswering, isDue, isUp } from './looks.ts';
import { isWholePair, type Property, unsettled } from './properties.ts';
import { BOTH, NOBODY, type Who, type World } from './world.ts';

export const FAULT_KINDS = [
  'cut', // one direction of one path
  'split', // both directions of all paths
  'freeze', // the process stands still, its socket fills, its kernel answers
  'freeze-in-turn', // the same between two effects of a turn
  'pause', // the machine stands still and is cut off, its clock too
  'suspend', // the same, but what is sent to it waits in its network card
  'kill', // kill -9: the addresses stay
  'kill-in-turn',
  'power', // off: everything is gone
  'stop', // TERM
  'link', // the cable that carries the VIPs and the public path
  'services', // the virtual services fail: not able to own; a reload mends it
  'deaf', // the receiver of a standby dies, or of an owner that can find out; what it says passes
  'witness', // the host that may be asked whether anybody is there dies
  'forget', // the router deletes its entry and asks
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

/** What may go wrong in a search, and how often. */
export type Bounds = {
  readonly faults: number;
  readonly losses: number;
  readonly delays: number;
  readonly kinds: readonly FaultKind[];
  /** The kinds of the first fault, of the second, and so on, where an order is wanted; each is among `kinds`. */
  readonly order?: readonly (readonly FaultKind[])[];
  /** Instants after a fault or a cure in which the next may come; another may come when all has settled. */
  readonly window: number;
  /** Instants after the last of them by which the pair must be settled; below LONG_CALM. */
  readonly horizon: number;
  /** A loss may hit an announcement, too; only a slow repetition cures the worst of these. */
  readonly losesAnnouncements: boolean;
  /** A split heals wholly or by one direction, the other then stays; one after the other when absent. */
  readonly isHealedOnce?: true;
  /** Not even for a moment two owners. */
  readonly isDoubleForbidden: boolean;
  /** After a fault or a cure the VIPs are raised once at most. */
  readonly isRaisedOnce?: true;
  /** Properties that are judged; all when absent. */
  readonly watches?: readonly Property[];
};

export const ACTIONS = [
  'advance',
  'wake',
  'deliver',
  'delay',
  'lose',
  'announce',
  'delay-announcement',
  'lose-announcement',
  'converge',
  'converge-late',
  'ask',
  'freeze-in-wake',
  'freeze-in-delivery',
  'kill-in-wake',
  'kill-in-delivery',
  'cut',
  'heal',
  'heal-all',
  'split',
  'freeze',
  'thaw',
  'pause',
  'resume',
  'kill',
  'start',
  'power-off',
  'power-on',
  'stop',
  'link-down',
  'link-up',
  'forget',
  'suspend',
  'services-fail',
  'reload',
  'deafen',
  'hear-again',
  'witness-down',
  'witness-up',
  'long-wait',
] as const;
export type ActionKind = (typeof ACTIONS)[number];
const NUMBERS = new Map<ActionKind, number>(ACTIONS.map((kind, index) => [kind, index * 64]));

export function action(kind: ActionKind, argument = 0): number {
  return (NUMBERS.get(kind) ?? 0) + argument;
}

/** `calm` of a world that has been left alone until every bucket of announcements is full again. */
export const LONG_CALM = 250;
export const ADVANCE = action('advance');

/** Every action possible now, what happens without any fault first; empty: this world is done with. */
export function possible(world: World, bounds: Bounds): number[] {
  const actions: number[] = [];
  if (world.violation !== undefined) return actions;
  if (addAtOnce(actions, world, bounds) || addDue(actions, world, bounds)) return actions;
  const isOver = world.calm > bounds.window && world.calm !== LONG_CALM;
  const trouble = unsettled(world);
  if (trouble !== undefined) {
    if (world.calm === LONG_CALM) world.violation = 'rest-disturbed';
    else if (world.calm >= bounds.horizon) world.violation = trouble;
    pardon(world, bounds);
    if (world.violation !== undefined) return actions;
    actions.push(ADVANCE);
    if (!isOver) addEvents(actions, world, bounds);
    return actions;
  }
  const cures = curesOf(world);
  const budget = world.faultsLeft + world.lossesLeft + world.delaysLeft;
  if (budget === 0 && cures.length === 0) return actions;
  if (isOver) return [action('long-wait')];
  if (world.calm === LONG_CALM && isWholePair(world) && !isFresh(world, bounds)) return actions;
  actions.push(ADVANCE);
  addEvents(actions, world, bounds);
  return actions;
}

/** The whole budget is there: a world to start from. The others at rest are covered by it. */
function isFresh(world: World, bounds: Bounds): boolean {
  return (
    world.faultsLeft === bounds.faults &&
    world.lossesLeft === bounds.losses &&
    world.delaysLeft === bounds.delays
  );
}

/** Kernel and router: nothing else happens before them. */
function addAtOnce(actions: number[], world: World, bounds: Bounds): boolean {
  const mayHurt = world.calm <= bounds.window || world.calm === LONG_CALM;
  for (const who of BOTH) {
    const machine = world.machines[who];
    if (machine.frames.length > 0 && !machine.areFramesHeld) {
      actions.push(action('announce', who));
      if (world.delaysLeft > 0 && mayHurt) actions.push(action('delay-announcement', who));
      if (world.lossesLeft > 0 && mayHurt && bounds.losesAnnouncements) {
        actions.push(action('lose-announcement', who));
      }
      return true;
    }
    const { pending } = machine;
    if (pending !== undefined && !pending.isDone && !machine.isKernelSlow && isUp(machine)) {
      actions.push(action('converge', who));
      if (world.delaysLeft > 0 && mayHurt) actions.push(action('converge-late', who));
      return true;
    }
  }
  if (world.router !== NOBODY) return false;
  for (const who of BOTH) {
    if (isAnswering(world.machines[who])) actions.push(action('ask', who));
  }
  return actions.length > 0;
}

/** Turns and deliveries: in any order. */
function addDue(actions: number[], world: World, bounds: Bounds): boolean {
  const mayHurt = world.calm <= bounds.window || world.calm === LONG_CALM;
  for (const who of BOTH) {
    if (isDue(world.machines[who])) actions.push(action('wake', who));
  }
  for (let channel = 0; channel < world.channels.length; channel++) {
    if (world.channels[channel]?.length === 0 || (world.held >> channel) & 1) continue;
    actions.push(action('deliver', channel));
    if (world.delaysLeft > 0 && mayHurt) actions.push(action('delay', channel));
    if (world.lossesLeft > 0 && mayHurt) actions.push(action('lose', channel));
  }
  return actions.length > 0;
}

/**
 * The ways in which the turn that `taken` stands for can be interrupted, given the world it led to: before each of its
 * effects. A freeze before the first one is the freeze just before a send.
 */
export function interruptions(
  before: World,
  taken: number,
  { turnEffects }: World,
  bounds: Bounds,
): number[] {
  const actions: number[] = [];
  const kind = ACTIONS[taken >> 6];
  const mayStrike = before.calm <= bounds.window || before.calm === LONG_CALM;
  if (before.faultsLeft === 0 || !mayStrike || (kind !== 'wake' && kind !== 'deliver')) {
    return actions;
  }
  const kinds = nextKinds(before, bounds);
  const argument = (taken & 63) * 8;
  for (let effect = 0; effect < Math.min(turnEffects, 8); effect++) {
    if (kinds.includes('freeze-in-turn')) {
      const where = kind === 'wake' ? 'freeze-in-wake' : 'freeze-in-delivery';
      actions.push(action(where, argument + effect));
    }
    if (kinds.includes('kill-in-turn')) {
      const where = kind === 'wake' ? 'kill-in-wake' : 'kill-in-delivery';
      actions.push(action(where, argument + effect));
    }
  }
  return actions;
}

function addEvents(actions: number[], world: World, bounds: Bounds): void {
  addCures(actions, world);
  if (world.faultsLeft === 0) return;
  for (const kind of nextKinds(world, bounds)) {
    if (kind === 'split') {
      if (world.cuts === 0) actions.push(action('split'));
    } else if (kind === 'cut') {
      addCuts(actions, world);
    } else if (kind === 'forget') {
      actions.push(action('forget'));
    } else if (kind === 'witness') {
      if (world.isWitnessUp) actions.push(action('witness-down'));
    } else {
      for (const who of BOTH) addMachineFault(actions, world, kind, who);
    }
  }
}

function nextKinds({ faultsLeft }: World, { kinds, faults, order }: Bounds): readonly FaultKind[] {
  return order?.[faults - faultsLeft] ?? kinds;
}

function addCuts(actions: number[], world: World): void {
  for (const who of BOTH) {
    const { paths } = world.segment.settings[who];
    for (let path = 0; path < paths.length; path++) {
      const channel = who * 2 + path;
      if (((world.cuts >> channel) & 1) === 0) actions.push(action('cut', channel));
    }
  }
}

function addMachineFault(actions: number[], world: World, kind: FaultKind, who: Who): void {
  const { life, hasLink, isDeaf, core } = world.machines[who];
  if (kind === 'power' && life !== 'off') actions.push(action('power-off', who));
  if (kind === 'kill' && (life === 'running' || life === 'frozen')) {
    actions.push(action('kill', who));
  }
  if (life !== 'running') return;
  if (kind === 'freeze') actions.push(action('freeze', who));
  if (kind === 'pause') actions.push(action('pause', who));
  if (kind === 'stop') actions.push(action('stop', who));
  if (kind === 'link' && hasLink) actions.push(action('link-down', who));
  if (kind === 'suspend') actions.push(action('suspend', who));
  if (kind === 'services' && !core.areServicesFailed) actions.push(action('services-fail', who));
  const findsOut = core.settings.extended?.namesWitnesses === true;
  if (kind === 'deaf' && !isDeaf && (findsOut || !core.isActive)) {
    actions.push(action('deafen', who));
  }
}

/** What would mend what is broken. */
export function curesOf(world: World): number[] {
  const cures: number[] = [];
  addCures(cures, world);
  return cures;
}

function addCures(actions: number[], world: World): void {
  const isOneCut = (world.cuts & (world.cuts - 1)) === 0;
  for (let channel = 0; channel < 4; channel++) {
    const isHealable = (world.cuts >> channel) & 1 && !(world.isSplit && isOneCut);
    if (isHealable) actions.push(action('heal', channel));
  }
  if (!isOneCut) actions.push(action('heal-all'));
  if (!world.isWitnessUp) actions.push(action('witness-up'));
  for (const who of BOTH) {
    const { life, hasLink, isDeaf, core } = world.machines[who];
    if (life === 'frozen') actions.push(action('thaw', who));
    if (life === 'paused' || life === 'suspended') actions.push(action('resume', who));
    if (isDeaf) actions.push(action('hear-again', who));
    if (life === 'running' && core.areServicesFailed) actions.push(action('reload', who));
    if (life === 'killed' || life === 'stopped') actions.push(action('start', who));
    if (life === 'off') actions.push(action('power-on', who));
    if (life === 'running' && !hasLink) actions.push(action('link-up', who));
  }
}

/** Does this action lose or delay something? */
export function isMishap(action: number): boolean {
  const kind = ACTIONS[action >> 6];
  return (
    kind === 'delay' ||
    kind === 'lose' ||
    kind === 'delay-announcement' ||
    kind === 'lose-announcement' ||
    kind === 'converge-late'
  );
}

/** Forgets what this search does not look for. */
export function pardon(world: World, { watches }: Bounds): void {
  const { violation } = world;
  if (violation !== undefined && watches?.includes(violation) === false) {
    world.violation = undefined;
  }
}
