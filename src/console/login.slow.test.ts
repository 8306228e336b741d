import assert from 'node:assert/strict';
import { rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ConsoleBed } from './console-under-test.ts';
import { hashPassword, PasswordDesk, parseHash, passwordFault } from './passwords.ts';
import { COOKIE, IDLE_MS, Sessions } from './sessions.ts';
import { addressKey, Throttle } from './throttle.ts';
import { makeTicket, takeTicket } from './tickets.ts';
import { formatUsers, parseUsers, removeUser, saveUser, usersFile } from './users.ts';

const PASSWORD = 'a fish with many teeth';
const bed = new ConsoleBed();
before(async () => {
  await bed.start({ partner: false });
  await bed.addUser('piranha', 'operate', PASSWORD);
});
after(() => bed.close());

describe('logging in', () => {
  test('the right password gives a session in a cookie of this host alone', async () => {
    const { status, headers, json } = await bed.ask('/login', {
      body: { user: 'piranha', password: PASSWORD },
    });
    assert.equal(status, 200);
    assert.equal(json.get('rights'), 'operate');
    const cookie = String(headers['set-cookie']);
    assert.match(cookie, /^__Host-piranha=[\w-]{43}; Path=\/; Secure; HttpOnly; SameSite=Strict$/);
    const session = await bed.ask('/api/session', {
      headers: { cookie: cookie.split(';')[0] ?? '' },
    });
    assert.equal(session.json.get('user'), 'piranha');
  });

  test('the form works without a script, and a wrong password is told on the page', async () => {
    const type = { 'content-type': 'application/x-www-form-urlencoded' };
    const post = (password: string, headers = {}) =>
      bed.ask('/login', {
        body: `user=piranha&password=${encodeURIComponent(password)}`,
        headers: { ...type, ...headers },
      });
    const wrong = await post('wrong wrong wrong');
    assert.equal(wrong.status, 401);
    assert.match(wrong.text, /<p role="alert">User or password is wrong\.<\/p>/);
    assert.equal(wrong.headers['set-cookie'], undefined);
    const right = await post(PASSWORD);
    assert.equal(right.status, 303);
    assert.equal(right.headers.location, '/');
    const elsewhere = await post(PASSWORD, { origin: 'https://evil.example' });
    assert.equal(elsewhere.status, 403);
    assert.equal(elsewhere.headers['set-cookie'], undefined);
  });

  test('a link logs in once; a used, an old and an invented one do not', async () => {
    const ticket = makeTicket(bed.directory, { user: 'root', rights: 'change' });
    const first = await bed.ask('/login/link', { body: { ticket } });
    assert.equal(first.status, 200);
    assert.equal(first.json.get('rights'), 'change');
    assert.equal((await bed.ask('/login/link', { body: { ticket } })).status, 401);
    for (const other of ['', '../users', 'x'.repeat(43)]) {
      const { status } = await bed.ask('/login/link', { body: { ticket: other } });
      assert.equal(status, 401);
    }
    // By looking at the page alone it is not used up.
    assert.equal((await bed.ask('/login/link')).status, 401);
  });

  test('a new password ends the sessions of the old one', async () => {
    await bed.addUser('bob', 'look', 'bob has a long word');
    const login = () =>
      bed.ask('/login', { body: { user: 'bob', password: 'bob has a long word' } });
    const cookie = String((await login()).headers['set-cookie']).split(';')[0] ?? '';
    assert.equal((await bed.ask('/api/session', { headers: { cookie } })).status, 200);
    await bed.addUser('bob', 'look', 'bob has another one');
    assert.equal((await bed.ask('/api/session', { headers: { cookie } })).status, 401);
    assert.equal((await login()).status, 401);
  });

  test('guesses from one address are cut off, and the right one with them, until they may go on', async () => {
    const other = new ConsoleBed();
    await other.start({ partner: false });
    try {
      const guess = () => other.ask('/login', { body: { user: 'nobody', password: 'x' } });
      const answers = await Promise.all(Array.from({ length: 14 }, guess));
      const statuses = answers.map(({ status }) => status).sort();
      assert.equal(statuses.filter((status) => status === 429).length, 4, statuses.join());
      const { headers, json } = await guess();
      assert.ok(Number(headers['retry-after']) > 1);
      assert.match(String(json.get('title')), /possible in \d+ s/);
    } finally {
      await other.close();
    }
  });
});

