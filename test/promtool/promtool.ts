/**
 * Prometheus' own judge of rules and metrics: the one that is installed, or Debian's, unpacked beside the checkout's other
 * build results. Nothing is installed: the package would start a server on the machine.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const CACHE = join(import.meta.dirname, '../../build/promtool');
const UNPACKED = join(CACHE, 'promtool');
const LIMIT_MS = 120_000;

export type Ended = { readonly status: number | null; readonly output: string };

/** Why there is none, in words; undefined when there is one. Takes a few seconds the first time. */
export function promtoolObstacle(): string | undefined {
  if (run('promtool', ['--version']).status === 0 || existsSync(UNPACKED)) return undefined;
  mkdirSync(CACHE, { recursive: true });
  const isFetched =
    run('apt-get', ['download', '-qq', 'prometheus']).status === 0 ||
    (run('apt-get', ['update', '-qq']).status === 0 &&
      run('apt-get', ['download', '-qq', 'prometheus']).status === 0);
  if (!isFetched) return 'promtool is missing and apt-get cannot download prometheus';
  const [archive = ''] = readdirSync(CACHE).filter((name) => name.endsWith('.deb'));
  const unpacked = run('dpkg-deb', ['-x', archive, 'root']);
  if (unpacked.status !== 0) return `dpkg-deb cannot unpack ${archive}: ${unpacked.output}`;
  renameSync(join(CACHE, 'root/usr/bin/promtool'), UNPACKED);
  rmSync(join(CACHE, 'root'), { recursive: true });
  rmSync(join(CACHE, archive));
  return undefined;
}

/** Runs it; output is what it wrote to both. */
export function promtool(words: readonly string[], input = ''): Ended {
  return run(existsSync(UNPACKED) ? UNPACKED : 'promtool', words, input);
}

function run(program: string, words: readonly string[], input = ''): Ended {
  const options = { input, encoding: 'utf8', timeout: LIMIT_MS, env: environment() } as const;
  const cwd = existsSync(CACHE) ? { cwd: CACHE } : {};
  const { status, stdout, stderr } = spawnSync(program, words, { ...options, ...cwd });
  return { status, output: `${stdout ?? ''}${stderr ?? ''}` };
}

function environment(): NodeJS.ProcessEnv {
  return { ...process.env, LC_ALL: 'C', PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
}
