/**
 * The options of the verbs, as data: what each of them is called, takes and says of itself in help. The code that obeys
 * them reads the same tables, so that none can be known to one side only.
 */
import type { OptionSpec, OptionTable } from './options.ts';
import { DEFAULT_CONFIG_FILE, HELP } from './options-of-programs.ts';

export const DEFAULT_RUN_DIRECTORY = '/run/piranha';

export const RUN_DIRECTORY = {
  long: ['--run-dir'],
  value: 'DIR',
  help: `the daemon's (${DEFAULT_RUN_DIRECTORY})`,
} as const satisfies OptionSpec;
export const JSON_OUT = {
  long: ['--json'],
  help: 'the whole answer as JSON, for programs',
} as const satisfies OptionSpec;
const PLAIN = {
  long: ['--plain'],
  help: 'rows with tabs between their columns, for cut and awk (docs/cli.md has the columns)',
} as const satisfies OptionSpec;
const WATCH = {
  short: '-w',
  long: ['--watch'],
  help: 'again whenever something happens, and every few seconds, until interrupted',
} as const satisfies OptionSpec;
const NODE = {
  long: ['--node'],
  value: 'NODE',
  words: ['own', 'partner'],
  help: 'own (unless told) or partner: asked through the channel between the two',
} as const satisfies OptionSpec;
const NODES = {
  long: ['--node'],
  value: 'NODE',
  words: ['own', 'partner', 'both'],
  help: 'own, partner or both (unless told, as far as the partner can be reached)',
} as const satisfies OptionSpec;
const CONFIG_FILE = {
  short: '-c',
  long: ['--configfile'],
  value: 'FILE',
  help: `the configuration (${DEFAULT_CONFIG_FILE})`,
} as const satisfies OptionSpec;

export const STATUS = {
  json: JSON_OUT,
  brief: { long: ['--brief'], help: 'one line, as monitoring plugins print' },
  plain: PLAIN,
  watch: WATCH,
  node: NODE,
  runDirectory: RUN_DIRECTORY,
  configFile: {
    short: '-c',
    long: ['--configfile'],
    value: 'FILE',
    help: `whose VIPs to look for when the daemon does not run (${DEFAULT_CONFIG_FILE})`,
  },
  help: HELP,
} as const satisfies OptionTable;

/** `watch` is `status --watch`. */
export const WATCH_STATUS = {
  json: { long: ['--json'], help: 'one JSON document a line' },
  node: NODE,
  runDirectory: RUN_DIRECTORY,
  configFile: STATUS.configFile,
  help: HELP,
} as const satisfies OptionTable;

export const TOP = {
  once: { long: ['--once'], help: 'one table and no more' },
  json: JSON_OUT,
  lines: { short: '-n', long: ['--lines'], value: 'N', help: 'so many rows (20)' },
  node: NODE,
  runDirectory: RUN_DIRECTORY,
  help: HELP,
} as const satisfies OptionTable;

export const SERVICES = {
  json: JSON_OUT,
  plain: PLAIN,
  watch: WATCH,
  node: NODE,
  runDirectory: RUN_DIRECTORY,
  help: HELP,
} as const satisfies OptionTable;

export const EVENTS = {
  follow: { short: '-f', long: ['--follow'], help: 'go on as they come, until interrupted' },
  since: {
    long: ['--since'],
    value: 'WHEN',
    help: 'a time ago (90s, 10m, 2h), a moment (ISO 8601), or the id of an event',
  },
  limit: { short: '-n', long: ['--limit'], value: 'N', help: 'at most the last N (100)' },
  node: NODES,
  json: { long: ['--json'], help: 'one JSON object a line' },
  plain: PLAIN,
  runDirectory: RUN_DIRECTORY,
  help: HELP,
} as const satisfies OptionTable;

export const INCIDENT = {
  diagram: { short: '-d', long: ['--diagram'], help: 'draw it in two columns, one a node' },
  ids: { long: ['--ids'], help: 'their names alone, one a line' },
  raw: { long: ['--raw'], help: 'the recording itself, as piranha replay reads it' },
  node: NODES,
  json: JSON_OUT,
  plain: PLAIN,
  runDirectory: RUN_DIRECTORY,
  help: HELP,
} as const satisfies OptionTable;

export const EXPLAIN = {
  list: { long: ['--list'], help: 'every word that can be explained, one a line' },
  json: JSON_OUT,
  help: HELP,
} as const satisfies OptionTable;

