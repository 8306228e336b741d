/**
 * The verbs of `piranha`, in the order of its help: the one place that knows them. Help, completion, man pages and
 * docs/cli.md are made of this table or held to it. Names of old (`pulse`, `send_arp`) are verbs, too.
 */

import { CHANGE_VERBS, COURIER_VERB } from './change-verbs.ts';
import { CONSOLE, PASSWD } from './options-of-console.ts';
import { FOS, LVSD, NANNY, PULSE, SEND_ARP } from './options-of-programs.ts';
import {
  CHECK,
  COMPLETION,
  DOCTOR,
  EVENTS,
  EXPLAIN,
  EXPORT,
  FMT,
  HELP_OF_HELP,
  IMPORT,
  INCIDENT,
  LAB,
  MAN,
  ORDER,
  PROVE,
  RELOAD,
  REPLAY,
  REPORT,
  RESIGN,
  SERVER,
  SERVICES,
  SIM,
  STATUS,
  TOP,
  UNDRAIN,
  UPGRADE,
  VERSION,
  WATCH_STATUS,
} from './options-of-verbs.ts';
import { QUERY_EXITS, type Verb } from './verb.ts';

const FILE = { kind: 'file' } as const;
const SERVER_ORDERS = ['drain', 'disable', 'enable', 'undrain', 'force-up'] as const;
export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export const MAN_PAGES = ['piranha.8', 'pulse.8', 'lvs.cf.5', 'piranha-protocol.7'] as const;

