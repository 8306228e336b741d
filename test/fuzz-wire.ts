/**
 * Hostile bytes against every decoder of src/wire: real messages, cut, stretched, with bits, bytes and lengths changed,
 * and plain noise. What must hold for each input:
 *
 * - the decoder returns; it neither throws nor takes long;
 * - what it refuses it refuses with a word of its closed list;
 * - what it accepts it understood: written back (where we can write it) and read again it is the same value.
 *
 *     node test/fuzz-wire.ts [--count 1000000] [--seed 140414]
 *
 * prints one line: inputs, accepted, refused by reason, the slowest decode, the growth of memory. A failure names
 * decoder, seed and bytes.
 */
import assert from 'node:assert/strict';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { concatBytes, fromHex, ip, mac, type Result, toHex } from '../src/base/index.ts';
import type { ServiceKey } from '../src/model/index.ts';
import {
  AttributeReader,
  decodeAcknowledgement,
  decodeArp,
  decodeEchoFrame,
  decodeElements,
  decodeEventTable,
  decodeFamily,
  decodeHeartbeat,
  decodeIcmpFrame,
  decodeIpvsDaemon,
  decodeIpvsDestination,
  decodeIpvsInfo,
  decodeIpvsService,
  decodeIpvsTimeouts,
  decodeMessage,
  decodeNeighbour,
  decodeRtnl,
  decodeTableName,
  decodeTcpComplaint,
  decodeTcpFrame,
  decodeTrailer,
  encodeAcknowledgement,
  encodeAddressAdd,
  encodeArp,
  encodeArpAnnouncement,
  encodeEchoFrame,
  encodeExtendedHeartbeat,
  encodeFamilyGet,
  encodeHeartbeat,
  encodeIcmpFrame,
  encodeIpvsDaemonStart,
  encodeIpvsOperation,
  encodeIpvsTimeouts,
  encodeMessage,
  encodeNeighbour,
  encodeNeighbourAdd,
  encodeNeighbourAnnouncement,
  encodeNeighbourQuestion,
  encodeTcpFrame,
  FRAME_FAULTS,
  joinMessages,
  NETLINK_FAULTS,
  newElements,
  splitMessages,
  type Trailer,
} from '../src/wire/index.ts';

export type FuzzTally = {
  readonly inputs: number;
  readonly accepted: number;
  /** By reason. */
  readonly refused: ReadonlyMap<string, number>;
  readonly slowestMs: number;
  /** Live bytes after all inputs, less those after the first quarter. */
  readonly grownBytes: number;
};

type Target = {
  readonly name: string;
  readonly specimens: readonly Uint8Array[];
  readonly faults: readonly string[];
  readonly decode: (bytes: Uint8Array) => Result<unknown, string>;
  /** Makes right what a change made wrong, so that the mutant gets past the first check. */
  readonly repair?: (bytes: Uint8Array) => void;
  /** Decodes what writing the accepted value gives; absent where we only read. */
  readonly again?: (bytes: Uint8Array) => Result<unknown, string>;
};

const FAMILY = 28;
const vip = ip('198.51.100.100');
const vip6 = ip('fd77::100');
const own = mac('02:00:00:00:00:11');
const peer = mac('02:00:00:00:00:fe');
const service: ServiceKey = { kind: 'address', protocol: 'tcp', address: vip, port: 80 };

/** A decoder whose values can be written. */
function both<T>(
  name: string,
  faults: readonly string[],
  specimens: readonly Uint8Array[],
  decode: (bytes: Uint8Array) => Result<T, string>,
  encode: (value: T) => Uint8Array,
): Target {
  const again = (bytes: Uint8Array) => {
    const value = decode(bytes);
    return value.ok ? decode(encode(value.value)) : value;
  };
  return { name, faults, specimens, decode, again };
}

