/**
 * The users of the console: one line each, `name:rights:hash`, in a file that only the console's user can read. Read again
 * when it changes, so that `piranha passwd` counts at once, for those who are logged in as well.
 *
 * There is no user at installation and no default password (CVE-2013-6492 and the initial password of 2000 were the
 * original's). Rejected: htpasswd's format (no rights), the system's users through PAM (a setuid helper, and accounts with
 * a shell for people who look at a page).
 */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { Milliseconds } from '../base/index.ts';
import { parseHash } from './passwords.ts';
import { isRights, type Rights } from './rights.ts';

export type User = { readonly name: string; readonly rights: Rights; readonly hash: string };

const NAME = /^[A-Za-z_][A-Za-z0-9_.@-]{0,31}$/;
const MOST_USERS = 1000;
const MOST_BYTES = 262_144;
const LOCK_MS: Milliseconds = 5000;
const LOOK_MS: Milliseconds = 20;

export function isUserName(name: string): boolean {
  return NAME.test(name);
}

export function usersFile(stateDirectory: string): string {
  return join(stateDirectory, 'users');
}

/** As the file is now. `faults`: a sentence for each line that is none. */
export function parseUsers(text: string): {
  readonly users: ReadonlyMap<string, User>;
  readonly faults: readonly string[];
} {
  const users = new Map<string, User>();
  const faults: string[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const [name = '', rights = '', hash = '', ...more] = line.trim().split(':');
    const isWhole = NAME.test(name) && more.length === 0 && parseHash(hash) !== undefined;
    if (!isWhole || !isRights(rights)) faults.push(`line ${index + 1} is no user`);
    else if (users.has(name)) faults.push(`line ${index + 1} names ${name} again`);
    else if (users.size < MOST_USERS) users.set(name, { name, rights, hash });
  }
  return { users, faults };
}

export function formatUsers(users: Iterable<User>): string {
  const lines = Array.from(users, ({ name, rights, hash }) => `${name}:${rights}:${hash}\n`);
  return `# Users of the console; piranha passwd changes them.\n${lines.join('')}`;
}

export class Users {
  readonly #path: string;
  readonly #log: (line: string) => void;
  #stamp = '';
  #users: ReadonlyMap<string, User> = new Map();

  constructor(path: string, log: (line: string) => void) {
    this.#path = path;
    this.#log = log;
  }

  find(name: string): User | undefined {
    this.#refresh();
    return this.#users.get(name);
  }

  get isEmpty(): boolean {
    this.#refresh();
    return this.#users.size === 0;
  }

  /** A file that cannot be read has no users: nobody gets in by breaking it. */
  #refresh(): void {
    const stat = statSync(this.#path, { throwIfNoEntry: false, bigint: true });
    const stamp = stat === undefined ? 'none' : `${stat.ino} ${stat.mtimeNs} ${stat.size}`;
    if (stamp === this.#stamp) return;
    this.#stamp = stamp;
    this.#users = new Map();
    if (stat === undefined || stat.size > MOST_BYTES) return;
    try {
      const { users, faults } = parseUsers(readFileSync(this.#path, 'utf8'));
      this.#users = users;
      for (const fault of faults) this.#log(`${this.#path}: ${fault}`);
    } catch (error) {
      this.#log(`${this.#path} cannot be read: ${String(error)}`);
    }
  }
}

/** Writes a secret: 0600, there as a whole or not at all, in a directory of our own (`becomeOwner`). */
export function writeSecret(path: string, text: string): void {
  const directory = dirname(path);
  const fresh = join(directory, `.${randomBytes(12).toString('hex')}`);
  const fd = openSync(fresh, 'wx', 0o600);
  try {
    writeSync(fd, text);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(fresh, path);
}

/**
 * Adds a user or gives one a new password; gives the right that is held now: `rights`, else the one of before, else
 * `byDefault`. Throws what the file system says, or that somebody else holds the file.
 */
export function saveUser(
  path: string,
  { name, hash, rights }: Pick<User, 'name' | 'hash'> & { readonly rights?: Rights },
  byDefault: Rights = 'look',
): Rights {
  return alone(path, (users) => {
    const held = rights ?? users.get(name)?.rights ?? byDefault;
    writeSecret(
      path,
      formatUsers(new Map([...users, [name, { name, rights: held, hash }]]).values()),
    );
    return held;
  });
}

/** False when there is no such user. Throws as `saveUser` does. */
export function removeUser(path: string, name: string): boolean {
  return alone(path, (users) => {
    if (!users.has(name)) return false;
    writeSecret(path, formatUsers([...users.values()].filter((user) => user.name !== name)));
    return true;
  });
}

/** Reading, changing and writing are one: whoever comes meanwhile waits, and changes what he then finds. */
function alone<T>(path: string, change: (users: ReadonlyMap<string, User>) => T): T {
  const lock = `${path}.lock`;
  takeLock(lock);
  try {
    return change(parseUsers(readIfThere(path)).users);
  } finally {
    unlinkSync(lock);
  }
}

/**
 * A file that only one can make. It is held for milliseconds; one that stays was left by a process that was killed in the
 * middle, which is told and not guessed: taking it away at the wrong moment would be worse than asking.
 */
function takeLock(lock: string): void {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (let waitedMs = 0; ; waitedMs += LOOK_MS) {
    try {
      closeSync(openSync(lock, 'wx', 0o600));
      return;
    } catch (error) {
      const isHeld = error instanceof Error && 'code' in error && error.code === 'EEXIST';
      if (!isHeld) throw error;
      if (waitedMs >= LOCK_MS) {
        throw new Error(`another piranha passwd is at work; if there is none, remove ${lock}`);
      }
      Atomics.wait(pause, 0, 0, LOOK_MS);
    }
  }
}

/** All of them, for `piranha passwd --list`. */
export function listUsers(path: string): readonly User[] {
  return [...parseUsers(readIfThere(path)).users.values()];
}

function readIfThere(path: string): string {
  return statSync(path, { throwIfNoEntry: false }) === undefined ? '' : readFileSync(path, 'utf8');
}
