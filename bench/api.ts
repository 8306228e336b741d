/**
 * What the API may cost a director: `node bench/api.ts [--seconds N]`, as root.
 *
 * A real director, active, whose heartbeats are judged where they arrive (heartbeat-rig.ts). Then, one after the
 * other: nothing; 1,000 requests a second; clients that send a byte now and then; endless bodies; 10,000 streams
 * that nobody reads. Meanwhile an honest client asks for the status ten times a second. Limits: no heartbeat later
 * than 20 ms, resident memory of the director below 150 MiB, and the honest client is answered.
 */
import { spawn } from 'node:child_process';
import { setPriority } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ask, BODIES, RATE, runLoad, SLOW, STREAMS } from './api-load.ts';
import { cpuMs, KEEPALIVE_MS, type Rig, residentMib, sleep, startRig } from './heartbeat-rig.ts';

const LIMIT_LATE_MS = 20;
const LIMIT_MIB = 150;
const NOBODY = 65_534;

const LOADS = {
  nothing: { words: '', socket: 'pulse.sock' },
  requests: { words: `${RATE} requests a second`, socket: 'pulse.sock' },
  slow: { words: `${SLOW} clients that send a byte in 300 ms`, socket: 'read.sock' },
  bodies: { words: `${BODIES} clients with bodies of 100 MB`, socket: 'pulse.sock' },
  streams: { words: `${STREAMS} streams that nobody reads`, socket: 'read.sock' },
} as const;
type Load = keyof typeof LOADS;

async function main(seconds: number): Promise<void> {
  const rig = await startRig('pirapi-');
  try {
    let isMet = true;
    for (const load of ['nothing', 'requests', 'slow', 'bodies', 'streams'] as const) {
      isMet = (await phase(load, rig, seconds)) && isMet;
    }
    process.exitCode = isMet ? 0 : 1;
  } finally {
    await rig.close();
  }
}

async function phase(load: Load, rig: Rig, seconds: number): Promise<boolean> {
  const { runDirectory: run, pid } = rig;
  const { socket, words } = LOADS[load];
  const client = load === 'nothing' ? undefined : loadProcess(load, join(run, socket), seconds);
  rig.begin();
  const before = cpuMs(pid);
  let peak = 0;
  const memory = setInterval(() => {
    peak = Math.max(peak, residentMib(pid));
  }, 50);
  const honest = await askHonestly(join(run, 'pulse.sock'), seconds * 1000);
  clearInterval(memory);
  const share = (cpuMs(pid) - before) / (seconds * 1000);
  const heard = await rig.end();
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
