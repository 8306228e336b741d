/**
 * What an action does to a world: faults.ts says what may happen, this carries it out.
 *
 * Each action gives a new world; the one before is left as it is, so that a search can try every other action on it. The
 * properties that hold at every moment are judged here, after each.
 */
import {
  ACTIONS,
  type ActionKind,
  ADVANCE,
  action,
  type Bounds,
  LONG_CALM,
  pardon,
  possible,
} from './faults.ts';
import { isLate } from './looks.ts';
import { judgeInstant, judgeMoment } from './properties.ts';
import {
  advance,
  announce,
  believe,
  converge,
  deliver,
  draft,
  feed,
  hear,
  NOBODY,
  note,
  perform,
  start,
  takeDatagram,
  turn,
  type Who,
  type World,
  wordName,
} from './world.ts';

/** The world after `taken`; the one given is left as it is. */
export function act(world: World, taken: number, bounds: Bounds): World {
  const next = draft(world);
  const kind = ACTIONS[taken >> 6] ?? 'advance';
  const argument = taken & 63;
  if (taken >= action('freeze-in-wake') && kind !== 'long-wait') {
    next.calm = 0;
    next.raised = 0;
    next.ownerlessMs = 0;
    next.doubleMs = 0;
    next.staleMs = 0;
    for (const machine of next.machines) machine.announced = 0;
  }
  if (kind === 'stop' && isAmid(world, bounds)) next.isMild = false;
  perpetrate(next, kind, argument, bounds);
  judgeMoment(next, bounds);
  pardon(next, bounds);
  return next;
}

/** A stop amid another fault is no handover: who gave the VIPs up may still wait for the one that stops now. */
function isAmid({ calm, cuts, faultsLeft }: World, { faults }: Bounds): boolean {
  return cuts !== 0 || (calm !== LONG_CALM && faultsLeft < faults);
}

function perpetrate(world: World, kind: ActionKind, argument: number, bounds: Bounds): void {
  const who: Who = (argument & 1) === 0 ? 0 : 1;
  switch (kind) {
    case 'advance':
      judgeInstant(world, bounds);
      advance(world);
      if (world.calm !== LONG_CALM) world.calm++;
      return;
    case 'wake':
      turn(world, who, undefined);
      return;
    case 'deliver':
      deliver(world, argument);
      return;
    case 'announce':
      announce(world, who, false);
      return;
    case 'converge':
      converge(world, who);
      return;
    case 'ask':
      world.isExcused = world.machines[who].life !== 'running';
      believe(world, who);
      return;
    case 'long-wait':
      waitLong(world, bounds);
      return;
    case 'delay':
    case 'delay-announcement':
    case 'converge-late':
      delay(world, kind, argument);
      return;
    case 'lose':
    case 'lose-announcement':
      lose(world, kind, argument);
      return;
    case 'freeze-in-wake':
    case 'freeze-in-delivery':
    case 'kill-in-wake':
    case 'kill-in-delivery':
      interrupt(world, kind, argument);
      return;
    case 'cut':
    case 'heal':
    case 'heal-all':
    case 'split':
    case 'forget':
    case 'witness-down':
    case 'witness-up':
      strikeSegment(world, kind, argument, bounds);
      return;
    default:
      strikeMachine(world, kind, who);
      return;
  }
}

function delay(
  world: World,
  kind: 'delay' | 'delay-announcement' | 'converge-late',
  argument: number,
): void {
  world.delaysLeft--;
  world.calm = 0;
  const who: Who = (argument & 1) === 0 ? 0 : 1;
  if (kind === 'delay') {
    world.held |= 1 << argument;
    const sender = argument >> 1 === 0 ? 0 : 1;
    const word = wordName(world.channels[argument]?.[0] ?? new Uint8Array(0));
    note(world, sender, { kind: 'delay', word, path: argument & 1 ? 'private' : 'public' });
  } else if (kind === 'delay-announcement') {
    world.machines[who].areFramesHeld = true;
    note(world, who, { kind: 'event', text: 'announcement delayed' });
  } else {
    world.machines[who].isKernelSlow = true;
    note(world, who, { kind: 'event', text: 'kernel is slow' });
  }
}

