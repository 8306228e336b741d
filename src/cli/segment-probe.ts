/**
 * Questions to a segment, with packets of our own: who has this address, does this machine take a packet for it, and how
 * long may the packet be?
 *
 * The first is ARP (neighbour solicitation for IPv6), asked from our own address and never from a VIP, so that nobody
 * learns anything from it but what is so. The second is a SYN that carries the VIP as its destination and the real
 * server's link-layer address: the very frame that IPVS would send it. The answer is sniffed before the routing code of
 * this machine could throw it away (on the owner of the VIP it is a martian), and a reset follows, so that nothing stays
 * half open. The third is the same SYN with zeroes behind it; its answer is short, so only the way there is asked about.
 *
 * Many questions are under way together; each SYN has a sequence number of its own, which its answer carries back. Frames
 * leave a few at a time, and every one that was sent or understood is kept by what it was about: the evidence.
 * Rejected: connecting by the kernel's sockets, which cannot address a VIP that is our own; ICMP echo, which firewalls
 * drop more often than the service itself.
 *
 * Source: RFC 826, RFC 4861 §7.2, RFC 9293 §3.10.7.1, RFC 1191; the ARP problem as in LVS-HOWTO.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  err,
  type IpAddress,
  ip,
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
  decodeTcpComplaint,
  decodeTcpFrame,
  encodeArpQuestion,
  encodeNeighbourQuestion,
  encodeTcpFrame,
  encodeTunnelledTcp,
  type TcpComplaint,
  type TcpFrame,
} from '../wire/index.ts';
import type { HeardFrame } from './finding.ts';

/** One interface as a place to ask from. */
export type Place = {
  readonly index: number;
  readonly name: string;
  readonly mac: MacAddress;
};

export type WhoHas = { readonly from: IpAddress; readonly address: IpAddress };

export type SynQuestion = {
  /** Whom the frame is sent to: the machine itself, or the next hop. */
  readonly mac: MacAddress;
  readonly from: IpAddress;
  readonly to: IpAddress;
  readonly port: number;
  /** Inside an IPv4 tunnel to this address. */
  readonly tunnelTo?: IpAddress;
  /** The answer may come from another link-layer address: by a router, or from a real server behind the director. */
  readonly byWayOfOthers?: true;
  /** 0-255, 64 unless told. With 1 the packet is taken where it is sent or not at all; in a tunnel, that inside. */
  readonly hopLimit?: number;
  /** Length of the whole IP packet, at least 40 or 60. */
  readonly length?: number;
};

/** `refused` is a reset: the address is taken there, and nobody listens at the port. */
export type SynAnswer = 'accepted' | 'refused' | 'silent';

export type SynResult = {
  readonly answer: SynAnswer;
  /** With `accepted`: the longest segment that the other side takes, as it says. */
  readonly maximumSegment?: number;
  /** Of a router on the way, or of the machine itself. */
  readonly complaint?: TcpComplaint;
  readonly frames: readonly HeardFrame[];
};

type Asked = {
  readonly question: SynQuestion;
  readonly sequence: number;
  readonly sourcePort: number;
  answer: SynAnswer;
  maximumSegment?: number;
  complaint?: TcpComplaint;
  readonly frames: HeardFrame[];
};

/** Who asks without an address. */
const NOBODY_YET = ip('0.0.0.0');
const ROUNDS = 3;
const ROUND_MS: Milliseconds = 150;
const LAST_MS: Milliseconds = 350;
const LOOK_MS: Milliseconds = 10;
/** Above the ports that the kernel gives to connections of its own (ip_local_port_range); a multiple of BATCH. */
const FIRST_PORT = 61_440;
const BLOCKS = 60;
/** Questions at a time: what a receive queue and a small switch bear. Each has a port of its own. */
const BATCH = 64;
/** Frames that leave without a pause of LOOK_MS between: at most 800 a second. */
const BURST = 8;
/** Of one address: the questions, and enough answers to see that there are two who give them. */
const MOST_FRAMES = 16;

export class SegmentProbe {
  readonly #socket: PacketSocket;
  readonly #place: Place;
  readonly #firstPort: number;
  readonly #about = new Map<IpAddress, HeardFrame[]>();
  /** How often each said so. */
  readonly #answering = new Map<IpAddress, Map<MacAddress, number>>();
  readonly #announcing = new Map<IpAddress, Map<MacAddress, number>>();
  /** Frames that came in with our own link-layer address as their source, by the address that they name. */
  readonly #ownEchoes = new Map<IpAddress, HeardFrame[]>();
  #asked: readonly Asked[] = [];
  #sequence = 1024;
  #sent = 0;

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

  get device(): string {
    return this.#place.name;
  }

  /** Frames that have left. */
  get sent(): number {
    return this.#sent;
  }

  close(): void {
    this.#socket.close();
  }

