/**
 * Reads what a request brings, never more than its limit: what is announced as longer is refused before a byte of it is
 * read. Slow senders are ended by the server's own request timeout.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { err, ok, type Result } from '../base/index.ts';
import { problem } from './replies.ts';

export function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

/** An error was answered already. */
export async function readBody(
  request: IncomingMessage,
  response: ServerResponse,
  limit: number,
): Promise<Result<Buffer, 'too-long' | 'gone'>> {
  const announced = Number(request.headers['content-length'] ?? 0);
  const body: Result<Buffer, 'too-long' | 'gone'> =
    announced > limit ? err('too-long') : await collect(request, response, limit);
  if (!body.ok && body.error === 'too-long') {
    const title = `what is sent here has at most ${limit} bytes`;
    problem(response, 413, { title, reason: 'too-long', headers: { connection: 'close' } });
  }
  return body;
}

function collect(
  request: IncomingMessage,
  response: ServerResponse,
  limit: number,
): Promise<Result<Buffer, 'too-long' | 'gone'>> {
  if (request.headers.expect !== undefined) response.writeContinue();
  return new Promise((resolve) => {
    const parts: Buffer[] = [];
    let length = 0;
    request.on('data', (part: Buffer) => {
      length += part.length;
      if (length <= limit) parts.push(part);
      else {
        request.pause();
        resolve(err('too-long'));
      }
    });
    request.once('end', () => resolve(ok(Buffer.concat(parts))));
    request.once('error', () => resolve(err('gone')));
    request.once('close', () => resolve(err('gone')));
  });
}
