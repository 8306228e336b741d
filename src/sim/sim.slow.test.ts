import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ARENAS, enter } from './arenas.ts';
import { drawTrace } from './diagram.ts';
import { Fingerprints } from './key.ts';
import { hunt, MUTANTS, untested } from './mutants.ts';
import { search } from './search.ts';
import { runSeed } from './seeds.ts';
import type { TraceRecord } from './trace.ts';

function arena(name: string) {
  const found = ARENAS.find((candidate) => candidate.name === name);
  assert.ok(found !== undefined, name);
  return found;
}

function mutant(name: string) {
  const found = MUTANTS.find((candidate) => candidate.name === name);
  assert.ok(found !== undefined, name);
  return found;
}

test('M5 however long the primary is frozen or paused, the router ends on the one owner', () => {
  const { starts, bounds } = enter(arena('bug-140414'));
  const { found, isComplete, states } = search(starts, bounds);
  assert.equal(found, undefined);
  assert.equal(isComplete, true);
  assert.ok(states > 10_000, `${states} states`);
});

test('a cold start makes one active, whoever is switched on first and whenever', () => {
  const { starts, bounds } = enter(arena('cold-start'));
  assert.equal(search(starts, bounds).found, undefined);
});

test('without the second fix the search finds the race and draws it', () => {
  const { result, isAsExpected } = hunt(mutant('first-fix-only'));
  assert.equal(isAsExpected, true);
  const drawn = drawTrace(result.found?.trace ?? []).split('\n');
  const race = drawn.slice(drawn.findIndex((line) => line.includes('resumes')));
  // The backup gives way to the first RUNNING, says only STOPPED, and nobody announces.
  const words = race.slice(1, 5).map((line) => line.slice(9).trim());
  assert.deepEqual(words, [
    '------- RUNNING ------->',
    'STANDBY: split-brain-yield',
    'VIP removed',
    '<------- STOPPED -------',
  ]);
  assert.equal(
    race.some((line) => line.includes('ARP')),
    false,
  );
  assert.equal(
    drawn.every((line) => line.length <= 100),
    true,
  );
});

test('every rule of the core has a mutant, and every mutant an arena', () => {
  assert.deepEqual(untested(), []);
  for (const { name, arena: where } of MUTANTS) {
    assert.ok(
      ARENAS.some((candidate) => candidate.name === where),
      `${name}: ${where}`,
    );
  }
});

test('the quick ones among the mutants of the extended dialect fall by the property that is named', () => {
  for (const name of ['no-lease', 'lease-revived', 'no-proof', 'no-answer-claim', 'no-verify']) {
    const { result, isAsExpected, mutant: of } = hunt(mutant(name));
    assert.equal(isAsExpected, true, `${name}: ${result.found?.property} instead of ${of.falls}`);
  }
});

test('two faults of any kind: each kind after each, in both dialects', () => {
  const names = ARENAS.flatMap(({ name, isOneOfMany }) => (isOneOfMany ? [name] : []));
  assert.equal(new Set(names).size, 11 * 11 + 9 * 9);
  assert.ok(names.includes('extended:suspend+kill-in-turn'));
  const { bounds } = enter(arena('legacy:cut+pause'));
  assert.deepEqual(bounds.order, [['cut'], ['pause']]);
});

test('a search that is cut short does not claim to be complete', () => {
  const { starts, bounds } = enter(arena('links'));
  assert.equal(search(starts, bounds, 1000).isComplete, false);
});

test('a state is counted once, however the table grows', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.integer({ min: 0, max: 2 ** 31 - 1 }), { maxLength: 300 }),
      (seeds) => {
        const seen = new Fingerprints();
        const key = new Int32Array(4);
        for (const round of [true, false]) {
          for (const seed of seeds) {
            key[1] = seed;
            assert.equal(seen.add(key, 3), round);
          }
        }
        assert.equal(seen.size, seeds.length);
      },
    ),
    { numRuns: 30 },
  );
  const many = new Fingerprints();
  const key = new Int32Array(2);
  for (let index = 0; index < 200_000; index++) {
    key[0] = index;
    assert.equal(many.add(key, 2), true);
  }
  assert.equal(many.size, 200_000);
});

test('every seed ends with one owner and the router on it, and is the same run each time', () => {
  let faults = 0;
  for (let seed = 1000; seed < 1020; seed++) {
    const result = runSeed(seed);
    assert.equal(result.property, undefined, `seed ${seed}`);
    faults += result.faults;
  }
  assert.ok(faults > 200, `${faults} faults`);
  assert.deepEqual(runSeed(7), runSeed(7));
});

test('seeds catch a late reader that believes what it reads', () => {
  const properties = new Set<string | undefined>();
  for (let seed = 1; seed < 60; seed++) {
    properties.add(runSeed(seed, { broken: ['late-wake'] }).property);
  }
  assert.equal(properties.size > 1, true, 'some of these runs must fall');
});

test('a diagram joins a datagram with its fate and leaves out long rows of heartbeats', () => {
  const heartbeat = (at: number): TraceRecord[] => [
    { at, node: 'primary', kind: 'send', word: 'RUNNING', path: 'public' },
    { at, node: 'backup', kind: 'hear', word: 'RUNNING', path: 'public' },
  ];
  const trace: TraceRecord[] = [
    { at: 0, node: 'backup', kind: 'send', word: 'STOPPED', path: 'private' },
    { at: 0, node: 'backup', kind: 'lose', word: 'STOPPED', path: 'private' },
    ...Array.from({ length: 10 }, (_, index) => heartbeat(1000 + 1000 * index)).flat(),
    { at: 11_000, node: 'primary', kind: 'announce', owner: 'primary', isLost: false },
    { at: 11_000, node: 'segment', kind: 'router', believes: 'primary' },
  ];
  assert.equal(
    drawTrace(trace),
    `${[
      ' seconds primary                                             backup                     router',
      '-'.repeat(99),
      '   0.000                            x-- STOPPED (private) --',
      '   1.000                            ------- RUNNING ------->',
      '   2.000                            ------- RUNNING ------->',
      '   3.000                            : 5 lines of heartbeats',
      '   8.000                            ------- RUNNING ------->',
      '   9.000                            ------- RUNNING ------->',
      '  10.000                            ------- RUNNING ------->',
      '  11.000 ARP: VIP is at primary                                                         -> primary',
    ].join('\n')}\n`,
  );
});
