/** What is shown: pages without scripts, answers passed on, and the stream. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { allOf, ConsoleBed, type StreamEvent } from './console-under-test.ts';
import { EventStreamParser, type Happening } from './news-source.ts';
import { ServicesMemory } from './services-delta.ts';
import { MOST_OF_A_SESSION } from './stream.ts';

const bed = new ConsoleBed();
before(() => bed.start());
after(() => bed.close());

async function until(isTrue: () => boolean, what: string): Promise<void> {
  for (let left = 400; !isTrue(); left--) {
    assert.ok(left > 0, `waited for ${what}`);
    await sleep(10);
  }
}

const of = (events: readonly StreamEvent[], name: string, side: string) =>
  events.filter((event) => event.name === name && event.data.get('side') === side);

/** All rows that were sent after the first whole. */
function rowsText(events: readonly StreamEvent[]): string {
  return JSON.stringify(of(events, 'rows', 'local').map(({ data }) => data.get('services')));
}

describe('without a script', () => {
  test('the first page says the verdict of both nodes, and how to log out', async () => {
    const session = bed.logIn('look');
    const { status, text } = await bed.ask('/', { session });
    assert.equal(status, 200);
    assert.match(text, /data-side="local" data-level="degraded"/);
    assert.match(text, /this director \(backup\): This director is standby/);
    assert.match(text, /data-side="partner"/);
    assert.ok(text.includes(`name="csrf" value="${session.session.csrf}"`));
    assert.doesNotMatch(text, /<!-- verdict/);
  });

  test('status.txt and status.json show both', async () => {
    const session = bed.logIn('look');
    const { text, headers } = await bed.ask('/status.txt', { session });
    assert.match(headers['content-type'] ?? '', /^text\/plain/);
    assert.match(
      text,
      /^THIS DIRECTOR {2}2.*\n\nSTATUS \d+\n\n\nTHE PARTNER {2}2.*\n\nSTATUS \d+\n$/,
    );
    const { json } = await bed.ask('/status.json', { session });
    const partner = new Map(Object.entries(Object(json.get('partner'))));
    assert.equal(new Map(Object.entries(Object(partner.get('status')))).get('v'), 1);
  });

  test('HEAD gives the headers of GET and no body', async () => {
    const session = bed.logIn('look');
    const { status, text, headers } = await bed.ask('/status.json', { session, method: 'HEAD' });
    assert.equal(status, 200);
    assert.equal(text, '');
    assert.ok(Number(headers['content-length']) > 100);
  });
});