function lose(world: World, kind: 'lose' | 'lose-announcement', argument: number): void {
  world.lossesLeft--;
  world.calm = 0;
  if (kind === 'lose-announcement') {
    announce(world, (argument & 1) === 0 ? 0 : 1, true);
    return;
  }
  const { bytes } = takeDatagram(world, argument);
  const path = argument & 1 ? 'private' : 'public';
  note(world, argument >> 1 === 0 ? 0 : 1, { kind: 'lose', word: wordName(bytes), path });
}

function interrupt(
  world: World,
  kind: 'freeze-in-wake' | 'freeze-in-delivery' | 'kill-in-wake' | 'kill-in-delivery',
  argument: number,
): void {
  blame(world);
  const limit = argument & 7;
  const isWake = kind === 'freeze-in-wake' || kind === 'kill-in-wake';
  const where = argument >> 3;
  const who: Who = (isWake ? where : (where >> 1) ^ 1) === 0 ? 0 : 1;
  if (isWake) turn(world, who, undefined, limit);
  else deliver(world, where, limit);
  const machine = world.machines[who];
  const isFrozen = kind === 'freeze-in-wake' || kind === 'freeze-in-delivery';
  machine.life = isFrozen ? 'frozen' : 'killed';
  if (!isFrozen) machine.unfinished = [];
  note(world, who, { kind: 'event', text: `${machine.life} in the middle of a turn` });
}

/** A fault that is more than a cut: an incident in which the VIP may be missed for a while. */
function blame(world: World): void {
  world.faultsLeft--;
  world.isMild = false;
}

function strikeSegment(
  world: World,
  kind: 'cut' | 'heal' | 'heal-all' | 'split' | 'forget' | 'witness-down' | 'witness-up',
  channel: number,
  { isHealedOnce }: Bounds,
): void {
  const path = channel & 1 ? ' (private)' : '';
  const direction = channel >> 1 === 0 ? `primary -> backup${path}` : `backup -> primary${path}`;
  const say = (text: string): void => {
    world.trace?.push({ at: world.now, node: 'segment', kind: 'event', text });
  };
  if (kind === 'cut' || kind === 'split' || kind === 'forget' || kind === 'witness-down') {
    world.faultsLeft--;
  }
  switch (kind) {
    case 'cut':
      world.cuts |= 1 << channel;
      say(`cut ${direction}`);
      return;
    case 'split':
      world.cuts = world.segment.settings[0].paths.length > 1 ? 0b1111 : 0b0101;
      world.isSplit = isHealedOnce === true;
      say('split: no path either way');
      return;
    case 'heal':
      world.cuts &= ~(1 << channel);
      world.isSplit &&= world.cuts !== 0;
      say(`healed ${direction}`);
      return;
    case 'heal-all':
      world.cuts = 0;
      world.isSplit = false;
      say('healed: every path carries');
      return;
    case 'forget':
      say('the router forgets the VIP');
      believe(world, NOBODY);
      return;
    case 'witness-down':
      world.isWitnessUp = false;
      say('the witness dies');
      return;
    case 'witness-up':
      world.isWitnessUp = true;
      say('the witness is back');
      return;
  }
}

