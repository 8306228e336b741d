/**
 * Questions to a segment, with packets of our own: who has this address, and does this machine take a packet for it?
 *
 * The first is ARP (neighbour solicitation for IPv6), asked from our own address and never from a VIP, so that nobody
 * learns anything from it. The second is a SYN that carries the VIP as its destination and the real server's link-layer
 * address: the very frame that IPVS would send it. The answer is sniffed before the routing code of this machine could
 * throw it away (on the owner of the VIP it is a martian), and a reset follows, so that nothing stays half open.
 *
 * All of a segment's questions are under way together; each SYN has a sequence number of its own, which its answer
 * carries back. Rejected: connecting by the kernel's sockets, which cannot address a VIP that is our own.
 *
 * Source: RFC 826, RFC 4861 §7.2, RFC 9293 §3.10.7.1; the ARP problem as in LVS-HOWTO.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  err,
  type IpAddress,
  ipFamily,
  type MacAddress,
  type Milliseconds,
  ok,
  type Result,
} from '../base/index.ts';
import { openPacketSocket, type PacketSocket } from '../ports/index.ts';
import {
  decodeArp,
  decodeNeighbour,
  decodeTcpFrame,
  encodeArpQuestion,
  encodeNeighbourQuestion,
  encodeTcpFrame,
  encodeTunnelledTcp,
  type TcpFrame,
} from '../wire/index.ts';

/** One interface as a place to ask from. */
export type Place = {
  readonly index: number;
  readonly name: string;
  readonly mac: MacAddress;
};

export type WhoHas = { readonly from: IpAddress; readonly address: IpAddress };

export type SynQuestion = {
  readonly mac: MacAddress;
  readonly from: IpAddress;
  readonly to: IpAddress;
  readonly port: number;
  /** Inside an IPv4 tunnel to this address. */
  readonly tunnelTo?: IpAddress;
};

/** `refused` is a reset: the address is taken there, and nobody listens at the port. */
export type SynAnswer = 'accepted' | 'refused' | 'silent';

const ROUNDS = 3;
const ROUND_MS: Milliseconds = 150;
const LAST_MS: Milliseconds = 350;
const LOOK_MS: Milliseconds = 10;
/** Above the ports that the kernel gives to connections of its own (ip_local_port_range); a multiple of BATCH. */
const FIRST_PORT = 61_440;
const BLOCKS = 60;
/** Questions at a time: what a receive queue and a small switch bear. Each has a port of its own. */
const BATCH = 64;

export class SegmentProbe {
  readonly #socket: PacketSocket;
  readonly #place: Place;
  readonly #firstPort: number;
  #sequence = 1024;

  private constructor(socket: PacketSocket, place: Place, firstPort: number) {
    this.#socket = socket;
    this.#place = place;
    this.#firstPort = firstPort;
  }

  /** Needs CAP_NET_RAW; the error is a sentence. */
  static open(place: Place): Result<SegmentProbe, string> {
    const firstPort = FIRST_PORT + BATCH * (process.pid % BLOCKS);
    const socket = openPacketSocket({
      index: place.index,
      name: place.name,
      hears: 'segments',
      firstPort,
    });
    if (!socket.ok) {
      return err(`${place.name}: no packet can be sent (${socket.error.code}); root is needed`);
    }
    return ok(new SegmentProbe(socket.value, place, firstPort));
  }

  close(): void {
    this.#socket.close();
  }