function frames(): readonly Target[] {
  const question = { senderMac: own, senderIp: ip('fd77::1'), targetIp: vip6 };
  const neighbours = [
    encodeNeighbourAnnouncement({ vip: vip6, mac: own }),
    encodeNeighbourQuestion(question),
  ];
  // One neighbour that came through a router, and a fragment: changes alone never get the checksums right.
  const routed = encodeIcmpFrame({
    ...{ destination: peer, source: own, sourceIp: vip6, destinationIp: ip('fd77::1') },
    ...{ hopLimit: 254, type: 136, code: 0, body: new Uint8Array(20) },
  });
  const arps = (['reply', 'request'] as const).map((form) =>
    encodeArpAnnouncement({ form, vip, mac: own }),
  );
  const echoes = [
    { sourceIp: vip, destinationIp: ip('198.51.100.1') },
    { sourceIp: vip6, destinationIp: ip('fd77::1') },
  ].map((addresses) =>
    encodeEchoFrame({
      ...{ kind: 'request', destination: peer, source: own, hopLimit: 64 },
      ...addresses,
      ...{ identifier: 539, sequence: 7, data: fromHex('00 01 02 03 04 05 06 07') },
    }),
  );
  const syns = [
    { sourceIp: vip, destinationIp: ip('198.51.100.1') },
    { sourceIp: vip6, destinationIp: ip('fd77::1') },
  ].map((addresses) =>
    encodeTcpFrame({
      ...{ destination: peer, source: own, ...addresses, sourcePort: 61_440 },
      ...{ destinationPort: 80, sequence: 66_560, acknowledgement: 0, flags: ['syn'], padding: 8 },
    }),
  );
  // What a router says carries the head of what it could not pass on.
  const complaints = syns.map((syn, index) => {
    const [type, code] = index === 0 ? [3, 4] : [2, 0];
    const ends = { sourceIp: ip(index === 0 ? '198.51.100.1' : 'fd77::1'), hopLimit: 64 };
    const body = concatBytes(fromHex('00 00 05 84'), syn.subarray(14));
    const to = { destinationIp: index === 0 ? vip : vip6, destination: own, source: peer };
    return encodeIcmpFrame({ ...ends, ...to, type, code, body });
  });
  return [
    both('arp', FRAME_FAULTS, arps, decodeArp, (frame) => encodeArp(frame)),
    both('neighbour', FRAME_FAULTS, [...neighbours, routed], decodeNeighbour, encodeNeighbour),
    both('echo', FRAME_FAULTS, [...echoes, fromHex(FRAGMENT)], decodeEchoFrame, encodeEchoFrame),
    both('icmp', FRAME_FAULTS, [...echoes, ...neighbours], decodeIcmpFrame, encodeIcmpFrame),
    { name: 'tcp', faults: FRAME_FAULTS, specimens: syns, decode: decodeTcpFrame },
    { name: 'complaint', faults: FRAME_FAULTS, specimens: complaints, decode: decodeTcpComplaint },
  ];
}

function heartbeats(): readonly Target[] {
  const words = (['running', 'stopped', 'stopme'] as const).map((kind) =>
    concatBytes(encodeHeartbeat(kind), fromHex('50 01 00 00')),
  );
  const route = { from: ip('198.51.100.11'), to: ip('198.51.100.12') };
  const key = fromHex('00112233445566778899aabbccddeeff');
  const faults = ['bare', 'not-a-trailer', 'too-short', 'malformed', 'unsigned', 'bad-tag'];
  const trailers = (['active', 'standby'] as const).map(
    (role): Trailer => ({
      ...{ role, isEligible: true, isStopping: false, reason: 'start', epoch: 3, moves: 2 },
      ...{ incarnation: 1 << 30, sequence: 9, echo: { incarnation: 7, sequence: 8 } },
      ...{ intervalMs: 50, deadtimeMs: 300, leaseMs: 200, serialNo: 5 },
      ...{ configDigest: '0011223344556677', servicesUp: 1, services: 2, linkAddresses: [own] },
    }),
  );
  const signed = trailers.map((trailer) => encodeExtendedHeartbeat(trailer, route, key));
  const genuine = new Set(signed.map((bytes) => toHex(bytes)));
  return [
    both(
      'heartbeat',
      ['too-short', 'unknown-magic'],
      words,
      decodeHeartbeat,
      ({ kind, byteOrder, rest }) => concatBytes(encodeHeartbeat(kind, byteOrder), rest),
    ),
    both(
      'trailer',
      faults,
      trailers.map((trailer) => encodeExtendedHeartbeat(trailer, route)),
      (bytes) => decodeTrailer(bytes, route, []),
      (trailer) => encodeExtendedHeartbeat(trailer, route),
    ),
    {
      name: 'signed trailer',
      faults,
      specimens: [...signed, ...trailers.map((one) => encodeExtendedHeartbeat(one, route))],
      decode: (bytes) => {
        const read = decodeTrailer(bytes, route, [key]);
        assert.ok(!read.ok || genuine.has(toHex(bytes)), 'a forgery passed for genuine');
        return read;
      },
    },
  ];
}

