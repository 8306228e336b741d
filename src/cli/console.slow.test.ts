import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { parseListen, RIGHTS, urlOf } from '../console/index.ts';
import { CONSOLE, PASSWD } from './options-of-console.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const directory = mkdtempSync(join(tmpdir(), 'pirpasswd-'));
after(() => rmSync(directory, { recursive: true, force: true }));

function piranha(name: string, words: readonly string[], input = '') {
  const argv = ['--disable-warning=ExperimentalWarning', 'src/main.ts', ...words];
  const env = { ...process.env, PIRANHA_NAME: name };
  return spawnSync(process.execPath, argv, { cwd: ROOT, env, input, encoding: 'utf8' });
}

test('piranha-passwd takes a password from its input, keeps its hash, and never shows it', () => {
  const where = ['--state-dir', directory];
  const set = piranha('piranha-passwd', where, 'a fish with teeth\n');
  assert.equal(set.status, 0, set.stderr);
  assert.equal(set.stdout, 'piranha may log in to the console, and change\n');
  assert.doesNotMatch(set.stdout + set.stderr, /teeth/);
  const file = join(directory, 'users');
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.match(readFileSync(file, 'utf8'), /^piranha:change:\$argon2id\$/m);
  const other = piranha('piranha', ['passwd', 'ann', ...where], 'another fish, other teeth\n');
  assert.equal(other.stdout, 'ann may log in to the console, and look\n');
  const list = piranha('piranha', ['passwd', '--list', ...where]);
  assert.deepEqual(list.stdout.split(/\s+/), ['piranha', 'change', 'ann', 'look', '']);
  const gone = piranha('piranha', ['passwd', '--delete', 'ann', ...where]);
  assert.equal(gone.status, 0);
  assert.doesNotMatch(readFileSync(file, 'utf8'), /^ann:/m);
});

test('a password that is too short, and one on the command line, change nothing', () => {
  const where = ['--state-dir', join(directory, 'none')];
  const short = piranha('piranha', ['passwd', ...where], 'short\n');
  assert.equal(short.status, 1);
  assert.match(short.stderr, /at least 12 characters, this one has 5; nothing was changed/);
  const argument = piranha('piranha', ['passwd', 'ann', 'a fish with teeth', ...where]);
  assert.equal(argument.status, 64);
  assert.doesNotMatch(argument.stderr, /teeth/);
});

test('login-url prints a link whose secret no server is sent', () => {
  const words = ['console', 'login-url', '--state-dir', directory, '--listen', '192.0.2.1:4000'];
  const { status, stdout } = piranha('piranha', words);
  assert.equal(status, 0);
  assert.match(stdout, /^https:\/\/192\.0\.2\.1:4000\/login#[\w-]{43}\n$/);
  assert.equal(new URL(stdout.trim()).pathname, '/login');
});

test('an address to listen on is read in every usual spelling, and others are refused in a sentence', () => {
  const good = [
    ['', '::', 3636],
    [':4000', '::', 4000],
    ['4000', '::', 4000],
    ['127.0.0.1', '127.0.0.1', 3636],
    ['::1', '::1', 3636],
    ['127.0.0.1:80', '127.0.0.1', 80],
    ['[::1]:80', '::1', 80],
    ['[2001:db8::1]', '2001:db8::1', 3636],
  ] as const;
  for (const [text, host, port] of good) {
    assert.deepEqual(parseListen(text), { ok: true, value: { host, port } }, text);
  }
  for (const text of ['localhost', 'a:b:c', ':70000', '1.2.3.4:x', '[::1', '1.2.3.4:80:90']) {
    const parsed = parseListen(text);
    assert.equal(parsed.ok, false, text);
  }
  assert.equal(urlOf({ host: '::1', port: 1 }, false), 'https://[::1]:1/');
});

test('docs/console.md names every option, and the rights are the same everywhere', () => {
  const text = readFileSync(join(ROOT, 'docs', 'console.md'), 'utf8');
  const specs = [...Object.values(CONSOLE), ...Object.values(PASSWD)];
  for (const { long } of specs) {
    const [name] = long;
    if (name !== '--help') assert.ok(text.includes(name), name);
  }
  assert.deepEqual(CONSOLE.right.words, RIGHTS);
  for (const right of RIGHTS) assert.match(text, new RegExp(`^\\| \`${right}\` \\|`, 'm'));
});
