export * from './arp.ts';
export * from './ethernet.ts';
export * from './heartbeat.ts';
export * from './icmp.ts';
export * from './ndp.ts';
export * from './netlink.ts';
export * from './rtnl.ts';
export * from './trailer.ts';
