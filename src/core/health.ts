/**
 * Health: what a row of probes says about a server (CheckState), and with which weight a server that works takes part
 * in a virtual service (ServerState). Two small machines, because one check may stand for several virtual services,
 * while each of those admits its servers in its own time.
 *
 *            first success                      `fall` failures in a row
 *   unknown ───────────────> up ──────────────────────────────────────────> down
 *      └──── `fall` failures ─│────────────────────────────────────────────>  │
 *                             <──────────── `rise` successes in a row ────────┘
 *
 *   absent ── up ──> in (weight W/32, then doubled about every 20 s up to W)
 *   in ── down ──> absent, or quiesced (weight 0, still listed) with quiesce_server
 *
 * nanny's rules to the number: one success admits at start, because its counter starts at the threshold; one failure
 * removes; floor(reentry / timeout) successes bring back. A server that stood in the kernel when we started keeps its
 * weight until the first conclusion (`isHeld`): a restarted director must not cut what works.
 * Rejected: an average or a flap counter. An operator can work out `rise` and `fall` in the head.
 * Source: nanny(8), lvs.cf(5) timeout, reentry, load_monitor, quiesce_server.
 */
import { after, type Instant } from '../base/index.ts';
import type { CheckTiming, ProbeFailure, Verdict } from '../model/index.ts';

export type CheckState = {
  readonly status: 'unknown' | 'up' | 'down';
  /** In a row; only counted while they can change the status. */
  readonly successes: number;
  readonly failures: number;
  /** Of the last change of status, or of the start. */
  readonly since: Instant;
  /** What the last failed probe said; kept until a probe succeeds. */
  readonly failure?: { readonly reason: ProbeFailure; readonly detail: string };
};

export function newCheck(now: Instant): CheckState {
  return { status: 'unknown', successes: 0, failures: 0, since: now };
}

/**
 * One more probe was made. Gives the very same object when nothing changed, which is the case thousands of times a
 * second, so that the caller need not look further.
 */
export function stepCheck(
  state: CheckState,
  verdict: Verdict,
  timing: Pick<CheckTiming, 'rise' | 'fall'>,
  now: Instant,
): CheckState {
  if (verdict.isUp) {
    if (state.status === 'up') return isClean(state) ? state : cleanly('up', state.since);
    const successes = state.successes + 1;
    if (state.status === 'unknown' || successes >= timing.rise) return cleanly('up', now);
    return { status: state.status, successes, failures: 0, since: state.since };
  }
  const { reason, detail } = verdict;
  const isSame = state.failure?.reason === reason && state.failure.detail === detail;
  if (state.status === 'down') {
    if (isSame && state.successes === 0) return state;
    return { ...state, successes: 0, failure: { reason, detail } };
  }
  const failures = state.failures + 1;
  const isDown = failures >= timing.fall;
  return {
    status: isDown ? 'down' : state.status,
    successes: 0,
    failures: isDown ? 0 : failures,
    since: isDown ? now : state.since,
    failure: { reason, detail },
  };
}

function isClean(state: CheckState): boolean {
  return state.failures === 0 && state.failure === undefined;
}

function cleanly(status: 'up', since: Instant): CheckState {
  return { status, successes: 0, failures: 0, since };
}

/** How one real server takes part in one virtual service. */
export type ServerState = {
  readonly presence: 'absent' | 'in' | 'quiesced';
  /** What it has when nobody overrides it; meaningful while `in`. */
  readonly weight: number;
  /** Slow start: the next doubling. Absent: the weight has arrived. */
  readonly stepAt?: Instant;
  /** No conclusion yet: it is kept as it was found, in the kernel before our life or absent, until there is one. */
  readonly isHeld: boolean;
  readonly since: Instant;
};

/** What lvs.cf says about a server's weight. */
export type WeightRules = {
  /** `weight`: 0-65535. */
  readonly configured: number;
  /** Milliseconds between two doublings. */
  readonly stepMs: number;
  readonly quiesces: boolean;
  /** load_monitor is in use: the weight may rise up to ten times the configured one. */
  readonly followsLoad: boolean;
};

const STEP_SECONDS = 20;
/** IPVS takes an int, ipvsadm(8) promises 0-65535. */
export const MAX_WEIGHT = 65535;
const LOAD_SCALE = 10;

/** The doubling happens at every probe that completes about 20 seconds: nanny counts successes, we count time. */
export function slowStartStepMs(intervalMs: number): number {
  return Math.max(1, Math.floor((STEP_SECONDS * 1000) / intervalMs)) * intervalMs;
}

/** nanny's admission weight: configured / 32, at least 1; a configured 0 stays 0. */
export function admissionWeight(configured: number): number {
  return Math.min(Math.max(1, configured >> 5), configured);
}

export function absentServer(now: Instant): ServerState {
  return { presence: 'absent', weight: 0, isHeld: true, since: now };
}

/** A server whose row was found in the kernel. */
export function adoptedServer(weight: number, now: Instant): ServerState {
  return { presence: weight > 0 ? 'in' : 'quiesced', weight, isHeld: true, since: now };
}

