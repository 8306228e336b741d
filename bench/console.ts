/**
 * What the console costs, and what an attack on it costs the director: `node bench/console.ts [--seconds N]`, as root.
 *
 * A real director (heartbeat-rig.ts), and `piranha console` as it ships before it. First the verdict of the first page,
 * then one after the other: 1,000 requests a second; clients that send a byte now and then; bodies of 100 MB; 10,000
 * streams; a flood of TLS handshakes. The attackers come from other loopback addresses than the honest client, which asks for
 * the status ten times a second. Limits: no heartbeat later than 20 ms, the console below 300 MiB, the first verdict
 * within 300 ms, and the honest client is answered.
 */
import { spawn } from 'node:child_process';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { connect, type TLSSocket } from 'node:tls';
import { parseArgs } from 'node:util';
import {
  cpuMs,
  ended,
  KEEPALIVE_MS,
  type Rig,
  residentMib,
  sleep,
  startRig,
  until,
} from './heartbeat-rig.ts';

const LIMIT_LATE_MS = 20;
const LIMIT_MIB = 300;
const LIMIT_VERDICT_MS = 300;
const RATE = 1000;
const STREAMS = 10_000;
const PORT = 36_399;
const PIRANHA = join(import.meta.dirname, '..', 'piranha');

const LOADS = {
  nothing: 'nothing',
  requests: `${RATE} requests a second with a session`,
  strangers: `${RATE} requests a second without one`,
  slow: '500 clients that send a byte in 300 ms',
  bodies: '16 clients with bodies of 100 MB',
  streams: `${STREAMS} streams that nobody reads`,
  handshakes: 'a flood of TLS handshakes',
} as const;
type Load = keyof typeof LOADS;

async function main(seconds: number): Promise<void> {
  const rig = await startRig('pircon-');
  const state = join(rig.directory, 'console');
  const where = [
    '--listen',
    `127.0.0.1:${PORT}`,
    '--state-dir',
    state,
    '--run-dir',
    rig.runDirectory,
  ];
  const console_ = spawn(PIRANHA, ['console', ...where], { stdio: ['ignore', 'ignore', 'pipe'] });
  try {
    let said = '';
    console_.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    await until(() => said.includes('serves https'), 'the console to serve');
    // Two logins: what one asks too often must not be held against the other.
    const [cookie, attackers] = [await logIn(where), await logIn(where)];
    let isMet = await firstVerdict(cookie);
    for (const load of keysOf(LOADS)) {
      const scene = { rig, seconds, cookie, attackers, pid: console_.pid ?? 0 };
      isMet = (await phase(load, scene)) && isMet;
    }
    process.exitCode = isMet ? 0 : 1;
  } finally {
    await ended(console_);
    await rig.close();
  }
}

function keysOf<K extends string>(table: { readonly [key in K]: string }): readonly K[] {
  const keys: K[] = [];
  for (const key in table) keys.push(key);
  return keys;
}