function kernelAnswers(): readonly Target[] {
  const row = { interfaceIndex: 3, address: vip, prefixLength: 24, label: 'eth0:1' };
  const lifetime = { validSeconds: 9, preferredSeconds: 5 };
  const rows = [
    encodeAddressAdd({ ...row, broadcast: ip('198.51.100.255') }),
    encodeAddressAdd({ ...row, address: vip6 }, lifetime),
    encodeNeighbourAdd({ interfaceIndex: 3, address: vip, mac: own }),
    encodeMessage({ type: 16, flags: 2, payload: fromHex(LINK) }),
    encodeMessage({ type: 24, flags: 2, payload: fromHex(MULTIPATH) }),
  ];
  const destination = {
    ...{ address: vip6, port: 8080, method: 'tunnel' as const, weight: 3 },
    tunnel: { kind: 'gue' as const, port: 6080, checksum: 'full' as const },
    ...{ upperThreshold: 9, lowerThreshold: 5 },
  };
  const virtual = {
    ...{ key: service, scheduler: 'wlc', flags: ['one-packet'] as const },
    ...{ persistentSeconds: 300, persistencePrefixLength: 24 },
  };
  const services = [encodeIpvsOperation(FAMILY, { kind: 'add-service', service: virtual })];
  const destinations = [
    encodeIpvsOperation(FAMILY, { kind: 'add-destination', key: service, destination }),
  ];
  const daemons = [
    encodeIpvsDaemonStart(FAMILY, { state: 'master', interface: 'eth0', syncId: 7, ttl: 1 }),
  ];
  const timeouts = { tcpSeconds: 900, tcpFinSeconds: 120, udpSeconds: 300 };
  const request = { type: 20, flags: 5, sequence: 1, port: 0, payload: fromHex(LINK) };
  const acknowledgements = [
    encodeAcknowledgement({ errno: 17, kernelText: 'assigned', offset: 24 }, request),
  ];
  const elements = [
    newElements('piranha', 'lease', [{ key: fromHex('00000001'), timeoutMs: 300 }]),
  ];
  const reads = (
    name: string,
    specimens: readonly Uint8Array[],
    decode: (bytes: Uint8Array) => Result<unknown, string>,
  ): Target => ({ name, faults: NETLINK_FAULTS, specimens, decode });
  const targets = [
    reads('netlink', [joinMessages(rows), ...acknowledgements], decodeDatagram),
    reads('rtnetlink', rows, decodeRtnl),
    reads('family', [encodeFamilyGet('IPVS')], decodeFamily),
    both('ipvs service', NETLINK_FAULTS, services, decodeIpvsService, (read) =>
      encodeIpvsOperation(FAMILY, { kind: 'add-service', service: read.service }),
    ),
    both(
      'ipvs destination',
      NETLINK_FAULTS,
      destinations,
      (bytes) => withoutCounts(decodeIpvsDestination(bytes, service)),
      (read) =>
        encodeIpvsOperation(FAMILY, { kind: 'add-destination', key: service, destination: read }),
    ),
    reads('ipvs daemon', daemons, decodeIpvsDaemon),
    reads('ipvs timeouts', [encodeIpvsTimeouts(FAMILY, timeouts)], decodeIpvsTimeouts),
    reads('ipvs info', [encodeIpvsTimeouts(FAMILY, timeouts)], decodeIpvsInfo),
    reads('nftables elements', elements, decodeElements),
    reads('nftables table', elements, decodeTableName),
    reads('nftables event', elements, decodeEventTable),
  ];
  return targets.map((target) => ({ ...target, repair: setMessageLength }));
}

function setMessageLength(bytes: Uint8Array): void {
  if (bytes.length >= 16) bytes.set([bytes.length & 0xff, bytes.length >> 8, 0, 0]);
}

function withoutCounts(read: ReturnType<typeof decodeIpvsDestination>) {
  return read.ok ? ({ ok: true, value: read.value.destination } as const) : read;
}

/** As a socket reads: messages, each perhaps an acknowledgement, its attributes looked at in every way. */
function decodeDatagram(bytes: Uint8Array): Result<unknown, string> {
  const split = splitMessages(bytes);
  if (!split.ok) return split;
  for (const whole of split.value) {
    const message = decodeMessage(whole);
    if (!message.ok) return message;
    decodeAcknowledgement(message.value);
    const reader = new AttributeReader(message.value.payload);
    for (let type = 0; type < 5; type++) {
      reader.text(type);
      reader.u32(type);
      reader.be16(type);
      reader.unsigned(type);
      reader.nested(type)?.entries();
    }
  }
  return split;
}

/** Runs `count` inputs, the decoders in turn. The same seed gives the same inputs. */
export function fuzzWire(count: number, seed: number): FuzzTally {
  const dice = xorshift(seed);
  const targets = [...frames(), ...heartbeats(), ...kernelAnswers()];
  const refused = new Map<string, number>();
  let accepted = 0;
  let slowestMs = 0;
  let early = 0;
  for (let index = 0; index < count; index++) {
    if (index === count >> 2) early = liveBytes();
    const target = targets[index % targets.length];
    assert.ok(target !== undefined);
    const bytes = input(target.specimens, dice);
    if (dice(2) === 0) target.repair?.(bytes);
    const startedAt = performance.now();
    const fault = judge(target, bytes, seed);
    slowestMs = Math.max(slowestMs, performance.now() - startedAt);
    if (fault === undefined) accepted++;
    else refused.set(fault, (refused.get(fault) ?? 0) + 1);
  }
  return { inputs: count, accepted, refused, slowestMs, grownBytes: liveBytes() - early };
}

