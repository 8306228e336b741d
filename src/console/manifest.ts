/**
 * Where the built console lies: in `build/console` of an installed package, which was built with it, else in the cache of
 * this tree, where it is built anew when a source has changed.
 */
import { createHash } from 'node:crypto';
import { existsSync, globSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
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

const STAMP = 'sources';

/** The directory of the built console, built first where that is needed. Throws what esbuild or the file system says. */
export async function readyBuild(): Promise<string> {
  const packaged = join(CONSOLE_ROOT, 'build', 'console');
  if (existsSync(join(packaged, 'manifest.json'))) return packaged;
  const path = join(CONSOLE_ROOT, 'node_modules', '.cache', 'piranha', 'console');
  const stamp = join(path, STAMP);
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === sourcesStamp(CONSOLE_ROOT)) return path;
  const { buildConsole } = await import('./build.ts');
  await buildConsole(path);
  return path;
}

/** The file that says of which sources a build was made, and what it must hold. */
export function stampOf(root: string): { readonly name: string; readonly text: string } {
  return { name: STAMP, text: sourcesStamp(root) };
}

/** Names, sizes and times: what an editor or an update changes. */
function sourcesStamp(root: string): string {
  const hash = createHash('sha256');
  const pattern = ['src/**/*.{ts,tsx,css,html}', 'package-lock.json'];
  for (const name of globSync(pattern, { cwd: root }).sort()) {
    if (name.includes('.test.')) continue;
    const { size, mtimeMs } = statSync(join(root, name));
    hash.update(`${name} ${size} ${mtimeMs}\n`);
  }
  return `${hash.digest('hex')}\n`;
}
