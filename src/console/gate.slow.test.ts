/** Who gets in: every method on every path, with and without a session, right or intent. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { allOf, ConsoleBed, cookieOf } from './console-under-test.ts';
import { FRONT_LIMITS } from './front.ts';
import { holds, RIGHTS } from './rights.ts';

const bed = new ConsoleBed();
/** Without TLS: for requests that end their connection, of which there are hundreds. */
const plain = new ConsoleBed();
before(async () => {
  // More requests than one address may make: here the gate is asked, not the door.
  const more = { limits: { ...FRONT_LIMITS, burst: 100_000 } };
  await bed.start({ more });
  await plain.start({ partner: false, tls: false, more });
});
after(async () => {
  await bed.close();
  await plain.close();
});

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE', 'PROPFIND'];
/** Each ends its connection: no HTTP verb, or a wish for a tunnel. */
const RAW_METHODS = ['CONNECT', 'BREW', 'get'];
const SIDES = ['local', 'partner'];

/** Everything that there is, and some that is not. */
function allPaths(): readonly string[] {
  const ofDirectors = bed.routes.flatMap(({ path }) =>
    SIDES.map((side) => `/api/${side}${path.replace(/\{\w+\}/g, '1')}`),
  );
  const own = ['/', '/logout', '/status.txt', '/status.json', '/api/session', '/api/stream'];
  const odd = [
    '/nothing',
    '//',
    '/login/',
    '/LOGIN',
    '/login/link/x',
    '/assets/',
    '/assets/../login',
  ];
  const escaped = ['/%6cogin', '/login%00', '/assets/index-B.js', '/assets/login-A.js%00', '*'];
  return [...new Set([...ofDirectors, ...own, ...odd, ...escaped])];
}

/** What the console says to one request, by its status line. */
async function statusOf(lines: readonly string[], body = ''): Promise<number> {
  const socket = await plain.raw();
  const answer = allOf(socket);
  socket.write(`${[...lines, 'host: x', 'connection: close', '', ''].join('\r\n')}${body}`);
  const [, status = ''] = (await answer).split(' ', 2);
  return Number(status);
}

describe('without a session', () => {
  test('every method on every path is 401, known or not, and nothing is changed', async () => {
    const before = bed.log.length;
    const body = '{"order":"takeover"}';
    const headers = { 'content-type': 'application/json', origin: bed.origin };
    const ask = async (method: string, path: string): Promise<number> => {
      if (!RAW_METHODS.includes(method)) {
        const hasBody = method !== 'GET' && method !== 'HEAD';
        return (await bed.ask(path, { method, headers, ...(hasBody && { body }) })).status;
      }
      const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
      const length = `content-length: ${body.length}`;
      return await statusOf([`${method} ${path} HTTP/1.1`, ...lines, length], body);
    };
    const jobs = allPaths().flatMap((path) =>
      [...METHODS, ...RAW_METHODS].map((method) => ({ method, path })),
    );
    const wrong: string[] = [];
    for (let start = 0; start < jobs.length; start += 24) {
      const batch = jobs.slice(start, start + 24).map(async ({ method, path }) => {
        const status = await ask(method, path);
        if (status !== 401) wrong.push(`${method} ${path}: ${status}`);
      });
      await Promise.all(batch);
    }
    assert.deepEqual(wrong, []);
    assert.ok(jobs.length > 500, `${jobs.length} requests`);
    assert.deepEqual(bed.log.slice(before), []);
    assert.equal(bed.console.access.sessions.size, 0);
  });

  test('an expectation, an upgrade and a body that never comes are no way in', async () => {
    for (const more of ['expect: 100-continue', 'expect: tea', 'upgrade: websocket']) {
      const head = ['POST /api/local/v1/role HTTP/1.1', 'content-length: 10', more];
      assert.equal(await statusOf([...head, 'connection: upgrade']), 401, more);
    }
  });

  test('a cookie of nobody, two cookies, and one of a wrong name are none', async () => {
    const ann = bed.logIn('change');
    const good = cookieOf(ann).cookie;
    const bad = [
      'x=1',
      `${good}x`,
      good.replace('__Host-', ''),
      good.replace('__Host-', '__host-'),
      `${good}; ${good}`,
      `__Host-piranha=${'A'.repeat(8000)}`,
      `a=b; ${good.slice(0, -1)}`,
    ];
    for (const cookie of bad) {
      const { status } = await bed.ask('/api/session', { headers: { cookie } });
      assert.equal(status, 401, cookie.slice(0, 80));
    }
    const { status } = await bed.ask('/api/session', { headers: { cookie: `a=b; ${good}` } });
    assert.equal(status, 200);
    bed.console.access.sessions.end(ann.session);
    assert.equal((await bed.ask('/api/session', { headers: { cookie: good } })).status, 401);
  });

  test('only the login page, its own assets and the login itself are open', async () => {
    const page = await bed.ask('/login');
    assert.equal(page.status, 200);
    assert.match(page.text, /login/);
    const asset = await bed.ask('/assets/login-A.js');
    assert.equal(asset.status, 200);
    assert.match(asset.headers['cache-control'] ?? '', /immutable/);
    const known = { 'if-none-match': asset.headers.etag ?? '' };
    assert.equal((await bed.ask('/assets/login-A.js', { headers: known })).status, 304);
    const packed = await bed.ask('/assets/login-A.js', {
      headers: { 'accept-encoding': 'gzip, br' },
    });
    assert.equal(packed.headers['content-encoding'], 'br');
    assert.equal((await bed.ask('/assets/index-B.js')).status, 401);
    for (const method of ['PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE']) {
      assert.equal((await bed.ask('/login', { method })).status, 401, method);
      assert.equal((await bed.ask('/assets/login-A.js', { method })).status, 401, method);
    }
    const wanted = await bed.ask('/', { headers: { accept: 'text/html' } });
    assert.equal(wanted.status, 401);
    assert.match(wanted.text, /<form>/);
  });
});

