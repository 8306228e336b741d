/**
 * Asks a director over a unix socket: ours at pulse.sock, the partner's at partner.sock (there our courier carries the
 * bytes to the other machine; HTTP all the same). Everything is bounded: time, length, and how many ask at once, for the
 * director has few places and other callers.
 *
 * What does not answer is a `Silence` with a sentence. A silent partner is unknown, never "down".
 */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { err, type Milliseconds, ok, type Result } from '../base/index.ts';

export const SIDES = ['local', 'partner'] as const;
/** Which of the two directors, seen from this console. */
export type Side = (typeof SIDES)[number];

export type Question = {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  readonly limitMs?: Milliseconds;
};

export type Answer = {
  readonly code: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
};

export type Silence = {
  readonly reason:
    | 'not-running'
    | 'no-channel'
    | 'no-permission'
    | 'no-answer'
    | 'busy'
    | 'too-long';
  readonly text: string;
};

const LIMIT_MS: Milliseconds = 5000;
/** 10,000 real servers are about 3 MB. */
export const MOST_ANSWER = 16 * 1024 * 1024;
/** The director has 32 places. */
const MOST_AT_ONCE = 8;
const MOST_WAITING = 64;

export class Director {
  readonly side: Side;
  readonly #socket: string;
  /** Where whoever may not use the first one may still look. */
  readonly #readSocket: string | undefined;
  #working = 0;
  readonly #queue: (() => void)[] = [];

  constructor(side: Side, runDirectory: string) {
    this.side = side;
    this.#socket = join(runDirectory, side === 'local' ? 'pulse.sock' : 'partner.sock');
    this.#readSocket = side === 'local' ? join(runDirectory, 'read.sock') : undefined;
  }

  async ask(question: Question): Promise<Result<Answer, Silence>> {
    if (this.#queue.length >= MOST_WAITING) return err(this.#silence('busy'));
    if (this.#working >= MOST_AT_ONCE) {
      await new Promise<void>((resolve) => this.#queue.push(resolve));
    }
    this.#working++;
    try {
      return await this.#withFallback(question);
    } finally {
      this.#working--;
      this.#queue.shift()?.();
    }
  }

  /** An answer that does not end: its bytes, until `signal` or the director ends it. */
  async open(question: Question, signal: AbortSignal): Promise<Result<IncomingMessage, Silence>> {
    const opened = await this.#send(this.#socket, question, signal);
    const isShut = !opened.ok && opened.error === 'no-permission';
    const again =
      isShut && this.#readSocket !== undefined
        ? await this.#send(this.#readSocket, question, signal)
        : opened;
    return again.ok ? again : err(this.#silence(again.error));
  }

  async #withFallback(question: Question): Promise<Result<Answer, Silence>> {
    const signal = AbortSignal.timeout(question.limitMs ?? LIMIT_MS);
    const isQuestion = question.method === 'GET' && this.#readSocket !== undefined;
    let response = await this.#send(this.#socket, question, signal);
    if (!response.ok && response.error === 'no-permission' && isQuestion) {
      response = await this.#send(this.#readSocket ?? '', question, signal);
    }
    if (!response.ok) return err(this.#silence(response.error));
    const { value } = response;
    const body = await bodyOf(value);
    if (!body.ok) return err(this.#silence(body.error));
    return ok({ code: value.statusCode ?? 0, headers: value.headers, body: body.value });
  }

  #send(
    socketPath: string,
    { method, path, headers, body }: Question,
    signal: AbortSignal,
  ): Promise<Result<IncomingMessage, Silence['reason']>> {
    return new Promise((resolve) => {
      const length = body === undefined ? {} : { 'content-length': String(body.length) };
      const asked = httpRequest({
        socketPath,
        method,
        path,
        signal,
        agent: false,
        headers: { host: 'piranha', ...headers, ...length },
      });
      asked.on('error', (error) => resolve(err(this.#reasonOf(error))));
      asked.once('response', (response) => resolve(ok(response)));
      asked.end(body);
    });
  }

  #reasonOf(error: Error): Silence['reason'] {
    const code = 'code' in error ? error.code : undefined;
    if (code === 'EACCES' || code === 'EPERM') return 'no-permission';
    if (code === 'ENOENT' || code === 'ECONNREFUSED') {
      return this.side === 'local' ? 'not-running' : 'no-channel';
    }
    return 'no-answer';
  }

  #silence(reason: Silence['reason']): Silence {
    return { reason, text: SENTENCES[this.side][reason] };
  }
}

const COMMON = {
  busy: 'Too many questions wait for this director; ask again in a moment.',
  'too-long': 'This director gave an answer that is too long.',
};
const SENTENCES: { readonly [side in Side]: { readonly [reason in Silence['reason']]: string } } = {
  local: {
    ...COMMON,
    'not-running': 'The director of this machine does not run.',
    'no-channel': 'The director of this machine does not run.',
    'no-permission':
      'The console may not ask the director of this machine: it is not in the group of its socket.',
    'no-answer': 'The director of this machine does not answer.',
  },
  partner: {
    ...COMMON,
    'not-running': 'The partner cannot be asked: there is no channel to it.',
    'no-channel':
      'The partner cannot be asked: there is no channel to it (it needs heartbeat_key_file, and a director that runs here).',
    'no-permission':
      'The console may not use the channel to the partner: it is not in the group of its socket.',
    'no-answer': 'The partner does not answer; what it does is unknown.',
  },
};

function bodyOf(response: IncomingMessage): Promise<Result<Buffer, 'no-answer' | 'too-long'>> {
  return new Promise((resolve) => {
    const parts: Buffer[] = [];
    let length = 0;
    response.on('data', (part: Buffer) => {
      length += part.length;
      if (length <= MOST_ANSWER) parts.push(part);
      else {
        resolve(err('too-long'));
        response.destroy();
      }
    });
    response.on('error', () => resolve(err('no-answer')));
    response.once('close', () => {
      resolve(response.complete ? ok(Buffer.concat(parts)) : err('no-answer'));
    });
  });
}
