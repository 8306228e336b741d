/**
 * Becomes nobody in particular: a console that was started by root goes on as its own user, in the group of the director's
 * socket and in no other, before it reads a byte from the network.
 *
 * A supervisor that starts it as that user is as good (docs/console.md); then there is nothing to give up.
 */
import { chownSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { err, ok, type Result } from '../base/index.ts';

export const CONSOLE_USER = 'piranha-console';

export type Became =
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'user'; readonly name: string }
  /** There is no such user: root it was, root it is. */
  | { readonly kind: 'still-root' };

/** `socket`: whose group is joined. The error is a sentence. Throws what the system says. */
export function becomeUnprivileged(places: {
  readonly user: string;
  readonly stateDirectory: string;
  readonly socket: string;
}): Result<Became, string> {
  const { user, stateDirectory, socket } = places;
  process.umask(0o077);
  const isRoot = process.getuid?.() === 0;
  makeStateDirectory(stateDirectory, user);
  if (!isRoot) return ok({ kind: 'unchanged' });
  const row = userRow(user);
  if (row === undefined) return ok({ kind: 'still-root' });
  if (row.uid === 0) return err(`${user} is root by another name`);
  const socketGroup = statSync(socket, { throwIfNoEntry: false })?.gid ?? 0;
  become(row, socketGroup === 0 ? [row.gid] : [row.gid, socketGroup]);
  if (process.getuid?.() !== row.uid) return err(`this process could not become ${user}`);
  return ok({ kind: 'user', name: user });
}

/**
 * Root goes on as the owner of `directory`, for good: in a directory of another's, a link that he puts there at the right
 * moment would make root read, remove or give away what the link points to. Throws what the system says.
 */
export function becomeOwner(directory: string): void {
  const owner = statSync(directory);
  if (process.getuid?.() === 0 && owner.uid !== 0) become(owner, [owner.gid]);
}

function become({ uid, gid }: UserRow, groups: readonly number[]): void {
  process.setgroups?.(groups);
  process.setgid?.(gid);
  process.setuid?.(uid);
}

type UserRow = { readonly uid: number; readonly gid: number };

function userRow(name: string): UserRow | undefined {
  const rows = readFileSync('/etc/passwd', 'utf8').split('\n');
  const row = rows.map((line) => line.split(':')).find(([known]) => known === name);
  return row === undefined ? undefined : { uid: Number(row[2]), gid: Number(row[3]) };
}

/** Holds the certificate's key and the hashes: for that user only, when root makes it. Throws what the system says. */
export function makeStateDirectory(path: string, user: string): void {
  if (statSync(path, { throwIfNoEntry: false }) === undefined) mkdirSync(path, { mode: 0o700 });
  const owner = process.getuid?.() === 0 ? userRow(user) : undefined;
  if (owner !== undefined && statSync(path).uid === 0) chownSync(path, owner.uid, owner.gid);
}
