/**
 * For tests: a console on loopback, with TLS and its own certificate, before two directors with their real API on real
 * unix sockets (imagined machines below). The pages are two files that say who they are.
 */
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { api, routeTable } from '../api/index.ts';
import { imagined, type OpenApi, runDirectory } from '../director/index.ts';
import type { Assets } from './assets.ts';
import { ownCertificate } from './certificate.ts';
import { type ApiRoute, apiRoute } from './pass-on.ts';
import { hashPassword } from './passwords.ts';
import type { Rights } from './rights.ts';
import { type Console, type ConsoleOptions, serveConsole } from './server.ts';
import { COOKIE, type Session } from './sessions.ts';
import { saveUser, usersFile } from './users.ts';

export type Replied = {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
  readonly json: ReadonlyMap<string, unknown>;
};

export type Wanted = {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | object;
  readonly session?: LoggedIn;
};

export type LoggedIn = { readonly session: Session; readonly token: string };

export class ConsoleBed {
  readonly directory = mkdtempSync(join(tmpdir(), 'pirconsole-'));
  readonly log: string[] = [];
  readonly #closers: (() => void | Promise<void>)[] = [];
  readonly #opened: OpenApi[] = [];
  #isSecure = true;
  #console: Console | undefined;
  #routes: readonly ApiRoute[] = [];
  readonly agent = new Agent({ keepAlive: true, maxSockets: 16, rejectUnauthorized: false });

  /** `partner`: is there a channel to it? Plain HTTP without `tls`. */
  async start({
    partner = true,
    tls = true,
    more = {},
  }: {
    partner?: boolean;
    tls?: boolean;
    more?: Partial<ConsoleOptions>;
  } = {}): Promise<void> {
    const here = await this.director();
    this.#isSecure = tls;
    if (partner) {
      const there = await this.director();
      symlinkSync(there.courierSocket, join(here.path, 'partner.sock'));
    }
    this.#routes = (await routeTable()).map(apiRoute);
    const console = await serveConsole({
      listen: { host: '127.0.0.1', port: 0 },
      ...(tls && { tls: await ownCertificate(this.directory) }),
      runDirectory: here.path,
      stateDirectory: this.directory,
      assets: ASSETS,
      routes: this.#routes,
      statusText: (document) => `STATUS ${Object.keys(document).length}`,
      log: (line) => this.log.push(line),
      ...more,
    });
    this.#console = console;
    this.#closers.unshift(() => console.close());
  }

