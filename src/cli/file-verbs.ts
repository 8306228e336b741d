/** The verbs over files, as rows of the table (verbs.ts) with their options. They ask no director. */
import type { OptionTable } from './options.ts';
import { HELP } from './options-of-programs.ts';
import type { Verb } from './verb.ts';

const FILE = { kind: 'file' } as const;

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

const group = 'Files';

export const FILE_VERBS: readonly Verb[] = [
  {
    name: 'check',
    group,
    summary: 'judge an lvs.cf',
    usage: '[FILE] [OPTION...]',
    options: CHECK,
    argument: FILE,
    about:
      'Every problem at once, each with line, column and a remedy. Without FILE: /etc/sysconfig/ha/lvs.cf.',
    exits: '0 it can be run (warnings or not), 1 it cannot, or cannot be read',
    load: async () => (await import('./check.ts')).checkCommand,
  },
  {
    name: 'fmt',
    group,
    summary: 'print an lvs.cf in its usual form',
    usage: 'FILE [OPTION...]',
    options: FMT,
    argument: FILE,
    about: 'Comments are kept. A file that cannot be run is formatted all the same.',
    load: async () => (await import('./fmt.ts')).fmtCommand,
  },
  {
    name: 'import',
    group,
    summary: 'make an lvs.cf of a keepalived.conf, or of an old lvs.cf',
    usage: 'FILE [OPTION...]',
    options: IMPORT,
    argument: FILE,
    about: 'On standard error, line by line, what is not carried over or means something else.',
    exits: '0 the text can be run, 1 there is none, or it must be changed first',
    load: async () => (await import('./import.ts')).importCommand,
  },
  {
    name: 'export',
    group,
    summary: 'make a keepalived.conf of an lvs.cf',
    usage: 'keepalived.conf [LVS.CF] [OPTION...]',
    options: EXPORT,
    argument: { kind: 'words', words: ['keepalived.conf'] },
    about: 'LVS.CF is /etc/sysconfig/ha/lvs.cf unless named.',
    load: async () => (await import('./export.ts')).exportCommand,
  },
];
