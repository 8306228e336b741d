/** Routes about the director as a whole: status, orders, reload, and the description of this API. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import { err, ok } from '../base/index.ts';
import { ORDERS } from '../director/index.ts';
import type { Problem } from './problem.ts';
import { document, jsonRoute, type Route, textRoute } from './route.ts';
import { orderReport, status, version } from './schemas.ts';

export const STARTING: Problem = { reason: 'starting', title: 'the director is starting' };
const DAY_MS = 24 * 3600 * 1000;

export const DAEMON_ROUTES: readonly Route[] = [
  jsonRoute({
    method: 'GET',
    path: '/v1/status',
    summary: 'The director and its partner, the verdict in one sentence first.',
    right: 'look',
    sharedMs: 20,
    answer: status,
    handle: async (face) => {
      const told = await face.status();
      return told === undefined ? err(STARTING) : ok(told);
    },
  }),
  jsonRoute({
    method: 'GET',
    path: '/v1/role',
    summary:
      'The last order of an operator: its steps with their milliseconds, and whether it is done.',
    right: 'look',
    answer: orderReport,
    handle: (face) => {
      const report = face.orders.last();
      return report.ok ? report : err({ reason: report.error.reason, title: report.error.text });
    },
  }),
  jsonRoute({
    method: 'POST',
    path: '/v1/role',
    summary: 'Takeover, resign (for `forMs`), maintenance. Refused when it would leave no owner.',
    right: 'operate',
    isForPartner: true,
    body: v.strictObject({
      order: v.picklist(ORDERS, `an order is wanted: ${ORDERS.join(', ')}`),
      forMs: v.exactOptional(
        v.pipe(
          v.number(),
          v.minValue(1, 'forMs belongs to resign: milliseconds, at most a day'),
          v.maxValue(DAY_MS, 'forMs belongs to resign: milliseconds, at most a day'),
        ),
      ),
    }),
    answer: orderReport,
    handle: async (face, { body: { order, forMs } }) => {
      const report = await face.orders.give(order, forMs);
      return report.ok ? report : err({ reason: report.error.reason, title: report.error.text });
    },
  }),
  jsonRoute({
    method: 'POST',
    path: '/v1/reload',
    summary:
      'Reads lvs.cf anew, as HUP does, and says what changed; `isDryRun` only says what would.',
    right: 'operate',
    body: v.strictObject({ isDryRun: v.exactOptional(v.boolean()) }),
    answer: v.strictObject({ v: version, lines: v.array(v.string()) }),
    handle: async ({ configuration }, { body: { isDryRun } }) => {
      const outcome = await (isDryRun === true ? configuration.preview() : configuration.reload());
      if (outcome.ok) return document({ lines: outcome.value });
      return err({ reason: 'refused', title: 'the file is refused', lines: outcome.error });
    },
  }),
  textRoute({
    method: 'GET',
    path: '/metrics',
    summary:
      'This director and what it serves as Prometheus text; docs/metrics.md names every metric.',
    right: 'look',
    sharedMs: 500,
    type: 'text/plain; version=0.0.4; charset=utf-8',
    handle: async (face) => {
      const { metricsText } = await import('./metrics.ts');
      const text = await metricsText(face);
      return text === undefined ? err(STARTING) : ok(text);
    },
  }),
  textRoute({
    method: 'GET',
    path: '/v1/openapi.json',
    summary: 'This API as OpenAPI 3.1.',
    right: 'look',
    type: 'application/json',
    handle: async () =>
      ok(await readFile(join(import.meta.dirname, '../../src/api/openapi.json'), 'utf8')),
  }),
];
