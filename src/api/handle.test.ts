import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import * as v from 'valibot';
import { brokenLink, imagined } from '../director/index.ts';
import { fuzzApi } from './fuzz.ts';
import { apiOf } from './handle.ts';
import { METRICS_CONTENT_TYPE } from './metrics.ts';
import { jsonRoute, type Route } from './route.ts';
import { ROUTES } from './routes.ts';
import { problem } from './schemas.ts';
import { type ApiRequest, type Caller, type Handle, RIGHTS } from './types.ts';

const { ImaginedDirector } = await imagined();
let director: InstanceType<typeof ImaginedDirector>;
let handle: Handle;

before(async () => {
  director = new ImaginedDirector();
  await director.start();
  handle = apiOf(director.face);
});

after(() => director.close());

const ROOT: Caller = { who: 'root', from: 'pulse.sock', right: 'change', role: 'person' };
const READER: Caller = { who: 'uid 7', from: 'read.sock', right: 'look', role: 'reader' };
const PARTNER: Caller = {
  who: 'the primary',
  from: 'courier.sock',
  right: 'change',
  role: 'partner',
};

function request(
  method: string,
  target: string,
  body: unknown = {},
  headers: ApiRequest['headers'] = {},
): ApiRequest {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const bounded = async (limit: number) => (text.length > limit ? undefined : text);
  return { method, target, headers, body: bounded };
}

/** Asks, and holds the answer against its schema. */
async function ask(asked: ApiRequest, caller: Caller = ROOT) {
  const { status, headers, body } = await handle(asked, caller);
  assert.equal(typeof body, 'string');
  const isProblem = headers['content-type'] === 'application/problem+json';
  assert.equal(isProblem, status >= 400);
  const document: unknown = /json$/.test(headers['content-type'] ?? '')
    ? JSON.parse(`${body}`)
    : {};
  const path = asked.target.split('?')[0];
  const route = ROUTES.find((it) => it.path === path && it.method === asked.method);
  if (isProblem) v.parse(problem, document);
  else if (route?.answer.kind === 'json') v.parse(route.answer.schema, document);
  const fields = new Map(Object.entries(Object(document)));
  return { status, headers, text: String(body), fields };
}

function auditLines(): readonly string[] {
  const text = readFileSync(join(director.stateDirectory, 'audit.jsonl'), 'utf8');
  return text.trim().split('\n');
}

function lastAudit() {
  const entry: unknown = JSON.parse(auditLines().at(-1) ?? '');
  return new Map<string, unknown>(Object.entries(Object(entry)));
}

