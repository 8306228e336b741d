import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { concatBytes, fromUtf8, utf8 } from '../base/index.ts';
import { nativeFile } from './native.ts';
import { ProcessSpawner } from './spawner.ts';
import type { SpawnOutcome, SpawnRequest } from './types.ts';

const directory = mkdtempSync(join(tmpdir(), 'piranha-spawner-'));
const spawner = new ProcessSpawner();
test.after(() => {
  spawner.close();
  rmSync(directory, { recursive: true });
});

function run(argv: readonly string[], more: Partial<SpawnRequest> = {}): Promise<SpawnOutcome> {
  return spawner.run({ argv, timeoutMs: 20_000, maxOutput: 65536, ...more });
}

function shell(script: string, more: Partial<SpawnRequest> = {}): Promise<SpawnOutcome> {
  return run(['sh', '-c', script], more);
}

async function outputOf(outcome: Promise<SpawnOutcome>): Promise<string> {
  const settled = await outcome;
  assert.ok(settled.kind === 'exited' && settled.status === 0, JSON.stringify(settled));
  return fromUtf8(settled.output);
}

/** Is process `pid` there and not just waiting to be buried? */
function lives(pid: number): boolean {
  if (!existsSync(`/proc/${pid}/stat`)) return false;
  return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
}

async function until(condition: () => boolean): Promise<void> {
  const start = performance.now();
  while (!condition()) {
    assert.ok(performance.now() - start < 10_000, 'waited 10 s in vain');
    await sleep(5);
  }
}

test('a program ends with its status and what it said', async () => {
  const outcome = await run(['sh', '-c', 'echo said; exit 3']);
  assert.deepEqual(outcome, { kind: 'exited', status: 3, output: utf8('said\n') });
});

test('arguments arrive as they are: no shell, no splitting, empty ones too', async () => {
  const words = ['$HOME `id` ; *', '', 'two words', 'ä', '-n'];
  assert.equal(await outputOf(run(['printf', '%s|', ...words])), `${words.join('|')}|`);
});

test('a program that a signal ended is told by its number', async () => {
  const outcome = await shell('echo before; kill -TERM $$');
  assert.deepEqual(outcome, { kind: 'killed', signal: 15, output: utf8('before\n') });
});

test('output is kept up to its bound, and the program is not held up by the rest', async () => {
  const script = 'head -c 300000 /dev/zero; echo >/dev/null';
  for (const maxOutput of [0, 1, 4095, 4096, 4097, 65536]) {
    const outcome = await shell(script, { maxOutput });
    assert.ok(outcome.kind === 'exited' && outcome.status === 0);
    assert.deepEqual(outcome.output, new Uint8Array(maxOutput));
  }
});

test('a program has our environment, except for what our supervisor told us', async () => {
  process.env.PIRANHA_TEST = 'kept';
  process.env.NOTIFY_SOCKET = '/nowhere';
  process.env.WATCHDOG_USEC = '1';
  const own = new ProcessSpawner();
  delete process.env.NOTIFY_SOCKET;
  delete process.env.WATCHDOG_USEC;
  const outcome = await own.run({ argv: ['env'], timeoutMs: 5000, maxOutput: 65536 });
  own.close();
  assert.ok(outcome.kind === 'exited');
  const output = fromUtf8(outcome.output);
  assert.match(output, /^PIRANHA_TEST=kept$/m);
  assert.match(output, /^PATH=/m);
  assert.doesNotMatch(output, /NOTIFY_SOCKET|WATCHDOG/);
});

test('standard input and error of a program are empty', async () => {
  assert.equal(
    await outputOf(shell('cat; echo to-error >&2; readlink /proc/self/fd/2')),
    '/dev/null\n',
  );
});

