/**
 * `piranha passwd [USER]` (`piranha-passwd`, as of old): sets a password of the console, typed twice or piped in; never an
 * argument, which everybody on the machine could read. It counts at once, and ends the sessions of before.
 */
import {
  becomeOwner,
  CONSOLE_USER,
  DEFAULT_STATE_DIRECTORY,
  hashPassword,
  isRights,
  isUserName,
  listUsers,
  makeStateDirectory,
  passwordFault,
  removeUser,
  saveUser,
  usersFile,
} from '../console/index.ts';
import { whyNot } from './console.ts';
import type { Options } from './options.ts';
import { PASSWD } from './options-of-console.ts';
import { readPassword } from './password-prompt.ts';
import { misuse, say, withOptions } from './verb.ts';

/** The one user of old. */
const USER = 'piranha';

export const passwdCommand = withOptions('passwd', PASSWD, run, true);

async function run({ flags, values, rest }: Options<keyof typeof PASSWD>): Promise<number> {
  const [user = USER, stray] = rest;
  if (stray !== undefined) {
    return misuse('passwd', 'one user is wanted; a password is typed, not given as an argument');
  }
  if (!isUserName(user)) {
    return misuse(
      'passwd',
      `${user} is no name: a letter, then up to 31 of letters, digits, . _ @ -`,
    );
  }
  const right = values.get('right');
  if (right !== undefined && !isRights(right)) {
    return misuse('passwd', `--right is look, operate or change, not ${right}`);
  }
  const stateDirectory = values.get('stateDirectory') ?? DEFAULT_STATE_DIRECTORY;
  const file = usersFile(stateDirectory);
  try {
    makeStateDirectory(stateDirectory, CONSOLE_USER);
    becomeOwner(stateDirectory);
    if (flags.has('list')) return list(file);
    if (flags.has('delete')) return remove(file, user);
    const password = await readPassword(`New password of ${user} (the console)`);
    if (!password.ok) return refuse(password.error);
    const fault = passwordFault(password.value);
    if (fault !== undefined) return refuse(fault);
    const hash = await hashPassword(password.value);
    const chosen = { name: user, hash, ...(right !== undefined && { rights: right }) };
    const rights = saveUser(file, chosen, user === USER ? 'change' : 'look');
    say(`${user} may log in to the console, and ${rights}`);
    return 0;
  } catch (error) {
    return refuse(whyNot(error, stateDirectory));
  }
}

function list(file: string): number {
  for (const { name, rights } of listUsers(file)) say(`${name.padEnd(16)} ${rights}`);
  return 0;
}

function remove(file: string, user: string): number {
  if (!removeUser(file, user)) return refuse(`there is no user ${user}`);
  say(`${user} may not log in any more`);
  return 0;
}

function refuse(why: string): number {
  process.stderr.write(`piranha passwd: ${why}; nothing was changed\n`);
  return 1;
}
