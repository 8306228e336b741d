/** The console's process as a supervisor starts it: as root, and with a socket that it is handed. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildConsole } from './build.ts';

/** A group that nobody needs: the director's socket belongs to it. */
const GROUP = 4242;
const NOBODY = { name: 'nobody', uid: 65_534, gid: 65_534 };
const directory = mkdtempSync(join(tmpdir(), 'pirconsole-'));
const state = join(directory, 'state');
const children: ChildProcess[] = [];

before(async () => {
  chmodSync(directory, 0o755); // whom it becomes must read the program
  await buildConsole(join(directory, 'built'));
  writeFileSync(join(directory, 'pulse.sock'), '');
  chownSync(join(directory, 'pulse.sock'), 0, GROUP);
});
after(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

type Started = { readonly child: ChildProcess; readonly told: () => string };

/** `socket`: handed over as a supervisor does, sd_listen_fds(3). */
function start(words: readonly string[], socket?: Server): Started {
  const own = ['--user', NOBODY.name, '--run-dir', directory, '--state-dir', state];
  const argv = [process.execPath, '--jitless', join(directory, 'built', 'console.mjs'), ...own];
  const handed = socket === undefined ? '' : 'LISTEN_PID=$$ LISTEN_FDS=1 ';
  const child = spawn('sh', ['-c', `${handed}exec "$@"`, 'sh', ...argv, ...words], {
    cwd: '/',
    stdio: ['ignore', 'ignore', 'pipe', ...(socket === undefined ? [] : [descriptorOf(socket)])],
  });
  children.push(child);
  let text = '';
  child.stderr?.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  return { child, told: () => text };
}

/** The descriptor that a listening server has. */
function descriptorOf(server: Server): number {
  const { _handle } = server as Server & { readonly _handle: { readonly fd: number } };
  return _handle.fd;
}

async function until<T>(what: string, look: () => T | undefined): Promise<T> {
  for (const end = performance.now() + 20_000; performance.now() < end; ) {
    const found = look();
    if (found !== undefined) return found;
    await sleep(30);
  }
  throw new Error(`${what} did not come`);
}

/** The fields of /proc/PID/status as lists of words. */
function processStatus(pid: number): ReadonlyMap<string, readonly string[]> {
  const lines = readFileSync(`/proc/${pid}/status`, 'utf8').split('\n');
  return new Map(
    lines.map((line) => {
      const [name = '', ...words] = line.split(/[:\s]+/).filter(Boolean);
      return [name, words];
    }),
  );
}

test('started by root it is nobody in particular before it listens: user, groups, capabilities, files', async () => {
  const { child, told } = start(['--listen', '127.0.0.1:0', '--insecure-http']);
  await until('the console', () => (told().includes('serves http') ? true : undefined));
  const status = processStatus(child.pid ?? 0);
  assert.deepEqual(new Set(status.get('Uid')), new Set([String(NOBODY.uid)]));
  assert.deepEqual(new Set(status.get('Gid')), new Set([String(NOBODY.gid)]));
  assert.deepEqual(status.get('Groups'), [String(GROUP), String(NOBODY.gid)]);
  for (const set of ['CapPrm', 'CapEff', 'CapInh', 'CapAmb']) {
    assert.deepEqual(status.get(set), ['0'.repeat(16)], set);
  }
  assert.deepEqual(status.get('Umask'), ['0077']);
  const { uid, mode } = statSync(state);
  assert.deepEqual([uid, mode & 0o777], [NOBODY.uid, 0o700]);
  child.kill('SIGTERM');
  assert.deepEqual(await once(child, 'exit'), [0, null]);
});

test('a user that is root by another name, and one that is not there, are told', async () => {
  const { child, told } = start(['--user', 'root', '--listen', '127.0.0.1:0', '--insecure-http']);
  assert.deepEqual(await once(child, 'exit'), [1, null]);
  assert.match(told(), /root is root by another name/);
  const missing = start(['--user', 'nosuchuser', '--listen', '127.0.0.1:0', '--insecure-http']);
  await until('the console', () => (missing.told().includes('serves http') ? true : undefined));
  assert.match(missing.told(), /runs as root, since there is no user nosuchuser/);
  missing.child.kill('SIGTERM');
  await once(missing.child, 'exit');
});

test('with a socket that it is handed it stays while somebody is there, and ends when nobody has been for a while', async () => {
  const socket = createServer();
  await new Promise<void>((resolve) => socket.listen(0, '127.0.0.1', resolve));
  const { port } = socket.address() as AddressInfo;
  const words = ['--insecure-http', '--listen', '127.0.0.1:1', '--idle-exit', '1s'];
  const { child, told } = start(words, socket);
  socket.close(); // here; the console has it now, and nothing else
  await until('the console', () => (told().includes('serves http') ? true : undefined));
  const visitor = connect(port, '127.0.0.1');
  await once(visitor, 'connect');
  const [first] = await Promise.race([once(child, 'exit'), sleep(2500, ['still there'])]);
  assert.equal(first, 'still there', told());
  visitor.write('GET /login HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n');
  const [answer] = await once(visitor.setEncoding('utf8'), 'data');
  assert.match(String(answer), /^HTTP\/1\.1 200 /);
  const leftAt = performance.now();
  assert.deepEqual(await once(child, 'exit'), [0, null], told());
  assert.ok(performance.now() - leftAt >= 750, 'it waited');
});
