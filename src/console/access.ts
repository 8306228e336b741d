/**
 * Who may come in: login by password or by a ticket, throttled; sessions; and the proof that a request was meant.
 *
 * The rules of every request stand in one place (server.ts asks here before anything else looks at it): a session first,
 * whatever the method and the path; then, for everything but GET and HEAD, that it comes from our own page.
 */
import type { IncomingMessage } from 'node:http';
import type { Milliseconds } from '../base/index.ts';
import { PasswordDesk } from './passwords.ts';
import { cookieToken, isCsrf, type Session, Sessions } from './sessions.ts';
import { addressKey, Throttle } from './throttle.ts';
import { takeTicket } from './tickets.ts';
import { isUserName, type User, Users, usersFile } from './users.ts';

export type Log = (line: string) => void;

export type LoginResult =
  | { readonly kind: 'in'; readonly session: Session; readonly token: string }
  | { readonly kind: 'wrong' | 'busy' }
  | { readonly kind: 'wait'; readonly waitMs: Milliseconds };

/** Ten wrong passwords at once, then three a minute from one address; for one user from everywhere six a minute. */
const OF_AN_ADDRESS = { burst: 10, everyMs: 20_000, size: 4096 };
const OF_A_USER = { burst: 30, everyMs: 10_000, size: 4096 };
const MOST_KNOWN = 1000;
/** Of a session that a ticket began: it stands on no entry of the users' file. */
const TICKET_STAMP = 'ticket';

export class Access {
  readonly sessions = new Sessions((session) => this.#stampNow(session));
  readonly users: Users;
  readonly #stateDirectory: string;
  readonly #log: Log;
  readonly #desk = new PasswordDesk();
  readonly #addresses = new Throttle(OF_AN_ADDRESS);
  readonly #names = new Throttle(OF_A_USER);
  /** `user address` that have succeeded before: guessing from elsewhere does not lock them out. */
  readonly #known = new Set<string>();

  constructor(stateDirectory: string, log: Log) {
    this.#stateDirectory = stateDirectory;
    this.#log = log;
    this.users = new Users(usersFile(stateDirectory), log);
  }

  /** Undefined: nobody, or not any more. */
  who(request: IncomingMessage): Session | undefined {
    const token = cookieToken(request.headers.cookie);
    return this.sessions.find(token, performance.now());
  }

  async login(name: string, password: string, address: string): Promise<LoginResult> {
    const from = addressKey(address);
    const now = performance.now();
    const waitMs = this.#throttled(from, name, now);
    if (waitMs > 0) {
      this.#log(`login of ${shown(name)} from ${address}: too many attempts`);
      return { kind: 'wait', waitMs };
    }
    const user = isUserName(name) ? this.users.find(name) : undefined;
    const tried = await this.#desk.try(password, user?.hash);
    if (tried === 'busy') return { kind: 'busy' };
    if (tried === 'wrong' || user === undefined) {
      this.#log(`login of ${shown(name)} from ${address}: wrong`);
      return { kind: 'wrong' };
    }
    this.#addresses.giveBack(from, now);
    this.#names.giveBack(name, now);
    this.#remember(`${name} ${from}`);
    this.#log(`login of ${name} from ${address}: ${user.rights}`);
    return this.#start({ user: name, rights: user.rights, stamp: stampOf(user) });
  }

  loginByTicket(secret: string, address: string): LoginResult {
    const from = addressKey(address);
    const waitMs = this.#addresses.take(from, performance.now());
    if (waitMs > 0) return { kind: 'wait', waitMs };
    const ticket = takeTicket(this.#stateDirectory, secret);
    if (ticket === undefined) {
      this.#log(`login by link from ${address}: not valid, used, or over`);
      return { kind: 'wrong' };
    }
    this.#addresses.giveBack(from, performance.now());
    this.#log(`login by link from ${address}: ${ticket.user}, ${ticket.rights}`);
    return this.#start({ ...ticket, stamp: TICKET_STAMP });
  }

  #stampNow({ user, stamp }: Session): string | undefined {
    if (stamp === TICKET_STAMP) return TICKET_STAMP;
    const entry = this.users.find(user);
    return entry === undefined ? undefined : stampOf(entry);
  }

  #start(login: Parameters<Sessions['start']>[0]): LoginResult {
    return { kind: 'in', ...this.sessions.start(login, performance.now()) };
  }

  #throttled(from: string, name: string, now: Milliseconds): Milliseconds {
    const ofAddress = this.#addresses.take(from, now);
    if (ofAddress > 0) return ofAddress;
    const isKnown = this.#known.has(`${name} ${from}`);
    return isKnown ? 0 : this.#names.take(name.slice(0, 64), now);
  }

  #remember(pair: string): void {
    this.#known.delete(pair);
    this.#known.add(pair);
    const [oldest] = this.#known;
    if (this.#known.size > MOST_KNOWN && oldest !== undefined) this.#known.delete(oldest);
  }
}

/**
 * Does a browser say that our own page sent this? Every browser of today says so; one that says nothing is refused.
 * Source: W3C Fetch Metadata, RFC 6454 §7.
 */
export function isSameOrigin({ headers }: IncomingMessage): boolean {
  const site = headers['sec-fetch-site'];
  if (site !== undefined) return site === 'same-origin';
  const { origin, host } = headers;
  if (origin === undefined || host === undefined || !URL.canParse(origin)) return false;
  return new URL(origin).host === host.toLowerCase();
}

/** Has the page that sent this read our session? Another site's page cannot. */
export function hasToken(request: IncomingMessage, session: Session): boolean {
  const token = request.headers['piranha-csrf'];
  return isCsrf(session, typeof token === 'string' ? token : undefined);
}

function stampOf({ rights, hash }: User): string {
  return `${rights}:${hash}`;
}

/** For the log: what a stranger typed as a name may be anything, also his password. */
function shown(name: string): string {
  return isUserName(name) ? name : 'a name that is none';
}
