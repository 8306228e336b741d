/**
 * The doctor's questions to the segment: do the real servers take packets for the VIP, do they keep quiet about it, is an
 * address there twice? Found from here, without anything installed there.
 *
 * The ARP problem of direct routing in one table (who-has VIP; a SYN for the VIP to the server's link-layer address):
 *
 *   no answer,  SYN-ACK   right: the VIP is on lo, and ARP does not tell
 *   answer,     SYN-ACK   it answers ARP for the VIP: the router may go past the directors
 *   no answer,  silence   the VIP is missing there: connections sent to it end in nothing
 *   no answer,  reset     the VIP is there, the service listens at its own address only
 *
 * A SYN to the server's own address is the control: where that is silent, too, nothing can be told. For nat the question
 * is the way back: a SYN from a client elsewhere must be answered through here.
 */
import type { IpAddress, MacAddress } from '../base/index.ts';
import { ip, ipFamily } from '../base/index.ts';
import type { Link, Settings, Vip } from '../model/index.ts';
import { floatingAddresses } from '../model/index.ts';
import { floatingSet } from './doctor-checks.ts';
import { type Facts, type Listed, listedServers, placeOf } from './doctor-facts.ts';
import type { Cure, Finding } from './finding.ts';
import { SegmentProbe, type SynAnswer, type SynQuestion } from './segment-probe.ts';

export const SERVER_CHECKS: readonly { readonly name: string; readonly about: string }[] = [
  { name: 'address-duplicate', about: 'nobody else has an address of this machine' },
  { name: 'vip-owner', about: 'nobody but the owner answers for a VIP' },
  { name: 'real-server-reachable', about: 'each real server is on the segment and answers' },
  { name: 'real-server-answers-arp', about: 'no real server answers ARP for a VIP' },
  { name: 'real-server-has-vip', about: 'each real server takes packets for its VIP' },
  { name: 'real-server-listens', about: 'its service listens at the VIP, too' },
  { name: 'real-server-return-path', about: 'nat: its answers come back through the director' },
];

/** A client that is nowhere (RFC 2544): an answer to it must come by the server's default route. */
const FAR_CLIENT = ip('198.18.0.1');
const MOST_SERVERS = 512;

type Segment = { readonly link: Link; readonly mac: MacAddress };
type Claims = ReadonlyMap<IpAddress, readonly MacAddress[]>;
type Asked = Listed & {
  readonly own: IpAddress;
  readonly segment: Segment;
};

/** Asks everything; the findings of all segments. Needs root. */
export async function probeServers(facts: Facts, settings: Settings): Promise<readonly Finding[]> {
  const floating = floatingSet(settings);
  const all = listedServers(settings);
  const listed = all.slice(0, MOST_SERVERS);
  const findings: Finding[] = [];
  const asked: Asked[] = [];
  for (const one of listed) {
    if (facts.kernel.rows.some(({ address }) => address === one.server.address)) continue; // this machine
    const place = placeOf(one.server.address, facts.kernel, floating);
    if (place?.link.mac !== undefined) {
      asked.push({ ...one, own: place.own, segment: { link: place.link, mac: place.link.mac } });
    } else findings.push(offSegment(one, settings));
  }
  if (all.length > listed.length) {
    const text = `the first ${MOST_SERVERS} of ${all.length} real servers were asked`;
    findings.push({ check: 'real-server-reachable', severity: 'unknown', text });
  }
  for (const link of segmentLinks(facts, settings, asked)) {
    if (link.mac === undefined) continue;
    const probe = SegmentProbe.open({ index: link.index, name: link.name, mac: link.mac });
    if (!probe.ok) {
      findings.push({ check: 'real-server-reachable', severity: 'unknown', text: probe.error });
      continue;
    }
    const here = asked.filter(({ segment }) => segment.link.index === link.index);
    findings.push(
      ...(await probeSegment(probe.value, { link, mac: link.mac }, here, facts, settings)),
    );
    probe.value.close();
  }
  return findings;
}

function segmentLinks(facts: Facts, settings: Settings, asked: readonly Asked[]): readonly Link[] {
  const devices = new Set(floatingAddresses(settings).map(({ device }) => device));
  for (const { segment } of asked) devices.add(segment.link.name);
  return facts.kernel.links.filter(({ name, isUp }) => isUp && devices.has(name));
}

