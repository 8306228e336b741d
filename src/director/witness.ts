/**
 * Asks the segment: does anybody believe us, is anybody there, does somebody else claim a VIP of ours (R9, R10)?
 *
 * A question is an echo request whose sender is the VIP, in a frame of ours, to the witness's own link-layer address. The
 * answer travels to wherever the witness (and the switch) believe the VIP to be: if it comes back here, we are believed. It
 * carries a secret of this tenure, so nobody can answer who was not asked. Beside them goes one question from our own
 * address: a witness that answers that and not the VIP's is alive and believes somebody else.
 *
 * Witnesses are found by ARP questions from our own address, kept warm once a minute, so that a takeover need not wait
 * for one. Rejected: the ARP answer to a question from the VIP as proof; it comes to whoever asked, believed or not.
 *
 * Source: RFC 792, RFC 4443 §4, RFC 826, RFC 4861; RFC 5227 §2.4 (defence).
 */
import {
  after,
  earliest,
  elapsedMs,
  equalBytes,
  type Instant,
  type IpAddress,
  ipFamily,
  type MacAddress,
  type Milliseconds,
} from '../base/index.ts';
import type { Input } from '../core/index.ts';
import type { PortError } from '../model/index.ts';
import { encodeArpQuestion, encodeEchoFrame, encodeNeighbourQuestion } from '../wire/index.ts';
import { type Ears, type Heard, NO_ADDRESS } from './ears.ts';
import { ownAddressFor, type Segment } from './segments.ts';

/** Frames a turn, and the pause between two batches, as for announcements. */
const BATCH = 128;
const PAUSE_MS: Milliseconds = 4;
const WARM_MS: Milliseconds = 60_000;
const HOPS = 64;
/** Is anybody there? Asked as often, so far apart, until something is heard. */
const ROLL_CALLS = 4;
const ROLL_CALL_MS: Milliseconds = 25;
/** A claim to one VIP is passed on at most so often; the core defends within its own bounds. */
const CLAIM_MS: Milliseconds = 1000;
/** Hosts heard by themselves that are remembered to be asked, on one segment. */
const REMEMBERED = 8;

type Question = {
  readonly segment: Segment;
  readonly from: IpAddress;
  readonly to: IpAddress;
  readonly kind: 'echo' | 'teach';
};

export type WitnessParts = {
  readonly ears: Ears;
  readonly identifier: number;
  /** A secret of 16 bytes, a new one for each tenure. */
  readonly secret: () => Uint8Array;
  readonly isPartner: (mac: MacAddress) => boolean;
};

export class Witness {
  readonly #parts: WitnessParts;
  #segments: readonly Segment[] = [];
  #segmentOf: ReadonlyMap<IpAddress, Segment> = new Map();
  #secret: Uint8Array;
  #sequence = 0;
  /** By device and address, of those we ask. */
  #places: Map<string, MacAddress> = new Map();
  #wanted: ReadonlySet<string> = new Set();
  #remembered = new Map<string, readonly IpAddress[]>();
  #queue: readonly Question[] = [];
  /** Places asked for since the last `verify`: once each is enough. */
  readonly #asked = new Set<string>();
  #next = 0;
  #nextAt: Instant | undefined;
  #warmAt: Instant | undefined;
  #rollCall: { readonly at: Instant; readonly left: number } | undefined;
  /** Devices on which somebody has to be heard before the segment counts as heard; empty: nobody is waited for. */
  #awaited: ReadonlySet<string> = new Set();
  #isOneEnough = true;
  /** Devices on which anybody was heard in this life. */
  readonly #alive = new Set<string>();
  #answers = new Map<IpAddress, Set<IpAddress>>();
  #claimedAt = new Map<IpAddress, Instant>();
  /** Witnesses that answered a question from our own address, and when. */
  readonly #answeredAt = new Map<IpAddress, Instant>();

  constructor(parts: WitnessParts) {
    this.#parts = parts;
    this.#secret = parts.secret();
  }