describe('answers', () => {
  test('every GET of the table is answered by its schema', async () => {
    for (const { method, path } of ROUTES) {
      if (method !== 'GET' || path.includes('{') || path === '/v1/events') continue;
      const { status, text } = await ask(request('GET', path), READER);
      // Some have nothing to show yet, and say so.
      const words = ['/v1/role', '/v1/config'].some((start) => path.startsWith(start));
      assert.ok(status === 200 || (words && status < 500), `${path}: ${text}`);
    }
  });

  test('status opens with the verdict', async () => {
    const { fields } = await ask(request('GET', '/v1/status'));
    assert.match(JSON.stringify(fields.get('verdict')), /This director is standby/);
    assert.equal(fields.get('node'), 'backup');
  });

  test('metrics are of the type that the library names', async () => {
    const { headers, text } = await ask(request('GET', '/metrics'));
    assert.equal(headers['content-type'], METRICS_CONTENT_TYPE);
    assert.match(text, /^piranha_role/m);
  });

  test('an order is followed, a second one at the same time is refused', async () => {
    director.partnerIs('stopped');
    const given = await Promise.all([
      ask(request('POST', '/v1/role', { order: 'maintenance-on' })),
      ask(request('POST', '/v1/role', { order: 'maintenance-off' })),
    ]);
    assert.deepEqual(
      given.map(({ status }) => status),
      [200, 409],
    );
    assert.equal(given[1].fields.get('reason'), 'busy');
    const { fields } = await ask(request('GET', '/v1/role'));
    assert.equal(fields.get('order'), 'maintenance-on');
    assert.equal(fields.get('state'), 'done');
    assert.equal(
      (await ask(request('POST', '/v1/role', { order: 'maintenance-off' }))).status,
      200,
    );
  });

  test('a server is drained for a time and comes back by a lift', async () => {
    const drain = { target: 'web/a', kind: 'drain', forMs: 60_000 };
    assert.equal((await ask(request('POST', '/v1/servers', drain))).status, 200);
    const { fields } = await ask(request('GET', '/v1/services'));
    assert.match(
      JSON.stringify(fields.get('overrides')),
      /"target":"web\/a","kind":"drain","leftMs":\d+/,
    );
    assert.equal(
      (await ask(request('POST', '/v1/servers', { target: 'web/a', kind: 'lift' }))).status,
      200,
    );
    const unknown = await ask(request('POST', '/v1/servers', { target: 'web/z', kind: 'drain' }));
    assert.equal(unknown.status, 404);
    assert.match(String(unknown.fields.get('title')), /no real server is called web\/z/);
  });

  test('a server is weighed, which is seen as an override, and its weight again by a lift', async () => {
    const weigh = { target: 'web/a', kind: 'weight', weight: 7, forMs: 60_000 };
    assert.equal((await ask(request('POST', '/v1/servers', weigh))).status, 200);
    const { fields } = await ask(request('GET', '/v1/services'));
    assert.match(
      JSON.stringify(fields.get('services')),
      /"name":"a"[^}]*"override":\{"target":"web\/a","kind":"weight","weight":7,"leftMs":\d+\}/,
    );
    const { text } = await ask(request('GET', '/metrics'));
    assert.match(text, /^piranha_overrides\{.*kind="weight".*\} 1$/m);
    await ask(request('POST', '/v1/servers', { target: 'web/a', kind: 'lift' }));
    const after = await ask(request('GET', '/v1/services'));
    assert.deepEqual(after.fields.get('overrides'), []);
  });

  test('a check made now says what it saw', async () => {
    const asked = request('POST', '/v1/checks/run', { service: 'mail', server: 'a' });
    const { status, fields } = await ask(asked);
    assert.equal(status, 200);
    assert.equal(fields.get('verdict'), 'down');
    assert.equal(fields.get('reason'), 'connect-refused');
    const nobody = request('POST', '/v1/checks/run', { service: 'mail', server: 'z' });
    assert.equal((await ask(nobody)).status, 404);
  });

  test('a file that cannot be run with is refused line by line', async () => {
    const { status, fields } = await ask(request('POST', '/v1/reload', { isDryRun: true }));
    assert.equal(status, 422);
    assert.equal(fields.get('reason'), 'refused');
    assert.ok(Array.isArray(fields.get('lines')));
  });
});

