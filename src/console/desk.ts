/**
 * The desk: every request comes here, and is answered here.
 *
 * Every request of every method on every path stands before the same question: is there a session? Only the login page,
 * its own assets and the login itself are open, by their exact names (CVE-2013-6492 was a check that looked at GET only).
 * GET and HEAD change nothing; everything else must come from our own page, as JSON, with the session's token.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Access, hasToken, isSameOrigin, type Log, type LoginResult } from './access.ts';
import { Director, SIDES } from './ask.ts';
import { type Assets, sendAsset } from './assets.ts';
import { hasBody, readBody } from './body.ts';
import { firstPage, loginPage, type StatusText, statusJson, statusPage } from './first-page.ts';
import { type ApiRoute, PassOn } from './pass-on.ts';
import { problem, redirect, SECURITY_HEADERS, send, sendJson } from './replies.ts';
import { IDLE_MS, type Session, setCookie } from './sessions.ts';
import { Streams } from './stream.ts';
import type { ThrottleLimits } from './throttle.ts';

export type DeskOptions = {
  readonly runDirectory: string;
  readonly stateDirectory: string;
  readonly assets: Assets;
  readonly routes: readonly ApiRoute[];
  readonly statusText: StatusText;
  readonly log: Log;
  /** How often one login may ask a director. */
  readonly pace?: ThrottleLimits;
};

const LOGIN_BODY = 4096;

type Handler = (visit: Visit) => Promise<void> | void;
type Visit = {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly session: Session;
  readonly path: string;
  readonly query: string;
};
type OwnRoute = { readonly GET?: Handler; readonly POST?: Handler };

/** Answers requests. */
export class Desk {
  readonly access: Access;
  readonly streams: Streams;
  readonly #options: DeskOptions;
  readonly #directors: { readonly local: Director; readonly partner: Director };
  readonly #passOn: PassOn;
  readonly #own: ReadonlyMap<string, OwnRoute>;

