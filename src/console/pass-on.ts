/**
 * Passes a page's request on to a director: `/api/local/...` and `/api/partner/...`. Only what the director's own table of
 * routes lists, and only with the right that the table asks for. The partner is looked at and given orders; what changes the
 * file of both nodes goes through ours.
 *
 * Who asks is told in `piranha-user`, for the audit, and what he may in `piranha-right`: the director gives him no more than
 * that, whatever the console's own user may.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Answer, Director, Side } from './ask.ts';
import { readBody } from './body.ts';
import type { Poll } from './poll.ts';
import { problem, send } from './replies.ts';
import { holds, type Rights } from './rights.ts';
import type { Session } from './sessions.ts';
import { Throttle, type ThrottleLimits } from './throttle.ts';

/** One row of the director's table: a path may hold `{name}` for one segment. */
export type ApiRoute = {
  readonly method: string;
  readonly path: string;
  readonly right: Rights;
  /** In bytes. */
  readonly longestBody: number;
};

/** What the console keeps of a row of that table. */
export function apiRoute({ method, path, right, longestBody }: ApiRoute): ApiRoute {
  return { method, path, right, longestBody };
}

export type Found =
  | { readonly kind: 'route'; readonly route: ApiRoute }
  | { readonly kind: 'method'; readonly allowed: readonly string[] }
  | { readonly kind: 'none' };

const QUERY = /^[\w.~%=&:+-]{0,2048}$/;
const LIMIT_MS = { look: 10_000, act: 90_000 } as const;
/** Answers that slow pages have not taken yet. */
const MOST_OUTSTANDING = 64 * 1024 * 1024;
/** What one login may ask of a director; a page needs ten when it opens. */
const PACE = { burst: 100, everyMs: 20, size: 256 };
/** Beside looking: what is one node's alone, and no half of something. */
const FOR_PARTNER = ['/v1/role', '/v1/servers'];
/** Streams do not end; the pages have one of their own, for both nodes. */
const NOT_PASSED = ['/v1/events'];

export class PassOn {
  readonly #routes: readonly ApiRoute[];
  readonly #pace: Throttle;
  #outstanding = 0;

  constructor(routes: readonly ApiRoute[], pace: ThrottleLimits = PACE) {
    this.#pace = new Throttle(pace);
    this.#routes = routes.filter(({ path }) => !NOT_PASSED.includes(path));
  }

  /** `path` as the director knows it. */
  find(method: string, path: string): Found {
    const here = this.#routes.filter((route) => fits(route.path, path));
    const route = here.find((it) => it.method === method);
    if (route !== undefined) return { kind: 'route', route };
    if (here.length === 0) return { kind: 'none' };
    return { kind: 'method', allowed: here.map((it) => it.method) };
  }

  async pass(
    request: IncomingMessage,
    response: ServerResponse,
    to: {
      session: Session;
      director: Director;
      path: string;
      query: string;
      polls: readonly Poll[];
    },
  ): Promise<void> {
    const { session, director, path, query } = to;
    const method = request.method === 'HEAD' ? 'GET' : (request.method ?? '');
    const found = this.find(method, path);
    if (found.kind === 'none') {
      problem(response, 404, { title: 'there is no such thing here', reason: 'not-found' });
      return;
    }
    if (found.kind === 'method') {
      const allow = found.allowed.join(', ');
      const title = `only ${allow} is possible here`;
      problem(response, 405, { title, reason: 'method', headers: { allow } });
      return;
    }
    const refusal = refusalOf(found.route, session, director.side);
    if (refusal !== undefined) {
      problem(response, 403, { title: refusal, reason: 'no-right' });
      return;
    }
    if (!QUERY.test(query)) {
      problem(response, 400, {
        title: 'the query has characters of no query',
        reason: 'not-found',
      });
      return;
    }
    if (
      this.#pace.take(session.id, performance.now()) > 0 ||
      this.#outstanding > MOST_OUTSTANDING
    ) {
      const title = 'more questions than this console passes on; ask again in a moment';
      problem(response, 429, { title, reason: 'busy', headers: { 'retry-after': '1' } });
      return;
    }
    const poll = query === '' ? to.polls.find((it) => it.path === path) : undefined;
    if (poll !== undefined) this.#answer(response, await poll.fresh());
    else
      await this.#ask(request, response, { ...to, method, longestBody: found.route.longestBody });
  }

  async #ask(
    request: IncomingMessage,
    response: ServerResponse,
    to: {
      session: Session;
      director: Director;
      path: string;
      query: string;
      method: string;
      longestBody: number;
    },
  ): Promise<void> {
    const { session, director, path, query, method, longestBody } = to;
    const body = method === 'GET' ? undefined : await readBody(request, response, longestBody);
    if (body !== undefined && !body.ok) return; // it was told so
    const match = request.headers['if-match'];
    this.#answer(
      response,
      await director.ask({
        method,
        path: query === '' ? path : `${path}?${query}`,
        limitMs: method === 'GET' ? LIMIT_MS.look : LIMIT_MS.act,
        headers: {
          'piranha-user': session.user,
          'piranha-right': session.rights,
          ...(match !== undefined && { 'if-match': match }),
          ...(body !== undefined && { 'content-type': 'application/json' }),
        },
        ...(body !== undefined && { body: body.value }),
      }),
    );
  }

  #answer(response: ServerResponse, answer: Awaited<ReturnType<Director['ask']>>): void {
    if (!answer.ok) {
      const status = answer.error.reason === 'busy' ? 503 : 502;
      problem(response, status, { title: answer.error.text, reason: 'no-answer' });
      return;
    }
    const { code, body, headers } = answer.value;
    this.#outstanding += body.length;
    response.once('close', () => {
      this.#outstanding -= body.length;
    });
    send(response, code >= 200 && code <= 599 ? code : 502, {
      type: headers['content-type'] ?? 'application/octet-stream',
      body,
      headers: passedBack(headers),
    });
  }
}

function passedBack(headers: Answer['headers']): Readonly<Record<string, string>> {
  const { etag, allow } = headers;
  const again = headers['retry-after'];
  return {
    ...(etag !== undefined && { etag }),
    ...(allow !== undefined && { allow }),
    ...(again !== undefined && { 'retry-after': again }),
  };
}

function refusalOf(route: ApiRoute, session: Session, side: Side): string | undefined {
  if (!holds(session.rights, route.right)) {
    return `${session.user} may ${session.rights}; this needs the right to ${route.right}`;
  }
  if (side === 'partner' && route.method !== 'GET' && !FOR_PARTNER.includes(route.path)) {
    return 'the partner is looked at and given orders from here; changes go through the director of this machine';
  }
  return undefined;
}

/** `/v1/incidents/{id}` fits `/v1/incidents/17`. Nothing that could climb or end a request line does. */
function fits(template: string, path: string): boolean {
  const wanted = template.split('/');
  const given = path.split('/');
  return (
    wanted.length === given.length &&
    wanted.every((segment, index) =>
      segment.startsWith('{')
        ? /^[\w.:~-]{1,128}$/.test(given[index] ?? '') && !/^\.+$/.test(given[index] ?? '')
        : segment === given[index],
    )
  );
}