describe('what is wrong is said in a sentence', () => {
  const rows: readonly (readonly [string, ApiRequest, number, RegExp])[] = [
    ['a path', request('GET', '/v1/nothing'), 404, /there is nothing at \/v1\/nothing/],
    ['a method', request('DELETE', '/v1/role'), 405, /only GET, POST is possible here/],
    ['no JSON', request('POST', '/v1/role', '{"order"'), 400, /the body must be JSON/],
    [
      'too much',
      request('POST', '/v1/role', `"${'x'.repeat(70_000)}"`),
      413,
      /at most 65536 bytes/,
    ],
    [
      'an order',
      request('POST', '/v1/role', { order: 'explode' }),
      400,
      /an order is wanted: takeover/,
    ],
    [
      'a time',
      request('POST', '/v1/role', { order: 'resign', forMs: -1 }),
      400,
      /forMs belongs to resign/,
    ],
    [
      'another order’s',
      request('POST', '/v1/role', { order: 'takeover', forMs: 5 }),
      400,
      /forMs belongs to/,
    ],
    [
      'an unknown word',
      request('POST', '/v1/reload', { isDyRun: true }),
      400,
      /isDyRun in the body is not known/,
    ],
    [
      'a wrong type',
      request('POST', '/v1/reload', { isDryRun: 'yes' }),
      400,
      /isDryRun in the body: boolean is wanted, not "yes"/,
    ],
    ...[{ kind: 'weight' }, { kind: 'drain', weight: 5 }, { kind: 'weight', weight: 65_536 }].map(
      (word) =>
        [
          `a weight: ${JSON.stringify(word)}`,
          request('POST', '/v1/servers', { target: 'web/a', ...word }),
          400,
          /^weight belongs to kind weight: a whole number from 0 to 65535$/,
        ] as const,
    ),
    ['a list', request('POST', '/v1/reload', []), 400, /the body must be a JSON object/],
    ['a limit', request('GET', '/v1/audit?limit=0'), 400, /limit is a number from 1 to 1000/],
    ['a query', request('GET', '/v1/status?verbose=1'), 400, /verbose in the query is not known/],
    ['a place', request('GET', '/v1/events?since=yesterday'), 400, /is the id of a record/],
    [
      'a place to resume at',
      request('GET', '/v1/events', {}, { 'last-event-id': 'x' }),
      400,
      /is the id of a record/,
    ],
    ['an incident', request('GET', '/v1/incidents/..%2f..%2fpasswd'), 404, /no incident is called/],
  ];
  for (const [what, asked, status, title] of rows) {
    test(what, async () => {
      const answer = await ask(asked);
      assert.equal(answer.status, status, answer.text);
      assert.match(String(answer.fields.get('title')), title);
    });
  }

  test('405 names what is possible', async () => {
    assert.equal((await ask(request('PUT', '/v1/reload'))).headers.allow, 'POST');
  });
});

describe('rights', () => {
  test('every route and every method, by everybody who has not the right to it: refused, nothing changed', async () => {
    const callers: readonly Caller[] = [
      READER,
      PARTNER,
      ...RIGHTS.map((right) => ({ ...ROOT, right })),
    ];
    const state = director.fingerprint();
    let denied = 0;
    for (const { path, right } of ROUTES) {
      for (const method of [
        'GET',
        'POST',
        'PUT',
        'PATCH',
        'DELETE',
        'HEAD',
        'OPTIONS',
        'TRACE',
        'x',
      ]) {
        const exists = ROUTES.find((it) => it.path === path && it.method === method);
        for (const caller of callers) {
          const mayPartner =
            caller.role === 'partner' && (method === 'GET' || exists?.isForPartner === true);
          const mayPerson =
            caller.role === 'person' &&
            RIGHTS.indexOf(caller.right) >= RIGHTS.indexOf(exists?.right ?? right);
          const mayReader = caller.role === 'reader' && method === 'GET';
          if (exists !== undefined && (mayPartner || mayPerson || mayReader)) continue;
          const { status } = await ask(request(method, path.replace(/\{\w+\}/, 'x')), caller);
          assert.equal(status, exists === undefined ? 405 : 403, `${method} ${path} ${caller.who}`);
          if (exists !== undefined) denied++;
        }
      }
    }
    assert.ok(denied > 10, `${denied} denied`);
    assert.equal(director.fingerprint(), state);
  });

  test('no body is read of one who may not send it', async () => {
    const body = () => assert.fail('the body was read');
    const { status } = await ask({ ...request('POST', '/v1/role'), body }, READER);
    assert.equal(status, 403);
  });

  test('who asks for another gives rights up and is named with him', async () => {
    const headers = { 'piranha-user': 'alice', 'piranha-right': 'look' };
    const lift = { target: 'web/b', kind: 'lift' };
    const denied = await ask(request('POST', '/v1/servers', lift, headers));
    assert.equal(denied.status, 403);
    const done = await ask(request('POST', '/v1/servers', lift, { 'piranha-user': 'alice' }));
    assert.equal(done.status, 200);
    assert.equal(lastAudit().get('who'), 'alice (by root)');
    const more = request('POST', '/v1/role', { order: 'takeover' }, { 'piranha-right': 'change' });
    assert.equal((await ask(more, READER)).status, 403);
  });
});

