/**
 * One thread of `piranha sim`: searches the arena or hunts the mutant it is told by name, and answers with what it found.
 */
import { parentPort } from 'node:worker_threads';
import { ARENAS, enter, hunt, MUTANTS, search } from '../sim/index.ts';
import type { Finding, Task } from './sim-search.ts';

parentPort?.on('message', (task: Task) => {
  const startedAt = performance.now();
  const found = find(task);
  const seconds = (performance.now() - startedAt) / 1000;
  parentPort?.postMessage({ ...found, seconds } satisfies Finding);
});

function find({ kind, name }: Task): Omit<Finding, 'seconds'> {
  if (kind === 'mutant') {
    const mutant = MUTANTS.find((candidate) => candidate.name === name);
    if (mutant === undefined) throw new RangeError(`no mutant ${name}`);
    const { result, isAsExpected } = hunt(mutant);
    return { result, isWell: isAsExpected };
  }
  const arena = ARENAS.find((candidate) => candidate.name === name);
  if (arena === undefined) throw new RangeError(`no arena ${name}`);
  const { starts, bounds } = enter(arena);
  const result = search(starts, bounds);
  return { result, isWell: result.found === undefined && result.isComplete };
}