test('a program has three descriptors, no blocked or ignored signals and its own group', async () => {
  // The fourth is the directory that ls itself reads.
  assert.equal(await outputOf(run(['ls', '/proc/self/fd'])), '0\n1\n2\n3\n');
  const signals = await outputOf(run(['grep', '-E', '^Sig(Blk|Ign)', '/proc/self/status']));
  assert.deepEqual(signals.match(/[0-9a-f]{16}/g), ['0000000000000000', '0000000000000000']);
  const [group, own] = (await outputOf(shell('ps -o pgid= -p $$; echo $$'))).trim().split(/\s+/);
  assert.equal(group, own);
});

test('a program that takes too long is killed with everything it started', async () => {
  const start = performance.now();
  const outcome = await shell('sleep 60 & echo $!; echo $$; wait', { timeoutMs: 150 });
  const took = performance.now() - start;
  assert.ok(took >= 149 && took < 10_000, `took ${took} ms`);
  assert.ok(outcome.kind === 'timeout');
  const processes = fromUtf8(outcome.output).trim().split('\n').map(Number);
  assert.equal(processes.length, 2);
  await until(() => !processes.some(lives));
});

test('programs that write without end hold up neither the clock nor each other', async () => {
  const start = performance.now();
  const endless = [run(['yes'], { timeoutMs: 300 }), run(['yes'], { timeoutMs: 300 })];
  assert.equal(await outputOf(run(['echo', 'between'])), 'between\n');
  for (const outcome of await Promise.all(endless)) {
    assert.ok(outcome.kind === 'timeout');
    assert.equal(outcome.output.length, 65536);
  }
  assert.ok(performance.now() - start < 15_000);
});

test('a program that ends by itself leaves what it started in the background alone', async () => {
  const started = Number(await outputOf(shell('sleep 60 >/dev/null & echo $!')));
  assert.ok(lives(started));
  process.kill(started, 'SIGKILL');
});

test('what is left in the background does not hold up the outcome, though it holds the output', async () => {
  const start = performance.now();
  const started = Number(await outputOf(shell('sleep 60 & echo $!')));
  assert.ok(performance.now() - start < 10_000);
  process.kill(started, 'SIGKILL');
});

test('a program that cannot be started fails with the errno', async () => {
  const failures = [
    ['no-such-program', 'ENOENT'],
    ['/no/such/program', 'ENOENT'],
    ['/dev/null', 'EACCES'],
  ] as const;
  // A search that passes a directory which is closed to us would end with EACCES.
  const { PATH } = process.env;
  process.env.PATH = '/usr/bin:/bin';
  const own = new ProcessSpawner();
  process.env.PATH = PATH;
  for (const [program, code] of failures) {
    const outcome = await own.run({ argv: [program], timeoutMs: 20_000, maxOutput: 0 });
    const error = { operation: 'exec', target: program, code };
    assert.deepEqual(outcome, { kind: 'failed', error });
  }
  own.close();
});

test('two hundred programs run at the same time and each gets its own answer', async () => {
  const start = performance.now();
  const outputs = await Promise.all(
    Array.from({ length: 200 }, (_, index) => outputOf(shell(`sleep 0.5; echo ${index}`))),
  );
  assert.deepEqual(
    outputs,
    Array.from({ length: 200 }, (_, index) => `${index}\n`),
  );
  assert.ok(performance.now() - start < 20_000, 'one after the other would take 100 s');
});

test('more programs than there is room for are refused, not forgotten', async () => {
  const outcomes = await Promise.all(
    Array.from({ length: 600 }, () => run(['sleep', '30'], { timeoutMs: 3000, maxOutput: 0 })),
  );
  const refused = outcomes.filter(({ kind }) => kind === 'failed');
  const ran = outcomes.filter(({ kind }) => kind === 'timeout');
  assert.equal(refused.length + ran.length, 600);
  assert.ok(ran.length >= 200 && ran.length <= 512, `${ran.length} ran`);
  for (const outcome of refused) {
    assert.ok(outcome.kind === 'failed');
    assert.match(outcome.error.code, /^(EAGAIN|EMFILE)$/);
  }
  assert.equal(await outputOf(run(['echo', 'still there'])), 'still there\n');
});

