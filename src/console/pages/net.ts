/** Questions to the console's own server: JSON there and back, every failure a sentence. */
import { err, ok, type Result } from '../../base/index.ts';
import type { Rights, Trouble } from './documents.ts';

export type Session = { readonly user: string; readonly rights: Rights; readonly csrf: string };

/** This machine's director, and the partner's. */
export const SIDES = ['local', 'partner'] as const;
export type Side = (typeof SIDES)[number];

export type Question = {
  readonly body?: object;
  /** Of the configuration that the change starts from. */
  readonly ifMatch?: string;
  readonly side?: Side;
};

let csrf = '';
const LIMIT_MS = 20_000;

/** Undefined: nobody is logged in. */
export async function openSession(): Promise<Session | undefined> {
  const answer = await send<Session>('/api/session', 'GET', {});
  if (!answer.ok) return undefined;
  csrf = answer.value.csrf;
  return answer.value;
}

/** `path` as the director's: `/v1/status`. A body makes it a POST. */
export async function ask<T>(path: string, question: Question = {}): Promise<Result<T, Trouble>> {
  const prefix = `/api/${question.side ?? 'local'}`;
  return send<T>(prefix + path, question.body === undefined ? 'GET' : 'POST', question);
}

/** A recording and its like: the body as it is. */
export async function askText(path: string, side: Side): Promise<Result<string, Trouble>> {
  try {
    const response = await fetch(`/api/${side}${path}`, { signal: AbortSignal.timeout(LIMIT_MS) });
    if (!response.ok) return err(await troubleOf(response));
    return ok(await response.text());
  } catch {
    return err(NO_ANSWER);
  }
}

export async function logOut(): Promise<void> {
  await send('/logout', 'POST', { body: {} });
  location.assign('/login');
}

async function send<T>(
  path: string,
  method: 'GET' | 'POST',
  { body, ifMatch }: Question,
): Promise<Result<T, Trouble>> {
  const headers: Record<string, string> = { accept: 'application/json' };
  if (body !== undefined) {
    headers['content-type'] = 'application/json';
    headers['piranha-csrf'] = csrf;
  }
  if (ifMatch !== undefined) headers['if-match'] = `"${ifMatch}"`;
  try {
    const response = await fetch(path, {
      method,
      headers,
      signal: AbortSignal.timeout(LIMIT_MS),
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    if (response.status === 401 && path !== '/api/session') location.assign('/login');
    if (!response.ok) return err(await troubleOf(response));
    const value: T = await response.json();
    return ok(value);
  } catch {
    return err(NO_ANSWER);
  }
}

const NO_ANSWER: Trouble = {
  status: 0,
  title: 'The console does not answer; nothing is known of what it did.',
};

async function troubleOf(response: Response): Promise<Trouble> {
  const { status } = response;
  try {
    const problem: Partial<Trouble> = await response.json();
    const { title = response.statusText, reason, lines } = problem;
    return {
      status,
      title,
      ...(reason !== undefined && { reason }),
      ...(lines !== undefined && { lines }),
    };
  } catch {
    return { status, title: `The answer was ${status} ${response.statusText}.` };
  }
}
