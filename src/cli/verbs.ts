/**
 * The verbs of `piranha`, in the order of its help: the one place that knows them. Help, completion, man pages and
 * docs/cli.md are made of this table or held to it. Names of old (`pulse`, `send_arp`) are verbs, too.
 */

import { ACT_VERBS } from './act-verbs.ts';
import { CHANGE_VERBS, COURIER_VERB } from './change-verbs.ts';
import { FILE_VERBS } from './file-verbs.ts';
import { LOOK_VERBS } from './look-verbs.ts';
import { CONSOLE, PASSWD } from './options-of-console.ts';
import { FOS, LVSD, NANNY, PULSE, SEND_ARP } from './options-of-programs.ts';
import { OWN_VERBS } from './own-verbs.ts';
import { TRIAL_VERBS } from './trial-verbs.ts';
import type { Verb } from './verb.ts';

export const VERBS: readonly Verb[] = [
  ...LOOK_VERBS,
  ...ACT_VERBS,
  ...CHANGE_VERBS,
  ...FILE_VERBS,
  ...TRIAL_VERBS,
  COURIER_VERB,
  {
    name: 'pulse',
    group: 'Programs',
    summary: 'run the director daemon',
    usage: '[OPTION...]',
    options: PULSE,
    about: 'Heartbeats, election, leases, VIPs, virtual services and checks, in one process.',
    exits: '0 a clean stop, 1 it could not start or failed, or was called wrongly',
    isProgram: true,
    load: async () => (await import('./pulse.ts')).pulseCommand,
  },
  {
    name: 'console',
    group: 'Programs',
    summary: 'run the web console, or print a link that logs in to it once',
    usage: '[login-url] [OPTION...]',
    options: CONSOLE,
    argument: { kind: 'words', words: ['login-url'] },
    about:
      'A process of its own, on port 3636 with TLS, which shows both nodes. Started by root it goes on as ' +
      'piranha-console. login-url is for root: its link logs in once, within five minutes.',
    exits: '0 a clean end, 1 it could not start',
    load: async () => (await import('./console.ts')).consoleCommand,
  },
  {
    name: 'passwd',
    alsoCalled: 'piranha-passwd',
    group: 'Programs',
    summary: 'set a password of the console',
    usage: '[USER] [OPTION...]',
    options: PASSWD,
    about:
      'USER is piranha unless named. The password is typed, or piped in; it counts at once, and ends the sessions of ' +
      'before. There is none at installation.',
    load: async () => (await import('./passwd.ts')).passwdCommand,
  },
  {
    name: 'lvsd',
    group: 'Programs',
    summary: 'the virtual services alone, without heartbeats and VIPs',
    usage: '[OPTION...]',
    options: LVSD,
    about: 'Called wrongly it exits with 1.',
    isProgram: true,
    load: async () => (await import('./lvsd.ts')).lvsdCommand,
  },
  {
    name: 'fos',
    group: 'Programs',
    summary: 'the failover services of one node alone, without heartbeats and VIPs',
    usage: '--active|--monitor [OPTION...]',
    options: FOS,
    about:
      'What pulse does with service = fos, for those who script it. It ends when a service fails; with --active a ' +
      'signal stops the services.',
    exits: '0 a service has failed or a signal came, 1 it could not start',
    isProgram: true,
    load: async () => (await import('./fos.ts')).fosCommand,
  },
  {
    name: 'nanny',
    group: 'Programs',
    summary: 'the monitor of one real server',
    usage: '[OPTION...]',
    options: NANNY,
    about: 'Called wrongly it exits with 1.',
    isProgram: true,
    load: async () => (await import('./nanny.ts')).nannyCommand,
  },
  {
    name: 'send_arp',
    group: 'Programs',
    summary: 'send one ARP announcement',
    usage: '[-i DEV] SRC_IP SRC_MAC TARGET_IP TARGET_MAC',
    options: SEND_ARP,
    about:
      'Tells TARGET_MAC that SRC_IP is at SRC_MAC. TARGET_IP is taken and not used, as of old.',
    isProgram: true,
    load: async () => (await import('./send-arp.ts')).sendArpCommand,
  },
  ...OWN_VERBS,
];

export function findVerb(name: string): Verb | undefined {
  return VERBS.find((verb) => verb.name === name || verb.alsoCalled === name);
}
