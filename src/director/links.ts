/**
 * monitor_links: which heartbeat paths have lost their cable.
 *
 * A path's interface is the one that holds our own address on it. An address that nowhere is found says nothing about
 * a cable, so its path counts as up (as in piranha 0.8.6). Carrier is the kernel's IFF_LOWER_UP, which is what
 * ethtool's link test reads; a bond or bridge has carrier while one of its members has.
 */
import type { Path } from '../core/index.ts';
import type { KernelAddresses, PathName } from '../model/index.ts';

export function pathsDown(paths: readonly Path[], observed: KernelAddresses): readonly PathName[] {
  return paths.filter((path) => !hasLink(path, observed)).map(({ name }) => name);
}

function hasLink({ own }: Path, { rows, links }: KernelAddresses): boolean {
  const row = rows.find(({ address }) => address === own);
  const link = links.find(({ index }) => index === row?.interfaceIndex);
  return link === undefined || (link.isUp && link.hasCarrier);
}
