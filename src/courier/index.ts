/** The pair's channel: a small unprivileged process that carries bytes between the two directors, and what starts it. */
export { LIMITS } from './limits.ts';
export { type CourierFiles, type CourierPlan, courierFiles, courierUser } from './plan.ts';
export { runCourier } from './run.ts';
export { type CourierSecrets, courierSecrets } from './secrets.ts';
export { type CourierState, readState } from './state.ts';