test('privilege is dropped with all groups', async (t) => {
  if (process.getuid?.() !== 0) return t.skip('changing the user needs root');
  // Started with further groups, which root often has and a test may not.
  const child = spawn('setpriv', ['--groups', '1,2', nativeFile('spawner')], { stdio: 'pipe' });
  const argv = ['grep', '-E', '^(Uid|Gid|Groups|CapEff)', '/proc/self/status'].map(utf8);
  const head = words(1, 65534, 65533, 20_000, 4096, argv.length);
  child.stdin.write(framed(head, ...argv.flatMap((word) => [words(word.length), word])));
  const [answer] = await once(child.stdout, 'data');
  child.stdin.end();
  assert.deepEqual(fromUtf8(answer).slice(16).trim().split(/\s+/), [
    ...['Uid:', '65534', '65534', '65534', '65534'],
    ...['Gid:', '65533', '65533', '65533', '65533'],
    'Groups:',
    ...['CapEff:', '0000000000000000'],
  ]);
});

test('who may not change the user is told which call was refused', async (t) => {
  if (process.getuid?.() === 0) return t.skip('root may change the user');
  const outcome = await run(['id'], { uid: 65534, gid: 65534 });
  assert.ok(outcome.kind === 'failed');
  assert.deepEqual(outcome.error, { operation: 'setgroups', target: 'id', code: 'EPERM' });
});

test('a request that is our own mistake is thrown by the name of what is wrong', () => {
  const good = { argv: ['true'], timeoutMs: 1000, maxOutput: 0 };
  const bad: readonly (readonly [string, Partial<SpawnRequest>])[] = [
    ['timeoutMs', { timeoutMs: 0 }],
    ['timeoutMs', { timeoutMs: Number.NaN }],
    ['timeoutMs', { timeoutMs: 2 ** 31 }],
    ['maxOutput', { maxOutput: -1 }],
    ['maxOutput', { maxOutput: 65537 }],
    ['maxOutput', { maxOutput: 0.5 }],
    ['uid', { uid: -1, gid: 0 }],
    ['uid', { uid: 0xffffffff, gid: 0 }],
    ['gid', { gid: 1.5 }],
    ['gid', { uid: 65534 }],
    ['argv', { argv: [] }],
    ['argv', { argv: [''] }],
    ['argv', { argv: ['true', 'a\0b'] }],
    ['argv', { argv: Array.from({ length: 257 }, () => 'a') }],
    ['argv', { argv: ['true', 'a'.repeat(128 * 1024)] }],
  ];
  for (const [name, part] of bad) {
    assert.throws(
      () => spawner.run({ ...good, ...part }),
      (error) => error instanceof TypeError && error.message.startsWith(`${name}: `),
      `${name} ${JSON.stringify(part).slice(0, 60)}`,
    );
  }
});

test('the longest request and a fraction of a millisecond are good ones', async () => {
  const long = 'a'.repeat(120 * 1024);
  assert.equal((await outputOf(run(['echo', long.slice(0, 60_000)]))).length, 60_001);
  assert.equal((await run(['true', long])).kind, 'exited');
  assert.equal((await run(['sleep', '9'], { timeoutMs: 0.5 })).kind, 'timeout');
});

test('closing kills what runs, and every outcome is a failure', async () => {
  const own = new ProcessSpawner();
  const file = join(directory, 'closing');
  const outcome = own.run({
    argv: ['sh', '-c', `echo $$ >${file}.new; mv ${file}.new ${file}; exec sleep 60`],
    timeoutMs: 60_000,
    maxOutput: 0,
  });
  await until(() => existsSync(file));
  const running = Number(readFileSync(file, 'utf8'));
  const { pid = 0 } = own;
  assert.ok(lives(running) && lives(pid));
  own.close();
  const error = { operation: 'spawner', target: 'sh', code: 'EPIPE' };
  assert.deepEqual(await outcome, { kind: 'failed', error });
  await until(() => !lives(running) && !lives(pid));
  const later = await own.run({ argv: ['true'], timeoutMs: 1000, maxOutput: 0 });
  assert.deepEqual(later, { kind: 'failed', error: { ...error, target: 'true' } });
});

