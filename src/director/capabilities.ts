/** The Linux capabilities that a director needs and does not have. Source: capabilities(7), proc_pid_status(5) CapEff. */
import { readFileSync } from 'node:fs';

const NEEDED = [
  { name: 'CAP_NET_ADMIN', bit: 12 }, // addresses
  { name: 'CAP_NET_RAW', bit: 13 }, // announcements
] as const;

/** Names, in the order of their numbers; empty when nothing is missing. */
export function missingCapabilities(
  statusText = readFileSync('/proc/self/status', 'utf8'),
): readonly string[] {
  const hex = /^CapEff:\s*([0-9a-f]+)$/m.exec(statusText)?.[1];
  const held = BigInt(`0x${hex ?? '0'}`);
  return NEEDED.filter(({ bit }) => ((held >> BigInt(bit)) & 1n) === 0n).map(({ name }) => name);
}
