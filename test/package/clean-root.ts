/**
 * A clean Debian to install packages in: made once by debootstrap (fetched and unpacked, not installed, if it is missing), kept
 * as build/package/base, copied for each run. No compiler is in it, no Node, nothing but what the package asks for.
 *
 * Commands run there in a mount and a network namespace of their own, so a director inside is a real one with a network of its
 * own. A `systemctl` that only writes down what it is told stands in for systemd; test/package/systemd.ts has a real one.
 */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Namespaces, type Ran, run } from './namespaces.ts';

const CACHE = join(import.meta.dirname, '../../build/package');
const BASE = join(CACHE, 'base');
const TOOL = join(CACHE, 'debootstrap');
const SUITE = 'bookworm';
const MIRROR = 'http://deb.debian.org/debian';
/** What the packages depend on: there is no apt in the tests. */
const NEEDS = ['iproute2', 'kmod', 'libstdc++6', 'nftables', 'systemd'];

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
  const made = run(tool.program, words, {
    cwd: CACHE,
    DEBOOTSTRAP_DIR: tool.directory,
  });
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
  const download = () =>
    run('apt-get', ['download', '-qq', 'debootstrap'], { cwd: CACHE }).status === 0;
  if (!download()) {
    run('apt-get', ['update', '-qq']);
    if (!download()) return undefined;
  }
  const [archive = ''] = readdirSync(CACHE).filter((name) => name.endsWith('.deb'));
  if (run('dpkg-deb', ['-x', join(CACHE, archive), TOOL]).status !== 0) return undefined;
  rmSync(join(CACHE, archive));
  return {
    program: join(TOOL, 'usr/sbin/debootstrap'),
    directory: join(TOOL, directory),
  };
}

/** A copy of the base, at a path that is not there yet. */
export function copyCleanRoot(path: string): void {
  const copied = run('cp', ['-a', '--reflink=auto', BASE, path]);
  if (copied.status !== 0) throw new Error(copied.output);
  // It lives for minutes: nothing is gained by waiting for the disk at each file.
  writeFileSync(join(path, 'etc/dpkg/dpkg.cfg.d/test'), 'force-unsafe-io\n');
}

export class CleanRoot {
  readonly path: string;
  readonly #namespaces = new Namespaces('mnt', 'net');

  /** A copy of the base at `path`, with a network of its own. */
  constructor(path: string) {
    this.path = path;
    copyCleanRoot(path);
    mkdirSync(join(path, 'run/systemd/system'), { recursive: true });
    const fake = '#!/bin/sh\necho "$*" >>/systemctl.log\n';
    writeFileSync(join(path, 'usr/local/bin/systemctl'), fake, { mode: 0o755 });
  }

  /** Runs a command on this machine inside the namespaces. */
  around(...words: readonly string[]): Ran {
    return this.#namespaces.run(...words);
  }

  /** Runs shell text inside the root. */
  sh(text: string): Ran {
    return this.around('chroot', this.path, '/bin/sh', '-c', text);
  }

  /** The words by which a program is started inside the root. */
  within(...words: readonly string[]): readonly string[] {
    return this.#namespaces.within('chroot', this.path, ...words);
  }

  close(): void {
    this.#namespaces.close();
    rmSync(this.path, { recursive: true, force: true });
  }
}
