/**
 * Calls made from the API's own description, right ones and wrong ones, by callers with every right: nothing may be answered
 * with 500, every answer is of its schema, and what a caller may not do changes nothing. The judge of rights is the
 * description, not the code that decides.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { imagined } from '../director/index.ts';
import { apiOf } from './handle.ts';
import { ROUTES } from './routes.ts';
import { problem } from './schemas.ts';
import { type ApiResponse, type Caller, type Handle, RIGHTS } from './types.ts';

export type Dice = (below: number) => number;
export type FuzzSubject = {
  readonly handle: Handle;
  /** What only a caller with the right to it may change, as text. */
  readonly fingerprint: () => string;
};
export type ApiTally = {
  /** Answers by status. */
  readonly statuses: ReadonlyMap<number, number>;
  /** Calls by operation. */
  readonly operations: ReadonlyMap<string, number>;
  /** By callers without the right to it. */
  readonly unauthorised: number;
};

type Json = { readonly [name: string]: unknown };
type Operation = {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  readonly right: string;
  readonly isForPartner: boolean;
  readonly parameters: readonly Json[];
  readonly body: Json | undefined;
};

const CALLERS: readonly Caller[] = [
  { who: 'uid 65534', from: 'read.sock', right: 'look', role: 'reader' },
  ...RIGHTS.map((right) => ({ who: right, from: 'pulse.sock', right, role: 'person' }) as const),
  { who: 'the primary', from: 'courier.sock', right: 'change', role: 'partner' },
];
const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS', 'TRACE', 'get', ''];
const STRINGS = [
  ...[
    '',
    ' ',
    'web',
    'a',
    'web/a',
    'mail',
    '198.51.100.100',
    '0',
    '-1',
    '1e999',
    '../../etc/passwd',
  ],
  ...[
    '%2e%2e%2f',
    '__proto__',
    'constructor',
    '\u0000',
    '\ud800',
    'ü',
    '{{7*7}}',
    "' or 1=1",
    '$(id)',
  ],
  ...['1795370400000.1', '1.1', '9999999999999999.9999999999999999', '"00"', '*', 'x'.repeat(5000)],
];
const VALUES: readonly unknown[] = [
  ...[null, true, false, 0, -1, 0.5, 1e308, -1e308, 2 ** 53, [], {}, [[]], [null], { a: 1 }],
  ...[{ toString: 1 }, { length: -1 }, ...STRINGS],
];

/** Throws at the first call that is answered wrongly, with the call. */
export async function fuzzApi(subject: FuzzSubject, calls: number, dice: Dice): Promise<ApiTally> {
  const operations = described();
  const statuses = new Map<number, number>();
  const seen = new Map<string, number>();
  let unauthorised = 0;
  for (let index = 0; index < calls; index++) {
    const operation = pick(operations, dice);
    const caller = pick(CALLERS, dice);
    const request = requestFor(operation, dice);
    const asked = request.headers['piranha-right'];
    const mayNot = !isAllowed(operation, caller, asked) && request.isPlain;
    const before = mayNot ? subject.fingerprint() : '';
    const response = await subject.handle(request, caller);
    const call = `${request.method} ${request.target} ${request.text} by ${caller.who}`;
    judge(operation, request.isPlain, response, call);
    if (mayNot) {
      unauthorised++;
      if (response.status !== 403) throw new Error(`${response.status} instead of 403: ${call}`);
      if (subject.fingerprint() !== before) throw new Error(`changed something: ${call}`);
    }
    statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
    seen.set(operation.id, (seen.get(operation.id) ?? 0) + 1);
  }
  return { statuses, operations: seen, unauthorised };
}

/** The same against the API of a director on an imagined machine. */
export async function fuzzImaginedDirector(calls: number, dice: Dice): Promise<ApiTally> {
  const { ImaginedDirector } = await imagined();
  const director = new ImaginedDirector();
  await director.start();
  const subject = {
    handle: apiOf(director.face),
    fingerprint: () => director.fingerprint(),
  };
  try {
    return await fuzzApi(subject, calls, dice);
  } finally {
    await director.close();
  }
}

/** By the description: `x-right`, `x-partner`, and what a caller gives up of his own. */
function isAllowed(
  operation: Operation,
  { role, right }: Caller,
  given: string | undefined,
): boolean {
  const isShut = role === 'reader' || (role === 'partner' && !operation.isForPartner);
  if (isShut && operation.method !== 'GET') return false;
  const ranks: readonly string[] = RIGHTS;
  const asked = ranks.indexOf(given ?? '');
  const held = asked < 0 ? ranks.indexOf(right) : Math.min(asked, ranks.indexOf(right));
  return held >= ranks.indexOf(operation.right);
}