async function probeSegment(
  probe: SegmentProbe,
  segment: Segment,
  asked: readonly Asked[],
  facts: Facts,
  settings: Settings,
): Promise<readonly Finding[]> {
  const { link } = segment;
  const vips = floatingAddresses(settings).filter(({ device }) => device === link.name);
  const owns = ownAddresses(facts, link, floatingSet(settings));
  const partner = partnerAddress(facts, settings);
  const from = (address: IpAddress): IpAddress | undefined =>
    owns.find((own) => ipFamily(own) === ipFamily(address));
  const addresses = new Set<IpAddress>([
    ...vips.map(({ address }) => address),
    ...asked.map(({ server }) => server.address),
    ...(partner === undefined ? [] : [partner]),
    ...owns,
  ]);
  const claims = await probe.whoHas(
    [...addresses].flatMap((address) => {
      const own = from(address);
      return own === undefined ? [] : [{ from: own, address }];
    }),
  );
  const macOf = (address: IpAddress): MacAddress | undefined => claims.get(address)?.[0];
  const answers = await askServers(probe, asked, macOf, settings, facts);
  return [
    ...duplicates(owns, claims, link),
    ...vipOwners(vips, claims, {
      isActive: facts.status?.role === 'active',
      servers: new Set(asked.flatMap(({ server }) => macOf(server.address) ?? [])),
      partner: partner === undefined ? undefined : macOf(partner),
      device: link.name,
    }),
    ...asked.flatMap((one, index) => {
      const answer = answers[index];
      return answer === undefined ? [] : judgeServer(one, answer, claims, settings);
    }),
  ];
}

/** What a server said: to its own address, to the VIP, to a client elsewhere. Absent: not asked. */
export type ServerAnswers = {
  readonly mac?: MacAddress;
  readonly own?: SynAnswer;
  readonly vip?: SynAnswer;
  readonly far?: SynAnswer;
};

async function askServers(
  probe: SegmentProbe,
  asked: readonly Asked[],
  macOf: (address: IpAddress) => MacAddress | undefined,
  settings: Settings,
  facts: Facts,
): Promise<readonly ServerAnswers[]> {
  const questions: {
    readonly of: number;
    readonly what: 'own' | 'vip' | 'far';
    readonly syn: SynQuestion;
  }[] = [];
  for (const [of, { service, server, own }] of asked.entries()) {
    const mac = macOf(server.address);
    if (mac === undefined) continue;
    const port = server.port || 80;
    const plain = { mac, from: own, to: server.address, port };
    questions.push({ of, what: 'own', syn: plain });
    const vip = service.vip.address;
    const isSameFamily = ipFamily(vip) === ipFamily(server.address);
    const vipPort = service.port || port;
    if (settings.network === 'direct' && isSameFamily) {
      questions.push({ of, what: 'vip', syn: { ...plain, to: vip, port: vipPort } });
    }
    if (settings.network === 'tunnel' && isSameFamily && ipFamily(vip) === 4) {
      const tunnelTo = server.address;
      questions.push({ of, what: 'vip', syn: { ...plain, to: vip, port: vipPort, tunnelTo } });
    }
    const isOwner = facts.status?.role === 'active';
    if (settings.network === 'nat' && isOwner && ipFamily(server.address) === 4) {
      questions.push({ of, what: 'far', syn: { ...plain, from: FAR_CLIENT } });
    }
  }
  const said = await probe.syn(questions.map(({ syn }) => syn));
  return asked.map(({ server }, index) => {
    const mac = macOf(server.address);
    const own = questions.flatMap(({ of, what }, question) =>
      of === index ? [[what, said[question] ?? 'silent'] as const] : [],
    );
    return { ...(mac !== undefined && { mac }), ...Object.fromEntries(own) };
  });
}

const WORDS: Record<SynAnswer, string> = {
  accepted: 'SYN-ACK',
  refused: 'reset',
  silent: 'no answer',
};

/** The findings about one real server of one service. */
export function judgeServer(
  { service, server, segment }: Pick<Asked, 'service' | 'server' | 'segment'>,
  { mac, own, vip, far }: ServerAnswers,
  claims: Claims,
  settings: Pick<Settings, 'network'>,
): readonly Finding[] {
  const name = `${server.name} (${server.address}${mac === undefined ? '' : `, ${mac}`})`;
  const address = service.vip.address;
  const device = segment.link.name;
  if (mac === undefined) {
    const text = `${name} does not answer on ${device}: no power, no cable, another segment`;
    return [{ check: 'real-server-reachable', severity: 'broken', text }];
  }
  const findings: Finding[] = [];
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
      ...(severity !== 'good' && { evidence }),
      ...(cures !== undefined && { cures }),
    });
  const claimed = claims.get(address)?.includes(mac) === true;
  const evidence = [
    `who has ${address}? asked 3 times on ${device}: ${claimed ? `${mac} answered` : `${mac} did not answer`}`,
    ...synWords(server.address, own),
    ...synWords(address, vip),
    ...synWords(`${server.address} from ${FAR_CLIENT}`, far),
  ];
  if (settings.network !== 'nat') {
    if (claimed) {
      const text = `${name} answers ARP for VIP ${address}: the router may send to it past the directors`;
      tell('real-server-answers-arp', 'broken', text, arpCures(server.name, address));
    } else tell('real-server-answers-arp', 'good', `${server.name} keeps quiet about ${address}`);
  }
  if (own === 'silent' && vip !== 'accepted') {
    const text = `${name} answers ARP and no SYN to port ${server.port || 80}: down, or a firewall; the rest cannot be told`;
    tell('real-server-reachable', 'warning', text);
    return findings;
  }
  tell('real-server-reachable', 'good', server.name);
  if (vip === 'silent') {
    const text = `${name} does not take packets for VIP ${address}: connections sent to it end in nothing`;
    tell('real-server-has-vip', 'broken', text, vipCures(server.name, address, settings.network));
  } else if (vip !== undefined) tell('real-server-has-vip', 'good', `${server.name} ${address}`);
  if (vip === 'refused' && own === 'accepted' && service.protocol === 'tcp') {
    const text = `${name} has VIP ${address}, but its service listens at its own address only`;
    const command = `let the service listen at ${address} or at every address, port ${service.port}`;
    tell('real-server-listens', 'warning', text, [{ on: server.name, command }]);
  }
  if (far === 'silent') {
    const text = `${name} answers clients elsewhere by another way than this director: nat needs it as default gateway`;
    const command = 'ip route replace default via NAT_ROUTER  # nat_router of lvs.cf';
    tell('real-server-return-path', 'broken', text, [{ on: server.name, command }]);
  } else if (far !== undefined) tell('real-server-return-path', 'good', server.name);
  return findings;
}

