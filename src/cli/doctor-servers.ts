/**
 * What the doctor makes of a real server's answers: does it take packets for the VIP, does it keep quiet about it, do its
 * answers come back, do full packets arrive? Plain functions of what it said; doctor-segment.ts asks.
 *
 * The ARP problem of direct routing in one table (who-has VIP; a SYN for the VIP to the server's link-layer address):
 *
 *   no answer,  SYN-ACK   right: the VIP is on lo, and ARP does not tell
 *   answer,     SYN-ACK   it answers ARP for the VIP: the router may go past the directors
 *   no answer,  silence   the VIP is missing there: connections sent to it end in nothing
 *   no answer,  reset     the VIP is there, the service listens at its own address only
 *
 * A SYN to the server's own address is the control: where that is silent, too, nothing can be told. For nat the question
 * is the way back: a SYN from a client elsewhere must be answered through here. A server behind a router is asked by way of
 * that router; then a silence may be the router's, and the sentence says so.
 */
import type { IpAddress, MacAddress } from '../base/index.ts';
import { ip, ipFamily } from '../base/index.ts';
import type { Settings } from '../model/index.ts';
import { type Claims, NOBODY } from './doctor-claims.ts';
import type { Listed } from './doctor-facts.ts';
import type { Cure, Finding } from './finding.ts';
import type { SynResult } from './segment-probe.ts';

/** A client that is nowhere: an answer to it must come by the server's default route. */
export const FAR_CLIENT = ip(NOBODY);

/** A real server and by which way it is asked. */
export type Asked = Listed & {
  readonly device: string;
  /** Absent: it is on the segment itself. */
  readonly gateway?: IpAddress;
};

/** What a server said: to its own address, to the VIP, to a client elsewhere. Absent: not asked. */
export type ServerAnswers = {
  /** Its own, or the gateway's. */
  readonly mac?: MacAddress;
  readonly own?: SynResult;
  readonly vip?: SynResult;
  readonly far?: SynResult;
};

const WORDS: Record<SynResult['answer'], string> = {
  accepted: 'SYN-ACK',
  refused: 'reset',
  silent: 'no answer',
};

/** The findings about one real server of one service. */
export function judgeServer(
  { service, server, device, gateway }: Asked,
  { mac, own, vip, far }: ServerAnswers,
  claims: Claims,
  { network }: Pick<Settings, 'network'>,
): readonly Finding[] {
  const place = gateway === undefined ? mac : `by way of ${gateway}`;
  const name = `${server.name} (${server.address}${place === undefined ? '' : `, ${place}`})`;
  const address = service.vip.address;
  const findings: Finding[] = [];
  const frames = [
    ...claims.framesAbout(gateway ?? server.address, address),
    ...[own, vip, far].flatMap((said) => said?.frames ?? []),
  ];
  const tell = (
    check: string,
    severity: Finding['severity'],
    text: string,
    cures?: readonly Cure[],
  ) =>
    findings.push({
      check,
      severity,
      text,
      ...(severity !== 'good' && { evidence, frames }),
      ...(cures !== undefined && { cures }),
    });
  const how = gateway === undefined ? 'sent to its link-layer address' : `by way of ${gateway}`;
  const claimed = mac !== undefined && claims.macsOf(address).includes(mac);
  const asked = `who has ${address}? asked 3 times on ${device}`;
  const evidence =
    mac === undefined
      ? [`who has ${gateway ?? server.address}? asked 3 times on ${device}: no answer`]
      : [
          ...(gateway === undefined
            ? [`${asked}: ${mac} ${claimed ? 'answered' : 'did not answer'}`]
            : []),
          ...synWords(server.address, how, own),
          ...synWords(address, how, vip),
          ...synWords(`${server.address} from ${FAR_CLIENT}`, how, far),
        ];
  if (mac === undefined) {
    const text =
      gateway === undefined
        ? `${name} does not answer on ${device}: no power, no cable, another segment`
        : `${name}: the router there does not answer on ${device}`;
    tell('real-server-reachable', 'broken', text);
    return findings;
  }
  if (network !== 'nat' && gateway === undefined) {
    if (claimed) {
      const text = `${name} answers ARP for VIP ${address}: the router may send to it past the directors`;
      tell('real-server-answers-arp', 'broken', text, arpCures(server.name, address));
    } else tell('real-server-answers-arp', 'good', `${server.name} keeps quiet about ${address}`);
    if (claims.announcersOf(address).includes(mac)) {
      const text = `${name} asks others by ARP in the name of VIP ${address}: who hears it sends there, past the directors`;
      tell('real-server-announces-vip', 'broken', text, arpCures(server.name, address));
    }
  }
  if (own?.answer === 'silent' && vip?.answer !== 'accepted') {
    const rest = 'down, or a firewall; the rest cannot be told';
    const what = gateway === undefined ? 'answers ARP and no SYN' : 'answers no SYN';
    const text = `${name} ${what} to port ${server.port || 80}: ${rest}`;
    tell('real-server-reachable', 'warning', text);
    return findings;
  }
  tell('real-server-reachable', 'good', server.name);
  const between =
    gateway === undefined ? '' : ', or a router between drops what comes from the VIP';
  if (vip?.answer === 'silent') {
    const text = `${name} does not take packets for VIP ${address}: connections sent to it end in nothing${between}`;
    tell('real-server-has-vip', 'broken', text, vipCures(server.name, address, network));
  } else if (vip !== undefined) tell('real-server-has-vip', 'good', `${server.name} ${address}`);
  if (vip?.answer === 'refused' && own?.answer === 'accepted' && service.protocol === 'tcp') {
    const text = `${name} has VIP ${address}, but its service listens at its own address only`;
    const command = `let the service listen at ${address} or at every address, port ${service.port}`;
    tell('real-server-listens', 'warning', text, [{ on: server.name, command }]);
  }
  if (far?.answer === 'silent') {
    const filter = gateway === undefined ? '' : ', or a router between drops the question';
    const text = `${name} answers clients elsewhere by another way than this director: nat needs it as default gateway${filter}`;
    const command = 'ip route replace default via NAT_ROUTER  # nat_router of lvs.cf';
    const severity = gateway === undefined ? 'broken' : 'warning';
    tell('real-server-return-path', severity, text, [{ on: server.name, command }]);
  } else if (far !== undefined) tell('real-server-return-path', 'good', server.name);
  return findings;
}