  constructor(options: DeskOptions) {
    this.#options = options;
    this.access = new Access(options.stateDirectory, options.log);
    this.#directors = {
      local: new Director('local', options.runDirectory),
      partner: new Director('partner', options.runDirectory),
    };
    this.streams = new Streams(this.#directors);
    this.#passOn = new PassOn(options.routes, options.pace);
    this.#own = new Map<string, OwnRoute>([
      ['/', { GET: (visit) => this.#page(visit) }],
      ['/status.txt', { GET: (visit) => this.#statusText(visit) }],
      ['/status.json', { GET: (visit) => this.#statusJson(visit) }],
      ['/api/session', { GET: ({ response, session }) => sendJson(response, told(session)) }],
      ['/api/stream', { GET: (visit) => this.#stream(visit) }],
      ['/logout', { POST: (visit) => this.#logout(visit) }],
    ]);
  }

  async take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      for (const [name, value] of Object.entries(SECURITY_HEADERS)) response.setHeader(name, value);
      // Once for all: a body that nobody reads ends the connection with the answer.
      if (hasBody(request) && request.method !== 'POST') response.setHeader('connection', 'close');
      await this.#answer(request, response);
    } catch (error) {
      this.#options.log(
        `a defect of ours: ${error instanceof Error ? error.stack : String(error)}`,
      );
      if (response.headersSent) response.destroy();
      else
        problem(response, 500, {
          title: 'a defect of ours; the log has more',
          reason: 'no-answer',
        });
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [path = '', query = ''] = splitOnce(request.url ?? '', '?');
    if (this.#isOpen(request.method, path)) return this.#open(request, response, path);
    const session = this.access.who(request);
    if (session === undefined) return this.#refuse(request, response);
    const visit = { request, response, session, path, query };
    const isQuestion = request.method === 'GET' || request.method === 'HEAD';
    if (!isQuestion && path !== '/logout' && !isMeant(visit)) {
      const title = 'this request does not come from a page of this console';
      return refuse(visit, 403, { title, reason: 'forged' });
    }
    const asset = this.#assetOf(path);
    if (asset !== undefined && isQuestion) return sendAsset(request, response, asset);
    const [, api, side, ...rest] = path.split('/');
    const known = SIDES.find((it) => it === side);
    if (api === 'api' && known !== undefined) return this.#pass(visit, known, `/${rest.join('/')}`);
    return this.#ownRoute(visit, asset === undefined ? this.#own.get(path) : { GET: () => {} });
  }

  /** The console's own paths; what is below /assets/ and /api/SIDE/ comes on top. */
  get paths(): readonly string[] {
    return [...this.#own.keys()];
  }

  /** What is there without a session: by exact name and method. */
  #isOpen(method: string | undefined, path: string): boolean {
    const isQuestion = method === 'GET' || method === 'HEAD';
    if (path === '/login') return isQuestion || method === 'POST';
    if (path === '/login/link') return method === 'POST';
    return isQuestion && this.#assetOf(path)?.isPublic === true;
  }

  #open(request: IncomingMessage, response: ServerResponse, path: string): Promise<void> | void {
    const asset = this.#assetOf(path);
    if (asset !== undefined) return sendAsset(request, response, asset);
    if (request.method !== 'POST') return this.#loginPage(response, 200, this.#hint());
    if (!isSameOrigin(request)) {
      const title = 'this login does not come from the login page of this console';
      response.setHeader('connection', 'close');
      return problem(response, 403, { title, reason: 'forged' });
    }
    return this.#login(request, response, path === '/login/link');
  }

  #assetOf(path: string) {
    const name = path.startsWith('/assets/') ? path.slice('/assets/'.length) : '';
    return this.#options.assets.files.get(name);
  }

  /** 401 on whatever it was, known or not: who is outside learns nothing of what there is. */
  #refuse(request: IncomingMessage, response: ServerResponse): void {
    if (hasBody(request)) response.setHeader('connection', 'close');
    const wantsPage =
      request.method === 'GET' && (request.headers.accept ?? '').includes('text/html');
    if (wantsPage) this.#loginPage(response, 401, this.#hint());
    else problem(response, 401, { title: 'log in first', reason: 'not-logged-in' });
  }

  #hint(): string | undefined {
    return this.access.users.isEmpty ? 'Nobody has a password yet.' : undefined;
  }

  #loginPage(response: ServerResponse, status: number, message: string | undefined): void {
    const body = loginPage(this.#options.assets.loginHtml, message);
    send(response, status, { type: 'text/html; charset=utf-8', body });
  }

  async #login(request: IncomingMessage, response: ServerResponse, isLink: boolean): Promise<void> {
    const body = await readBody(request, response, LOGIN_BODY);
    if (!body.ok) return;
    const fields = fieldsOf(request, body.value);
    const address = request.socket.remoteAddress ?? '';
    const wants = (name: string): string => fields?.get(name) ?? '';
    const result = isLink
      ? this.access.loginByTicket(wants('ticket'), address)
      : await this.access.login(wants('user'), wants('password'), address);
    const isForm = isFormPost(request);
    if (result.kind === 'in') {
      this.access.sessions.end(this.access.who(request)); // the one before it, of this browser
      const headers = { 'set-cookie': setCookie(result.token) };
      if (isForm) redirect(response, '/', headers);
      else sendJson(response, told(result.session), headers);
      return;
    }
    const { status, title, reason, headers } = refusalOf(result, isLink);
    if (!isForm) return problem(response, status, { title, reason, headers });
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    this.#loginPage(response, status, title);
  }

  async #logout({ request, response, session }: Visit): Promise<void> {
    const isForm = isFormPost(request);
    const body = await readBody(request, response, LOGIN_BODY);
    if (!body.ok) return;
    const token = isForm ? fieldsOf(request, body.value)?.get('csrf') : undefined;
    if (token !== undefined) request.headers['piranha-csrf'] = token;
    if (!isSameOrigin(request) || !hasToken(request, session)) {
      const title = 'this request does not come from a page of this console';
      return problem(response, 403, { title, reason: 'forged' });
    }
    this.access.sessions.end(session);
    this.#options.log(`logout of ${session.user}`);
    const headers = { 'set-cookie': setCookie(undefined) };
    if (isForm) redirect(response, '/login', headers);
    else sendJson(response, { v: 1 }, headers);
  }

  #ownRoute(visit: Visit, route: OwnRoute | undefined): Promise<void> | void {
    if (route === undefined) {
      return refuse(visit, 404, { title: 'there is no such page here', reason: 'not-found' });
    }
    const { method } = visit.request;
    const handler =
      method === 'HEAD'
        ? route.GET
        : method === 'GET' || method === 'POST'
          ? route[method]
          : undefined;
    if (handler !== undefined) return handler(visit);
    const allow = Object.keys(route).join(', ');
    visit.response.setHeader('allow', allow);
    return refuse(visit, 405, { title: `only ${allow} is possible here`, reason: 'method' });
  }

