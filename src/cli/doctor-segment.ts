/**
 * The doctor's questions to the segments and the real servers, asked with packets: in which order, to whom, and to which
 * judge each answer goes (doctor-claims.ts, doctor-servers.ts). Nothing needs to be installed there.
 *
 * Bounded: at most 512 real servers, 64 questions under way, 800 frames a second; each address is asked for three times,
 * each SYN sent twice at most. Real servers behind a router are asked by way of it, as far as IP goes.
 */
import type { IpAddress, MacAddress } from '../base/index.ts';
import { ipFamily } from '../base/index.ts';
import type { Link, Settings, Vip, VirtualService } from '../model/index.ts';
import { floatingAddresses } from '../model/index.ts';
import {
  duplicates,
  type Named,
  ownEchoes,
  proxies,
  sharedMac,
  vipOwners,
} from './doctor-claims.ts';
import { type Facts, floatingSet, listedServers } from './doctor-facts.ts';
import { judgeLength, type Length, neededLength } from './doctor-length.ts';
import {
  type Asked,
  FAR_CLIENT,
  judgeSegment,
  judgeServer,
  offSegment,
  type ServerAnswers,
} from './doctor-servers.ts';
import type { Finding } from './finding.ts';
import { SegmentProbe, type SynQuestion, type SynResult, type WhoHas } from './segment-probe.ts';

export const SEGMENT_CHECKS: readonly { readonly name: string; readonly about: string }[] = [
  {
    name: 'address-duplicate',
    about: 'no address of ours, the partner or a server is there twice',
  },
  { name: 'mac-duplicate', about: 'no two machines share one link-layer address' },
  { name: 'proxy-arp', about: 'nobody on the segment answers ARP for everybody' },
  { name: 'vip-owner', about: 'nobody but the owner answers for a VIP' },
  { name: 'vip-serves', about: 'what a client sends to a VIP comes through its owner to a server' },
  { name: 'real-server-segment', about: 'direct routing: no router is before a real server' },
  { name: 'real-server-reachable', about: 'each real server is there and answers' },
  { name: 'real-server-answers-arp', about: 'no real server answers ARP for a VIP' },
  { name: 'real-server-announces-vip', about: 'no real server asks by ARP in the name of a VIP' },
  { name: 'real-server-has-vip', about: 'each real server takes packets for its VIP' },
  { name: 'real-server-listens', about: 'its service listens at the VIP, too' },
  { name: 'real-server-return-path', about: 'nat: its answers come back through the director' },
  {
    name: 'real-server-mtu',
    about: 'what clients may send reaches each real server in full length',
  },
  { name: 'tunnel-mtu', about: 'with the header of a tunnel it fits our own device' },
];

const MOST_SERVERS = 512;
/** Of pairs that answer with one link-layer address, so many are told apart. */
const MOST_PAIRS = 8;
/** A router that tells less than this is not believed. */
const SHORTEST = 576;
/** What MTUs are found in the field, the largest first; every IPv6 way bears 1280, every IPv4 host 576. */
const LENGTHS = [
  ...[1500, 1492, 1480, 1476, 1472, 1462, 1460, 1450, 1440, 1430, 1420, 1400],
  ...[1380, 1360, 1350, 1300, 1280, SHORTEST],
];

/** One real server, asked by one device of ours. */
type Route = Asked & { readonly from: IpAddress; readonly nextHop: IpAddress };

