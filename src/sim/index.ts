export { ARENAS, type Arena, enter, TIMERS, type Timers } from './arenas.ts';
export { drawTrace } from './diagram.ts';
export { hunt, MUTANTS, type Mutant, untested, type Verdict } from './mutants.ts';
export { PROPERTIES, type Property } from './properties.ts';
export { parseRecording, type Recording, type Replay, replay } from './recording.ts';
export {
  LONGEST_FAULT_MS,
  type Play,
  REHEARSALS,
  type Rehearsal,
  type RehearsalName,
  rehearse,
  withTimers,
} from './rehearsal.ts';
export { type Found, type SearchResult, search } from './search.ts';
export { runSeed, type SeedOptions, type SeedResult } from './seeds.ts';
export { type Story, tellStory } from './story.ts';
export type { TraceEvent, TraceRecord } from './trace.ts';