describe('passed on', () => {
  test('an answer comes back as the director gave it, refusals too', async () => {
    const session = bed.logIn('change');
    const status = await bed.ask('/api/local/v1/status', { session });
    assert.equal(status.headers['content-type'], 'application/json');
    assert.equal(status.json.get('node'), 'backup');
    const drain = { target: 'nobody', kind: 'drain' };
    const refused = await bed.ask('/api/local/v1/servers', { session, body: drain });
    assert.equal(refused.headers['content-type'], 'application/problem+json');
    assert.ok(refused.status >= 400 && refused.status < 500);
    const metrics = await bed.ask('/api/local/metrics', { session });
    assert.match(metrics.text, /^# HELP piranha_/m);
    const recent = await bed.ask('/api/local/v1/events/recent?limit=5', { session });
    assert.equal(recent.status, 200);
  });

  test('one login asks so often and no more; another one is not held up by it', async () => {
    const slow = new ConsoleBed();
    await slow.start({
      partner: false,
      more: { pace: { burst: 3, everyMs: 3_600_000, size: 10 } },
    });
    try {
      const session = slow.logIn('look');
      const statuses: number[] = [];
      for (let count = 0; count < 5; count++) {
        statuses.push((await slow.ask('/api/local/v1/status', { session })).status);
      }
      assert.deepEqual(statuses, [200, 200, 200, 429, 429]);
      const other = slow.logIn('look');
      assert.equal((await slow.ask('/api/local/v1/status', { session: other })).status, 200);
    } finally {
      await slow.close();
    }
  });
});

describe('the stream', () => {
  test('shows both nodes at once, beats each second, and tells what happens with an id', async () => {
    const session = bed.logIn('change');
    const { events, close } = await bed.stream(session);
    await until(() => of(events, 'services', 'partner').length > 0, 'the services of the partner');
    for (const side of ['local', 'partner']) {
      const [first] = of(events, 'status', side);
      const document = new Map(Object.entries(Object(first?.data.get('document'))));
      assert.equal(document.get('node'), 'backup');
    }
    const body = { target: 'web/a', kind: 'drain' };
    assert.equal((await bed.ask('/api/local/v1/servers', { session, body })).status, 200);
    const isDrained = () => /"name":"a"[^}]*"override":\{"target":"web\/a"/.test(rowsText(events));
    await until(isDrained, 'the row that changed');
    await until(() => of(events, 'happened', 'local').length > 0, 'what happened');
    const [happened] = of(events, 'happened', 'local');
    assert.match(happened?.id ?? '', /^[\w.-]+;[\w.-]*$/);
    await until(() => events.some(({ name }) => name === 'beat'), 'a beat');
    const beat = events.find(({ name }) => name === 'beat')?.data;
    assert.ok(Number(beat?.get('local')) < 1500);
    close();

    const again = await bed.stream(session, happened?.id);
    assert.equal(of(again.events, 'gap', 'local').length, 0);
    again.close();
    const lost = await bed.stream(session, 'long-ago.1;');
    await until(() => of(lost.events, 'gap', 'local').length > 0, 'the gap to be admitted');
    assert.equal(of(lost.events, 'gap', 'local')[0]?.data.get('from'), 'long-ago.1');
    lost.close();
  });

  test('ends with its session, and one login has only so many', async () => {
    const session = bed.logIn('look');
    const open = Array.from({ length: MOST_OF_A_SESSION }, () => bed.stream(session));
    const streams = await Promise.all(open);
    const { status, json } = await bed.ask('/api/stream', { session });
    assert.equal(status, 429);
    assert.match(String(json.get('title')), /open pages/);
    assert.equal((await bed.ask('/logout', { session, body: {} })).status, 200);
    await Promise.all(streams.map(({ ended }) => ended));
    assert.equal((await bed.ask('/api/session', { session })).status, 401);
  });

  test('a partner that cannot be reached is unknown, in a sentence, and the page is there all the same', async () => {
    const alone = new ConsoleBed();
    await alone.start({ partner: false });
    try {
      const session = alone.logIn('look');
      const { events, close } = await alone.stream(session);
      await until(() => of(events, 'silent', 'partner').length > 0, 'the silence');
      const [silent] = of(events, 'silent', 'partner');
      assert.equal(silent?.data.get('reason'), 'no-channel');
      assert.match(String(silent?.data.get('text')), /heartbeat_key_file/);
      close();
      const { text } = await alone.ask('/', { session });
      assert.match(text, /data-side="partner" data-level="unknown"/);
      const { status } = await alone.ask('/api/partner/v1/status', { session });
      assert.equal(status, 502);
    } finally {
      await alone.close();
    }
  });

  test('a director that goes away is unknown within a second or two, and the console stays', async () => {
    const other = new ConsoleBed();
    await other.start({ partner: false });
    try {
      const session = other.logIn('look');
      const { events, close } = await other.stream(session);
      await until(() => of(events, 'status', 'local').length > 0, 'the first status');
      other.stopDirector();
      await until(() => of(events, 'silent', 'local').length > 0, 'the silence');
      assert.equal(of(events, 'silent', 'local')[0]?.data.get('reason'), 'not-running');
      close();
      assert.equal((await other.ask('/api/session', { session })).status, 200);
      assert.match(
        (await other.ask('/', { session })).text,
        /director of this machine does not run/,
      );
    } finally {
      await other.close();
    }
  });
});

describe('services', () => {
  const row = (key: string, more: object) => ({ key, ...more });
  const text = (services: readonly object[], rest: object = {}) =>
    JSON.stringify({ v: 1, services, ...rest });

  test('are sent as a whole once, and then by what changed, which an age is not', () => {
    const memory = new ServicesMemory();
    const a = row('a', { weight: 1, sinceMs: 5 });
    const b = row('b', { weight: 1, sinceMs: 5 });
    assert.equal(memory.next(text([a, b]))?.kind, 'all');
    assert.equal(memory.next(text([{ ...a, sinceMs: 900 }, b]))?.kind, 'none');
    const change = memory.next(text([a, { ...b, weight: 0 }]));
    assert.deepEqual(change?.kind === 'rows' ? change.rows.map((it) => JSON.parse(it)) : [], [
      { ...b, weight: 0 },
    ]);
    assert.equal(memory.next(text([a, { ...b, weight: 0 }], { overrides: [1] }))?.kind, 'rows');
    assert.equal(memory.next(text([a]))?.kind, 'all');
    assert.equal(memory.next(text([b]))?.kind, 'all');
    assert.equal(memory.next('{'), undefined);
    assert.equal(memory.next(text([b]))?.kind, 'all', 'after a silence');
  });
});

test('an event stream in any pieces gives the same events, and nonsense gives none', () => {
  const whole =
    ':\n\nid: 7.1\ndata: {"a":1}\n\nid:7.2\r\ndata: {"b":\ndata: 2}\r\n\r\ndata: {"no":"id"\n\n' +
    'id: 7.3\ndata: [1]\n\nid: bad id\ndata: {}\n\nid: 7.4\nevent: x\ndata: {"c":3}\n\nid: 7.5\ndata: {"cut":';
  for (const size of [1, 2, 7, 1000]) {
    const seen: Happening[] = [];
    const parser = new EventStreamParser((happening) => seen.push(happening));
    for (let at = 0; at < whole.length; at += size) parser.push(whole.slice(at, at + size));
    assert.deepEqual(
      seen.map(({ id, text }) => `${id} ${text}`),
      ['7.1 {"a":1}', '7.2 {"b":2}', '7.4 {"c":3}'],
      `in pieces of ${size}`,
    );
  }
  const parser = new EventStreamParser(() => undefined);
  assert.equal(parser.push('x'.repeat(100_000)), false);
});

describe('limits', { concurrency: true }, () => {
  test('100 MB are refused before they are read, announced or not', async () => {
    const session = bed.logIn('change');
    const cookie = `cookie: __Host-piranha=${session.token}`;
    const head = ['POST /api/local/v1/role HTTP/1.1', 'host: x', cookie];
    const meant = [
      `piranha-csrf: ${session.session.csrf}`,
      'sec-fetch-site: same-origin',
      'content-type: application/json',
    ];
    for (const length of ['content-length: 104857600', 'transfer-encoding: chunked']) {
      const socket = await bed.raw();
      const answer = allOf(socket);
      socket.write([...head, ...meant, length, '', ''].join('\r\n'));
      const chunk = `10000\r\n${'x'.repeat(65_536)}\r\n`;
      let sent = 0;
      while (sent < 100 * 1024 * 1024 && !socket.destroyed) {
        if (!socket.write(chunk))
          await Promise.race([once(socket, 'drain'), once(socket, 'close')]);
        sent += chunk.length;
      }
      assert.match(await answer, /^HTTP\/1\.1 413 /);
      assert.ok(sent < 8 * 1024 * 1024, `${sent} bytes were taken`);
    }
  });

  test('a connection that asks and asks before it has an answer is closed', async () => {
    const hasty = await bed.raw();
    const answers = allOf(hasty);
    hasty.write('GET /login HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(20));
    const count = (await answers).match(/HTTP\/1\.1 /g)?.length ?? 0;
    assert.ok(count <= 4, `${count} answers`);
  });

  test('a connection that says nothing, or too little, is closed', async () => {
    const slow = await bed.raw();
    const answer = allOf(slow);
    slow.write('GET /login HTTP/1.1\r\nhost: x\r\n');
    const trickle = setInterval(() => slow.write('a: b\r\n'), 500);
    const said = await answer;
    clearInterval(trickle);
    assert.match(said, /^HTTP\/1\.1 408 /);
  });

  test('one address holds so many connections, and the rest is closed before TLS', async () => {
    const small = new ConsoleBed();
    const limits = { connections: 50, ofOneAddress: 5, unfinished: 50, burst: 1000, everyMs: 1 };
    await small.start({ partner: false, more: { limits } });
    try {
      const sockets = await Promise.all(Array.from({ length: 40 }, () => small.raw()));
      assert.equal(sockets.filter(({ destroyed }) => destroyed).length, 35);
      assert.equal(small.console.front.open(), 5);
      assert.equal(small.console.front.refused.crowded, 35);
      for (const socket of sockets) socket.destroy();
      await until(() => small.console.front.open() === 0, 'them to be forgotten');
      assert.equal((await small.ask('/login')).status, 200);
    } finally {
      await small.close();
    }
  });
});
