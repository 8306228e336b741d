/**
 * An imagined machine for tests of the crank: clock, sockets, kernel addresses and main, all in memory.
 *
 * Time moves only while the crank waits (to the end of the wait, or not at all when something is readable) and by the
 * cost of kernel operations that a test sets. Nothing here decides anything.
 */
import {
  after,
  type Instant,
  type IpAddress,
  instant,
  ip,
  type Milliseconds,
  mac,
  ok,
  sooner,
} from '../base/index.ts';
import type {
  AddressOperation,
  AddressRow,
  Link,
  PathName,
  PortError,
  Vip,
} from '../model/index.ts';
import type { AddressPort, Datagram, HeartbeatSocket, PacketSocket } from '../ports/index.ts';
import { Crank, type CrankPorts } from './crank.ts';
import { type FromWorker, Pulsebeat, type ToWorker } from './messages.ts';
import type { PulsePlan } from './plan.ts';

export const OWN = { public: ip('198.51.100.12'), private: ip('10.77.0.2') };
export const PARTNER = { public: ip('198.51.100.11'), private: ip('10.77.0.1') };
export const VIP = ip('198.51.100.100');
export const MAC = mac('02:00:00:00:00:12');
const ETH0: Link = { index: 2, name: 'eth0', mac: MAC, isUp: true, hasCarrier: true };
const ETH1: Link = { index: 3, name: 'eth1', mac: MAC, isUp: true, hasCarrier: true };

export function vip(address: IpAddress): Vip {
  return {
    address,
    prefixLength: 32,
    device: 'eth0',
    label: 'eth0:1',
    origin: { file: 'lvs.cf', line: 31, column: 1 },
  };
}

/** The backup of a pair with one path, keepalive 100 ms, deadtime 300 ms. */
export function plan(changes: Partial<PulsePlan['failover']> = {}, vips = [vip(VIP)]): PulsePlan {
  return {
    failover: {
      node: 'backup',
      paths: [{ name: 'public', own: OWN.public, partner: PARTNER.public }],
      keepaliveMs: 100,
      deadtimeMs: 300,
      dialect: 'legacy',
      failback: 'none',
      monitorLinks: false,
      vips: vips.map(({ address }) => address),
      ...changes,
    },
    vips,
    heartbeatPort: 539,
    courierPort: 3637,
  };
}

export type Sent = { readonly at: Instant; readonly path: PathName; readonly bytes: Uint8Array };
export type Frame = { readonly at: Instant; readonly bytes: Uint8Array };

const EVENT_FD = 10;
const DOORBELL_FD = 11;
const FIRST_SOCKET_FD = 20;

export class ImaginedMachine {
  now = instant(1000);
  links: readonly Link[] = [ETH0, ETH1];
  rows: AddressRow[] = [
    { interfaceIndex: 2, address: OWN.public, prefixLength: 24 },
    { interfaceIndex: 3, address: OWN.private, prefixLength: 24 },
  ];
  hasEvents = false;
  /** What one address operation takes. */
  operationMs: Milliseconds = 0;
  /** Every write is refused with this code. */
  refusal: string | undefined;
  sendError: string | undefined;
  /** Our own addresses that cannot be bound. */
  readonly busy = new Set<IpAddress>();
  readonly sent: Sent[] = [];
  readonly frames: Frame[] = [];
  readonly told: FromWorker[] = [];
  readonly open = new Set<IpAddress>();
  readonly pulsebeat = new Pulsebeat();
  isMainAlive = true;
  readonly #waiting = new Map<IpAddress, Datagram[]>();
  readonly #fds = new Map<number, IpAddress>();
  #messages: ToWorker[] = [];
  #until = instant(Number.POSITIVE_INFINITY);

