/**
 * What stands of the nftables plane, read over netlink: no process is spawned for a look.
 *
 * The rules' own bytes say whether somebody touched them: a rule that is edited gets another handle. They hold no
 * counters (those are named, and read apart), so they stay the same while packets pass.
 */
import { createHash } from 'node:crypto';
import { err, type Instant, ok, type Result } from '../base/index.ts';
import type { DestinationRow, PortError, ServiceKey } from '../model/index.ts';
import {
  counterName,
  decodeCounter,
  dumpCounters,
  dumpRules,
  type IpvsCounters,
  NFT_SERVICES_TABLE,
  ruleBytes,
} from '../wire/index.ts';
import { errnoName, portError } from './errno.ts';
import type { NetlinkSocket } from './types.ts';

const FAMILIES = ['inet', 'netdev'] as const;
const ENOENT = 2;
/** IPVS publishes its rates every two seconds; so long at least one is measured here. */
const RATE_MS = 2000;
const DUMP_TIMEOUT_MS = 10_000;

type Count = { readonly packets: number; readonly bytes: number };
const NONE: Count = { packets: 0, bytes: 0 };
type Counts = ReadonlyMap<string, Count>;

/** A digest of all rules of both tables, that of nothing when there are none, and how many they are. */
export function fingerprintOf(
  netlink: NetlinkSocket,
): Result<{ readonly digest: string; readonly rules: number }, PortError> {
  const dumped = dump(netlink, dumpRules, 'dump rules');
  if (!dumped.ok) return dumped;
  const hash = createHash('sha256');
  for (const bytes of dumped.value) hash.update(ruleBytes(bytes) ?? '');
  return ok({ digest: hash.digest('hex').slice(0, 32), rules: dumped.value.length });
}

/** The counters of all servers, and how fast they grow. */
export class NftCounters {
  readonly #netlink: NetlinkSocket;
  #now: Counts = new Map();
  #before: Counts = new Map();
  #measuredAt = 0;
  #rates = new Map<string, Count>();

  constructor(netlink: NetlinkSocket) {
    this.#netlink = netlink;
  }

  /** Reads them; what cannot be read stays as it was. */
  read(now: Instant): void {
    const dumped = dump(this.#netlink, dumpCounters, 'dump counters');
    if (!dumped.ok) return;
    this.#now = new Map(
      dumped.value.flatMap((bytes) => {
        const counter = decodeCounter(bytes);
        return counter.ok && counter.value !== undefined
          ? [[counter.value.name, counter.value] as const]
          : [];
      }),
    );
    const lengthMs = now - this.#measuredAt;
    if (lengthMs < RATE_MS) return;
    const isFirst = this.#measuredAt === 0;
    const perSecond = (grown: number) => Math.max(0, Math.round((grown * 1000) / lengthMs));
    this.#rates = new Map(
      [...this.#now].map(([name, { packets, bytes }]) => {
        const before = this.#before.get(name) ?? (isFirst ? { packets, bytes } : NONE);
        const rate = {
          packets: perSecond(packets - before.packets),
          bytes: perSecond(bytes - before.bytes),
        };
        return [name, rate];
      }),
    );
    this.#before = this.#now;
    this.#measuredAt = now;
  }

  /** Of one server in one service. */
  of(key: ServiceKey, row: DestinationRow): IpvsCounters {
    const count = (kind: 'new' | 'to' | 'from', counts: Counts) =>
      counts.get(counterName(kind, key, row)) ?? NONE;
    const [to, from] = [count('to', this.#now), count('from', this.#now)];
    const [toRate, fromRate] = [count('to', this.#rates), count('from', this.#rates)];
    return {
      connections: count('new', this.#now).packets,
      inPackets: to.packets,
      outPackets: from.packets,
      inBytes: to.bytes,
      outBytes: from.bytes,
      connectionRate: count('new', this.#rates).packets,
      inPacketRate: toRate.packets,
      outPacketRate: fromRate.packets,
      inByteRate: toRate.bytes,
      outByteRate: fromRate.bytes,
    };
  }
}

export function sumCounters(counters: readonly IpvsCounters[]): IpvsCounters {
  const sum = (count: (of: IpvsCounters) => number) =>
    counters.reduce((total, of) => total + count(of), 0);
  return {
    connections: sum((of) => of.connections),
    inPackets: sum((of) => of.inPackets),
    outPackets: sum((of) => of.outPackets),
    inBytes: sum((of) => of.inBytes),
    outBytes: sum((of) => of.outBytes),
    connectionRate: sum((of) => of.connectionRate),
    inPacketRate: sum((of) => of.inPacketRate),
    outPacketRate: sum((of) => of.outPacketRate),
    inByteRate: sum((of) => of.inByteRate),
    outByteRate: sum((of) => of.outByteRate),
  };
}

function dump(
  netlink: NetlinkSocket,
  question: typeof dumpRules,
  operation: string,
): Result<readonly Uint8Array[], PortError> {
  const questions = FAMILIES.map((family) => question(family, NFT_SERVICES_TABLE));
  const answers = netlink.request(questions, DUMP_TIMEOUT_MS);
  if (!answers.ok) return answers;
  // A table that is not there has no rules.
  const refused = answers.value.find(({ errno }) => errno !== 0 && errno !== ENOENT);
  if (refused !== undefined) {
    return err(portError(operation, 'nftables', errnoName(refused.errno), refused.kernelText));
  }
  return ok(answers.value.flatMap(({ messages }) => messages));
}
