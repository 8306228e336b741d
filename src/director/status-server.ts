/**
 * Serves status over a unix socket: `GET /v1/status`, HTTP so that any tool can ask (curl --unix-socket).
 *
 * Runs on the main thread, which no heartbeat waits for, and with hard limits all the same: a client that is slow,
 * greedy or silent is dropped. Who may connect is the file system's business (mode 0660).
 * node:http is not imported but fetched: an import touches all of its exports, which loads undici and costs 14 MB.
 */
import { chmodSync } from 'node:fs';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { StatusDocument } from './status.ts';

/** Undefined while the director is not ready to say. */
export type ReadStatus = () => Promise<StatusDocument | undefined>;

const MAX_CONNECTIONS = 32;
const LIMIT_MS = 2000;

/** Listens on `path`; rejects with what the system says. */
export function serveStatus(path: string, status: ReadStatus): Promise<Server> {
  const server = process.getBuiltinModule('node:http').createServer(
    {
      maxHeaderSize: 4096,
      headersTimeout: LIMIT_MS,
      requestTimeout: LIMIT_MS,
      connectionsCheckingInterval: 500,
      keepAliveTimeout: 1000,
    },
    (request, response) => answer(request, response, status),
  );
  server.maxConnections = MAX_CONNECTIONS;
  // Idle for this long in either direction: a reader that does not read is dropped with what waits for it.
  server.setTimeout(LIMIT_MS, (socket) => socket.destroy());
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      server.off('error', reject);
      chmodSync(path, 0o660);
      resolve(server);
    });
  });
}

function answer(request: IncomingMessage, response: ServerResponse, status: ReadStatus): void {
  if (request.url !== '/v1/status') {
    problem(response, 404, 'no such resource');
    return;
  }
  if (request.method !== 'GET') {
    response.setHeader('allow', 'GET');
    problem(response, 405, 'status can only be read');
    return;
  }
  void status().then((document) => {
    if (document === undefined) problem(response, 503, 'the director is starting');
    else send(response, 200, 'application/json', document);
  });
}

function problem(response: ServerResponse, code: number, title: string): void {
  send(response, code, 'application/problem+json', { title, status: code });
}

function send(response: ServerResponse, code: number, type: string, body: object): void {
  response.writeHead(code, {
    'content-type': type,
    'cache-control': 'no-store',
    connection: 'close',
  });
  response.end(`${JSON.stringify(body)}\n`);
}
