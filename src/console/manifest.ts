/**
 * Where the built console lies: in `build/console` of an installed package, which was built with it, else in the cache of
 * this tree, where it is built anew when a source has changed.
 */
import { createHash } from 'node:crypto';
import { existsSync, globSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { ApiRoute } from './pass-on.ts';

/** Of the program: the directory that holds src/. */
export const CONSOLE_ROOT = join(import.meta.dirname, '..', '..');

export type Manifest = {
  readonly v: 1;
  /** Given to people who have not logged in. */
  readonly loginAssets: readonly string[];
  /** What of the director's API is passed on, and with which right. */
  readonly routes: readonly ApiRoute[];
};

const BUILT = 'console-';

/** The directory of the built console, built first where that is needed. Throws what esbuild or the file system says. */
export async function readyBuild(): Promise<string> {
  const packaged = join(CONSOLE_ROOT, 'build', 'console');
  if (existsSync(join(packaged, 'manifest.json'))) return packaged;
  const cache = join(CONSOLE_ROOT, 'node_modules', '.cache', 'piranha');
  const path = join(cache, `${BUILT}${sourcesStamp(CONSOLE_ROOT)}`);
  if (existsSync(path)) return path;
  const { buildConsole } = await import('./build.ts');
  // Made beside it and put in place as a whole: two that start at once do not disturb each other.
  const fresh = join(cache, `fresh-${process.pid}`);
  await buildConsole(fresh);
  const others = readdirSync(cache).filter((it) => it.startsWith(BUILT) && it !== basename(path));
  for (const name of others) {
    rmSync(join(cache, name), { recursive: true, force: true });
  }
  if (existsSync(path)) rmSync(fresh, { recursive: true });
  else renameSync(fresh, path);
  return path;
}

/** Names, sizes and times: what an editor or an update changes. */
function sourcesStamp(root: string): string {
  const hash = createHash('sha256');
  const pattern = ['src/**/*.{ts,tsx,css,html}', 'docs/reasons.md', 'package-lock.json'];
  for (const name of globSync(pattern, { cwd: root }).sort()) {
    if (name.includes('.test.')) continue;
    const { size, mtimeMs } = statSync(join(root, name));
    hash.update(`${name} ${size} ${mtimeMs}\n`);
  }
  return hash.digest('hex').slice(0, 16);
}
