/**
 * `piranha sim`: the shipped failover core in an imagined segment. Searches, hunts mutants, plays seeds, and draws what went
 * wrong. Says in plain words what was searched and what that means; the exit code is 0 when everything is as it should be.
 */
import { availableParallelism } from 'node:os';
import { RULES } from '../core/index.ts';
import {
  ARENAS,
  drawTrace,
  hunt,
  MUTANTS,
  PROPERTIES,
  runSeed,
  TIMERS,
  type Timers,
  untested,
} from '../sim/index.ts';
import type { Options } from './options.ts';
import { searchAll, type Task, type Tell } from './sim-search.ts';
import { SIM } from './trial-verbs.ts';
import { misuse as misused, say as print, withOptions } from './verb.ts';

type Words = Options<keyof typeof SIM>;

export const simCommand = withOptions('sim', SIM, sim);

async function sim(words: Words): Promise<number> {
  const tell: Tell = (text, json) => {
    if (!words.flags.has('json')) print(text);
    else if (json !== undefined) print(JSON.stringify(json));
  };
  if (words.flags.has('list')) return list();
  if (words.flags.has('exhaustive') || words.flags.has('deep')) return exhaustive(words, tell);
  const mutant = words.values.get('mutant');
  if (mutant !== undefined) return huntOne(mutant, tell);
  const arena = words.values.get('arena');
  if (arena !== undefined) return searchSome(arena, words, tell);
  return seeds(words, tell);
}

function list(): number {
  print('Mutants, the arena in which each is hunted, and the property that must fall:\n');
  for (const { name, about, arena, falls } of MUTANTS) {
    print(
      `  ${name.padEnd(26)} ${arena.padEnd(12)} ${(falls ?? 'nothing falls').padEnd(16)} ${about}`,
    );
  }
  print('\nArenas:\n');
  for (const { name, about, isDeep } of ARENAS) {
    print(`  ${name.padEnd(26)} ${about}${isDeep ? ' (--deep only)' : ''}`);
  }
  print('\nProperties:\n');
  for (const [name, sentence] of Object.entries(PROPERTIES)) {
    print(`  ${name.padEnd(26)} ${sentence}`);
  }
  print(`\nRules of the core without a mutant here: ${untested().join(', ') || 'none'}`);
  return 0;
}

/** Every arena of the day, or with the long ones, and every mutant. */
async function exhaustive(words: Words, tell: Tell): Promise<number> {
  const jobs = jobsOf(words);
  if (typeof jobs === 'string') return misuse(jobs);
  const startedAt = performance.now();
  const arenas = ARENAS.filter(({ isDeep }) => !isDeep || words.flags.has('deep'));
  const tasks: readonly Task[] = [
    ...arenas.map(({ name }) => ({ kind: 'arena', name }) as const),
    ...MUTANTS.map(({ name }) => ({ kind: 'mutant', name }) as const),
  ];
  const { passed, failed, states } = await searchAll(tasks, jobs, tell);
  const took = seconds(startedAt);
  tell(`${states} distinct states in all arenas; everything took ${took} s`, { states, took });
  print(`# tests ${passed + failed} pass ${passed} fail ${failed} skipped 0`);
  return failed === 0 ? 0 : 1;
}

/** The arena of that name, or with a `*` at its end every one that begins so. */
async function searchSome(name: string, words: Words, tell: Tell): Promise<number> {
  const jobs = jobsOf(words);
  if (typeof jobs === 'string') return misuse(jobs);
  const start = name.endsWith('*') ? name.slice(0, -1) : undefined;
  const arenas = ARENAS.filter((arena) =>
    start === undefined ? arena.name === name : arena.name.startsWith(start),
  );
  if (arenas.length === 0) {
    return misuse(`there is no arena ${name}; --list-mutants names them`);
  }
  const tasks = arenas.map((arena): Task => ({ kind: 'arena', name: arena.name }));
  const { failed } = await searchAll(tasks, jobs, tell);
  return failed === 0 ? 0 : 1;
}

