/**
 * A rehearsal: one fault, its cure, and what the pair of *this* lvs.cf makes of it, before the night it happens. The shipped
 * core in the imagined segment (world.ts), told when to break what; the outcome is a trace to draw and a few milliseconds.
 *
 * The blackout is counted as a client behind the router has it: the router sends to nobody, or to a machine whose kernel does
 * not answer. Where it falls between two heartbeats changes the outcome, so each rehearsal is played in several phases, and
 * the worst is the one that is drawn.
 *
 * What is imagined better than it is: a datagram, a kernel and an announcement take no time, and the segment has one router
 * with one entry. Real figures are these plus some milliseconds (docs/console.md).
 */
import { err, type Milliseconds, ok, type Result, unreachable } from '../base/index.ts';
import { type FailoverSettings, longestLeaseMs, renewalMs, SETTLE_MS } from '../core/index.ts';
import type { Node, Settings } from '../model/index.ts';
import { act } from './act.ts';
import { atRest, NOTHING, segment, type Timers } from './arenas.ts';
import { type ActionKind, ADVANCE, action, type Bounds, LONG_CALM, possible } from './faults.ts';
import { isAnswering } from './looks.ts';
import { opening } from './search.ts';
import type { TraceRecord } from './trace.ts';
import { BOTH, NOBODY, NODES, type Segment, type Who, type World } from './world.ts';

/** What can be rehearsed: the fault, and how it ends. */
export const REHEARSALS = [
  'cut-path', // one heartbeat path, both ways
  'cut-all', // every heartbeat path, both ways
  'half-heal', // every path, then one direction comes back long before the other
  'freeze', // the process stands still; its kernel goes on answering
  'pause', // the whole machine stands still
  'kill', // kill -9 of the daemon
  'power', // the plug
  'pull-cable', // the interface that carries the VIPs
  'stop', // a clean stop
] as const;
export type RehearsalName = (typeof REHEARSALS)[number];

export type Play = {
  readonly name: RehearsalName;
  /** The machine that is hit; a cut hits both. */
  readonly whom: 'active' | 'standby';
  /** From the fault to its cure. */
  readonly forMs: Milliseconds;
};

export type Rehearsal = {
  /** Over all phases. */
  readonly blackoutMs: { readonly least: Milliseconds; readonly worst: Milliseconds };
  /** The longest that both kernels answered for the VIPs. */
  readonly doubleMs: Milliseconds;
  /** Who serves in the end, and how often the role `active` was taken on the way. */
  readonly owner: Node | 'nobody';
  readonly takeovers: number;
  /** Of the worst phase. */
  readonly trace: readonly TraceRecord[];
};

const PHASES = 4;
/** Later than that the announcements of a takeover are over. */
const AFTERMATH_MS: Milliseconds = 6000;
/** A simulated hour in a page is no answer. */
export const LONGEST_FAULT_MS: Milliseconds = 120_000;

const QUIET: Bounds = { ...NOTHING, window: LONG_CALM, watches: [] };

/** The error is a sentence: why this configuration cannot be rehearsed. */
export function rehearse(settings: Settings, play: Play): Result<Rehearsal, string> {
  if (!settings.backupActive) {
    return err('There is no partner in this lvs.cf (backup_active = 0): nothing to rehearse.');
  }
  if (settings.deadtimeMs <= settings.keepaliveMs) {
    return err('The dead time must be longer than the heartbeat interval.');
  }
  if (!(play.forMs > 0 && play.forMs <= LONGEST_FAULT_MS)) {
    return err(`A fault of 1 to ${LONGEST_FAULT_MS / 1000} s can be rehearsed.`);
  }
  const on = segmentOf(settings);
  const outcome = playInPhases(on, (at) => scriptOf(play, at, on.settings[0].paths.length));
  const { trace } = outcome;
  return ok({ ...outcome, trace: play.name === 'cut-path' ? trace : trace.filter(isOfPublicPath) });
}

/** A pair at rest, the primary active, and what is done to it, in each phase between two heartbeats. */
export function playInPhases(
  on: Segment,
  scriptFrom: (at: Milliseconds) => readonly Cue[],
): Rehearsal {
  const [{ keepaliveMs, deadtimeMs }] = on.settings;
  // Not in step, so that the two nodes' heartbeats do not cross in the drawing.
  const offsetMs = 0.4 * renewalMs({ keepaliveMs, deadtimeMs });
  const start = atRest(on, 0, Math.floor(offsetMs / on.stepMs));
  const runs = Array.from({ length: PHASES }, (_, phase) =>
    run(start, scriptFrom(1000 + (keepaliveMs * phase) / PHASES)),
  );
  const worst = runs.reduce((a, b) => (b.blackoutMs > a.blackoutMs ? b : a));
  return {
    blackoutMs: {
      least: Math.min(...runs.map(({ blackoutMs }) => blackoutMs)),
      worst: worst.blackoutMs,
    },
    doubleMs: Math.max(...runs.map(({ doubleMs }) => doubleMs)),
    owner: worst.owner,
    takeovers: worst.takeovers,
    trace: worst.trace,
  };
}