describe('through the partner', () => {
  const drain = { target: 'web/b', kind: 'drain' };
  const alice = { 'piranha-user': 'alice' };

  test('orders and overrides are taken, and written under who gave them there', async () => {
    assert.equal((await ask(request('POST', '/v1/servers', drain, alice), PARTNER)).status, 200);
    assert.equal(lastAudit().get('who'), 'alice (through the primary)');
    assert.equal(lastAudit().get('from'), 'courier.sock');
    const lift = { target: 'web/b', kind: 'lift' };
    assert.equal((await ask(request('POST', '/v1/servers', lift), PARTNER)).status, 200);
    assert.equal(lastAudit().get('who'), 'the primary');
    director.partnerIs('stopped');
    for (const order of ['maintenance-on', 'maintenance-off']) {
      const asked = request('POST', '/v1/role', { order }, alice);
      assert.equal((await ask(asked, PARTNER)).status, 200, order);
    }
  });

  test('who may only look there may only look here', async () => {
    const state = director.fingerprint();
    const headers = { ...alice, 'piranha-right': 'look' };
    for (const [path, body] of [
      ['/v1/servers', drain],
      ['/v1/role', { order: 'maintenance-on' }],
      ['/v1/config/confirm', { isHalf: true }],
      ['/v1/config/rollback', { isHalf: true }],
    ] as const) {
      const { status, fields } = await ask(request('POST', path, body, headers), PARTNER);
      assert.equal(status, 403, path);
      assert.match(String(fields.get('title')), /^this needs the right to (operate|change)/);
    }
    assert.equal(director.fingerprint(), state);
  });

  test('who operates there does not change the configuration here', async () => {
    const headers = { ...alice, 'piranha-right': 'operate' };
    const apply = request('POST', '/v1/config/apply', { text: '', isHalf: true }, headers);
    assert.equal((await ask(apply, PARTNER)).status, 403);
  });

  test('a reload is not for the partner, and it is said what is', async () => {
    const { status, fields } = await ask(request('POST', '/v1/reload', {}, alice), PARTNER);
    assert.equal(status, 403);
    assert.match(String(fields.get('title')), /^through the partner there is looking, orders/);
  });

  test('a name is cut, and of printable characters', async () => {
    const name = { 'piranha-user': `a\r\nb${'c'.repeat(200)}` };
    await ask(request('POST', '/v1/servers', drain, name), PARTNER);
    const who = String(lastAudit().get('who'));
    assert.match(who, /^a\?\?bc{60} \(through the primary\)$/);
    await ask(request('POST', '/v1/servers', { ...drain, kind: 'lift' }));
  });
});

