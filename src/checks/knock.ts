/**
 * Knocking: does this server answer for the VIP? A SYN to the VIP, laid into a frame for the server's own link-layer
 * address, as the frames of clients reach it; SYN and ACK must come back from there, and get an RST.
 *
 * The frame is written and heard by packet sockets, so it makes no difference whether this director holds the VIP at
 * the moment: where it does, a connection of its own would never leave the machine. The kernel does not know of the
 * handshake; at most it sends an RST of its own, which ends the same nothing.
 * Rejected: marks and routes of our own (they would stand in the operator's tables, and do not lead past a local VIP).
 * Source: packet(7), RFC 9293 §3.5; arp_ignore in Documentation/networking/ip-sysctl.rst.
 */
import { randomInt } from 'node:crypto';
import { type IpAddress, type MacAddress, ok, type Result } from '../base/index.ts';
import { type Check, down, type PortError, UP, type Verdict } from '../model/index.ts';
import {
  openPacketSocket,
  openWhereabouts,
  type PacketSocket,
  type Whereabouts,
  watchReadable,
} from '../ports/index.ts';
import { decodeTcpFrame, encodeTcpFrame, type TcpFrame } from '../wire/index.ts';
import type { Done, Knocker } from './probe.ts';

/** Source ports: as many probes at once. */
const PORTS = 1024;
/** Below those that kernels give to connections, above the well-known ones. */
const BLOCKS = { from: 1, to: 31 };
/** A lost SYN is sent again, as a client's kernel does. */
const AGAIN_MS = 1000;
/** Where servers are is looked up so often at most. */
const LOOK_MS = 1000;

type Knock = { readonly check: Check; readonly vip: IpAddress; readonly done: Done };
type Waiting = Knock & {
  readonly mac: MacAddress;
  readonly sequence: number;
  readonly timer: NodeJS.Timeout;
};
type Ear = { readonly socket: PacketSocket; readonly stop: () => void };

/** Needs CAP_NET_RAW. */
export function openKnocker(): Result<KnockerOfAll, PortError> {
  const where = openWhereabouts();
  return where.ok ? ok(new KnockerOfAll(where.value)) : where;
}

class KnockerOfAll implements Knocker {
  readonly #where: Whereabouts;
  readonly #firstPort = PORTS * randomInt(BLOCKS.from, BLOCKS.to);
  readonly #ears = new Map<string, Ear>();
  readonly #waiting = new Map<number, Waiting>();
  #nextPort = 0;
  #lookedAt = Number.NEGATIVE_INFINITY;

  constructor(where: Whereabouts) {
    this.#where = where;
  }

