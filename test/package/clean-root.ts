/**
 * A clean Debian to install packages in: made once by debootstrap (fetched and unpacked, not installed, if it is missing), kept
 * as build/package/base, copied for each run. No compiler is in it, no Node, nothing but what the package asks for.
 *
 * Commands run there in a mount and a network namespace of their own, so a director inside is a real one with a network of its
 * own. A `systemctl` that only writes down what it is told stands in for systemd, which does not run there.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

const CACHE = join(import.meta.dirname, '../../build/package');
const BASE = join(CACHE, 'base');
const TOOL = join(CACHE, 'debootstrap');
const SUITE = 'bookworm';
const MIRROR = 'http://deb.debian.org/debian';
/** What the packages depend on: there is no apt in the tests. */
const NEEDS = ['iproute2', 'kmod', 'libstdc++6', 'nftables', 'systemd'];
const LIMIT_MS = 300_000;

export type Ran = { readonly status: number | null; readonly output: string };

/** Why there can be none, in words. The first time it takes a minute or two. */
export function cleanRootObstacle(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root (chroot)';
  if (run('dpkg-deb', ['--version']).status !== 0)
    return 'dpkg-deb is missing: not a Debian machine';
  if (existsSync(BASE)) return undefined;
  mkdirSync(CACHE, { recursive: true });
  const tool = debootstrap();
  if (tool === undefined) return 'debootstrap is missing and apt-get cannot download it';
  const fresh = join(CACHE, 'fresh');
  rmSync(fresh, { recursive: true, force: true });
  const words = ['--variant=minbase', `--include=${NEEDS.join()}`, SUITE, fresh, MIRROR];
  const made = run(tool.program, words, { DEBOOTSTRAP_DIR: tool.directory });
  if (made.status !== 0) {
    return `debootstrap failed: ${made.output.trim().split('\n').at(-1)}`;
  }
  rmSync(join(fresh, 'var/cache/apt'), { recursive: true, force: true });
  renameSync(fresh, BASE);
  return undefined;
}

function debootstrap(): { readonly program: string; readonly directory: string } | undefined {
  const directory = '/usr/share/debootstrap';
  if (existsSync(directory)) return { program: 'debootstrap', directory };
  if (run('apt-get', ['download', '-qq', 'debootstrap']).status !== 0) {
    run('apt-get', ['update', '-qq']);
    if (run('apt-get', ['download', '-qq', 'debootstrap']).status !== 0) return undefined;
  }
  const [archive = ''] = readdirSync(CACHE).filter((name) => name.endsWith('.deb'));
  if (run('dpkg-deb', ['-x', archive, TOOL]).status !== 0) return undefined;
  rmSync(join(CACHE, archive));
  return {
    program: join(TOOL, 'usr/sbin/debootstrap'),
    directory: join(TOOL, directory),
  };
}

export class CleanRoot {
  readonly path: string;
  readonly #holder: ChildProcess;

  /** A copy of the base at `path`, with a network of its own. */
  constructor(path: string) {
    this.path = path;
    const copied = run('cp', ['-a', '--reflink=auto', BASE, path]);
    if (copied.status !== 0) throw new Error(copied.output);
    this.#holder = spawn('unshare', ['-mn', 'sleep', '600'], { stdio: 'ignore' });
    this.#waitForNamespaces();
    mkdirSync(join(path, 'run/systemd/system'), { recursive: true });
    const fake = '#!/bin/sh\necho "$*" >>/systemctl.log\n';
    writeFileSync(join(path, 'usr/local/bin/systemctl'), fake, { mode: 0o755 });
  }

  /** Until it has left ours: whoever entered its namespaces before that would be on this machine itself. */
  #waitForNamespaces(): void {
    const of = (pid: string) => {
      const names = ['mnt', 'net'].map((kind) => readlinkSync(`/proc/${pid}/ns/${kind}`));
      return new Set(names);
    };
    const ours = of('self');
    const limit = performance.now() + 10_000;
    while ([...of(`${this.#holder.pid}`)].some((name) => ours.has(name))) {
      if (performance.now() > limit) throw new Error('unshare has made no namespaces in 10 s');
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    }
  }

  /** Runs a command on this machine inside the namespaces. */
  around(...words: readonly string[]): Ran {
    return run('nsenter', ['-t', `${this.#holder.pid}`, '-m', '-n', ...words]);
  }

  /** Runs shell text inside the root. */
  sh(text: string): Ran {
    return this.around('chroot', this.path, '/bin/sh', '-c', text);
  }

  /** The words by which a program is started inside the root. */
  within(...words: readonly string[]): readonly string[] {
    return ['nsenter', '-t', `${this.#holder.pid}`, '-m', '-n', 'chroot', this.path, ...words];
  }

  close(): void {
    this.#holder.kill('SIGKILL');
    rmSync(this.path, { recursive: true, force: true });
  }
}

function run(program: string, words: readonly string[], more: NodeJS.ProcessEnv = {}): Ran {
  const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
  const { status, stdout, stderr } = spawnSync(program, words, {
    ...(existsSync(CACHE) && { cwd: CACHE }),
    encoding: 'utf8',
    timeout: LIMIT_MS,
    maxBuffer: 1 << 24,
    env: { PATH, LC_ALL: 'C', HOME: '/root', DEBIAN_FRONTEND: 'noninteractive', ...more },
  });
  return { status, output: `${stdout ?? ''}${stderr ?? ''}` };
}
