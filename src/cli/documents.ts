/**
 * The documents that are part of the program (docs/), as far as the command line reads them. They are written for people;
 * their tables are also the source of `explain` and of the man pages.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const DIRECTORY = join(import.meta.dirname, '..', '..', 'docs');

/** Throws where the file is not there: the program is not whole then. */
export function documentText(name: string): string {
  return readFileSync(join(DIRECTORY, name), 'utf8');
}

/** The same, or undefined for a document that this installation does not have. */
export function optionalDocument(name: string): string | undefined {
  try {
    return documentText(name);
  } catch {
    return undefined; // left out by whoever packed it
  }
}
