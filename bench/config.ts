/**
 * How long it takes to read a large lvs.cf: `node bench/config.ts`.
 *
 * 10,000 virtual services of one VIP each (limit: 200 ms), and the same with two real servers and a check each. Every
 * number is the median of nine fresh processes, because a director reads its file once, cold. The limit is held against
 * the processor time of the reading thread, which a busy machine disturbs less than the clock.
 */
import { execFileSync } from 'node:child_process';
import { parseSettings } from '../src/config/index.ts';

const LIMIT_MS = 200;
const RUNS = 9;
const SERVICES = 10_000;

const CHECK = `     send = "GET / HTTP/1.0\\r\\n\\r\\n"
     expect = "HTTP"
     timeout = 6
     reentry = 15
     quiesce_server = 0
`;

const [shape] = process.argv.slice(2);
if (shape === 'vips' || shape === 'servers') {
  process.stdout.write(JSON.stringify(measure(bigFile(shape === 'servers'))));
} else {
  report('10,000 virtual services, one VIP each', 'vips', LIMIT_MS);
  report('the same with a check and two real servers each', 'servers');
}

type Cost = { readonly wallMs: number; readonly processorMs: number };

function report(what: string, kind: string, limitMs?: number): void {
  const costs = Array.from({ length: RUNS }, (): Cost => {
    const argv = [import.meta.filename, kind];
    return JSON.parse(execFileSync(process.execPath, argv, { encoding: 'utf8' }));
  });
  const wall = costs.map(({ wallMs }) => wallMs).sort((a, b) => a - b);
  const processor = median(costs.map(({ processorMs }) => processorMs));
  const lines = bigFile(kind === 'servers').split('\n').length - 1;
  const verdict =
    limitMs === undefined
      ? ''
      : `; limit ${limitMs} ms: ${processor <= limitMs ? 'held' : 'MISSED'}`;
  console.log(
    `${what} (${lines} lines): ${processor.toFixed(0)} ms of processor time, ` +
      `${median(wall).toFixed(0)} ms by the clock, best ${(wall[0] ?? Number.NaN).toFixed(0)} ms${verdict}`,
  );
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? Number.NaN;
}

function measure(text: string): Cost {
  const start = performance.now();
  const before = process.threadCpuUsage();
  const { settings, problems } = parseSettings(text, { file: 'lvs.cf' });
  const used = process.threadCpuUsage(before);
  const wallMs = performance.now() - start;
  if (settings?.virtualServices.length !== SERVICES) {
    throw new Error(problems[0]?.message ?? 'services are missing');
  }
  return { wallMs, processorMs: (used.user + used.system) / 1000 };
}

function bigFile(hasServers: boolean): string {
  const parts = ['primary = 10.0.0.1\nbackup = 10.0.0.2\nbackup_active = 1\nnetwork = direct\n'];
  for (let index = 0; index < SERVICES; index++) {
    parts.push(
      `virtual web-${index} {
     active = 1
     address = 10.1.${index >> 8}.${index & 255} eth0:${index}
     vip_nmask = 255.255.255.255
     port = 80
     scheduler = wlc
     protocol = tcp
`,
    );
    if (hasServers) parts.push(CHECK, server('a', 21), server('b', 22));
    parts.push('}\n');
  }
  return parts.join('');
}

function server(name: string, host: number): string {
  return `     server ${name} {
         address = 192.168.1.${host}
         active = 1
         weight = 1
     }
`;
}