function strikeMachine(world: World, kind: ActionKind, who: Who): void {
  const machine = world.machines[who];
  const tell = (text: string): void => note(world, who, { kind: 'event', text });
  switch (kind) {
    case 'freeze':
      blame(world);
      machine.life = 'frozen';
      tell('frozen');
      return;
    case 'thaw':
      tell('wakes');
      thaw(world, who);
      return;
    case 'pause':
      blame(world);
      machine.life = 'paused';
      tell('paused and cut off');
      return;
    case 'suspend':
      blame(world);
      machine.life = 'suspended';
      tell('suspended');
      return;
    case 'resume':
      tell('resumes');
      if (machine.life === 'suspended') catchUp(world, who, false);
      else machine.life = 'running';
      return;
    case 'services-fail':
      blame(world);
      tell('services fail');
      feed(world, who, { kind: 'services', now: machine.clock, health: 'failed' });
      return;
    case 'reload':
      tell('reload');
      feed(world, who, {
        kind: 'settings',
        now: machine.clock,
        settings: machine.core.settings,
      });
      return;
    case 'deafen':
      // Only the owner's receiver is missed by anybody.
      if (machine.core.isActive) blame(world);
      else world.faultsLeft--;
      machine.isDeaf = true;
      tell('receives nothing more');
      return;
    case 'hear-again':
      machine.isDeaf = false;
      tell('receives again');
      return;
    case 'kill':
      blame(world);
      machine.life = 'killed';
      machine.socket = [];
      machine.unfinished = [];
      tell('killed, addresses stay');
      return;
    case 'start':
    case 'power-on':
      tell('starts');
      start(world, who);
      return;
    case 'power-off':
      blame(world);
      Object.assign(machine, { life: 'off', holds: false, pending: undefined, frames: [] });
      Object.assign(machine, { socket: [], unfinished: [], isKernelSlow: false });
      machine.leaseUntil = undefined;
      machine.claimUntil = undefined;
      tell('power off');
      return;
    case 'stop':
      // Between two that know claims a stop is a handover, and nobody may miss the VIP for long.
      if (machine.core.settings.dialect === 'legacy') blame(world);
      else world.faultsLeft--;
      tell('TERM');
      feed(world, who, { kind: 'stop', now: machine.clock });
      return;
    case 'link-down':
      blame(world);
      machine.hasLink = false;
      tell('cable pulled');
      feed(world, who, { kind: 'links', now: machine.clock, down: ['public'] });
      return;
    case 'link-up':
      machine.hasLink = true;
      if (machine.core.settings.monitorLinks) machine.listenedMs = 0;
      tell('cable back');
      feed(world, who, { kind: 'links', now: machine.clock, down: [] });
      return;
    default:
      return;
  }
}

/** The process goes on: first with what it was doing, then with what waited, then with its timers. */
function thaw(world: World, who: Who): void {
  catchUp(world, who, isLate(world.machines[who]));
}

function catchUp(world: World, who: Who, isOldNews: boolean): void {
  const machine = world.machines[who];
  machine.isCatchingUp = isOldNews;
  if (machine.isCatchingUp) machine.listenedMs = 0;
  machine.life = 'running';
  const { unfinished, socket, pending } = machine;
  machine.unfinished = [];
  machine.socket = [];
  perform(world, who, unfinished);
  if (pending?.isDone) converge(world, who);
  for (const queued of socket) hear(world, who, queued);
  turn(world, who, undefined);
  machine.isCatchingUp = false;
}

/** Nothing happens for so long that all buckets are full again; whatever is still broken stays broken. */
function waitLong(world: World, bounds: Bounds): void {
  const { trace } = world;
  world.trace = undefined;
  const { lossesLeft, delaysLeft, faultsLeft } = world;
  const patient: Bounds = { ...bounds, window: LONG_CALM, horizon: LONG_CALM };
  let quiet: World = { ...world, lossesLeft: 0, delaysLeft: 0, faultsLeft: 1 };
  for (const machine of world.machines) machine.announced = 0;
  const until = world.now + LONG_WAIT_MS;
  while (quiet.now < until && quiet.violation === undefined) {
    quiet = act({ ...quiet, calm: LONG_CALM / 2 }, possible(quiet, patient)[0] ?? ADVANCE, patient);
  }
  Object.assign(world, quiet, { lossesLeft, delaysLeft, faultsLeft, trace, calm: LONG_CALM });
  world.isMild = world.machines.every(({ life, hasLink }) => life === 'running' && hasLink);
  for (const machine of world.machines) machine.announced = 0;
  trace?.push({ at: world.now, node: 'segment', kind: 'event', text: 'a long quiet time' });
}

/** Long enough for every bucket to fill again after a last round (core/announcements.ts). */
export const LONG_WAIT_MS = 45_000;
