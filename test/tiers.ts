/**
 * The tiers of tests, as a table: what each is for, what it needs, what it runs. `./check` runs them in this order.
 * A new kind of test is a new row here and nothing else.
 */
import { existsSync, globSync } from 'node:fs';
import { flagsOf, INCIDENT_NAMES, type IncidentName, obstacle } from '../lab/index.ts';
import type { Job } from './jobs.ts';
import { cleanRootObstacle } from './package/clean-root.ts';
import { machineObstacle } from './package/machine.ts';
import { promtoolObstacle } from './promtool/promtool.ts';
import { umlObstacle } from './uml/boot.ts';

export type Tier = {
  readonly name: string;
  readonly about: string;
  /**
   * How many jobs at a time; `cores`: as many as there are processors. Root tests and labs mostly wait, each in network
   * namespaces of its own; what judges a whole machine, or fills one, wants it alone.
   */
  readonly atOnce: 'cores' | 1;
  /** What is missing for the whole tier, in words; undefined when nothing is. */
  readonly missing: () => string | undefined | Promise<string | undefined>;
  readonly jobs: () => readonly Job[];
};

/** Limits are there to end what hangs, far above what anything takes; a crowded machine must not fail a test. */
const minute = 60_000;

export const TIERS: readonly Tier[] = [
  {
    name: 'quick',
    about: 'types, style, import law and every test that needs neither root nor a network',
    atOnce: 'cores',
    missing: () => undefined,
    jobs: () => [
      { name: 'types', kind: 'exit', argv: ['node_modules/.bin/tsc'], limitMs: 3 * minute },
      {
        name: 'types of the pages',
        kind: 'exit',
        argv: ['node_modules/.bin/tsc', '-p', 'src/console/pages'],
        limitMs: 3 * minute,
      },
      {
        name: 'style',
        kind: 'exit',
        argv: ['node_modules/.bin/biome', 'ci', '--colors=off', '.'],
        limitMs: 3 * minute,
      },
      ...testFiles('{src,test,lab,bench,native}/**/*.test.ts', 2 * minute).filter(
        (job) => !job.name.endsWith('.root.test.ts') && !job.name.endsWith('.slow.test.ts'),
      ),
    ],
  },
  {
    name: 'slow',
    about: 'what needs neither root nor a network, but more time than `npm test` may take',
    atOnce: 'cores',
    missing: () => undefined,
    jobs: () => testFiles('{src,test,lab,bench}/**/*.slow.test.ts', 4 * minute),
  },
  {
    name: 'native',
    about: 'the C addon under AddressSanitizer and LeakSanitizer',
    atOnce: 1,
    missing: () => undefined,
    jobs: () => scripts('native/test-sanitize.sh', 6 * minute),
  },
  {
    name: 'search',
    about: 'every state of the failover core that its arenas can reach, every mutant, many seeds',
    atOnce: 'cores',
    missing: () => undefined,
    jobs: () => [
      { ...sim('--exhaustive'), kind: 'tap', limitMs: 10 * minute },
      { ...sim('--runs', '2000'), kind: 'exit', limitMs: 10 * minute },
    ],
  },
  {
    name: 'root',
    about: 'the real kernel: addresses, packets, daemons in network namespaces',
    atOnce: 'cores',
    missing: rootIsMissing,
    jobs: () => testFiles('{src,test,bench}/**/*.root.test.ts', 5 * minute),
  },
  {
    name: 'metrics',
    about: "alert rules, dashboard and a real director's metrics, judged by promtool",
    atOnce: 1,
    missing: () => rootIsMissing() ?? promtoolObstacle(),
    jobs: () => testFiles('test/promtool/suite.ts', 4 * minute),
  },
  {
    name: 'package',
    about:
      'the Debian packages: the same bytes twice, installed, upgraded, removed, purged on a clean root',
    atOnce: 1,
    missing: cleanRootObstacle,
    jobs: () => testFiles('test/package/suite.ts', 8 * minute),
  },
  {
    name: 'systemd',
    about: 'a pair of machines with a live systemd each: the packages from installation to purge',
    atOnce: 1,
    missing: machineObstacle,
    jobs: () => testFiles('test/package/systemd.ts', 6 * minute),
  },
  {
    name: 'fuzz',
    about: 'a million hostile heartbeats, frames, kernel answers and configuration files',
    atOnce: 1,
    missing: () => undefined,
    jobs: () => testFiles('test/fuzz.ts', 6 * minute),
  },
  {
    name: 'traces',
    about: 'a lab leaves nothing behind, looked for on the whole machine',
    atOnce: 1,
    missing: obstacle,
    jobs: () => testFiles('lab/**/*.root.test.ts', 5 * minute),
  },
  {
    name: 'lab',
    about: 'every incident with two real daemons and real packets',
    atOnce: 'cores',
    missing: obstacle,
    jobs: () => [
      ...INCIDENT_NAMES.flatMap(labRuns),
      ...['legacy,auto', 'auto,legacy'].map((pair) => labRun('all', ['--dialect', pair], 1)),
      labRun('restart', ['--dialect', 'auto'], 3), // at the timers that are the hardest for it
    ],
  },
  {
    name: 'clients',
    about:
      'clients of a virtual service while it changes hands: judged to milliseconds, so one lab at a time',
    atOnce: 1,
    missing: obstacle,
    jobs: () => SERVED.map(([name, ...words]) => labRun(name, ['--dialect', 'auto', ...words], 1)),
  },
  {
    name: 'console',
    about:
      'an operator’s journey in Chromium before two real directors; a thousand services on the page',
    atOnce: 1,
    missing: rootIsMissing,
    jobs: () => [
      {
        name: 'test/console/suite.ts',
        kind: 'tap',
        argv: [process.execPath, '--disable-warning=ExperimentalWarning', 'test/console/run.ts'],
        limitMs: 6 * minute,
      },
      ...testFiles('test/console/large.ts', 3 * minute),
    ],
  },
  {
    name: 'uml',
    about: 'two directors with real IPVS inside user-mode Linux, judged by ipvsadm',
    atOnce: 1,
    missing: umlObstacle,
    jobs: () => [
      {
        name: 'test/uml/suite.ts',
        kind: 'tap',
        argv: [process.execPath, '--disable-warning=ExperimentalWarning', 'test/uml/run.ts'],
        limitMs: 5 * minute,
      },
      ...['test/uml/lease.ts', 'test/uml/keepalived.ts'].map(
        (program): Job => ({
          name: program,
          kind: 'tap',
          argv: [
            process.execPath,
            '--disable-warning=ExperimentalWarning',
            'test/uml/run.ts',
            program,
          ],
          limitMs: 5 * minute,
        }),
      ),
    ],
  },
  {
    name: 'qemu',
    about: 'a lapsed lease in front of real IPVS, on a stock Debian kernel under QEMU',
    atOnce: 1,
    missing: rootIsMissing,
    jobs: () => [
      {
        name: 'test/qemu/suite.ts',
        kind: 'tap',
        argv: [process.execPath, '--disable-warning=ExperimentalWarning', 'test/qemu/run.ts'],
        limitMs: 6 * minute,
      },
    ],
  },
];

