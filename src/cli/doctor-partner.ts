/**
 * Why a silent partner is silent, as far as can be told from here: what comes by the wire is compared with what the daemon
 * hears, and the partner's kernel is asked whether anybody listens at the heartbeat port.
 *
 *   heartbeats on the wire, the daemon counts refusals     another key, another configuration
 *   heartbeats on the wire, the daemon hears nothing       something of this machine drops them: a firewall
 *   none, the port there is refused                        the partner lives, its daemon does not run
 *   none, the port there is forbidden                      a firewall between, or its own
 *   none, and no word                                      nothing can be told: down, cut off, or silently filtered
 *
 * Only asked where a path is silent. The question is one empty datagram from a port that nobody expects: a director that
 * lives counts it among strangers. Listening takes two keepalives and a half, 10 s at most.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { type IpAddress, ip, ipFamily, type Milliseconds } from '../base/index.ts';
import type { StatusDocument } from '../director/index.ts';
import type { Settings } from '../model/index.ts';
import { openPacketSocket } from '../ports/index.ts';
import { decodeIpFrame } from '../wire/index.ts';
import type { Facts } from './doctor-facts.ts';
import type { Finding, HeardFrame } from './finding.ts';

export const PARTNER_CHECKS: readonly { readonly name: string; readonly about: string }[] = [
  { name: 'partner-silence', about: 'why a silent partner is silent, as far as the wire tells' },
];

type PathStatus = StatusDocument['partner']['paths'][number];

const LONGEST_MS: Milliseconds = 10_000;
const LOOK_MS: Milliseconds = 20;
const ANSWER_MS: Milliseconds = 500;
const MOST_FRAMES = 8;

export async function probePartner(facts: Facts, settings: Settings): Promise<readonly Finding[]> {
  const { status } = facts;
  if (status === undefined || !settings.backupActive) return [];
  const silent = status.partner.paths.filter(
    ({ link, heardMsAgo }) =>
      link === 'up' && (heardMsAgo === undefined || heardMsAgo > status.timers.deadtimeMs),
  );
  const findings = silent.map((path) => probePath(path, status, facts, settings));
  return (await Promise.all(findings)).flat();
}

async function probePath(
  path: PathStatus,
  before: StatusDocument,
  facts: Facts,
  settings: Settings,
): Promise<readonly Finding[]> {
  const [own, partner] = [ip(path.own), ip(path.partner)];
  const heard = await listen(own, partner, facts, settings);
  const told = await askPort(own, partner, settings.heartbeatPort);
  const later = await facts.askAgain();
  const finding = judgeSilence(path, settings.heartbeatPort, {
    heard: heard.length,
    told,
    refused: later === undefined ? [] : refusals(before, later),
    isHeardAgain:
      (later?.partner.paths.find(({ name }) => name === path.name)?.received ?? 0) > path.received,
  });
  return [{ ...finding, ...(heard.length > 0 && { frames: heard }) }];
}

/** Why the daemon threw datagrams away meanwhile; repetitions are none. */
function refusals(before: StatusDocument, later: StatusDocument): readonly string[] {
  const was = new Map(Object.entries(before.counters.dropped));
  return Object.entries(later.counters.dropped).flatMap(([reason, count]) =>
    reason !== 'duplicate' && count > (was.get(reason) ?? 0) ? [reason] : [],
  );
}

/** Datagrams of the partner to our heartbeat port, as they come by the wire, before any firewall of ours. */
async function listen(
  own: IpAddress,
  partner: IpAddress,
  { kernel }: Facts,
  { heartbeatPort, keepaliveMs }: Settings,
): Promise<readonly HeardFrame[]> {
  const index = kernel.rows.find(({ address }) => address === own)?.interfaceIndex;
  const link = kernel.links.find((one) => one.index === index);
  if (link === undefined) return [];
  const socket = openPacketSocket({
    index: link.index,
    name: link.name,
    hears: 'datagrams',
    firstPort: heartbeatPort,
  });
  if (!socket.ok) return [];
  const heard: HeardFrame[] = [];
  const end = performance.now() + Math.min(2.5 * keepaliveMs, LONGEST_MS);
  while (performance.now() < end && heard.length < MOST_FRAMES) {
    await sleep(LOOK_MS);
    for (const frame of socket.value.receive()) {
      const packet = decodeIpFrame(frame);
      if (!packet.ok || packet.value.sourceIp !== partner) continue;
      const wallMs = performance.timeOrigin + performance.now();
      heard.push({ device: link.name, wallMs, isSent: false, bytes: Uint8Array.from(frame) });
    }
  }
  socket.value.close();
  return heard;
}