function huntOne(name: string, tell: Tell): number {
  const mutant =
    MUTANTS.find((candidate) => candidate.name === name || candidate.name === `no-${name}`) ??
    undefined;
  if (mutant === undefined) {
    const isRule = RULES.some((rule) => rule === name);
    return misuse(
      isRule ? `no mutant breaks ${name} yet` : `there is no mutant ${name}; try --list-mutants`,
    );
  }
  const { result, isAsExpected } = hunt(mutant);
  const { found, states } = result;
  tell(`${mutant.name}: ${mutant.about}`, { mutant: mutant.name, isAsExpected, ...result });
  if (found === undefined) {
    tell(`Nothing falls in ${states} states.`);
  } else {
    tell(`Falls: ${PROPERTIES[found.property]}. The shortest way, of ${states} states:\n`);
    tell(drawTrace(found.trace));
  }
  return isAsExpected ? 0 : 1;
}

function seeds(words: Words, tell: Tell): number {
  const first = number(words, 'seed');
  const runs = number(words, 'runs');
  const timers = timersOf(words);
  if (typeof first === 'string') return misuse(first);
  if (typeof runs === 'string') return misuse(runs);
  if (typeof timers === 'string') return misuse(timers);
  const from = first ?? 1;
  const count = runs ?? (first === undefined ? 100 : 1);
  let failures = 0;
  let faults = 0;
  let mishaps = 0;
  const startedAt = performance.now();
  for (let seed = from; seed < from + count; seed++) {
    const result = runSeed(seed, { timers });
    faults += result.faults;
    mishaps += result.mishaps;
    if (result.property === undefined) continue;
    failures++;
    tell(`seed ${seed} FALLS: ${PROPERTIES[result.property]}`, result);
    if (failures === 1) tell(`\n${drawTrace(result.trace)}`);
    tell(`play it again with: piranha sim --seed ${seed}${again(timers)}\n`);
  }
  const took = seconds(startedAt);
  tell(
    `${count} runs, ${faults} faults, ${mishaps} losses and delays, all mended at the end: ` +
      `${count - failures} ended with one owner and the router on it, ${failures} did not (${took} s)`,
    { runs: count, from, faults, mishaps, failures },
  );
  return failures === 0 ? 0 : 1;
}

function again({ keepaliveMs, deadtimeMs }: Timers): string {
  const isUsual = keepaliveMs === TIMERS.keepaliveMs && deadtimeMs === TIMERS.deadtimeMs;
  return isUsual ? '' : ` --keepalive ${keepaliveMs} --deadtime ${deadtimeMs}`;
}

/** The error is a sentence. */
function timersOf(words: Words): Timers | string {
  const keepaliveMs = number(words, 'keepalive') ?? TIMERS.keepaliveMs;
  const deadtimeMs = number(words, 'deadtime') ?? TIMERS.deadtimeMs;
  if (typeof keepaliveMs === 'string') return keepaliveMs;
  if (typeof deadtimeMs === 'string') return deadtimeMs;
  if (deadtimeMs < 2 * keepaliveMs) return '--deadtime must be at least twice --keepalive';
  return { keepaliveMs, deadtimeMs };
}

/** Searches at a time: one a processor unless told, and at most 64. The error is a sentence. */
function jobsOf(words: Words): number | string {
  const jobs = number(words, 'jobs') ?? availableParallelism();
  return typeof jobs === 'number' ? Math.min(jobs, 64) : jobs;
}

function number(
  words: Words,
  name: 'jobs' | 'seed' | 'runs' | 'keepalive' | 'deadtime',
): number | string | undefined {
  const text = words.values.get(name);
  if (text === undefined) return undefined;
  const value = Number(text);
  const isGood = /^\d{1,9}$/.test(text) && (name === 'seed' || value > 0);
  return isGood ? value : `--${name} wants a whole number, not ${text}`;
}

function seconds(startedAt: number): string {
  return ((performance.now() - startedAt) / 1000).toFixed(1);
}

function misuse(why: string): number {
  return misused('sim', why);
}
