export {
  type AddressPlan,
  type AddressWish,
  type MissingVip,
  planAddresses,
} from './address-plan.ts';
export type { ExtendedSettings, ExtendedState, Partner } from './extended-types.ts';
export { initialState, step, wakeAt } from './failover.ts';
export * from './failover-types.ts';
export { type FailoverState, type Move, RULES, type Rule, roleOf } from './moves.ts';
export { refusalOf } from './operator.ts';
