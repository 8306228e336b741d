/** The director process and what others may ask of it. */
export { heldVips, observeKernel } from './kernel.ts';
export {
  type CheckKind,
  Ledger,
  type LedgerTotals,
  type ProbeTotals,
  serverKey,
  type Totals,
} from './ledger.ts';
export { loadSettings } from './load-settings.ts';
export { type LvsdOptions, runLvsd } from './lvsd.ts';
export { type PulseOptions, runPulse } from './main-thread.ts';
export { type PulseCounters, zeroCounters } from './messages.ts';
export {
  type Buckets,
  bucketsOf,
  checkBuckets,
  observe,
  type PulseMeters,
  zeroMeters,
} from './meters.ts';
export type { MetricFacts } from './metric-facts.ts';
export { runNanny } from './nanny.ts';
export { ORDERS, type OrderReport } from './orders.ts';
export { longestLeaseMs } from './plan.ts';
export {
  DEFAULT_RUN_DIRECTORY,
  type RunDirectory,
  readPid,
  runDirectory,
} from './run-directory.ts';
export type { ServicesDocument } from './services-document.ts';
export { LEVELS, type StatusDocument, type Verdict } from './status.ts';
