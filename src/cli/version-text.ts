/** What `--version` says: three lines, as the programs of old did (program, its date, the package it belongs to). */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

const MANIFEST = join(import.meta.dirname, '..', '..', 'package.json');

/** Of this program, or of the one with this package.json; throws where there is none. */
export function versionNumber(manifest = MANIFEST): string {
  const found: unknown = JSON.parse(readFileSync(manifest, 'utf8'));
  return typeof found === 'object' && found !== null && 'version' in found
    ? String(found.version)
    : 'unknown';
}

/** Nothing is built: the date of the package stands for the date of the program. ISO 8601. */
export function versionDate(): string {
  return statSync(MANIFEST).mtime.toISOString().slice(0, 10);
}

export function versionText(program: string): string {
  const version = versionNumber();
  return `Program Version:\t${program} ${version}\nBuilt:\t\t\t${versionDate()}\nA component of:\t\tpiranha-${version}`;
}