export type PortWord = 'refused' | 'forbidden' | 'kept-here' | 'nothing';

/** What the kernel learns of one empty datagram: ICMP comes back as the socket's error. */
async function askPort(own: IpAddress, partner: IpAddress, port: number): Promise<PortWord> {
  const socket = createSocket(ipFamily(partner) === 4 ? 'udp4' : 'udp6');
  const failed = once(socket, 'error', { signal: AbortSignal.timeout(ANSWER_MS) }).then(
    ([error]) => wordOf(error),
    (error) => wordOf(error),
  );
  socket.bind({ address: own }, () => {
    socket.connect(port, partner, () => {
      socket.send('', (error) => {
        if (error) socket.emit('error', error);
      });
    });
  });
  const word = await failed;
  socket.close();
  return word;
}

function wordOf(error: unknown): PortWord {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ECONNREFUSED') return 'refused';
  if (code === 'EHOSTUNREACH' || code === 'ENETUNREACH' || code === 'EACCES') return 'forbidden';
  return code === 'EPERM' ? 'kept-here' : 'nothing';
}

/** The finding about one silent path. */
export function judgeSilence(
  { name, own, partner }: Pick<PathStatus, 'name' | 'own' | 'partner'>,
  port: number,
  seen: {
    /** Datagrams of the partner on the wire. */
    readonly heard: number;
    readonly told: PortWord;
    /** Why the daemon refused what it got meanwhile. */
    readonly refused: readonly string[];
    readonly isHeardAgain: boolean;
  },
): Finding {
  const check = 'partner-silence';
  const ruleset = 'nft list ruleset; iptables-save';
  const evidence = [
    `${seen.heard === 0 ? 'no' : `${seen.heard}${seen.heard === MOST_FRAMES ? ' or more' : ''}`} datagrams came by the wire from ${partner} to port ${port}`,
    ...(seen.refused.length === 0 ? [] : [`the daemon refused some: ${seen.refused.join(', ')}`]),
    ...(seen.told === 'nothing' ? [] : [`asked at port ${port}: ${seen.told}`]),
  ];
  const finding = (severity: Finding['severity'], text: string, on: string, command: string) => ({
    check,
    severity,
    text: `${name}: ${text}`,
    evidence,
    cures: [{ on, command }],
  });
  if (seen.isHeardAgain) return { check, severity: 'good', text: `${name}: it is heard again` };
  if (seen.heard > 0 && seen.refused.length > 0) {
    const text = `the partner's heartbeats arrive, and this director refuses them (${seen.refused.join(', ')})`;
    return finding(
      'broken',
      text,
      'here',
      'piranha diff --partner; cmp the key files of both nodes',
    );
  }
  if (seen.heard > 0) {
    const text = `the partner's heartbeats arrive by the wire and not at the daemon: something of this machine drops them`;
    return finding(
      'broken',
      text,
      'here',
      `${ruleset}  # let pass: udp dport ${port} from ${partner}`,
    );
  }
  if (seen.told === 'kept-here') {
    const text = 'a firewall of this machine does not let heartbeats out';
    return finding(
      'broken',
      text,
      'here',
      `${ruleset}  # let pass: udp dport ${port} to ${partner}`,
    );
  }
  if (seen.told === 'refused') {
    const text = `the machine at ${partner} lives, and nobody listens at its port ${port}: its director does not run`;
    return finding('broken', text, 'the partner', 'systemctl status piranha');
  }
  if (seen.told === 'forbidden') {
    const text = `a firewall between ${own} and ${partner}, or no way there, keeps heartbeats off`;
    return finding(
      'broken',
      text,
      'the partner',
      `${ruleset}  # let pass: udp dport ${port} from ${own}`,
    );
  }
  const text = `nothing comes from ${partner}, and it says nothing: down, cut off, or a firewall that drops without a word`;
  return finding('unknown', text, 'the partner', `piranha status; ${ruleset}`);
}