function synWords(to: string, answer: SynAnswer | undefined): readonly string[] {
  return answer === undefined
    ? []
    : [`SYN to ${to}, sent to its link-layer address: ${WORDS[answer]}`];
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

function offSegment({ server }: Listed, { network }: Settings): Finding {
  const where = `${server.name} (${server.address}) is on no segment of this machine`;
  return network === 'direct'
    ? {
        check: 'real-server-reachable',
        severity: 'broken',
        text: `${where}: direct routing reaches its own segments only`,
        cures: [
          { on: 'here', command: 'use network = tunnel, or give this machine an address there' },
        ],
      }
    : { check: 'real-server-reachable', severity: 'unknown', text: `${where}: not asked` };
}

function ownAddresses(
  { kernel }: Facts,
  link: Link,
  floating: ReadonlySet<IpAddress>,
): readonly IpAddress[] {
  const isUsable = (address: IpAddress): boolean =>
    !floating.has(address) && !address.startsWith('fe80:');
  return kernel.rows.flatMap(({ interfaceIndex, address }) =>
    interfaceIndex === link.index && isUsable(address) ? [address] : [],
  );
}

function partnerAddress({ node }: Facts, settings: Settings): IpAddress | undefined {
  if (node === undefined || settings.backup === undefined) return undefined;
  return node === 'primary' ? settings.backup : settings.primary;
}

function duplicates(owns: readonly IpAddress[], claims: Claims, link: Link): readonly Finding[] {
  const check = 'address-duplicate';
  const found = owns.flatMap((address) => {
    const [other] = claims.get(address) ?? [];
    return other === undefined ? [] : [{ address, other }];
  });
  if (found.length === 0) {
    return [{ check, severity: 'good', text: owns.join(', ') || `no address on ${link.name}` }];
  }
  return found.map(({ address, other }) => ({
    check,
    severity: 'broken',
    text: `${address} of this machine is also at ${other}`,
    cures: [{ on: 'here', command: `arping -D -I ${link.name} ${address}  # until it is silent` }],
  }));
}

function vipOwners(
  vips: readonly Vip[],
  claims: Claims,
  known: {
    readonly isActive: boolean;
    readonly servers: ReadonlySet<MacAddress>;
    readonly partner: MacAddress | undefined;
    readonly device: string;
  },
): readonly Finding[] {
  const check = 'vip-owner';
  return vips.map(({ address }): Finding => {
    const claimants = (claims.get(address) ?? []).filter((mac) => !known.servers.has(mac));
    // On a standby, one claimant is the owner; which one it is, only its own segment's partner address could tell.
    const strangers = claimants.filter((mac) => mac !== known.partner);
    const tooMany = known.isActive ? claimants.length > 0 : claimants.length > 1;
    if (tooMany) {
      const who = claimants.map((mac) => (mac === known.partner ? `the partner (${mac})` : mac));
      const us = known.isActive ? 'this director is active, and ' : '';
      const text = `${us}${who.join(' and ')} ${who.length === 1 ? 'answers' : 'answer'} for VIP ${address}`;
      const command = `arping -I ${known.device} ${address}  # then find that link-layer address in the switch`;
      return { check, severity: 'broken', text, cures: [{ on: 'here', command }] };
    }
    if (!known.isActive && known.partner !== undefined && strangers.length > 0) {
      const text = `${strangers[0]} answers for VIP ${address}, and that is not the partner (${known.partner})`;
      return { check, severity: 'broken', text };
    }
    if (!known.isActive && claimants.length === 0) {
      return { check, severity: 'warning', text: `nobody answers for VIP ${address}` };
    }
    const owner = known.isActive ? 'this director' : claimants.join();
    return { check, severity: 'good', text: `${address}: ${owner}` };
  });
}
