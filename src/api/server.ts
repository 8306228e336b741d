/**
 * The API on unix sockets of the run directory. Three of them, because what a caller may do is decided by the door he comes
 * in by, and the doors do not share their room:
 *
 *   pulse.sock    0660  everything; who is let in is the file system's business, who it was the kernel's word
 *   read.sock     0666  GET only, for everybody of this machine
 *   courier.sock  0600  the partner's questions, brought by our courier, which owns the file
 *
 * It runs on the main thread, which no heartbeat waits for, and with hard limits all the same: a client that is slow, greedy
 * or silent is dropped, a user of read.sock has a few connections and not all of them, and a body is read only when somebody
 * wants it. HTTP, so that any tool can ask (curl --unix-socket).
 * node:http is not imported but fetched: an import touches all of its exports, which loads undici and costs 14 MB. The routes,
 * with their schemas, come with the first request.
 */
import { chmodSync, chownSync } from 'node:fs';
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Milliseconds } from '../base/index.ts';
import { courierUser } from '../courier/index.ts';
import type { Api, DirectorFace, OpenApi, RunDirectory } from '../director/index.ts';
import type { Node } from '../model/index.ts';
import { type Peer, peerOf, userText } from '../ports/index.ts';
import { exchange, LIMIT_MS } from './exchange.ts';
import type { Caller, Handle } from './types.ts';

const KEEP_ALIVE_MS: Milliseconds = 5000;
const LONGEST_HEADERS = 8192;

type Door = {
  readonly name: string;
  readonly path: string;
  readonly mode: number;
  readonly connections: number;
  /** Of one user; root is not counted. */
  readonly connectionsOfUser: number;
  readonly owner?: number;
  readonly caller: (who: string) => Omit<Caller, 'from'>;
};

export const api: Api = {
  open: async (face, directory) => {
    const handle = lazyHandle(face);
    const servers: Server[] = [];
    const close = (): void => {
      for (const server of servers) {
        server.close();
        server.closeAllConnections();
      }
    };
    try {
      for (const door of doors(directory, face.node))
        servers.push(await listen(door, handle, face.tell));
    } catch (error) {
      close();
      throw error;
    }
    return { close } satisfies OpenApi;
  },
  warm: async () => {
    await Promise.all([import('./handle.ts'), import('./metrics.ts')]);
  },
};

function doors(directory: RunDirectory, node: Node): readonly Door[] {
  const courier = courierUser()?.uid;
  const partner = node === 'primary' ? 'the backup' : 'the primary';
  return [
    {
      name: 'pulse.sock',
      path: directory.socket,
      mode: 0o660,
      connections: 64,
      connectionsOfUser: 32,
      caller: (who) => ({ who, right: 'change', role: 'person' }),
    },
    {
      name: 'read.sock',
      path: directory.readSocket,
      mode: 0o666,
      connections: 64,
      connectionsOfUser: 16,
      caller: (who) => ({ who, right: 'look', role: 'reader' }),
    },
    {
      name: 'courier.sock',
      path: directory.courierSocket,
      mode: 0o600,
      connections: 16,
      connectionsOfUser: 16,
      ...(courier !== undefined && { owner: courier }),
      caller: () => ({ who: partner, right: 'change', role: 'partner' }),
    },
  ];
}

/** The routes load with the first request; those that come meanwhile wait for the same load. */
function lazyHandle(face: DirectorFace): Handle {
  let loading: Promise<Handle> | undefined;
  return async (request, caller) => {
    loading ??= import('./handle.ts').then(({ apiOf }) => apiOf(face));
    return (await loading)(request, caller);
  };
}

function listen(door: Door, handle: Handle, tell: DirectorFace['tell']): Promise<Server> {
  const callers = new WeakMap<Socket, Caller>();
  /** One question at a time: these have an answer that was not taken yet. */
  const answering = new WeakSet<Socket>();
  const server = process.getBuiltinModule('node:http').createServer(
    {
      maxHeaderSize: LONGEST_HEADERS,
      headersTimeout: LIMIT_MS,
      requestTimeout: LIMIT_MS,
      connectionsCheckingInterval: 500,
      keepAliveTimeout: KEEP_ALIVE_MS,
    },
    (request, response) => {
      const { socket } = request;
      const caller = callers.get(socket);
      // Node would make the answers to a whole chunk of questions at once, and keep them for whoever reads none.
      if (caller === undefined || answering.has(socket)) {
        socket.destroy();
        return;
      }
      answering.add(socket);
      response.once('finish', () => answering.delete(socket));
      // A defect of the transport ends a connection, not the director.
      exchange(request, response, { caller, handle }).catch((error) => {
        tell([`api: ${door.name}: ${String(error)}`], 'trouble');
        socket.destroy();
      });
    },
  );
  server.maxConnections = door.connections;
  // Idle for this long in either direction: a reader that does not read is dropped with what waits for it.
  server.setTimeout(LIMIT_MS, (socket) => socket.destroy());
  const crowd = new Crowd(door.connectionsOfUser);
  server.on('connection', (socket) => {
    const peer = peerOf(socket);
    if (!peer.ok || !crowd.admit(socket, peer.value)) {
      socket.destroy();
      return;
    }
    callers.set(socket, { ...door.caller(userText(peer.value.uid)), from: door.name });
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    // Nobody is let in between the two: the directory's owner sets the mask, the mode follows at once.
    const mask = process.umask(0o177);
    server.listen(door.path, () => {
      server.off('error', reject);
      chmodSync(door.path, door.mode);
      // Last: what is another's may not be changed by a root without CAP_FOWNER.
      if (door.owner !== undefined) handOver(door.path, door.owner, tell);
      resolve(server);
    });
    process.umask(mask);
  });
}

/** Root of a user namespace has no such user (EINVAL): the socket stays its own, and a pair without a courier is a pair. */
function handOver(path: string, owner: number, tell: DirectorFace['tell']): void {
  try {
    chownSync(path, owner, -1);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    tell([`no courier can come in here: ${why}`], 'trouble');
  }
}

/** How many connections each user holds. */
class Crowd {
  readonly #most: number;
  readonly #held = new Map<number, number>();

  constructor(most: number) {
    this.#most = most;
  }

  /** Root is let in always: it must not be locked out by its own tools. */
  admit(socket: Socket, { uid }: Peer): boolean {
    const held = this.#held.get(uid) ?? 0;
    if (uid !== 0 && held >= this.#most) return false;
    this.#held.set(uid, held + 1);
    socket.once('close', () => {
      const left = (this.#held.get(uid) ?? 1) - 1;
      if (left > 0) this.#held.set(uid, left);
      else this.#held.delete(uid);
    });
    return true;
  }
}