  /** The link-layer addresses that answered for each address, ours not among them. Each is asked three times. */
  async whoHas(
    questions: readonly WhoHas[],
  ): Promise<ReadonlyMap<IpAddress, readonly MacAddress[]>> {
    const found = new Map<IpAddress, Set<MacAddress>>();
    const hear = (frame: Uint8Array): void => {
      const claim = claimOf(frame);
      if (claim === undefined || claim.mac === this.#place.mac) return;
      if (!questions.some(({ address }) => address === claim.address)) return;
      found.set(claim.address, (found.get(claim.address) ?? new Set()).add(claim.mac));
    };
    for (const batch of batchesOf(questions)) {
      for (let round = 1; round <= ROUNDS; round++) {
        for (const question of batch) this.#ask(question);
        await this.#listen(round === ROUNDS ? LAST_MS : ROUND_MS, hear);
      }
    }
    return new Map(Array.from(found, ([address, macs]) => [address, [...macs].sort()]));
  }

  /** The answers, in the order of the questions. Each is asked again when it was not answered at once. */
  async syn(questions: readonly SynQuestion[]): Promise<readonly SynAnswer[]> {
    const answers: SynAnswer[] = [];
    for (const batch of batchesOf(questions)) answers.push(...(await this.#synBatch(batch)));
    return answers;
  }

  async #synBatch(questions: readonly SynQuestion[]): Promise<readonly SynAnswer[]> {
    const asked = questions.map((question) => ({ question, sequence: this.#nextSequence() }));
    const answers = new Map<number, SynAnswer>();
    const hear = (frame: Uint8Array): void => {
      const read = decodeTcpFrame(frame);
      if (!read.ok) return;
      const { flags, acknowledgement, source, sourceIp } = read.value;
      const own = asked.find(({ sequence }) => sequence + 1 === acknowledgement);
      // From another machine: it was passed on, not taken.
      if (own?.question.to !== sourceIp || own.question.mac !== source) return;
      const isReset = flags.includes('rst');
      if (!isReset && !flags.includes('syn')) return;
      answers.set(own.sequence, isReset ? 'refused' : 'accepted');
      if (!isReset) this.#segment(own.question, own.sequence + 1, ['rst']);
    };
    for (let round = 1; round <= 2; round++) {
      for (const { question, sequence } of asked) {
        if (!answers.has(sequence)) this.#segment(question, sequence, ['syn']);
      }
      await this.#listen(LAST_MS, hear);
      if (answers.size === asked.length) break;
    }
    return asked.map(({ sequence }) => answers.get(sequence) ?? 'silent');
  }

  #nextSequence(): number {
    this.#sequence += 16;
    return this.#sequence;
  }

  #ask({ from, address }: WhoHas): void {
    const question = { senderMac: this.#place.mac, senderIp: from, targetIp: address };
    this.#socket.send(
      ipFamily(address) === 4 ? encodeArpQuestion(question) : encodeNeighbourQuestion(question),
    );
  }

  #segment(
    { mac, from, to, port, tunnelTo }: SynQuestion,
    sequence: number,
    flags: TcpFrame['flags'],
  ) {
    const frame: TcpFrame = {
      destination: mac,
      source: this.#place.mac,
      sourceIp: from,
      destinationIp: to,
      // A server that passes a packet on must not mix it up with another question of ours.
      sourcePort: this.#firstPort + ((sequence >> 4) % BATCH),
      destinationPort: port,
      sequence,
      acknowledgement: 0,
      flags,
    };
    this.#socket.send(
      tunnelTo === undefined
        ? encodeTcpFrame(frame)
        : encodeTunnelledTcp(frame, { from, to: tunnelTo }),
    );
  }

  async #listen(forMs: Milliseconds, hear: (frame: Uint8Array) => void): Promise<void> {
    for (const end = performance.now() + forMs; ; ) {
      for (const frame of this.#socket.receive()) hear(frame);
      if (performance.now() >= end) return;
      await sleep(LOOK_MS);
    }
  }
}

/** "This address is here", as far as a frame says so in answer to a question. */
function claimOf(
  frame: Uint8Array,
): { readonly address: IpAddress; readonly mac: MacAddress } | undefined {
  const arp = decodeArp(frame);
  if (arp.ok) {
    const { operation, senderIp, senderMac } = arp.value;
    return operation === 'reply' ? { address: senderIp, mac: senderMac } : undefined;
  }
  const neighbour = decodeNeighbour(frame);
  if (!neighbour.ok || neighbour.value.kind !== 'advertisement') return undefined;
  const { target, linkLayer, source } = neighbour.value;
  return { address: target, mac: linkLayer ?? source };
}

function batchesOf<T>(all: readonly T[]): readonly (readonly T[])[] {
  const batches: (readonly T[])[] = [];
  for (let at = 0; at < all.length; at += BATCH) batches.push(all.slice(at, at + BATCH));
  return batches;
}
