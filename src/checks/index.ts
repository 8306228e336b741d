/** Probes of real servers, and the schedule that makes them. */
export { type FuzzTally, fuzzChecks, fuzzTls } from './fuzz.ts';
export { openKnocker } from './knock.ts';
export { LoadRunner } from './loads.ts';
export { type ProbeOutcome, probeOnce } from './once.ts';
export { openPinger } from './ping.ts';
export type { Pinger, ProbeContext, Prober, RunningProbe } from './probe.ts';
export { proberOf } from './prober.ts';
export {
  CheckRunner,
  type ReportedVerdict,
  type RunnerOptions,
  type RunnerStats,
} from './runner.ts';
