/**
 * What can be seen of a world without changing it: who runs, who answers, which paths carry, whose deadline has come.
 *
 * The kernel's part is here as well (whose lease lives, and until when), because all of it is a question of the clock.
 */
import { after, type Instant, type Milliseconds } from '../base/index.ts';
import { type FailoverState, wakeAt } from '../core/index.ts';
import type { Machine, Who, World } from './world.ts';

export function other(who: Who): Who {
  return who === 0 ? 1 : 0;
}

export function isRunning(machine: Machine): boolean {
  return machine.life === 'running';
}

/** Does a datagram sent into this channel now reach a socket? */
export function isOpen(world: World, channel: number): boolean {
  if ((world.cuts >> channel) & 1) return false;
  const from = world.machines[channel >> 1 === 0 ? 0 : 1];
  const to = world.machines[channel >> 1 === 0 ? 1 : 0];
  if ((channel & 1) === 0 && !(from.hasLink && to.hasLink)) return false;
  if (to.isDeaf) return false;
  return to.life === 'running' || to.life === 'frozen' || to.life === 'suspended';
}

/** Some path lets `from` be heard, as far as cables go. */
export function hasPath(world: World, from: Who): boolean {
  const paths = world.segment.settings[from].paths;
  const areLinked = world.machines[0].hasLink && world.machines[1].hasLink;
  if (world.machines[other(from)].isDeaf) return false;
  return paths.some((_, path) => {
    const isCut = (world.cuts >> (from * 2 + path)) & 1;
    return !isCut && (path === 1 || areLinked);
  });
}

/** The kernel's gate is open: its lease lives, or it keeps none. */
export function isLeased({ core, leaseUntil, clock }: Machine): boolean {
  const leaseMs = leaseMsOf(core);
  return leaseMs === 0 || (leaseUntil !== undefined && leaseUntil > clock);
}

export function leaseMsOf({ settings }: FailoverState): Milliseconds {
  return settings.dialect === 'auto' ? (settings.extended?.leaseMs ?? 0) : 0;
}

/** When a lease that is granted or extended now ends. */
export function leaseEnd({ segment }: World, { core, clock }: Machine): Instant {
  const isLong = segment.misbuilt.includes('lease-too-long');
  return after(clock, leaseMsOf(core) + (isLong ? core.settings.deadtimeMs : 0));
}

/** The machine, if not the process: its kernel works. */
export function isUp({ life }: Machine): boolean {
  return life !== 'off' && life !== 'paused' && life !== 'suspended';
}

/** The kernel of this machine answers the router when asked. */
export function isAnswering(machine: Machine): boolean {
  const isHeard = machine.hasLink && !machine.isDeaf && isUp(machine);
  return machine.holds && isHeard && isLeased(machine);
}

/**
 * An announcement of `owner` takes the router from another owner that cannot hear it: where its slow repetition is relied
 * on, that is what brings the router back.
 */
export function isWonFromOwner(world: World, owner: Who): boolean {
  const { segment, machines } = world;
  return segment.reliesOnRefresh && isAnswering(machines[other(owner)]) && !hasPath(world, owner);
}

/** Asked by this machine, the witness would answer, and be heard. */
export function reachesWitness({ isWitnessUp }: World, { hasLink, isDeaf }: Machine): boolean {
  return isWitnessUp && hasLink && !isDeaf;
}

export function isDue(machine: Machine): boolean {
  if (machine.life !== 'running') return false;
  const at = wakeAt(machine.core);
  return at !== undefined && at <= machine.clock;
}

/** Overdue by so much that what it reads next is old. */
export function isLate(machine: Machine): boolean {
  const at = wakeAt(machine.core);
  return at !== undefined && machine.clock - at > machine.core.settings.keepaliveMs / 2;
}
