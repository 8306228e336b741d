/**
 * Hostile configuration files, for the run of a million inputs: made up, or samples with a few bytes changed. What must
 * hold for each: nothing throws, the document gives the text back, an error and settings exclude each other, `fmt`
 * does not change what a file means and is stable, and what the strict verdict took before `fmt` it takes after.
 *
 * The inputs come from a seed, so that a failure can be repeated from its number alone.
 */
import { assert } from '../base/index.ts';
import type { Settings } from '../model/index.ts';
import { GLOBAL_DIRECTIVES, SERVER_DIRECTIVES, VIRTUAL_DIRECTIVES } from './directives.ts';
import { formatDocument, parseDocument } from './document.ts';
import { normaliseDocument } from './normalise.ts';
import { parseSettings } from './parse.ts';
import { strictVerdict } from './strict.ts';

export type FuzzCounts = {
  readonly files: number;
  /** That could be run. */
  readonly accepted: number;
  /** That 0.8.6 would take. */
  readonly acceptedStrictly: number;
  readonly problems: number;
};

/** Tries `count` files; throws at the first that breaks a rule, naming seed and text. `samples` are mutated, too. */
export function fuzzConfig(
  count: number,
  seed: number,
  samples: readonly string[] = [],
): FuzzCounts {
  const dice = diceOf(seed);
  const counts = { files: 0, accepted: 0, acceptedStrictly: 0, problems: 0 };
  for (; counts.files < count; counts.files++) {
    const origin = dice(3) === 0 ? undefined : pick(dice, samples);
    const text = mutate(dice, origin ?? invent(dice));
    const { settings, problems } = judge(text, seed);
    counts.problems += problems;
    if (settings !== undefined) counts.accepted++;
    if (strictVerdict(text) === undefined) counts.acceptedStrictly++;
  }
  return counts;
}

const file = 'lvs.cf';

function judge(text: string, seed: number) {
  const context = () => `seed ${seed}: ${JSON.stringify(text)}`;
  const document = parseDocument(text, file);
  assert(formatDocument(document) === text, `bytes were lost, ${context()}`);
  const { settings, problems } = parseSettings(text, { file });
  const isRefused = problems.some(({ severity }) => severity === 'error');
  assert((settings === undefined) === isRefused, `neither settings nor an error, ${context()}`);
  const formatted = formatDocument(normaliseDocument(document));
  const again = formatDocument(normaliseDocument(parseDocument(formatted, file)));
  assert(again === formatted, `fmt is not stable, ${context()}`);
  const after = parseSettings(formatted, { file }).settings;
  assert(meaning(after) === meaning(settings), `fmt changed the meaning, ${context()}`);
  if (!text.includes('\r') && strictVerdict(text) === undefined) {
    assert(strictVerdict(formatted) === undefined, `fmt broke it for 0.8.6, ${context()}`);
  }
  return { settings, problems: problems.length };
}

/** Settings as a text in which only places are missing. */
export function meaning(settings: Settings | undefined): string {
  return JSON.stringify(settings ?? 'refused', (key, value: unknown) =>
    key === 'origin' || key === 'origins' ? undefined : value,
  );
}

/** Gives whole numbers from 0 to below its argument. */
export type Dice = (below: number) => number;

/** Marsaglia's xorshift32. */
export function diceOf(seed: number): Dice {
  let state = seed | 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

export function pick<T>(dice: Dice, choices: readonly T[]): T | undefined {
  return choices[dice(choices.length)];
}

// biome-ignore format: a table
const VALUES = [
  '1', '0', '5', '010', '0x1F', '-1', '99999999999999999999', '10.0.0.1', '10.9.9.9 eth0:1', 'fd77::1', '0.0.0.0',
  '255.255.255.0', '64', '"a b"', "'a b'", '"a" ', '""', '"', 'a b', '#x', '1 # c', 'nat', 'direct', 'tunnel', 'udp',
  'wlc', 'auto', 'hosts', '[ a b ]', 'web', '',
] as const;
const KEYS = [
  ...GLOBAL_DIRECTIVES.keys(),
  ...VIRTUAL_DIRECTIVES.keys(),
  ...SERVER_DIRECTIVES.keys(),
];
const OPENINGS = ['virtual a {', 'virtual "a b" {', 'failover b {', 'server s {', 'server s { # x'];

/** A file of a few lines that look like an lvs.cf. */
function invent(dice: Dice): string {
  const lines = ['primary = 10.0.0.1'];
  for (let rest = dice(12); rest > 0; rest--) {
    const kind = dice(8);
    if (kind === 0) lines.push(pick(dice, OPENINGS) ?? '');
    else if (kind === 1) lines.push('}');
    else lines.push(`${pick(dice, KEYS)} = ${pick(dice, VALUES)}`);
  }
  return lines.join('\n');
}

// biome-ignore format: a table
const SNIPPETS = [
  '', ' ', '\t', '\n', '\r\n', '\r', '"', "'", '=', ' = ', '#', '{', '}', '\0', '\v', 'é',
  '\ud800', '0x', '.', ':', '9',
] as const;

/** Up to three places where a few characters are replaced by others. */
function mutate(dice: Dice, text: string): string {
  let changed = text;
  for (let rest = dice(4); rest > 0; rest--) {
    const start = dice(changed.length + 1);
    changed =
      changed.slice(0, start) + (pick(dice, SNIPPETS) ?? '') + changed.slice(start + dice(4));
  }
  return changed;
}
