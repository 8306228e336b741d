/**
 * Sends announcements: the queue between "announce these VIPs" and frames on the wire.
 *
 * The idea: the core says when and what; here frames leave in small batches between two looks at the heartbeat
 * sockets, and whether the VIP still is ours is asked before every single frame, because a long queue can outlive
 * the role. Rejected: building a round in advance; its frames would carry a link-layer address and a truth that may
 * both be old when they leave.
 */
import { after, type Instant, type IpAddress, ipFamily, type MacAddress } from '../base/index.ts';
import type { AnnouncementForm } from '../core/index.ts';
import type { Link, PortError } from '../model/index.ts';
import { encodeArpAnnouncement, encodeNeighbourAnnouncement } from '../wire/index.ts';
import type { Ears } from './ears.ts';
import type { PulseMeters } from './meters.ts';
import { devicesOf, type PulsePlan } from './plan.ts';

/** Frames a turn, and the pause between two batches: 32,000 frames a second at most, heartbeats in between. */
const BATCH = 128;
const PAUSE_MS = 4;

type Item = {
  readonly vip: IpAddress;
  readonly form: AnnouncementForm;
  readonly owner: 'own' | 'partner';
};

export type AnnouncerPorts = {
  /** The link-layer address of one of `partners` on a device, from the kernel's neighbour entries. */
  readonly neighbourMac: (device: string, partners: readonly IpAddress[]) => MacAddress | undefined;
};

export type AnnouncerParts = {
  readonly ears: Pick<Ears, 'send'>;
  /** What the partner says of itself: one for each device of the VIPs, in the order of their names. */
  readonly partnerMacs: () => readonly MacAddress[];
  readonly totals: PulseMeters['announced'];
};

export class Announcer {
  readonly #ports: AnnouncerPorts;
  readonly #ears: Pick<Ears, 'send'>;
  readonly #partnerMacs: () => readonly MacAddress[];
  readonly #totals: PulseMeters['announced'];
  #devices: ReadonlyMap<IpAddress, string> = new Map();
  #deviceOrder: readonly string[] = [];
  #partners: readonly IpAddress[] = [];
  #links: ReadonlyMap<string, Link> = new Map();
  #queue: Item[] = [];
  #nextAt: Instant | undefined;

  /** Frames leave by the sockets of `ears`, and are added to `totals`. */
  constructor(ports: AnnouncerPorts, plan: PulsePlan, parts: AnnouncerParts) {
    this.#ports = ports;
    this.#ears = parts.ears;
    this.#partnerMacs = parts.partnerMacs;
    this.#totals = parts.totals;
    this.replacePlan(plan);
  }

  /** When the next batch may leave; undefined when none waits. */
  get nextAt(): Instant | undefined {
    return this.#queue.length > 0 ? this.#nextAt : undefined;
  }

  replacePlan({ vips, failover }: PulsePlan): void {
    this.#devices = new Map(vips.map(({ address, device }) => [address, device]));
    this.#deviceOrder = devicesOf(vips);
    this.#partners = failover.paths.map(({ partner }) => partner);
  }

  /** Interfaces as they are now. */
  replaceLinks(links: readonly Link[]): void {
    this.#links = new Map(links.map((link) => [link.name, link]));
  }

  announce(
    now: Instant,
    vips: readonly IpAddress[],
    forms: readonly AnnouncementForm[],
    owner: 'own' | 'partner',
  ): void {
    if (this.#queue.length === 0) this.#nextAt = now;
    for (const vip of vips) {
      // IPv6 has one form only.
      const shapes = ipFamily(vip) === 4 ? forms : forms.slice(0, 1);
      for (const form of shapes) this.#queue.push({ vip, form, owner });
    }
  }

  cancel(): void {
    this.#queue = [];
  }

  /**
   * Sends a batch, if it is time. `isOwner` is asked before each frame; the frames it denies are dropped.
   * Answers with the frames sent and the errors met, each once.
   */
  send(
    now: Instant,
    isOwner: (who: 'own' | 'partner') => boolean,
  ): { readonly sent: number; readonly errors: readonly PortError[] } {
    const errors = new Map<string, PortError>();
    let sent = 0;
    if (this.#nextAt === undefined || this.#nextAt > now) return { sent, errors: [] };
    for (const item of this.#queue.splice(0, BATCH)) {
      if (!isOwner(item.owner)) continue;
      const error = this.#sendOne(item);
      if (error === undefined) {
        sent++;
        this.#totals[ipFamily(item.vip) === 4 ? item.form : 'advertisement']++;
      } else errors.set(`${error.target} ${error.code}`, error);
    }
    this.#nextAt = after(now, PAUSE_MS);
    return { sent, errors: [...errors.values()] };
  }

  #sendOne(item: Item): PortError | undefined {
    const device = this.#devices.get(item.vip) ?? '';
    const link = this.#links.get(device);
    const failed = (code: string): PortError => ({
      operation: 'announce',
      target: `${item.vip} on ${device}`,
      code,
    });
    if (link === undefined) return failed('ENODEV');
    // A device without a link-layer address (a tunnel, lo) has no neighbours to tell.
    if (link.mac === undefined) return failed('no-link-layer-address');
    const mac = item.owner === 'own' ? link.mac : this.#partnerMac(device);
    if (mac === undefined) return failed('partner-address-unknown');
    return this.#ears.send(device, frame(item, mac, link.mac));
  }

  /** Where no heartbeat goes by this device the kernel knows no neighbour: then the partner's own word, if it fits. */
  #partnerMac(device: string): MacAddress | undefined {
    const known = this.#ports.neighbourMac(device, this.#partners);
    if (known !== undefined) return known;
    const said = this.#partnerMacs();
    const isAlike = said.length === this.#deviceOrder.length;
    return isAlike ? said[this.#deviceOrder.indexOf(device)] : undefined;
  }
}

function frame({ vip, form }: Item, mac: MacAddress, source: MacAddress): Uint8Array {
  return ipFamily(vip) === 4
    ? encodeArpAnnouncement({ form, vip, mac, source })
    : encodeNeighbourAnnouncement({ vip, mac, source });
}
