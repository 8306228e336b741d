/**
 * Whom a starting daemon answers to: the person (or supervisor) in front of it, or the process that detached it.
 *
 * A detached start is not over when the parent has forked: it waits until the child says on a pipe that it runs, or why
 * not, so that `pulse && echo fine` tells the truth. (The original detaches first and fails into the log.)
 * Double forking is not needed: the child has its own session and no terminal to regain.
 */
import { spawn } from 'node:child_process';
import { closeSync, writeSync } from 'node:fs';
import type { Milliseconds } from '../base/index.ts';
import { openSyslog } from '../ports/index.ts';
import { type Log, stderrLog, syslogLog } from './log-sink.ts';
import { portErrorText, systemErrorText } from './sentences.ts';

export type Terminal = {
  readonly log: Log;
  /** For the parts that were processes of their own: `lvsd`, `nanny`. */
  readonly logAs: (ident: string) => Log;
  /** The start is complete. */
  ready(): void;
  /** The start is over; each line is a sentence that says why. */
  refuse(lines: readonly string[]): void;
};

const IDENT = 'pulse';
/** Names the pipe to the parent in the child's environment. */
const READY_FD = 'PIRANHA_READY_FD';
const START_LIMIT_MS: Milliseconds = 60_000;
const READY = 'ready';

/** In the foreground everything goes to standard error. */
export function foreground(): Terminal {
  const log = stderrLog(IDENT);
  return {
    log,
    logAs: stderrLog,
    ready: () => {},
    refuse: (lines) => {
      for (const line of lines) log(line);
    },
  };
}

/** The child of `detach`: undefined in every other process. The environment is cleaned for whom we start. */
export function detachedChild(environment: NodeJS.ProcessEnv): Terminal | undefined {
  const fd = Number(environment[READY_FD] ?? Number.NaN);
  delete environment[READY_FD];
  if (!Number.isInteger(fd)) return undefined;
  process.chdir('/'); // no file system is kept from being unmounted
  const syslog = openSyslog(IDENT, process.pid);
  const log = syslog.ok ? syslogLog(syslog.value) : () => {};
  const logAs = (ident: string): Log => {
    const other = openSyslog(ident, process.pid);
    return other.ok ? syslogLog(other.value) : log;
  };
  const answer = (text: string): void => {
    try {
      writeSync(fd, text);
      closeSync(fd);
    } catch (error) {
      log(`nobody waits for the start any more: ${systemErrorText(error)}`);
    }
  };
  return {
    log,
    logAs,
    ready: () => {
      const warning = syslog.ok
        ? ''
        : `\nno system log, running silently: ${portErrorText(syslog.error)}`;
      answer(`${READY}${warning}`);
    },
    refuse: (lines) => {
      for (const line of lines) log(line);
      answer(lines.join('\n'));
    },
  };
}

/** Starts this very command again without a terminal; gives its exit code once the child runs or has given up. */
export function detach(): Promise<number> {
  const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    detached: true,
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
    env: { ...process.env, [READY_FD]: '3' },
  });
  const log = stderrLog(IDENT);
  return new Promise((resolve) => {
    const limit = setTimeout(() => {
      log(`the start was not complete after ${START_LIMIT_MS / 1000} s (process ${child.pid})`);
      resolve(1);
    }, START_LIMIT_MS);
    const pipe = child.stdio[3];
    let said = '';
    child.once('error', (error) => {
      said += error.message;
    });
    pipe?.on('data', (bytes: Uint8Array) => {
      said += bytes.toString();
    });
    pipe?.once('close', () => {
      clearTimeout(limit);
      const [first = '', ...rest] = said.split('\n');
      const isReady = first === READY;
      const lines = isReady
        ? rest
        : said === ''
          ? ['the start failed without a word']
          : [first, ...rest];
      for (const line of lines) log(line);
      child.unref();
      resolve(isReady ? 0 : 1);
    });
  });
}
