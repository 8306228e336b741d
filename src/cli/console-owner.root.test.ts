/** What root types for the console, in a state directory whose owner lays traps: `login-url` and `passwd` do not follow. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';

const MAIN = join(import.meta.dirname, '..', 'main.ts');
const OWNER = 65_534;
let directory: string;
let state: string;
let secrets: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'pirown-'));
  chmodSync(directory, 0o755);
  state = join(directory, 'state');
  mkdirSync(state, { mode: 0o700 });
  chownSync(state, OWNER, OWNER);
  secrets = join(directory, 'secrets');
  mkdirSync(secrets, { mode: 0o700 });
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function piranha(words: readonly string[], input = '') {
  const argv = ['--disable-warning=ExperimentalWarning', MAIN, ...words, '--state-dir', state];
  return spawnSync(process.execPath, argv, { encoding: 'utf8', input });
}

test('login-url and passwd work in it as its owner, and what they make is his', () => {
  assert.match(piranha(['console', 'login-url']).stdout, /^https:.*login#/);
  const [ticket = ''] = readdirSync(join(state, 'tickets'));
  const said = piranha(['passwd', 'ann'], 'a fish with many teeth\n');
  assert.equal(said.stdout, 'ann may log in to the console, and look\n', said.stderr);
  for (const name of ['tickets', join('tickets', ticket), 'users']) {
    const { uid, gid, mode } = statSync(join(state, name));
    assert.deepEqual([uid, gid, mode & 0o077], [OWNER, OWNER, 0], name);
  }
});

test('a link in the place of the tickets leads login-url to no file of root', () => {
  const precious = join(secrets, 'precious');
  writeFileSync(precious, 'x');
  utimesSync(precious, 1, 1);
  symlinkSync(secrets, join(state, 'tickets'));
  const { status, stderr } = piranha(['console', 'login-url']);
  assert.equal(status, 1);
  assert.match(
    stderr,
    /^piranha console: only root and the owner of all in .* may do this: EACCES.*tickets/,
  );
  assert.deepEqual(readdirSync(secrets), ['precious']);
});

test('a link in the place of the users shows passwd nothing that is for root', () => {
  const hash = `$argon2id$v=19$m=47104,t=1,p=1$${'A'.repeat(22)}$${'A'.repeat(43)}`;
  writeFileSync(join(secrets, 'users'), `hidden:look:${hash}\n`);
  symlinkSync(join(secrets, 'users'), join(state, 'users'));
  const { status, stdout, stderr } = piranha(['passwd', '--list']);
  assert.deepEqual([status, stdout], [1, '']);
  assert.match(stderr, /EACCES: permission denied/);
  assert.match(readFileSync(join(secrets, 'users'), 'utf8'), /^hidden/);
});
