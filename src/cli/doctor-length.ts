/**
 * What the doctor makes of long packets: does what a client may send arrive at the real server, also with a tunnel's header
 * around it? A plain function of what was answered; doctor-segment.ts asks.
 *
 * How long a client's packets are the server says itself, in its SYN-ACK (maximum segment size): a server with a short MTU
 * of its own, or one whose answers are limited, is none the worse for it. What breaks is a device between that bears less.
 * Source: RFC 1191, RFC 2923 §2.1 (black holes), RFC 9293 §3.7.1; net/netfilter/ipvs/ip_vs_xmit.c (tunnels).
 */
import type { IpAddress } from '../base/index.ts';
import { ipFamily } from '../base/index.ts';
import type { Settings } from '../model/index.ts';
import type { Asked, ServerAnswers } from './doctor-servers.ts';
import type { Cure, Finding } from './finding.ts';
import type { SynResult } from './segment-probe.ts';

/** What packets from elsewhere are at most long: Ethernet's. */
const FULL_PACKET = 1500;

/** The longest packet that was answered, and the shortest longer one that was not. */
export type Length = {
  readonly passed: number;
  readonly failed?: number;
  /** A router's own words. */
  readonly toldBy?: { readonly by: IpAddress; readonly mtu: number };
  readonly frames: readonly SynResult['frames'][];
};

/** IP and TCP headers of a segment. */
function headerBytes(address: IpAddress): number {
  return ipFamily(address) === 4 ? 40 : 60;
}

/** What a tunnel to a real server adds to each packet. */
function tunnelBytes({ server }: Asked, { network }: Pick<Settings, 'network'>): number {
  if (network !== 'tunnel') return 0;
  return ipFamily(server.address) === 4 ? 20 : 40;
}

/** How long a packet to the server may become, tunnel included, by what its SYN-ACK asked for. */
export function neededLength(
  asked: Asked,
  { own, vip }: ServerAnswers,
  settings: Pick<Settings, 'network'>,
): number {
  // What clients get to see is the answer for the VIP.
  const segment = vip?.maximumSegment ?? own?.maximumSegment;
  const header = headerBytes(asked.service.vip.address);
  const packet = segment === undefined ? FULL_PACKET : Math.min(FULL_PACKET, segment + header);
  return packet + tunnelBytes(asked, settings);
}

/** `room` is the MTU of our own device; no packet longer than that was sent. */
export function judgeLength(
  asked: Asked,
  needed: number,
  room: number,
  { passed, failed, toldBy, frames }: Length,
  settings: Pick<Settings, 'network'>,
): readonly Finding[] {
  const { server, device } = asked;
  const added = tunnelBytes(asked, settings);
  const name = `${server.name} (${server.address})`;
  const through = added === 0 ? '' : ` (${needed - added} and the tunnel's ${added})`;
  const cures = (longest: number): readonly Cure[] => [
    { on: server.name, command: clampCommand(longest - added, asked, settings) },
    {
      on: 'every device on the way',
      command: `ip link set DEVICE mtu ${needed}  # the better cure, where it can be had`,
    },
  ];
  if (failed === undefined) {
    const good = { severity: 'good', text: `${server.name} ${passed} bytes` } as const;
    const own: readonly Finding[] = [{ check: 'real-server-mtu', ...good }];
    if (added === 0) return own;
    if (needed <= room) return [...own, { check: 'tunnel-mtu', ...good }];
    return [
      ...own,
      {
        check: 'tunnel-mtu',
        severity: 'warning',
        text: `${name}: clients may send packets that come to ${needed} bytes${through}, and ${device} takes ${room}: each client must learn that by ICMP, which firewalls like to drop`,
        cures: cures(room),
        frames: frames.flat(),
      },
    ];
  }
  const check = 'real-server-mtu';
  const evidence = [
    `SYN of ${failed} bytes, not to be fragmented: no answer`,
    passed === 0 ? 'none of any length with data was answered' : `one of ${passed}: answered`,
    ...(toldBy === undefined
      ? ['nobody on the way says so: senders cannot learn it']
      : [`${toldBy.by} says: at most ${toldBy.mtu} bytes pass`]),
  ];
  if (passed === 0) {
    const text = `${name} answers a SYN without data only: how long packets may be cannot be told`;
    return [{ check, severity: 'unknown', text, evidence, frames: frames.flat() }];
  }
  const arrive = `${name}: clients may send packets that come to ${needed} bytes${through}, of ${passed} they arrive, of ${failed} they do not`;
  return [
    {
      check,
      // Where a router says so, and nothing drops its words, senders adapt.
      severity: toldBy === undefined ? 'broken' : 'warning',
      text:
        toldBy === undefined
          ? `${arrive}: connections open, and stop at the first long packet`
          : `${arrive}: each client must learn that by ICMP, which firewalls like to drop`,
      evidence,
      cures: cures(passed),
      frames: frames.flat(),
    },
  ];
}

/** Limits what the server's SYN-ACKs ask for, so that packets to it become no longer than `longest`. */
function clampCommand(
  longest: number,
  { service, server }: Asked,
  { network }: Pick<Settings, 'network'>,
): string {
  const source = network === 'nat' ? server.address : service.vip.address;
  const family = ipFamily(source) === 4 ? 'ip' : 'ip6';
  return [
    "nft 'add table inet lvs; add chain inet lvs out { type filter hook output priority mangle; }; ",
    `add rule inet lvs out ${family} saddr ${source} tcp flags syn tcp option maxseg size set ${longest - headerBytes(source)}'`,
  ].join('');
}