describe('passwords', () => {
  test('what is kept says how it was made, and only the right password fits', async () => {
    const kept = await hashPassword(PASSWORD);
    assert.match(kept, /^\$argon2id\$v=19\$m=47104,t=1,p=1\$[\w+/]{22}\$[\w+/]{43}$/);
    assert.notEqual(kept, await hashPassword(PASSWORD));
    const desk = new PasswordDesk();
    assert.equal(await desk.try(PASSWORD, kept), 'right');
    assert.equal(await desk.try(`${PASSWORD} `, kept), 'wrong');
    assert.equal(await desk.try(PASSWORD, undefined), 'wrong');
    assert.equal(await desk.try('', kept), 'wrong');
  });

  test('texts that others have published are understood; no text asks for more than we give', async () => {
    const desk = new PasswordDesk();
    // The reference implementation's own test of argon2id, and the third vector of RFC 7914 §12.
    const argon2 =
      '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc';
    const scrypt =
      '$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU$' +
      'cCO9yzr9c0hGHAbNgf046/2o+7qQT44+qbVD9lRdofLVQylVYT8Pz2LUlwUkKpr55h6F3A1lHkDfzwF7RVdYhw';
    assert.equal(await desk.try('password', argon2), 'right');
    assert.equal(await desk.try('pleaseletmein', scrypt), 'right');
    assert.equal(await desk.try('pleaseletmeim', scrypt), 'wrong');
    const bad = [
      '$argon2id$v=19$m=999999,t=3,p=4$',
      '$argon2i$v=19$m=64,t=3,p=4$',
      '$scrypt$ln=30,r=8,p=1$',
      '',
    ];
    for (const text of bad) {
      assert.equal(parseHash(`${text}${'A'.repeat(22)}$${'A'.repeat(43)}`), undefined, text);
    }
  });

  test('composed and decomposed letters are one password', async () => {
    const desk = new PasswordDesk();
    const kept = await hashPassword('Fr\u00fchst\u00fcck im Gr\u00fcnen');
    assert.equal(await desk.try('Fru\u0308hstu\u0308ck im Gru\u0308nen', kept), 'right');
  });

  test('when many try at once the rest is told to come again', async () => {
    const desk = new PasswordDesk();
    const kept = await hashPassword(PASSWORD);
    const tried = await Promise.all(Array.from({ length: 12 }, () => desk.try('x', kept)));
    assert.equal(tried.filter((it) => it === 'busy').length, 3);
  });

  test('a short, an empty and a simple one are refused in a sentence', () => {
    for (const word of ['', 'short', 'aaaaaaaaaaaaaaaa', 'two\nlines of text', 'x'.repeat(2000)]) {
      assert.equal(typeof passwordFault(word), 'string', word);
    }
    assert.equal(passwordFault(PASSWORD), undefined);
  });
});

describe('users', () => {
  const hash = `$argon2id$v=19$m=65536,t=3,p=4$${'A'.repeat(22)}$${'A'.repeat(43)}`;

  test('come back from the file as they were, and a line that is none is named', () => {
    const users = [
      { name: 'ann', rights: 'look', hash },
      { name: 'b.o-b@x', rights: 'change', hash },
    ] as const;
    const { users: read, faults } = parseUsers(formatUsers(users));
    assert.deepEqual([...read.values()], users);
    assert.deepEqual(faults, []);
    const bad = `ann:look:${hash}\nroot\nx:everything:${hash}\nann:change:${hash}\ny:look:plain\n`;
    const parsed = parseUsers(bad);
    assert.deepEqual([...parsed.users.keys()], ['ann']);
    assert.equal(parsed.users.get('ann')?.rights, 'look');
    assert.equal(parsed.faults.length, 4);
  });

  test('are kept in a file that only its owner can read, whatever stood there', () => {
    const file = usersFile(bed.directory);
    saveUser(file, { name: 'zoe', rights: 'look', hash });
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.equal(removeUser(file, 'zoe'), true);
    assert.equal(removeUser(file, 'zoe'), false);
  });

  test('a users file that is broken lets nobody in', () => {
    const file = join(bed.directory, 'broken');
    writeFileSync(file, '\u0000'.repeat(1000));
    assert.equal(parseUsers('\u0000'.repeat(1000)).users.size, 0);
    rmSync(file);
  });
});

