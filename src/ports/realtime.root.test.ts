import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { getPriority } from 'node:os';
import test from 'node:test';
import { Worker } from 'node:worker_threads';
import { realtimePriority, setNice, setRealtime } from './realtime.ts';

/**
 * Policy (0 other, 2 round robin) of each thread of this process: fields 40 and 41 of
 * /proc/PID/task/TID/stat.
 */
function classOf(task: string): { readonly priority: number; readonly policy: number } {
  const fields = readFileSync(`/proc/self/task/${task}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return { priority: Number(fields[37]), policy: Number(fields[38]) };
}

test('a thread becomes SCHED_RR with the priority it asked for, and ordinary again', () => {
  assert.equal(realtimePriority(), 0);
  assert.equal(setRealtime(20), undefined);
  try {
    assert.equal(realtimePriority(), 20);
    assert.deepEqual(classOf(String(process.pid)), { priority: 20, policy: 2 });
  } finally {
    assert.equal(setRealtime(0), undefined);
  }
  assert.equal(realtimePriority(), 0);
  assert.deepEqual(classOf(String(process.pid)), { priority: 0, policy: 0 });
});

test('programs started by a real-time thread are ordinary', () => {
  assert.equal(setRealtime(20), undefined);
  try {
    const { stdout } = spawnSync('chrt', ['-p', '0'], { encoding: 'utf8', timeout: 5000 });
    assert.match(stdout, /SCHED_OTHER/);
  } finally {
    setRealtime(0);
  }
});

test('a real-time worker leaves the main thread as it is', async () => {
  const url = new URL('./realtime.ts', import.meta.url).href;
  const code = `
    import { parentPort } from 'node:worker_threads';
    const { setRealtime, realtimePriority } = await import(${JSON.stringify(url)});
    parentPort.postMessage([setRealtime(30), realtimePriority()]);`;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`));
  const answer = await new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  await worker.terminate();
  assert.deepEqual(answer, [undefined, 30]);
  assert.equal(realtimePriority(), 0);
});

test('every thread of the process is preferred to ordinary work, and no longer', () => {
  const nices = () =>
    readdirSync('/proc/self/task').map((task) => Number(getPriority(Number(task))));
  try {
    assert.equal(setNice(-5), true);
    assert.deepEqual(new Set(nices()), new Set([-5]));
  } finally {
    assert.equal(setNice(0), true);
  }
  assert.deepEqual(new Set(nices()), new Set([0]));
});
