/**
 * `piranha lab`: two real directors on a real kernel, in network namespaces of their own, and what happens to them.
 * This file reads the words and answers mistakes; the work is done by run.ts, tour.ts and cell.ts.
 */
import { spawn } from 'node:child_process';
import { parseArgs } from 'node:util';
import { type Cell, enterCell, findCells, obstacle, openCell } from './cell.ts';
import type { Dialect, Setup } from './directors.ts';
import { flagsOf, INCIDENT_NAMES, INCIDENTS, isIncidentName } from './incidents.ts';
import { runCommand } from './run.ts';
import { NODES } from './topology.ts';
import type { TourOptions } from './tour.ts';

/** sysexits.h EX_USAGE, as everywhere in this command line. */
const MISUSE = 64;

const USAGE = `usage: piranha lab                         two real directors and the story of a split brain
       piranha lab run INCIDENT|all [options]  the same fault again and again, counted
       piranha lab up                      the lab without the story, until Ctrl-C or 'lab down'
       piranha lab shell NODE [NAME]       a shell on a node of the running lab (${NODES.join(', ')})
       piranha lab down [NAME] [--all]     ends what 'lab up' started (--all: every lab of yours)

incidents:
${INCIDENT_NAMES.map((name) => `  ${name.padEnd(15)} ${INCIDENTS[name].about}`).join('\n')}
  all             those that need no option of their own

options:
  --repeat N        runs of each incident (1)
  --jobs N          labs side by side (1; 4 from --repeat 10 on)
  --seed S          seed of the first run (1)
  --json            one JSON record a line, then {"summary": ...}
  --keepalive MS    heartbeat interval (100)
  --deadtime MS     silence after which the standby takes over (300)
  --dialect D       legacy or auto (legacy); D,D: of da, of db
  --director D      piranha or keepalived (piranha)
  --ipv6            the VIP is an IPv6 address (piranha only)
  --second-network  a private heartbeat network between the directors
  --services M      direct or nat: a virtual service over r1 and r2 on the nftables plane, with clients
  --load N          their new connections a second (200)
  --held N          their connections held open (20)
  --quiet MS        silence of announcements before each fault (1300; keepalived 6500)
  --for SECONDS     how long what lasts for a time lasts: load, flush, partner-off, ... (10)
  --watch MS        how long to look on after the last step (1000)
`;

/** Runs `piranha lab ...argv`; gives the exit status: 0 well, 1 a run ended badly or nothing could be run, 64 misuse. */
export async function labCommand(argv: readonly string[]): Promise<number> {
  try {
    return await dispatch(argv);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    process.stderr.write(`piranha lab: ${message}\n`);
    return error instanceof Misuse || isParseError(error) ? MISUSE : 1;
  }
}

class Misuse extends Error {}

function isParseError(error: unknown): boolean {
  return (
    error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS')
  );
}

async function dispatch(argv: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      all: { type: 'boolean', default: false },
      deadtime: { type: 'string', default: '300' },
      dialect: { type: 'string', default: 'legacy' },
      director: { type: 'string', default: 'piranha' },
      for: { type: 'string', default: '10' },
      help: { type: 'boolean', short: 'h', default: false },
      ipv6: { type: 'boolean', default: false },
      jobs: { type: 'string' },
      json: { type: 'boolean', default: false },
      keepalive: { type: 'string', default: '100' },
      quiet: { type: 'string' },
      repeat: { type: 'string', default: '1' },
      'second-network': { type: 'boolean', default: false },
      held: { type: 'string', default: '20' },
      load: { type: 'string', default: '200' },
      seed: { type: 'string', default: '1' },
      services: { type: 'string' },
      watch: { type: 'string', default: '1000' },
    },
  });
  const [verb, ...rest] = positionals;
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  if (verb === 'down') return down(rest, values.all);
  if (verb === 'shell') return shell(rest);
  const setup: Setup = {
    kind: oneOf('--director', values.director, ['piranha', 'keepalived'] as const),
    keepaliveMs: whole('--keepalive', values.keepalive, 10),
    deadtimeMs: whole('--deadtime', values.deadtime, 20),
    dialects: dialectsOf(values.dialect),
    hasPrivateNetwork: values['second-network'],
    family: values.ipv6 ? 6 : 4,
    ...(values.services !== undefined && {
      services: {
        method: oneOf('--services', values.services, ['direct', 'nat'] as const),
        perSecond: whole('--load', values.load, 1),
        held: whole('--held', values.held, 0),
      },
    }),
  };
  if (setup.services !== undefined && setup.kind === 'keepalived')
    throw new Misuse('--services is for piranha only');
  if (setup.services?.method === 'nat' && values.ipv6)
    throw new Misuse('--services nat is for IPv4 only');
  if (values.ipv6 && setup.kind === 'keepalived') throw new Misuse('--ipv6 is for piranha only');
  const problem = await obstacle();
  if (problem !== undefined) throw new Error(problem);
  if (verb === undefined || verb === 'up') {
    if (rest.length > 0) throw new Misuse(`what is "${rest[0]}"? (piranha lab --help)`);
    return stay(verb === 'up' ? 'up' : 'tour', { setup, hasStory: verb === undefined });
  }
  if (verb !== 'run') throw new Misuse(`there is no "piranha lab ${verb}" (piranha lab --help)`);
  const repeat = whole('--repeat', values.repeat, 1);
  return runCommand(
    {
      incidents: incidentsOf(rest, setup),
      repeat,
      seed: whole('--seed', values.seed, 0),
      jobs: whole('--jobs', values.jobs ?? (repeat < 10 ? '1' : '4'), 1),
      quietMs: whole('--quiet', values.quiet ?? (setup.kind === 'keepalived' ? '6500' : '1300'), 0),
      loadMs: 1000 * whole('--for', values.for, 1),
      watchMs: whole('--watch', values.watch, 0),
      setup,
    },
    values.json,
  );
}

