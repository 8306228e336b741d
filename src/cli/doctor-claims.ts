/**
 * What the doctor makes of the answers to "who has this address?": is one there twice, who has a VIP, are two machines one
 * to the switches, does anybody answer for everybody? Plain functions of what was heard.
 */
import type { IpAddress, MacAddress } from '../base/index.ts';
import type { Vip } from '../model/index.ts';
import type { Finding, HeardFrame } from './finding.ts';

/** What was heard on one segment; `SegmentProbe` is one. */
export type Claims = {
  readonly device: string;
  macsOf(address: IpAddress): readonly MacAddress[];
  announcersOf(address: IpAddress): readonly MacAddress[];
  framesAbout(...addresses: readonly IpAddress[]): readonly HeardFrame[];
  readonly ownEchoes: ReadonlyMap<IpAddress, readonly HeardFrame[]>;
};

/** A machine that is known by name: the partner, a real server. */
export type Named = { readonly name: string; readonly address: IpAddress };

/** Nobody's (RFC 2544): who answers for it answers for everybody. */
export const NOBODY = '198.18.0.1';

/** Ours at somebody else, or another's at two. */
export function duplicates(
  owns: readonly IpAddress[],
  others: readonly Named[],
  claims: Claims,
): readonly Finding[] {
  const check = 'address-duplicate';
  const { device } = claims;
  const whoHas = (address: IpAddress) => `arping -I ${device} ${address}  # until it is silent`;
  const ours = owns.flatMap((address): readonly Finding[] => {
    const [other] = claims.macsOf(address);
    if (other === undefined) return [];
    return [
      {
        check,
        severity: 'broken',
        text: `${address} of this machine is also at ${other}`,
        cures: [{ on: 'here', command: `arping -D -I ${device} ${address}  # until it is silent` }],
        frames: claims.framesAbout(address),
      },
    ];
  });
  const theirs = others.flatMap(({ name, address }): readonly Finding[] => {
    const macs = claims.macsOf(address);
    if (macs.length < 2) return [];
    return [
      {
        check,
        severity: 'warning',
        text: `${name} (${address}) is answered for by ${macs.join(' and ')}: two machines have it, or one answers by two cards`,
        cures: [
          { on: 'here', command: whoHas(address).replace('until it is silent', 'which is which?') },
          { on: name, command: 'sysctl -w net.ipv4.conf.all.arp_ignore=1  # if both are its own' },
        ],
        frames: claims.framesAbout(address),
      },
    ];
  });
  if (ours.length + theirs.length > 0) return [...ours, ...theirs];
  return [{ check, severity: 'good', text: owns.join(', ') || `no address on ${device}` }];
}

export function vipOwners(
  vips: readonly Vip[],
  claims: Claims,
  known: {
    readonly isActive: boolean;
    readonly servers: ReadonlySet<MacAddress>;
    readonly partner: MacAddress | undefined;
  },
): readonly Finding[] {
  return vips.map(({ address }) => {
    const claimants = claims.macsOf(address).filter((mac) => !known.servers.has(mac));
    const finding = vipOwner(address, claimants, claims.device, known);
    const frames = claims.framesAbout(address);
    return { check: 'vip-owner', ...finding, ...(finding.severity !== 'good' && { frames }) };
  });
}

function vipOwner(
  address: IpAddress,
  claimants: readonly MacAddress[],
  device: string,
  { isActive, partner }: { readonly isActive: boolean; readonly partner: MacAddress | undefined },
): Omit<Finding, 'check'> {
  const strangers = claimants.filter((mac) => mac !== partner);
  const tooMany = isActive ? claimants.length > 0 : claimants.length > 1;
  if (tooMany) {
    const who = claimants.map((mac) => (mac === partner ? `the partner (${mac})` : strange(mac)));
    const us = isActive ? 'this director is active, and ' : '';
    const text = `${us}${who.join(' and ')} ${who.length === 1 ? 'answers' : 'answer'} for VIP ${address}`;
    const command = `arping -I ${device} ${address}  # then find that link-layer address in the switch`;
    return { severity: 'broken', text, cures: [{ on: 'here', command }] };
  }
  // On a standby, one claimant is the owner; which one it is, only its own segment's partner address could tell.
  const [stranger] = strangers;
  if (!isActive && partner !== undefined && stranger !== undefined) {
    const text = `${strange(stranger)} answers for VIP ${address}, and that is not the partner (${partner})`;
    return { severity: 'broken', text };
  }
  if (!isActive && claimants.length === 0) {
    return { severity: 'warning', text: `nobody answers for VIP ${address}` };
  }
  const owner = isActive ? 'this director' : claimants.join();
  return { severity: 'good', text: `${address}: ${owner}` };
}

/** RFC 9568 §7.3: the last octet of a virtual router's address is its number. */
function strange(mac: MacAddress): string {
  const [, number] = /^00:00:5e:00:0[12]:(..)$/.exec(mac) ?? [];
  if (number === undefined) return mac;
  return `${mac}, a VRRP router (virtual_router_id ${Number.parseInt(number, 16)}),`;
}

/** Frames with our own link-layer address that came in: a second one of us, or our own ones back. */
export function ownEchoes(owns: ReadonlySet<IpAddress>, claims: Claims): readonly Finding[] {
  return Array.from(claims.ownEchoes, ([address, frames]): Finding => {
    const text = owns.has(address)
      ? `frames of this machine come back to it on ${claims.device}: the segment has a loop`
      : `a machine with address ${address} has this machine's link-layer address on ${claims.device}: switches send to either`;
    const cure = owns.has(address)
      ? {
          on: 'the switch',
          command: 'find the loop: spanning tree, a bond without its counterpart',
        }
      : { on: `the machine at ${address}`, command: 'give it a link-layer address of its own' };
    return { check: 'mac-duplicate', severity: 'broken', text, cures: [cure], frames };
  });
}

/** Two names, one link-layer address, and not one machine. */
export function sharedMac(mac: MacAddress, a: Named, b: Named, claims: Claims): Finding {
  return {
    check: 'mac-duplicate',
    severity: 'broken',
    text: `${a.name} (${a.address}) and ${b.name} (${b.address}) are two machines with one link-layer address, ${mac}: switches send to the one that spoke last`,
    evidence: [
      `asked there alone, right after ${a.address} had answered, nobody answered for ${b.address}`,
    ],
    cures: [{ on: b.name, command: 'give it a link-layer address of its own (a copied machine?)' }],
    frames: claims.framesAbout(a.address, b.address),
  };
}

export function proxies(nobody: IpAddress, claims: Claims): readonly Finding[] {
  const check = 'proxy-arp';
  const macs = claims.macsOf(nobody);
  if (macs.length === 0) {
    return [{ check, severity: 'good', text: `nobody on ${claims.device}` }];
  }
  return macs.map((mac) => ({
    check,
    severity: 'warning',
    text: `${mac} on ${claims.device} answers ARP for ${nobody}, which is nobody's: it answers for machines behind it, and may do so for a VIP`,
    cures: [
      { on: mac, command: 'sysctl -w net.ipv4.conf.all.proxy_arp=0  # and of its interface' },
    ],
    frames: claims.framesAbout(nobody),
  }));
}
