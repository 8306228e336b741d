/**
 * Mutants: the shipped core with rules switched off by name. Each must fall, or the rule is not needed, or the search is
 * blind; two are history: what bug 140414 was before its first and between its first and its second fix.
 *
 * `falls`: the property that must break, by a shortest trace. Undefined: nothing may break.
 */
import { RULES, type Rule } from '../core/index.ts';
import { ARENAS, enter } from './arenas.ts';
import type { Property } from './properties.ts';
import { type SearchResult, search } from './search.ts';

export type Mutant = {
  readonly name: string;
  readonly about: string;
  readonly broken: readonly Rule[];
  readonly arena: string;
  readonly falls: Property | undefined;
};

/** What 0.8.6 did not have. */
const OURS: readonly Rule[] = [
  'announce-after-silence',
  'announce-for-partner',
  'yield-to-deaf-partner',
];

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'piranha-2001',
    about: 'before bug 140414 was fixed: who gave way says nothing, who stays announces nothing',
    broken: ['announce-on-running', 'dying-breath', ...OURS],
    arena: 'bug-140414',
    falls: 'stale-router',
  },
  {
    name: 'first-fix-only',
    about:
      'the first fix: an active primary that hears an active backup announces; the race is left',
    broken: ['dying-breath', ...OURS],
    arena: 'bug-140414',
    falls: 'stale-router',
  },
  {
    name: 'piranha-0.8.6',
    about: 'both fixes, nothing of ours: holds as long as nothing is lost',
    broken: OURS,
    arena: 'bug-140414',
    falls: undefined,
  },
  {
    name: 'piranha-0.8.6-half-heal',
    about: 'both fixes, nothing of ours: only one direction heals',
    broken: OURS,
    arena: 'cables',
    falls: 'stale-router',
  },
  mutant('announce-on-running', 'repeating', 'stale-long', 'the first fix is missing'),
  mutant('dying-breath', 'repeating', 'stale-long', 'the second fix is missing'),
  mutant('announce-after-silence', 'repeating', 'stale-long', 'the one dying breath is trusted'),
  mutant(
    'announce-for-partner',
    'cables',
    'stale-router',
    'the loser leaves telling to a deaf winner',
  ),
  mutant('yield-to-deaf-partner', 'cables', 'two-owners', 'who cannot hear is waited for'),
  mutant('cold-start-guard', 'cold-start', 'double-start', 'a primary speaks as soon as a backup'),
  mutant('late-wake', 'machines', 'took-by-old-news', 'a late reader believes what it reads'),
  mutant('settle', 'one-way', 'double-start', 'R2: raise as soon as you claim'),
  mutant('yield-to-claim', 'one-way', 'double-start', 'R4: an active node ignores a CLAIM'),
  mutant('rank', 'claims', 'double-long', 'R6: RUNNING against RUNNING, and nobody gives way'),
  mutant('dead-lease', 'leases', 'ownerless-long', 'R7: active behind a closed gate'),
  mutant('claim-mark', 'late-deeds', 'double-start', 'R2: a lease is acquired however late'),
  mutant('announce-on-heal', 'claims', 'stale-long', 'R8: who stayed announces nothing'),
  mutant(
    'told-moves',
    'claims',
    'stale-long',
    'R8: a partner that was active meanwhile is overlooked',
  ),
  mutant('told-life', 'lost-memory', 'stale-long', 'R8: a partner that forgot is overlooked'),
  mutant('release-before-telling', 'links', 'told-too-early', 'STOPPED before the VIPs are gone'),
];

function mutant(rule: Rule, arena: string, falls: Property, about: string): Mutant {
  return { name: `no-${rule}`, about, broken: [rule], arena, falls };
}

/** Rules that no mutant here switches off: the faults that need them are not imagined yet. */
export function untested(): readonly Rule[] {
  return RULES.filter((rule) => !MUTANTS.some(({ broken }) => broken.includes(rule)));
}

export type Verdict = {
  readonly mutant: Mutant;
  readonly result: SearchResult;
  readonly isAsExpected: boolean;
};

export function hunt(mutant: Mutant): Verdict {
  const arena = ARENAS.find(({ name }) => name === mutant.arena);
  if (arena === undefined) throw new RangeError(`no arena ${mutant.arena}`);
  const watches = mutant.falls === undefined ? undefined : [mutant.falls];
  const { starts, bounds } = enter(arena, mutant.broken, watches);
  const result = search(starts, bounds);
  return { mutant, result, isAsExpected: result.found?.property === mutant.falls };
}
