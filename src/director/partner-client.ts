/**
 * Questions to the partner's director, through the courier. Every failure is one sentence that says what is missing: the
 * key, the courier, the partner, or its agreement.
 */
import { err, type Milliseconds, ok, type Result } from '../base/index.ts';
import { courierFiles, readState } from '../courier/index.ts';
import { systemErrorText } from './sentences.ts';

export type PartnerAnswer = {
  readonly code: number;
  readonly fields: ReadonlyMap<string, unknown>;
};

export type PartnerQuestion = {
  readonly path: string;
  /** Absent: GET. */
  readonly body?: object;
  readonly ifMatch?: string;
  /** Who wants it, for the audit there: an author, or a caller's `who`. */
  readonly by?: string;
};

/**
 * Who gives the partner an order, as its API takes it: at most 64 printable characters. What the kernel said of him beside
 * his name, `alice (uid 1000)`, is about a user of this machine and stays here.
 */
export function userHeader(name: string): { readonly 'piranha-user': string } {
  const bare = name.replace(/ \(.*$/, '').replace(/[^\x21-\x7e]/g, '?');
  return { 'piranha-user': bare.slice(0, 64) };
}

export interface Partner {
  /** The error is a sentence without its full stop. */
  ask(question: PartnerQuestion): Promise<Result<PartnerAnswer, string>>;
}

/** An apply there waits for its kernel. */
const LIMIT_MS: Milliseconds = 8000;
const LIMIT_BYTES = 4 * 1024 * 1024;

export class PartnerOverCourier implements Partner {
  readonly #runDirectory: string;
  /** Why there cannot be a channel; undefined: there can. */
  readonly #lack: () => string | undefined;

  constructor(runDirectory: string, lack: () => string | undefined) {
    this.#runDirectory = runDirectory;
    this.#lack = lack;
  }

  ask(question: PartnerQuestion): Promise<Result<PartnerAnswer, string>> {
    const lack = this.#lack();
    if (lack !== undefined) return Promise.resolve(err(lack));
    const text = question.body === undefined ? undefined : JSON.stringify(question.body);
    return new Promise((settle) => {
      // Fetched, not imported: an import of node:http loads ten times what is needed here.
      const asked = process.getBuiltinModule('node:http').request({
        socketPath: courierFiles(this.#runDirectory).partnerSocket,
        path: question.path,
        method: text === undefined ? 'GET' : 'POST',
        headers: {
          connection: 'close',
          ...(text !== undefined && { 'content-length': Buffer.byteLength(text) }),
          ...(question.ifMatch !== undefined && { 'if-match': `"${question.ifMatch}"` }),
          ...(question.by !== undefined && userHeader(question.by)),
        },
        signal: AbortSignal.timeout(LIMIT_MS),
      });
      asked.once('error', (error) => settle(err(this.#trouble(error))));
      asked.once('response', (response) => {
        let answer = '';
        response.setEncoding('utf8');
        response.on('data', (part: string) => {
          answer += part;
          if (answer.length > LIMIT_BYTES)
            response.destroy(new Error('its answer is longer than 4 MiB'));
        });
        response.once('error', (error) => settle(err(this.#trouble(error))));
        const over = (): void => settle(answerOf(response.statusCode ?? 0, answer));
        response.once('end', over);
        response.once('close', over); // without an end: half a document is none
      });
      asked.end(text);
    });
  }

  #trouble(error: Error): string {
    const code = 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ECONNREFUSED') {
      return 'there is no channel to the partner: the courier does not run';
    }
    const known = readState(courierFiles(this.#runDirectory).state)?.trouble;
    const why = known ?? (code === 'ABORT_ERR' ? 'no answer in time' : systemErrorText(error));
    return `the partner cannot be reached: ${why}`;
  }
}

function answerOf(code: number, text: string): Result<PartnerAnswer, string> {
  try {
    const document: unknown = JSON.parse(text);
    if (typeof document === 'object' && document !== null) {
      return ok({ code, fields: new Map(Object.entries(document)) });
    }
  } catch {
    // told below
  }
  return err('the partner cannot be reached: its answer was cut off');
}
