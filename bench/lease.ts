/**
 * What the kernel lease costs and how exactly it ends, on this kernel. As root:
 *
 *   node bench/lease.ts [--trials N] [--length MS] [--interval MS] [--json]
 *
 * - precision: how long before the end of its lease a frozen director's kernel gives its last answer (lease-precision.ts);
 *   limit: never after the end, and not more than a jiffy before it;
 * - extend: one transaction over netlink; peer: the same by nft(8), one process each time;
 * - restore: after `nft flush ruleset` by somebody else, from the notification to the gate; a protected table stands.
 *
 * Exit status 1 when a limit is broken. The defaults are those of 100 ms keepalive and 300 ms deadtime.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { longestLeaseMs } from '../src/core/index.ts';
import { enterNamespace, native, runIp } from '../src/ports/index.ts';
import type { LeaseFormReport, Restored } from './lease-keeper.ts';
import { measurePrecision } from './lease-precision.ts';

const DEFAULTS = { keepaliveMs: 100, deadtimeMs: 300 };
const EXTENSIONS = 2000;
const FLUSHES = 20;
const PROCESSES = 20;
const KEEPER = join(import.meta.dirname, 'lease-keeper.ts');

const { values } = parseArgs({
  options: {
    trials: { type: 'string', default: '100' },
    length: { type: 'string', default: String(longestLeaseMs(DEFAULTS)) },
    interval: { type: 'string', default: String(DEFAULTS.deadtimeMs / 6) },
    json: { type: 'boolean', default: false },
  },
});

const here = enterNamespace();
const owner = `${here}-o`;
runIp('netns', 'add', owner);
try {
  process.exitCode = await main();
} finally {
  runIp('netns', 'del', owner);
}

async function main(): Promise<number> {
  runIp('link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', owner);
  runIp('link', 'set', 'eth0', 'up');
  for (const words of ['link set lo up', 'link set eth0 up', 'addr add 10.77.0.100/24 dev eth0']) {
    runIp('-n', owner, ...words.split(' '));
  }
  const form: LeaseFormReport = JSON.parse(keeper('form'));
  const lengthMs = Number(values.length);
  const intervalMs = Number(values.interval);
  const jiffyMs = 1000 / ticksPerSecond();
  const device = native().interfaceIndex('eth0');
  const trials = await measurePrecision({
    ...{ trials: Number(values.trials), lengthMs, intervalMs, jiffyMs, device, namespace: owner },
  });
  const extend: readonly number[] = JSON.parse(keeper('cost', String(EXTENSIONS)));
  const nft = nftProcesses();
  const restored = (form.isProtected ? ['protected', 'plain'] : ['plain']).map((kind) => {
    const result: Restored = JSON.parse(keeper('restore', String(FLUSHES), kind));
    return { kind, ...result };
  });
  if (values.json) {
    print(JSON.stringify({ form, lengthMs, jiffyMs, trials, extend, nft, restored }));
  } else {
    const parts = `gate in${form.hasEgress ? '+out' : ''}${form.isProtected ? ', owner+persist' : ''}`;
    print(
      `kernel ${release()}, a jiffy is ${jiffyMs} ms; lease ${lengthMs} ms, extended every ${intervalMs} ms; ${parts}`,
    );
    print(
      `${trials.length} freezes at a random moment, the VIP asked for every 0.5 ms     min / median / max`,
    );
    print(
      `  last answer before the end of the lease, ms          ${three(trials.map((trial) => trial.earlyMs))}`,
    );
    print(
      `  end of the lease after the freeze, ms                ${three(trials.map((trial) => trial.afterFreezeMs))}`,
    );
    const ratio = (quantile(extend, 0.5) / quantile(nft, 0.5)).toFixed(4);
    const cost = `p50 ${at(extend, 0.5)}, p99 ${at(extend, 0.99)}, max ${at(extend, 1)}`;
    print(
      `extend, ${extend.length} times, ms: ${cost}; ratio to nft(8) (${at(nft, 0.5)} ms): ${ratio}`,
    );
    for (const { kind, ms, stood } of restored) {
      print(
        `nft flush ruleset, ${kind}: the gate stood ${stood} of ${FLUSHES} times${ms.length > 0 ? `; put back in p50 ${at(ms, 0.5)}, max ${at(ms, 1)} ms` : ''}`,
      );
    }
  }
  const sum = (of: 'questions' | 'late' | 'missing') =>
    trials.reduce((total, trial) => total + trial[of], 0);
  const good = trials.filter(({ late, missing }) => late + missing === 0).length;
  const isWell =
    good === trials.length &&
    restored.every(({ kind, stood, ms }) =>
      kind === 'plain' ? ms.length + stood === FLUSHES : stood === FLUSHES,
    );
  print(
    `${isWell ? 'ok' : 'NOT OK'}: of ${sum('questions')} questions ${sum('late')} answered after the end, ${sum('missing')} missing more than a jiffy before it; ${good} of ${trials.length} trials exact`,
  );
  return isWell ? 0 : 1;
}

function keeper(...words: readonly string[]): string {
  const argv = ['netns', 'exec', owner, process.execPath, KEEPER, ...words];
  const { status, stdout, stderr } = spawnSync('ip', argv, { encoding: 'utf8', timeout: 60_000 });
  if (status !== 0) throw new Error(`lease-keeper ${words.join(' ')}: ${stderr}`);
  return stdout;
}

/** What a director without a netlink socket would pay. */
function nftProcesses(): readonly number[] {
  const set = 'inet piranha-bench lease';
  const element = '{ 10.77.0.100 timeout 60s }';
  const create = `add table inet piranha-bench\nadd set ${set} { type ipv4_addr; size 64; flags timeout; }\nadd element ${set} ${element}\n`;
  spawnSync('nft', ['-f', '-'], { input: create });
  return Array.from({ length: PROCESSES }, () => {
    const startedAt = performance.now();
    spawnSync('nft', ['-f', '-'], {
      input: `delete element ${set} { 10.77.0.100 }\nadd element ${set} ${element}\n`,
    });
    return performance.now() - startedAt;
  });
}

/** CONFIG_HZ of the running kernel; 100, the slowest there is, where nobody tells. */
function ticksPerSecond(): number {
  const file = `/boot/config-${release()}`;
  const text = existsSync('/proc/config.gz')
    ? gunzipSync(readFileSync('/proc/config.gz')).toString()
    : existsSync(file)
      ? readFileSync(file, 'utf8')
      : '';
  return Number(/^CONFIG_HZ=(\d+)$/m.exec(text)?.[1] ?? 100);
}

function quantile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

function at(samples: readonly number[], share: number): string {
  return quantile(samples, share).toFixed(3);
}

function three(samples: readonly number[]): string {
  return [0, 0.5, 1].map((share) => quantile(samples, share).toFixed(2).padStart(7)).join(' / ');
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
