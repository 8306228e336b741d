/**
 * `piranha report`: what somebody else needs to understand this pair, in one file of mode 0600.
 *
 * Everything is gathered with limits of time and size, and what could not be had is said in its place, because the moment
 * for a report is the one in which something does not answer. What looks like a secret is cut out of lvs.cf and of the log;
 * keys are never read.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { hostname, release } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { utf8 } from '../base/index.ts';
import { readKeys } from '../director/index.ts';
import { askText, directoryOf, silenceText, type WhichNode } from './ask-director.ts';
import { doctorText, examine } from './doctor.ts';
import { gatherFacts, readSystem } from './doctor-facts.ts';
import { numbered } from './evidence.ts';
import { REPORT } from './look-verbs.ts';
import { DEFAULT_CONFIG_FILE } from './options-of-programs.ts';
import { DEFAULT_RUN_DIRECTORY } from './options-of-verbs.ts';
import { type ArchivedFile, tarOf } from './tar.ts';
import { say, sayJson, withOptions } from './verb.ts';
import { versionText } from './version-text.ts';

const COMMAND_LIMIT_MS = 5000;
const ANSWER_LIMIT_MS = 5000;
const LONGEST = 4 * 1024 * 1024;
const KEPT_INCIDENTS = 5;

type Text = { readonly name: string; readonly text: string };

const ROUTES: readonly (readonly [name: string, path: string])[] = [
  ['status.json', '/v1/status'],
  ['services.json', '/v1/services'],
  ['events.json', '/v1/events/recent?limit=1000'],
  ['audit.json', '/v1/audit?limit=1000'],
  ['incidents.json', '/v1/incidents'],
  ['history.json', '/v1/config/history'],
  ['metrics.txt', '/metrics'],
];

const COMMANDS: readonly (readonly [name: string, ...argv: string[]])[] = [
  ['kernel/addresses.txt', 'ip', '-d', 'addr'],
  ['kernel/routes.txt', 'ip', 'route', 'show', 'table', 'all'],
  ['kernel/rules.txt', 'ip', 'rule'],
  ['kernel/neighbours.txt', 'ip', 'neigh'],
  ['kernel/link-counters.txt', 'ip', '-s', 'link'],
  ['kernel/nftables.txt', 'nft', 'list', 'ruleset'],
  ['kernel/threads.txt', 'ps', '-eLo', 'pid,tid,cls,rtprio,ni,stat,comm'],
  [
    'log.txt',
    'journalctl',
    '-n',
    '3000',
    '--no-pager',
    '-t',
    'pulse',
    '-t',
    'lvsd',
    '-t',
    'nanny',
    '-t',
    'fos',
  ],
];

const FILES: readonly (readonly [name: string, path: string])[] = [
  ['kernel/ip_vs.txt', '/proc/net/ip_vs'],
  ['kernel/ip_vs_stats.txt', '/proc/net/ip_vs_stats'],
  ['kernel/modules.txt', '/proc/modules'],
  ['kernel/load.txt', '/proc/loadavg'],
  ['kernel/pressure-cpu.txt', '/proc/pressure/cpu'],
  ['kernel/memory.txt', '/proc/meminfo'],
  ['kernel/snmp.txt', '/proc/net/snmp'],
  ['os-release.txt', '/etc/os-release'],
];

const SYSCTLS = [
  ...['net/ipv4/ip_forward', 'net/ipv4/conf/all/rp_filter', 'net/ipv4/conf/all/arp_ignore'],
  ...['net/ipv4/conf/all/arp_announce', 'net/ipv4/conf/all/send_redirects'],
  ...['net/netfilter/nf_conntrack_count', 'net/netfilter/nf_conntrack_max'],
  ...['kernel/sched_rt_runtime_us', 'net/ipv4/ip_unprivileged_port_start'],
];

export const reportCommand = withOptions('report', REPORT, async ({ flags, values }) => {
  const runDirectory = values.get('runDirectory') ?? DEFAULT_RUN_DIRECTORY;
  const configFile = values.get('configFile') ?? DEFAULT_CONFIG_FILE;
  const at = new Date();
  const stamp = at.toISOString().replace(/[-:]|\.\d+/g, '');
  const output = values.get('output') ?? `piranha-report-${stamp}.tar.gz`;
  if (existsSync(output)) {
    process.stderr.write(`piranha report: ${output} exists already; name another with --output\n`);
    return 1;
  }
  const texts = await gather(runDirectory, configFile, at);
  const files = texts.map(({ name, text }) => ({ name, bytes: utf8(text.slice(0, LONGEST)) }));
  try {
    if (output.endsWith('.tar.gz')) writeArchive(output, files, at);
    else writeDirectory(output, files);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    process.stderr.write(`piranha report: not written: ${why}\n`);
    return 1;
  }
  const bytes = files.reduce((sum, file) => sum + file.bytes.length, 0);
  if (flags.has('json')) sayJson({ v: 1, output, bytes, files: files.map(({ name }) => name) });
  else
    say(
      `${output}: ${files.length} files, ${bytes} bytes before packing; read it before you send it`,
    );
  return 0;
});

async function gather(
  runDirectory: string,
  configFile: string,
  at: Date,
): Promise<readonly Text[]> {
  const texts: Text[] = [
    { name: 'README.txt', text: readme(at) },
    {
      name: 'lvs.cf',
      text: withoutSecrets(readSystem(configFile) ?? `${configFile}: not readable`),
    },
    { name: 'doctor.txt', text: await doctorPage(runDirectory, configFile) },
    ...(await answersOf(runDirectory, 'own')),
    ...(await answersOf(runDirectory, 'partner')),
    ...COMMANDS.map(([name, ...argv]) => ({ name, text: withoutSecrets(outputOf(argv)) })),
    ...FILES.map(([name, path]) => ({ name, text: readSystem(path) ?? `${path}: not there` })),
    { name: 'kernel/sysctl.txt', text: sysctls() },
  ];
  return texts.map(({ name, text }) => ({ name, text: text.endsWith('\n') ? text : `${text}\n` }));
}

function readme(at: Date): string {
  return [
    `Piranha report of ${hostname()}, ${at.toISOString()}`,
    '',
    versionText('piranha'),
    `Linux ${release()}, Node ${process.version}`,
    '',
    'partner/ holds what the other node said, as far as it could be asked.',
    'Values that look like secrets are cut ([cut: ...]); keys were not read.',
  ].join('\n');
}

async function doctorPage(runDirectory: string, configFile: string): Promise<string> {
  const keyFault = (path: string): string | undefined => {
    const keys = readKeys(path);
    return keys.ok ? undefined : keys.error;
  };
  const facts = await gatherFacts({ runDirectory, configFile, keyFault });
  return doctorText(facts, numbered(await examine(facts, false), undefined));
}

/** What a node says of itself; one sentence where it says nothing. */
async function answersOf(runDirectory: string, node: WhichNode): Promise<readonly Text[]> {
  const directory = directoryOf(runDirectory, node);
  const folder = node === 'own' ? '' : 'partner/';
  const ask = (path: string) => askText(directory, path, undefined, ANSWER_LIMIT_MS);
  const first = await ask('/v1/status');
  if (!first.ok) {
    return [{ name: `${folder}no-answer.txt`, text: silenceText(first.error, node) }];
  }
  const texts: Text[] = [];
  for (const [name, path] of ROUTES) {
    const answer = await ask(path);
    const text = answer.ok ? answer.value.text : silenceText(answer.error, node);
    texts.push({ name: `${folder}${name}`, text: pretty(text) });
    if (name !== 'incidents.json' || !answer.ok) continue;
    for (const id of incidentIds(answer.value.text)) {
      const incident = await ask(`/v1/incidents/${id}`);
      if (incident.ok)
        texts.push({ name: `${folder}incidents/${id}.jsonl`, text: incident.value.text });
    }
  }
  return texts;
}

