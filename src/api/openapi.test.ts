import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { toJsonSchema } from '@valibot/to-json-schema';
import { openApi } from './openapi.ts';
import type { Schema } from './route.ts';
import { ROUTES } from './routes.ts';

const FILE = join(import.meta.dirname, 'openapi.json');

function described(schema: Schema, side: 'input' | 'output') {
  const { $schema: _, ...rest } = toJsonSchema(schema, {
    typeMode: side,
    target: 'draft-2020-12',
    // A pattern of JSON Schema has the flag u by definition.
    overrideAction: ({ valibotAction, jsonSchema }) => {
      const { type, requirement }: { readonly type: string; readonly requirement?: unknown } =
        valibotAction;
      const isUnicode = requirement instanceof RegExp && requirement.flags === 'u';
      if (type !== 'regex' || !isUnicode) return undefined;
      return { ...jsonSchema, pattern: requirement.source };
    },
  });
  return rest;
}

test('openapi.json says what the table of routes says', () => {
  const made: unknown = JSON.parse(JSON.stringify(openApi(ROUTES, described)));
  if (process.env.UPDATE === '1') {
    writeFileSync(FILE, `${JSON.stringify(made, undefined, 2)}\n`);
    execFileSync('node_modules/.bin/biome', ['format', '--write', FILE]);
  }
  const committed: unknown = JSON.parse(readFileSync(FILE, 'utf8'));
  assert.deepEqual(committed, made, 'UPDATE=1 node --test src/api/openapi.test.ts writes it anew');
});

test('every operation has a name of its own', () => {
  const text = readFileSync(FILE, 'utf8');
  const ids = Array.from(text.matchAll(/"operationId": "(\w+)"/g), ([, id]) => id);
  assert.equal(ids.length, ROUTES.length);
  assert.equal(new Set(ids).size, ids.length);
});
