/**
 * The run directory: what lives as long as a director, its `pulse.pid` and its sockets.
 *
 * A second instance is recognised by connecting to the socket: the kernel answers for a process that lives, even a
 * frozen one, and refuses for one that is gone, whatever number the pid file carries. Rejected: believing the pid
 * file (numbers are reused), and locks (Node has none without another dependency).
 */
import { chmodSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import type { Milliseconds } from '../base/index.ts';

export const DEFAULT_RUN_DIRECTORY = '/run/piranha';
/** Holds what outlives a life: the audit log and the history of configurations. */
export const DEFAULT_STATE_DIRECTORY = '/var/lib/piranha';
const CONNECT_LIMIT_MS: Milliseconds = 1000;

export type RunDirectory = {
  readonly path: string;
  readonly pidFile: string;
  /** Everything may be asked here, by those whom the file's mode lets in. */
  readonly socket: string;
  /** Questions only, by everybody. */
  readonly readSocket: string;
  /** What the partner asks, brought by the courier. */
  readonly courierSocket: string;
  /** The courier's: who connects here speaks to the partner's director. */
  readonly partnerSocket: string;
};

export function runDirectory(path: string): RunDirectory {
  return {
    path,
    pidFile: join(path, 'pulse.pid'),
    socket: join(path, 'pulse.sock'),
    readSocket: join(path, 'read.sock'),
    courierSocket: join(path, 'courier.sock'),
    partnerSocket: join(path, 'partner.sock'),
  };
}

/** The number in the pid file; undefined when there is none or it is no number. */
export function readPid(directory: RunDirectory): number | undefined {
  let text: string;
  try {
    text = readFileSync(directory.pidFile, 'utf8');
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
  return /^\d{1,10}\s*$/.test(text) ? Number.parseInt(text, 10) : undefined;
}

/** Does a living pulse hold this directory? */
export function isHeld(directory: RunDirectory): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(directory.socket);
    const finish = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(CONNECT_LIMIT_MS, () => finish(true));
    socket.once('connect', () => finish(true));
    // EAGAIN: it lives, with a full queue of callers it does not serve.
    socket.once('error', (error) => finish('code' in error && error.code === 'EAGAIN'));
  });
}

/** Makes the directory ours. Call only after `isHeld` said no. Throws what the file system says. */
export function claim(directory: RunDirectory): void {
  makeDirectory(directory.path);
  for (const socket of ownSockets(directory)) rmSync(socket, { force: true });
  writeFileSync(directory.pidFile, `${process.pid}\n`);
  chmodSync(directory.pidFile, 0o644); // whatever the umask: everybody may know who runs
}

/** With its parents. Not mkdir's own `recursive`: below /proc that tries for ever (Node 24). */
function makeDirectory(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return;
  if (dirname(path) !== path) makeDirectory(dirname(path));
  mkdirSync(path, { mode: 0o755 });
}

/** Leaves nothing behind but the directory. Throws what the file system says. */
export function leave(directory: RunDirectory): void {
  rmSync(directory.pidFile, { force: true });
  for (const socket of ownSockets(directory)) rmSync(socket, { force: true });
}

function ownSockets({ socket, readSocket, courierSocket }: RunDirectory): readonly string[] {
  return [socket, readSocket, courierSocket];
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
