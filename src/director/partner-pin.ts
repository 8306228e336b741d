/**
 * The partner's link-layer address, pinned in the kernel on every heartbeat path (docs/failover.md, "Pin the partner").
 *
 * Learned from what the partner says on the segment (ARP, neighbour discovery), asked for when it is not known or the
 * partner is silent, followed when it changes, removed at the clean end. A partner behind a router has no place on our
 * segment: its path is left to the kernel.
 */
import {
  after,
  elapsedMs,
  type Instant,
  type IpAddress,
  ipFamily,
  type MacAddress,
  type Milliseconds,
} from '../base/index.ts';
import type { Path } from '../core/index.ts';
import type { KernelAddresses, PathName, PortError } from '../model/index.ts';
import type { NeighbourPort } from '../ports/index.ts';
import { encodeArpQuestion, encodeNeighbourQuestion } from '../wire/index.ts';
import type { Ears, Heard } from './ears.ts';
import { isOnLink } from './segments.ts';

/** Between questions after a partner that is silent or not known. */
const ASK_MS: Milliseconds = 5000;
const SOON_MS: Milliseconds = 1000;

type Place = {
  readonly path: PathName;
  readonly device: string;
  readonly index: number;
  readonly mac: MacAddress;
  readonly own: IpAddress;
  readonly partner: IpAddress;
};

type Pin = { readonly place: Place; readonly mac: MacAddress };

export type PartnerPinParts = {
  readonly ears: Ears;
  readonly neighbours: NeighbourPort;
  readonly tell: (key: string, error: PortError | undefined) => void;
};

export class PartnerPin {
  readonly #parts: PartnerPinParts;
  #places: readonly Place[] = [];
  readonly #pins = new Map<PathName, Pin>();
  readonly #heardAt = new Map<PathName, Instant>();
  readonly #askedAt = new Map<PathName, Instant>();
  #askAt: Instant | undefined;

  constructor(parts: PartnerPinParts) {
    this.#parts = parts;
  }

  get nextAt(): Instant | undefined {
    return this.#askAt;
  }

  /** Where each path leaves this machine; pins of paths that are gone are removed, the others written again. */
  replacePaths(paths: readonly Path[], observed: KernelAddresses, now: Instant): void {
    this.#places = placesOf(paths, observed);
    for (const [path, pin] of this.#pins) {
      const place = this.#places.find((candidate) => candidate.path === path);
      if (place === undefined || place.partner !== pin.place.partner) this.#unpin(path, pin);
      else this.#pin(place, pin.mac); // an interface that was down has forgotten it
    }
    this.#askAt = this.#places.length > 0 ? now : undefined;
  }

  knows(mac: MacAddress): boolean {
    return [...this.#pins.values()].some((pin) => pin.mac === mac);
  }

  /** The partner was heard: the time to learn where it is. */
  heard(path: PathName, now: Instant): void {
    this.#heardAt.set(path, now);
    const isUnknown = !this.#pins.has(path) && this.#places.some((place) => place.path === path);
    const askedAt = this.#askedAt.get(path);
    const isPatient = askedAt !== undefined && elapsedMs(askedAt, now) < SOON_MS;
    if (isUnknown && !isPatient) this.#askAt = now;
  }

  hear(heard: Heard): void {
    if (heard.kind !== 'place') return;
    for (const place of this.#places) {
      if (place.index !== heard.link.index || place.partner !== heard.address) continue;
      if (this.#pins.get(place.path)?.mac !== heard.mac) this.#pin(place, heard.mac);
    }
  }

  /** Asks for partners that are silent or not known. */
  ask(now: Instant): void {
    if (this.#askAt === undefined || this.#askAt > now) return;
    this.#askAt = after(now, ASK_MS);
    for (const { path, device, mac, own, partner } of this.#places) {
      const heardAt = this.#heardAt.get(path);
      const isHeard = heardAt !== undefined && elapsedMs(heardAt, now) < ASK_MS;
      if (isHeard && this.#pins.has(path)) continue;
      this.#askedAt.set(path, now);
      const question = { senderMac: mac, senderIp: own, targetIp: partner };
      const encode = ipFamily(partner) === 4 ? encodeArpQuestion : encodeNeighbourQuestion;
      this.#parts.tell(`ask ${device}`, this.#parts.ears.send(device, encode(question)));
    }
  }

  /** The clean end: what we pinned is the kernel's to find out again. */
  release(): void {
    for (const [path, pin] of this.#pins) this.#unpin(path, pin);
  }

  #pin(place: Place, mac: MacAddress): void {
    const error = this.#parts.neighbours.pin(place.index, place.partner, mac);
    this.#parts.tell(`pin ${place.path}`, error);
    if (error === undefined) this.#pins.set(place.path, { place, mac });
  }

  #unpin(path: PathName, { place }: Pin): void {
    this.#pins.delete(path);
    this.#parts.tell(`pin ${path}`, this.#parts.neighbours.unpin(place.index, place.partner));
  }
}

/** The devices of the paths whose partner is a neighbour there. */
function placesOf(paths: readonly Path[], { links, rows }: KernelAddresses): readonly Place[] {
  return paths.flatMap(({ name, own, partner }): readonly Place[] => {
    const row = rows.find(({ address }) => address === own);
    const link = links.find(({ index }) => index === row?.interfaceIndex);
    if (row === undefined || link?.mac === undefined || !isOnLink(partner, row)) return [];
    return [{ path: name, device: link.name, index: link.index, mac: link.mac, own, partner }];
  });
}

/** The devices on which partners may be heard. */
export function devicesOf(paths: readonly Path[], observed: KernelAddresses): readonly string[] {
  return placesOf(paths, observed).map(({ device }) => device);
}
