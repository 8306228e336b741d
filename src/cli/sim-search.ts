/**
 * Searches of `piranha sim`, as many side by side as wanted, told in the order of the table whichever ends first.
 *
 * Searches share nothing, so each has a thread of its own: no lock, no shared memory, and a search that outgrows its memory
 * ends with a sentence instead of ending the others. Rejected: one search on many threads (its table of states would have
 * to be shared, and the shortest trace would depend on who came first).
 */
import { once } from 'node:events';
import { totalmem } from 'node:os';
import { type ResourceLimits, Worker } from 'node:worker_threads';
import {
  ARENAS,
  type Arena,
  drawTrace,
  enter,
  MUTANTS,
  type Mutant,
  PROPERTIES,
  type SearchResult,
} from '../sim/index.ts';

/** Text for people, or an object for programs; without one, programs are told nothing. */
export type Tell = (text: string, json?: object) => void;

export type Task = { readonly kind: 'arena' | 'mutant'; readonly name: string };
export type Finding = {
  readonly result: SearchResult;
  readonly isWell: boolean;
  readonly seconds: number;
};
/** A sentence instead: the thread ended before its search did. */
type Outcome = Finding | string;

/**
 * Most of what a search makes dies young: a small nursery is emptied too often (a fifth of the time). The front of a deep
 * search outgrows the 4 GB that a thread has unless told: they share three quarters of the machine's memory.
 */
function heapOf(jobs: number): ResourceLimits {
  const shareMb = Math.floor((totalmem() / 2 ** 20 / jobs) * 0.75);
  return { maxYoungGenerationSizeMb: 64, maxOldGenerationSizeMb: Math.max(4096, shareMb) };
}

/** Tells of every task, in their order; the searches run `jobs` at a time. Gives how many ended well, and their states. */
export async function searchAll(
  tasks: readonly Task[],
  jobs: number,
  tell: Tell,
): Promise<{ readonly passed: number; readonly failed: number; readonly states: number }> {
  const findings = sideBySide(tasks, jobs);
  let passed = 0;
  let states = 0;
  for (const [index, task] of tasks.entries()) {
    const finding = await findings[index];
    if (finding === undefined) continue;
    if (typeof finding === 'string') {
      tell(finding, { [task.kind]: task.name, failure: finding });
      continue;
    }
    if (finding.isWell) passed++;
    if (task.kind === 'arena') states += finding.result.states;
    report(task, finding, tell);
  }
  return { passed, failed: tasks.length - passed, states };
}

/** A promise for each task; every thread takes the next one when it is done with one. */
function sideBySide(tasks: readonly Task[], jobs: number): readonly Promise<Outcome>[] {
  const waiting = tasks.map((task) => ({ task, ...Promise.withResolvers<Outcome>() }));
  const next = waiting.values();
  const heap = heapOf(jobs);
  for (let job = 0; job < Math.min(jobs, tasks.length); job++) void work(next, heap);
  return waiting.map(({ promise }) => promise);
}

type Waiting = {
  readonly task: Task;
  readonly resolve: (outcome: Outcome) => void;
};

async function work(waiting: Iterator<Waiting>, heap: ResourceLimits): Promise<void> {
  const worker = new Worker(new URL('./sim-worker.ts', import.meta.url), {
    resourceLimits: heap,
  });
  for (let entry = waiting.next(); !entry.done; entry = waiting.next()) {
    const { task, resolve } = entry.value;
    worker.postMessage(task);
    try {
      const [finding]: Finding[] = await once(worker, 'message');
      if (finding !== undefined) resolve(finding);
    } catch (error) {
      resolve(`${task.name}: the search ended before it was complete: ${String(error)}`);
      return work(waiting, heap);
    }
  }
  await worker.terminate();
}

function report(task: Task, finding: Finding, tell: Tell): void {
  const arena = ARENAS.find(({ name }) => task.kind === 'arena' && name === task.name);
  const mutant = MUTANTS.find(({ name }) => task.kind === 'mutant' && name === task.name);
  if (arena !== undefined) reportArena(arena, finding, tell);
  if (mutant !== undefined) reportMutant(mutant, finding, tell);
}

function reportArena(arena: Arena, { result, seconds }: Finding, tell: Tell): void {
  const { states, transitions, depth, found } = result;
  const { starts, bounds } = enter(arena);
  const took = seconds.toFixed(1);
  const verdict =
    found === undefined ? 'every property holds' : `FALLS: ${PROPERTIES[found.property]}`;
  const { kinds, faults, losses, delays, window } = bounds;
  const limits = [
    `${starts.length} starts`,
    `${faults} faults of ${kinds.join(' ')}`,
    `${losses} losses, ${delays} delays`,
    `the next within ${window} steps or after a long quiet`,
    `${arena.segment.steps ?? 4} steps a keepalive`,
  ];
  const text = [
    `${arena.name}: ${arena.about}`,
    `  bounds: ${limits.join('; ')}`,
    `  ${states} distinct states, ${transitions} transitions, ${depth} deep, ${took} s`,
    `  longest: ${result.ownerlessMs} ms without an owner, ${result.doubleMs} ms with two, ` +
      `${result.staleMs} ms with a wrong router; at most ${result.announced} announcements`,
    `  ${result.isComplete ? verdict : 'NOT COMPLETE: there are more states than the search may keep'}`,
  ];
  const row = `${arena.name.padEnd(34)} ${String(states).padStart(10)} ${took.padStart(8)} ${verdict}`;
  tell(arena.isOneOfMany ? row : text.join('\n'), { arena: arena.name, bounds, ...result });
  if (found !== undefined) tell(`\n${drawTrace(found.trace)}`);
}

function reportMutant(mutant: Mutant, { result, isWell }: Finding, tell: Tell): void {
  const how =
    result.found === undefined
      ? `nothing falls in ${result.states} states`
      : `${result.found.property} falls after ${result.found.length} actions`;
  const verdict = isWell ? 'as expected' : 'NOT AS EXPECTED';
  const { trace: _, ...found } = result.found ?? { trace: [] };
  const record = { mutant: mutant.name, isAsExpected: isWell, found };
  tell(`mutant ${mutant.name}: ${how}, ${verdict}`, record);
}
