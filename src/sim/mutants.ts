/**
 * Mutants: the shipped core with rules switched off by name. Each must fall, or the rule is not needed, or the search is
 * blind; two are history: what bug 140414 was before its first and between its first and its second fix.
 *
 * `falls`: the property that must break, by a shortest trace. Undefined: nothing may break.
 */
import { RULES, type Rule } from '../core/index.ts';
import { ARENAS, enter, type SegmentOptions } from './arenas.ts';
import type { Property } from './properties.ts';
import { type SearchResult, search } from './search.ts';

export type Mutant = {
  readonly name: string;
  readonly about: string;
  readonly broken: readonly Rule[];
  /** What else is wrong: a lease of another length, a kernel or a crank that does not do its part. */
  readonly segment?: Partial<SegmentOptions>;
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
  mutant(
    'owe-announcement',
    'extended:split+kill',
    'stale-router',
    'R8: who comes back as standby does not speak for an owner that is deaf',
  ),
  mutant(
    'announce-to-silence',
    'extended:pause+kill',
    'stale-router',
    'an owner is silent when its partner falls silent',
  ),
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
  mutant(
    'told-life',
    'extended:pause+kill',
    'stale-long',
    'R8: a partner that forgot is overlooked',
  ),
  mutant('release-before-telling', 'links', 'told-too-early', 'STOPPED before the VIPs are gone'),
  mutant('hear-stopped', 'handover', 'handover-slow', 'R3: STOPPED is ignored'),
  mutant('proof', 'cold-one-way', 'raised-twice', 'R3: STOPPED of one that cannot hear us counts'),
  mutant(
    'ineligible-rearms-not',
    'extended:cut+services',
    'ownerless-long',
    'R3: a partner that may not take over is waited for',
  ),
  mutant('answer-claim', 'cold-split', 'raised-disturbed', 'R6: a rival claim is not answered'),
  mutant('ask-first', 'claims', 'taken-for-deaf', 'R5: deaf by age, nobody is asked'),
  mutant(
    'drop-old-ask',
    'extended:split+cut',
    'taken-for-deaf',
    'R5: a question is kept over a gap',
  ),
  mutant('told-by-level', 'claims', 'stale-long', 'R8: announces only over a rival that it saw'),
  mutant('verify', 'stubborn-router', 'stale-long', 'R9: who ignores announcements is not taught'),
  mutant('refresh', 'repeating', 'stale-router', 'R9: what was said once is not said again'),
  mutant('hear-before-claim', 'deaf-standby', 'no-owner', 'R10: a deaf standby claims'),
  mutant('resign-isolated', 'witnesses', 'isolated-owner', 'an owner that reaches nobody stays'),
  mutant('witness-doubt', 'witnesses', 'left-for-nobody', 'resigns before it can know why'),
  {
    ...mutant('yield-to-deaf-partner', 'claims', 'two-owners', 'R5: a deaf owner is waited for'),
    name: 'no-deaf-rule',
  },
  {
    ...mutant('announce-for-partner', 'claims', 'stale-router', 'R8: nobody speaks for the deaf'),
    name: 'no-proxy',
  },
  misbuilt('no-lease', 'leases', 'double-start', 'R1: no lease: who is frozen goes on answering', {
    leaseMs: 0,
  }),
  misbuilt('lease-too-long', 'leases', 'double-start', 'R1: a lease that outlives what is told', {
    misbuilt: ['lease-too-long'],
  }),
  misbuilt('lease-revived', 'leases', 'double-start', 'R1: a dead lease is made anew', {
    misbuilt: ['lease-revived'],
  }),
  misbuilt('renewed-by-packet', 'leases', 'no-owner', 'R1: renewed by what leaves the machine', {
    misbuilt: ['renewed-by-packet'],
  }),
];

function misbuilt(
  name: string,
  arena: string,
  falls: Property,
  about: string,
  segment: Partial<SegmentOptions>,
): Mutant {
  return { name, about, broken: [], segment, arena, falls };
}

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
  const changed = { ...arena, segment: { ...arena.segment, ...mutant.segment } };
  const { starts, bounds } = enter(changed, mutant.broken, watches);
  const result = search(starts, bounds);
  return { mutant, result, isAsExpected: result.found?.property === mutant.falls };
}
