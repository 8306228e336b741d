export * from './netlink.ts';