/** With clients of a virtual service over the real servers of the lab. */
const SERVED: readonly (readonly [IncidentName, ...string[]])[] = [
  ['stop', '--services', 'direct'],
  ['stop', '--services', 'direct', '--ipv6'],
  ['stop', '--services', 'nat'],
  ['crash', '--services', 'direct'],
  ['freeze', '--services', 'direct'],
  ['death', '--services', 'nat'],
];

function rootIsMissing(): string | undefined {
  return process.getuid?.() === 0 ? undefined : 'needs root (CAP_NET_ADMIN, CAP_NET_RAW)';
}

function testFiles(pattern: string, limitMs: number): Job[] {
  const names = globSync(pattern).sort();
  return names.map((name) => ({ name, kind: 'file', argv: [name], limitMs }));
}

function sim(...words: readonly string[]) {
  return { name: `sim ${words.join(' ')}`, argv: ['./piranha', 'sim', ...words] };
}

/** Three runs of an incident, side by side, in both dialects unless it asks for one. */
function labRuns(name: IncidentName): Job[] {
  const flags = flagsOf(name);
  const dialects = flags.length > 0 ? [flags] : [[], ['--dialect', 'auto']];
  return dialects.map((words) => labRun(name, words, 3));
}

/** Fails when a run ends with a wrong router or two owners, or otherwise than its incident demands. */
function labRun(name: string, flags: readonly string[], repeat: number): Job {
  const words = ['lab', 'run', name, ...flags];
  const often = ['--repeat', String(repeat), '--jobs', '2', '--for', '5'];
  const argv = ['./piranha', ...words, ...often];
  return { name: words.join(' '), kind: 'exit', argv, limitMs: 5 * minute };
}

/** A script that prints TAP counts; no job while it does not exist. */
function scripts(name: string, limitMs: number): Job[] {
  return existsSync(name) ? [{ name, kind: 'tap', argv: ['sh', name], limitMs }] : [];
}
