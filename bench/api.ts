/**
 * What the API may cost a director: `node bench/api.ts [--seconds N]`, as root.
 *
 * A real director, active, in a network namespace; its heartbeats are received in another one by a real-time thread.
 * Then, one after the other: nothing; 1,000 requests a second; clients that send a byte now and then; endless bodies;
 * 10,000 streams that nobody reads. Meanwhile an honest client asks for the status ten times a second. Limits: no
 * heartbeat later than 20 ms, resident memory of the director below 150 MiB, and the honest client is answered.
 *
 * Rejected: the director's own counters as the judge of its heartbeats; what counts is when they arrive.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { setPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { ip } from '../src/base/index.ts';
import {
  BootClock,
  LinuxPoller,
  native,
  openHeartbeatSocket,
  setRealtime,
} from '../src/ports/index.ts';
import { ask, BODIES, RATE, runLoad, SLOW, STREAMS } from './api-load.ts';

const LIMIT_LATE_MS = 20;
const LIMIT_MIB = 150;
const KEEPALIVE_MS = 100;
const NOBODY = 65_534;
const [OWN, PARTNER] = ['198.51.100.11', '198.51.100.12'];
const NAMES = [`apix-${process.pid}a`, `apix-${process.pid}b`] as const;
const PULSE = join(import.meta.dirname, '..', 'bin', 'pulse');

const LOADS = {
  nothing: { words: '', socket: 'pulse.sock' },
  requests: { words: `${RATE} requests a second`, socket: 'pulse.sock' },
  slow: { words: `${SLOW} clients that send a byte in 300 ms`, socket: 'read.sock' },
  bodies: { words: `${BODIES} clients with bodies of 100 MB`, socket: 'pulse.sock' },
  streams: { words: `${STREAMS} streams that nobody reads`, socket: 'read.sock' },
} as const;
type Load = keyof typeof LOADS;

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

async function main(seconds: number): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'apix-'));
  const [here, there] = NAMES;
  const run = join(directory, 'run');
  let pulse: ChildProcess | undefined;
  let beats: Worker | undefined;
  try {
    namespaces(here, there);
    writeFileSync(join(directory, 'lvs.cf'), CONFIG);
    const words = ['-n', '-c', join(directory, 'lvs.cf'), '--run-dir', run];
    pulse = spawn('ip', ['netns', 'exec', here, PULSE, ...words], { stdio: 'ignore' });
    execFileSync('chmod', ['755', directory]);
    await until(() => roleOf(run) === 'active', 'the director to be active');
    beats = new Worker(new URL(import.meta.url), { workerData: { namespace: there } });
    await new Promise((resolve) => beats?.once('message', resolve));
    const pid = Number(readFileSync(join(run, 'pulse.pid'), 'utf8'));
    let isMet = true;
    for (const load of ['nothing', 'requests', 'slow', 'bodies', 'streams'] as const) {
      isMet = (await phase(load, { run, seconds, beats, pid })) && isMet;
    }
    process.exitCode = isMet ? 0 : 1;
  } finally {
    await beats?.terminate();
    if (pulse !== undefined) await ended(pulse);
    for (const name of NAMES) execFileSync('ip', ['netns', 'del', name]);
    rmSync(directory, { recursive: true, force: true });
  }
}

function ended(child: ChildProcess): Promise<void> {
  child.kill('SIGTERM');
  return new Promise((resolve) => child.once('exit', () => resolve()));
}

type Scene = {
  readonly run: string;
  readonly seconds: number;
  readonly beats: Worker;
  readonly pid: number;
};

async function phase(load: Load, { run, seconds, beats, pid }: Scene): Promise<boolean> {
  const { socket, words } = LOADS[load];
  const client = load === 'nothing' ? undefined : loadProcess(load, join(run, socket), seconds);
  beats.postMessage('begin');
  const before = cpuMs(pid);
  let peak = 0;
  const memory = setInterval(() => {
    peak = Math.max(peak, residentMib(pid));
  }, 50);
  const honest = await askHonestly(join(run, 'pulse.sock'), seconds * 1000);
  clearInterval(memory);
  const share = (cpuMs(pid) - before) / (seconds * 1000);
  beats.postMessage('end');
  const heard = await new Promise<Beats>((resolve) => beats.once('message', resolve));
  const did = client === undefined ? '' : await client;
  console.log(`\n${words === '' ? 'nothing' : words}${did === '' ? '' : `: ${did}`}`);
  const { median, worst, failed } = honest;
  console.log(
    `  honest client      ${median.toFixed(1)} ms (median), ${worst.toFixed(1)} ms (worst), ${failed} unanswered`,
  );
  console.log(`  processor          ${(share * 100).toFixed(0)} % of one core`);
  const isOften = heard.count >= seconds * (1000 / KEEPALIVE_MS) * 0.95;
  const late = `${heard.worst.toFixed(1)} ms (${heard.count} heard)`;
  const isCalm = judge(
    'heartbeat lateness',
    heard.worst <= LIMIT_LATE_MS && isOften,
    late,
    `${LIMIT_LATE_MS} ms`,
  );
  const isSmall = judge(
    'resident memory',
    peak <= LIMIT_MIB,
    `${peak.toFixed(0)} MiB`,
    `${LIMIT_MIB} MiB`,
  );
  const rate = Number(/^(\d+) answered a second/.exec(did)?.[1] ?? RATE);
  // A machine that is too busy to ask so much has shown nothing.
  const isAsked = rate >= RATE * 0.95;
  if (!isAsked) console.log(`  answers            ${rate} a second (wanted ${RATE}): MISSED`);
  return isCalm && isSmall && isAsked && failed === 0;
}

function judge(what: string, isMet: boolean, shown: string, most: string): boolean {
  console.log(`  ${what.padEnd(18)} ${shown} (limit ${most}): ${isMet ? 'met' : 'MISSED'}`);
  return isMet;
}

/** Ten questions a second, each on a connection of its own. */
async function askHonestly(socketPath: string, ms: number) {
  const times: number[] = [];
  let failed = 0;
  for (const end = performance.now() + ms; performance.now() < end; ) {
    const begun = performance.now();
    const status = await ask({ socketPath, path: '/v1/status' });
    if (status === 200) times.push(performance.now() - begun);
    else failed++;
    await sleep(Math.max(0, begun + 100 - performance.now()));
  }
  times.sort((a, b) => a - b);
  return { median: times[times.length >> 1] ?? Number.NaN, worst: times.at(-1) ?? 0, failed };
}