/** By the link that root is given. */
async function logIn(where: readonly string[]): Promise<string> {
  const child = spawn(PIRANHA, ['console', 'login-url', ...where.slice(0, 4)], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const ticket = (await textOf(child.stdout)).trim().split('#')[1] ?? '';
  const origin = `https://127.0.0.1:${PORT}`;
  const headers = { origin, 'content-type': 'application/json' };
  const { cookie } = await ask(
    { path: '/login/link', method: 'POST', headers },
    JSON.stringify({ ticket }),
  );
  return cookie;
}

async function textOf(stream: Readable): Promise<string> {
  let text = '';
  for await (const part of stream.setEncoding('utf8')) text += String(part);
  return text;
}

type Asked = {
  readonly path: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly agent?: Agent;
  readonly localAddress?: string;
};

function ask(
  asked: Asked,
  body?: string,
): Promise<{ status: number; cookie: string; text: string }> {
  return new Promise((resolve) => {
    const failed = { status: 0, cookie: '', text: '' };
    const sent = request(
      { host: '127.0.0.1', port: PORT, rejectUnauthorized: false, timeout: 5000, ...asked },
      (response) => {
        const cookie = String(response.headers['set-cookie']).split(';')[0] ?? '';
        const status = response.statusCode ?? 0;
        textOf(response).then(
          (text) => resolve({ status, cookie, text }),
          () => resolve(failed),
        );
      },
    );
    sent.once('error', () => resolve(failed));
    sent.end(body);
  });
}

/** A new connection with its handshake, the page, and the sentence in it; the median of eleven. */
async function firstVerdict(cookie: string): Promise<boolean> {
  const times: number[] = [];
  for (let left = 11; left > 0; left--) {
    const begun = performance.now();
    const { text } = await ask({ path: '/', headers: { cookie } });
    if (/data-level="\w+"/.test(text)) times.push(performance.now() - begun);
    await sleep(1100); // until what is known is no longer fresh
  }
  times.sort((a, b) => a - b);
  const median = times[times.length >> 1] ?? Number.POSITIVE_INFINITY;
  const worst = times.at(-1) ?? Number.POSITIVE_INFINITY;
  const shown = `${median.toFixed(0)} ms (median), ${worst.toFixed(0)} ms (worst of ${times.length})`;
  return judge('first verdict', worst <= LIMIT_VERDICT_MS, shown, `${LIMIT_VERDICT_MS} ms`);
}

type Scene = {
  readonly rig: Rig;
  readonly seconds: number;
  readonly cookie: string;
  /** The attackers' cookie. */
  readonly attackers: string;
  readonly pid: number;
};

async function phase(
  load: Load,
  { rig, seconds, cookie, attackers, pid }: Scene,
): Promise<boolean> {
  const attacker = load === 'nothing' ? undefined : loadProcess(load, seconds, attackers);
  rig.begin();
  const before = cpuMs(pid);
  let peak = 0;
  const memory = setInterval(() => {
    peak = Math.max(peak, residentMib(pid));
  }, 50);
  const honest = await askHonestly(cookie, seconds * 1000);
  clearInterval(memory);
  const share = (cpuMs(pid) - before) / (seconds * 1000);
  const heard = await rig.end();
  const did = attacker === undefined ? '' : await attacker;
  console.log(`\n${LOADS[load]}${did === '' ? '' : `: ${did}`}`);
  const { median, worst, failed, count } = honest;
  console.log(`  processor          ${(share * 100).toFixed(0)} % of one core, the console`);
  const isOften = heard.count >= seconds * (1000 / KEEPALIVE_MS) * 0.95;
  const late = `${heard.worst.toFixed(1)} ms (${heard.count} heard)`;
  return [
    judge(
      'heartbeat lateness',
      heard.worst <= LIMIT_LATE_MS && isOften,
      late,
      `${LIMIT_LATE_MS} ms`,
    ),
    judge('resident memory', peak <= LIMIT_MIB, `${peak.toFixed(0)} MiB`, `${LIMIT_MIB} MiB`),
    judge(
      'honest client',
      failed === 0,
      `${median.toFixed(1)} ms (median), ${worst.toFixed(0)} ms (worst), ${failed} of ${count} unanswered`,
      'all answered',
    ),
  ].every((isMet) => isMet);
}

function judge(what: string, isMet: boolean, shown: string, most: string): boolean {
  console.log(`  ${what.padEnd(18)} ${shown} (limit ${most}): ${isMet ? 'met' : 'MISSED'}`);
  return isMet;
}

/** Ten questions a second, on a connection that is kept. */
async function askHonestly(cookie: string, ms: number) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const times: number[] = [];
  let failed = 0;
  for (const end = performance.now() + ms; performance.now() < end; ) {
    const begun = performance.now();
    const { status } = await ask({ path: '/api/local/v1/status', headers: { cookie }, agent });
    if (status === 200) times.push(performance.now() - begun);
    else failed++;
    await sleep(Math.max(0, begun + 100 - performance.now()));
  }
  agent.destroy();
  times.sort((a, b) => a - b);
  const median = times[times.length >> 1] ?? Number.NaN;
  return { median, worst: times.at(-1) ?? 0, failed, count: times.length + failed };
}

// The attackers, in a process of their own; the cookie comes by the environment.

function loadProcess(load: Load, seconds: number, cookie: string): Promise<string> {
  const words = [import.meta.filename, '--load', load, '--seconds', `${seconds}`];
  const shell = `ulimit -n ${STREAMS + 1000}; exec "$0" "$@"`;
  const child = spawn('sh', ['-c', shell, process.execPath, ...process.execArgv, ...words], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, COOKIE: cookie },
  });
  return textOf(child.stdout).then((text) => text.trim());
}

function runLoad(load: string, cookie: string, seconds: number): Promise<string> {
  const end = performance.now() + seconds * 1000;
  switch (load) {
    case 'requests':
      return runRequests({ cookie }, end);
    case 'strangers':
      return runRequests({}, end);
    case 'slow':
      return runSlow(end);
    case 'bodies':
      return runBodies(cookie, end);
    case 'streams':
      return runStreams(cookie, end);
    default:
      return runHandshakes(end);
  }
}

