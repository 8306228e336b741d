export * from './failover-types.ts';
