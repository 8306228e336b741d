/** The verbs about the program itself, as rows of the table (verbs.ts) with their options. */
import type { OptionTable } from './options.ts';
import { HELP } from './options-of-programs.ts';
import { JSON_OUT } from './options-of-verbs.ts';
import type { Verb } from './verb.ts';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export const MAN_PAGES = ['piranha.8', 'pulse.8', 'lvs.cf.5', 'piranha-protocol.7'] as const;

export const COMPLETION = { json: JSON_OUT, help: HELP } as const satisfies OptionTable;

export const MAN = { json: JSON_OUT, help: HELP } as const satisfies OptionTable;

export const VERSION = { json: JSON_OUT, help: HELP } as const satisfies OptionTable;

export const HELP_OF_HELP = {
  json: { long: ['--json'], help: 'the whole table of verbs and options as JSON' },
  help: HELP,
} as const satisfies OptionTable;

const group = 'About this program';

export const OWN_VERBS: readonly Verb[] = [
  {
    name: 'completion',
    group,
    summary: 'a completion script for a shell',
    usage: `${SHELLS.join('|')} [OPTION...]`,
    options: COMPLETION,
    argument: { kind: 'words', words: SHELLS },
    about: 'bash: source <(piranha completion bash).',
    load: async () => (await import('./completion.ts')).completionCommand,
  },
  {
    name: 'man',
    group,
    summary: 'a man page, as mdoc source',
    usage: `${MAN_PAGES.join('|')} [OPTION...]`,
    options: MAN,
    argument: { kind: 'words', words: MAN_PAGES },
    about: 'To read one: piranha man piranha.8 | man -l -',
    load: async () => (await import('./man.ts')).manCommand,
  },
  {
    name: 'version',
    group,
    summary: 'print the version',
    usage: '[OPTION...]',
    options: VERSION,
    about: 'Three lines: program, its date, its package.',
    load: async () => (await import('./version.ts')).versionCommand,
  },
  {
    name: 'help',
    group,
    summary: 'print this text, or the help of a verb',
    usage: '[VERB] [OPTION...]',
    options: HELP_OF_HELP,
    about: 'piranha VERB --help says the same.',
    load: async () => (await import('./help.ts')).helpCommand,
  },
];
