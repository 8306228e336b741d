/**
 * `piranha status`: asks the director of this machine over its socket, and says so when there is no answer.
 *
 * A daemon that is gone or frozen is the moment somebody looks: then the kernel is read instead, because an address
 * that a dead director left behind still answers. Exit codes in Nagios' order: 0 healthy, 1 degraded, 2 critical, 3 unknown.
 */
import { readFileSync } from 'node:fs';
import type { Milliseconds } from '../base/index.ts';
import {
  heldVips,
  LEVELS,
  loadSettings,
  observeKernel,
  type RunDirectory,
  readPid,
  type StatusDocument,
  type Verdict,
} from '../director/index.ts';
import { floatingAddresses } from '../model/index.ts';
import {
  askDirector,
  directoryOf,
  type Silence,
  silenceText,
  titleOf,
  type WhichNode,
} from './ask-director.ts';
import { STATUS, WATCH_STATUS } from './look-verbs.ts';
import type { Options } from './options.ts';
import { DEFAULT_CONFIG_FILE } from './options-of-programs.ts';
import { DEFAULT_RUN_DIRECTORY } from './options-of-verbs.ts';
import { clearScreen, levelWord } from './paint.ts';
import { plainStatus } from './plain.ts';
import { briefText, statusText } from './status-text.ts';
import { misuse, say, sayJson, withOptions } from './verb.ts';
import { watch } from './watch.ts';

const ANSWER_LIMIT_MS: Milliseconds = 800;

/** What is known without the daemon's word. */
export type Absent = {
  readonly v: 1;
  readonly verdict: Verdict;
  readonly pid?: number;
  /** VIPs that this machine's kernel holds all the same. */
  readonly heldVips: readonly { readonly address: string; readonly device: string }[];
};

type Words = Options<keyof typeof STATUS>;

export const statusCommand = withOptions('status', STATUS, (words) =>
  show('status', words, words.flags.has('watch')),
);

export const watchCommand = withOptions('watch', WATCH_STATUS, (words) =>
  show('watch', words, true),
);

async function show(verb: string, { flags, values }: Words, isWatched: boolean): Promise<number> {
  const node = nodeOf(values.get('node'));
  if (node === undefined) return misuse(verb, '--node is own or partner');
  const path = values.get('runDirectory') ?? DEFAULT_RUN_DIRECTORY;
  const configFile = values.get('configFile') ?? DEFAULT_CONFIG_FILE;
  const draw = async (): Promise<Verdict> => {
    const document = await statusOf(path, node, configFile);
    if (isWatched) clearScreen();
    if (flags.has('json')) sayJson(document, isWatched);
    else if (flags.has('brief')) say(briefText(document));
    else if (flags.has('plain')) say(plainStatus(document));
    else if (isStatus(document)) say(statusText(document));
    else say(`${levelWord(document.verdict.level)}  ${document.verdict.text}`);
    return document.verdict;
  };
  if (!isWatched) return LEVELS.indexOf((await draw()).level);
  return watch({ path, node }, draw);
}

/** Undefined: neither of the two. */
export function nodeOf(word = 'own'): WhichNode | undefined {
  return word === 'own' || word === 'partner' ? word : undefined;
}

/** A node's status in its director's words; without them, what this machine's kernel tells. */
export async function statusOf(
  path: string,
  node: WhichNode,
  configFile: string,
): Promise<StatusDocument | Absent> {
  const directory = directoryOf(path, node);
  const answer = await askDirector(directory, '/v1/status', undefined, ANSWER_LIMIT_MS);
  if (answer.ok && answer.value.code === 200 && isStatus(answer.value.document)) {
    return answer.value.document;
  }
  if (node === 'partner') {
    const why = answer.ok ? titleOf(answer.value) : silenceText(answer.error, node);
    return unknown(`Nothing is known of the partner: ${why}.`);
  }
  const silence = answer.ok ? 'no-answer' : answer.error;
  return absent(directory, silence, configFile);
}

export function isStatus(document: object): document is StatusDocument {
  return 'v' in document && document.v === 1 && 'vips' in document && 'role' in document;
}

function unknown(text: string): Absent {
  return { v: 1, verdict: { level: 'unknown', text }, heldVips: [] };
}

function absent(directory: RunDirectory, silence: Silence, configFile: string): Absent {
  const pid = readPid(directory);
  const who = `the daemon${pid === undefined ? '' : ` (pid ${pid})`}`;
  if (silence === 'no-permission') {
    return unknown(`No permission to ask ${who} at ${directory.socket}.`);
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
