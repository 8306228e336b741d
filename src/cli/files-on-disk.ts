/**
 * What a command over files needs of the world, and what it answers: so that `check` and `fmt` are plain functions
 * that tests call without a disk.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { getSystemErrorMessage } from 'node:util';
import { err, ok, type Result } from '../base/index.ts';
import type { Lookups } from '../config/index.ts';
import { systemNames } from '../ports/index.ts';
import type { Command } from './verb.ts';

export type World = {
  /** The error is a sentence without the file's name. */
  readonly read: (path: string) => Result<Uint8Array, string>;
  readonly write: (path: string, bytes: Uint8Array) => Result<undefined, string>;
  /** Host and service names. */
  readonly names: Lookups;
};

export type Outcome = {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
};

/** A plain function as a verb of the command line. */
export function commandOf(run: (argv: readonly string[], world: World) => Outcome): Command {
  return async (argv) => {
    const world = { read: readBytes, write: writeBytes, names: systemNames() };
    const { stdout, stderr, exitCode } = run(argv, world);
    process.stdout.write(stdout);
    process.stderr.write(stderr);
    return exitCode;
  };
}

function readBytes(path: string): Result<Uint8Array, string> {
  try {
    return ok(readFileSync(path));
  } catch (error) {
    return err(sentenceOf(error));
  }
}

function writeBytes(path: string, bytes: Uint8Array): Result<undefined, string> {
  try {
    writeFileSync(path, bytes);
    return ok(undefined);
  } catch (error) {
    return err(sentenceOf(error));
  }
}

/** `no such file or directory` rather than ENOENT. */
function sentenceOf(error: unknown): string {
  if (error instanceof Error && 'errno' in error && typeof error.errno === 'number') {
    return getSystemErrorMessage(error.errno);
  }
  return error instanceof Error ? error.message : String(error);
}

/**
 * Bytes as text and back without a loss: UTF-8, or Latin-1 where they are no UTF-8 (old files have such comments).
 */
export function decodeText(bytes: Uint8Array): {
  readonly text: string;
  readonly encode: (text: string) => Uint8Array;
} {
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
  if (!text.includes('\ufffd'))
    return { text, encode: (edited) => new TextEncoder().encode(edited) };
  return {
    text: Buffer.from(bytes).toString('latin1'),
    encode: (edited) => Uint8Array.from(Buffer.from(edited, 'latin1')),
  };
}
