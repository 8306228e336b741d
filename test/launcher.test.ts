/**
 * The launcher and the installer, with a package registry that is a shell script: what a stranger meets on first use,
 * in every way it can go wrong. That the real registry gives the real thing is shown by each clean run of ./check.
 */
import assert from 'node:assert/strict';
import { type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';

const root = join(import.meta.dirname, '..');
const scratch = mkdtempSync(join(tmpdir(), 'launcher-'));
after(() => rmSync(scratch, { recursive: true, force: true }));

/** Writes down that it was called; puts a Node in place that tells how it was started. */
const NPM = `#!/bin/sh
case $1 in
  ci) echo "$*" >>calls; sleep 0.2; rm -rf node_modules; mkdir -p node_modules/.bin
    printf '#!/bin/sh\\necho "$$ $PIRANHA_NAME $(pwd) $*"\\n' >node_modules/.bin/node
    chmod +x node_modules/.bin/node ;;
  *) exit 1 ;;
esac
`;

type House = { readonly home: string; readonly path: string };

/** A fresh clone in a directory with a blank in its name, and a PATH that has only what is said here. */
function clone(programs: { readonly [name: string]: string } = {}): House {
  const place = mkdtempSync(join(scratch, 'a clone '));
  const home = join(place, 'piranha');
  const path = join(place, 'bin');
  mkdirSync(path);
  for (const name of ['piranha', 'bin', 'package-lock.json', 'native/prebuilds']) {
    cpSync(join(root, name), join(home, name), { recursive: true, verbatimSymlinks: true });
  }
  for (const name of ['sh', 'readlink', 'uname', 'cksum', 'cat', 'id', 'sed', 'mkdir', 'rm']) {
    symlinkSync(join('/bin', name), join(path, name));
  }
  for (const name of ['flock', 'grep', 'sleep', 'chmod']) {
    symlinkSync(join(existsSync(`/bin/${name}`) ? '/bin' : '/usr/bin', name), join(path, name));
  }
  const all = { npm: NPM, node: '#!/bin/sh\necho v20.1.0\n', ...programs };
  for (const [name, script] of Object.entries(all)) {
    if (script === '') continue;
    writeFileSync(join(path, name), script);
    chmodSync(join(path, name), 0o755);
  }
  return { home, path };
}

function run({ home, path }: House, args: readonly string[] = [], program = 'piranha') {
  return spawnSync(join(home, program), args, {
    cwd: '/',
    env: { PATH: path },
    encoding: 'utf8',
    timeout: 20_000,
  });
}

const calls = ({ home }: House) => readFileSync(join(home, 'calls'), 'utf8').trim().split('\n');

function assertRefused(result: SpawnSyncReturns<string>, sentence: RegExp): void {
  assert.equal(result.status, 1, result.stderr);
  assert.match(result.stderr, sentence);
  assert.equal(result.stdout, '');
}

test('the first use installs what the program needs, the second nothing', () => {
  const house = clone();
  const first = run(house, ['status', '--json']);
  assert.match(first.stdout, /src\/main\.ts status --json$/m);
  assert.match(first.stderr, /^piranha: installing/);
  const second = run(house);
  assert.equal(second.stderr, '');
  assert.equal(calls(house).length, 1);
  assert.match(calls(house)[0] ?? '', /--omit=dev/);
});

test('the check after the first use brings the development tools, whatever came along before, and they stay', () => {
  const house = clone();
  run(house);
  mkdirSync(join(house.home, 'node_modules/typescript')); // another package's optional peer
  const install = (): void => {
    const words = [join(house.home, 'bin/install.sh'), house.home, 'all'];
    const { status, stderr } = spawnSync('/bin/sh', words, { env: { PATH: house.path } });
    assert.equal(status, 0, String(stderr));
  };
  install();
  install();
  appendFileSync(join(house.home, 'package-lock.json'), '\n');
  run(house);
  const isWithout = calls(house).map((call) => call.includes('--omit=dev'));
  assert.deepEqual(isWithout, [true, false, false]);
});

test('it runs from any directory, through links, under the name of the link, as the same process', async () => {
  const house = clone();
  run(house);
  const link = join(house.path, 'far-away');
  symlinkSync(join(house.home, 'piranha'), link);
  const child = spawn(link, ['--version'], { cwd: '/usr', env: { PATH: house.path } });
  let said = '';
  for await (const chunk of child.stdout) said += chunk;
  assert.match(said, new RegExp(`^${child.pid} far-away /usr `));
  for (const name of ['pulse', 'send_arp']) {
    assert.match(
      run(house, ['-n'], `bin/${name}`).stdout,
      new RegExp(`^\\d+ ${name} / .* -n$`, 'm'),
    );
  }
});

test('two first uses at once install once', async () => {
  const house = clone();
  const ends = [1, 2, 3].map(async () => {
    const child = spawn(join(house.home, 'piranha'), { env: { PATH: house.path } });
    for await (const _ of child.stdout);
    return child.exitCode ?? (await new Promise((resolve) => child.once('exit', resolve)));
  });
  assert.deepEqual(await Promise.all(ends), [0, 0, 0]);
  assert.equal(calls(house).length, 1);
});

test('a changed lock file or a removed node_modules installs again', () => {
  const house = clone();
  run(house);
  appendFileSync(join(house.home, 'package-lock.json'), '\n');
  run(house);
  assert.equal(calls(house).length, 2);
  rmSync(join(house.home, 'node_modules'), { recursive: true });
  run(house);
  assert.equal(calls(house).length, 3);
});

test('an installation that was broken off does not look whole', () => {
  const house = clone({ npm: `${NPM}\nrm node_modules/.bin/node; kill -9 $$` });
  assert.equal(run(house).status, 1);
  writeFileSync(join(house.path, 'npm'), NPM);
  assert.equal(run(house).status, 0);
});

test('without npm it says what to install', () => {
  assertRefused(run(clone({ npm: '' })), /npm is missing: install Node.js 20 or newer/);
});

test('a Node that is too old for npm is named with its version', () => {
  const old = clone({ node: '#!/bin/sh\necho v18.19.0\n' });
  assertRefused(run(old), /needs Node.js 20 or newer; this machine has version 18/);
});

test('a registry that cannot be reached is named', () => {
  const fails = '#!/bin/sh\n[ $1 = config ] && echo http://registry.test/ && exit\nexit 1\n';
  assertRefused(run(clone({ npm: fails })), /registry http:\/\/registry.test\/ cannot be reached/);
  // npm succeeds without an optional package that it could not fetch.
  const passesOver = fails.replace('exit 1', '[ $1 = ci ]');
  assertRefused(run(clone({ npm: passesOver })), /registry\.test\/ cannot be reached/);
});

test('what npm says when it fails is shown', () => {
  const npm = '#!/bin/sh\n[ $1 = ping ] && exit 0\necho the lock file is out of date; exit 1\n';
  const result = run(clone({ npm }));
  assertRefused(result, /npm ci failed/);
  assert.match(result.stderr, /the lock file is out of date/);
});

const canDropRoot = process.getuid?.() === 0 && existsSync('/usr/bin/setpriv');
test('a directory that is not writable is told with its owner to be', {
  skip: canDropRoot ? false : 'needs root, to become a user without rights',
}, () => {
  const house = clone();
  chmodSync(scratch, 0o755);
  chmodSync(join(house.home, '..'), 0o755);
  const result = spawnSync(
    '/usr/bin/setpriv',
    ['--reuid=65534', '--clear-groups', join(house.home, 'piranha')],
    { env: { PATH: house.path }, encoding: 'utf8' },
  );
  assertRefused(result, /is not writable by/);
});