/** Asks everything; the findings of all segments. Needs root. */
export async function probeSegments(facts: Facts, settings: Settings): Promise<readonly Finding[]> {
  const all = listedServers(settings);
  const listed = all.slice(0, MOST_SERVERS);
  const findings: Finding[] = [];
  const routes: Route[] = [];
  for (const one of listed) {
    const { address } = one.server;
    if (facts.kernel.rows.some((row) => row.address === address)) continue; // this machine
    const way = facts.ways.get(address);
    const link = facts.kernel.links.find(({ index }) => index === way?.interfaceIndex);
    const from = link && sourceTo(address, link, way?.source, facts, settings);
    if (way === undefined || link?.mac === undefined || from === undefined) {
      findings.push(offSegment(one, link?.name));
      continue;
    }
    const { gateway } = way;
    const device = link.name;
    const route = { ...one, device, from, nextHop: gateway ?? address };
    const asked = gateway === undefined ? route : { ...route, gateway };
    findings.push(...judgeSegment(asked, settings));
    if (settings.network !== 'direct' || gateway === undefined) routes.push(asked);
  }
  if (all.length > listed.length) {
    const text = `the first ${MOST_SERVERS} of ${all.length} real servers were asked`;
    findings.push({ check: 'real-server-reachable', severity: 'unknown', text });
  }
  const devices = new Set(floatingAddresses(settings).map(({ device }) => device));
  for (const { device } of routes) devices.add(device);
  for (const link of facts.kernel.links) {
    if (!link.isUp || !devices.has(link.name) || link.mac === undefined) continue;
    const probe = SegmentProbe.open({ index: link.index, name: link.name, mac: link.mac });
    if (!probe.ok) {
      findings.push({ check: 'real-server-reachable', severity: 'unknown', text: probe.error });
      continue;
    }
    const here = routes.filter(({ device }) => device === link.name);
    try {
      findings.push(...(await new Segment(probe.value, link, here, facts, settings).examine()));
    } finally {
      probe.value.close();
    }
  }
  return findings;
}

