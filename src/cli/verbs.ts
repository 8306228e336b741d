/** The verbs of `piranha`, in the order of its help. Names of old (`pulse`, `send_arp`) are verbs, too. */

import type { Command, Verb } from './verb.ts';
import { versionText } from './version.ts';

export const VERBS: readonly Verb[] = [
  {
    name: 'pulse',
    summary: 'run the director daemon',
    load: async () => (await import('./pulse.ts')).pulseCommand,
  },
  {
    name: 'status',
    summary: 'who owns the VIPs, and why',
    load: async () => (await import('./status.ts')).statusCommand,
  },
  {
    name: 'services',
    summary: 'the virtual services: real servers, weights, reasons, traffic',
    load: async () => (await import('./services.ts')).servicesCommand,
  },
  {
    name: 'server',
    summary: 'drain, disable or enable real servers',
    load: async () => (await import('./server.ts')).serverCommand,
  },
  {
    name: 'reload',
    summary: 'read lvs.cf anew, or only say what would change',
    load: async () => (await import('./reload.ts')).reloadCommand,
  },
  {
    name: 'takeover',
    summary: 'take the VIPs over from the partner',
    load: async () => (await import('./orders.ts')).takeoverCommand,
  },
  {
    name: 'resign',
    summary: 'give the VIPs to the partner',
    load: async () => (await import('./orders.ts')).resignCommand,
  },
  {
    name: 'maintenance',
    summary: 'on: give the VIPs away and do not take them again; off: be of use again',
    load: async () => (await import('./orders.ts')).maintenanceCommand,
  },
  {
    name: 'check',
    summary: 'judge an lvs.cf',
    load: async () => (await import('./check.ts')).checkCommand,
  },
  {
    name: 'fmt',
    summary: 'print an lvs.cf in its usual form',
    load: async () => (await import('./fmt.ts')).fmtCommand,
  },
  {
    name: 'import',
    summary: 'make an lvs.cf of a keepalived.conf, or of an old lvs.cf',
    load: async () => (await import('./import.ts')).importCommand,
  },
  {
    name: 'export',
    summary: 'make a keepalived.conf of an lvs.cf',
    load: async () => (await import('./export.ts')).exportCommand,
  },
  {
    name: 'lab',
    summary: 'play failures with real packets in network namespaces',
    load: async () => (await import('../../lab/index.ts')).labCommand,
  },
  {
    name: 'sim',
    summary: 'search the failover core in an imagined network, play seeds, hunt mutants',
    load: async () => (await import('./sim.ts')).simCommand,
  },
  {
    name: 'lvsd',
    summary: 'the virtual services alone, without heartbeats and VIPs',
    load: async () => (await import('./lvsd.ts')).lvsdCommand,
  },
  {
    name: 'nanny',
    summary: 'the monitor of one real server',
    load: async () => (await import('./nanny.ts')).nannyCommand,
  },
  {
    name: 'replay',
    summary: 'run the failover core again on what a director recorded',
    load: async () => (await import('./replay.ts')).replayCommand,
  },
  {
    name: 'send_arp',
    summary: 'send one ARP announcement',
    load: async () => (await import('./send-arp.ts')).sendArpCommand,
  },
  { name: 'version', summary: 'print the version', load: async () => versionCommand },
  { name: 'help', summary: 'print this text', load: async () => helpCommand },
];

/** The verb of that name, or of the only name that begins so. */
export function findVerb(name: string): Verb | undefined {
  return VERBS.find((verb) => verb.name === name);
}

export function helpText(): string {
  const width = Math.max(...VERBS.map(({ name }) => name.length)) + 2;
  const rows = VERBS.map(({ name, summary }) => `  ${name.padEnd(width)}${summary}`);
  return [
    'Usage: piranha VERB [OPTION...]',
    '',
    ...rows,
    '',
    'piranha VERB --help tells the options of a verb.',
  ].join('\n');
}

const versionCommand: Command = async () => {
  process.stdout.write(`${versionText('piranha')}\n`);
  return 0;
};

const helpCommand: Command = async () => {
  process.stdout.write(`${helpText()}\n`);
  return 0;
};
