export {
  type AddressPlan,
  type AddressWish,
  type MissingVip,
  planAddresses,
} from './address-plan.ts';
export { type Announcements, MAX_TOKENS, refill } from './announcements.ts';
export {
  CHANGE_FATES,
  type Change,
  type ChangeEffect,
  type ChangeFate,
  type ChangeInput,
  type ChangeRefusal,
  type ChangeState,
  type ChangeStep,
  changeWakeAt,
  type RestoreReason,
  SETTLED,
  stepChange,
} from './change.ts';
export type { Ask, ExtendedSettings, ExtendedState, Partner } from './extended-types.ts';
export { initialState, step, wakeAt } from './failover.ts';
export * from './failover-types.ts';
export { MAX_WEIGHT, parseLoad } from './health.ts';
export { failoverCheck } from './health-check.ts';
export { meaningOf } from './meaning.ts';
export {
  type FailoverState,
  intervalMs,
  type Move,
  RULES,
  type Rule,
  reasonOf,
  roleOf,
} from './moves.ts';
export { refusalOf } from './operator.ts';
export {
  type CoreRecord,
  checkpointOf,
  decodeRecord,
  effectWords,
  encodeRecord,
  heartbeatWords,
  isWorthRecording,
  type RecordHeader,
  recordOf,
} from './record.ts';
export { NOTHING_SEEN, type ServiceWatch, watchService } from './service-watch.ts';
export { stepServices } from './services.ts';
export type { LoadMonitor } from './services-plan.ts';
export {
  desiredTable,
  initialServices,
  type ServicesState,
  servicesStatus,
  servicesWakeAt,
} from './services-state.ts';
export * from './services-types.ts';
export { planTable } from './table-plan.ts';
export {
  longestLeaseMs,
  type PairTimers,
  renewalMs,
  SETTLE_MS,
  shortestLeaseMs,
} from './timers.ts';
