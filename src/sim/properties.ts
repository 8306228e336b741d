/**
 * What must hold in the imagined world, as code: the sentences of docs/simulator.md, each with its excuse.
 *
 * Legacy dialect: two owners are allowed for as long as they do not hear each other, no longer; which is why most of this
 * is about how things end. `isSettled` is the goal: nothing changes any more, one owner, the router on it.
 */
import type { Instant, Milliseconds } from '../base/index.ts';
import type { Ask, FailoverState } from '../core/index.ts';
import type { Bounds } from './faults.ts';
import { hasPath, isAnswering, isLeased, isRunning, other, reachesWitness } from './looks.ts';
import { BOTH, type Who, type World } from './world.ts';

export const PROPERTIES = {
  'stale-router': 'the router ends on the owner',
  'two-owners': 'two directors that can talk end with one owner',
  'no-owner': 'somebody who can own ends up owning',
  restless: 'after the last fault the pair comes to rest',
  'ownerless-heal': 'a cut that heals, or a lost heartbeat, takes the VIP from nobody',
  'ownerless-long':
    'a whole pair, or one of two, is never without an owner for longer than deadtime and two keepalives',
  'double-long': 'two owners that can hear each other are one within two keepalives',
  'stale-long': 'a whole pair with one owner has the router on it within a second',
  'double-start': 'a start or a stop never makes two owners',
  'told-too-early': 'STOPPED is said only when the VIPs are gone',
  'took-unheard': 'nobody takes over for silence before a whole deadtime of listening',
  'took-by-old-news': 'what is read after waking makes nobody active, and nobody claim',
  'raised-disturbed': 'nobody raises the VIPs within a settling time of a claim that it heard',
  'raised-twice': 'at a cold start the VIPs are raised once, not by one and then by the other',
  'taken-for-deaf': 'nobody gives way to a deaf partner that hears',
  'handover-slow': 'after a clean stop the partner owns as soon as its claim has settled',
  'left-for-nobody': 'nobody resigns because its witness alone has died',
  'isolated-owner': 'who reaches neither partner nor witness has resigned when its partner raises',
  'announced-too-often': 'at most ten announcements after a fault or a cure',
  'rest-disturbed': 'a healthy pair at rest changes nothing',
} as const;
export type Property = keyof typeof PROPERTIES;

/** Judged when the core of `who` has just become active. */
export function judgeActivation(world: World, who: Who, before: FailoverState): void {
  const machine = world.machines[who];
  // Parted, each has to raise the VIPs for itself.
  if (hasPath(world, 0) || hasPath(world, 1)) world.raised = Math.min(world.raised + 1, 2);
  if (isDisturbed(before, machine.clock)) accuse(world, 'raised-disturbed');
  if (machine.isCatchingUp) accuse(world, 'took-by-old-news');
  const { reason, settings } = machine.core;
  const isLegacy = settings.dialect === 'legacy';
  if (isLegacy && reason === 'partner-silent' && machine.listenedMs < settings.deadtimeMs) {
    accuse(world, 'took-unheard');
  }
}

/** The last word of its partner is a claim, heard within the settling time. */
function isDisturbed({ settings, extended, heardAt }: FailoverState, now: Instant): boolean {
  if (extended.partner?.role !== 'claim' || settings.dialect === 'legacy') return false;
  return heardAt !== undefined && now - heardAt < (settings.extended?.settleMs ?? 0);
}

/** Judged when the core of `who` begins to claim. */
export function judgeClaim(world: World, who: Who): void {
  const { isCatchingUp, core } = world.machines[who];
  if (isCatchingUp && core.reason === 'partner-resigned') accuse(world, 'took-by-old-news');
}

/** Judged when the core of `who` has just given up the VIPs; `ask`: what it had asked its rival. */
export function judgeRelease(world: World, who: Who, ask: Ask | undefined): void {
  const { reason } = world.machines[who].core;
  if (reason === 'partner-deaf' && world.isMild && !wasAskedFairly(world, who, ask)) {
    accuse(world, 'taken-for-deaf');
  }
  const isNeedless = reason === 'isolated' && !world.isWitnessUp && isWholePair(world);
  if (isNeedless && world.isMild) accuse(world, 'left-for-nobody');
}

