/** The configuration file as it stands on the disk, which need not be what runs: somebody may have written it since. */
import { readFileSync } from 'node:fs';
import { digestText } from '../wire/index.ts';

export type RunningFile = {
  readonly text: string;
  readonly digest: string;
  readonly bytes: Uint8Array;
};

/** Throws what the file system says. */
export function readRunning(file: string): RunningFile {
  const bytes = Uint8Array.from(readFileSync(file));
  const text = new TextDecoder().decode(bytes);
  return { text, digest: digestText(text), bytes };
}
