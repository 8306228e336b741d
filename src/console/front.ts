/**
 * The front door: a plain TCP listener that decides who may come in before any TLS state is made for them. It bounds the
 * connections there are, those of one address, those that have not finished their handshake, and how fast one address
 * may knock; the rest are closed at once. What passes is handed to the HTTPS server.
 *
 * A handshake costs us about a millisecond and the caller nothing, so it is the pace of handshakes that is limited.
 */
import { createServer, type Server, type Socket } from 'node:net';
import type { Milliseconds } from '../base/index.ts';
import { addressKey, Throttle } from './throttle.ts';

export type FrontLimits = {
  readonly connections: number;
  readonly ofOneAddress: number;
  readonly unfinished: number;
  /** New connections of one address: at once, and one more each so many milliseconds. */
  readonly burst: number;
  readonly everyMs: Milliseconds;
};

/** A person with four pages open needs about thirty. */
export const FRONT_LIMITS: FrontLimits = {
  connections: 512,
  ofOneAddress: 128,
  unfinished: 64,
  burst: 200,
  everyMs: 20,
};

export type Front = {
  readonly server: Server;
  /** Turned away since the start, by why. */
  readonly refused: { full: number; crowded: number; hasty: number };
  /** This connection has finished its handshake. */
  finished(socket: Socket): void;
  readonly open: () => number;
  /** Lets nobody in any more, and ends who is. */
  close(): Promise<void>;
};

/** `pass`: the connection may come in. */
export function frontDoor(limits: FrontLimits, pass: (socket: Socket) => void): Front {
  const byAddress = new Map<string, number>();
  const unfinished = new Set<string>();
  const pace = new Throttle({ burst: limits.burst, everyMs: limits.everyMs, size: 4096 });
  const refused = { full: 0, crowded: 0, hasty: 0 };
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    const name = nameOf(socket);
    const key = addressKey(socket.remoteAddress ?? '');
    const count = byAddress.get(key) ?? 0;
    const why =
      sockets.size >= limits.connections || unfinished.size >= limits.unfinished
        ? 'full'
        : count >= limits.ofOneAddress
          ? 'crowded'
          : pace.take(key, performance.now()) > 0
            ? 'hasty'
            : undefined;
    if (why !== undefined) {
      refused[why]++;
      socket.resetAndDestroy();
      return;
    }
    sockets.add(socket);
    byAddress.set(key, count + 1);
    unfinished.add(name);
    socket.once('close', () => {
      sockets.delete(socket);
      unfinished.delete(name);
      const left = (byAddress.get(key) ?? 1) - 1;
      if (left === 0) byAddress.delete(key);
      else byAddress.set(key, left);
    });
    pass(socket);
  });
  const finished = (socket: Socket): void => {
    unfinished.delete(nameOf(socket));
  };
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      for (const socket of sockets) socket.destroy();
    });
  return { server, refused, finished, open: () => sockets.size, close };
}

/** A TLS socket and the plain one below it have the same. */
function nameOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
