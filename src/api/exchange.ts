/** One HTTP request and its response, between node:http and the API's own types: bounded bodies, bounded streams. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Milliseconds } from '../base/index.ts';
import type { ApiRequest, ApiResponse, Caller, Handle, Headers, Sink } from './types.ts';

/** What waits for a reader beyond this is not written yet. */
const ROOM = 65_536;
/** Of all readers together; a connection that streams serves no other question. */
const MOST_STREAMS = 32;
/** Idle for so long, a connection ends: between questions, and while one is answered. */
export const LIMIT_MS: Milliseconds = 2000;
/** So much of an answer has to be taken within LIMIT_MS. */
const PIECE = 16_384;
const PATIENCE_MS: Milliseconds = 30_000;
/** How long a caller whose body was not read may take to notice. */
const LINGER_MS = 300;

let streams = 0;

export async function exchange(
  request: IncomingMessage,
  response: ServerResponse,
  context: { readonly caller: Caller; readonly handle: Handle },
): Promise<void> {
  const { caller, handle } = context;
  const { socket } = request;
  // Its body has to come within the server's limit; what is asked may take longer to find out or to do.
  socket.setTimeout(PATIENCE_MS);
  response.on('error', () => socket.destroy());
  const answer = await handle(requestOf(request), caller);
  socket.setTimeout(LIMIT_MS);
  if (response.destroyed) return;
  const { status, headers, body } = answer;
  if (typeof body === 'string') {
    respond(request, response, answer);
    return;
  }
  if (streams >= MOST_STREAMS) {
    const { refusal } = await import('./handle.ts');
    const title = `${MOST_STREAMS} streams are open already: this director serves no more`;
    respond(request, response, refusal({ reason: 'too-many-streams', title }));
    return;
  }
  response.writeHead(status, { ...headers, connection: 'close' });
  stream(response, body);
}

function requestOf(request: IncomingMessage): ApiRequest {
  const headers: { [name: string]: string } = {};
  for (const [name, value] of Object.entries(request.headers)) {
    if (typeof value === 'string') headers[name] = value;
  }
  return {
    method: request.method ?? '',
    target: request.url ?? '',
    headers,
    body: (limit) => readBody(request, limit),
  };
}

/** Stops reading at the limit: what is longer stays with its sender. */
function readBody(request: IncomingMessage, limit: number): Promise<string | undefined> {
  if (Number(request.headers['content-length'] ?? 0) > limit) return Promise.resolve(undefined);
  return new Promise((resolve) => {
    const parts: Uint8Array[] = [];
    let length = 0;
    request.on('data', (part: Uint8Array) => {
      length += part.length;
      if (length <= limit) parts.push(part);
      else {
        request.pause();
        request.removeAllListeners('data');
        resolve(undefined);
      }
    });
    request.once('end', () => resolve(new TextDecoder().decode(joined(parts, length))));
    request.once('close', () => resolve(undefined));
  });
}

function joined(parts: readonly Uint8Array[], length: number): Uint8Array {
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function respond(request: IncomingMessage, response: ServerResponse, answer: ApiResponse): void {
  const { status, headers } = answer;
  const body = bytesOf(answer);
  // A GET's body, and what lies behind a limit, was never read: the connection cannot go on.
  const isRead = request.complete || !hasBody(request);
  const more: Headers = isRead ? {} : { connection: 'close' };
  response.writeHead(status, { ...headers, ...more, 'content-length': body.length });
  pour(response, body);
  if (isRead) return;
  const { socket } = request;
  setTimeout(() => socket.destroy(), LINGER_MS).unref();
}

/** Piece by piece: whoever reads nothing, or a byte now and then, does not hold the rest of it for long. */
function pour(response: ServerResponse, bytes: Uint8Array): void {
  const late = setTimeout(() => response.destroy(), LIMIT_MS).unref();
  if (bytes.length <= PIECE) {
    response.end(bytes, () => clearTimeout(late));
    return;
  }
  response.write(bytes.subarray(0, PIECE), (error) => {
    clearTimeout(late);
    if (!error) pour(response, bytes.subarray(PIECE));
  });
}

/** Of an answer that many callers share, once: each slow reader holds the same bytes. */
const bytes = new WeakMap<ApiResponse, Uint8Array>();

function bytesOf(answer: ApiResponse): Uint8Array {
  const made = bytes.get(answer) ?? new TextEncoder().encode(String(answer.body));
  bytes.set(answer, made);
  return made;
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

function stream(response: ServerResponse, write: Exclude<ApiResponse['body'], string>): void {
  const { socket } = response;
  if (socket === null) return;
  streams++;
  socket.setTimeout(0); // the stream has its own patience
  response.flushHeaders();
  const sink: Sink = {
    write: (text) => {
      response.write(text);
      return response.writableLength < ROOM;
    },
    onRoom: (listener) => response.on('drain', listener),
    end: () => socket.destroy(),
  };
  const close = write(sink);
  response.once('close', () => {
    streams--;
    close();
  });
}
