/** Routes about the virtual services: their table, an operator's word about a real server, a check made now. */
import * as v from 'valibot';
import { after, err, ok, type Result } from '../base/index.ts';
import { MAX_WEIGHT, OVERRIDE_KINDS, type Override } from '../core/index.ts';
import { servicesDocument } from '../director/index.ts';
import { PROBE_FAILURES } from '../model/index.ts';
import { STARTING } from './daemon-routes.ts';
import type { Problem } from './problem.ts';
import { document, jsonRoute, type Route } from './route.ts';
import { services, version } from './schemas.ts';

const KINDS = [...OVERRIDE_KINDS, 'lift'] as const;
const YEAR_MS = 365 * 24 * 3600 * 1000;
const TIME = 'forMs is a time in milliseconds, at most a year';
const KIND = `a target and a kind are wanted: ${KINDS.join(', ')}`;
const WEIGHT = `weight belongs to kind weight: a whole number from 0 to ${MAX_WEIGHT}`;
const weight = v.pipe(
  v.number(WEIGHT),
  v.integer(WEIGHT),
  v.minValue(0, WEIGHT),
  v.maxValue(MAX_WEIGHT, WEIGHT),
);
const name = v.pipe(v.string(), v.minLength(1), v.maxLength(256));

export const SERVICE_ROUTES: readonly Route[] = [
  jsonRoute({
    method: 'GET',
    path: '/v1/services',
    summary: 'The virtual services: their servers, weights, reasons, traffic, and overrides.',
    right: 'look',
    sharedMs: 200,
    answer: services,
    handle: (face) => {
      const runner = face.services();
      if (runner === undefined) return err(STARTING);
      const { state, plane, observed } = runner;
      return ok(servicesDocument(state, plane, observed, face.clock.now()));
    },
  }),
  jsonRoute({
    method: 'POST',
    path: '/v1/servers',
    summary:
      'Drain, disable, force up or weigh a real server (`server` or `service/server`), or lift what was said before.',
    right: 'operate',
    isForPartner: true,
    body: v.strictObject({
      target: v.pipe(v.string(KIND), v.minLength(1, KIND), v.maxLength(256)),
      kind: v.picklist(KINDS, KIND),
      weight: v.exactOptional(weight),
      forMs: v.exactOptional(
        v.pipe(v.number(TIME), v.minValue(1, TIME), v.maxValue(YEAR_MS, TIME)),
      ),
    }),
    answer: v.strictObject({ v: version, target: v.string(), kind: v.picklist(KINDS) }),
    handle: (face, { body: { target, kind, weight: wanted, forMs } }) => {
      const runner = face.services();
      if (runner === undefined) return err(STARTING);
      const word = wordOf(kind, wanted);
      if (!word.ok) return word;
      const until = forMs === undefined ? {} : { until: after(face.clock.now(), forMs) };
      const override = word.value === undefined ? undefined : { ...word.value, ...until };
      if (runner.override(target, override)) return document({ target, kind });
      const title = `no real server is called ${target}; names are server or service/server`;
      return err({ reason: 'no-such-resource', title });
    },
  }),
  jsonRoute({
    method: 'POST',
    path: '/v1/checks/run',
    summary: 'Probes a real server now, as its checks do; its health does not change by it.',
    right: 'operate',
    isAudited: false,
    body: v.strictObject({ service: name, server: name }),
    answer: v.strictObject({
      v: version,
      verdict: v.picklist(['up', 'down']),
      reason: v.exactOptional(v.picklist(PROBE_FAILURES)),
      detail: v.exactOptional(v.string()),
      tookMs: v.number(),
    }),
    handle: async (face, { body: { service, server } }) => {
      const runner = face.services();
      if (runner === undefined) return err(STARTING);
      const outcome = await runner.probeNow(service, server);
      if (outcome === undefined) {
        const title = `no virtual service ${service} has a server ${server}`;
        return err({ reason: 'no-such-resource', title });
      }
      const { verdict } = outcome;
      const tookMs = Math.round(outcome.tookMs * 10) / 10;
      if (verdict.isUp) return document({ verdict: 'up', tookMs });
      return document({ verdict: 'down', reason: verdict.reason, detail: verdict.detail, tookMs });
    },
  }),
];

/** What is said of a server; undefined: nothing any more. */
function wordOf(
  kind: (typeof KINDS)[number],
  wanted: number | undefined,
): Result<Override | undefined, Problem> {
  const wrong = err({ reason: 'bad-request', title: WEIGHT } as const);
  if (kind === 'weight') return wanted === undefined ? wrong : ok({ kind, weight: wanted });
  if (wanted !== undefined) return wrong;
  return ok(kind === 'lift' ? undefined : { kind });
}