/** The reason of a refusal, undefined when the bytes were accepted. */
function judge(target: Target, bytes: Uint8Array, seed: number): string | undefined {
  try {
    const read = target.decode(bytes);
    if (!read.ok) {
      assert.ok(target.faults.includes(read.error), `${read.error} is not in the list`);
      return read.error;
    }
    const again = target.again?.(bytes);
    if (again !== undefined)
      assert.deepEqual(again.ok ? untagged(again.value) : again, untagged(read.value));
    return undefined;
  } catch (cause) {
    throw new Error(`${target.name}, seed ${seed}: ${toHex(bytes)}`, { cause });
  }
}

/** We read VLAN tags, persistence engines and counters, but write none of them. */
function untagged(value: unknown): unknown {
  assert.ok(typeof value === 'object' && value !== null);
  return { ...value, vlan: undefined, persistenceEngine: undefined, counters: undefined };
}

/** One in eight is noise; the others are a specimen with zero to four changes. */
function input(specimens: readonly Uint8Array[], dice: (below: number) => number): Uint8Array {
  if (dice(8) === 0) return noise(dice(200), dice);
  let bytes = Uint8Array.from(specimens[dice(specimens.length)] ?? []);
  for (let changes = dice(5); changes > 0; changes--) {
    const at = dice(bytes.length + 1);
    const kind = dice(6);
    if (kind === 0) bytes = bytes.slice(0, at);
    else if (kind === 1) {
      bytes = Uint8Array.from([...bytes.slice(0, at), ...noise(dice(9), dice), ...bytes.slice(at)]);
    } else if (at < bytes.length) {
      const old = bytes[at] ?? 0;
      bytes[at] = [old ^ (1 << dice(8)), dice(256), 255 * dice(2), old + 1][kind - 2] ?? 0;
    }
  }
  return bytes;
}

function noise(length: number, dice: (below: number) => number): Uint8Array {
  return Uint8Array.from({ length }, () => dice(256));
}

/** Marsaglia's xorshift32: gives whole numbers from 0 to below the given bound. */
function xorshift(start: number): (below: number) => number {
  let state = start | 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

let collect: (() => void) | undefined;
function liveBytes(): number {
  if (collect === undefined) {
    setFlagsFromString('--expose-gc');
    const gc: unknown = runInNewContext('gc');
    assert.ok(typeof gc === 'function');
    collect = () => void gc();
  }
  collect();
  return process.memoryUsage().heapUsed;
}

/** An echo reply that says more of it will follow. */
const FRAGMENT = `02 00 00 00 00 11 02 00 00 00 00 fe 08 00
  45 00 00 24 e1 e0 20 00 40 01 63 60 0a 4d 00 fe 0a 4d 00 01
  00 00 bb d6 38 18 00 01 00 01 02 03 04 05 06 07`;
/** An Ethernet interface with its name, and a default route with two gateways: payloads as captured. */
const LINK = `00 00 01 00 03 00 00 00 43 10 01 00 00 00 00 00 09 00 03 00 65 74 68 30 00 00 00 00
  0a 00 01 00 02 00 00 00 00 11 00 00`;
const MULTIPATH = `02 00 00 00 fe 03 00 01 00 00 00 00 08 00 0f 00 fe 00 00 00 08 00 06 00 64 00 00 00
  34 00 09 00 10 00 00 00 03 00 00 00 08 00 05 00 0a 4d 00 fe 20 00 00 01 05 00 00 00
  16 00 12 00 0a 00 fe 80 00 00 00 00 00 00 00 00 00 00 00 00 00 01 00 00`;

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      count: { type: 'string', default: '1000000' },
      seed: { type: 'string', default: '140414' },
    },
  });
  const { inputs, accepted, refused, slowestMs, grownBytes } = fuzzWire(
    Number(values.count),
    Number(values.seed),
  );
  const reasons = [...refused]
    .sort(([, a], [, b]) => b - a)
    .map(([word, count]) => `${word} ${count}`);
  process.stdout.write(
    `${inputs} inputs: ${accepted} accepted, ${reasons.join(', ')}; ` +
      `slowest ${slowestMs.toFixed(1)} ms, memory grew by ${Math.round(grownBytes / 1024)} KiB\n`,
  );
}
