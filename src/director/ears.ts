/**
 * What is heard on the link layer of our segments: who says where an address lives, and answers to our echoes.
 *
 * One socket a device, filtered in the kernel (ports/packet.ts), shared by the witness and by whoever follows the
 * partner's link-layer address. Frames of our own never count. The same socket sends their questions, and announcements:
 * the kernel takes some 10 ms to close each one of a killed director (packet_release waits for every processor), and the
 * next life begins only then.
 */
import { type IpAddress, ip, type MacAddress, ok, type Result } from '../base/index.ts';
import type { KernelAddresses, Link, PortError } from '../model/index.ts';
import type { PacketSocket } from '../ports/index.ts';
import {
  decodeArp,
  decodeEchoFrame,
  decodeFrame,
  decodeNeighbour,
  ZERO_MAC,
} from '../wire/index.ts';
import { devicesOf } from './partner-pin.ts';
import type { PulsePlan } from './plan.ts';

export type Heard = { readonly link: Link } & (
  | { readonly kind: 'place'; readonly address: IpAddress; readonly mac: MacAddress }
  | {
      readonly kind: 'echo';
      readonly from: IpAddress;
      readonly to: IpAddress;
      readonly data: Uint8Array;
    }
  /** Somebody is there; that is all that could be understood. */
  | { readonly kind: 'frame' }
);

/** Opens a socket that hears ARP, neighbour discovery and answers to our echoes. */
export type OpenEar = (link: Link) => Result<PacketSocket, PortError>;

/** Frames read in one turn from one device: a flood must not keep the clock from being read. */
const DRAIN_LIMIT = 512;
const BATCH = 64;
export const NO_ADDRESS = ip('0.0.0.0');
const NO_ADDRESS_6 = ip('::');

export class Ears {
  readonly #open: OpenEar;
  #ears: ReadonlyMap<string, { readonly link: Link; readonly socket: PacketSocket }> = new Map();
  #ownMacs: ReadonlySet<MacAddress> = new Set();

  constructor(open: OpenEar) {
    this.#open = open;
  }

  get fds(): readonly number[] {
    return [...this.#ears.values()].map(({ socket }) => socket.fd);
  }

  isOurs(mac: MacAddress): boolean {
    return this.#ownMacs.has(mac);
  }

  /** Listens where our VIPs are and where partners may be heard; the first error, if any. */
  replace({ vips, failover }: PulsePlan, observed: KernelAddresses): PortError | undefined {
    const devices = vips.map(({ device }) => device);
    return this.use([...devices, ...devicesOf(failover.paths, observed)], observed.links);
  }

  /** Listens on these devices, as far as they exist and have a link-layer address; the first error, if any. */
  use(devices: readonly string[], links: readonly Link[]): PortError | undefined {
    this.#ownMacs = new Set(links.flatMap(({ mac }) => (mac === undefined ? [] : [mac])));
    const next = new Map<string, { link: Link; socket: PacketSocket }>();
    let error: PortError | undefined;
    for (const link of links) {
      if (!devices.includes(link.name) || link.mac === undefined) continue;
      const kept = this.#ears.get(link.name);
      const isSame = kept?.link.index === link.index;
      const opened = kept !== undefined && isSame ? ok(kept.socket) : this.#open(link);
      if (opened.ok) next.set(link.name, { link, socket: opened.value });
      else error ??= opened.error;
    }
    for (const [name, { socket }] of this.#ears) {
      if (next.get(name)?.socket !== socket) socket.close();
    }
    this.#ears = next;
    return error;
  }

  /** Everything that waits. */
  drain(each: (heard: Heard) => void): void {
    for (const { link, socket } of this.#ears.values()) {
      for (let read = 0; read < DRAIN_LIMIT; ) {
        const frames = socket.receive(BATCH);
        for (const bytes of frames) this.#understand(link, bytes, each);
        if (frames.length < BATCH) break;
        read += frames.length;
      }
    }
  }

  send(device: string, frame: Uint8Array): PortError | undefined {
    const ear = this.#ears.get(device);
    if (ear !== undefined) return ear.socket.send(frame);
    return { operation: 'send', target: device, code: 'ENODEV' };
  }

  close(): void {
    for (const { socket } of this.#ears.values()) socket.close();
    this.#ears = new Map();
  }

  #understand(link: Link, bytes: Uint8Array, each: (heard: Heard) => void): void {
    const frame = decodeFrame(bytes);
    if (!frame.ok || this.#ownMacs.has(frame.value.source)) return;
    const place = placeIn(bytes);
    if (place !== undefined) {
      each({ kind: 'place', link, ...place });
      return;
    }
    const echo = decodeEchoFrame(bytes);
    if (echo.ok && echo.value.kind === 'reply') {
      const { sourceIp, destinationIp, data } = echo.value;
      each({ kind: 'echo', link, from: sourceIp, to: destinationIp, data });
      return;
    }
    each({ kind: 'frame', link });
  }
}

/** ARP of either kind names its sender; an advertisement its target, a solicitation its sender. */
function placeIn(
  bytes: Uint8Array,
): { readonly address: IpAddress; readonly mac: MacAddress } | undefined {
  const arp = decodeArp(bytes);
  if (arp.ok) {
    const { senderIp, senderMac } = arp.value;
    // A probe for duplicates claims nothing (RFC 5227 §1.1).
    const isProbe = senderIp === NO_ADDRESS || senderMac === ZERO_MAC;
    return isProbe ? undefined : { address: senderIp, mac: senderMac };
  }
  const neighbour = decodeNeighbour(bytes);
  if (!neighbour.ok) return undefined;
  const { kind, target, sourceIp, source, linkLayer } = neighbour.value;
  if (kind === 'advertisement') return { address: target, mac: linkLayer ?? source };
  const isProbe = sourceIp === NO_ADDRESS_6 || linkLayer === undefined;
  return isProbe ? undefined : { address: sourceIp, mac: linkLayer };
}
