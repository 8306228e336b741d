/**
 * The Linux capabilities that a director needs and does not have, so that the start says which, instead of an errno.
 * Source: capabilities(7), proc_pid_status(5) CapEff, ip(7) ip_unprivileged_port_start.
 */
import { readFileSync } from 'node:fs';

const NEEDED = [
  { name: 'CAP_NET_BIND_SERVICE', bit: 10 }, // a heartbeat port below the unprivileged ones
  { name: 'CAP_NET_ADMIN', bit: 12 }, // addresses
  { name: 'CAP_NET_RAW', bit: 13 }, // announcements
] as const;

/** What this process is allowed to do, as the kernel says. */
export type Rights = {
  /** The text of /proc/self/status. */
  readonly status: string;
  /** The first port that anybody may bind. */
  readonly firstFreePort: number;
};

/** Names, in the order of their numbers; empty when nothing is missing. */
export function missingCapabilities(
  heartbeatPort: number,
  { status, firstFreePort }: Rights = readRights(),
): readonly string[] {
  const hex = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1];
  const held = BigInt(`0x${hex ?? '0'}`);
  return NEEDED.filter(({ bit, name }) => {
    const isNeeded = name !== 'CAP_NET_BIND_SERVICE' || heartbeatPort < firstFreePort;
    return isNeeded && ((held >> BigInt(bit)) & 1n) === 0n;
  }).map(({ name }) => name);
}

function readRights(): Rights {
  const firstFreePort = Number(
    readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8'),
  );
  return { status: readFileSync('/proc/self/status', 'utf8'), firstFreePort };
}
