/**
 * `piranha console`: becomes the console, a process of its own that people log in to (docs/console.md).
 * `piranha console login-url`: prints a link that logs in once, for whoever is root here.
 *
 * The console is built once into a few files, and this process then becomes a Node that compiles nothing at run time
 * (`--jitless`): exec, not a child, so that a supervisor sees one process.
 */
import { hostname } from 'node:os';
import { join } from 'node:path';
import {
  becomeOwner,
  DEFAULT_STATE_DIRECTORY,
  isRights,
  isUserName,
  makeTicket,
  parseListen,
  readyBuild,
  TICKET_MS,
  urlOf,
} from '../console/index.ts';
import type { Options } from './options.ts';
import { CONSOLE } from './options-of-console.ts';
import { misuse, say, withOptions } from './verb.ts';

type Words = Options<keyof typeof CONSOLE>;

export const consoleCommand = withOptions('console', CONSOLE, run, true);

async function run(words: Words): Promise<number> {
  const [first, stray] = words.rest;
  if (stray !== undefined) return misuse('console', `unexpected argument ${stray}`);
  if (first === 'login-url') return loginUrl(words);
  if (first !== undefined) return misuse('console', `login-url or nothing is wanted, not ${first}`);
  const directory = await built();
  if (directory === undefined) return 1;
  const { execPath, argv } = process;
  // A socket handed to us does not outlive exec: libuv closes what it did not open.
  const { LISTEN_FDS: _fds, LISTEN_PID: _pid, ...env } = process.env;
  const program = join(directory, 'console.mjs');
  // The words after the verb; under a name of its own there is none.
  const own = argv.slice(2);
  const rest = own[0] === 'console' ? own.slice(1) : own;
  process.execve?.(execPath, [execPath, ...FLAGS, program, ...rest], env);
  return misuse('console', 'this Node cannot become another program');
}

/** Undefined: it cannot be built, and that was said. */
async function built(): Promise<string | undefined> {
  try {
    return await readyBuild();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    process.stderr.write(`piranha console: its pages cannot be built: ${why}\n`);
    return undefined;
  }
}

/** No compiler, no debugger on SIGUSR1, a heap that a flood cannot grow. */
const FLAGS = [
  '--jitless',
  '--disable-sigusr1',
  '--disable-warning=ExperimentalWarning',
  '--max-semi-space-size=4',
  '--max-old-space-size=160',
];

function loginUrl({ flags, values }: Words): number {
  const listen = parseListen(values.get('listen') ?? '');
  if (!listen.ok) return misuse('console', listen.error);
  const right = values.get('right') ?? 'change';
  if (!isRights(right))
    return misuse('console', `--right is look, operate or change, not ${right}`);
  const user = values.get('user') ?? 'root';
  if (!isUserName(user)) return misuse('console', `${user} is no name of a user`);
  const stateDirectory = values.get('stateDirectory') ?? DEFAULT_STATE_DIRECTORY;
  let secret: string;
  try {
    becomeOwner(stateDirectory);
    secret = makeTicket(stateDirectory, { user, rights: right });
  } catch (error) {
    process.stderr.write(`piranha console: ${whyNot(error, stateDirectory)}\n`);
    return 1;
  }
  const minutes = TICKET_MS / 60_000;
  say(`${urlOf(listen.value, flags.has('insecure'))}login#${secret}`);
  process.stderr.write(
    `It logs in once, within ${minutes} minutes, as ${user}, who may ${right} (on ${hostname()}).\n`,
  );
  return 0;
}

export function whyNot(error: unknown, stateDirectory: string): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOENT')
    return `there is no ${stateDirectory}; the console makes it when it starts`;
  const why = error instanceof Error ? error.message : String(error);
  const isForbidden = code === 'EACCES' || code === 'EPERM';
  return isForbidden
    ? `only root and the owner of all in ${stateDirectory} may do this: ${why}`
    : why;
}
