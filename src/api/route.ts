/**
 * A route: one row of the table that requests, OpenAPI, documents and tests are all made from.
 *
 * The schemas stand in the row; what a handler gets has passed them and has their types, and what it gives is of the
 * answer's type. A handler answers with a value or with a Problem and knows nothing of HTTP beyond a header or two.
 */
import * as v from 'valibot';
import { err, type Milliseconds, type Ok, ok, type Result } from '../base/index.ts';
import type { DirectorFace } from '../director/index.ts';
import type { Problem } from './problem.ts';
import type { ApiResponse, Caller, Headers, Right } from './types.ts';

export type Schema = v.GenericSchema;
export type Method = 'GET' | 'POST';

/** What every route gets beside its query and its body. */
export type Asked = {
  readonly caller: Caller;
  readonly headers: Headers;
  /** `{id}` of the path. */
  readonly params: ReadonlyMap<string, string>;
};
export type Call<Q, B> = Asked & { readonly query: Q; readonly body: B };
export type Reply<T> = Result<DeepReadonly<T>, Problem> & { readonly headers?: Headers };
export type Body = Exclude<ApiResponse['body'], string>;

/** Schemas describe mutable values, our documents are readonly ones. */
export type DeepReadonly<T> = T extends readonly (infer U)[]
  ? readonly DeepReadonly<U>[]
  : T extends object
    ? { readonly [K in keyof T]: DeepReadonly<T[K]> }
    : T;

/** A document of the API's first version. */
export function document<const T extends object>(fields: T): Ok<{ readonly v: 1 } & T> {
  return ok({ v: 1, ...fields });
}

type Frame = {
  readonly method: Method;
  /** `/v1/incidents/{id}` */
  readonly path: string;
  /** One line, for OpenAPI and the documents. */
  readonly summary: string;
  readonly right: Right;
  /** May the partner's director ask it, although it is no GET? */
  readonly isForPartner?: boolean;
  /** Does it change something, so that it belongs in the audit? Absent: every POST does. */
  readonly isAudited?: boolean;
  /** In bytes; absent: 64 KiB. */
  readonly longestBody?: number;
  /**
   * Those who ask for the same within this time share one answer, so that a thousand readers cost what one does. Any change
   * through the API ends it. Absent: each has his own.
   */
  readonly sharedMs?: Milliseconds;
};

export type AnswerKind =
  | { readonly kind: 'json'; readonly schema: Schema }
  | { readonly kind: 'text'; readonly type: string }
  /** Server-sent events, each with a record of this schema. */
  | { readonly kind: 'stream'; readonly schema: Schema };

export type Route = Required<Frame> & {
  readonly query: Schema | undefined;
  readonly body: Schema | undefined;
  readonly answer: AnswerKind;
  /** What the audit says was asked: of a body that was accepted. */
  readonly detail: (body: unknown) => string;
  readonly serve: (face: DirectorFace, call: Call<unknown, unknown>) => Promise<Served>;
};
/** The checked answer, before it becomes bytes. */
export type Served = Result<{ readonly body: unknown; readonly headers?: Headers }, Problem>;

type Parts<Q extends Schema, B extends Schema> = Frame & {
  /** An object of texts, as they come in a query. */
  readonly query?: Q;
  readonly body?: B;
  /** One line for the audit; absent: the body as JSON. */
  readonly detail?: (body: v.InferOutput<B>) => string;
};
type MayWait<T> = T | Promise<T>;

export const LONGEST_BODY = 65_536;
const NOTHING = v.optional(v.strictObject({}), {});
type Nothing = typeof NOTHING;

/** A route that answers with a JSON document. */
export function jsonRoute<A extends Schema, Q extends Schema = Nothing, B extends Schema = Nothing>(
  parts: Parts<Q, B> & {
    readonly answer: A;
    readonly handle: (
      face: DirectorFace,
      call: Call<v.InferOutput<Q>, v.InferOutput<B>>,
    ) => MayWait<Reply<v.InferOutput<A>>>;
  },
): Route {
  return route(parts, { kind: 'json', schema: parts.answer }, parts.handle);
}

/** A route that answers with a text of this media type. */
export function textRoute<Q extends Schema = Nothing>(
  parts: Parts<Q, Nothing> & {
    readonly type: string;
    readonly handle: (
      face: DirectorFace,
      call: Call<v.InferOutput<Q>, unknown>,
    ) => MayWait<Reply<string>>;
  },
): Route {
  return route(parts, { kind: 'text', type: parts.type }, parts.handle);
}

/** A route that answers with server-sent events for as long as the reader stays. */
export function streamRoute<Q extends Schema = Nothing>(
  parts: Parts<Q, Nothing> & {
    readonly record: Schema;
    readonly handle: (
      face: DirectorFace,
      call: Call<v.InferOutput<Q>, unknown>,
    ) => Result<Body, Problem>;
  },
): Route {
  return route(parts, { kind: 'stream', schema: parts.record }, parts.handle);
}

function route<Q extends Schema, B extends Schema>(
  parts: Parts<Q, B>,
  answer: AnswerKind,
  handle: (
    face: DirectorFace,
    call: Call<v.InferOutput<Q>, v.InferOutput<B>>,
  ) => MayWait<Result<unknown, Problem> & { readonly headers?: Headers }>,
): Route {
  const { method, path, summary, right, query, body, detail } = parts;
  return {
    method,
    path,
    summary,
    right,
    query,
    body,
    answer,
    isForPartner: parts.isForPartner ?? false,
    isAudited: parts.isAudited ?? method === 'POST',
    longestBody: parts.longestBody ?? LONGEST_BODY,
    sharedMs: parts.sharedMs ?? 0,
    detail: (value) => {
      if (detail === undefined || body === undefined) return JSON.stringify(value);
      const checked = v.safeParse(body, value);
      return checked.success ? detail(checked.output) : '';
    },
    serve: async (face, call) => {
      const asked = check(query ?? NOTHING, call.query, 'the query');
      if (!asked.ok) return asked;
      const told = check(body ?? NOTHING, call.body, 'the body');
      if (!told.ok) return told;
      const reply = await handle(face, { ...call, query: asked.value, body: told.value });
      if (!reply.ok) return reply;
      const { headers } = reply;
      return { ok: true, value: { body: reply.value, ...(headers !== undefined && { headers }) } };
    },
  };
}

/** The first thing that is wrong, in one sentence; where a schema has its own, that. */
function check<S extends Schema>(
  schema: S,
  value: unknown,
  where: string,
): Result<v.InferOutput<S>, Problem> {
  const result = v.safeParse(schema, value, { abortEarly: true });
  if (result.success) return { ok: true, value: result.output };
  const [issue] = result.issues;
  return err({ reason: 'bad-request', title: sentenceOf(issue, where) });
}

function sentenceOf(issue: v.BaseIssue<unknown>, where: string): string {
  const path = v.getDotPath(issue);
  const place = path === null ? where : `${path} in ${where}`;
  const isOurs = !/^Invalid \w+: /.test(issue.message);
  if (isOurs) return issue.message;
  if (issue.expected === 'never') return `${place} is not known`;
  if (issue.received === 'undefined') return `${place} is missing`;
  return `${place}: ${issue.expected ?? 'something else'} is wanted, not ${cut(issue.received)}`;
}

function cut(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
