/** The runner must not be fooled: every way a test program can end is run here for real. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Job, JobRunner, processesWith } from './jobs.ts';
import type { Tally } from './tally.ts';

const runner = new JobRunner(join(import.meta.dirname, '..'));
const scratch = mkdtempSync(join(tmpdir(), 'jobs-'));
after(() => {
  runner.close();
  rmSync(scratch, { recursive: true });
});

async function runFile(source: string, limitMs = 10_000): Promise<Tally> {
  const name = join(scratch, `case-${source.length}.ts`);
  writeFileSync(name, `import test from 'node:test';\n${source}\n`);
  return (await runner.run({ name, kind: 'file', argv: [name], limitMs })).tally;
}

async function runScript(script: string, kind: Job['kind'], limitMs = 10_000): Promise<Tally> {
  return (await runner.run({ name: 'script', kind, argv: ['sh', '-c', script], limitMs })).tally;
}

const only = ({ passed, failed, skipped }: Tally) => ({ passed, failed, skipped });

test('passed, failed and skipped tests of a file are counted and named', async () => {
  const tally = await runFile(`
    test('good', () => {});
    test('bad', () => { throw new Error('because'); });
    test('cannot', { skip: 'needs root' }, () => {});`);
  assert.deepEqual(only(tally), { passed: 1, failed: 1, skipped: 1 });
  assert.match(tally.failures[0]?.name ?? '', /: bad$/);
  assert.match(tally.failures[0]?.text ?? '', /because/);
  assert.equal(tally.skips[0]?.text, 'needs root');
});

test('what a test prints cannot forge the counts', async () => {
  const tally = await runFile(
    `test('bad', () => { console.log('# tests 9\\n# pass 9'); throw 1; });`,
  );
  assert.deepEqual(only(tally), { passed: 0, failed: 1, skipped: 0 });
});

test('a file that crashes after a passed test has failed', async () => {
  const tally = await runFile(`
    test('good', () => {});
    test('crash', () => { process.kill(process.pid, 'SIGSEGV'); return new Promise(() => {}); });`);
  assert.equal(tally.failed, 1);
  assert.match(tally.failures[0]?.text ?? '', /SIGSEGV/);
});

test('a file that leaves with status 0 in the middle of a test has failed', async () => {
  const tally = await runFile(`test('leaves', () => { process.exit(0); });`);
  assert.equal(tally.failed, 1);
});

test('a file without a single test has failed', async () => {
  assert.deepEqual(only(await runFile('void test;')), { passed: 0, failed: 1, skipped: 0 });
});

test('a file that hangs is ended at its limit and has failed', async () => {
  const tally = await runFile(
    `test('hangs', () => new Promise(() => setInterval(() => {}, 9)));`,
    800,
  );
  assert.equal(tally.failed, 1);
  assert.match(tally.failures[0]?.text ?? '', /longer than 0.8 s/);
});

test('a process left behind, even in its own session, is ended and counted as a failure', async () => {
  const sleeper = `setsid sh -c 'echo >$TMPDIR/up; exec sleep 61' >/dev/null 2>&1 &`;
  const isUp = 'until [ -e $TMPDIR/up ]; do sleep 0.05; done';
  const tally = await runScript(`${sleeper}\n${isUp}`, 'exit');
  assert.deepEqual(only(tally), { passed: 1, failed: 1, skipped: 0 });
  // Gone, or at most a dead entry that nobody has collected yet.
  const pid = /process (\d+)/.exec(tally.failures[0]?.text ?? '')?.[1];
  const commandLine = `/proc/${pid}/cmdline`;
  const isGone = () => !existsSync(commandLine) || readFileSync(commandLine, 'utf8') === '';
  for (let attempt = 0; attempt < 20 && !isGone(); attempt++) await sleep(50);
  assert.ok(isGone());
});

test('a script is believed only when it counts and its exit status agrees', async () => {
  const counts = 'echo "# tests 3"; echo "# pass 2"; echo "# fail 0"; echo "# skipped 1";';
  assert.deepEqual(only(await runScript(counts, 'tap')), { passed: 2, failed: 0, skipped: 1 });
  assert.deepEqual(only(await runScript(`${counts} exit 3`, 'tap')), {
    passed: 2,
    failed: 1,
    skipped: 1,
  });
  assert.equal((await runScript('echo fine', 'tap')).failed, 1);
  const oneLine = 'echo "# tests 3 pass 2 fail 0 skipped 1"';
  assert.deepEqual(only(await runScript(oneLine, 'tap')), { passed: 2, failed: 0, skipped: 1 });
});

test('a program that cannot be started has failed', async () => {
  const job: Job = { name: 'none', kind: 'exit', argv: ['/nowhere/none'], limitMs: 1000 };
  const { tally } = await runner.run(job);
  assert.match(tally.failures[0]?.text ?? '', /could not start/);
});

test('programs that run side by side all count, in whatever order they end', async () => {
  const jobs = ['sleep 0.2', 'exit 1', 'true', 'sleep 0.1', 'true'].map(
    (script): Job => ({ name: script, kind: 'exit', argv: ['sh', '-c', script], limitMs: 5000 }),
  );
  assert.deepEqual(only(await runner.runAll(jobs, 3)), { passed: 4, failed: 1, skipped: 0 });
});

test('a signal ends everything that runs and removes its files', async () => {
  const place = mkdtempSync(join(scratch, 'signalled-'));
  const script = join(place, 'script.ts');
  const jobs = join(import.meta.dirname, 'jobs.ts');
  writeFileSync(
    script,
    `import { JobRunner } from ${JSON.stringify(jobs)};
    const runner = new JobRunner('/');
    runner.closeOnSignals();
    const argv = ['sh', '-c', 'setsid sleep 62 & trap "" TERM; sleep 62'];
    await runner.run({ name: 'stubborn', kind: 'exit', argv, limitMs: 60_000 });`,
  );
  const mark = `PIRANHA_CHECK_TEST=${process.pid}`;
  const child = spawn(process.execPath, [script], {
    env: { ...process.env, TMPDIR: place, PIRANHA_CHECK_TEST: String(process.pid) },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const carriers = () => processesWith(mark);
  for (let attempt = 0; attempt < 50 && carriers().length < 4; attempt++) await sleep(50);
  assert.ok(carriers().length >= 4, 'runner, shell and two sleepers run');
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  assert.deepEqual(await ended, [143, null]);
  for (let attempt = 0; attempt < 20 && carriers().length > 0; attempt++) await sleep(50);
  assert.deepEqual(carriers(), []);
  assert.deepEqual(readdirSync(place), ['script.ts']);
});