function incidentsOf(words: readonly string[], { hasPrivateNetwork }: Setup) {
  const plain = INCIDENT_NAMES.filter((name) => flagsOf(name).length === 0);
  const names = words.join() === 'all' ? plain : words.filter(isIncidentName);
  const unknown = words.find((word) => word !== 'all' && !isIncidentName(word));
  if (unknown !== undefined || names.length === 0) {
    const what = unknown === undefined ? 'which incident?' : `there is no incident "${unknown}".`;
    throw new Misuse(`${what} One of: ${INCIDENT_NAMES.join(', ')}, all`);
  }
  const lacking = names.find((name) => flagsOf(name).includes('--second-network'));
  if (lacking !== undefined && !hasPrivateNetwork) {
    throw new Misuse(`${lacking} breaks the second network: it needs --second-network`);
  }
  return names;
}

/** The tour, or a lab that stays: the terminal belongs to the process in the cell until it ends. */
function stay(mode: 'tour' | 'up', options: TourOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    const cell = openCell({ mode, options }, 'inherit');
    // Ctrl-C reaches the cell by the terminal; these come to us alone. Our end is the cell's end.
    for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(1));
    process.on('SIGINT', () => undefined);
    cell.on('error', reject);
    cell.on('close', (status) => resolve(status ?? 1));
  });
}

function shell([node, name, ...rest]: readonly string[]): Promise<number> {
  if (node === undefined || rest.length > 0 || !NODES.some((name) => name === node)) {
    throw new Misuse(`which node? One of: ${NODES.join(', ')}`);
  }
  const cell = findCells().find((each) =>
    name === undefined ? each.mode !== 'run' : each.name === name,
  );
  if (cell === undefined)
    throw new Error(`no lab ${name ?? 'is up'}; start one with: piranha lab up`);
  const [program = '', ...argv] = enterCell(cell, node, ['sh', '-i']);
  return new Promise((resolve, reject) => {
    const child = spawn(program, argv, {
      stdio: 'inherit',
      env: { ...process.env, PS1: `${node}# ` },
    });
    process.on('SIGINT', () => undefined); // for the shell
    child.on('error', reject);
    child.on('close', (status) => resolve(status ?? 1));
  });
}

/** Without a name: what `lab up` started, and labs whose parent is gone; `--all`: those of runs and tours, too. */
async function down([name, ...rest]: readonly string[], isAll: boolean): Promise<number> {
  if (rest.length > 0) throw new Misuse(`what is "${rest[0]}"? (piranha lab --help)`);
  const isMeant = (cell: Cell) =>
    name === undefined ? isAll || cell.mode === 'up' || cell.parent === 1 : cell.name === name;
  const cells = findCells().filter(isMeant);
  if (cells.length === 0 && name !== undefined) throw new Error(`there is no lab ${name}`);
  for (const cell of cells) await end(cell);
  const lines = cells.map((cell) => `${cell.name} ended\n`);
  process.stdout.write(lines.length === 0 ? 'no lab was up\n' : lines.join(''));
  return 0;
}

async function end(cell: Cell): Promise<void> {
  process.kill(cell.keeper, 'SIGKILL');
  for (let wait = 0; wait < 100; wait++) {
    if (!findCells().some(({ keeper }) => keeper === cell.keeper)) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`${cell.name} (process ${cell.keeper}) does not end`);
}

function whole(option: string, text: string, least: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least) return value;
  throw new Misuse(`${option} ${text}: a whole number from ${least} on is needed`);
}

function dialectsOf(text: string): Setup['dialects'] {
  const words = text
    .split(',')
    .map((word) => oneOf('--dialect', word, ['legacy', 'auto'] as const));
  const [da = 'legacy', db = da, ...rest]: readonly Dialect[] = words;
  if (rest.length > 0) throw new Misuse(`--dialect ${text}: there are two directors`);
  return { da, db };
}

function oneOf<const T extends string>(option: string, text: string, words: readonly T[]): T {
  const found = words.find((word) => word === text);
  if (found !== undefined) return found;
  throw new Misuse(`${option} ${text}: one of ${words.join(', ')} is needed`);
}
