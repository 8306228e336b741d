/**
 * Where the built console lies: in `build/console` of an installed package, which was built with it, else in the cache of
 * this tree, where it is built anew when a source has changed.
 */
import { createHash } from 'node:crypto';
import { existsSync, globSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Of the program: the directory that holds src/. */
export const CONSOLE_ROOT = join(import.meta.dirname, '..', '..');

export type Manifest = {
  readonly v: 1;
  /** Given to people who have not logged in. */
  readonly loginAssets: readonly string[];
};

export type BuiltAt = { readonly path: string; readonly isFresh: boolean };

const STAMP = 'sources';

/** `isFresh`: may be served as it is. */
export function builtAt(root = CONSOLE_ROOT): BuiltAt {
  const packaged = join(root, 'build', 'console');
  if (existsSync(join(packaged, 'manifest.json'))) return { path: packaged, isFresh: true };
  const path = join(root, 'node_modules', '.cache', 'piranha', 'console');
  const stamp = join(path, STAMP);
  return { path, isFresh: existsSync(stamp) && readFileSync(stamp, 'utf8') === sourcesStamp(root) };
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
