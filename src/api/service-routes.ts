/** Routes about the virtual services: their table, an operator's word about a real server, a check made now. */
import * as v from 'valibot';
import { after, err, ok } from '../base/index.ts';
import { servicesDocument } from '../director/index.ts';
import { PROBE_FAILURES } from '../model/index.ts';
import { STARTING } from './daemon-routes.ts';
import { document, jsonRoute, type Route } from './route.ts';
import { services, version } from './schemas.ts';

const KINDS = ['drain', 'disable', 'force-up', 'lift'] as const;
const YEAR_MS = 365 * 24 * 3600 * 1000;
const TIME = 'forMs is a time in milliseconds, at most a year';
const KIND = `a target and a kind are wanted: ${KINDS.join(', ')}`;
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
      'Drain, disable or force up a real server (`server` or `service/server`), or lift what was said before.',
    right: 'operate',
    isForPartner: true,
    body: v.strictObject({
      target: v.pipe(v.string(KIND), v.minLength(1, KIND), v.maxLength(256)),
      kind: v.picklist(KINDS, KIND),
      forMs: v.exactOptional(
        v.pipe(v.number(TIME), v.minValue(1, TIME), v.maxValue(YEAR_MS, TIME)),
      ),
    }),
    answer: v.strictObject({ v: version, target: v.string(), kind: v.picklist(KINDS) }),
    handle: (face, { body: { target, kind, forMs } }) => {
      const runner = face.services();
      if (runner === undefined) return err(STARTING);
      const until = forMs === undefined ? {} : { until: after(face.clock.now(), forMs) };
      const override = kind === 'lift' ? undefined : { kind, ...until };
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
