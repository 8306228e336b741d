/** Namespaces held by a process that does nothing else, and ends when its standard input closes: with us, at the latest. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { readlinkSync } from 'node:fs';

export type Ran = { readonly status: number | null; readonly output: string };

const LIMIT_MS = 300_000;
const FLAGS = { mnt: '-m', net: '-n' } as const;
type Kind = keyof typeof FLAGS;

/** A plain environment: what is installed or started must not live on what this shell happens to have. */
export const ENVIRONMENT = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  LC_ALL: 'C',
  HOME: '/root',
  DEBIAN_FRONTEND: 'noninteractive',
} as const;

export class Namespaces {
  readonly #kinds: readonly Kind[];
  readonly #holder: ChildProcess;

  constructor(...kinds: readonly Kind[]) {
    this.#kinds = kinds;
    const words = [...this.#flags, 'cat'];
    this.#holder = spawn('unshare', words, { stdio: ['pipe', 'ignore', 'ignore'] });
    this.#waitForNamespaces();
  }

  get #flags(): readonly string[] {
    return this.#kinds.map((kind) => FLAGS[kind]);
  }

  /** The words by which a program of this machine is started inside. */
  within(...words: readonly string[]): readonly string[] {
    return ['nsenter', '-t', `${this.#holder.pid}`, ...this.#flags, ...words];
  }

  /** Runs a program of this machine inside. */
  run(...words: readonly string[]): Ran {
    const [program = '', ...rest] = this.within(...words);
    return run(program, rest);
  }

  close(): void {
    this.#holder.kill('SIGKILL');
  }

  /** Until it has left ours: whoever entered its namespaces before that would be on this machine itself. */
  #waitForNamespaces(): void {
    const of = (pid: string) => {
      return new Set(this.#kinds.map((kind) => readlinkSync(`/proc/${pid}/ns/${kind}`)));
    };
    const ours = of('self');
    const limit = performance.now() + 10_000;
    while ([...of(`${this.#holder.pid}`)].some((name) => ours.has(name))) {
      if (performance.now() > limit) throw new Error('unshare has made no namespaces in 10 s');
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    }
  }
}

export function run(
  program: string,
  words: readonly string[],
  { cwd, ...more }: { readonly cwd?: string; readonly [name: string]: string | undefined } = {},
): Ran {
  const { status, stdout, stderr } = spawnSync(program, words, {
    ...(cwd !== undefined && { cwd }),
    encoding: 'utf8',
    timeout: LIMIT_MS,
    maxBuffer: 1 << 24,
    env: { ...ENVIRONMENT, ...more },
  });
  return { status, output: `${stdout ?? ''}${stderr ?? ''}` };
}
