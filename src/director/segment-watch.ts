/**
 * What the crank makes of the link layer beside announcements: the witness and the pinned partner. Without the ports for
 * it (a test's machine) nobody is asked and nothing is heard.
 */
import { earliest, type Instant, type IpAddress, type MacAddress } from '../base/index.ts';
import type { Input } from '../core/index.ts';
import type { KernelAddresses, PathName, PortError } from '../model/index.ts';
import type { NeighbourPort } from '../ports/index.ts';
import type { Ears } from './ears.ts';
import { PartnerPin } from './partner-pin.ts';
import type { PulsePlan } from './plan.ts';
import { segmentsOf } from './segments.ts';
import { Witness } from './witness.ts';

export type WatchPorts = {
  readonly neighbours: NeighbourPort;
  /** Of our echo requests, 0-65535; the ears hear no other answers. */
  readonly echoIdentifier: number;
  readonly secret: () => Uint8Array;
};

export type WatchParts = {
  readonly ears: Ears;
  /** Link-layer addresses that the partner's heartbeats name. */
  readonly partnerMacs: () => readonly MacAddress[];
  readonly tell: (key: string, error: PortError | undefined) => void;
};

export class SegmentWatch {
  readonly #tell: WatchParts['tell'];
  readonly #ears: Ears;
  readonly #witness: Witness;
  readonly #pin: PartnerPin;

  constructor(ports: WatchPorts, { ears, partnerMacs, tell }: WatchParts) {
    const pin = new PartnerPin({ ears, neighbours: ports.neighbours, tell });
    this.#tell = tell;
    this.#ears = ears;
    this.#pin = pin;
    this.#witness = new Witness({
      ears,
      identifier: ports.echoIdentifier,
      secret: ports.secret,
      isPartner: (mac) => pin.knows(mac) || partnerMacs().includes(mac),
    });
  }

  get nextAt(): Instant | undefined {
    return earliest(this.#witness.nextAt, this.#pin.nextAt);
  }

  /** Another plan, or other interfaces. */
  replace({ vips, failover, witness }: PulsePlan, observed: KernelAddresses, now: Instant): void {
    const { paths } = failover;
    const partners = paths.map(({ partner }) => partner);
    this.#pin.replacePaths(paths, observed, now);
    if (witness === undefined) return;
    this.#witness.replaceSegments(segmentsOf(vips, partners, witness, observed), now);
  }

  /** Reads what waits; gives what follows for the core. */
  drain(now: Instant, isActive: boolean): readonly Input[] {
    const inputs: Input[] = [];
    this.#ears.drain((heard) => {
      this.#pin.hear(heard);
      inputs.push(...this.#witness.hear(heard, now, isActive));
    });
    return [...inputs, ...this.#witness.takeAnswers(now)];
  }

  /** A heartbeat of the partner was taken. */
  heardPartner(path: PathName, now: Instant): void {
    this.#pin.heard(path, now);
  }

  /** Witnesses that answer to our own address: alive, whomever they believe. */
  answering(now: Instant): readonly IpAddress[] {
    return this.#witness.answering(now);
  }

  verify(now: Instant, vips: readonly IpAddress[], teaches: boolean): void {
    this.#witness.verify(now, vips, teaches);
  }

  cancelQuestions(): void {
    this.#witness.cancel();
  }

  askSegment(now: Instant): void {
    this.#witness.askSegment(now);
  }

  /** Sends what is due (witness.ts `send`). */
  send(now: Instant, mayAsk: () => boolean, isAnnouncing: boolean): void {
    this.#pin.ask(now);
    this.#tell('ask witnesses', this.#witness.send(now, mayAsk, isAnnouncing));
  }

  /** The clean end. */
  release(): void {
    this.#pin.release();
  }
}
