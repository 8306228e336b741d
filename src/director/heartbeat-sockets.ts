/**
 * The UDP sockets of the heartbeat paths, bound to our own addresses exactly (as in piranha 0.8.6: one socket a path).
 *
 * A reload swaps them as a whole: either every socket of the new paths could be opened, or nothing changed.
 */
import { err, type IpAddress, ok, type Result } from '../base/index.ts';
import type { Path } from '../core/index.ts';
import type { PathName, PortError } from '../model/index.ts';
import type { Datagram, HeartbeatSocket } from '../ports/index.ts';

export type OpenHeartbeat = (own: IpAddress, port: number) => Result<HeartbeatSocket, PortError>;

/** Datagrams read in one turn from one path: a flood must not keep the clock from being read. */
const DRAIN_LIMIT = 1024;

export class HeartbeatSockets {
  readonly #open: OpenHeartbeat;
  #port = 0;
  #paths: readonly Path[] = [];
  /** By `address:port`. */
  #sockets: ReadonlyMap<string, HeartbeatSocket> = new Map();

  constructor(open: OpenHeartbeat) {
    this.#open = open;
  }

  /** Opens what the paths need and closes what they do not; on an error everything stays as it was. */
  use(paths: readonly Path[], port: number): Result<undefined, PortError> {
    const next = new Map<string, HeartbeatSocket>();
    const opened: HeartbeatSocket[] = [];
    for (const { own } of paths) {
      const key = `${own}:${port}`;
      const kept = this.#sockets.get(key);
      const socket = kept === undefined ? this.#open(own, port) : ok(kept);
      if (!socket.ok) {
        for (const fresh of opened) fresh.close();
        return err(socket.error);
      }
      if (kept === undefined) opened.push(socket.value);
      next.set(key, socket.value);
    }
    for (const [key, socket] of this.#sockets) if (!next.has(key)) socket.close();
    this.#sockets = next;
    this.#paths = paths;
    this.#port = port;
    return ok(undefined);
  }

  get fds(): readonly number[] {
    return [...this.#sockets.values()].map(({ fd }) => fd);
  }

  /** Everything that waits, the private path first (as the original reads them). */
  drain(each: (path: PathName, datagram: Datagram) => void): void {
    for (const path of [...this.#paths].reverse()) {
      const socket = this.#socketOf(path);
      for (let read = 0; socket !== undefined && read < DRAIN_LIMIT; ) {
        const batch = socket.receive();
        for (const datagram of batch) each(path.name, datagram);
        if (batch.length === 0) break;
        read += batch.length;
      }
    }
  }

  send(name: PathName, bytes: Uint8Array): PortError | undefined {
    const path = this.#paths.find((candidate) => candidate.name === name);
    const socket = path === undefined ? undefined : this.#socketOf(path);
    if (path === undefined || socket === undefined) {
      return { operation: 'send heartbeat', target: `${name} path`, code: 'no-path' };
    }
    return socket.send(path.partner, this.#port, bytes);
  }

  close(): void {
    for (const socket of this.#sockets.values()) socket.close();
    this.#sockets = new Map();
  }

  #socketOf({ own }: Path): HeartbeatSocket | undefined {
    return this.#sockets.get(`${own}:${this.#port}`);
  }
}
