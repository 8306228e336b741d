/** The director process and what others may ask of it. */
export {
  AUDIT_RESULTS,
  type AuditEntry,
  AuditLog,
  type AuditResult,
  brokenLink,
  type NewAuditEntry,
} from './audit-log.ts';
export type { CheckDocument, ConfigDocument, DiffDocument } from './change-desk.ts';
export { VERSION_STATES, type Version } from './change-store.ts';
export type { Applied, ApplyRequest, ChangeProblem, Pending } from './changes.ts';
export {
  EVENT_KINDS,
  type EventKind,
  EventLog,
  type EventRecord,
  SINCE,
  sinceOf,
} from './event-log.ts';
export type { Api, DirectorFace, OpenApi, Refusal, ServicesFace } from './face.ts';
/** For tests of rooms below this one; nothing of it is loaded by a director. */
export const imagined = () => import('./imagined-director.ts');
export const sampleDocuments = () => import('./documents-under-test.ts');
export { type FosOptions, runFos } from './fos-alone.ts';
export { type IncidentRow, listIncidents, readIncident } from './incidents.ts';
export { heldVips, observeKernel } from './kernel.ts';
export { readKeys } from './key-file.ts';
export {
  ANSWER_CLASSES,
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
  ANNOUNCED_FORMS,
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
export { userHeader } from './partner-client.ts';
export { decideNode } from './plan.ts';
export {
  DEFAULT_RUN_DIRECTORY,
  DEFAULT_STATE_DIRECTORY,
  type RunDirectory,
  readPid,
  runDirectory,
} from './run-directory.ts';
export type { ReloadOutcome } from './running-configuration.ts';
export { portErrorText, systemErrorText } from './sentences.ts';
export {
  type ServerDocument,
  type ServiceRowDocument,
  type ServicesDocument,
  servicesDocument,
} from './services-document.ts';
export { LEVELS, type StatusDocument, type Verdict, type VipStatus } from './status.ts';