/** Where both paths carry the same, one is enough to look at. */
function isOfPublicPath(record: TraceRecord): boolean {
  return !('path' in record) || record.path === 'public';
}

/** The same configuration with other timers; its lease is computed anew. */
export function withTimers(settings: Settings, { keepaliveMs, deadtimeMs }: Timers): Settings {
  const { leaseMs: _, ...rest } = settings;
  return { ...rest, keepaliveMs, deadtimeMs };
}

/** The pair of this configuration, in the addresses of the simulator. */
export function segmentOf(settings: Settings): Segment {
  const { keepaliveMs, deadtimeMs, dialect, monitorLinks, failback, leaseMs } = settings;
  const hasTwo = settings.primaryPrivate !== undefined && settings.backupPrivate !== undefined;
  const template = segment({
    timers: { keepaliveMs, deadtimeMs },
    paths: hasTwo ? 2 : 1,
    monitorLinks,
    ...(dialect === 'auto' && { isExtended: true as const }),
  });
  const [primary, backup] = template.settings;
  const fit = ({ extended, ...own }: FailoverSettings): FailoverSettings => ({
    ...own,
    failback,
    ...(extended !== undefined && {
      extended: {
        ...extended,
        settleMs: SETTLE_MS,
        delayMs: SETTLE_MS / 4,
        leaseMs: leaseMs ?? Math.max(0, longestLeaseMs(settings)),
      },
    }),
  });
  return {
    ...template,
    settings: [fit(primary), fit(backup)],
    stepMs: Math.max(1, Math.min(10, Math.floor(keepaliveMs / 20))),
    socketSize: 200,
  };
}

type Run = Omit<Rehearsal, 'blackoutMs'> & { readonly blackoutMs: Milliseconds };

function run(start: World, script: readonly Cue[]): Run {
  const { stepMs, settings } = start.segment;
  const lastAt = Math.max(...script.map(({ at }) => at));
  const until = lastAt + 2 * settings[0].deadtimeMs + AFTERMATH_MS;
  let world: World = { ...start, trace: opening(start) };
  let [blackoutMs, doubleMs, doubleNow, done] = [0, 0, 0, 0];
  while (world.now < until) {
    const next = possible({ ...world, calm: 1 }, QUIET)[0] ?? ADVANCE;
    const due = script[done];
    if (next === ADVANCE && due !== undefined && due.at <= world.now) {
      world = act({ ...world, calm: 1 }, due.action, QUIET);
      done++;
      continue;
    }
    if (next === ADVANCE) {
      const answering = BOTH.filter((who) => isAnswering(world.machines[who]));
      doubleNow = answering.length > 1 ? doubleNow + stepMs : 0;
      doubleMs = Math.max(doubleMs, doubleNow);
      if (!isServed(world)) blackoutMs += stepMs;
    }
    world = act({ ...world, calm: 1 }, next, QUIET);
  }
  const trace = world.trace ?? [];
  const taken = trace.filter((event) => event.kind === 'role' && event.to === 'active');
  return { blackoutMs, doubleMs, owner: ownerOf(world), takeovers: taken.length, trace };
}

/** The router's next packet is answered. */
function isServed({ router, machines }: World): boolean {
  return router !== NOBODY && isAnswering(machines[router]);
}

function ownerOf(world: World): Node | 'nobody' {
  const { router } = world;
  return router !== NOBODY && isServed(world) ? NODES[router] : 'nobody';
}

/** An action of faults.ts, and when. */
export type Cue = { readonly at: Milliseconds; readonly action: number };

/** At the start the primary is active. Channels: 2 * sender + path. */
function scriptOf({ name, whom, forMs }: Play, at: Milliseconds, paths: number): readonly Cue[] {
  const who: Who = whom === 'active' ? 0 : 1;
  const both = (kind: ActionKind, cure: ActionKind): readonly Cue[] => [
    { at, action: action(kind, who) },
    { at: at + forMs, action: action(cure, who) },
  ];
  switch (name) {
    case 'cut-path':
      return [
        ...[0, 2].map((channel) => ({ at, action: action('cut', channel) })),
        { at: at + forMs, action: action('heal-all') },
      ];
    case 'cut-all':
      return [
        { at, action: action('split') },
        { at: at + forMs, action: action('heal-all') },
      ];
    case 'half-heal': {
      // The direction from `whom` comes back first; the other as much later again.
      const first = Array.from({ length: paths }, (_, path) => who * 2 + path);
      return [
        { at, action: action('split') },
        ...first.map((channel) => ({ at: at + forMs, action: action('heal', channel) })),
        { at: at + 2 * forMs, action: action('heal-all') },
      ];
    }
    case 'freeze':
      return both('freeze', 'thaw');
    case 'pause':
      return both('pause', 'resume');
    case 'kill':
      return both('kill', 'start');
    case 'power':
      return both('power-off', 'power-on');
    case 'pull-cable':
      return both('link-down', 'link-up');
    case 'stop':
      return both('stop', 'start');
    default:
      return unreachable(name);
  }
}