  #pass(visit: Visit, side: (typeof SIDES)[number], path: string): Promise<void> {
    const { request, response, session, query } = visit;
    const { status, services } = this.streams.feeds[side];
    const director = this.#directors[side];
    const polls = [status, services];
    return this.#passOn.pass(request, response, { session, director, path, query, polls });
  }

  async #both() {
    const { local, partner } = this.streams.feeds;
    const [ours, theirs] = await Promise.all([local.status.fresh(), partner.status.fresh()]);
    return { local: ours, partner: theirs };
  }

  async #page({ response, session }: Visit): Promise<void> {
    const body = firstPage(this.#options.assets.indexHtml, await this.#both(), session);
    send(response, 200, { type: 'text/html; charset=utf-8', body });
  }

  async #statusText({ response }: Visit): Promise<void> {
    const body = statusPage(await this.#both(), this.#options.statusText);
    send(response, 200, { type: 'text/plain; charset=utf-8', body });
  }

  async #statusJson({ response }: Visit): Promise<void> {
    sendJson(response, statusJson(await this.#both()));
  }

  #stream({ request, response, session }: Visit): void {
    const refusal = this.streams.refusal(session);
    if (refusal !== undefined) {
      problem(response, 429, { title: refusal, reason: 'busy', headers: { 'retry-after': '5' } });
      return;
    }
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    if (request.method === 'HEAD') {
      response.end();
      return;
    }
    const lastId = request.headers['last-event-id'];
    this.streams.open(response, session, typeof lastId === 'string' ? lastId : undefined);
  }
}

/** What a page may know of its own login. */
function told({ user, rights, csrf }: Session): object {
  return { v: 1, user, rights, csrf, idleMs: IDLE_MS[rights] };
}

/** Of a page of ours, in JSON, with the session's token. */
function isMeant({ request, session }: Visit): boolean {
  const isJson = /^application\/json\b/.test(request.headers['content-type'] ?? '');
  return isSameOrigin(request) && hasToken(request, session) && isJson;
}

/** A body that is not read ends the connection with the answer. */
function refuse(visit: Visit, status: number, what: Parameters<typeof problem>[2]): void {
  if (hasBody(visit.request)) visit.response.setHeader('connection', 'close');
  problem(visit.response, status, what);
}

function refusalOf(result: Exclude<LoginResult, { kind: 'in' }>, isLink: boolean) {
  switch (result.kind) {
    case 'wrong': {
      const title = isLink
        ? 'This link is over: it works once, and for five minutes.'
        : 'User or password is wrong.';
      return { status: 401, title, reason: 'wrong-password', headers: {} } as const;
    }
    case 'busy': {
      const title = 'Too many people log in at this moment; try again.';
      return { status: 503, title, reason: 'busy', headers: { 'retry-after': '2' } } as const;
    }
    case 'wait': {
      const seconds = Math.ceil(result.waitMs / 1000);
      const title = `Too many attempts; the next one is possible in ${seconds} s.`;
      const headers = { 'retry-after': String(seconds) };
      return { status: 429, title, reason: 'too-many-attempts', headers } as const;
    }
  }
}

/** The two forms that work without a script. */
function isFormPost({ headers }: IncomingMessage): boolean {
  return /^application\/x-www-form-urlencoded\b/.test(headers['content-type'] ?? '');
}

/** Texts by name, of a form or of JSON; undefined: neither. */
function fieldsOf(request: IncomingMessage, body: Buffer): ReadonlyMap<string, string> | undefined {
  if (isFormPost(request)) return new Map(new URLSearchParams(body.toString()));
  try {
    const value: unknown = JSON.parse(body.toString());
    const pairs = Object.entries(Object(value));
    return new Map(pairs.flatMap(([name, it]) => (typeof it === 'string' ? [[name, it]] : [])));
  } catch {
    return undefined;
  }
}

function splitOnce(text: string, at: string): readonly string[] {
  const index = text.indexOf(at);
  return index < 0 ? [text] : [text.slice(0, index), text.slice(index + 1)];
}