/** The address that the kernel would take, but never a VIP: its answer would go to whoever has that. */
function sourceTo(
  address: IpAddress,
  link: Link,
  chosen: IpAddress | undefined,
  facts: Facts,
  settings: Settings,
): IpAddress | undefined {
  const owns = ownAddresses(facts, link, floatingSet(settings));
  if (chosen !== undefined && owns.includes(chosen)) return chosen;
  return owns.find((own) => ipFamily(own) === ipFamily(address));
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

/** One segment and all that is asked there. */
class Segment {
  readonly #probe: SegmentProbe;
  readonly #link: Link;
  readonly #routes: readonly Route[];
  readonly #facts: Facts;
  readonly #settings: Settings;
  readonly #owns: readonly IpAddress[];
  readonly #vips: readonly Vip[];

  constructor(
    probe: SegmentProbe,
    link: Link,
    routes: readonly Route[],
    facts: Facts,
    settings: Settings,
  ) {
    this.#probe = probe;
    this.#link = link;
    this.#routes = routes;
    this.#facts = facts;
    this.#settings = settings;
    this.#owns = ownAddresses(facts, link, floatingSet(settings));
    this.#vips = floatingAddresses(settings).filter(({ device }) => device === link.name);
  }

  async examine(): Promise<readonly Finding[]> {
    const probe = this.#probe;
    const others = this.#others();
    const addresses = new Set<IpAddress>([
      FAR_CLIENT,
      ...this.#vips.map(({ address }) => address),
      ...this.#routes.map(({ nextHop }) => nextHop),
      ...others.map(({ address }) => address),
      ...this.#owns,
    ]);
    await probe.whoHas([...addresses].flatMap((address) => this.#whoHas(address) ?? []));
    const answers = await this.#askServers();
    const isActive = this.#facts.status?.role === 'active';
    const onSegment = this.#routes.filter(({ gateway }) => gateway === undefined);
    const servers = new Set(onSegment.flatMap(({ nextHop }) => this.#macOf(nextHop) ?? []));
    const partner = this.#partnerMac();
    return [
      ...duplicates(this.#owns, others, probe),
      ...(await this.#sharedMacs(others)),
      ...ownEchoes(new Set(this.#facts.kernel.rows.map(({ address }) => address)), probe),
      ...(this.#owns.some((own) => ipFamily(own) === 4) ? proxies(FAR_CLIENT, probe) : []),
      ...vipOwners(this.#vips, probe, { isActive, servers, partner }),
      ...(await this.#throughOwner(answers, isActive, servers)),
      ...this.#routes.flatMap((route, index) =>
        judgeServer(route, answers[index] ?? {}, probe, this.#settings),
      ),
      ...(await this.#lengths(answers)),
    ];
  }

  /** The partner and the real servers of this segment, each address once. */
  #others(): readonly Named[] {
    const partner = this.#partner();
    const named = [
      ...(partner === undefined ? [] : [{ name: 'the partner', address: partner }]),
      ...this.#routes.flatMap(({ server, gateway }) =>
        gateway === undefined ? [{ name: server.name, address: server.address }] : [],
      ),
    ];
    return named.filter(
      ({ address }, index) => named.findIndex((other) => other.address === address) === index,
    );
  }

  #partner(): IpAddress | undefined {
    const { node } = this.#facts;
    const { primary, backup } = this.#settings;
    if (node === undefined || backup === undefined) return undefined;
    return node === 'primary' ? backup : primary;
  }

  #partnerMac(): MacAddress | undefined {
    const partner = this.#partner();
    return partner === undefined ? undefined : this.#macOf(partner);
  }

  #macOf(address: IpAddress): MacAddress | undefined {
    return this.#probe.macsOf(address)[0];
  }

  /** Asked from our own address of that family. */
  #whoHas(address: IpAddress): WhoHas | undefined {
    const from = this.#owns.find((own) => ipFamily(own) === ipFamily(address));
    return from === undefined ? undefined : { from, address };
  }

  async #sharedMacs(others: readonly Named[]): Promise<readonly Finding[]> {
    const pairs: (readonly [MacAddress, Named, Named])[] = [];
    const seen = new Map<string, Named>();
    for (const one of others) {
      for (const mac of this.#probe.macsOf(one.address)) {
        const key = `${mac} ${ipFamily(one.address)}`;
        const other = seen.get(key);
        if (other === undefined) seen.set(key, one);
        else pairs.push([mac, other, one]);
      }
    }
    const findings: Finding[] = [];
    for (const [mac, a, b] of pairs.slice(0, MOST_PAIRS)) {
      const [first, second] = [this.#whoHas(a.address), this.#whoHas(b.address)];
      if (first === undefined || second === undefined) continue;
      if (await this.#probe.isOneMachine(mac, first, second)) continue;
      findings.push(sharedMac(mac, a, b, this.#probe));
    }
    const text = `${others.length} machines`;
    const isWell = findings.length === 0 && this.#probe.ownEchoes.size === 0;
    return isWell ? [{ check: 'mac-duplicate', severity: 'good', text }] : findings;
  }

  async #askServers(): Promise<readonly ServerAnswers[]> {
    const asked = this.#routes.flatMap((route, of) =>
      this.#questions(route).map(({ what, syn }) => ({ of, what, syn })),
    );
    const said = await this.#probe.syn(asked.map(({ syn }) => syn));
    return this.#routes.map(({ nextHop }, index) => {
      const mac = this.#macOf(nextHop);
      const own = asked.flatMap(({ of, what }, question) =>
        of === index ? [[what, said[question]] as const] : [],
      );
      return { ...(mac !== undefined && { mac }), ...Object.fromEntries(own) };
    });
  }

  #questions(route: Route): readonly { what: 'own' | 'vip' | 'far'; syn: SynQuestion }[] {
    const { service, server } = route;
    const { network } = this.#settings;
    const plain = this.#plain(route);
    if (plain === undefined) return [];
    const vip = service.vip.address;
    const isSameFamily = ipFamily(vip) === ipFamily(server.address);
    // What is sent on from there was not taken there.
    const toVip = { ...plain, to: vip, port: service.port || plain.port, hopLimit: 1 };
    const isTunnel = network === 'tunnel' && isSameFamily && ipFamily(vip) === 4;
    const isAskedForVip = (network === 'direct' && isSameFamily) || isTunnel;
    const isOwner = this.#facts.status?.role === 'active';
    return [
      { what: 'own', syn: plain },
      ...(isAskedForVip
        ? [
            {
              what: 'vip' as const,
              syn: isTunnel ? { ...toVip, tunnelTo: server.address } : toVip,
            },
          ]
        : []),
      ...(network === 'nat' && isOwner && ipFamily(server.address) === 4
        ? [{ what: 'far' as const, syn: { ...plain, from: FAR_CLIENT } }]
        : []),
    ];
  }

  /** A SYN to the server's own address; undefined where the next hop is not there. */
  #plain({ server, gateway, from, nextHop }: Route): SynQuestion | undefined {
    const mac = this.#macOf(nextHop);
    if (mac === undefined) return undefined;
    const to = server.address;
    const plain = { mac, from, to, port: server.port || 80 };
    return gateway === undefined ? plain : { ...plain, byWayOfOthers: true };
  }

  /** As a client would, which only the standby can: a SYN to the VIP at its owner, answered by a real server behind it. */
  async #throughOwner(
    answers: readonly ServerAnswers[],
    isActive: boolean,
    servers: ReadonlySet<MacAddress>,
  ): Promise<readonly Finding[]> {
    const { dataPlane, network } = this.#settings;
    const partner = this.#partnerMac();
    if (isActive || dataPlane === 'none' || network === 'nat' || partner === undefined) return [];
    // Any of them may be the one that the scheduler takes; and the owner's health checks should say what ours do.
    const isReady = (service: VirtualService): boolean => {
      const row = this.#facts.services?.services.find(({ name }) => name === service.name);
      if (row?.servers.every(({ state }) => state === 'active') !== true) return false;
      const ready = this.#routes.filter((route, index) => {
        const { own, vip } = answers[index] ?? {};
        return route.service === service && (vip?.answer ?? own?.answer) === 'accepted';
      });
      return ready.length === service.realServers.filter(({ isEnabled }) => isEnabled).length;
    };
    const asked = [...new Set(this.#routes.map(({ service }) => service))].flatMap((service) => {
      const { address } = service.vip;
      const owners = this.#probe.macsOf(address).filter((mac) => !servers.has(mac));
      const from = this.#whoHas(address)?.from;
      const isAsked = service.protocol === 'tcp' && service.firewallMark === 0 && isReady(service);
      if (!isAsked || from === undefined || owners.join() !== partner) return [];
      const port = service.port || 80;
      const byWayOfOthers = true as const;
      return [{ service, syn: { mac: partner, from, to: address, port, byWayOfOthers } }];
    });
    const said = await this.#probe.syn(asked.map(({ syn }) => syn));
    return asked.map(({ service: { name, vip }, syn }, index) =>
      servesFinding(`${name} (${vip.address}:${syn.port})`, said[index]),
    );
  }

  /** First whether the longest arrives; only where it does not, which one does. */
  async #lengths(answers: readonly ServerAnswers[]): Promise<readonly Finding[]> {
    const room = this.#link.mtu ?? Number.POSITIVE_INFINITY;
    const first = this.#routes.flatMap((route, index) => {
      const plain = this.#plain(route);
      const isThere = ['accepted', 'refused'].includes(answers[index]?.own?.answer ?? '');
      if (plain === undefined || !isThere) return [];
      const needed = neededLength(route, answers[index] ?? {}, this.#settings);
      return [{ route, needed, syn: { ...plain, length: Math.min(needed, room) } }];
    });
    const said = await this.#probe.syn(first.map(({ syn }) => syn));
    const findings: Finding[] = [];
    for (const [index, { route, needed, syn }] of first.entries()) {
      const result = said[index];
      if (result === undefined) continue;
      const length =
        result.answer === 'silent'
          ? await this.#search(syn, result)
          : { passed: syn.length, frames: [result.frames] };
      findings.push(...judgeLength(route, needed, room, length, this.#settings));
    }
    return findings;
  }

  async #search(syn: SynQuestion & { readonly length: number }, full: SynResult): Promise<Length> {
    const told = full.complaint?.kind === 'too-big' ? full.complaint : undefined;
    const shorter = [...new Set([...LENGTHS, told?.mtu ?? 0])]
      .filter((length) => length >= SHORTEST && length < syn.length)
      .sort((a, b) => b - a);
    const said = await this.#probe.syn(shorter.map((length) => ({ ...syn, length })));
    const best = said.findIndex(({ answer }) => answer !== 'silent');
    return {
      passed: shorter[best] ?? 0,
      failed: (best < 0 ? shorter.at(-1) : shorter[best - 1]) ?? syn.length,
      ...(told !== undefined && { toldBy: told }),
      frames: [full.frames, ...said.map(({ frames }) => frames)],
    };
  }
}

function servesFinding(name: string, said: SynResult | undefined): Finding {
  const check = 'vip-serves';
  if (said === undefined || said.answer === 'accepted') {
    return { check, severity: 'good', text: name };
  }
  const { answer, complaint, frames } = said;
  const words = answer === 'refused' ? 'a reset' : 'no answer';
  const more =
    complaint === undefined ? '' : `; ${complaint.by} says (ICMP): it cannot be delivered`;
  return {
    check,
    severity: 'broken',
    text: `${name}: every real server has the service, and the VIP's owner leads to none: a firewall before IPVS, no row for it, or every weight 0`,
    evidence: [`SYN to the VIP at the partner, as a client would send it: ${words}${more}`],
    cures: [{ on: 'the partner', command: 'piranha services; ipvsadm -Ln; nft list ruleset' }],
    frames,
  };
}
