/**
 * Serves the director over a unix socket: `GET /v1/status` and what other parts add (services-api.ts), HTTP so that any
 * tool can ask (curl --unix-socket).
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

/** JSON; a refusal has a `title`, a sentence. */
export type Answer = { readonly code: number; readonly body: object };
type Handler = (body: unknown) => Promise<Answer>;
export type Route = { readonly GET?: Handler; readonly POST?: Handler };
/** By path. */
export type Routes = ReadonlyMap<string, Route>;

const MAX_CONNECTIONS = 32;
const MAX_BODY = 65_536;
const LIMIT_MS = 2000;

/** Listens on `path`; rejects with what the system says. */
export function serveStatus(
  path: string,
  status: ReadStatus,
  more: Routes = new Map(),
): Promise<Server> {
  const routes: Routes = new Map([...more, ['/v1/status', { GET: () => statusAnswer(status) }]]);
  const server = process.getBuiltinModule('node:http').createServer(
    {
      maxHeaderSize: 4096,
      headersTimeout: LIMIT_MS,
      requestTimeout: LIMIT_MS,
      connectionsCheckingInterval: 500,
      keepAliveTimeout: 1000,
    },
    (request, response) => answer(request, response, routes),
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

async function statusAnswer(status: ReadStatus): Promise<Answer> {
  const document = await status();
  if (document !== undefined) return { code: 200, body: document };
  return { code: 503, body: { title: 'the director is starting', status: 503 } };
}

function answer(request: IncomingMessage, response: ServerResponse, routes: Routes): void {
  const route = routes.get(request.url ?? '');
  if (route === undefined) {
    problem(response, 404, 'no such resource');
    return;
  }
  const { method } = request;
  const handler = method === 'GET' || method === 'POST' ? route[method] : undefined;
  if (handler === undefined) {
    const allowed = Object.keys(route).join(', ');
    response.setHeader('allow', allowed);
    problem(response, 405, `only ${allowed} is possible here`);
    return;
  }
  readBody(request, (body) => {
    if (body === undefined) {
      problem(response, 400, `the body must be JSON of at most ${MAX_BODY} bytes`);
      return;
    }
    void handler(body.value).then(({ code, body: document }) => {
      send(response, code, code < 400 ? 'application/json' : 'application/problem+json', document);
    });
  });
}

/** An empty body is an empty object; undefined: too long, or no JSON. */
function readBody(
  request: IncomingMessage,
  done: (body: { readonly value: unknown } | undefined) => void,
): void {
  let text = '';
  request.setEncoding('utf8');
  request.on('data', (part: string) => {
    if (text.length <= MAX_BODY) text += part;
  });
  request.once('end', () => {
    if (text.length > MAX_BODY) return done(undefined);
    try {
      done({ value: JSON.parse(text === '' ? '{}' : text) });
    } catch {
      done(undefined);
    }
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