function judge(operation: Operation, isPlain: boolean, response: ApiResponse, call: string): void {
  const { status, headers, body } = response;
  if (status >= 500 && status !== 503) throw new Error(`${status} for ${call}: ${String(body)}`);
  if (typeof body !== 'string') {
    let written = 0;
    const sink = { write: () => ++written < 100, onRoom: () => {}, end: () => {} };
    body(sink)();
    return;
  }
  const isJson =
    headers['content-type']?.includes('json') === true && !call.includes('/incidents/');
  if (!isJson) return;
  const document: unknown = JSON.parse(body);
  const route = ROUTES.find(
    ({ path, method }) => path === operation.path && method === operation.method,
  );
  const answer = route?.answer;
  const schema =
    status >= 400 ? problem : answer?.kind === 'json' && isPlain ? answer.schema : v.unknown();
  const { issues } = v.safeParse(schema, document);
  if (issues !== undefined)
    throw new Error(`${issues[0].message} in the answer to ${call}: ${body}`);
}

function requestFor(operation: Operation, dice: Dice) {
  const isPlain = dice(8) > 0;
  const method = isPlain ? operation.method : pick(METHODS, dice);
  const path = operation.path.replaceAll(
    /\{\w+\}/g,
    () => encodeURI(wellFormed(pick(STRINGS, dice))) || 'x',
  );
  const search = operation.parameters
    .filter((parameter) => parameter.in === 'query' && dice(3) > 0)
    .map(
      ({ name }) =>
        `${String(name)}=${encodeURIComponent(wellFormed(pick([...STRINGS, '5'], dice)))}`,
    );
  if (dice(10) === 0) search.push(`${encodeURIComponent(wellFormed(pick(STRINGS, dice)))}=1`);
  const isBent = !isPlain && dice(2) === 0;
  const target = `${path.replaceAll('?', '')}${isBent ? pick(STRINGS, dice) : ''}${search.length > 0 ? `?${search.join('&')}` : ''}`;
  const text = bodyFor(operation, dice);
  return {
    method,
    target,
    headers: headersFor(dice),
    text: text.slice(0, 300),
    /** Method and path are those of the description. */
    isPlain,
    body: async (limit: number) => (text.length > limit ? undefined : text),
  };
}

function headersFor(dice: Dice): { readonly [name: string]: string } {
  const names = ['piranha-user', 'piranha-right', 'last-event-id', 'if-match', 'x'];
  const headers: { [name: string]: string } = {};
  for (const name of names) {
    if (dice(4) === 0) headers[name] = dice(3) === 0 ? pick(RIGHTS, dice) : pick(STRINGS, dice);
  }
  return headers;
}

function bodyFor({ body }: Operation, dice: Dice): string {
  if (dice(12) === 0)
    return pick(
      ['', '{', 'null', '[]', '"x"', '{"a":', '['.repeat(5000), 'x'.repeat(70_000)],
      dice,
    );
  const value = body === undefined ? pick(VALUES, dice) : valueFor(body, dice);
  return JSON.stringify(value) ?? 'null';
}

/** Mostly a value of the schema, at each place sometimes another. */
function valueFor(schema: Json, dice: Dice): unknown {
  if (dice(9) === 0) return pick(VALUES, dice);
  if (Array.isArray(schema.enum)) return pick(schema.enum, dice);
  if ('const' in schema) return schema.const;
  for (const word of ['anyOf', 'oneOf']) {
    const choices = schema[word];
    if (Array.isArray(choices)) return valueFor(Object(pick(choices, dice)), dice);
  }
  switch (schema.type) {
    case 'object': {
      const value: { [name: string]: unknown } = {};
      const needed = Array.isArray(schema.required) ? schema.required : [];
      for (const [name, inner] of Object.entries(Object(schema.properties))) {
        if (needed.includes(name) ? dice(20) > 0 : dice(2) === 0)
          value[name] = valueFor(Object(inner), dice);
      }
      if (dice(20) === 0) value[pick(STRINGS, dice)] = 1;
      return value;
    }
    case 'array':
      return Array.from({ length: dice(4) }, () => valueFor(Object(schema.items), dice));
    case 'number':
    case 'integer':
      return Number(schema.minimum ?? 0) + dice(2000);
    case 'boolean':
      return dice(2) === 0;
    default:
      return pick(STRINGS, dice);
  }
}

/** The operations of the committed description. */
function described(): readonly Operation[] {
  const whole = read(JSON.parse(readFileSync(join(import.meta.dirname, 'openapi.json'), 'utf8')));
  return Object.entries(read(whole.paths)).flatMap(([path, methods]) =>
    Object.entries(read(methods)).map(([method, found]) => {
      const it = read(found);
      const content = read(read(it.requestBody).content);
      const schema = read(content['application/json']).schema;
      return {
        id: String(it.operationId),
        method: method.toUpperCase(),
        path,
        right: String(it['x-right']),
        isForPartner: it['x-partner'] === true,
        parameters: Array.isArray(it.parameters) ? it.parameters.map(read) : [],
        body: schema === undefined ? undefined : read(schema),
      };
    }),
  );
}

function read(value: unknown): Json {
  return Object(value ?? {});
}

function wellFormed(text: string): string {
  return text.replaceAll(/[\ud800-\udfff]/g, '?');
}

function pick<T>(choices: readonly T[], dice: Dice): T {
  const chosen = choices[dice(choices.length)];
  if (chosen === undefined) throw new Error('nothing to choose from');
  return chosen;
}
