/**
 * A rig for what a load may cost a director: a real one, active, in a network namespace of its own; its heartbeats are heard
 * in another one by a real-time thread, which judges when they arrive.
 *
 * Rejected: the director's own counters as the judge. A heartbeat that it sent in time and that came late was late.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { ip } from '../src/base/index.ts';
import {
  BootClock,
  LinuxPoller,
  native,
  openHeartbeatSocket,
  setRealtime,
} from '../src/ports/index.ts';

export const KEEPALIVE_MS = 100;
const [OWN, PARTNER] = ['198.51.100.11', '198.51.100.12'] as const;
const PULSE = join(import.meta.dirname, '..', 'bin', 'pulse');

/** `worst`: how much later than one keepalive after the one before it, in milliseconds. */
export type Beats = { readonly worst: number; readonly count: number };

export type Rig = {
  readonly directory: string;
  readonly runDirectory: string;
  readonly pid: number;
  begin(): void;
  end(): Promise<Beats>;
  close(): Promise<void>;
};

/** `prefix`: of the namespaces' names. Needs root. */
export async function startRig(prefix: string): Promise<Rig> {
  const directory = mkdtempSync(join(tmpdir(), prefix));
  const runDirectory = join(directory, 'run');
  const names = [`${prefix}${process.pid}a`, `${prefix}${process.pid}b`] as const;
  namespaces(names);
  writeFileSync(join(directory, 'lvs.cf'), CONFIG);
  const words = ['-n', '-c', join(directory, 'lvs.cf'), '--run-dir', runDirectory];
  const pulse = spawn('ip', ['netns', 'exec', names[0], PULSE, ...words], { stdio: 'ignore' });
  const close = async (beats?: Worker): Promise<void> => {
    await beats?.terminate();
    await ended(pulse);
    for (const name of names) execFileSync('ip', ['netns', 'del', name]);
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    execFileSync('chmod', ['755', directory]);
    await until(() => roleOf(runDirectory) === 'active', 'the director to be active');
    const beats = new Worker(new URL(import.meta.url), { workerData: { namespace: names[1] } });
    const said = (): Promise<Beats> => new Promise((resolve) => beats.once('message', resolve));
    await said();
    return {
      directory,
      runDirectory,
      pid: Number(readFileSync(join(runDirectory, 'pulse.pid'), 'utf8')),
      begin: () => beats.postMessage('begin'),
      end: () => {
        beats.postMessage('end');
        return said();
      },
      close: () => close(beats),
    };
  } catch (error) {
    await close();
    throw error;
  }
}

const CONFIG = `primary = ${OWN}
backup = ${PARTNER}
backup_active = 1
keepalive_ms = ${KEEPALIVE_MS}
deadtime_ms = 400
network = direct
dataplane = none
dialect = legacy
virtual web {
    active = 1
    address = 198.51.100.100 eth0:1
    port = 80
${Array.from({ length: 100 }, (_, at) => `    server s${at} {\n        address = 127.0.0.${at + 1}\n        active = 1\n    }\n`).join('')}}
`;

/** Ends a child we started; its exit is waited for. */
export function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  child.kill('SIGTERM');
  return new Promise((resolve) => child.once('exit', () => resolve()));
}

export function residentMib(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
}

/** User and system time of the process so far. */
export function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

export async function until(isTrue: () => boolean, what: string): Promise<void> {
  for (const limit = performance.now() + 20_000; !isTrue(); await sleep(100)) {
    if (performance.now() > limit) throw new Error(`waited 20 s for ${what}`);
  }
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function roleOf(run: string): string {
  try {
    const url = ['-s', '--unix-socket', join(run, 'pulse.sock'), 'http://x/v1/status'];
    return /"role":"(\w+)"/.exec(execFileSync('curl', url, { encoding: 'utf8' }))?.[1] ?? '';
  } catch {
    return ''; // it does not listen yet
  }
}

function namespaces([here, there]: readonly [string, string]): void {
  const lines = [
    `netns add ${here}`,
    `netns add ${there}`,
    `link add name eth0 netns ${here} type veth peer name eth0 netns ${there}`,
  ];
  for (const line of lines) execFileSync('ip', line.split(' '));
  for (const [name, address] of [[here, OWN] as const, [there, PARTNER] as const]) {
    for (const line of ['link set lo up', 'link set eth0 up', `addr add ${address}/24 dev eth0`]) {
      execFileSync('ip', ['-n', name, ...line.split(' ')]);
    }
  }
}

/** The other end of the heartbeats, in a thread of its own: when each comes, against the one before it. */
function beatThread(namespace: string): void {
  const fd = openSync(`/run/netns/${namespace}`, 'r');
  const entered = native().enterNetwork(fd);
  closeSync(fd);
  const socket = openHeartbeatSocket({ address: ip(PARTNER), port: 539 });
  if (entered < 0 || !socket.ok) throw new Error(socket.ok ? 'setns' : socket.error.code);
  const refusal = setRealtime(60);
  if (refusal !== undefined) console.log(`heard without real time: ${refusal.code}`);
  const [clock, poller] = [new BootClock(), new LinuxPoller()];
  let last: number | undefined;
  let [worst, count] = [0, 0];
  parentPort?.on('message', (word) => {
    if (word === 'end') parentPort?.postMessage({ worst, count } satisfies Beats);
    [last, worst, count] = [undefined, 0, 0];
  });
  parentPort?.postMessage({ worst, count } satisfies Beats);
  const turn = (): void => {
    // Most of the wait in ppoll, a look at the messages after each heartbeat.
    if (poller.wait([socket.value.fd], KEEPALIVE_MS * 5).length > 0) {
      const now = clock.now();
      for (const _ of socket.value.receive()) {
        if (last !== undefined) worst = Math.max(worst, now - last - KEEPALIVE_MS);
        last = now;
        count++;
      }
    }
    setImmediate(turn);
  };
  setImmediate(turn);
}

if (!isMainThread) beatThread(String(Object(workerData).namespace));
