/** The verbs that try something out, as rows of the table (verbs.ts) with their options. */
import type { OptionTable } from './options.ts';
import { HELP } from './options-of-programs.ts';
import { JSON_OUT } from './options-of-verbs.ts';
import type { Verb } from './verb.ts';

const FILE = { kind: 'file' } as const;

export const REPLAY = {
  diagram: { long: ['--diagram'], help: 'draw what happened in two columns' },
  json: JSON_OUT,
  help: HELP,
} as const satisfies OptionTable;

export const SIM = {
  exhaustive: { long: ['--exhaustive'], help: 'search every arena and hunt every mutant' },
  deep: { long: ['--deep'], help: 'the same with the arenas that take many minutes' },
  arena: {
    long: ['--arena'],
    value: 'NAME',
    help: 'search one arena; NAME*: all that begin so',
  },
  jobs: { long: ['--jobs'], value: 'N', help: 'searches side by side (one a processor)' },
  mutant: { long: ['--mutant'], value: 'NAME', help: 'hunt one mutant and draw how it falls' },
  list: { long: ['--list-mutants'], help: 'the mutants and the arenas' },
  seed: { long: ['--seed'], value: 'N', help: 'play the run of this seed (the first of --runs)' },
  runs: { long: ['--runs'], value: 'N', help: 'play so many runs (100 unless told)' },
  keepalive: {
    long: ['--keepalive'],
    value: 'MS',
    help: 'keepalive of the seeds, in milliseconds',
  },
  deadtime: { long: ['--deadtime'], value: 'MS', help: 'deadtime of the seeds, in milliseconds' },
  json: { long: ['--json'], help: 'a JSON object a line, traces included' },
  help: HELP,
} as const satisfies OptionTable;

/** The lab reads its own; here they stand for help and completion. */
export const LAB = {
  repeat: { long: ['--repeat'], value: 'N', help: 'runs of each incident (1)' },
  jobs: {
    long: ['--jobs'],
    value: 'N',
    help: 'labs side by side (1; 4 from --repeat 10 on)',
  },
  seed: { long: ['--seed'], value: 'S', help: 'seed of the first run (1)' },
  json: { long: ['--json'], help: 'one JSON record a line, then {"summary": ...}' },
  keepalive: { long: ['--keepalive'], value: 'MS', help: 'heartbeat interval (100)' },
  deadtime: {
    long: ['--deadtime'],
    value: 'MS',
    help: 'silence after which the standby takes over (300)',
  },
  dialect: { long: ['--dialect'], value: 'D', help: 'legacy or auto (legacy); D,D: of da, of db' },
  director: {
    long: ['--director'],
    value: 'D',
    words: ['piranha', 'keepalived'],
    help: 'piranha or keepalived (piranha)',
  },
  ipv6: { long: ['--ipv6'], help: 'the VIP is an IPv6 address (piranha only)' },
  services: {
    long: ['--services'],
    value: 'METHOD',
    words: ['direct', 'nat'],
    help: 'with virtual services and clients that use them',
  },
  load: { long: ['--load'], value: 'N', help: 'connections a second of those clients (200)' },
  held: { long: ['--held'], value: 'N', help: 'connections that are held open (20)' },
  second: {
    long: ['--second-network'],
    help: 'a private heartbeat network between the directors',
  },
  quiet: { long: ['--quiet'], value: 'MS', help: 'silence of announcements before each fault' },
  forTime: {
    long: ['--for'],
    value: 'SECONDS',
    help: 'how long what lasts for a time lasts: load, flush, partner-off (10)',
  },
  watch: {
    long: ['--watch'],
    value: 'MS',
    help: 'how long to look on after the last step (1000)',
  },
  all: { long: ['--all'], help: 'down: every lab of yours' },
  help: { short: '-h', long: ['--help'], help: 'its own help, with the incidents' },
} as const satisfies OptionTable;

const group = 'Try it out';

export const TRIAL_VERBS: readonly Verb[] = [
  {
    name: 'lab',
    group,
    summary: 'play failures with real packets in network namespaces',
    usage: '[run INCIDENT|up|shell NODE|down] [OPTION...]',
    options: LAB,
    argument: { kind: 'words', words: ['run', 'up', 'shell', 'down'] },
    about: 'Two real directors, a router, a client and servers; removed when it ends. Needs root.',
    hasOwnHelp: true,
    load: async () => (await import('../../lab/index.ts')).labCommand,
  },
  {
    name: 'sim',
    group,
    summary: 'search the failover core in an imagined network, play seeds, hunt mutants',
    usage: '[OPTION...]',
    options: SIM,
    about: 'The core that ships, every order of events within stated bounds.',
    load: async () => (await import('./sim.ts')).simCommand,
  },
  {
    name: 'replay',
    group,
    summary: 'run the failover core again on what a director recorded',
    usage: 'FILE... [OPTION...]',
    options: REPLAY,
    argument: FILE,
    about: 'It must do what it did then. One file of each node makes one story.',
    exits: '0 the same, 1 it differs, or a file cannot be read',
    load: async () => (await import('./replay.ts')).replayCommand,
  },
];
