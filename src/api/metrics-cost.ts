/**
 * What a scrape costs: bytes and milliseconds of `GET /metrics` by the number of real servers.
 *
 *   node src/api/metrics-cost.ts
 *
 * The limit is the main thread's: it may pause for hundreds of milliseconds without harm (docs/architecture.md), and a
 * scrape comes every fifteen seconds.
 */
import { renderMetrics } from './metrics.ts';
import { face, servicesOf } from './metrics-face-under-test.ts';

const RUNS = 7;

console.log('| Real servers | Bytes | Rendered in |\n|---|---|---|');
for (const servers of [10, 100, 2000, 10_000]) {
  const times: number[] = [];
  let bytes = 0;
  for (let run = 0; run < RUNS; run++) {
    const asked = face({ services: servicesOf(servers) });
    const startedAt = performance.now();
    bytes = Buffer.byteLength(await renderMetrics(asked));
    times.push(performance.now() - startedAt);
  }
  times.sort((a, b) => a - b);
  const median = times[times.length >> 1] ?? 0;
  const count = servers.toLocaleString('en');
  console.log(`| ${count} | ${bytes.toLocaleString('en')} | ${median.toFixed(1)} ms |`);
}