  replaceSegments(segments: readonly Segment[], now: Instant): void {
    this.#segments = segments;
    this.#segmentOf = new Map(segments.flatMap((s) => s.vips.map((vip) => [vip, s] as const)));
    const wanted = new Set(segments.flatMap((s) => s.witnesses.map((to) => keyOf(s, to))));
    const isNew = [...wanted].some((key) => !this.#wanted.has(key));
    this.#wanted = wanted;
    for (const key of this.#places.keys()) if (!wanted.has(key)) this.#places.delete(key);
    if (isNew) this.#warmAt = now;
    if (wanted.size === 0) this.#warmAt = undefined;
  }

  get nextAt(): Instant | undefined {
    return earliest(this.#isAsking ? this.#nextAt : undefined, this.#warmAt, this.#rollCall?.at);
  }

  get #isAsking(): boolean {
    return this.#next < this.#queue.length;
  }

  /** Asks for each of these VIPs; what is still to be asked of an earlier question is included by the core. */
  verify(now: Instant, vips: readonly IpAddress[], teaches: boolean): void {
    const questions: Question[] = [];
    for (const segment of this.#segments) {
      for (const to of segment.witnesses) {
        const own = ownAddressFor(segment, to);
        if (own !== undefined) questions.push({ segment, from: own, to, kind: 'echo' });
      }
    }
    for (const vip of vips) {
      const segment = this.#segmentOf.get(vip);
      for (const to of segment?.witnesses ?? []) {
        if (segment === undefined || ipFamily(to) !== ipFamily(vip)) continue;
        if (teaches) questions.push({ segment, from: vip, to, kind: 'teach' });
        questions.push({ segment, from: vip, to, kind: 'echo' });
      }
    }
    this.#queue = questions;
    this.#asked.clear();
    this.#next = 0;
    this.#nextAt = now;
    this.#sequence = (this.#sequence + 1) & 0xffff;
  }

  /** Who answered, within the time between two slow refreshes, to our own address. */
  answering(now: Instant): readonly IpAddress[] {
    return [...this.#answeredAt].flatMap(([witness, at]) =>
      elapsedMs(at, now) < 2 * WARM_MS ? [witness] : [],
    );
  }

  /** No longer ours: nothing more is asked, and late answers prove nothing. */
  cancel(): void {
    this.#queue = [];
    this.#next = 0;
    this.#secret = this.#parts.secret();
  }

  /**
   * Is anybody there? Where somebody was heard before, somebody has to be heard again: with VIPs on two devices one dead
   * receiver is deaf enough. A segment where nobody ever spoke proves nothing. Of named witnesses one is enough.
   */
  askSegment(now: Instant): void {
    const asked = this.#segments.filter(({ neighbours }) => neighbours.length > 0);
    const lively = asked.filter(({ device }) => this.#alive.has(device));
    const awaited = lively.length > 0 ? lively : asked;
    this.#awaited = new Set(awaited.map(({ device }) => device));
    this.#isOneEnough = lively.length === 0 || this.#namesJudges;
    this.#rollCall = { at: now, left: ROLL_CALLS };
  }

  /**
   * Sends what is due; `mayAsk` is asked at the moment of sending, `isAnnouncing` holds the questions back until the
   * announcements before them have left. The first error, if any.
   */
  send(now: Instant, mayAsk: () => boolean, isAnnouncing: boolean): PortError | undefined {
    let error: PortError | undefined;
    const note = (failed: PortError | undefined): void => {
      error ??= failed;
    };
    if (this.#warmAt !== undefined && this.#warmAt <= now) {
      this.#warmAt = after(now, WARM_MS);
      for (const segment of this.#segments) {
        for (const to of segment.witnesses) note(this.#askPlace(segment, to));
      }
    }
    const { at, left } = this.#rollCall ?? {};
    if (at !== undefined && left !== undefined && at <= now) {
      this.#rollCall = left > 1 ? { at: after(now, ROLL_CALL_MS), left: left - 1 } : undefined;
      for (const segment of this.#segments) note(this.#callRoll(segment));
    }
    const isDue = this.#nextAt !== undefined && this.#nextAt <= now;
    if (!this.#isAsking || !isDue || isAnnouncing) return error;
    this.#nextAt = after(now, PAUSE_MS);
    const end = Math.min(this.#next + BATCH, this.#queue.length);
    for (; this.#next < end && mayAsk(); this.#next++) {
      const question = this.#queue[this.#next];
      if (question !== undefined) note(this.#ask(question));
    }
    return error;
  }

  /** What follows for the core from one thing heard: claims at once, answers with `takeAnswers`. */
  hear(heard: Heard, now: Instant, isActive: boolean): readonly Input[] {
    const inputs: Input[] = [];
    const here = this.#segments.find(({ device }) => device === heard.link.name);
    if (here === undefined) return inputs;
    if (this.#isSignOfLife(heard, here) && this.#isHeardNow(here.device)) {
      inputs.push({ kind: 'segment-heard', now });
    }
    if (heard.kind === 'echo') this.#keepAnswer(heard, now);
    if (heard.kind === 'place') {
      const claim = this.#place(heard, now, isActive);
      if (claim !== undefined) inputs.push(claim);
    }
    return inputs;
  }

  /** The answers of a turn, one input a witness. */
  takeAnswers(now: Instant): readonly Input[] {
    if (this.#answers.size === 0) return [];
    const inputs = [...this.#answers].map(
      ([witness, vips]): Input => ({ kind: 'believed', now, vips: [...vips], witness }),
    );
    this.#answers = new Map();
    return inputs;
  }

  /** A sign of life on this device; true when it was the last that was waited for. */
  #isHeardNow(device: string): boolean {
    this.#alive.add(device);
    if (!this.#awaited.has(device)) return false;
    const left = [...this.#awaited].filter((name) => name !== device);
    const isEnough = left.length === 0 || this.#isOneEnough;
    this.#awaited = new Set(isEnough ? [] : left);
    if (isEnough) this.#rollCall = undefined;
    return isEnough;
  }

  get #namesJudges(): boolean {
    return this.#segments.some(({ judges }) => judges.length > 0);
  }

  /** Anybody's frame will do, unless the operator has named whose. */
  #isSignOfLife(heard: Heard, { judges }: Segment): boolean {
    if (!this.#namesJudges) return true;
    return heard.kind === 'place' && judges.includes(heard.address);
  }

  #keepAnswer(heard: Extract<Heard, { kind: 'echo' }>, now: Instant): void {
    if (!equalBytes(heard.data, this.#secret)) return;
    const { from, to } = heard;
    const segment = this.#segmentOf.get(to);
    if (segment === undefined) {
      if (this.#segments.some((s) => s.witnesses.includes(from))) this.#answeredAt.set(from, now);
      return;
    }
    if (!segment.witnesses.includes(from)) return;
    const vips = this.#answers.get(from) ?? new Set();
    vips.add(to);
    this.#answers.set(from, vips);
  }

  #place(
    { link, address, mac }: Extract<Heard, { kind: 'place' }>,
    now: Instant,
    isActive: boolean,
  ): Input | undefined {
    const { ears, isPartner } = this.#parts;
    if (ears.isOurs(mac)) return undefined;
    const key = `${link.name} ${address}`;
    if (this.#wanted.has(key)) {
      const isNew = this.#places.get(key) === undefined;
      this.#places.set(key, mac);
      // Questions that waited for this place are asked from the beginning: the others cost nothing to repeat.
      if (isNew && this.#queue.length > 0) {
        this.#next = 0;
        this.#nextAt = now;
      }
    }
    if (!this.#segmentOf.has(address)) {
      if (!isPartner(mac)) this.#remember(link.name, address);
      return undefined;
    }
    const lastAt = this.#claimedAt.get(address);
    if (!isActive || (lastAt !== undefined && elapsedMs(lastAt, now) < CLAIM_MS)) return undefined;
    this.#claimedAt.set(address, now);
    return {
      kind: 'foreign-claim',
      now,
      vip: address,
      by: isPartner(mac) ? 'partner' : 'stranger',
    };
  }

  #remember(device: string, address: IpAddress): void {
    const known = this.#remembered.get(device) ?? [];
    if (known.includes(address)) return;
    this.#remembered.set(device, [address, ...known].slice(0, REMEMBERED));
  }

  #callRoll(segment: Segment): PortError | undefined {
    const heard = this.#remembered.get(segment.device) ?? [];
    // Named witnesses are asked all the time; nobody else is bothered.
    const known = this.#namesJudges ? segment.judges : [...segment.neighbours, ...heard];
    const errors = [...new Set(known)].map((to) => this.#askPlace(segment, to));
    return errors.find((error) => error !== undefined);
  }

  /** "Who has `to`? Tell our own address." Without one, as a host that has none yet (RFC 5227 §2.1.1). */
  #askPlace(segment: Segment, to: IpAddress): PortError | undefined {
    const own = ownAddressFor(segment, to) ?? (ipFamily(to) === 4 ? NO_ADDRESS : undefined);
    if (own === undefined) return undefined;
    return this.#parts.ears.send(segment.device, placeQuestion(segment.mac, own, to));
  }

  #ask({ segment, from, to, kind }: Question): PortError | undefined {
    const { ears, identifier } = this.#parts;
    if (kind === 'teach') return ears.send(segment.device, placeQuestion(segment.mac, from, to));
    const destination = this.#places.get(keyOf(segment, to));
    if (destination === undefined) return this.#askUnknown(segment, to);
    const frame = encodeEchoFrame({
      kind: 'request',
      destination,
      source: segment.mac,
      sourceIp: from,
      destinationIp: to,
      hopLimit: HOPS,
      identifier,
      sequence: this.#sequence,
      data: this.#secret,
    });
    return ears.send(segment.device, frame);
  }

  #askUnknown(segment: Segment, to: IpAddress): PortError | undefined {
    const key = keyOf(segment, to);
    if (this.#asked.has(key)) return undefined;
    this.#asked.add(key);
    return this.#askPlace(segment, to);
  }
}

function keyOf({ device }: Segment, address: IpAddress): string {
  return `${device} ${address}`;
}

function placeQuestion(senderMac: MacAddress, senderIp: IpAddress, targetIp: IpAddress) {
  const question = { senderMac, senderIp, targetIp };
  return ipFamily(targetIp) === 4 ? encodeArpQuestion(question) : encodeNeighbourQuestion(question);
}
