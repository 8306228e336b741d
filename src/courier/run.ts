/**
 * The courier: bytes between TLS on the network and unix sockets on this machine. It knows no HTTP, holds no file of
 * the director and no right: what it carries is judged at the other end, by the director, as the partner's word.
 *
 *   partner.sock  --->  TLS to the partner's courier  --->  its courier.sock  --->  the partner's director
 *   our director  <---  our courier.sock  <---  TLS from the partner's courier
 *
 * A process of its own, because it is the only part of a director that reads what strangers send over TCP, and OpenSSL
 * is the largest code in the program. It opens everything as root, then becomes a user that owns nothing. It ends
 * with the director (the spawner sees to that), and when its socket has been taken away, which is how the director
 * tells it that its plan is old; what is under way then is carried to its end.
 */
import { chmodSync, chownSync, lstatSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { getSystemErrorMessage } from 'node:util';
import { handshakeText, secureClient, serverOptions } from './channel.ts';
import { join } from './joined.ts';
import { LIMITS, type Limits } from './limits.ts';
import { type CourierFiles, type CourierPlan, takePlan } from './plan.ts';
import { StateFile } from './state.ts';

/** Runs to its end; the sentence says why it ended. */
export async function runCourier(
  files: CourierFiles,
  limits: Limits = LIMITS,
): Promise<{ readonly isWrong: boolean; readonly why: string }> {
  const plan = takePlan(files.plan);
  if (!plan.ok) return { isWrong: true, why: plan.error };
  const courier = new Courier(plan.value, files, limits);
  try {
    await courier.open();
    dropRights(plan.value.user);
    return { isWrong: false, why: await courier.ended() };
  } catch (error) {
    return { isWrong: true, why: error instanceof Error ? error.message : String(error) };
  } finally {
    await courier.close();
  }
}

function dropRights(user: CourierPlan['user']): void {
  if (user === undefined) return;
  process.setgroups?.([]);
  process.setgid?.(user.gid);
  process.setuid?.(user.uid);
}

class Courier {
  readonly #plan: CourierPlan;
  readonly #files: CourierFiles;
  readonly #limits: Limits;
  readonly #state: StateFile;
  readonly #servers: Server[] = [];
  readonly #connections = { in: 0, out: 0 };
  readonly #arrivals = { tokens: 0, at: performance.now() };
  #look: NodeJS.Timeout | undefined;

  constructor(plan: CourierPlan, files: CourierFiles, limits: Limits) {
    this.#plan = plan;
    this.#files = files;
    this.#limits = limits;
    this.#state = new StateFile(files.state);
    this.#arrivals.tokens = 2 * limits.arrivals;
  }

  async open(): Promise<void> {
    const { port, paths, secrets, group } = this.#plan;
    for (const { own } of paths) {
      // TLS is spoken only with who may be the partner: the accept is ours, the handshake is that server's.
      const secure = process
        .getBuiltinModule('node:tls')
        .createServer(serverOptions(secrets, this.#limits));
      secure.on('secureConnection', (socket) => this.#bringIn(socket));
      secure.on('tlsClientError', (error, socket) => {
        this.#state.refused(handshakeText(error));
        socket.destroy(); // after a handshake that took too long Node leaves it open
      });
      const server = createServer((socket) => {
        if (this.#admits(socket)) secure.emit('connection', socket);
        else socket.destroy();
      });
      await listen(server, { host: own, port });
      this.#servers.push(server);
    }
    const { partnerSocket } = this.#files;
    rmSync(partnerSocket, { force: true });
    const local = createServer((socket) => void this.#takeOut(socket));
    local.maxConnections = this.#limits.connections;
    await listen(local, { path: partnerSocket });
    chmodSync(partnerSocket, 0o660);
    if (process.getuid?.() === 0) chownSync(partnerSocket, 0, group);
    this.#servers.push(local);
  }

  /** Settles when our socket is no longer where it was. */
  ended(): Promise<string> {
    const { partnerSocket } = this.#files;
    const inode = inodeOf(partnerSocket);
    return new Promise((settle) => {
      this.#look = setInterval(() => {
        this.#state.flush();
        if (inodeOf(partnerSocket) !== inode) settle('its socket was taken away');
      }, this.#limits.lookMs);
    });
  }

  /** Settles when what is under way has come to its end, or had its time for it. */
  async close(): Promise<void> {
    clearInterval(this.#look);
    const ended = this.#servers.map((server) => new Promise((done) => server.close(done)));
    const limit = sleep(this.#limits.lingerMs, undefined, { ref: false });
    await Promise.race([Promise.all(ended), limit]);
    this.#state.close();
  }

  /** Only the partner's addresses, only so many at a time and so many a second. */
  #admits(socket: Socket): boolean {
    const from = socket.remoteAddress ?? '';
    if (!this.#plan.paths.some(({ partner }) => partner === from)) {
      this.#state.refused(`${from} is not the partner's address`);
      return false;
    }
    const { arrivals, connections } = this.#limits;
    const now = performance.now();
    const grown = this.#arrivals.tokens + ((now - this.#arrivals.at) * arrivals) / 1000;
    this.#arrivals.tokens = Math.min(2 * arrivals, grown);
    this.#arrivals.at = now;
    if (this.#connections.in >= connections || this.#arrivals.tokens < 1) {
      this.#state.refused('too many connections from the partner');
      return false;
    }
    this.#arrivals.tokens--;
    this.#connections.in++;
    socket.once('close', () => {
      this.#connections.in--;
    });
    return true;
  }

  /** The partner is proved: to our director with it. */
  #bringIn(secured: Socket): void {
    secured.on('error', () => {}); // its close is seen by `join`
    const director = connect(this.#files.courierSocket);
    director.once('error', () => secured.destroy());
    director.once('connect', () => join(secured, director, this.#limits, () => {}));
    secured.once('close', () => director.destroySoon());
  }

  async #takeOut(local: Socket): Promise<void> {
    local.on('error', () => {}); // its close is seen by `join`
    const troubles: string[] = [];
    for (const path of this.#plan.paths) {
      const reached = await this.#dial(path);
      if (typeof reached !== 'string') {
        this.#state.reached(undefined);
        if (local.destroyed) reached.destroy();
        else join(local, reached, this.#limits, () => {});
        return;
      }
      troubles.push(`${path.partner} port ${this.#plan.port}: ${reached}`);
    }
    this.#state.reached(troubles.join('; '));
    local.destroy();
  }

  /** The partner over one path, or why not. */
  #dial({ own, partner }: CourierPlan['paths'][number]): Promise<Socket | string> {
    const { port, secrets } = this.#plan;
    return new Promise((settle) => {
      const plain = connect({ host: partner, port, localAddress: own });
      const limit = setTimeout(() => refuse('no answer'), this.#limits.dialMs);
      const refuse = (why: string): void => {
        clearTimeout(limit);
        plain.destroy();
        settle(why);
      };
      const failed = (error: Error): void => refuse(systemText(error));
      plain.once('error', failed);
      plain.once('connect', () => {
        clearTimeout(limit);
        plain.off('error', failed);
        const secured = secureClient(plain, secrets, this.#limits, (refusal) => {
          settle(refusal ?? secured);
        });
      });
    });
  }
}

function listen(
  server: Server,
  where: { readonly host: string; readonly port: number } | { readonly path: string },
): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(where, () => {
      server.off('error', reject);
      server.on('error', () => {}); // an accept that failed (file table full) is the caller's loss
      resolve();
    });
  });
}

function systemText(error: Error): string {
  const isOfSystem = 'errno' in error && typeof error.errno === 'number';
  return isOfSystem ? getSystemErrorMessage(Number(error.errno)) : error.message;
}

function inodeOf(path: string): number | undefined {
  return lstatSync(path, { throwIfNoEntry: false })?.ino;
}
