/**
 * How fast the virtual-service table gets into IPVS: 1,000 services of ten real servers each into an empty table, against
 * `ipvsadm -R` of the same table; one changed weight; and what a look costs when nothing has changed.
 *
 *   node bench/ipvs.ts [SERVICES [SERVERS]]
 *
 * Run where the kernel has no IPVS it starts itself inside user-mode Linux (test/uml): both sides are then measured in
 * the same kernel in the same run, a few times in turn, and the best of each counts, for other work on the machine only
 * ever slows. Ours is observe, plan, apply in a process that runs; ipvsadm's is its process reading a prepared text.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { ip } from '../src/base/index.ts';
import { planTable } from '../src/core/index.ts';
import type { DestinationRow, ServiceTable } from '../src/model/index.ts';
import { type IpvsPort, openIpvs } from '../src/ports/index.ts';

const ROUNDS = 3;
const LOOKS = 5;
const LIMIT = 1.0;

const services = Number(process.argv[2] ?? 1000);
const servers = Number(process.argv[3] ?? 10);
const isInside = process.env.PIRANHA_IN_UML !== undefined;
if (isInside) loadModules();
const opened = openIpvs();
if (opened.ok) process.exitCode = measure(opened.value);
else if (isInside) throw new Error(`no IPVS even here: ${opened.error.code}`);
else {
  const run = join(import.meta.dirname, '..', 'test', 'uml', 'run.ts');
  const words = [...process.execArgv, run, 'bench/ipvs.ts'];
  const { status } = spawnSync(process.execPath, words, { stdio: 'inherit' });
  process.exitCode = status ?? 1;
}

function loadModules(): void {
  for (const name of ['ipv6', 'ip_vs', 'ip_vs_wrr']) {
    spawnSync('modprobe', ['-d', '/run/modules', '-q', name]);
  }
}

function tableOf(firstWeight: number): ServiceTable {
  return Array.from({ length: services }, (_, index) => ({
    service: {
      key: {
        kind: 'address',
        protocol: 'tcp',
        address: ip(`10.${index >> 8}.${index & 255}.1`),
        port: 80,
      },
      scheduler: 'wrr',
      flags: [],
      persistentSeconds: 0,
      persistencePrefixLength: 32,
    },
    destinations: Array.from(
      { length: servers },
      (_, server): DestinationRow => ({
        address: ip(`192.168.${index & 255}.${server + 1}`),
        port: 80,
        method: 'direct',
        weight: index === 0 && server === 0 ? firstWeight : 1,
        upperThreshold: 0,
        lowerThreshold: 0,
      }),
    ),
  }));
}

/** The same table as ipvsadm reads it. */
function linesOf(table: ServiceTable): string {
  return table
    .flatMap(({ service: { key, scheduler }, destinations }) => {
      const place = key.kind === 'address' ? `${key.address}:${key.port}` : '';
      return [
        `-A -t ${place} -s ${scheduler}`,
        ...destinations.map(
          (row) => `-a -t ${place} -r ${row.address}:${row.port} -g -w ${row.weight}`,
        ),
      ];
    })
    .concat('')
    .join('\n');
}

function observed(port: IpvsPort): ServiceTable {
  const found = port.observe();
  if (!found.ok) throw new Error(found.error.code);
  return found.value.map(({ service, destinations }) => ({
    service,
    destinations: destinations.map(({ destination }) => destination),
  }));
}

/** Makes the kernel hold `table`; gives the writes it took. */
function converge(port: IpvsPort, table: ServiceTable): number {
  const operations = planTable(table, observed(port), new Set());
  const refused = port.apply(operations).find((error) => error !== undefined);
  if (refused !== undefined) throw new Error(JSON.stringify(refused));
  return operations.length;
}

function milliseconds(work: () => void): number {
  const startedAt = performance.now();
  work();
  return performance.now() - startedAt;
}

function clear(): void {
  spawnSync('ipvsadm', ['-C']);
}

function measure(port: IpvsPort): number {
  const table = tableOf(1);
  const lines = linesOf(table);
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    clear();
    theirs.push(
      milliseconds(() => {
        const { status, stderr } = spawnSync('ipvsadm', ['-R'], { input: lines, encoding: 'utf8' });
        if (status !== 0) throw new Error(stderr);
      }),
    );
    clear();
    ours.push(milliseconds(() => converge(port, table)));
  }
  const rows = spawnSync('ipvsadm', ['-Sn'], { encoding: 'utf8', maxBuffer: 1 << 26 })
    .stdout.trim()
    .split('\n').length;
  const writes = converge(port, tableOf(2));
  const looks = Array.from({ length: LOOKS }, () =>
    milliseconds(() => planTable(tableOf(2), observed(port), new Set())),
  );
  clear();
  const ratio = Math.min(...ours) / Math.min(...theirs);
  const text = (values: readonly number[]) => values.map((ms) => `${ms.toFixed(0)} ms`).join(', ');
  process.stdout.write(
    [
      `table            ${services} services x ${servers} real servers: ${rows} rows (limit: all)`,
      `ipvsadm -R       ${text(theirs)}`,
      `ours             ${text(ours)}`,
      `ratio            ${ratio.toFixed(2)} (limit ${LIMIT.toFixed(1)})`,
      `one weight       ${writes} write (limit 1)`,
      `a look at rest   ${text(looks)}`,
      '',
    ].join('\n'),
  );
  const isWhole = rows === services * (servers + 1);
  return isWhole && ratio <= LIMIT && writes === 1 ? 0 : 1;
}