describe('sessions', () => {
  const login = { user: 'ann', rights: 'change', stamp: 's' } as const;
  const stamp = () => 's';

  test('end when they are idle, sooner the more they may do, and after half a day in any case', () => {
    const sessions = new Sessions(stamp);
    const { token } = sessions.start(login, 0);
    const looking = sessions.start({ ...login, rights: 'look' }, 0).token;
    assert.notEqual(sessions.find(token, IDLE_MS.change), undefined);
    assert.equal(sessions.find(token, 2 * IDLE_MS.change + 1), undefined);
    assert.notEqual(sessions.find(looking, 2 * IDLE_MS.change + 1), undefined);
    const { token: busy } = sessions.start(login, 0);
    const hours = 3_600_000;
    for (let at = 0; at <= 12 * hours; at += IDLE_MS.change) {
      assert.notEqual(sessions.find(busy, at), undefined);
    }
    assert.equal(sessions.find(busy, 12 * hours + 1), undefined);
  });

  test('end with the entry of their user, and with them what he holds open, though he asks for nothing', () => {
    let now: string | undefined = 's';
    const sessions = new Sessions(() => now);
    for (const entry of ['of another password', undefined]) {
      now = 's';
      const { session } = sessions.start(login, 0);
      let isTold = false;
      session.onEnd.add(() => {
        isTold = true;
      });
      sessions.sweep(1);
      assert.equal(isTold, false);
      now = entry;
      sessions.sweep(2);
      assert.equal(isTold, true);
      assert.equal(sessions.size, 0);
    }
  });

  test('tell who holds them when they end, and are few for one user and for all', () => {
    const sessions = new Sessions(stamp);
    const { session } = sessions.start(login, 0);
    let isTold = false;
    session.onEnd.add(() => {
      isTold = true;
    });
    for (let index = 0; index < 16; index++) sessions.start(login, 1);
    assert.equal(isTold, true);
    assert.equal(sessions.size, 16);
    for (let index = 0; index < 400; index++) sessions.start({ ...login, user: `u${index}` }, 2);
    assert.equal(sessions.size, 256);
  });

  test('keep no token that could be used again', () => {
    const sessions = new Sessions(stamp);
    const { session, token } = sessions.start(login, 0);
    assert.equal(JSON.stringify(session).includes(token), false);
    assert.equal(COOKIE.startsWith('__Host-'), true);
  });
});

describe('the throttle', () => {
  test('gives as many at once as it says, then one at a time', () => {
    const throttle = new Throttle({ burst: 3, everyMs: 1000, size: 10 });
    assert.deepEqual(
      [0, 0, 0, 0].map((now) => throttle.take('a', now)),
      [0, 0, 0, 1000],
    );
    assert.equal(throttle.take('b', 0), 0);
    assert.equal(throttle.take('a', 999), 1);
    assert.equal(throttle.take('a', 1000), 0);
    throttle.giveBack('a', 1000);
    assert.equal(throttle.take('a', 1000), 0);
  });

  test('remembers no more than its size', () => {
    const throttle = new Throttle({ burst: 3, everyMs: 1000, size: 10 });
    for (let index = 0; index < 1000; index++) throttle.take(`k${index}`, 0);
    assert.equal(throttle.size, 10);
  });

  test('takes one subscriber for one, in either family', () => {
    assert.equal(addressKey('::ffff:192.0.2.1'), '192.0.2.1');
    assert.equal(addressKey('2001:db8:1:2:3:4:5:6'), addressKey('2001:db8:1:2::1'));
    assert.notEqual(addressKey('2001:db8:1:2::1'), addressKey('2001:db8:1:3::1'));
    assert.equal(addressKey('fe80::1%eth0'), addressKey('fe80::2'));
  });
});

test('a ticket that is five minutes old is none, nor is one that somebody wrote for longer', () => {
  const secret = makeTicket(bed.directory, { user: 'root', rights: 'look' });
  const { createHash } = process.getBuiltinModule('node:crypto');
  const path = join(bed.directory, 'tickets', createHash('sha256').update(secret).digest('hex'));
  for (const until of ['2020-01-01T00:00:00Z', '2999-01-01T00:00:00Z', 'soon']) {
    writeFileSync(path, JSON.stringify({ user: 'root', rights: 'look', until }));
    assert.equal(takeTicket(bed.directory, secret), undefined, until);
  }
});
