/** One question to the director of this machine over its socket: JSON both ways, bounded in time and length. */
import { err, type Milliseconds, ok, type Result } from '../base/index.ts';
import type { RunDirectory } from '../director/index.ts';

const LIMIT_MS: Milliseconds = 1900;
/** 10,000 VIPs are about 1 MB. */
const LIMIT_BYTES = 16 * 1024 * 1024;

export type Silence = 'not-running' | 'no-answer' | 'no-permission';
export type DirectorAnswer = { readonly code: number; readonly document: object };

/** GET, or POST when there is a body. */
export function askDirector(
  directory: RunDirectory,
  path: string,
  body?: object,
  limitMs = LIMIT_MS,
): Promise<Result<DirectorAnswer, Silence>> {
  return new Promise((resolve) => {
    // Fetched, not imported: an import of node:http loads ten times what is needed here.
    const asked = process.getBuiltinModule('node:http').request({
      socketPath: directory.socket,
      path,
      method: body === undefined ? 'GET' : 'POST',
      signal: AbortSignal.timeout(limitMs),
    });
    asked.once('error', (error) => resolve(err(silenceOf(error))));
    asked.once('response', (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        text += part;
        if (text.length > LIMIT_BYTES) response.destroy();
      });
      response.once('error', () => resolve(err('no-answer')));
      response.once('close', () => resolve(answerOf(response.statusCode ?? 0, text)));
    });
    asked.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

function silenceOf(error: Error): Silence {
  const code = 'code' in error ? error.code : undefined;
  if (code === 'EACCES' || code === 'EPERM') return 'no-permission';
  return code === 'ENOENT' || code === 'ECONNREFUSED' ? 'not-running' : 'no-answer';
}

function answerOf(code: number, text: string): Result<DirectorAnswer, Silence> {
  try {
    const document: unknown = JSON.parse(text);
    if (typeof document !== 'object' || document === null) return err('no-answer');
    return ok({ code, document });
  } catch {
    return err('no-answer'); // cut off in the middle
  }
}
