/**
 * `handle(request, caller)`: the whole API as one function, without sockets.
 *
 *   path -> method -> right -> body -> schemas -> handler -> answer
 *
 * In this order, so that nobody without the right for it makes us read a body, and so that every attempt at a change,
 * denied ones too, passes the one place that writes the audit. A defect of ours ends a request and not the director: who
 * may only look must not find a way to make it stop.
 */
import { err, type Milliseconds } from '../base/index.ts';
import { type DirectorFace, systemErrorText } from '../director/index.ts';
import { PROBLEM_TYPE, type Problem, problemDocument } from './problem.ts';
import type { Route, Served } from './route.ts';
import { ROUTES } from './routes.ts';
import { type ApiRequest, type ApiResponse, type Caller, type Handle, RIGHTS } from './types.ts';

/** The API of one director. */
export function apiOf(face: DirectorFace, routes: readonly Route[] = ROUTES): Handle {
  const table = new Table(routes);
  const shared = new SharedAnswers();
  const answerOrFail: Handle = async (request, caller) => {
    try {
      return await answer({ face, table, shared }, request, caller);
    } catch (error) {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      face.tell([`api: ${request.method} ${request.target.slice(0, 100)}: ${text}`], 'trouble');
      return refusal({ reason: 'failed', title: `a defect of ours: ${systemErrorText(error)}` });
    }
  };
  return async (request, caller) => {
    const response = await answerOrFail(request, actingCaller(request, caller));
    face.answered(caller.from, response.status);
    return response;
  };
}

type Parts = {
  readonly face: DirectorFace;
  readonly table: Table;
  readonly shared: SharedAnswers;
};

async function answer(
  { face, table, shared }: Parts,
  request: ApiRequest,
  caller: Caller,
): Promise<ApiResponse> {
  const [path = '', search = ''] = split(request.target, '?');
  const found = table.find(path);
  if (found === undefined) {
    return refusal({ reason: 'no-such-resource', title: `there is nothing at ${cut(path)}` });
  }
  const route = found.routes.find(({ method }) => method === request.method);
  if (route === undefined) {
    const allow = found.routes.map(({ method }) => method).join(', ');
    const title = `only ${allow} is possible here`;
    return refusal({ reason: 'wrong-method', title, headers: { allow } });
  }
  const note = (served: Served, detail: string, reason?: string): void =>
    audit(face, { route, caller, served, detail, ...(reason !== undefined && { reason }) });
  if (!isAllowed(route, caller)) {
    const served = err({ reason: 'not-allowed', title: whyNot(route, caller) } as const);
    note(served, '');
    return refusal(served.error);
  }
  const { params } = found;
  const query = queryOf(search);
  if (route.method === 'GET') {
    const call = { caller, headers: request.headers, params, query, body: {} };
    const make = async () => finish(route, await route.serve(face, call));
    return shared.answer(route.sharedMs, request.target, make);
  }
  const body = await readBody(route, request);
  if (!body.ok) {
    note(body, '');
    return refusal(body.error);
  }
  const call = { caller, headers: request.headers, params, query, body: body.value };
  const served = await route.serve(face, call);
  shared.forget();
  const { reason }: { readonly reason?: unknown } = body.value;
  note(served, route.detail(body.value), typeof reason === 'string' ? reason : undefined);
  return finish(route, served);
}

function finish(route: Route, served: Served): ApiResponse {
  return served.ok ? response(route, served.value) : refusal(served.error);
}

/**
 * Who asks for somebody else says so: `piranha-user: alice` is written beside who it is by the kernel's word (or by the
 * proof of the key: the partner), and `piranha-right: look` takes rights away, never gives any. The console does this for
 * those who logged in there, the command line for whoever gives the partner an order.
 */
function actingCaller({ headers }: ApiRequest, caller: Caller): Caller {
  const user = headers['piranha-user']?.replace(/[^\x21-\x7e]/g, '?').slice(0, 64);
  const asked = RIGHTS.find((right) => right === headers['piranha-right']);
  const isLess = asked !== undefined && RIGHTS.indexOf(asked) < RIGHTS.indexOf(caller.right);
  const way = caller.role === 'partner' ? 'through' : 'by';
  return {
    ...caller,
    ...(user !== undefined && user !== '' && { who: `${user} (${way} ${caller.who})` }),
    ...(isLess && { right: asked }),
  };
}

/** By the door first, then by the right: nobody gains one by going through the partner. */
function isAllowed(route: Route, { role, right }: Caller): boolean {
  if (isShut(route, role)) return false;
  return RIGHTS.indexOf(right) >= RIGHTS.indexOf(route.right);
}

function isShut({ method, isForPartner }: Route, role: Caller['role']): boolean {
  if (method === 'GET' || role === 'person') return false;
  return role === 'reader' || !isForPartner;
}

function whyNot(route: Route, { role, right, from }: Caller): string {
  if (isShut(route, role)) {
    return role === 'reader'
      ? `${from} is for looking: changes are asked for at pulse.sock, by root and its group`
      : 'through the partner there is looking, orders, overrides and half of a change, not more';
  }
  return `this needs the right to ${route.right}; there is only the right to ${right}`;
}

