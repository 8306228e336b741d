/**
 * What must hold in the imagined world, as code: the sentences of docs/simulator.md, each with its excuse.
 *
 * Legacy dialect: two owners are allowed for as long as they do not hear each other, no longer; which is why most of this
 * is about how things end. `isSettled` is the goal: nothing changes any more, one owner, the router on it.
 */
import type { Milliseconds } from '../base/index.ts';
import type { Bounds } from './faults.ts';
import {
  BOTH,
  hasPath,
  isAnswering,
  isLeased,
  isRunning,
  other,
  type Who,
  type World,
} from './world.ts';

export const PROPERTIES = {
  'stale-router': 'the router ends on the owner',
  'two-owners': 'two directors that can talk end with one owner',
  'no-owner': 'somebody who can own ends up owning',
  restless: 'after the last fault the pair comes to rest',
  'ownerless-heal': 'a cut that heals, or a lost heartbeat, takes the VIP from nobody',
  'ownerless-long':
    'a whole pair is never without an owner for longer than deadtime and two keepalives',
  'double-long': 'two owners that can hear each other are one within two keepalives',
  'stale-long': 'a whole pair with one owner has the router on it within a second',
  'double-start': 'a start or a stop never makes two owners',
  'told-too-early': 'STOPPED is said only when the VIPs are gone',
  'took-unheard': 'nobody takes over for silence before a whole deadtime of listening',
  'took-by-old-news': 'what is read after waking makes nobody active',
  'announced-too-often': 'at most ten announcements after a fault or a cure',
  'rest-disturbed': 'a healthy pair at rest changes nothing',
} as const;
export type Property = keyof typeof PROPERTIES;

/** Judged when the core of `who` has just become active. */
export function judgeActivation(world: World, who: Who): void {
  const machine = world.machines[who];
  if (machine.isCatchingUp) accuse(world, 'took-by-old-news');
  const { reason, settings } = machine.core;
  const isLegacy = settings.dialect === 'legacy';
  if (isLegacy && reason === 'partner-silent' && machine.listenedMs < settings.deadtimeMs) {
    accuse(world, 'took-unheard');
  }
}

/** Judged when `who` says STOPPED. */
export function judgeStopped(world: World, who: Who): void {
  const machine = world.machines[who];
  if (machine.holds && isLeased(machine)) accuse(world, 'told-too-early');
}

/** Judged after every action: what must hold at every moment. */
export function judgeMoment(world: World, isDoubleForbidden: boolean): void {
  const [primary, backup] = world.machines;
  if (primary.announced > 10 || backup.announced > 10) accuse(world, 'announced-too-often');
  if (isDoubleForbidden && isAnswering(primary) && isAnswering(backup)) {
    accuse(world, 'double-start');
  }
}

/** After so long without a fault or a cure the incident is over; what is announced then is the slow refresh. */
const INCIDENT_MS = 10_000;

/** Announcements of a round are a second apart: each one lost or delayed may cost that. */
const ANNOUNCED_WITHIN_MS = 1000;

/** Judged when time is about to advance: how long things last. */
export function judgeInstant(world: World, { losses, delays }: Bounds): void {
  const { stepMs } = world.segment;
  const { keepaliveMs, deadtimeMs } = world.machines[0].core.settings;
  if (world.calm * stepMs >= INCIDENT_MS) {
    for (const machine of world.machines) machine.announced = 0;
  }
  const owners = BOTH.filter(
    (who) => isRunning(world.machines[who]) && isAnswering(world.machines[who]),
  );
  const isWhole = isWholePair(world);
  world.ownerlessMs = owners.length === 0 && isWhole ? world.ownerlessMs + stepMs : 0;
  if (world.ownerlessMs > deadtimeMs + 2 * keepaliveMs) accuse(world, 'ownerless-long');
  if (world.isMild && world.ownerlessMs > switchMs(world)) accuse(world, 'ownerless-heal');
  const isStale = owners.length === 1 && isWhole && owners[0] !== world.router;
  world.staleMs = isStale ? world.staleMs + stepMs : 0;
  if (world.staleMs > ANNOUNCED_WITHIN_MS * (1 + losses + delays)) accuse(world, 'stale-long');
  const canTalk = hasPath(world, 0) && hasPath(world, 1) && world.calm > 0;
  world.doubleMs = owners.length === 2 && canTalk ? world.doubleMs + stepMs : 0;
  if (world.doubleMs > 2 * keepaliveMs) accuse(world, 'double-long');
}

/** How long the VIP may change hands: what a kernel may take, or a heartbeat, a claim's settling and two delays. */
function switchMs(world: World): Milliseconds {
  const { settings } = world.machines[0].core;
  if (settings.dialect === 'legacy' || settings.extended === undefined) {
    return settings.keepaliveMs / 2;
  }
  const { settleMs, delayMs } = settings.extended;
  return settings.keepaliveMs + settleMs + 2 * delayMs;
}

/** Both machines run and every cable carries both ways. */
export function isWholePair(world: World): boolean {
  return (
    world.cuts === 0 && world.machines.every((machine) => isRunning(machine) && machine.hasLink)
  );
}

/** Which property is not met by a world in which nothing will happen any more; undefined: settled. */
export function unsettled(world: World): Property | undefined {
  const running = BOTH.filter((who) => isRunning(world.machines[who]));
  const active = running.filter((who) => world.machines[who].core.isActive);
  const able = running.filter((who) => isAble(world, who));
  const reachable = active.filter((who) => world.machines[who].hasLink);
  const isParted = !hasPath(world, 0) && !hasPath(world, 1);
  // Who says RUNNING behind a closed gate owns nothing.
  const owners = active.filter((who) => isLeased(world.machines[who]));
  if (owners.length === 0 && able.length > 0) return 'no-owner';
  if (active.length === 2 && !isParted) return 'two-owners';
  const isStale = reachable.length > 0 && !reachable.some((who) => who === world.router);
  if (isStale && !world.isExcused) return 'stale-router';
  return isBusy(world) ? 'restless' : undefined;
}

function isAble(world: World, who: Who): boolean {
  const machine = world.machines[who];
  return machine.hasLink || !machine.core.settings.monitorLinks;
}

/** Something is under way or about to be done, besides heartbeats. */
function isBusy(world: World): boolean {
  return BOTH.some((who) => {
    const machine = world.machines[who];
    if (!isRunning(machine)) return machine.frames.length > 0;
    const { isActive, wish, announcements, courtesyAt, failbackAt, extended } = machine.core;
    return (
      machine.holds !== isActive ||
      !wish.isConfirmed ||
      machine.frames.length > 0 ||
      // A round that has run out of tokens goes on as a slow refresh.
      (announcements.round !== undefined && announcements.tokens > 0) ||
      courtesyAt !== undefined ||
      extended.claim !== undefined ||
      failbackAt !== undefined ||
      (isActive &&
        isRunning(world.machines[other(who)]) &&
        world.machines[other(who)].holds &&
        (hasPath(world, 0) || hasPath(world, 1)))
    );
  });
}

export function accuse(world: World, property: Property): void {
  world.violation ??= property;
}
