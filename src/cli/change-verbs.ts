/** The verbs that change the configuration, as rows of the table (verbs.ts) with their options. */
import type { OptionSpec, OptionTable } from './options.ts';
import { HELP } from './options-of-programs.ts';
import { ASKING, RUN_DIRECTORY } from './options-of-verbs.ts';
import type { Verb } from './verb.ts';

const CONFIRM = {
  long: ['--confirm'],
  value: 'TIME',
  help: 'goes back by itself unless it is confirmed within 1s to 60m: 60s, 5m',
} as const satisfies OptionSpec;
const REASON = {
  long: ['--reason'],
  value: 'TEXT',
  help: 'why, for history and audit: a ticket',
} as const satisfies OptionSpec;
const AUTHOR = {
  long: ['--author'],
  value: 'NAME',
  help: 'who, for the history (the name you logged in with)',
} as const satisfies OptionSpec;
const BOTH = {
  long: ['--both'],
  help: 'on both nodes or on neither, the standby first',
} as const satisfies OptionSpec;

export const DIFF = {
  partner: { long: ['--partner'], help: 'against the file of the partner' },
  serial: { long: ['--serial'], value: 'N', help: 'version N of the history in place of a file' },
  ...ASKING,
} as const satisfies OptionTable;
export const APPLY = {
  confirm: CONFIRM,
  both: BOTH,
  dryRun: { long: ['--dry-run'], help: 'only say what would change' },
  ifMatch: {
    long: ['--if-match'],
    value: 'DIGEST',
    help: 'refuse when another configuration than this one is there by now',
  },
  author: AUTHOR,
  reason: REASON,
  ...ASKING,
} as const satisfies OptionTable;
export const ROLLBACK = {
  confirm: CONFIRM,
  both: BOTH,
  author: AUTHOR,
  reason: REASON,
  ...ASKING,
} as const satisfies OptionTable;
export const PUSH = { author: AUTHOR, reason: REASON, ...ASKING } as const satisfies OptionTable;
export const PULL = { confirm: CONFIRM, ...PUSH } as const satisfies OptionTable;
export const COURIER = { runDirectory: RUN_DIRECTORY, help: HELP } as const satisfies OptionTable;

export const RELOAD = {
  dryRun: { long: ['--dry-run'], help: 'only say what would change' },
  ...ASKING,
} as const satisfies OptionTable;

const group = 'Change the configuration';
const file = { kind: 'file' } as const;
type Commands = typeof import('./changes.ts');
const loaded = (name: keyof Commands) => async () => (await import('./changes.ts'))[name];

export const CHANGE_VERBS: readonly Verb[] = [
  {
    name: 'diff',
    group,
    summary:
      'what a file would change, as text and in sentences; with --partner, where the nodes differ',
    usage: '[FILE] [OPTION...]',
    options: DIFF,
    argument: file,
    about:
      'Against the file of the director of this machine. Without FILE and with --partner: the files of the two nodes.',
    exits: '0 no difference, 1 a difference, 2 it could not be found out',
    load: loaded('diffCommand'),
  },
  {
    name: 'apply',
    group,
    summary: 'put a file in force, on this node or on both, kept only if confirmed in time',
    usage: 'FILE [OPTION...]',
    options: APPLY,
    argument: file,
    about:
      'The file is judged whole before anything is touched; - is standard input. With --confirm it goes back by itself, ' +
      'over a crash too, unless piranha confirm is typed in time: also when you have cut yourself off. A file that runs ' +
      'already is nothing to do.',
    load: loaded('applyCommand'),
  },
  {
    name: 'confirm',
    group,
    summary: 'keep the change that waits, on both nodes when it was made on both',
    usage: '[OPTION...]',
    options: ASKING,
    about: 'Refused when nothing waits: the time was over, or nobody asked for one.',
    load: loaded('confirmCommand'),
  },
  {
    name: 'rollback',
    group,
    summary: 'undo the change that waits, or go back to a version of the history',
    usage: '[SERIAL] [OPTION...]',
    options: ROLLBACK,
    about:
      'With SERIAL the old file becomes a new version, a change like any other. Options but --json are for that.',
    load: loaded('rollbackCommand'),
  },
  {
    name: 'history',
    group,
    summary: 'the last versions of the configuration: who, when, why, and what became of them',
    usage: '[SERIAL] [OPTION...]',
    options: ASKING,
    about: 'With SERIAL the file of that version is printed.',
    load: loaded('historyCommand'),
  },
  {
    name: 'push',
    group,
    summary: 'put the file of this node in force on the partner',
    usage: '[OPTION...]',
    options: PUSH,
    about:
      'The partner judges it, takes it byte for byte, and is asked afterwards what it runs. Needs heartbeat_key_file.',
    load: loaded('pushCommand'),
  },
  {
    name: 'pull',
    group,
    summary: 'put the file of the partner in force here',
    usage: '[OPTION...]',
    options: PULL,
    about: 'A change like any other, byte for byte. Needs heartbeat_key_file.',
    load: loaded('pullCommand'),
  },
  {
    name: 'reload',
    group,
    summary: 'read lvs.cf anew, or only say what would change',
    usage: '[OPTION...]',
    options: RELOAD,
    about: 'A file that could not be started with changes nothing: every problem is printed.',
    load: async () => (await import('./reload.ts')).reloadCommand,
  },
];

export const COURIER_VERB: Verb = {
  name: 'courier',
  group: 'Programs',
  summary: 'the channel between the two directors, started by the director',
  usage: '[OPTION...]',
  options: COURIER,
  about:
    'Bytes between TLS on the network and unix sockets, as a user that owns nothing. Nobody else has to start it.',
  load: async () => (await import('./courier.ts')).courierCommand,
};
