/**
 * What may be asked of the virtual services and said to them over the director's socket:
 *
 *   GET  /v1/services                                the table with its health and traffic
 *   POST /v1/servers   { target, kind, forMs? }      drain, disable, force-up, or lift of an earlier word
 *   POST /v1/reload    { isDryRun }                  the file anew; a dry run only says what would change
 *
 * A refusal is a problem document whose `title` is a sentence for the operator.
 */
import { after, type Result } from '../base/index.ts';
import type { Override } from '../core/index.ts';
import type { Clock } from '../ports/index.ts';
import { servicesDocument } from './services-document.ts';
import type { ServicesRunner } from './services-runner.ts';
import type { Answer, Route, Routes } from './status-server.ts';

export type ReloadOutcome = Result<readonly string[], readonly string[]>;

const KINDS = ['drain', 'disable', 'force-up', 'lift'] as const;
const LONGEST_MS = 365 * 24 * 3600 * 1000;

export function servicesRoutes(
  services: () => ServicesRunner | undefined,
  reload: (isDryRun: boolean) => Promise<ReloadOutcome>,
  clock: Clock,
): Routes {
  return new Map<string, Route>([
    [
      '/v1/services',
      {
        GET: async () => {
          const runner = services();
          if (runner === undefined) return problem(503, 'the director is starting');
          const { state, plane, observed } = runner;
          return { code: 200, body: servicesDocument(state, plane, observed, clock.now()) };
        },
      },
    ],
    ['/v1/servers', { POST: async (body) => obey(services(), body, clock) }],
    [
      '/v1/reload',
      {
        POST: async (body) => {
          const outcome = await reload(field(body, 'isDryRun') === true);
          if (outcome.ok) return { code: 200, body: { lines: outcome.value } };
          return { code: 422, body: { title: 'the file is refused', lines: outcome.error } };
        },
      },
    ],
  ]);
}

function obey(runner: ServicesRunner | undefined, body: unknown, clock: Clock): Answer {
  if (runner === undefined) return problem(503, 'the director is starting');
  const [target, kind, forMs] = [field(body, 'target'), field(body, 'kind'), field(body, 'forMs')];
  const known = KINDS.find((word) => word === kind);
  if (typeof target !== 'string' || target === '' || known === undefined) {
    return problem(400, `a target and a kind are wanted: ${KINDS.join(', ')}`);
  }
  const isTime = typeof forMs === 'number' && forMs > 0 && forMs <= LONGEST_MS;
  if (forMs !== undefined && !isTime) {
    return problem(400, 'forMs is a time in milliseconds, at most a year');
  }
  let override: Override | undefined;
  if (known !== 'lift') {
    override = isTime ? { kind: known, until: after(clock.now(), forMs) } : { kind: known };
  }
  if (runner.override(target, override)) return { code: 200, body: { target, kind: known } };
  return problem(404, `no real server is called ${target}; names are server or service/server`);
}

function problem(code: number, title: string): Answer {
  return { code, body: { title, status: code } };
}

function field(body: unknown, name: string): unknown {
  if (typeof body !== 'object' || body === null) return undefined;
  return new Map(Object.entries(body)).get(name);
}