// The load, in a process of its own; the attackers of read.sock are nobody.

function loadProcess(load: Load, socket: string, seconds: number): Promise<string> {
  const words = [
    import.meta.filename,
    '--load',
    load,
    '--socket',
    socket,
    '--seconds',
    `${seconds}`,
  ];
  const shell = `ulimit -n ${STREAMS + 1000}; exec "$0" "$@"`;
  const isNobody = LOADS[load].socket === 'read.sock';
  const child = spawn('sh', ['-c', shell, process.execPath, ...process.execArgv, ...words], {
    stdio: ['ignore', 'pipe', 'inherit'],
    ...(isNobody && { uid: NOBODY, gid: NOBODY }),
  });
  // The demand comes from elsewhere: it must not wait for the processor behind what else this machine does.
  setPriority(child.pid ?? 0, -10);
  return new Promise((resolve) => {
    let text = '';
    child.stdout?.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
    child.once('close', () => resolve(text.trim()));
  });
}

// The other end of the heartbeats, in a thread of its own.

type Beats = { readonly worst: number; readonly count: number };

/** When each heartbeat comes, against the one before it. */
function beatThread(namespace: string): void {
  const fd = openSync(`/run/netns/${namespace}`, 'r');
  const entered = native().enterNetwork(fd);
  closeSync(fd);
  const socket = openHeartbeatSocket({ address: ip(PARTNER ?? ''), port: 539 });
  if (entered < 0 || !socket.ok) throw new Error(socket.ok ? 'setns' : socket.error.code);
  const refusal = setRealtime(60);
  if (refusal !== undefined)
    console.log(`heartbeats are received without real time: ${refusal.code}`);
  const [clock, poller] = [new BootClock(), new LinuxPoller()];
  let last: number | undefined;
  let [worst, count] = [0, 0];
  parentPort?.on('message', (word) => {
    if (word === 'end') parentPort?.postMessage({ worst, count } satisfies Beats);
    [last, worst, count] = [undefined, 0, 0];
  });
  parentPort?.postMessage('ready');
  const turn = () => {
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

function namespaces(here: string, there: string): void {
  const lines = [
    `netns add ${here}`,
    `netns add ${there}`,
    `link add name eth0 netns ${here} type veth peer name eth0 netns ${there}`,
  ];
  for (const line of lines) execFileSync('ip', line.split(' '));
  for (const [name, address] of [
    [here, OWN],
    [there, PARTNER],
  ] as const) {
    for (const line of ['link set lo up', 'link set eth0 up', `addr add ${address}/24 dev eth0`]) {
      execFileSync('ip', ['-n', name, ...line.split(' ')]);
    }
  }
}

function roleOf(run: string): string {
  try {
    const url = ['-s', '--unix-socket', join(run, 'pulse.sock'), 'http://x/v1/status'];
    return /"role":"(\w+)"/.exec(execFileSync('curl', url, { encoding: 'utf8' }))?.[1] ?? '';
  } catch {
    return ''; // it does not listen yet
  }
}

function residentMib(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
}

/** User and system time of the process so far. */
function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

async function until(isTrue: () => boolean, what: string): Promise<void> {
  for (const limit = performance.now() + 20_000; !isTrue(); await sleep(100)) {
    if (performance.now() > limit) throw new Error(`waited 20 s for ${what}`);
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

if (isMainThread) {
  const options = {
    seconds: { type: 'string', default: '10' },
    load: { type: 'string' },
    socket: { type: 'string', default: '' },
  } as const;
  const { values } = parseArgs({ options });
  if (values.load === undefined) await main(Number(values.seconds));
  else {
    console.log(await runLoad(values.load, values.socket, Number(values.seconds)));
    process.exit(0);
  }
} else beatThread(String(Object(workerData).namespace));
