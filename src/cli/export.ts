/**
 * `piranha export FILE`: a keepalived.conf that does what this lvs.cf says, on standard output; on standard error, and
 * as comments at its head, what keepalived cannot do.
 *
 * Exit code 0: it was written. 1: the lvs.cf cannot be run (`piranha check` says why), or cannot be read.
 */
import { exportKeepalived, parseSettings } from '../config/index.ts';
import { EXPORT } from './file-verbs.ts';
import { commandOf, decodeText, type Outcome, type World } from './files-on-disk.ts';
import { readOptions } from './options.ts';
import { USAGE } from './verb.ts';

const DEFAULT_FILE = '/etc/sysconfig/ha/lvs.cf';

export function runExport(argv: readonly string[], world: World): Outcome {
  const parsed = readOptions(argv, EXPORT);
  if (!parsed.ok) return misuse(parsed.error);
  const { flags, rest } = parsed.value;
  const [format, file = DEFAULT_FILE, ...more] = rest;
  if (format !== 'keepalived.conf' && format !== 'keepalived') {
    return misuse('what to export is wanted: keepalived.conf');
  }
  if (more.length > 0) return misuse(`one file at a time; unexpected argument ${more[0]}`);
  const bytes = world.read(file);
  if (!bytes.ok) return failure(`${file}: cannot be read: ${bytes.error}`);
  const { settings } = parseSettings(decodeText(bytes.value).text, { ...world.names, file });
  if (settings === undefined) {
    return failure(`${file}: cannot be run, so it is not exported; piranha check ${file} says why`);
  }
  const { text, notes } = exportKeepalived(settings);
  if (flags.has('json')) {
    const stdout = `${JSON.stringify({ v: 1, file, text, notes }, undefined, 2)}\n`;
    return { stdout, stderr: '', exitCode: 0 };
  }
  const told = notes.map(({ line, keyword, sentence }) => {
    return `${line === 0 ? file : `${file}:${line}`}: ${keyword}: ${sentence}\n`;
  });
  return { stdout: text, stderr: told.join(''), exitCode: 0 };
}

export const exportCommand = commandOf(runExport);

function misuse(why: string): Outcome {
  const stderr = `piranha export: ${why}; try piranha export --help\n`;
  return { stdout: '', stderr, exitCode: USAGE };
}

function failure(sentence: string): Outcome {
  return { stdout: '', stderr: `${sentence}\n`, exitCode: 1 };
}