function incidentIds(text: string): readonly string[] {
  return Array.from(text.matchAll(/"id":"([\w-]{1,60})"/g), ([, id = '']) => id).slice(
    0,
    KEPT_INCIDENTS,
  );
}

function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), undefined, 2);
  } catch {
    return text; // metrics, or cut off
  }
}

function outputOf([program = '', ...words]: readonly string[]): string {
  const ran = spawnSync(program, words, {
    encoding: 'utf8',
    timeout: COMMAND_LIMIT_MS,
    maxBuffer: LONGEST,
  });
  if (ran.error !== undefined) return `${program}: ${ran.error.message}`;
  return ran.stdout === '' ? `${program}: nothing (${ran.status}) ${ran.stderr}` : ran.stdout;
}

function sysctls(): string {
  return SYSCTLS.map(
    (name) => `${name.replaceAll('/', '.')} = ${readSystem(`/proc/sys/${name}`) ?? 'not there'}`,
  ).join('\n');
}

const SECRET =
  /authori[sz]ation|passw|pwd|secret|token|credential|cookie|api[-_]?key|\bpass\b\s*[=:]|:\/\/[^\s/]*@/i;

/** The value of a line that speaks of a secret, and such a comment, is cut; what stands before it stays. */
export function withoutSecrets(text: string): string {
  return text
    .split('\n')
    .map((line) => {
      if (!SECRET.test(line)) return line;
      const [, head = ''] = /^(\s*[\w-]+\s*=\s*|\s*#\s*)/.exec(line) ?? [];
      // Our own directive names a file, not a secret.
      if (/^\s*heartbeat_key_file\s*=/.test(line)) return line;
      return `${head}[cut: ${line.length - head.length} characters]`;
    })
    .join('\n');
}

function writeArchive(output: string, files: readonly ArchivedFile[], at: Date): void {
  const bytes = tarOf(
    files.map((file) => ({ ...file, name: `piranha-report/${file.name}` })),
    at.getTime() / 1000,
  );
  writeFileSync(output, gzipSync(bytes), { mode: 0o600, flag: 'wx' });
}

function writeDirectory(output: string, files: readonly ArchivedFile[]): void {
  for (const { name, bytes } of files) {
    const path = join(output, name);
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(path, bytes, { mode: 0o600, flag: 'wx' });
  }
}
