/**
 * Who is at the other end of a unix socket, by the kernel's word and not by what they say: process, user and groups as they
 * were when they connected.
 *
 * Node has no call for it and keeps the descriptor to itself; `_handle.fd` is internal and named in this file only.
 * Source: unix(7), SO_PEERCRED; SO_PEERGROUPS is in the kernel's socket.h since Linux 4.13.
 */
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { err, ok, type Result } from '../base/index.ts';
import type { PortError } from '../model/index.ts';
import { portError } from './errno.ts';
import { SO_PEERCRED, SO_PEERGROUPS, SOL_SOCKET } from './linux.ts';
import { native } from './native.ts';

export type Peer = {
  readonly pid: number;
  readonly uid: number;
  /** The primary group first. */
  readonly gids: readonly number[];
};

/** Of a connected unix socket; an error for one that is closed already, or is none. */
export function peerOf(socket: Socket): Result<Peer, PortError> {
  const { _handle: handle } = socket as unknown as { readonly _handle?: { readonly fd?: number } };
  const fd = handle?.fd ?? -1;
  if (fd < 0) return err(portError('getsockopt', 'peer', 'closed'));
  const credentials = new Int32Array(3);
  const length = native().getsockopt(fd, SOL_SOCKET, SO_PEERCRED, bytesOf(credentials));
  if (length < 0) return err(portError('getsockopt', 'peer', length));
  const [pid = 0, uid = -1, gid = -1] = credentials;
  if (uid < 0) return err(portError('getsockopt', 'peer', 'not-a-unix-socket'));
  const more = new Int32Array(1024);
  const groups = native().getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, bytesOf(more));
  // More than 1,024 groups, or a kernel without the option: the primary one is known all the same.
  const rest = groups < 0 ? [] : Array.from(more.subarray(0, groups / 4));
  return ok({ pid, uid, gids: [gid, ...rest.filter((other) => other !== gid)] });
}

/** The number of a user of this machine's own file (passwd(5)); undefined when it has none of that name. */
export function userId(name: string, file = '/etc/passwd'): number | undefined {
  const row = passwdRows(file).find(([known]) => known === name);
  return row === undefined ? undefined : Number(row[2]);
}

/** `root`, `alice (uid 1000)`, `uid 1000` where the machine's own file has no name for it. */
export function userText(uid: number, file = '/etc/passwd'): string {
  if (uid === 0) return 'root';
  const name = passwdRows(file).find((row) => row[2] === String(uid))?.[0];
  return name === undefined ? `uid ${uid}` : `${name} (uid ${uid})`;
}

function passwdRows(file: string): readonly (readonly string[])[] {
  try {
    return readFileSync(file, 'utf8')
      .split('\n')
      .map((line) => line.split(':'));
  } catch {
    return []; // a machine without the file knows no names
  }
}

function bytesOf(numbers: Int32Array): Uint8Array {
  return new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
}