  knock(check: Check, vip: IpAddress, done: Done): () => void {
    let stop = () => {};
    let isGivenUp = false;
    const begin = () => {
      if (!isGivenUp) stop = this.#begin({ check, vip, done });
    };
    this.#look();
    if (this.#where.places.has(check.address)) begin();
    else void this.#where.find(check.address).then(begin);
    return () => {
      isGivenUp = true;
      stop();
    };
  }

  close(): void {
    for (const { timer } of this.#waiting.values()) clearInterval(timer);
    this.#waiting.clear();
    for (const { socket, stop } of this.#ears.values()) {
      stop();
      socket.close();
    }
    this.#where.close();
  }

  #look(): void {
    const now = performance.now();
    if (now - this.#lookedAt < LOOK_MS) return;
    this.#lookedAt = now;
    this.#where.look();
  }

  #begin(knock: Knock): () => void {
    const { check, vip, done } = knock;
    const refuse = (verdict: Verdict) => {
      done(verdict);
      return () => {};
    };
    const place = this.#where.places.get(check.address);
    if (place === undefined) {
      const text = `nobody answers for ${check.address} on a link of this machine`;
      return refuse(down('unreachable', text));
    }
    const { device, mac, ownMac } = place;
    const own = this.#where.ownAddress(device, check.address, vip);
    const ear = this.#ear(device);
    const port = this.#freePort();
    if (own === undefined || ear === undefined || port === undefined) {
      const lack =
        own === undefined ? `an address of ours beside ${check.address} on ${device}` : 'a socket';
      return refuse(down('own-limits', `no SYN can be sent: ${lack} is missing`));
    }
    const frame: TcpFrame = {
      ...{ destination: mac, source: ownMac, sourceIp: own, destinationIp: vip },
      ...{ sourcePort: port, destinationPort: check.port },
      ...{ sequence: randomInt(2 ** 32), acknowledgement: 0 },
      flags: ['syn'],
    };
    const send = () => ear.socket.send(encodeTcpFrame(frame));
    const refusal = send();
    if (refusal !== undefined) return refuse(down('unreachable', `${refusal.code} on ${device}`));
    const timer = setInterval(send, AGAIN_MS);
    this.#waiting.set(port, { ...knock, mac, sequence: frame.sequence, timer });
    return () => this.#forget(port);
  }

  #forget(port: number): void {
    clearInterval(this.#waiting.get(port)?.timer);
    this.#waiting.delete(port);
  }

  #freePort(): number | undefined {
    for (let tries = 0; tries < PORTS; tries++) {
      const port = this.#firstPort + (this.#nextPort++ % PORTS);
      if (!this.#waiting.has(port)) return port;
    }
    return undefined;
  }

  /** The socket of a device; it is opened at the first need, and again when the device has become another one. */
  #ear(device: string): Ear | undefined {
    const index = this.#where.indexOf(device);
    if (index === undefined) return undefined;
    const name = `${device} ${index}`;
    const known = this.#ears.get(name);
    if (known !== undefined) return known;
    const ports = { firstPort: this.#firstPort, portCount: PORTS };
    const opened = openPacketSocket({ index, name: device, hears: 'segments', ...ports });
    if (!opened.ok) return undefined;
    const socket = opened.value;
    const watch = watchReadable(socket.fd, () => this.#hear(socket));
    if (!watch.ok) {
      socket.close();
      return undefined;
    }
    const ear = { socket, stop: watch.value.stop };
    this.#ears.set(name, ear);
    return ear;
  }

  #hear(socket: PacketSocket): void {
    for (const bytes of socket.receive()) {
      const heard = decodeTcpFrame(bytes);
      if (!heard.ok) continue;
      const frame = heard.value;
      const waiting = this.#waiting.get(frame.destinationPort);
      if (waiting === undefined || !isAnswer(frame, waiting)) continue;
      this.#forget(frame.destinationPort);
      if (frame.flags.includes('rst')) {
        const text = `RST for ${waiting.vip} port ${frame.sourcePort} at ${waiting.check.address}`;
        waiting.done(down('connect-refused', text));
        continue;
      }
      socket.send(encodeTcpFrame(resetOf(frame)));
      waiting.done(UP);
    }
  }
}

/** From the server itself, and to our SYN: another machine that answers for the VIP proves nothing about this one. */
function isAnswer(frame: TcpFrame, { check, vip, mac, sequence }: Waiting): boolean {
  return (
    frame.source === mac &&
    frame.sourceIp === vip &&
    frame.sourcePort === check.port &&
    frame.flags.includes('ack') &&
    (frame.flags.includes('syn') || frame.flags.includes('rst')) &&
    frame.acknowledgement === (sequence + 1) % 2 ** 32
  );
}

function resetOf(answer: TcpFrame): TcpFrame {
  return {
    ...{ destination: answer.source, source: answer.destination },
    ...{ destinationIp: answer.sourceIp, sourceIp: answer.destinationIp },
    ...{ sourcePort: answer.destinationPort, destinationPort: answer.sourcePort },
    ...{ sequence: answer.acknowledgement, acknowledgement: 0 },
    flags: ['rst'],
  };
}
