/**
 * Sessions: who is logged in, in memory only. A restart logs everybody out, and nothing on the disk can be stolen.
 *
 * The cookie holds 256 random bits, the table only their hash. A session ends when it is idle (sooner the more it may
 * do), after twelve hours, when its user is changed or removed, and when somebody logs out. The stream of news is no
 * sign of a person: only requests count.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Milliseconds } from '../base/index.ts';
import type { Rights } from './rights.ts';

const minute = 60_000;
export const IDLE_MS: { readonly [rights in Rights]: Milliseconds } = {
  change: 15 * minute,
  operate: 60 * minute,
  look: 12 * 60 * minute,
};
const LONGEST_MS: Milliseconds = 12 * 60 * minute;
const MOST_SESSIONS = 256;
const MOST_OF_ONE = 16;

/** `__Host-`: no other host or path may have set it, and it never travels in the clear. */
export const COOKIE = '__Host-piranha';

export type Session = {
  readonly id: string;
  readonly user: string;
  readonly rights: Rights;
  /** To be sent with every request that changes something. */
  readonly csrf: string;
  readonly startedAt: Milliseconds;
  /** What of the user's entry it stands on; a new password ends it. */
  readonly stamp: string;
  seenAt: Milliseconds;
  /** Called at its end. */
  readonly onEnd: Set<() => void>;
};

export type Login = { readonly user: string; readonly rights: Rights; readonly stamp: string };

export class Sessions {
  readonly #sessions = new Map<string, Session>();
  readonly #stampOf: (session: Session) => string | undefined;

  /** `stampOf` tells what the entry of the session's user is now. */
  constructor(stampOf: (session: Session) => string | undefined) {
    this.#stampOf = stampOf;
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** The new session, and the token for its cookie. `now` is monotonic. */
  start(login: Login, now: Milliseconds): { readonly session: Session; readonly token: string } {
    this.sweep(now);
    const mine = this.#of(login.user);
    if (mine.length >= MOST_OF_ONE) this.end(mine[0]);
    if (this.#sessions.size >= MOST_SESSIONS) this.end(leastRecent(this.#sessions.values()));
    const token = randomBytes(32).toString('base64url');
    const session: Session = {
      id: hashOf(token),
      ...login,
      csrf: randomBytes(32).toString('base64url'),
      startedAt: now,
      seenAt: now,
      onEnd: new Set(),
    };
    this.#sessions.set(session.id, session);
    return { session, token };
  }

  /** Undefined: none, or over. Counts as a sign of life. */
  find(token: string | undefined, now: Milliseconds): Session | undefined {
    if (token === undefined || token.length > 64) return undefined;
    const session = this.#sessions.get(hashOf(token));
    if (session === undefined) return undefined;
    if (this.#isOver(session, now)) {
      this.end(session);
      return undefined;
    }
    session.seenAt = now;
    return session;
  }

  end(session: Session | undefined): void {
    if (session === undefined || !this.#sessions.delete(session.id)) return;
    for (const tell of session.onEnd) tell();
    session.onEnd.clear();
  }

  /** Ends those that are over; to be called now and then, for the streams they hold. */
  sweep(now: Milliseconds): void {
    for (const session of this.#sessions.values()) {
      if (this.#isOver(session, now)) this.end(session);
    }
  }

  #isOver(session: Session, now: Milliseconds): boolean {
    const { seenAt, startedAt, rights } = session;
    if (now - seenAt > IDLE_MS[rights] || now - startedAt > LONGEST_MS) return true;
    return this.#stampOf(session) !== session.stamp;
  }

  /** The longest idle first. */
  #of(user: string): readonly Session[] {
    const mine = [...this.#sessions.values()].filter((session) => session.user === user);
    return mine.sort((a, b) => a.seenAt - b.seenAt);
  }
}

/** Is this the session's token against forged requests? */
export function isCsrf(session: Session, token: string | undefined): boolean {
  const wanted = Buffer.from(session.csrf);
  const given = Buffer.from(token ?? '');
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

/** The token in a Cookie header. Two of that name: somebody plays, none counts. */
export function cookieToken(header: string | undefined): string | undefined {
  const values = (header ?? '').split(/;\s*/).flatMap((pair) => {
    const equals = pair.indexOf('=');
    return pair.slice(0, equals) === COOKIE ? [pair.slice(equals + 1)] : [];
  });
  return values.length === 1 ? values[0] : undefined;
}

/** `token` undefined: forget it. */
export function setCookie(token: string | undefined): string {
  const value = token ?? '';
  const age = token === undefined ? '; Max-Age=0' : '';
  return `${COOKIE}=${value}; Path=/; Secure; HttpOnly; SameSite=Strict${age}`;
}

function leastRecent(sessions: Iterable<Session>): Session | undefined {
  return [...sessions].reduce<Session | undefined>(
    (oldest, it) => (oldest === undefined || it.seenAt < oldest.seenAt ? it : oldest),
    undefined,
  );
}

function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('base64url');
}