describe('with a session', () => {
  test('a change needs an origin of ours, JSON and the token of the session; else nothing happens', async () => {
    const session = bed.logIn('change');
    const path = '/api/local/v1/servers';
    const body = { target: 'web/a', kind: 'drain' };
    const other = bed.logIn('change').session.csrf;
    const forged: readonly Readonly<Record<string, string>>[] = [
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { origin: '' },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { 'sec-fetch-site': 'none' },
      { 'content-type': 'text/plain' },
      { 'content-type': 'application/x-www-form-urlencoded' },
      { 'content-type': 'multipart/form-data' },
      { 'piranha-csrf': '' },
      { 'piranha-csrf': other },
      { 'piranha-csrf': `${session.session.csrf}x` },
    ];
    for (const headers of forged) {
      const { status, json } = await bed.ask(path, { session, body, headers });
      assert.equal(status, 403, JSON.stringify(headers));
      assert.equal(json.get('reason'), 'forged');
    }
    const honest = { 'sec-fetch-site': 'same-origin', origin: 'null' };
    assert.equal((await bed.ask(path, { session, body, headers: honest })).status, 200);
    assert.equal((await bed.ask(path, { session, body })).status, 200);
  });

  test('each right may do what the table says, and the director is told who it was', async () => {
    for (const right of RIGHTS) {
      const session = bed.logIn(right, `user-${right}`);
      for (const { method, path, right: needed } of bed.routes) {
        if (method !== 'POST') continue;
        const asked = { session, body: { nonsense: true } };
        const { status, text } = await bed.ask(`/api/local${path}`, asked);
        const isAllowed = holds(right, needed);
        assert.equal(status === 403, !isAllowed, `${right} ${path}: ${status} ${text}`);
        if (isAllowed) assert.ok([400, 422, 428].includes(status), `${path}: ${status} ${text}`);
      }
    }
    const { text } = await bed.ask('/api/local/v1/audit', { session: bed.logIn('look') });
    assert.match(text, /"who":"user-change \(by /);
    assert.doesNotMatch(text, /user-look/);
  });

  test('the partner takes orders and a word about a real server, and no other change, with whatever right', async () => {
    const session = bed.logIn('change', 'ann');
    assert.equal((await bed.ask('/api/partner/v1/status', { session })).status, 200);
    for (const { method, path } of bed.routes) {
      if (method !== 'POST') continue;
      const asked = { session, body: { nonsense: true } };
      const { status, text } = await bed.ask(`/api/partner${path}`, asked);
      const isTaken = ['/v1/role', '/v1/servers'].includes(path);
      assert.equal(status, isTaken ? 400 : 403, `${path}: ${text}`);
      if (!isTaken) assert.match(text, /looked at and given orders from here/);
    }
  });

  test('an order to the partner stands in its audit with the name and the way, and needs the right here', async () => {
    const body = { target: 'web/b', kind: 'drain' };
    const denied = await bed.ask('/api/partner/v1/servers', { session: bed.logIn('look'), body });
    assert.equal(denied.status, 403);
    const session = bed.logIn('operate', 'olga');
    assert.equal((await bed.ask('/api/partner/v1/servers', { session, body })).status, 200);
    const there = await bed.ask('/api/partner/v1/audit', { session });
    assert.match(there.text, /"who":"olga \(through the (primary|backup)\)","from":"courier.sock"/);
    const here = await bed.ask('/api/local/v1/services', { session });
    assert.doesNotMatch(here.text, /"target":"web\/b"/);
    await bed.ask('/api/partner/v1/servers', { session, body: { ...body, kind: 'lift' } });
  });

  test('what the table does not list is not passed on, however it is written', async () => {
    const session = bed.logIn('change');
    const paths = [
      '/api/local/v2/status',
      '/api/local/v1/status/',
      '/api/local//v1/status',
      '/api/local/v1/../v1/status',
      '/api/local/v1/incidents/..',
      '/api/local/v1/incidents/a%2f..%2fb',
      '/api/local/v1/incidents/a%0d%0ax',
      '/api/local/v1/events',
      '/api/elsewhere/v1/status',
      '/api/local',
    ];
    for (const path of paths) {
      const { status } = await bed.ask(path, { session });
      assert.equal(status, 404, path);
    }
    const odd = await bed.ask('/api/local/v1/events/recent?limit=1%0d%0a', { session });
    assert.notEqual(odd.status, 200);
  });

  test('a known path with another method is 405 and says which are possible', async () => {
    const session = bed.logIn('change');
    for (const method of ['PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE']) {
      for (const path of ['/api/local/v1/status', '/', '/api/session', '/logout']) {
        const { status, headers } = await bed.ask(path, { method, session });
        const isLogout = path === '/logout';
        assert.equal(status, 405, `${method} ${path}`);
        assert.equal(headers.allow, isLogout ? 'POST' : 'GET');
      }
    }
  });

  test('logging out ends the session at once, and needs the token', async () => {
    const session = bed.logIn('look');
    const bad = { session, body: {}, headers: { 'piranha-csrf': 'x' } };
    assert.equal((await bed.ask('/logout', bad)).status, 403);
    assert.equal((await bed.ask('/api/session', { session })).status, 200);
    const out = await bed.ask('/logout', { session, body: {} });
    assert.equal(out.status, 200);
    assert.match(String(out.headers['set-cookie']), /Max-Age=0/);
    assert.equal((await bed.ask('/api/session', { session })).status, 401);
  });
});

test('every answer carries the policy, and none of ours may be kept', async () => {
  const session = bed.logIn('look');
  const paths = ['/', '/login', '/nothing', '/api/session', '/api/local/v1/status', '/status.txt'];
  for (const path of paths) {
    const { headers } = await bed.ask(path, { session });
    const policy = String(headers['content-security-policy']);
    assert.match(policy, /^default-src 'none'; script-src 'self';/, path);
    assert.doesNotMatch(policy, /unsafe|\*|http/);
    assert.equal(headers['x-content-type-options'], 'nosniff');
    assert.equal(headers['cache-control'], 'no-store', path);
  }
});

test('nothing that a stranger sends is written into the log as it is', async () => {
  const body = { user: 'ann\nconsole: login of root', password: 'correct horse battery' };
  const { status } = await bed.ask('/login', { body });
  assert.equal(status, 401);
  const said = bed.log.join('|');
  assert.doesNotMatch(said, /horse|login of root/);
  assert.match(said, /a name that is none/);
  assert.doesNotMatch(readFileSync(`${bed.directory}/console.crt`, 'utf8'), /PRIVATE/);
});
