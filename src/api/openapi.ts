/**
 * The table of routes as OpenAPI 3.1. The description is a committed file (openapi.json), so that a change of the API is
 * read in review, and a test holds the file against the table; `UPDATE=1` writes it anew.
 *
 * What makes JSON Schema of a schema is handed in: the library for it is needed when the file is made and not by a director.
 * Rejected: a framework that brings router, validation and description together: 112 kB for a table of thirty rows.
 * Source: OpenAPI 3.1; RFC 9457 for what a refusal looks like.
 */
import { PROBLEM_TYPE, PROBLEMS } from './problem.ts';
import type { Route, Schema } from './route.ts';
import { problem } from './schemas.ts';

export type JsonSchema = { readonly [name: string]: unknown };
/** `input`: what may be sent; `output`: what comes. */
export type ToJsonSchema = (schema: Schema, side: 'input' | 'output') => JsonSchema;

export function openApi(routes: readonly Route[], toJsonSchema: ToJsonSchema): object {
  const paths: { [path: string]: { [method: string]: object } } = {};
  for (const route of routes) {
    const operations = paths[route.path] ?? {};
    paths[route.path] = operations;
    operations[route.method.toLowerCase()] = operation(route, toJsonSchema);
  }
  const reasons = Object.entries(PROBLEMS).map(
    ([name, [status, about]]) => `${name} (${status}): ${about}`,
  );
  return {
    openapi: '3.1.0',
    info: {
      title: 'Piranha',
      version: '1',
      summary: 'The API of a director, on unix sockets of its run directory.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      description: [
        'Rights: `look`, `operate`, `change`, each with those before it. read.sock gives `look` and takes GET only.',
        `Refusals are ${PROBLEM_TYPE} with one of these reasons: ${reasons.join('; ')}.`,
      ].join('\n\n'),
    },
    servers: [
      { url: 'http://localhost', description: 'curl --unix-socket /run/piranha/pulse.sock' },
    ],
    paths,
    components: { schemas: { problem: toJsonSchema(problem, 'output') } },
  };
}

function operation(route: Route, toJsonSchema: ToJsonSchema): object {
  const { method, path, summary, right, isForPartner, body, longestBody } = route;
  const words = path
    .replace(/^\/(v1\/)?/, '')
    .replaceAll(/[{}]/g, '')
    .split(/[/.]/);
  const operationId = [method.toLowerCase(), ...words.map(capital)].join('');
  return {
    operationId,
    summary,
    'x-right': right,
    ...(isForPartner && { 'x-partner': true }),
    parameters: [...pathParameters(path), ...queryParameters(route, toJsonSchema)],
    ...(body !== undefined && {
      requestBody: {
        'x-longest-bytes': longestBody,
        content: { 'application/json': { schema: toJsonSchema(body, 'input') } },
      },
    }),
    responses: {
      200: { description: 'Done.', content: answerContent(route, toJsonSchema) },
      default: {
        description: 'Refused, and why.',
        content: { [PROBLEM_TYPE]: { schema: { $ref: '#/components/schemas/problem' } } },
      },
    },
  };
}

function answerContent({ answer }: Route, toJsonSchema: ToJsonSchema): object {
  switch (answer.kind) {
    case 'json':
      return { 'application/json': { schema: toJsonSchema(answer.schema, 'output') } };
    case 'text':
      return { [answer.type]: { schema: { type: 'string' } } };
    case 'stream': {
      const record = toJsonSchema(answer.schema, 'output');
      return { 'text/event-stream': { schema: { type: 'string' }, 'x-record': record } };
    }
  }
}

function pathParameters(path: string): readonly object[] {
  return Array.from(path.matchAll(/\{(\w+)\}/g), ([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
}

function queryParameters({ query }: Route, toJsonSchema: ToJsonSchema): readonly object[] {
  if (query === undefined) return [];
  const { properties, required } = toJsonSchema(query, 'input');
  const needed = Array.isArray(required) ? required : [];
  return Object.entries(Object(properties)).map(([name, schema]) => ({
    name,
    in: 'query',
    required: needed.includes(name),
    schema,
  }));
}

function capital(word: string): string {
  return word.slice(0, 1).toUpperCase() + word.slice(1);
}
