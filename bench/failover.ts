/**
 * How quick, how quiet and how heavy: ours and keepalived in the same namespaces, in turns, in the same run.
 *
 *   node bench/failover.ts [--rounds N] [--load SECONDS] [--json]        as root
 *
 * Both at 100 ms heartbeats. A deadtime of 361 ms is what keepalived makes of that (three adverts and the standby's skew), so
 * ours gets the same. What is compared: how long after the deadtime the VIP stands on the standby when a node dies; what a
 * client loses by a clean stop; announcements of a freeze and its end; resident memory; from the start of a daemon
 * to its first heartbeat; and how late heartbeats leave while every processor is busy. A ratio below 1 is in our favour.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { writeSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import {
  type DirectorKind,
  type LabEvent,
  now,
  openCell,
  type Setup,
  type Spread,
  Stage,
  sleep,
  spread,
} from '../lab/index.ts';

type Options = { readonly rounds: number; readonly loadSeconds: number };
type Measure = (typeof MEASURES)[number];
type Figures = Partial<Record<Measure, number[]>>;
type Samples = Readonly<Record<DirectorKind, Figures>>;

const KINDS: readonly DirectorKind[] = ['piranha', 'keepalived'];
const MEASURES = [
  'takeover over deadtime, ms',
  'outage by a clean stop, ms',
  'announcements by a freeze, frames',
  'resident memory, active, MiB',
  'resident memory, standby, MiB',
  'start to first heartbeat, ms',
  'heartbeat lateness under load, ms',
] as const;
const KEEPALIVE_MS = 100;
const DEADTIME_MS = 361;
/** keepalived sends a second set of announcements five seconds after the first. */
const QUIET_MS: Readonly<Record<DirectorKind, number>> = { piranha: 1300, keepalived: 6500 };
const WATCH_MS = 500;

function setup(kind: DirectorKind): Setup {
  return {
    kind,
    keepaliveMs: KEEPALIVE_MS,
    deadtimeMs: DEADTIME_MS,
    dialects: { da: 'legacy', db: 'legacy' },
    hasPrivateNetwork: false,
    family: 4,
  };
}

async function measure({ rounds, loadSeconds }: Options): Promise<Samples> {
  const samples: Samples = { piranha: {}, keepalived: {} };
  const stage = await Stage.build(setup('piranha'));
  for (let round = 0; round < rounds; round++) {
    for (const kind of KINDS) {
      await stage.recast(setup(kind));
      await measureRound(stage, round, samples[kind]);
    }
  }
  for (const kind of KINDS) {
    await stage.recast(setup(kind));
    note(
      samples[kind],
      'heartbeat lateness under load, ms',
      ...(await latenessUnderLoad(stage, loadSeconds)),
    );
  }
  await stage.close();
  return samples;
}

async function measureRound(stage: Stage, round: number, figures: Figures): Promise<void> {
  const { kind } = stage.setup;
  const options = { run: round + 1, seed: round + 1, watchMs: WATCH_MS };
  await stage.clean();
  note(figures, 'start to first heartbeat, ms', await startToHeartbeat(stage));
  const death = await stage.run('death', { ...options, quietMs: 200 });
  if (death.overDeadtimeMs !== undefined)
    note(figures, 'takeover over deadtime, ms', death.overDeadtimeMs);
  const stop = await stage.run('stop', { ...options, quietMs: 200 });
  note(figures, 'outage by a clean stop, ms', stop.outageMs);
  const freeze = await stage.run('freeze', { ...options, quietMs: QUIET_MS[kind] });
  note(
    figures,
    'announcements by a freeze, frames',
    freeze.announcements.da + freeze.announcements.db,
  );
  note(figures, 'resident memory, active, MiB', stage.directors.residentMiB('da'));
  note(figures, 'resident memory, standby, MiB', stage.directors.residentMiB('db'));
}

/** keepalived says nothing before it is active, which a lone node is three adverts later. */
async function startToHeartbeat(stage: Stage): Promise<number> {
  stage.observer.takeEvents();
  const startedAt = now();
  stage.directors.start('da');
  await stage.observer.until(({ heartbeatAt }) => heartbeatAt.da > startedAt, 10_000);
  const first = stage.observer
    .takeEvents()
    .find((event) => isHeartbeatOfDa(event) && event[1] > startedAt);
  return (first?.[1] ?? Number.NaN) - startedAt;
}

/** How much longer than the interval it was between two heartbeats of the active node, all processors busy. */
async function latenessUnderLoad(stage: Stage, seconds: number): Promise<number[]> {
  await stage.settle(200);
  const hogs = cpus().map(() => spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' }));
  try {
    await sleep(500);
    stage.observer.takeEvents();
    await sleep(seconds * 1000);
  } finally {
    await Promise.all(hogs.map(end));
  }
  const beats = stage.observer.takeEvents().filter(isHeartbeatOfDa);
  return beats
    .slice(1)
    .map((beat, index) => Math.max(0, beat[1] - (beats[index]?.[1] ?? 0) - KEEPALIVE_MS));
}

function isHeartbeatOfDa(event: LabEvent): boolean {
  return event[0] === 'heartbeat' && event[2] === 'da' && event[3] === 'sent';
}

function end(child: ChildProcess): Promise<unknown> {
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  return ended;
}

function note(figures: Figures, name: Measure, ...values: readonly number[]): void {
  const list = figures[name] ?? [];
  list.push(...values);
  figures[name] = list;
}

function print(samples: Samples): void {
  const rows = [['', 'samples', 'piranha', 'keepalived', 'ratio of medians']];
  for (const name of MEASURES) {
    const ours = spread(samples.piranha[name] ?? []);
    const theirs = spread(samples.keepalived[name] ?? []);
    rows.push([
      name,
      String(samples.piranha[name]?.length ?? 0),
      pair(ours),
      pair(theirs),
      ratio(ours, theirs),
    ]);
  }
  const widths =
    rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  for (const row of rows) {
    process.stdout.write(
      `${row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd()}\n`,
    );
  }
  process.stdout.write(`median / worst; ${cpus().length} processors, kept busy for the last row\n`);
}

function pair(value: Spread | undefined): string {
  return value === undefined ? '-' : `${value.median.toFixed(1)} / ${value.worst.toFixed(1)}`;
}

function ratio(ours: Spread | undefined, theirs: Spread | undefined): string {
  return ours === undefined || theirs === undefined || theirs.median === 0
    ? '-'
    : (ours.median / theirs.median).toFixed(2);
}

if (process.argv[2] === 'inside') {
  const options: Options = JSON.parse(process.argv[3] ?? '{}');
  const samples = await measure(options);
  writeSync(1, JSON.stringify(samples));
  process.exit(0);
}

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    load: { type: 'string', default: '20' },
    json: { type: 'boolean', default: false },
  },
});
const options: Options = { rounds: Number(values.rounds), loadSeconds: Number(values.load) };
const cell = openCell({ mode: 'inside', options, script: import.meta.filename }, 'pipe');
let text = '';
cell.stdout?.on('data', (chunk) => {
  text += chunk;
});
const status = await new Promise((resolve) => cell.on('close', resolve));
if (status !== 0) process.exit(1);
const samples: Samples = JSON.parse(text);
if (values.json) process.stdout.write(`${text}\n`);
else print(samples);