test('a spawner that dies fails what ran through it', async () => {
  const own = new ProcessSpawner();
  const outcome = own.run({ argv: ['sleep', '0.1'], timeoutMs: 1000, maxOutput: 0 });
  process.kill(own.pid ?? 0, 'SIGKILL');
  assert.equal((await outcome).kind, 'failed');
  own.close();
});

test('signals meant for the director leave the spawner running', async () => {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.kill(spawner.pid ?? 0, signal);
  }
  assert.equal(await outputOf(run(['echo', 'alive'])), 'alive\n');
});

test('a spawner that nobody waits for lets its process end', async () => {
  const code = `
    import { ProcessSpawner } from ${JSON.stringify(import.meta.resolve('./spawner.ts'))};
    const outcome = await new ProcessSpawner().run({ argv: ['echo'], timeoutMs: 9000, maxOutput: 9 });
    process.stdout.write(outcome.kind);`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: 10_000,
  });
  let output = '';
  child.stdout.on('data', (bytes: Uint8Array) => {
    output += fromUtf8(bytes);
  });
  const [status] = await once(child, 'exit');
  assert.deepEqual([status, output], [0, 'exited']);
});

/** Feeds raw bytes to a spawner of its own; gives how it ended and what it said. */
async function feed(bytes: Uint8Array): Promise<readonly [status: unknown, complaint: string]> {
  const child = spawn(nativeFile('spawner'), [], { stdio: 'pipe', timeout: 10_000 });
  let complaint = '';
  child.stderr.on('data', (text: Uint8Array) => {
    complaint += fromUtf8(text);
  });
  child.stdin.on('error', () => {}); // it ends without reading everything
  child.stdin.end(bytes);
  const [status] = await once(child, 'close');
  return [status, complaint];
}

function words(...values: readonly number[]): Uint8Array {
  return new Uint8Array(Uint32Array.from(values).buffer);
}

function framed(...parts: readonly Uint8Array[]): Uint8Array {
  const body = concatBytes(...parts);
  return concatBytes(words(body.length), body);
}

test('a malformed request ends the spawner with a sentence', async () => {
  const NOBODY = 0xffffffff;
  const head = (count: number) => words(1, NOBODY, NOBODY, 1000, 0, count);
  const bad: readonly (readonly [Uint8Array, RegExp])[] = [
    [words(NOBODY), /a request is too long/],
    [framed(words(1, 2)), /a request is too short/],
    [framed(words(1, NOBODY, NOBODY, 0, 0, 1)), /no good timeout/],
    [framed(words(1, NOBODY, NOBODY, 1, 65537, 1)), /too much output/],
    [framed(words(1, 5, NOBODY, 1, 0, 1)), /keeps our group/],
    [framed(head(0)), /no good argument count/],
    [framed(head(257)), /no good argument count/],
    [framed(head(1)), /ends within its arguments/],
    [framed(head(1), words(5), utf8('true')), /longer than its request/],
    [framed(head(1), words(NOBODY), utf8('true')), /longer than its request/],
    [framed(head(1), words(4), utf8('a\0bc')), /has a zero byte/],
    [framed(head(1), words(0)), /names no program/],
    [framed(head(1), words(4), utf8('true'), utf8('x')), /longer than its arguments/],
    [words(24, 1), /the input ends within a request/],
  ];
  for (const [bytes, sentence] of bad) {
    const [status, complaint] = await feed(bytes);
    assert.equal(status, 1, String(sentence));
    assert.match(complaint, sentence);
    assert.match(complaint, /^spawner: [^\n]+\n$/);
  }
  assert.deepEqual(await feed(new Uint8Array(0)), [0, '']);
});