  crank(plan: PulsePlan): Crank {
    return new Crank(plan, this.#ports());
  }

  /** A crank that has begun. */
  begun(plan: PulsePlan, isForcedActive = false): Crank {
    const crank = this.crank(plan);
    const opened = crank.open();
    if (!opened.ok) throw new Error(opened.error.code);
    crank.begin(isForcedActive);
    return crank;
  }

  /** Turns until `ms` have passed, or the life is over. */
  run(crank: Crank, ms: Milliseconds): void {
    this.#until = after(this.now, ms);
    while (this.now < this.#until) if (!crank.turn()) return;
  }

  hear(bytes: Uint8Array, from: IpAddress = PARTNER.public, on: IpAddress = OWN.public): void {
    const waiting = this.#waiting.get(on) ?? [];
    waiting.push({ from, port: 539, bytes });
    this.#waiting.set(on, waiting);
  }

  say(message: ToWorker): void {
    this.#messages.push(message);
  }

  holds(address: IpAddress): boolean {
    return this.rows.some((row) => row.address === address);
  }

  remove(address: IpAddress): void {
    this.rows = this.rows.filter((row) => row.address !== address);
    this.hasEvents = true;
  }

  toldOf<K extends FromWorker['kind']>(kind: K): readonly Extract<FromWorker, { kind: K }>[] {
    return this.told.filter((message): message is Extract<FromWorker, { kind: K }> => {
      return message.kind === kind;
    });
  }

  #ports(): CrankPorts {
    return {
      clock: { now: () => this.now },
      poller: { wait: (fds, timeoutMs) => this.#wait(fds, timeoutMs) },
      addresses: this.#addresses(),
      openHeartbeat: (own) => {
        const error = { operation: 'bind', target: `${own}:539`, code: 'EADDRINUSE' };
        return this.busy.has(own) ? { ok: false, error } : ok(this.#socket(own));
      },
      openEar: () => ok(this.#packetSocket()),
      neighbourMac: () => mac('02:00:00:00:00:11'),
      doorbellFd: DOORBELL_FD,
      takeMessages: () => this.#messages.splice(0),
      post: (message) => {
        this.told.push(structuredClone(message));
      },
      pulsebeat: this.pulsebeat,
    };
  }

  #wait(fds: readonly number[], timeoutMs: Milliseconds): readonly number[] {
    if (this.isMainAlive) this.pulsebeat.beatMain();
    const readable = fds.filter((fd) => this.#isReadable(fd));
    if (readable.length === 0) this.now = sooner(after(this.now, timeoutMs), this.#until);
    return readable;
  }

  #isReadable(fd: number): boolean {
    if (fd === EVENT_FD) return this.hasEvents;
    if (fd === DOORBELL_FD) return this.#messages.length > 0;
    const own = this.#fds.get(fd);
    return own !== undefined && (this.#waiting.get(own)?.length ?? 0) > 0;
  }

  #socket(own: IpAddress): HeartbeatSocket {
    const fd = FIRST_SOCKET_FD + this.#fds.size;
    const path = own === OWN.public ? 'public' : 'private';
    this.#fds.set(fd, own);
    this.open.add(own);
    return {
      fd,
      receive: (max = 64) => this.#waiting.get(own)?.splice(0, max) ?? [],
      send: (to, _port, bytes) => {
        if (this.sendError !== undefined) {
          return { operation: 'send', target: to, code: this.sendError };
        }
        this.sent.push({ at: this.now, path, bytes });
        return undefined;
      },
      close: () => {
        this.open.delete(own);
      },
    };
  }

  #packetSocket(): PacketSocket {
    return {
      fd: 0,
      send: (bytes) => {
        this.frames.push({ at: this.now, bytes });
        return undefined;
      },
      receive: () => [],
      close: () => {},
    };
  }

  #addresses(): AddressPort {
    return {
      eventFd: EVENT_FD,
      drainEvents: () => {
        const had = this.hasEvents;
        this.hasEvents = false;
        return had;
      },
      observe: () => ok({ links: this.links, rows: [...this.rows] }),
      apply: (operations) => operations.map((operation) => this.#apply(operation)),
      close: () => {},
    };
  }

  #apply({ kind, row }: AddressOperation): PortError | undefined {
    this.now = after(this.now, this.operationMs);
    if (this.refusal !== undefined) {
      return { operation: 'add address', target: `${row.address} on eth0`, code: this.refusal };
    }
    this.rows = this.rows.filter(({ address }) => address !== row.address);
    if (kind === 'add-address') this.rows.push(row);
    return undefined;
  }
}
