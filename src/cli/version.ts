/** What `--version` says: three lines, as the programs of old did (program, its date, the package it belongs to). */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

export function versionText(program: string): string {
  const manifest = join(import.meta.dirname, '..', '..', 'package.json');
  const found: unknown = JSON.parse(readFileSync(manifest, 'utf8'));
  const version =
    typeof found === 'object' && found !== null && 'version' in found
      ? String(found.version)
      : 'unknown';
  // Nothing is built: the date of the package stands for the date of the program.
  const date = statSync(manifest).mtime.toISOString().slice(0, 10);
  return `Program Version:\t${program} ${version}\nBuilt:\t\t\t${date}\nA component of:\t\tpiranha-${version}`;
}
