/**
 * The partner's link-layer address, from the kernel's neighbour entries (proc_net(5) arp).
 *
 * Read at the moment of need, which is rare: a standby announces for its partner when it has just given way to it, or is
 * not heard by it. IPv4 only, as heartbeats are.
 */
import { readFileSync } from 'node:fs';
import { type IpAddress, type MacAddress, parseMacAddress } from '../base/index.ts';

/** ATF_COM: the entry is complete. */
const COMPLETE = 0x2;

/** Looks one of `addresses` up on a device; undefined when the kernel does not know it there. */
export function neighbourMac(
  device: string,
  addresses: readonly IpAddress[],
  table = readFileSync('/proc/thread-self/net/arp', 'utf8'),
): MacAddress | undefined {
  for (const line of table.split('\n').slice(1)) {
    const [address, , flags, mac, , where] = line.trim().split(/\s+/);
    if (where !== device || !addresses.some((wanted) => wanted === address)) continue;
    if ((Number(flags) & COMPLETE) === 0) continue;
    const parsed = parseMacAddress(mac ?? '');
    if (parsed.ok) return parsed.value;
  }
  return undefined;
}