function synWords(to: string, how: string, said: SynResult | undefined): readonly string[] {
  if (said === undefined) return [];
  const { answer, complaint } = said;
  const words =
    complaint === undefined ? '' : `; ${complaint.by} says: ${complaintWords(complaint)}`;
  return [`SYN to ${to}, ${how}: ${WORDS[answer]}${words}`];
}

type Complaint = NonNullable<SynResult['complaint']>;

export function complaintWords({ kind, by, code, mtu }: Complaint): string {
  if (kind === 'too-big') return `too long, at most ${mtu} bytes pass`;
  const isFour = ipFamily(by) === 4;
  if (isFour ? [9, 10, 13].includes(code) : code === 1) return 'forbidden (a firewall)';
  if (code === (isFour ? 3 : 4)) return 'nobody takes it at that port';
  return 'it cannot be reached';
}

function arpCures(on: string, vip: IpAddress): readonly Cure[] {
  if (ipFamily(vip) === 6) {
    return [{ on, command: `ip addr add ${vip}/128 dev lo  # on lo, and on no other interface` }];
  }
  const words = 'net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2';
  return [
    { on, command: `sysctl -w ${words}` },
    { on, command: `printf '%s\\n' ${words} > /etc/sysctl.d/60-lvs-real-server.conf` },
    {
      on,
      command: `ip addr add ${vip}/32 dev lo  # if it is on another interface, remove it there`,
    },
  ];
}

function vipCures(on: string, vip: IpAddress, network: Settings['network']): readonly Cure[] {
  if (network === 'tunnel') {
    return [
      { on, command: `modprobe ipip; ip link set tunl0 up; ip addr add ${vip}/32 dev tunl0` },
      { on, command: 'sysctl -w net.ipv4.conf.tunl0.rp_filter=0 net.ipv4.conf.all.rp_filter=0' },
    ];
  }
  const prefix = ipFamily(vip) === 4 ? 32 : 128;
  const quiet = 'sysctl -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2';
  const add = { on, command: `ip addr add ${vip}/${prefix} dev lo` };
  // Quiet first: in the other order the server answers ARP for a moment.
  return prefix === 32 ? [{ on, command: quiet }, add] : [add];
}

/** Direct routing writes the server's link-layer address on the packet: there must be no router between. */
export function judgeSegment(
  { server, gateway, device }: Asked,
  { network }: Pick<Settings, 'network'>,
): readonly Finding[] {
  const check = 'real-server-segment';
  if (network !== 'direct') return [];
  if (gateway === undefined) return [{ check, severity: 'good', text: server.name }];
  return [
    {
      check,
      severity: 'broken',
      text: `${server.name} (${server.address}) is behind router ${gateway}: direct routing reaches the director's own segments only`,
      evidence: [`ip route get ${server.address}: via ${gateway} dev ${device}`],
      cures: [
        {
          on: 'here',
          command: `network = tunnel in lvs.cf, or an address of ${server.name}'s segment on this machine`,
        },
      ],
    },
  ];
}

/** No way at all, or by a device that carries no Ethernet frames. */
export function offSegment({ server }: Listed, device: string | undefined): Finding {
  const who = `${server.name} (${server.address})`;
  const check = 'real-server-reachable';
  if (device !== undefined) {
    return {
      check,
      severity: 'unknown',
      text: `${who} is reached by ${device}, which is no Ethernet: not asked`,
    };
  }
  return {
    check,
    severity: 'broken',
    text: `${who}: this machine has no route to it`,
    cures: [{ on: 'here', command: `ip route get ${server.address}` }],
  };
}