async function runRequests(
  headers: Readonly<Record<string, string>>,
  end: number,
): Promise<string> {
  const agent = new Agent({ keepAlive: true, maxSockets: 32 });
  const paths = [
    '/',
    '/api/local/v1/status',
    '/api/local/v1/services',
    '/api/session',
    '/status.txt',
  ];
  const answers = new Map<number, number>();
  const waiting = new Set<Promise<void>>();
  const begun = performance.now();
  for (let sent = 0; performance.now() < end; await sleep(2)) {
    const due = ((performance.now() - begun) * RATE) / 1000;
    for (; sent < due && waiting.size < 500; sent++) {
      const path = paths[sent % paths.length] ?? '/';
      const one = ask({ path, headers, agent, localAddress: '127.0.0.2' }).then(({ status }) => {
        answers.set(status, (answers.get(status) ?? 0) + 1);
        waiting.delete(one);
      });
      waiting.add(one);
    }
  }
  const done = [...answers.values()].reduce((sum, count) => sum + count, 0);
  const rate = (done * 1000) / (performance.now() - begun);
  agent.destroy();
  return `${rate.toFixed(0)} answered a second (${counts(answers)})`;
}

async function runSlow(end: number): Promise<string> {
  const open = new Set<TLSSocket>();
  let begun = 0;
  for (; performance.now() < end; await sleep(300)) {
    for (; open.size < 500; begun++) opened(open, begun).write('GET /login HTTP/1.1\r\nx-');
    for (const one of open) if (one.writable) one.write('x');
  }
  return `${begun} connections begun`;
}

async function runBodies(cookie: string, end: number): Promise<string> {
  const open = new Set<TLSSocket>();
  const chunk = `10000\r\n${'x'.repeat(65_536)}\r\n`;
  let [begun, bytes] = [0, 0];
  for (; performance.now() < end; await sleep(5)) {
    while (open.size < 16) {
      begun++;
      const one = opened(open, begun);
      const length = begun % 2 === 0 ? 'content-length: 100000000' : 'transfer-encoding: chunked';
      const head = `host: x\r\ncookie: ${cookie}\r\nsec-fetch-site: same-origin\r\n${length}`;
      one.write(`POST /logout HTTP/1.1\r\n${head}\r\n\r\n`);
      const pour = (): void => {
        while (one.writable && one.write(chunk)) bytes += chunk.length;
      };
      one.on('drain', pour);
      pour();
    }
  }
  return `${begun} begun, ${(bytes / begun / 1e6).toFixed(2)} MB taken of each`;
}

async function runStreams(cookie: string, end: number): Promise<string> {
  const open = new Set<TLSSocket>();
  const answers = new Map<number, number>();
  for (let number = 0; number < STREAMS && performance.now() < end; number++) {
    const one = opened(open, number);
    one.once('data', (bytes: Uint8Array) => {
      one.pause();
      const status = Number(new TextDecoder().decode(bytes.subarray(9, 12)));
      answers.set(status, (answers.get(status) ?? 0) + 1);
    });
    one.write(`GET /api/stream HTTP/1.1\r\nhost: x\r\ncookie: ${cookie}\r\n\r\n`);
    if (number % 50 === 0) await sleep(5);
  }
  await sleep(Math.max(0, end - performance.now()));
  return `${counts(answers)}, the others turned away at the door`;
}

async function runHandshakes(end: number): Promise<string> {
  const open = new Set<TLSSocket>();
  let [begun, done] = [0, 0];
  for (; performance.now() < end; await sleep(1)) {
    for (; open.size < 200; begun++) {
      const one = opened(open, begun);
      one.once('secureConnect', () => {
        done++;
        one.destroy();
      });
    }
  }
  return `${begun} begun, ${done} carried out`;
}

/** From twenty addresses in turn, none of them the honest client's. */
function opened(open: Set<TLSSocket>, number: number): TLSSocket {
  const socket = connect({
    host: '127.0.0.1',
    port: PORT,
    rejectUnauthorized: false,
    ...{ localAddress: `127.0.0.${2 + (number % 20)}` },
  });
  open.add(socket);
  socket.on('error', () => socket.destroy());
  socket.on('end', () => socket.destroy());
  socket.on('close', () => open.delete(socket));
  return socket;
}

function counts(answers: ReadonlyMap<number, number>): string {
  return Array.from(answers, ([status, count]) => `${count} answered ${status}`).join(', ');
}

const options = { seconds: { type: 'string', default: '10' }, load: { type: 'string' } } as const;
const { values } = parseArgs({ options });
if (values.load === undefined) await main(Number(values.seconds));
else {
  console.log(await runLoad(values.load, process.env.COOKIE ?? '', Number(values.seconds)));
  process.exit(0);
}
