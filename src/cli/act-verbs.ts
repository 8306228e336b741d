/** The verbs that give orders, as rows of the table (verbs.ts) with their options. */
import type { OptionTable } from './options.ts';
import { ASKING, NODE, NODES } from './options-of-verbs.ts';
import type { Verb } from './verb.ts';

const SERVER_ORDERS = ['drain', 'disable', 'enable', 'undrain', 'force-up'] as const;

export const PROVE = {
  yes: { short: '-y', long: ['--yes'], help: 'do it without asking' },
  stay: { long: ['--stay'], help: 'one way only: the VIPs stay with the other node' },
  dryRun: { long: ['--dry-run'], help: 'the preflight alone' },
  ...ASKING,
} as const satisfies OptionTable;

export const ORDER = {
  node: {
    ...NODE,
    help: 'own (unless told) or partner: its director is given the order, through the channel',
  },
  ...ASKING,
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
  ...ASKING,
} as const satisfies OptionTable;

export const UNDRAIN = {
  node: NODES,
  ...ASKING,
} as const satisfies OptionTable;

export const UPGRADE = {
  dryRun: { long: ['--dry-run'], help: 'only say what would be done, or why it would be refused' },
  again: { long: ['--again'], help: 'restart although the installed version runs already' },
  wait: {
    long: ['--wait'],
    value: 'TIME',
    help: 'how long the new one may take to be healthy (2m)',
  },
  ...ASKING,
} as const satisfies OptionTable;

const group = 'Act';

export const ACT_VERBS: readonly Verb[] = [
  {
    name: 'takeover',
    group,
    summary: 'take the VIPs over from the partner',
    usage: '[OPTION...]',
    options: ORDER,
    about:
      'Refused with the reason where it would leave no owner; each step is told with its milliseconds. With --node partner ' +
      'the other node takes them over from this one, and its audit has your name.',
    load: async () => (await import('./orders.ts')).takeoverCommand,
  },
  {
    name: 'resign',
    group,
    summary: 'give the VIPs to the partner',
    usage: '[OPTION...]',
    options: RESIGN,
    about: 'Refused where the partner could not take them.',
    load: async () => (await import('./orders.ts')).resignCommand,
  },
  {
    name: 'maintenance',
    group,
    summary: 'on: give the VIPs away and do not take them again; off: be of use again',
    usage: 'on|off [OPTION...]',
    options: ORDER,
    argument: { kind: 'words', words: ['on', 'off'] },
    about:
      'Until it is switched off, this node does not become active, whatever becomes of its partner.',
    load: async () => (await import('./orders.ts')).maintenanceCommand,
  },
  {
    name: 'prove',
    group,
    summary: 'a planned takeover there and back, with the evidence on one page',
    usage: '[OPTION...]',
    options: PROVE,
    about:
      'Preflight, takeover, the word of each witness with its milliseconds, back again. Refused when the partner is ' +
      'not ready.',
    exits: '0 proved, 1 refused or not proved, 3 unknown',
    load: async () => (await import('./prove.ts')).proveCommand,
  },
  {
    name: 'server',
    group,
    summary: 'drain, disable or enable real servers',
    usage: `${SERVER_ORDERS.join('|')} NAME... [OPTION...]`,
    options: SERVER,
    argument: { kind: 'words', words: SERVER_ORDERS },
    about:
      'NAME is a server (in every service that lists it) or service/server. The word outlives reloads and restarts ' +
      'until it is lifted or its time is over. Both nodes are told, the partner as far as it can be reached.',
    load: async () => (await import('./server.ts')).serverCommand,
  },
  {
    name: 'drain',
    group,
    summary: 'no new connections for real servers; the same as server drain',
    usage: 'NAME... [OPTION...]',
    options: SERVER,
    about: 'Weight 0: connections finish, none are new. piranha undrain NAME lifts it.',
    load: async () => (await import('./server.ts')).drainCommand,
  },
  {
    name: 'undrain',
    group,
    summary: 'lift whatever was said of real servers: a drain, a weight',
    usage: 'NAME... [OPTION...]',
    options: UNDRAIN,
    about:
      'lvs.cf and its checks decide again. NAME is as it was given: server, or service/server.',
    load: async () => (await import('./server.ts')).undrainCommand,
  },
  {
    name: 'weight',
    group,
    summary: 'another weight for real servers than the one in lvs.cf',
    usage: 'NAME... N [OPTION...]',
    options: SERVER,
    about:
      'N is 0 to 65535; 0 is a drain. It counts at once and as if lvs.cf said it, while the checks decide as before: a ' +
      'server that fails goes, one that comes back grows up to N. Outlives reloads and restarts until piranha undrain NAME ' +
      'or the end of its time.',
    load: async () => (await import('./server.ts')).weightCommand,
  },
  {
    name: 'upgrade',
    group,
    summary:
      'put the installed version in place of the one that runs; an active director hands over first',
    usage: '[OPTION...]',
    options: UPGRADE,
    about:
      'For this node. An active director hands over first, and is not restarted before the partner owns the VIPs and is ' +
      'believed. Then systemctl restart piranha, and waiting until it is healthy; a director that systemd did not start is ' +
      'for you to restart meanwhile. Refused with the reason where nobody would own the VIPs.',
    exits: '0 done, or nothing to do; 1 refused, or not healthy in time, 3 unknown',
    load: async () => (await import('./upgrade.ts')).upgradeCommand,
  },
];