export const VERBS: readonly Verb[] = [
  {
    name: 'status',
    group: 'Look',
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
    group: 'Look',
    summary: 'the status, again whenever something happens',
    usage: '[OPTION...]',
    options: WATCH_STATUS,
    about: 'The same as status --watch.',
    exits: QUERY_EXITS,
    load: async () => (await import('./status.ts')).watchCommand,
  },
  {
    name: 'top',
    group: 'Look',
    summary: 'virtual services and real servers by their traffic',
    usage: '[OPTION...]',
    options: TOP,
    about: 'The busiest first, by new connections a second, every second until interrupted.',
    exits: '0 shown, 3 unknown',
    load: async () => (await import('./top.ts')).topCommand,
  },
  {
    name: 'services',
    group: 'Look',
    summary: 'the virtual services: real servers, weights, reasons, traffic',
    usage: '[OPTION...]',
    options: SERVICES,
    about: 'The table as the director keeps it, whether this node is active or not.',
    exits: '0 every service has a server, 1 one has none, 3 unknown',
    load: async () => (await import('./services.ts')).servicesCommand,
  },
  {
    name: 'events',
    group: 'Look',
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
    group: 'Look',
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
    group: 'Look',
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
    group: 'Look',
    summary: 'what breaks such pairs in the field: looked for, with evidence and the cure',
    usage: '[OPTION...]',
    options: DOCTOR,
    about:
      'Looks at this machine, and asks the segment and the real servers with packets of its own: the ARP problem of ' +
      'direct routing is found from here. Changes nothing; --fix prints what to type.',
    exits: '0 nothing found, 1 warnings, 2 something is broken, 3 it could not look',
    load: async () => (await import('./doctor.ts')).doctorCommand,
  },
  {
    name: 'report',
    group: 'Look',
    summary: 'a bundle of evidence for somebody else to read',
    usage: '[OPTION...]',
    options: REPORT,
    about:
      'Configuration (secrets cut), status, services, events, incidents, state of the kernel, versions. Mode 0600.',
    load: async () => (await import('./report.ts')).reportCommand,
  },
  {
    name: 'takeover',
    group: 'Act',
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
    group: 'Act',
    summary: 'give the VIPs to the partner',
    usage: '[OPTION...]',
    options: RESIGN,
    about: 'Refused where the partner could not take them.',
    load: async () => (await import('./orders.ts')).resignCommand,
  },
  {
    name: 'maintenance',
    group: 'Act',
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
    group: 'Act',
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
    group: 'Act',
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
    group: 'Act',
    summary: 'no new connections for real servers; the same as server drain',
    usage: 'NAME... [OPTION...]',
    options: SERVER,
    about: 'Weight 0: connections finish, none are new. piranha undrain NAME lifts it.',
    load: async () => (await import('./server.ts')).drainCommand,
  },
  {
    name: 'undrain',
    group: 'Act',
    summary: 'lift whatever was said of real servers: a drain, a weight',
    usage: 'NAME... [OPTION...]',
    options: UNDRAIN,
    about:
      'lvs.cf and its checks decide again. NAME is as it was given: server, or service/server.',
    load: async () => (await import('./server.ts')).undrainCommand,
  },
  {
    name: 'weight',
    group: 'Act',
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
    group: 'Act',
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
  ...CHANGE_VERBS,
  {
    name: 'reload',
    group: 'Change the configuration',
    summary: 'read lvs.cf anew, or only say what would change',
    usage: '[OPTION...]',
    options: RELOAD,
    about: 'A file that could not be started with changes nothing: every problem is printed.',
    load: async () => (await import('./reload.ts')).reloadCommand,
  },
  {
    name: 'check',
    group: 'Files',
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
    group: 'Files',
    summary: 'print an lvs.cf in its usual form',
    usage: 'FILE [OPTION...]',
    options: FMT,
    argument: FILE,
    about: 'Comments are kept. A file that cannot be run is formatted all the same.',
    load: async () => (await import('./fmt.ts')).fmtCommand,
  },
  {
    name: 'import',
    group: 'Files',
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
    group: 'Files',
    summary: 'make a keepalived.conf of an lvs.cf',
    usage: 'keepalived.conf [LVS.CF] [OPTION...]',
    options: EXPORT,
    argument: { kind: 'words', words: ['keepalived.conf'] },
    about: 'LVS.CF is /etc/sysconfig/ha/lvs.cf unless named.',
    load: async () => (await import('./export.ts')).exportCommand,
  },
  {
    name: 'lab',
    group: 'Try it out',
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
    group: 'Try it out',
    summary: 'search the failover core in an imagined network, play seeds, hunt mutants',
    usage: '[OPTION...]',
    options: SIM,
    about: 'The core that ships, every order of events within stated bounds.',
    load: async () => (await import('./sim.ts')).simCommand,
  },
  {
    name: 'replay',
    group: 'Try it out',
    summary: 'run the failover core again on what a director recorded',
    usage: 'FILE... [OPTION...]',
    options: REPLAY,
    argument: FILE,
    about: 'It must do what it did then. One file of each node makes one story.',
    exits: '0 the same, 1 it differs, or a file cannot be read',
    load: async () => (await import('./replay.ts')).replayCommand,
  },
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
  {
    name: 'completion',
    group: 'About this program',
    summary: 'a completion script for a shell',
    usage: `${SHELLS.join('|')} [OPTION...]`,
    options: COMPLETION,
    argument: { kind: 'words', words: SHELLS },
    about: 'bash: source <(piranha completion bash).',
    load: async () => (await import('./completion.ts')).completionCommand,
  },
  {
    name: 'man',
    group: 'About this program',
    summary: 'a man page, as mdoc source',
    usage: `${MAN_PAGES.join('|')} [OPTION...]`,
    options: MAN,
    argument: { kind: 'words', words: MAN_PAGES },
    about: 'To read one: piranha man piranha.8 | man -l -',
    load: async () => (await import('./man.ts')).manCommand,
  },
  {
    name: 'version',
    group: 'About this program',
    summary: 'print the version',
    usage: '[OPTION...]',
    options: VERSION,
    about: 'Three lines: program, its date, its package.',
    load: async () => (await import('./version.ts')).versionCommand,
  },
  {
    name: 'help',
    group: 'About this program',
    summary: 'print this text, or the help of a verb',
    usage: '[VERB] [OPTION...]',
    options: HELP_OF_HELP,
    about: 'piranha VERB --help says the same.',
    load: async () => (await import('./help.ts')).helpCommand,
  },
];

export function findVerb(name: string): Verb | undefined {
  return VERBS.find((verb) => verb.name === name || verb.alsoCalled === name);
}