  /** One that runs, and where. */
  async director() {
    const { ImaginedDirector } = await imagined();
    const director = new ImaginedDirector();
    await director.start();
    const directory = runDirectory(director.face.runDirectory);
    const opened: OpenApi = await api.open(director.face, directory);
    this.#opened.push(opened);
    this.#closers.push(
      () => opened.close(),
      () => director.close(),
    );
    return directory;
  }

  /** The director of this machine goes away. */
  stopDirector(): void {
    this.#opened[0]?.close();
  }

  get console(): Console {
    if (this.#console === undefined) throw new Error('the console was not started');
    return this.#console;
  }

  get routes(): readonly ApiRoute[] {
    return this.#routes;
  }

  get origin(): string {
    return `https://127.0.0.1:${this.console.port}`;
  }

  /** A session without the trouble of a password. */
  logIn(rights: Rights, user = 'ann'): LoggedIn {
    const login = { user, rights, stamp: 'ticket' };
    return this.console.access.sessions.start(login, performance.now());
  }

  async addUser(name: string, rights: Rights, password: string): Promise<void> {
    saveUser(usersFile(this.directory), { name, rights, hash: await hashPassword(password) });
  }

  /** One request as a page of ours sends it, or as `headers` say. */
  ask(path: string, { method, headers = {}, body, session }: Wanted = {}): Promise<Replied> {
    const bytes =
      body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
    const verb = method ?? (body === undefined ? 'GET' : 'POST');
    return new Promise((resolve, reject) => {
      const asked = request(
        {
          host: '127.0.0.1',
          port: this.console.port,
          path,
          method: verb,
          agent: this.agent,
          headers: {
            ...(bytes !== undefined && { 'content-length': Buffer.byteLength(bytes) }),
            ...(verb !== 'GET' && { 'content-type': 'application/json', origin: this.origin }),
            ...(session !== undefined && cookieOf(session)),
            ...(session !== undefined &&
              verb !== 'GET' && { 'piranha-csrf': session.session.csrf }),
            ...headers,
          },
        },
        (response) => resolve(replied(response)),
      );
      asked.once('error', reject);
      asked.end(bytes);
    });
  }

  /** The stream, as its events come. */
  stream(
    session: LoggedIn,
    lastId?: string,
  ): Promise<{ events: StreamEvent[]; close(): void; ended: Promise<void> }> {
    return new Promise((resolve, reject) => {
      const headers = {
        ...cookieOf(session),
        ...(lastId !== undefined && { 'last-event-id': lastId }),
      };
      const asked = request(
        {
          host: '127.0.0.1',
          port: this.console.port,
          path: '/api/stream',
          rejectUnauthorized: false,
          headers,
        },
        (response) => {
          const events: StreamEvent[] = [];
          let rest = '';
          response.setEncoding('utf8');
          response.on('data', (text: string) => {
            const blocks = (rest + text).split('\n\n');
            rest = blocks.pop() ?? '';
            events.push(...blocks.flatMap(eventOf));
          });
          response.on('error', () => undefined);
          const ended = new Promise<void>((over) => response.once('close', () => over()));
          resolve({ events, close: () => asked.destroy(), ended });
        },
      );
      asked.on('error', reject);
      asked.end();
    });
  }

  /** A connection to write anything on. */
  async raw(): Promise<Socket> {
    const where = { host: '127.0.0.1', port: this.console.port, rejectUnauthorized: false };
    const socket = this.#isSecure ? connectTls(where) : connect(where);
    socket.on('error', () => undefined);
    await new Promise((resolve) => {
      socket.once(this.#isSecure ? 'secureConnect' : 'connect', resolve);
      socket.once('close', resolve);
    });
    return socket;
  }

  async close(): Promise<void> {
    this.agent.destroy();
    for (const close of this.#closers) await close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

export type StreamEvent = {
  readonly name: string;
  readonly id: string;
  readonly data: ReadonlyMap<string, unknown>;
};

function eventOf(block: string): readonly StreamEvent[] {
  const field = (name: string): string =>
    block
      .split('\n')
      .find((line) => line.startsWith(`${name}: `))
      ?.slice(name.length + 2) ?? '';
  const name = field('event');
  return name === '' ? [] : [{ name, id: field('id'), data: objectOf(field('data')) }];
}

export function cookieOf({ token }: LoggedIn): { readonly cookie: string } {
  return { cookie: `${COOKIE}=${token}` };
}

/** All that comes on a raw connection until it ends. */
export function allOf(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    socket.setEncoding('utf8');
    socket.on('data', (part: string) => {
      text += part;
    });
    socket.once('close', () => resolve(text));
  });
}

async function replied(response: IncomingMessage): Promise<Replied> {
  let text = '';
  response.setEncoding('utf8');
  for await (const part of response) text += String(part);
  const isJson = /json/.test(response.headers['content-type'] ?? '');
  const json = isJson ? objectOf(text) : new Map<string, unknown>();
  return { status: response.statusCode ?? 0, headers: response.headers, text, json };
}

function objectOf(text: string): ReadonlyMap<string, unknown> {
  const value: unknown = text === '' ? {} : JSON.parse(text);
  return new Map<string, unknown>(Object.entries(Object(value)));
}

const asset = (text: string, isPublic: boolean) => ({
  type: 'text/javascript; charset=utf-8',
  isPublic,
  etag: `"${text.length}"`,
  plain: Buffer.from(text),
  gzip: Buffer.from(text),
  brotli: Buffer.from(text),
});
const ASSETS: Assets = {
  indexHtml: '<!doctype html><title>first</title><!-- verdict --><main id="page"></main>',
  loginHtml: '<!doctype html><title>login</title><!-- message --><form></form>',
  files: new Map([
    ['login-A.js', asset('"the login page"', true)],
    ['index-B.js', asset('"the first page"', false)],
  ]),
};