/** Its rival cannot hear, or could not yet when it was asked, a heartbeat and three delays ago at most. */
function wasAskedFairly(world: World, who: Who, ask: Ask | undefined): boolean {
  const { core, clock } = world.machines[who];
  const { keepaliveMs, extended } = core.settings;
  if (!hasPath(world, who) || extended === undefined) return true;
  if (ask === undefined) return false;
  const askedMs = clock - ask.at;
  const isFresh = askedMs <= keepaliveMs + 3 * extended.delayMs;
  return isFresh && askedMs >= world.calm * world.segment.stepMs;
}

/** Judged when `who` says STOPPED. */
export function judgeStopped(world: World, who: Who): void {
  const machine = world.machines[who];
  if (machine.holds && isLeased(machine)) accuse(world, 'told-too-early');
}

/** Judged after every action: what must hold at every moment. */
export function judgeMoment(world: World, bounds: Bounds): void {
  const { isDoubleForbidden, isRaisedOnce } = bounds;
  const [primary, backup] = world.machines;
  if (isRaisedOnce && world.raised > 1) accuse(world, 'raised-twice');
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
  const isHandover = isMildHandover(world);
  const isPossible = BOTH.some((who) => isRunning(world.machines[who]) && isAble(world, who));
  // Who has failed and says so leaves the VIPs to the other, whatever else is broken.
  const isLeft = BOTH.some((who) => world.machines[who].core.areServicesFailed);
  const isMissed = owners.length === 0 && isPossible && (isWhole || isHandover || isLeft);
  world.ownerlessMs = isMissed ? world.ownerlessMs + stepMs : 0;
  if (world.ownerlessMs > deadtimeMs + 2 * keepaliveMs) accuse(world, 'ownerless-long');
  if (world.isMild && world.ownerlessMs > switchMs(world)) {
    accuse(world, isHandover ? 'handover-slow' : 'ownerless-heal');
  }
  if (isOwnedTwiceByIsolation(world)) accuse(world, 'isolated-owner');
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

/** One was stopped, the other runs, and nothing else has happened. */
function isMildHandover(world: World): boolean {
  const isOver = world.machines.some(({ life }) => life === 'stopped');
  return isOver && world.isMild && world.cuts === 0 && world.machines.some(isRunning);
}

/** Both own, and one of them, on its own side of the segment, reaches nobody. */
function isOwnedTwiceByIsolation(world: World): boolean {
  const names = world.machines[0].core.settings.extended?.namesWitnesses === true;
  const own = world.machines.every((machine) => isRunning(machine) && machine.core.isActive);
  return names && own && world.isWitnessUp && world.machines.some(({ hasLink }) => !hasLink);
}

/** Both machines run and every cable carries both ways. */
export function isWholePair(world: World): boolean {
  return (
    world.cuts === 0 &&
    world.machines.every((machine) => isRunning(machine) && machine.hasLink && !machine.isDeaf)
  );
}

/** Which property is not met by a world in which nothing will happen any more; undefined: settled. */
export function unsettled(world: World): Property | undefined {
  const running = BOTH.filter((who) => isRunning(world.machines[who]));
  const active = running.filter((who) => world.machines[who].core.isActive);
  const able = running.filter((who) => isAble(world, who));
  const reachable = active.filter((who) => world.machines[who].hasLink);
  const isParted = !hasPath(world, 0) && !hasPath(world, 1);
  // Who says RUNNING behind a closed gate owns nothing, nor who receives nothing.
  const owners = active.filter(
    (who) => isLeased(world.machines[who]) && !world.machines[who].isDeaf,
  );
  if (owners.length === 0 && able.length > 0) return 'no-owner';
  if (active.length === 2 && !isParted) return 'two-owners';
  const isStale = reachable.length > 0 && !reachable.some((who) => who === world.router);
  if (isStale && !(world.isExcused && !canBeKnown(world))) return 'stale-router';
  return isBusy(world) ? 'restless' : undefined;
}

/** The machine that the router sends to runs its director, and one can hear the other: then it has to be put right. */
function canBeKnown(world: World): boolean {
  const { router, machines } = world;
  const isThere = (router === 0 || router === 1) && isRunning(machines[router]);
  return isThere && (hasPath(world, 0) || hasPath(world, 1));
}

function isAble(world: World, who: Who): boolean {
  const { core, hasLink, isDeaf } = world.machines[who];
  if (core.areServicesFailed || isDeaf) return false;
  if (core.settings.extended?.namesWitnesses === true) {
    return reachesWitness(world, world.machines[who]);
  }
  return hasLink || !core.settings.monitorLinks;
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