/** Into the service, gently. */
export function admit(rules: WeightRules, now: Instant): ServerState {
  const weight = admissionWeight(rules.configured);
  const state = { presence: 'in', weight, isHeld: false, since: now } as const;
  return weight < rules.configured ? { ...state, stepAt: after(now, rules.stepMs) } : state;
}

/** Draws the conclusion of a check. The same object when nothing changes. */
export function concludeServer(
  state: ServerState,
  status: CheckState['status'],
  rules: WeightRules,
  now: Instant,
): ServerState {
  if (status === 'unknown') {
    // It was down; a check that is new to it has not concluded yet. Of one that is in, the weight tells what comes.
    return state.presence === 'absent' && !state.isHeld ? { ...state, isHeld: true } : state;
  }
  if (status === 'up') {
    if (state.presence !== 'in') return admit(rules, now);
    return state.isHeld ? released(state, rules, now) : state;
  }
  // A server that has no row gets none.
  const presence = rules.quiesces && state.presence !== 'absent' ? 'quiesced' : 'absent';
  if (state.presence === presence) return state.isHeld ? { ...state, isHeld: false } : state;
  return { presence, weight: 0, isHeld: false, since: now };
}

/** The first good conclusion about an adopted server: its weight goes on from where it stood. */
function released(state: ServerState, rules: WeightRules, now: Instant): ServerState {
  const { presence, since } = state;
  const most = rules.followsLoad ? LOAD_SCALE * rules.configured : rules.configured;
  const weight = Math.min(state.weight, most);
  if (weight >= rules.configured) return { presence, weight, isHeld: false, since };
  return { presence, weight, isHeld: false, since, stepAt: after(now, rules.stepMs) };
}

/** Doubles the weight of a slow start when its time has come; several times when we come late. */
export function stepWeight(state: ServerState, rules: WeightRules, now: Instant): ServerState {
  let { weight, stepAt } = state;
  if (stepAt === undefined || stepAt > now) return state;
  while (stepAt <= now && weight < rules.configured) {
    weight = Math.min(rules.configured, weight * 2);
    stepAt = after(stepAt, rules.stepMs);
  }
  const { presence, isHeld, since } = state;
  const isArrived = weight >= rules.configured;
  return isArrived
    ? { presence, weight, isHeld, since }
    : { presence, weight, isHeld, since, stepAt };
}

/**
 * lvs.cf, or an operator beside it, says another weight: it takes effect at once, a slow start goes on below it (of an
 * adopted server that stood lower nobody knows that it was one; it is taken for one). A weight that the load raised
 * comes back when load_monitor is gone.
 */
export function reweigh(
  state: ServerState,
  { before, now: rules }: { readonly before: number; readonly now: WeightRules },
): ServerState {
  const isRaised = !state.isHeld && !rules.followsLoad && state.weight > rules.configured;
  if (state.presence !== 'in' || (before === rules.configured && !isRaised)) return state;
  const { presence, isHeld, since, stepAt } = state;
  const isGrowing = stepAt !== undefined || (isHeld && state.weight < before);
  if (isGrowing && state.weight < rules.configured) return state;
  return { presence, weight: rules.configured, isHeld, since };
}

/**
 * The weight after a load measurement (1-minute average), by nanny's formula: the distance from 1, cube root, scaled
 * by half the configured weight; between the configured weight and ten times it; small changes are not worth a write.
 * An unreadable load (undefined) changes nothing.
 */
export function loadWeight(
  last: number,
  { configured, load }: { readonly configured: number; readonly load: number | undefined },
): number {
  if (load === undefined || !Number.isFinite(load) || load < 0 || load === 1) return last;
  const pull = (configured / 2) * Math.cbrt(Math.abs(1 - load));
  const most = Math.min(MAX_WEIGHT, LOAD_SCALE * configured);
  const wish = Math.trunc(
    load < 1 ? Math.min(most, last + pull) : Math.max(configured, last - pull),
  );
  return Math.abs(wish - last) >= configured / 4 ? wish : last;
}

/** Applies a load to a server whose slow start is over. */
export function stepLoad(
  state: ServerState,
  configured: number,
  load: number | undefined,
): ServerState {
  if (state.presence !== 'in' || state.isHeld || state.stepAt !== undefined) return state;
  const weight = loadWeight(state.weight, { configured, load });
  return weight === state.weight ? state : { ...state, weight };
}

/**
 * The 1-minute load in what rup, ruptime or uptime print: the number behind the first `load` that has one (`load average:
 * 0.12, 0.30`, `load averages: 0.12 0.30`, ruptime's `load 0.12, 0.30`). The name of a host, which rup and ruptime print
 * first, may well contain the word. Undefined when there is none.
 */
export function parseLoad(text: string): number | undefined {
  const found =
    /(?<![\w.-])load(?: averages?)?(?::\s{0,20}|\s{1,20})(\d{1,9}(?:[.,]\d{1,9})?)/.exec(text);
  return found?.[1] === undefined ? undefined : Number(found[1].replace(',', '.'));
}
