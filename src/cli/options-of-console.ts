/** The options of the console and of what belongs to it, as data: see options-of-verbs.ts. */
import type { OptionTable } from './options.ts';
import { HELP } from './options-of-programs.ts';
import { RUN_DIRECTORY } from './options-of-verbs.ts';

const STATE_DIRECTORY = {
  long: ['--state-dir'],
  value: 'DIR',
  help: "the console's users and certificate (/var/lib/piranha-console)",
} as const;
const LISTEN = {
  long: ['--listen'],
  value: 'ADDR:PORT',
  help: 'where it listens (:3636)',
} as const;
/** The console's own list is loaded with the console. */
const RIGHTS = ['look', 'operate', 'change'] as const;
const RIGHT = ['--right', '--role'] as const;

export const CONSOLE = {
  listen: LISTEN,
  certificate: { long: ['--certificate'], value: 'FILE', help: 'PEM, instead of an own one' },
  key: { long: ['--key'], value: 'FILE', help: 'PEM, of that certificate' },
  insecure: { long: ['--insecure-http'], help: 'without TLS; only on a loopback address' },
  user: {
    long: ['--user'],
    value: 'NAME',
    help: 'whom it becomes when root starts it (piranha-console); of a link: as whom (root)',
  },
  right: {
    long: RIGHT,
    value: 'RIGHT',
    words: RIGHTS,
    help: 'login-url: what the link gives (change)',
  },
  idleExit: {
    long: ['--idle-exit'],
    value: 'TIME',
    help: 'started by a socket unit it ends after so long without anybody: 90s, 2h (10m)',
  },
  runDirectory: RUN_DIRECTORY,
  stateDirectory: STATE_DIRECTORY,
  help: HELP,
} as const satisfies OptionTable;

export const PASSWD = {
  right: {
    long: RIGHT,
    value: 'RIGHT',
    words: RIGHTS,
    help: 'look, operate or change (change for piranha, look for others)',
  },
  delete: { long: ['--delete'], help: 'the user may not log in any more' },
  list: { long: ['--list'], help: 'who may log in, and what each may do' },
  stateDirectory: STATE_DIRECTORY,
  help: HELP,
} as const satisfies OptionTable;
