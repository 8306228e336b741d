export { initialState, step, wakeAt } from './failover.ts';
export * from './failover-types.ts';
export { type FailoverState, type Move, RULES, type Rule, roleOf } from './moves.ts';
