/**
 * A cell: fresh namespaces (network, mount, processes) around one lab process and everything it starts.
 *
 * Nothing of a lab has a name that outlives it. The cell has its own /run, so the names of its network namespaces exist
 * in it alone; it has its own process tree, so when its first process goes the kernel ends all others and the
 * namespaces with them. That first process is tied to us twice: the kernel kills it when we die, however we die
 * (PR_SET_PDEATHSIG by setpriv, then `unshare --kill-child`), and a pipe tells the lab process that we are gone. So even
 * `kill -9` leaves nothing, and `lab down` needs no files: it finds living cells by their arguments in /proc.
 *
 * Rejected: `ip netns add` on the machine with a clean-up at exit (what is killed does not clean up), and a watcher
 * process (who watches it?).
 *
 * As an ordinary user the cell is made inside a user namespace, where the kernel allows that (user_namespaces(7)).
 */
import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { command, readProc } from './command.ts';

/**
 * What the cell's first process does before it runs the lab; it stays, to bury the orphans of killed daemons. Ctrl-C is the
 * lab's to answer: a trap that does nothing keeps the shell, and unlike an ignored signal is not inherited.
 */
const SCRIPT = [
  'trap : INT',
  'mount -t tmpfs -o mode=755 piranha-lab /run',
  'mkdir -p /run/netns /run/piranha-lab',
  '"$@"; exit $?',
].join(' && ');
const NAME = /^piranha-lab-[0-9a-f]{4}$/;

/** `lab/inside.ts` in one of its modes, unless another script (its path) is named. */
export type CellProgram = {
  readonly mode: 'run' | 'tour' | 'up' | 'inside';
  readonly options: object;
  readonly script?: string;
};

/** Starts the program in a new cell. Descriptor 3 of it is a pipe that ends when we do. */
export function openCell(program: CellProgram, output: 'inherit' | 'pipe'): ChildProcess {
  const { mode, options, script = join(import.meta.dirname, 'inside.ts') } = program;
  const name = `piranha-lab-${randomBytes(2).toString('hex')}`;
  const inside = [
    process.execPath,
    '--disable-warning=ExperimentalWarning',
    script,
    mode,
    JSON.stringify(options),
  ];
  const argv = ['--pdeathsig', 'KILL', 'unshare', ...namespaces(), 'sh', '-c', SCRIPT, name];
  const stdio: StdioOptions = ['inherit', output, 'inherit', 'pipe'];
  // nft and keepalived live where an ordinary user's PATH does not look.
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
  return spawn('setpriv', [...argv, ...inside], { stdio, env });
}

function namespaces(): string[] {
  const own = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user'];
  return [...own, '--mount', '--net', '--pid', '--fork', '--kill-child', '--mount-proc'];
}

/** Why no cell can be made here, in one sentence; undefined when it can. */
export async function obstacle(): Promise<string | undefined> {
  for (const program of ['setpriv', 'unshare', 'ip', 'nft']) {
    const isThere = await command([
      'sh',
      '-c',
      `PATH=$PATH:/usr/sbin:/sbin command -v ${program}`,
    ]).then(
      () => true,
      () => false,
    );
    if (!isThere)
      return `${program} is not installed (Debian: apt install util-linux iproute2 nftables)`;
  }
  const refusal = await command(['unshare', ...namespaces(), 'ip', 'link', 'set', 'lo', 'up']).then(
    () => undefined,
    (error: Error) => error.message,
  );
  if (refusal === undefined) return undefined;
  const words = refusal.split(': ').slice(-2).join(': ');
  return process.getuid?.() === 0
    ? `this machine does not let root make namespaces (${words}); in a container it needs CAP_SYS_ADMIN`
    : `the kernel does not let an ordinary user make namespaces here (${words}); run it as root: sudo ./piranha lab`;
}

export type Cell = {
  readonly name: string;
  readonly mode: string;
  /** The process whose end is the cell's end. */
  readonly keeper: number;
  /** The first process inside. */
  readonly first: number;
  /** Who opened it; 1 when that one has died before the kernel was told to tie the two. */
  readonly parent: number;
};

/** The cells that live on this machine and are visible to us. */
export function findCells(): Cell[] {
  const processes = readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number);
  const cells: Cell[] = [];
  for (const keeper of processes) {
    const argv = argvOf(keeper);
    const name = argv.find((word) => NAME.test(word));
    if (argv[0] !== 'unshare' || name === undefined) continue;
    const first = processes.find(
      (pid) => argvOf(pid)[0] === 'sh' && argvOf(pid).includes(name) && parentOf(pid) === keeper,
    );
    const mode = argv.at(-2) ?? '';
    if (first !== undefined) cells.push({ name, mode, keeper, first, parent: parentOf(keeper) });
  }
  return cells;
}

/** argv that runs `inner` on a node of the cell. */
export function enterCell(cell: Cell, node: string, inner: readonly string[]): string[] {
  const user = process.getuid?.() === 0 ? [] : ['--user', '--preserve-credentials'];
  const target = ['nsenter', '--target', String(cell.first), ...user, '--mount', '--pid', '--'];
  return [...target, 'ip', 'netns', 'exec', node, ...inner];
}

function argvOf(pid: number): string[] {
  return readProc(pid, 'cmdline').split('\0').slice(0, -1);
}

function parentOf(pid: number): number {
  // The name in parentheses may hold anything; the parent is the second word after the last one.
  return Number(readProc(pid, 'stat').split(') ').at(-1)?.split(' ')[1] ?? 0);
}
