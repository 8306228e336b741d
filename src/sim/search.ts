/**
 * The exhaustive search: every world that can be reached within the bounds, breadth first, so that the first one that
 * breaks a property is reached by a shortest trace.
 *
 * Only fingerprints and the way back (parent and action, six bytes) of each state are kept; worlds live as long as the
 * breadth-first front that holds them. A trace is the way back, replayed.
 */
import { roleOf } from '../core/index.ts';
import { act } from './act.ts';
import { type Bounds, interruptions, possible } from './faults.ts';
import { Fingerprints, writeKey } from './key.ts';
import type { Property } from './properties.ts';
import type { TraceRecord } from './trace.ts';
import { BOTH, NOBODY, NODES, type World } from './world.ts';

export type Found = {
  readonly property: Property;
  readonly trace: readonly TraceRecord[];
  /** Actions from the start to the violation. */
  readonly length: number;
};

export type SearchResult = {
  readonly states: number;
  readonly transitions: number;
  readonly depth: number;
  /** False when `maxStates` ended the search before it was complete. */
  readonly isComplete: boolean;
  readonly found: Found | undefined;
  /** The longest time, in milliseconds, that a whole pair had no owner, or two. */
  readonly ownerlessMs: number;
  readonly doubleMs: number;
  /** The longest that its router was not on its one owner. */
  readonly staleMs: number;
  /** The most announcements one director made for an incident. */
  readonly announced: number;
};

/** Searches from all of `starts` at once. */
export function search(
  starts: readonly World[],
  bounds: Bounds,
  maxStates = 100_000_000,
): SearchResult {
  const seen = new Fingerprints();
  const way = new Way();
  const key = new Int32Array(1024);
  let transitions = 0;
  let depth = 0;
  const longest = { ownerlessMs: 0, doubleMs: 0, staleMs: 0, announced: 0 };
  let front: { readonly world: World; readonly id: number }[] = [];
  let next: typeof front = [];
  let found: { readonly id: number; readonly property: Property } | undefined;

  const visit = (world: World, parent: number, action: number): void => {
    transitions++;
    if (!seen.add(key, writeKey(world, key))) return;
    const id = way.add(parent, action);
    longest.ownerlessMs = Math.max(longest.ownerlessMs, world.ownerlessMs);
    longest.staleMs = Math.max(longest.staleMs, world.staleMs);
    longest.doubleMs = Math.max(longest.doubleMs, world.doubleMs);
    for (const { announced } of world.machines) {
      longest.announced = Math.max(longest.announced, announced);
    }
    if (world.violation !== undefined) found ??= { id, property: world.violation };
    next.push({ world, id });
  };

  starts.forEach((world, index) => {
    visit(world, -1 - index, 0);
  });
  while (next.length > 0 && found === undefined && seen.size < maxStates) {
    front = next;
    next = [];
    depth++;
    for (const { world, id } of front) {
      for (const action of possible(world, bounds)) {
        const after = act(world, action, bounds);
        visit(after, id, action);
        for (const broken of interruptions(world, action, after, bounds)) {
          visit(act(world, broken, bounds), id, broken);
        }
      }
      if (world.violation !== undefined) found ??= { id, property: world.violation };
      if (found !== undefined) break;
    }
  }
  return {
    states: seen.size,
    transitions,
    depth,
    isComplete: next.length === 0 || found !== undefined,
    found: found && { property: found.property, ...replay(starts, way.back(found.id), bounds) },
    ...longest,
  };
}

function replay(
  starts: readonly World[],
  way: { readonly start: number; readonly actions: readonly number[] },
  bounds: Bounds,
): { readonly trace: readonly TraceRecord[]; readonly length: number } {
  const start = starts[way.start];
  const trace: TraceRecord[] = start === undefined ? [] : opening(start);
  if (start !== undefined) {
    let world: World = { ...start, trace };
    for (const action of way.actions) world = act(world, action, bounds);
  }
  return { trace, length: way.actions.length };
}

/** What a trace begins with: who is what. */
export function opening(world: World): TraceRecord[] {
  const trace: TraceRecord[] = [];
  for (const who of BOTH) {
    const { life, core } = world.machines[who];
    const text = life === 'running' ? roleOf(core) : life;
    trace.push({ at: world.now, node: NODES[who], kind: 'event', text });
  }
  const believes = world.router === NOBODY ? 'nobody' : NODES[world.router];
  trace.push({ at: world.now, node: 'segment', kind: 'router', believes });
  return trace;
}

/** For each state the one it was first reached from, and how. */
class Way {
  #parents = new Int32Array(1 << 16);
  #actions = new Uint16Array(1 << 16);
  #size = 0;

  add(parent: number, action: number): number {
    if (this.#size === this.#parents.length) {
      const parents = this.#parents;
      const actions = this.#actions;
      this.#parents = new Int32Array(this.#size * 2);
      this.#actions = new Uint16Array(this.#size * 2);
      this.#parents.set(parents);
      this.#actions.set(actions);
    }
    this.#parents[this.#size] = parent;
    this.#actions[this.#size] = action;
    return this.#size++;
  }

  back(id: number): { readonly start: number; readonly actions: readonly number[] } {
    const actions: number[] = [];
    let at = id;
    for (;;) {
      const parent = this.#parents[at] ?? -1;
      if (parent < 0) return { start: -1 - parent, actions: actions.reverse() };
      actions.push(this.#actions[at] ?? 0);
      at = parent;
    }
  }
}
