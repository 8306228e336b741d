/**
 * `piranha fmt FILE`: the file with its blanks in order (src/config/normalise.ts says which), on standard output, or
 * back into the file with `--write`. A file that cannot be run is formatted all the same.
 */
import { formatDocument, normaliseDocument, parseDocument } from '../config/index.ts';
import { commandOf, decodeText, type Outcome, type World } from './files-on-disk.ts';
import { type OptionSpec, optionsHelp, readOptions } from './options.ts';
import { USAGE } from './verb.ts';

const OPTIONS = {
  write: { short: '-w', long: ['--write'], help: 'change the file instead of printing it' },
  help: { short: '-?', long: ['--help'], help: 'this text' },
} as const satisfies { readonly [name: string]: OptionSpec };

export function runFmt(argv: readonly string[], world: World): Outcome {
  const parsed = readOptions(argv, OPTIONS);
  if (!parsed.ok) return misuse(parsed.error);
  const { flags, rest } = parsed.value;
  if (flags.has('help')) {
    const stdout = `Usage: piranha fmt [OPTION...] FILE\n\n${optionsHelp(OPTIONS)}\n`;
    return { stdout, stderr: '', exitCode: 0 };
  }
  const [file, ...more] = rest;
  if (file === undefined) return misuse('which file?');
  if (more.length > 0) return misuse(`one file at a time; unexpected argument ${more[0]}`);
  const bytes = world.read(file);
  if (!bytes.ok) return failure(`${file}: cannot be read: ${bytes.error}`);
  const { text, encode } = decodeText(bytes.value);
  const formatted = formatDocument(normaliseDocument(parseDocument(text, file)));
  if (!flags.has('write')) return { stdout: formatted, stderr: '', exitCode: 0 };
  if (formatted === text) return { stdout: '', stderr: '', exitCode: 0 };
  const written = world.write(file, encode(formatted));
  return written.ok
    ? { stdout: `${file}: formatted\n`, stderr: '', exitCode: 0 }
    : failure(`${file}: cannot be written: ${written.error}`);
}

export const fmtCommand = commandOf(runFmt);

function misuse(why: string): Outcome {
  return { stdout: '', stderr: `piranha fmt: ${why}; try piranha fmt --help\n`, exitCode: USAGE };
}

function failure(sentence: string): Outcome {
  return { stdout: '', stderr: `${sentence}\n`, exitCode: 1 };
}
