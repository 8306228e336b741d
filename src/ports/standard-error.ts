/**
 * Standard error without waiting: a reader that is slow (a supervisor under load, a terminal that somebody halted with
 * Ctrl-S) must not hold up the thread that writes.
 *
 * The descriptor's own mode is not touched, because it is shared with whoever started us: a pipe or terminal is opened
 * a second time (proc_pid_fd(5)), a socket is sent to with MSG_DONTWAIT, a file never makes anybody wait.
 * Rejected: process.stderr (waits on pipes and terminals; where it does not, it queues without bound).
 */
import { constants, fstatSync, openSync, writeSync } from 'node:fs';
import { utf8 } from '../base/index.ts';
import { native } from './native.ts';

/** Longer texts are cut: up to here a pipe takes all of a text or nothing (pipe(7) PIPE_BUF). */
const MAX_BYTES = 4096;

/** Takes a whole text, or none of it: false when the reader is slow or gone. */
export type WriteWithoutWaiting = (text: string) => boolean;

export function openStandardError(fd = 2): WriteWithoutWaiting {
  const kind = fstatSync(fd);
  if (kind.isSocket()) return (text) => native().send(fd, bytesOf(text)) >= 0;
  const own = kind.isFIFO() || kind.isCharacterDevice() ? reopen(fd) : fd;
  return (text) => {
    try {
      writeSync(own, bytesOf(text));
      return true;
    } catch {
      return false; // EAGAIN: full; EPIPE: gone
    }
  };
}

function reopen(fd: number): number {
  try {
    return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch {
    return fd; // another user's terminal (su): waiting is better than silence
  }
}

function bytesOf(text: string): Uint8Array {
  const bytes = utf8(text);
  return bytes.length <= MAX_BYTES ? bytes : bytes.slice(0, MAX_BYTES);
}
