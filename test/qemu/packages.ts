/**
 * QEMU and a stock Debian kernel, unpacked beside the checkout's other build results: nothing is installed, the machine
 * stays as it is. Fetched once (85 MB by apt-get, so signatures are checked), then found in build/qemu.
 *
 * Rejected: an image of a distribution (hundreds of megabytes, and a network configuration of its own), the `cloud` kernel
 * (no 9p, so the guest could not see the checkout).
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export type Machine = {
  readonly qemu: string;
  /** Where QEMU finds its firmware. */
  readonly firmware: readonly string[];
  readonly libraries: string;
  readonly kernel: string;
  readonly version: string;
  /** Has lib/modules/VERSION, with modules.dep. */
  readonly modules: string;
  readonly busybox: string;
};

const CACHE = join(import.meta.dirname, '..', '..', 'build', 'qemu');
const ROOT = join(CACHE, 'root');
/** Written last: a fetch that was interrupted begins anew. */
const READY = join(CACHE, 'ready');
const LIMIT_MS = 150_000;

/** Why there is no such machine here, in words; or the machine. Takes a few seconds the first time. */
export function prepare(): Machine | string {
  if (process.arch !== 'x64') return `the guest is x86_64, this machine is ${process.arch}`;
  if (!existsSync(READY)) {
    const problem = fetchPackages();
    if (problem !== undefined) return problem;
  }
  const version = readdirSync(join(ROOT, 'lib/modules'))[0] ?? '';
  const arch = 'x86_64-linux-gnu';
  return {
    qemu: join(ROOT, 'usr/bin/qemu-system-x86_64'),
    firmware: ['qemu', 'seabios'].map((name) => join(ROOT, 'usr/share', name)),
    libraries: [`usr/lib/${arch}`, `lib/${arch}`].map((path) => join(ROOT, path)).join(':'),
    kernel: join(ROOT, `boot/vmlinuz-${version}`),
    version,
    modules: ROOT,
    busybox: join(ROOT, 'bin/busybox'),
  };
}

function fetchPackages(): string | undefined {
  if (run(['apt-get', '--version']) === undefined)
    return 'apt-get is missing: not a Debian machine';
  const names =
    packageNames() ??
    (run(['apt-get', 'update', '-qq']) === undefined ? undefined : packageNames());
  if (names === undefined) return 'apt-get knows no qemu-system-x86 or linux-image-amd64';
  const packages = join(CACHE, 'packages');
  for (const directory of [packages, ROOT]) {
    rmSync(directory, { recursive: true, force: true });
    mkdirSync(directory, { recursive: true });
  }
  if (run(['apt-get', 'download', '-qq', ...names], packages) === undefined) {
    return 'apt-get cannot download QEMU and the kernel (no network?)';
  }
  for (const name of readdirSync(packages)) {
    if (run(['dpkg', '-x', join(packages, name), ROOT]) === undefined)
      return `dpkg cannot unpack ${name}`;
  }
  rmSync(packages, { recursive: true });
  const version = readdirSync(join(ROOT, 'lib/modules'))[0] ?? '';
  if (run(['depmod', '-b', ROOT, version]) === undefined) return 'depmod is missing (package kmod)';
  writeFileSync(READY, `${version}\n`);
  return undefined;
}

/** What has to be fetched: the kernel itself, busybox, QEMU, and those of its libraries that this machine lacks. */
function packageNames(): readonly string[] | undefined {
  const kernel = run(['apt-cache', 'depends', '--important', 'linux-image-amd64']);
  const image = /Depends: (linux-image-\S+)/.exec(kernel ?? '')?.[1];
  const plan = [
    'apt-get',
    'install',
    '--simulate',
    '--reinstall',
    '--no-install-recommends',
    '-qq',
  ];
  const install = run([
    ...plan,
    'qemu-system-x86',
    'qemu-system-common',
    'qemu-system-data',
    'seabios',
  ]);
  const names = [...(install ?? '').matchAll(/^Inst (\S+)/gm)].map(([, name = '']) => name);
  return image === undefined || names.length === 0
    ? undefined
    : [image, 'busybox-static', ...names];
}

/** Standard output; undefined when the program is missing, fails or takes too long. */
function run([program = '', ...words]: readonly string[], cwd = CACHE): string | undefined {
  mkdirSync(CACHE, { recursive: true });
  const PATH = `${process.env.PATH}:/usr/sbin:/sbin`;
  const ended = spawnSync(program, words, {
    cwd,
    encoding: 'utf8',
    timeout: LIMIT_MS,
    maxBuffer: 1 << 24,
    env: { ...process.env, PATH, LC_ALL: 'C' },
  });
  return ended.status === 0 ? ended.stdout : undefined;
}