  /** Asks for each address three times; `macsOf` tells who answered. */
  async whoHas(questions: readonly WhoHas[]): Promise<void> {
    for (const { address } of questions) {
      if (!this.#about.has(address)) this.#about.set(address, []);
    }
    for (const batch of batchesOf(questions)) {
      for (let round = 1; round <= ROUNDS; round++) {
        await this.#each(batch, (question) => this.#ask(question));
        await this.#listen(round === ROUNDS ? LAST_MS : ROUND_MS);
      }
    }
  }

  /** Who answered for an address that was asked for, up to now; ours not among them. */
  macsOf(address: IpAddress): readonly MacAddress[] {
    return [...(this.#answering.get(address)?.keys() ?? [])].sort();
  }

  /** Who asked others in the name of an address that was asked for, while we listened: their tables follow that. */
  announcersOf(address: IpAddress): readonly MacAddress[] {
    return [...(this.#announcing.get(address)?.keys() ?? [])].sort();
  }

  framesAbout(...addresses: readonly IpAddress[]): readonly HeardFrame[] {
    return addresses.flatMap((address) => this.#about.get(address) ?? []);
  }

  get ownEchoes(): ReadonlyMap<IpAddress, readonly HeardFrame[]> {
    return this.#ownEchoes;
  }

  /**
   * Two addresses that are answered for with one link-layer address: does one machine have both? Whoever has just answered
   * for the first is where a switch sends frames for `mac`; then the second is asked for there alone.
   */
  async isOneMachine(mac: MacAddress, first: WhoHas, second: WhoHas): Promise<boolean> {
    for (let round = 1; round <= ROUNDS; round++) {
      this.#ask(first);
      await this.#listen(ROUND_MS);
      const before = this.#answersFor(second.address, mac);
      this.#ask(second, mac);
      await this.#listen(ROUND_MS);
      if (this.#answersFor(second.address, mac) > before) return true;
    }
    return false;
  }

  /** The answers, in the order of the questions. Each is asked again when it was not answered at once. */
  async syn(questions: readonly SynQuestion[]): Promise<readonly SynResult[]> {
    const results: SynResult[] = [];
    for (const batch of batchesOf(questions)) results.push(...(await this.#synBatch(batch)));
    return results;
  }

  async #synBatch(questions: readonly SynQuestion[]): Promise<readonly SynResult[]> {
    const asked = questions.map((question): Asked => {
      this.#sequence += 0x1_0000; // more than a packet is long
      // A server that passes a packet on must not mix it up with another question of ours.
      const sourcePort = this.#firstPort + ((this.#sequence >> 16) % BATCH);
      return { question, sequence: this.#sequence, sourcePort, answer: 'silent', frames: [] };
    });
    this.#asked = asked;
    for (let round = 1; round <= 2; round++) {
      await this.#each(
        asked.filter(({ answer }) => answer === 'silent'),
        (one) => this.#segment(one, one.sequence, ['syn']),
      );
      await this.#listen(LAST_MS, () => asked.every(({ answer }) => answer !== 'silent'));
    }
    this.#asked = [];
    return asked;
  }

  #ask({ from, address }: WhoHas, destination?: MacAddress): void {
    const isFour = ipFamily(address) === 4;
    const question = {
      senderMac: this.#place.mac,
      // Nobody answers for an address to the one who says that he has it: about our own we ask as nobody (RFC 5227 §2.1.1).
      senderIp: isFour && from === address ? NOBODY_YET : from,
      targetIp: address,
      ...(destination !== undefined && { destination }),
    };
    const frame = isFour ? encodeArpQuestion(question) : encodeNeighbourQuestion(question);
    this.#send(frame, this.#about.get(address));
  }

  #segment(
    { question, sourcePort, frames }: Asked,
    sequence: number,
    flags: TcpFrame['flags'],
  ): void {
    const { mac, from, to, port, tunnelTo, hopLimit, length } = question;
    const frame: TcpFrame = {
      destination: mac,
      source: this.#place.mac,
      sourceIp: from,
      destinationIp: to,
      sourcePort,
      destinationPort: port,
      sequence,
      acknowledgement: 0,
      flags,
      ...(hopLimit !== undefined && { hopLimit }),
      ...(length !== undefined && flags.includes('syn') && { padding: paddingOf(length, to) }),
    };
    this.#send(
      tunnelTo === undefined
        ? encodeTcpFrame(frame)
        : encodeTunnelledTcp(frame, { from, to: tunnelTo }),
      frames,
    );
  }

  #send(bytes: Uint8Array, about: HeardFrame[] | undefined): void {
    if (this.#socket.send(bytes) !== undefined) return; // an interface that is gone is told by links-up
    this.#sent++;
    this.#keep(about, bytes, true);
  }

  #keep(about: HeardFrame[] | undefined, bytes: Uint8Array, isSent: boolean): void {
    if (about === undefined || about.length >= MOST_FRAMES) return;
    const wallMs = performance.timeOrigin + performance.now();
    // What was heard lies in memory that the next frames are read into.
    about.push({ device: this.#place.name, wallMs, isSent, bytes: Uint8Array.from(bytes) });
  }

  async #each<T>(all: readonly T[], send: (one: T) => void): Promise<void> {
    for (const [index, one] of all.entries()) {
      if (index > 0 && index % BURST === 0) await this.#listen(LOOK_MS);
      send(one);
    }
  }

  async #listen(forMs: Milliseconds, isEnough: () => boolean = () => false): Promise<void> {
    for (const end = performance.now() + forMs; ; ) {
      for (const frame of this.#socket.receive()) this.#hear(frame);
      if (performance.now() >= end || isEnough()) return;
      await sleep(LOOK_MS);
    }
  }

  #hear(frame: Uint8Array): void {
    const claim = claimOf(frame);
    if (claim !== undefined) this.#hearClaim(claim, frame);
    else if (this.#asked.length > 0) this.#hearAnswer(frame);
  }

  #hearClaim({ address, mac, source, says }: Claim, frame: Uint8Array): void {
    if (source === this.#place.mac) {
      const echoes = this.#ownEchoes.get(address) ?? [];
      if (this.#ownEchoes.size < MOST_FRAMES) this.#ownEchoes.set(address, echoes);
      this.#keep(echoes, frame, false);
      return;
    }
    if (mac === this.#place.mac) return; // the partner, which tells the segment that we have the VIP
    const about = this.#about.get(address);
    if (about === undefined || says === 'nothing') return;
    const map = says === 'answer' ? this.#answering : this.#announcing;
    const times = map.get(address) ?? new Map<MacAddress, number>();
    if (times.size >= MOST_FRAMES && !times.has(mac)) return; // a flood is told by the first of it
    map.set(address, times.set(mac, (times.get(mac) ?? 0) + 1));
    this.#keep(about, frame, false);
  }

  #answersFor(address: IpAddress, mac: MacAddress): number {
    return this.#answering.get(address)?.get(mac) ?? 0;
  }

  #hearAnswer(frame: Uint8Array): void {
    const read = decodeTcpFrame(frame);
    if (!read.ok) {
      const complaint = decodeTcpComplaint(frame);
      const own =
        complaint.ok && this.#asked.find(({ sequence }) => sequence === complaint.value.sequence);
      if (!complaint.ok || !own || own.question.to !== complaint.value.to) return;
      own.complaint = complaint.value;
      this.#keep(own.frames, frame, false);
      return;
    }
    const { flags, acknowledgement, source, sourceIp, destinationPort } = read.value;
    const own = this.#asked.find(
      ({ sequence, sourcePort }) =>
        sourcePort === destinationPort && (acknowledgement - sequence - 1) >>> 0 < 0xffff,
    );
    if (own?.question.to !== sourceIp) return;
    // From another machine: it was passed on, not taken.
    if (own.question.byWayOfOthers !== true && own.question.mac !== source) return;
    const isReset = flags.includes('rst');
    if (!isReset && !flags.includes('syn')) return;
    own.answer = isReset ? 'refused' : 'accepted';
    if (read.value.maximumSegment !== undefined) own.maximumSegment = read.value.maximumSegment;
    this.#keep(own.frames, frame, false);
    if (!isReset) this.#segment(own, own.sequence + 1, ['rst']);
  }
}

function paddingOf(length: number, to: IpAddress): number {
  return Math.max(0, length - (ipFamily(to) === 4 ? 40 : 60));
}

type Claim = {
  readonly address: IpAddress;
  readonly mac: MacAddress;
  /** Who sent the frame. */
  readonly source: MacAddress;
  /** `question`: who asks says so of itself. `nothing`: a machine asks whether it may have the address. */
  readonly says: 'answer' | 'question' | 'nothing';
};

/** "This address is here", as far as a frame says so. */
function claimOf(frame: Uint8Array): Claim | undefined {
  const arp = decodeArp(frame);
  if (arp.ok) {
    const { operation, senderIp, senderMac, targetIp, source } = arp.value;
    const isProbe = senderIp === NOBODY_YET;
    const says = isProbe ? 'nothing' : operation === 'reply' ? 'answer' : 'question';
    return { address: isProbe ? targetIp : senderIp, mac: senderMac, source, says };
  }
  const neighbour = decodeNeighbour(frame);
  if (!neighbour.ok || neighbour.value.kind !== 'advertisement') return undefined;
  const { target, linkLayer, source } = neighbour.value;
  return { address: target, mac: linkLayer ?? source, source, says: 'answer' };
}

function batchesOf<T>(all: readonly T[]): readonly (readonly T[])[] {
  const batches: (readonly T[])[] = [];
  for (let at = 0; at < all.length; at += BATCH) batches.push(all.slice(at, at + BATCH));
  return batches;
}
