/**
 * `piranha fmt FILE`: the file with its blanks in order (src/config/normalise.ts says which), on standard output, or
 * back into the file with `--write`. A file that cannot be run is formatted all the same.
 */
import { formatDocument, normaliseDocument, parseDocument } from '../config/index.ts';
import { FMT } from './file-verbs.ts';
import { commandOf, decodeText, type Outcome, type World } from './files-on-disk.ts';
import { readOptions } from './options.ts';
import { USAGE } from './verb.ts';

export function runFmt(argv: readonly string[], world: World): Outcome {
  const parsed = readOptions(argv, FMT);
  if (!parsed.ok) return misuse(parsed.error);
  const { flags, rest } = parsed.value;
  const [file, ...more] = rest;
  if (file === undefined) return misuse('which file?');
  if (more.length > 0) return misuse(`one file at a time; unexpected argument ${more[0]}`);
  const bytes = world.read(file);
  if (!bytes.ok) return failure(`${file}: cannot be read: ${bytes.error}`);
  const { text, encode } = decodeText(bytes.value);
  const formatted = formatDocument(normaliseDocument(parseDocument(text, file)));
  const isWritten = flags.has('write') && formatted !== text;
  if (isWritten) {
    const written = world.write(file, encode(formatted));
    if (!written.ok) return failure(`${file}: cannot be written: ${written.error}`);
  }
  if (flags.has('json')) {
    const document = { v: 1, file, isFormatted: formatted === text, isWritten, text: formatted };
    return done(`${JSON.stringify(document, undefined, 2)}\n`);
  }
  if (flags.has('write')) return done(isWritten ? `${file}: formatted\n` : '');
  return done(formatted);
}

export const fmtCommand = commandOf(runFmt);

function done(stdout: string): Outcome {
  return { stdout, stderr: '', exitCode: 0 };
}

function misuse(why: string): Outcome {
  return { stdout: '', stderr: `piranha fmt: ${why}; try piranha fmt --help\n`, exitCode: USAGE };
}

function failure(sentence: string): Outcome {
  return { stdout: '', stderr: `${sentence}\n`, exitCode: 1 };
}
