/**
 * Both ends of the traffic through the virtual service, each a process in its namespace.
 *
 *   traffic-ends.ts serve NAME       a real server: answers every line with its name
 *   traffic-ends.ts load ORDER       the clients. `begin` on standard input: a connection every so many milliseconds, one
 *                                    question each, and some that are held open and asked all the time. `end`: nothing
 *                                    new; what is under way may finish, every held one is asked once more, and the
 *                                    whole is told in one line of JSON (TrafficReport).
 *
 * Times are milliseconds on CLOCK_MONOTONIC, the observer's clock. A client gives up as people do: after seconds, not at
 * the first lost packet, which its kernel sends again.
 */
import { type Socket as Connection, connect, createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { native } from '../src/ports/index.ts';
import { now, sleep } from './observer.ts';
import { SERVICE_PORT } from './topology.ts';
import type { LoadOrder, TrafficReport } from './traffic-record.ts';

/** A SYN is sent again after 1 s, a lost segment after 0.2, 0.4 and 0.8 s. */
const PATIENCE_MS = 4000;
const REST_MS = 20;
const REALTIME_PRIORITY = 5;

function serve(name: string): void {
  createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => socket.destroy());
    socket.on('data', () => socket.write(`${name}\n`));
  }).listen(SERVICE_PORT, '::', () => process.stdout.write('listening\n'));
}

/** One connection with one question: when it was begun, when it ended, and the server's name or what went wrong. */
function converse(vip: string): Promise<TrafficReport['conversations'][number]> {
  const begunAt = now();
  return new Promise((resolve) => {
    const socket = connect({ host: vip, port: SERVICE_PORT, noDelay: true });
    const finish = (result: string) => {
      clearTimeout(limit);
      resolve([begunAt, now(), result]);
      socket.removeAllListeners();
      socket.on('error', () => undefined); // it has ended for us
      socket.resetAndDestroy();
    };
    const limit = setTimeout(() => finish('timeout'), PATIENCE_MS);
    socket.once('connect', () => socket.write('who?\n'));
    socket.once('data', (bytes) => finish(bytes.toString().trim()));
    socket.once('error', (error: NodeJS.ErrnoException) => finish(error.code ?? error.message));
    socket.once('end', () => finish('closed'));
  });
}

/** A connection that is held open: asked, answered, asked again 20 ms later. */
class Held {
  readonly answers: number[] = [];
  by = '';
  #failure: string | undefined;
  readonly #socket: Connection;

  constructor(vip: string) {
    this.#socket = connect({ host: vip, port: SERVICE_PORT, noDelay: true });
    const ask = () => this.#socket.write('who?\n');
    this.#socket.on('connect', ask);
    this.#socket.on('data', (bytes) => {
      this.by = bytes.toString().trim();
      this.answers.push(now());
      setTimeout(ask, REST_MS);
    });
    this.#socket.on('error', (error: NodeJS.ErrnoException) => {
      this.#failure ??= error.code ?? error.message;
    });
    this.#socket.on('end', () => {
      this.#failure ??= 'closed';
    });
  }

  /** How it stands: an answer must come from now on, or it is lost. */
  async end(): Promise<TrafficReport['held'][number]> {
    const askedAt = now();
    const hasAnswered = () => (this.answers.at(-1) ?? 0) > askedAt;
    while (!hasAnswered() && this.#failure === undefined && now() - askedAt < PATIENCE_MS) {
      await sleep(REST_MS);
    }
    const result = this.#failure ?? (hasAnswered() ? this.by : 'timeout');
    this.#socket.removeAllListeners().on('error', () => undefined);
    this.#socket.destroy();
    return { result, answers: this.answers };
  }
}

class Load {
  readonly #order: LoadOrder;
  readonly #conversations: Promise<TrafficReport['conversations'][number]>[] = [];
  readonly #held: readonly Held[];
  readonly #timer: NodeJS.Timeout;
  #dueAt = now();

  constructor(order: LoadOrder) {
    this.#order = order;
    this.#held = Array.from({ length: order.held }, () => new Held(order.vip));
    this.#timer = setInterval(() => this.#open(), 1);
  }

  async end(): Promise<TrafficReport> {
    clearInterval(this.#timer);
    const held = await Promise.all(this.#held.map((each) => each.end()));
    return { conversations: await Promise.all(this.#conversations), held };
  }

  /** As many as are due: a timer that comes late loses none. */
  #open(): void {
    for (; this.#dueAt <= now(); this.#dueAt += 1000 / this.#order.perSecond) {
      this.#conversations.push(converse(this.#order.vip));
    }
  }
}

async function obey(order: LoadOrder): Promise<void> {
  let load: Load | undefined;
  process.stdout.write('ready\n');
  for await (const word of createInterface({ input: process.stdin })) {
    if (word === 'begin') load = new Load(order);
    else if (load !== undefined) process.stdout.write(`${JSON.stringify(await load.end())}\n`);
  }
  process.exit(0);
}

// What is measured is the directors, not who else wants this machine's processors; the observer comes first.
native().setRealtime(REALTIME_PRIORITY);
const [verb = '', argument = ''] = process.argv.slice(2);
if (verb === 'serve') serve(argument);
else {
  const order: LoadOrder = JSON.parse(argument);
  await obey(order);
}
