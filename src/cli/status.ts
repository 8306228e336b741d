/**
 * `piranha status`: asks the director of this machine over its socket, and says so when there is no answer.
 *
 * A daemon that is gone or frozen is the moment somebody looks: then the kernel is read instead, because an address
 * that a dead director left behind still answers. Exit codes in Nagios' order: 0 healthy, 1 degraded, 2 critical, 3 unknown.
 */
import { readFileSync } from 'node:fs';
import { err, type Milliseconds, ok, type Result } from '../base/index.ts';
import {
  DEFAULT_RUN_DIRECTORY,
  heldVips,
  LEVELS,
  loadSettings,
  observeKernel,
  type RunDirectory,
  readPid,
  runDirectory,
  type StatusDocument,
  type Verdict,
} from '../director/index.ts';
import { floatingAddresses } from '../model/index.ts';
import { type OptionSpec, optionsHelp, readOptions } from './options.ts';
import { DEFAULT_CONFIG_FILE } from './pulse.ts';
import { statusText } from './status-text.ts';
import { USAGE } from './verb.ts';

const OPTIONS = {
  json: { long: ['--json'], help: 'the whole document, for programs' },
  brief: { long: ['--brief'], help: 'the verdict only' },
  runDirectory: {
    long: ['--run-dir'],
    value: 'DIR',
    help: `the daemon's (${DEFAULT_RUN_DIRECTORY})`,
  },
  configFile: {
    short: '-c',
    long: ['--configfile'],
    value: 'FILE',
    help: `whose VIPs to look for when the daemon does not run (${DEFAULT_CONFIG_FILE})`,
  },
  help: { short: '-?', long: ['--help'], help: 'this text' },
} as const satisfies { readonly [name: string]: OptionSpec };

const ANSWER_LIMIT_MS: Milliseconds = 800;
/** 10,000 VIPs are about 1 MB. */
const ANSWER_LIMIT_BYTES = 16 * 1024 * 1024;

/** What is known without the daemon's word. */
type Absent = {
  readonly v: 1;
  readonly verdict: Verdict;
  readonly pid?: number;
  /** VIPs that this machine's kernel holds all the same. */
  readonly heldVips: readonly { readonly address: string; readonly device: string }[];
};

export async function statusCommand(argv: readonly string[]): Promise<number> {
  const parsed = readOptions(argv, OPTIONS);
  if (!parsed.ok || parsed.value.rest.length > 0) {
    const why = parsed.ok ? `unexpected argument ${parsed.value.rest[0]}` : parsed.error;
    process.stderr.write(`piranha status: ${why}; try piranha status --help\n`);
    return USAGE;
  }
  const { flags, values } = parsed.value;
  if (flags.has('help')) {
    process.stdout.write(`Usage: piranha status [OPTION...]\n\n${optionsHelp(OPTIONS)}\n`);
    return 0;
  }
  const directory = runDirectory(values.get('runDirectory') ?? DEFAULT_RUN_DIRECTORY);
  const answer = await ask(directory);
  const document = answer.ok
    ? answer.value
    : absent(directory, answer.error, values.get('configFile') ?? DEFAULT_CONFIG_FILE);
  if (flags.has('json')) process.stdout.write(`${JSON.stringify(document, undefined, 2)}\n`);
  else if (flags.has('brief') || !answer.ok) print(document.verdict);
  else process.stdout.write(`${statusText(answer.value)}\n`);
  return LEVELS.indexOf(document.verdict.level);
}

function print({ level, text }: Verdict): void {
  process.stdout.write(`${level.toUpperCase()}  ${text}\n`);
}

type Silence = 'not-running' | 'no-answer' | 'no-permission';

function ask(directory: RunDirectory): Promise<Result<StatusDocument, Silence>> {
  return new Promise((resolve) => {
    // Fetched, not imported: an import of node:http loads ten times what is needed here.
    const asked = process.getBuiltinModule('node:http').request({
      socketPath: directory.socket,
      path: '/v1/status',
      signal: AbortSignal.timeout(ANSWER_LIMIT_MS),
    });
    asked.once('error', (error) => resolve(err(silenceOf(error))));
    asked.once('response', (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        body += part;
        if (body.length > ANSWER_LIMIT_BYTES) response.destroy();
      });
      response.once('error', () => resolve(err('no-answer')));
      response.once('close', () => resolve(documentOf(response.statusCode, body)));
    });
    asked.end();
  });
}

function silenceOf(error: Error): Silence {
  const code = 'code' in error ? error.code : undefined;
  if (code === 'EACCES' || code === 'EPERM') return 'no-permission';
  return code === 'ENOENT' || code === 'ECONNREFUSED' ? 'not-running' : 'no-answer';
}

function documentOf(code: number | undefined, body: string): Result<StatusDocument, Silence> {
  if (code !== 200) return err('no-answer');
  try {
    return ok(JSON.parse(body));
  } catch {
    return err('no-answer'); // cut off in the middle
  }
}

function absent(directory: RunDirectory, silence: Silence, configFile: string): Absent {
  const pid = readPid(directory);
  const who = `the daemon${pid === undefined ? '' : ` (pid ${pid})`}`;
  if (silence === 'no-permission') {
    const text = `No permission to ask ${who} at ${directory.socket}.`;
    return { v: 1, verdict: { level: 'unknown', text }, heldVips: [] };
  }
  const held = vipsHere(configFile);
  const still = held
    .map(({ address, device }) => `VIP ${address} is still on ${device}`)
    .join(', ');
  const fact =
    silence === 'not-running'
      ? 'The daemon is not running'
      : `${who[0]?.toUpperCase()}${who.slice(1)} does not answer: ${frozenText(pid)}`;
  return {
    v: 1,
    verdict: {
      level: held.length > 0 ? 'critical' : 'unknown',
      text: still === '' ? `${fact}.` : `${fact}; ${still}.`,
    },
    ...(pid !== undefined && { pid }),
    heldVips: held,
  };
}

/** `T` in proc_pid_stat(5): stopped by a signal or a debugger. */
function frozenText(pid: number | undefined): string {
  let state: string | undefined;
  try {
    const stat = readFileSync(`/proc/${pid ?? 'self'}/stat`, 'utf8');
    state = stat.slice(stat.lastIndexOf(')') + 2)[0];
  } catch {
    state = undefined; // gone meanwhile
  }
  return state === 'T' || state === 't' ? 'it is stopped by a signal' : 'frozen?';
}

/** An unreadable file or kernel leaves nothing to look for; the verdict then is about the daemon alone. */
function vipsHere(configFile: string): Absent['heldVips'] {
  const loaded = loadSettings(configFile);
  const observed = observeKernel();
  if (!loaded.ok || !observed.ok) return [];
  return heldVips(floatingAddresses(loaded.value.settings), observed.value);
}
