/**
 * The console's server: HTTPS on one port, two directors behind two unix sockets.
 *
 *   connection -> front door (bounds) -> TLS -> session? -> meant? -> route -> page, stream or director
 *
 * This file is the transport and its limits; what is answered is desk.ts. HTTP/1.1 only: a page needs one stream and a
 * few requests, and HTTP/2 has had more ways to be flooded.
 */
import {
  createServer as createPlain,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createSecure, type Server as SecureServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Milliseconds } from '../base/index.ts';
import type { Access } from './access.ts';
import { Desk, type DeskOptions } from './desk.ts';
import { FRONT_LIMITS, type Front, type FrontLimits, frontDoor } from './front.ts';
import type { Streams } from './stream.ts';

export type ConsoleOptions = DeskOptions & {
  /** A descriptor that somebody else listens on already, or where to listen. */
  readonly listen: { readonly fd: number } | { readonly host: string; readonly port: number };
  /** Absent: plain HTTP. */
  readonly tls?: { readonly cert: string; readonly key: string };
  readonly limits?: FrontLimits;
};

export type Console = {
  readonly port: number;
  readonly front: Front;
  readonly access: Access;
  readonly streams: Streams;
  setCertificate(tls: { readonly cert: string; readonly key: string }): void;
  close(): Promise<void>;
};

const HANDSHAKE_MS: Milliseconds = 5000;
const HEADERS_MS: Milliseconds = 5000;
/** A configuration of 1 MB over a bad line. */
const REQUEST_MS: Milliseconds = 30_000;
const IDLE_CONNECTION_MS: Milliseconds = 15_000;
/** Nothing goes either way; streams beat each second. */
const STUCK_MS: Milliseconds = 120_000;
const SWEEP_MS: Milliseconds = 10_000;
/** Of one connection: a browser waits for each answer, and who does not is no browser. */
const MOST_UNANSWERED = 4;

/** Rejects with what the system says when it cannot listen. */
export async function serveConsole(options: ConsoleOptions): Promise<Console> {
  const desk = new Desk(options);
  const http = {
    maxHeaderSize: 16_384,
    headersTimeout: HEADERS_MS,
    requestTimeout: REQUEST_MS,
    connectionsCheckingInterval: 1000,
    keepAliveTimeout: IDLE_CONNECTION_MS,
    noDelay: true,
  };
  const secure =
    options.tls === undefined
      ? undefined
      : createSecure({
          ...http,
          ...options.tls,
          minVersion: 'TLSv1.2',
          handshakeTimeout: HANDSHAKE_MS,
        });
  const inner: Server | SecureServer = secure ?? createPlain(http);
  const front = frontDoor(options.limits ?? FRONT_LIMITS, (socket) => {
    socket.on('error', () => socket.destroy());
    inner.emit('connection', socket);
    if (secure === undefined) front.finished(socket);
  });
  secure?.on('secureConnection', (socket) => front.finished(socket));
  secure?.on('tlsClientError', (_error, socket) => socket.destroy());
  inner.setTimeout(STUCK_MS, (socket: Socket) => socket.destroy());
  inner.maxRequestsPerSocket = 1000;
  receive(inner, desk);
  const sweep = setInterval(() => desk.access.sessions.sweep(performance.now()), SWEEP_MS);
  await new Promise<void>((resolve, reject) => {
    front.server.once('error', reject);
    front.server.listen(options.listen, resolve);
  });
  // The inner server listens on nothing itself; this starts the clock of its time limits.
  inner.emit('listening');
  return {
    port: portOf(front.server.address()),
    front,
    access: desk.access,
    streams: desk.streams,
    setCertificate: (tls) => secure?.setSecureContext({ ...tls, minVersion: 'TLSv1.2' }),
    close: async () => {
      clearInterval(sweep);
      desk.streams.close();
      inner.close();
      await front.close();
    },
  };
}

function portOf(address: string | AddressInfo | null): number {
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** Whatever the parser makes of a request, it comes to the same desk, or is refused without one. */
function receive(server: Server | SecureServer, desk: Desk): void {
  const unanswered = new WeakMap<Socket, number>();
  const take = (request: IncomingMessage, response: ServerResponse): void => {
    const { socket } = request;
    const count = (unanswered.get(socket) ?? 0) + 1;
    // Node would make the answers to a whole chunk of requests at once, and keep them for whoever reads none.
    if (count > MOST_UNANSWERED) {
      socket.destroy();
      return;
    }
    unanswered.set(socket, count);
    response.once('finish', () => unanswered.set(socket, (unanswered.get(socket) ?? 1) - 1));
    void desk.take(request, response);
  };
  server.on('request', take);
  server.on('checkContinue', take);
  server.on('checkExpectation', take);
  // No method makes a tunnel of us.
  server.on('connect', (_request: IncomingMessage, socket: Duplex) => refuseRaw(socket, 401));
  server.on('clientError', (error: Error & { readonly code?: string }, socket: Duplex) => {
    // A method that HTTP does not know is a request without a session all the same.
    const isMethod = error.code === 'HPE_INVALID_METHOD';
    const isSlow = error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
    refuseRaw(
      socket,
      isMethod ? 401 : isSlow ? 408 : error.code === 'HPE_HEADER_OVERFLOW' ? 431 : 400,
    );
  });
}

function refuseRaw(socket: Duplex, status: number): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  socket.end(`HTTP/1.1 ${status} Refused\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
}