export const DOCTOR = {
  json: JSON_OUT,
  fix: {
    long: ['--fix'],
    help: 'the commands that put right what was found; asks, then writes settings of this kernel',
  },
  yes: { short: '-y', long: ['--yes'], help: 'with --fix: write them without asking' },
  pcap: {
    long: ['--pcap'],
    value: 'FILE',
    help: 'keep the frames behind the findings here (doctor.pcapng in the run directory)',
  },
  only: { long: ['--only'], value: 'CHECK', help: 'this check alone' },
  noProbe: { long: ['--no-probe'], help: 'send no packet: this machine only' },
  list: { long: ['--list'], help: 'the checks and what each looks for' },
  runDirectory: RUN_DIRECTORY,
  configFile: CONFIG_FILE,
  help: HELP,
} as const satisfies OptionTable;

export const PROVE = {
  yes: { short: '-y', long: ['--yes'], help: 'do it without asking' },
  stay: { long: ['--stay'], help: 'one way only: the VIPs stay with the other node' },
  dryRun: { long: ['--dry-run'], help: 'the preflight alone' },
  json: JSON_OUT,
  runDirectory: RUN_DIRECTORY,
  help: HELP,
} as const satisfies OptionTable;

export const REPORT = {
  output: {
    short: '-o',
    long: ['--output'],
    value: 'FILE',
    help: 'a directory, or a file that ends in .tar.gz (piranha-report-TIME.tar.gz)',
  },
  json: JSON_OUT,
  runDirectory: RUN_DIRECTORY,
  configFile: CONFIG_FILE,
  help: HELP,
} as const satisfies OptionTable;

export const ORDER = {
  node: {
    ...NODE,
    help: 'own (unless told) or partner: its director is given the order, through the channel',
  },
  json: JSON_OUT,
  runDirectory: RUN_DIRECTORY,
  help: HELP,
} as const satisfies OptionTable;

export const RESIGN = {
  forTime: {
    long: ['--for'],
    value: 'TIME',
    help: 'not to take over again for so long: 90s, 10m, 2h (1m)',
  },
  ...ORDER,
} as const satisfies OptionTable;

export const SERVER = {
  forTime: { long: ['--for'], value: 'TIME', help: 'lifted by itself after so long: 90s, 30m, 2h' },
  node: NODES,
  json: JSON_OUT,
  runDirectory: RUN_DIRECTORY,
  help: HELP,
} as const satisfies OptionTable;

export const UNDRAIN = {
  node: NODES,
  json: JSON_OUT,
  runDirectory: RUN_DIRECTORY,
  help: HELP,
} as const satisfies OptionTable;

export const UPGRADE = {
  dryRun: { long: ['--dry-run'], help: 'only say what would be done, or why it would be refused' },
  again: { long: ['--again'], help: 'restart although the installed version runs already' },
  wait: {
    long: ['--wait'],
    value: 'TIME',
    help: 'how long the new one may take to be healthy (2m)',
  },
  json: JSON_OUT,
  runDirectory: RUN_DIRECTORY,
  help: HELP,
} as const satisfies OptionTable;

export const RELOAD = {
  dryRun: { long: ['--dry-run'], help: 'only say what would change' },
  json: JSON_OUT,
  runDirectory: RUN_DIRECTORY,
  help: HELP,
} as const satisfies OptionTable;

export const CHECK = {
  strict: { long: ['--strict'], help: 'the verdict of Piranha 0.8.6, line and reason' },
  json: { long: ['--json'], help: 'the problems as JSON' },
  help: HELP,
} as const satisfies OptionTable;

export const FMT = {
  write: { short: '-w', long: ['--write'], help: 'change the file instead of printing it' },
  json: { long: ['--json'], help: 'the text, and whether it differs from the file, as JSON' },
  help: HELP,
} as const satisfies OptionTable;

export const IMPORT = {
  primary: { long: ['--primary'], value: 'ADDRESS', help: 'heartbeat address of the primary' },
  backup: { long: ['--backup'], value: 'ADDRESS', help: 'heartbeat address of the backup' },
  device: { long: ['--device'], value: 'NAME', help: 'for VIPs that no vrrp_instance raises' },
  configId: { long: ['--config-id'], value: 'NAME', help: 'which @NAME lines count' },
  from: {
    long: ['--from'],
    value: 'FORMAT',
    words: ['keepalived', 'lvs'],
    help: 'keepalived or lvs; else seen from the file',
  },
  json: { long: ['--json'], help: 'text and notes as JSON' },
  help: HELP,
} as const satisfies OptionTable;

export const EXPORT = {
  json: { long: ['--json'], help: 'text and notes as JSON' },
  help: HELP,
} as const satisfies OptionTable;

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

export const COMPLETION = { json: JSON_OUT, help: HELP } as const satisfies OptionTable;
export const MAN = { json: JSON_OUT, help: HELP } as const satisfies OptionTable;
export const VERSION = { json: JSON_OUT, help: HELP } as const satisfies OptionTable;
export const HELP_OF_HELP = {
  json: { long: ['--json'], help: 'the whole table of verbs and options as JSON' },
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
