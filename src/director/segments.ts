/**
 * The segments that our VIPs live on, and whom we may ask there: who judges whether we are believed (R9), who only
 * shows that anybody is there (R10). Pure.
 */
import { type IpAddress, ipBytes, ipFamily, type MacAddress } from '../base/index.ts';
import type {
  AddressRow,
  Gateway,
  KernelAddresses,
  Settings,
  Verify,
  Vip,
} from '../model/index.ts';

/** Whom an lvs.cf and the routing table name; plain data, part of the plan. */
export type WitnessPlan = {
  readonly verify: Verify;
  readonly verifyHosts: readonly IpAddress[];
  readonly witnessHosts: readonly IpAddress[];
  /** The real servers. */
  readonly segmentHosts: readonly IpAddress[];
  readonly gateways: readonly Gateway[];
};

export type Segment = {
  readonly device: string;
  readonly mac: MacAddress;
  /** Our own addresses there, VIPs left out. */
  readonly own: readonly Pick<AddressRow, 'address' | 'prefixLength'>[];
  readonly vips: readonly IpAddress[];
  /** Asked from a VIP whether they believe us. */
  readonly witnesses: readonly IpAddress[];
  /** Asked from our own address whether they are there; the witnesses among them. */
  readonly neighbours: readonly IpAddress[];
  /** witness_hosts that are on this segment: where there are any, nobody else's frames count. */
  readonly judges: readonly IpAddress[];
};

/** Asked at most, on one segment. */
const MAX_NEIGHBOURS = 32;

export function witnessPlan(
  { verify = 'gateway', verifyHosts = [], witnessHosts = [], virtualServices }: Settings,
  gateways: readonly Gateway[],
): WitnessPlan {
  const realServers = virtualServices
    .filter(({ isEnabled }) => isEnabled)
    .flatMap((service) => service.realServers.map(({ address }) => address));
  const segmentHosts = [...new Set(realServers)];
  return { verify, verifyHosts, witnessHosts, segmentHosts, gateways };
}

/** Devices without a link-layer address (tunnels, lo) have no neighbours to ask and are left out. */
export function segmentsOf(
  vips: readonly Vip[],
  partners: readonly IpAddress[],
  plan: WitnessPlan,
  { links, rows }: KernelAddresses,
): readonly Segment[] {
  const floating = new Set<IpAddress>(vips.map(({ address }) => address));
  return links.flatMap(({ index, name, mac }): readonly Segment[] => {
    const here = vips.filter(({ device }) => device === name).map(({ address }) => address);
    if (here.length === 0 || mac === undefined) return [];
    const own = rows.filter((row) => row.interfaceIndex === index && !floating.has(row.address));
    const strangers = (hosts: readonly IpAddress[]): readonly IpAddress[] =>
      hosts.filter(
        (host) =>
          !floating.has(host) &&
          !partners.includes(host) &&
          own.every(({ address }) => address !== host) &&
          own.some((row) => isOnLink(host, row)),
      );
    const gateways = plan.gateways
      .filter((gateway) => gateway.interfaceIndex === index && !partners.includes(gateway.address))
      .map(({ address }) => address);
    const asked = { off: [], gateway: gateways, hosts: strangers(plan.verifyHosts) };
    const judges = strangers(plan.witnessHosts);
    const hosts = strangers([...plan.verifyHosts, ...plan.segmentHosts]);
    const all = new Set([...judges, ...gateways, ...hosts]);
    const neighbours = [...all].slice(0, MAX_NEIGHBOURS);
    const witnesses = asked[plan.verify];
    return [{ device: name, mac, own, vips: here, witnesses, neighbours, judges }];
  });
}

/** Our address to ask `target` from: of its network if we have one there. */
export function ownAddressFor({ own }: Segment, target: IpAddress): IpAddress | undefined {
  const family = ipFamily(target);
  const candidates = own.filter(({ address }) => ipFamily(address) === family);
  return (candidates.find((row) => isOnLink(target, row)) ?? candidates[0])?.address;
}

/** Is `host` a neighbour on the network of this address of ours? */
export function isOnLink(
  host: IpAddress,
  { address, prefixLength }: Pick<AddressRow, 'address' | 'prefixLength'>,
): boolean {
  if (ipFamily(host) !== ipFamily(address)) return false;
  const a = ipBytes(host);
  const b = ipBytes(address);
  for (let bit = 0; bit < prefixLength; bit += 8) {
    const mask = (0xff00 >> Math.min(8, prefixLength - bit)) & 0xff;
    if ((((a[bit >> 3] ?? 0) ^ (b[bit >> 3] ?? 0)) & mask) !== 0) return false;
  }
  return true;
}