async function readBody(route: Route, request: ApiRequest) {
  const text = await request.body(route.longestBody);
  if (text === undefined) {
    const title = `a body has at most ${route.longestBody} bytes here`;
    return err({ reason: 'too-large', title } as const);
  }
  try {
    const value: unknown = JSON.parse(text.trim() === '' ? '{}' : text);
    // A list would pass for an object without fields.
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return { ok: true, value } as const;
    }
    return err({ reason: 'bad-request', title: 'the body must be a JSON object' } as const);
  } catch {
    return err({ reason: 'bad-request', title: 'the body must be JSON' } as const);
  }
}

function audit(
  face: DirectorFace,
  it: {
    readonly route: Route;
    readonly caller: Caller;
    readonly served: Served;
    readonly detail: string;
    /** What the caller gave as his reason. */
    readonly reason?: string;
  },
): void {
  const { route, caller, served, detail } = it;
  if (!route.isAudited) return;
  const { who, from } = caller;
  const reason = it.reason === undefined ? {} : { reason: it.reason };
  const action = `${route.method} ${route.path}`;
  const refused = served.ok ? undefined : served.error;
  const result =
    refused === undefined ? 'done' : refused.reason === 'not-allowed' ? 'denied' : 'refused';
  const why = refused === undefined ? '' : `${refused.reason}: ${refused.title}`;
  const whole = [detail.replaceAll('\n', ' '), why].filter((part) => part !== '').join(' -> ');
  face.audit.add({ who, from, action, ...reason, result, detail: whole });
}

function response(route: Route, served: Extract<Served, { ok: true }>['value']): ApiResponse {
  const { body } = served;
  const headers = { 'cache-control': 'no-store', ...served.headers };
  switch (route.answer.kind) {
    case 'json': {
      const type = { 'content-type': 'application/json' };
      return { status: 200, headers: { ...type, ...headers }, body: `${JSON.stringify(body)}\n` };
    }
    case 'text': {
      const type = { 'content-type': route.answer.type };
      return { status: 200, headers: { ...type, ...headers }, body: String(body) };
    }
    case 'stream': {
      const type = { 'content-type': 'text/event-stream' };
      return { status: 200, headers: { ...type, ...headers }, body: isBody(body) ? body : '' };
    }
  }
}

function isBody(body: unknown): body is Exclude<ApiResponse['body'], string> {
  return typeof body === 'function';
}

/** A problem as a response; the transport has a few of its own. */
export function refusal(problem: Problem): ApiResponse {
  const document = problemDocument(problem);
  const headers = { 'content-type': PROBLEM_TYPE, 'cache-control': 'no-store', ...problem.headers };
  return { status: document.status, headers, body: `${JSON.stringify(document)}\n` };
}

/** Answers that several callers may have, by what was asked. */
class SharedAnswers {
  readonly #made = new Map<
    string,
    { readonly until: number; readonly answer: Promise<ApiResponse> }
  >();

  answer(
    sharedMs: Milliseconds,
    target: string,
    make: () => Promise<ApiResponse>,
  ): Promise<ApiResponse> {
    // What has a query is asked by few, and there may be any number of queries.
    if (sharedMs === 0 || target.includes('?')) return make();
    const now = performance.now();
    const known = this.#made.get(target);
    if (known !== undefined && now < known.until) return known.answer;
    const answer = make();
    this.#made.set(target, { until: now + sharedMs, answer });
    return answer;
  }

  forget(): void {
    this.#made.clear();
  }
}

/** Routes by path; those with `{...}` are tried one by one. */
class Table {
  readonly #exact = new Map<string, Route[]>();
  readonly #patterns: { readonly pattern: RegExp; readonly routes: Route[] }[] = [];

  constructor(routes: readonly Route[]) {
    for (const route of routes) {
      const same = this.#exact.get(route.path);
      if (same !== undefined) same.push(route);
      else this.#exact.set(route.path, [route]);
    }
    for (const [path, same] of this.#exact) {
      if (!path.includes('{')) continue;
      const pattern = path.replaceAll('.', '\\.').replaceAll(/\{(\w+)\}/g, '(?<$1>[^/]+)');
      this.#patterns.push({ pattern: new RegExp(`^${pattern}$`), routes: same });
      this.#exact.delete(path);
    }
  }

  find(path: string) {
    const routes = this.#exact.get(path);
    if (routes !== undefined) return { routes, params: new Map<string, string>() };
    for (const { pattern, routes: same } of this.#patterns) {
      const found = pattern.exec(path);
      if (found !== null)
        return { routes: same, params: new Map(Object.entries(found.groups ?? {})) };
    }
    return undefined;
  }
}

/** The first of each name; what is no query is none. */
function queryOf(search: string): object {
  const pairs = [...new URLSearchParams(search)];
  return Object.fromEntries(pairs.reverse().filter(([name]) => name !== '__proto__'));
}

function split(text: string, at: string): readonly string[] {
  const index = text.indexOf(at);
  return index < 0 ? [text] : [text.slice(0, index), text.slice(index + 1)];
}

function cut(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
