/**
 * `piranha sim`: the shipped failover core in an imagined segment. Searches, hunts mutants, plays seeds, and draws what went
 * wrong. Says in plain words what was searched and what that means; the exit code is 0 when everything is as it should be.
 */
import { RULES } from '../core/index.ts';
import {
  ARENAS,
  type Arena,
  drawTrace,
  enter,
  hunt,
  MUTANTS,
  PROPERTIES,
  runSeed,
  search,
  TIMERS,
  type Timers,
  untested,
} from '../sim/index.ts';
import type { Options } from './options.ts';
import { SIM } from './options-of-verbs.ts';
import { misuse as misused, say as print, withOptions } from './verb.ts';

type Words = Options<keyof typeof SIM>;
/** Text for people, or an object for programs; without one, programs are told nothing. */
type Tell = (text: string, json?: object) => void;

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
  if (arena !== undefined) return searchOne(arena, tell);
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

function exhaustive(words: Words, tell: Tell): number {
  let passed = 0;
  let failed = 0;
  let states = 0;
  const count = (isWell: boolean): void => {
    if (isWell) passed++;
    else failed++;
  };
  const startedAt = performance.now();
  for (const arena of ARENAS) {
    if (arena.isDeep && !words.flags.has('deep')) continue;
    const judged = searchArena(arena, tell);
    states += judged.states;
    count(judged.isWell);
  }
  for (const mutant of MUTANTS) count(huntMutant(mutant, tell));
  const took = seconds(startedAt);
  tell(`${states} distinct states in all arenas; everything took ${took} s`, { states, took });
  print(`# tests ${passed + failed} pass ${passed} fail ${failed} skipped 0`);
  return failed === 0 ? 0 : 1;
}

function searchOne(name: string, tell: Tell): number {
  const arena = ARENAS.find((candidate) => candidate.name === name);
  if (arena === undefined) return misuse(`there is no arena ${name}; --list-mutants names them`);
  return searchArena(arena, tell).isWell ? 0 : 1;
}

function searchArena(
  arena: Arena,
  tell: Tell,
): { readonly isWell: boolean; readonly states: number } {
  const startedAt = performance.now();
  const { starts, bounds } = enter(arena);
  const result = search(starts, bounds);
  const { states, transitions, depth, found } = result;
  const { kinds, faults, losses, delays, window } = bounds;
  const isWell = found === undefined && result.isComplete;
  if (arena.isOneOfMany) {
    const row = [
      arena.name.padEnd(34),
      String(states).padStart(10),
      seconds(startedAt).padStart(8),
      found === undefined ? 'holds' : `FALLS: ${PROPERTIES[found.property]}`,
    ];
    tell(row.join(' '), { arena: arena.name, bounds, ...result });
    if (found !== undefined) tell(`\n${drawTrace(found.trace)}`);
    return { isWell, states };
  }
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
    `  ${states} distinct states, ${transitions} transitions, ${depth} deep, ${seconds(startedAt)} s`,
    `  longest: ${result.ownerlessMs} ms without an owner, ${result.doubleMs} ms with two, ` +
      `${result.staleMs} ms with a wrong router; at most ${result.announced} announcements`,
    found === undefined ? '  every property holds' : `  FALLS: ${PROPERTIES[found.property]}`,
  ];
  tell(text.join('\n'), { arena: arena.name, bounds, ...result });
  if (found !== undefined) tell(`\n${drawTrace(found.trace)}`);
  return { isWell, states };
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

function huntMutant(mutant: (typeof MUTANTS)[number], tell: Tell): boolean {
  const { result, isAsExpected } = hunt(mutant);
  const how =
    result.found === undefined
      ? `nothing falls in ${result.states} states`
      : `${result.found.property} falls after ${result.found.length} actions`;
  const verdict = isAsExpected ? 'as expected' : 'NOT AS EXPECTED';
  const { trace: _, ...found } = result.found ?? { trace: [] };
  tell(`mutant ${mutant.name}: ${how}, ${verdict}`, { mutant: mutant.name, isAsExpected, found });
  return isAsExpected;
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

function number(
  words: Words,
  name: 'seed' | 'runs' | 'keepalive' | 'deadtime',
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