describe('the audit', () => {
  test('holds who, from where, what and the result, chained line by line', async () => {
    await ask(request('POST', '/v1/servers', { target: 'web/b', kind: 'drain' }));
    const done = lastAudit();
    assert.equal(done.get('who'), 'root');
    assert.equal(done.get('from'), 'pulse.sock');
    assert.equal(done.get('action'), 'POST /v1/servers');
    assert.equal(done.get('result'), 'done');
    assert.match(String(done.get('detail')), /"target":"web\/b"/);
    await ask(request('POST', '/v1/servers', { target: 'nobody', kind: 'drain' }));
    assert.equal(lastAudit().get('result'), 'refused');
    assert.match(String(lastAudit().get('detail')), /no real server is called nobody/);
    assert.equal(brokenLink(auditLines(), '0'.repeat(64)), undefined);
    const { fields } = await ask(request('GET', '/v1/audit?limit=2'));
    assert.match(JSON.stringify(fields.get('entries')), /web\/b.*nobody/);
  });

  test('what only looks is no entry', async () => {
    const before = auditLines().length;
    await ask(request('GET', '/v1/status'));
    await ask(request('POST', '/v1/checks/run', { service: 'mail', server: 'a' }));
    assert.equal(auditLines().length, before);
  });

  test('is an event, too', async () => {
    await ask(request('POST', '/v1/servers', { target: 'web/b', kind: 'lift' }));
    const { fields } = await ask(request('GET', '/v1/events/recent?limit=1'));
    assert.match(JSON.stringify(fields.get('events')), /"kind":"audit".*POST \/v1\/servers/);
  });
});

test('a defect of ours is a 500 that is logged, and the next question is answered', async () => {
  const broken: Route = jsonRoute({
    method: 'GET',
    path: '/v1/broken',
    summary: 'For this test.',
    right: 'look',
    answer: v.strictObject({}),
    handle: () => {
      throw new Error('a wheel came off');
    },
  });
  const api = apiOf(director.face, [...ROUTES, broken]);
  const { status, body } = await api(request('GET', '/v1/broken'), READER);
  assert.equal(status, 500);
  assert.match(String(body), /a wheel came off/);
  assert.ok(director.log.some((line) => line.includes('api: GET /v1/broken: Error: a wheel')));
  assert.equal((await api(request('GET', '/v1/status'), READER)).status, 200);
});

test('2,000 calls made from openapi.json: no 500, nothing changed without the right to it', async () => {
  let state = 140_414;
  const dice = (below: number): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
  const subject = { handle, fingerprint: () => director.fingerprint() };
  const { statuses, operations, unauthorised } = await fuzzApi(subject, 2000, dice);
  assert.equal(operations.size, ROUTES.length);
  for (const status of [200, 400, 403, 404, 405]) assert.ok(statuses.has(status), `no ${status}`);
  assert.ok(unauthorised > 200, `${unauthorised}`);
});

test('every answer is counted for metrics by the socket it went out on, a refused one as refused', async () => {
  const own = new ImaginedDirector();
  await own.start();
  try {
    const asking = apiOf(own.face);
    await asking(request('GET', '/v1/status'), READER);
    await asking(request('POST', '/v1/role', { order: 'resign' }), READER);
    const { body } = await asking(request('GET', '/metrics'), ROOT);
    const text = String(body);
    assert.match(text, /^piranha_api_answers_total\{socket="read.sock",code="2xx"\} 1$/m);
    assert.match(text, /^piranha_api_answers_total\{socket="read.sock",code="4xx"\} 1$/m);
    assert.match(
      text,
      /^piranha_audit_actions_total\{action="POST \/v1\/role",result="denied"\} 1$/m,
    );
  } finally {
    own.close();
  }
});

test('events are filtered here, not by whoever asks; what is no place in time is refused', async () => {
  const { events } = director.face;
  const { id } = events.add({ kind: 'start', text: 'the mark' });
  events.add({ kind: 'start', text: 'after it' });
  const asked = await ask(request('GET', `/v1/events/recent?since=${id}`));
  const found = asked.fields.get('events');
  assert.deepEqual(Array.isArray(found) && found.map(({ text }) => text), ['after it']);
  const later = await ask(request('GET', '/v1/events/recent?since=2999-01-01T00:00:00Z'));
  assert.deepEqual(later.fields.get('events'), []);
  for (const wrong of ['yesterday', '2026-99-99T00:00:00Z', '']) {
    const refused = await ask(request('GET', `/v1/events/recent?since=${wrong}`));
    assert.equal(refused.status, 400, wrong);
    assert.match(String(refused.fields.get('title')), /^since is the id of a record/);
  }
});
