/** The verbs that look, as rows of the table (verbs.ts) with their options. */
import type { OptionTable } from './options.ts';
import { DEFAULT_CONFIG_FILE, HELP } from './options-of-programs.ts';
import {
  CONFIG_FILE,
  JSON_OUT,
  NODE,
  NODES,
  PLAIN,
  RUN_DIRECTORY,
  WATCH,
} from './options-of-verbs.ts';
import { QUERY_EXITS, type Verb } from './verb.ts';

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

export const CHECK = {
  strict: { long: ['--strict'], help: 'the verdict of Piranha 0.8.6, line and reason' },
  json: { long: ['--json'], help: 'the problems as JSON' },
  help: HELP,
} as const satisfies OptionTable;

const group = 'Look';

export const LOOK_VERBS: readonly Verb[] = [
  {
    name: 'status',
    group,
    summary: 'who owns the VIPs, does the router believe it, could the partner take over',
    usage: '[OPTION...]',
    options: STATUS,
    about:
      'Asks the director of this machine. When it does not answer, the kernel is read instead: an address that a dead ' +
      'director left behind still answers.',
    exits: QUERY_EXITS,
    load: async () => (await import('./status.ts')).statusCommand,
  },
  {
    name: 'watch',
    group,
    summary: 'the status, again whenever something happens',
    usage: '[OPTION...]',
    options: WATCH_STATUS,
    about: 'The same as status --watch.',
    exits: QUERY_EXITS,
    load: async () => (await import('./status.ts')).watchCommand,
  },
  {
    name: 'top',
    group,
    summary: 'virtual services and real servers by their traffic',
    usage: '[OPTION...]',
    options: TOP,
    about: 'The busiest first, by new connections a second, every second until interrupted.',
    exits: '0 shown, 3 unknown',
    load: async () => (await import('./top.ts')).topCommand,
  },
  {
    name: 'services',
    group,
    summary: 'the virtual services: real servers, weights, reasons, traffic',
    usage: '[OPTION...]',
    options: SERVICES,
    about: 'The table as the director keeps it, whether this node is active or not.',
    exits: '0 every service has a server, 1 one has none, 3 unknown',
    load: async () => (await import('./services.ts')).servicesCommand,
  },
  {
    name: 'events',
    group,
    summary: 'what happened, on both nodes, in order',
    usage: '[OPTION...]',
    options: EVENTS,
    about:
      'Changes of role, of real servers, of the configuration, and what the segment was heard to say. A gap in the ' +
      'stream is told as one.',
    exits: '0 shown, 3 unknown',
    load: async () => (await import('./events.ts')).eventsCommand,
  },
  {
    name: 'incident',
    group,
    summary: 'the recorded incidents, or one of them opened',
    usage: '[ID] [OPTION...]',
    options: INCIDENT,
    argument: { kind: 'printed', by: 'piranha incident --ids' },
    about:
      'Around every change of role both directors keep what they were told. Without an ID they are listed; with one, ' +
      'both halves are merged on one clock, as far as the partner can be reached.',
    exits: '0 shown, 1 there is none of that name, 3 unknown',
    load: async () => (await import('./incident.ts')).incidentCommand,
  },
  {
    name: 'explain',
    group,
    summary: 'what a reason, directive, metric, alert or check means',
    usage: 'WORD... [OPTION...]',
    options: EXPLAIN,
    argument: { kind: 'printed', by: 'piranha explain --list' },
    about: 'From the documents that are part of this program; nothing is asked of the network.',
    exits: '0 explained, 1 nothing is known of the word',
    load: async () => (await import('./explain.ts')).explainCommand,
  },
  {
    name: 'doctor',
    group,
    summary: 'what breaks such pairs in the field: looked for, with evidence and the cure',
    usage: '[OPTION...]',
    options: DOCTOR,
    about:
      'Looks at this machine, and asks the segment and the real servers with packets of its own: the ARP problem of ' +
      'direct routing is found from here. Changes nothing unless --fix is given and answered with yes. The frames behind ' +
      'the findings are kept for tshark.',
    exits: '0 nothing found, 1 warnings, 2 something is broken, 3 it could not look',
    load: async () => (await import('./doctor.ts')).doctorCommand,
  },
  {
    name: 'report',
    group,
    summary: 'a bundle of evidence for somebody else to read',
    usage: '[OPTION...]',
    options: REPORT,
    about:
      'Configuration (secrets cut), status, services, events, incidents, state of the kernel, versions. Mode 0600.',
    load: async () => (await import('./report.ts')).reportCommand,
  },
];
