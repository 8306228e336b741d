/**
 * `piranha import FILE`: an lvs.cf for this program out of a keepalived.conf, or out of an lvs.cf of Piranha, on
 * standard output; on standard error what is not carried over or means something else, line by line.
 *
 * Exit code 0: the text can be run. 1: there is none, or it cannot be run before somebody has changed it.
 */
import { realpathSync } from 'node:fs';
import { type IpAddress, parseIpAddress } from '../base/index.ts';
import {
  importKeepalived,
  importLvs,
  type Note,
  type NoteKind,
  type Problem,
  parseSettings,
} from '../config/index.ts';
import { IMPORT } from './file-verbs.ts';
import { commandOf, decodeText, type Outcome, type World } from './files-on-disk.ts';
import { includedFiles } from './included-files.ts';
import { readOptions } from './options.ts';
import { USAGE } from './verb.ts';

/** `realPath` without symbolic links; `includedFiles` answers for what that file includes. */
export type ImportWorld = World & {
  readonly realPath: (file: string) => string;
  readonly includedFiles: typeof includedFiles;
};

export function runImport(argv: readonly string[], world: ImportWorld): Outcome {
  const parsed = readOptions(argv, IMPORT);
  if (!parsed.ok) return misuse(parsed.error);
  const { flags, values, rest } = parsed.value;
  const [file, ...more] = rest;
  if (file === undefined) return misuse('which file?');
  if (more.length > 0) return misuse(`one file at a time; unexpected argument ${more[0]}`);
  const primary = addressIn(values.get('primary'));
  const backup = addressIn(values.get('backup'));
  if (primary === 'wrong') return misuse('--primary wants an IP address');
  if (backup === 'wrong') return misuse('--backup wants an IP address');
  const from = values.get('from');
  if (from !== undefined && from !== 'keepalived' && from !== 'lvs') {
    return misuse('--from wants keepalived or lvs');
  }
  const bytes = world.read(file);
  if (!bytes.ok) {
    return { stdout: '', stderr: `${file}: cannot be read: ${bytes.error}\n`, exitCode: 1 };
  }
  const { text } = decodeText(bytes.value);
  if ((from ?? formatOf(text)) === 'lvs') {
    return report(file, importLvs(text, { ...world.names, file }), flags.has('json'), world);
  }
  const device = values.get('device');
  const configId = values.get('configId');
  const path = world.realPath(file);
  const result = importKeepalived(text, {
    file: path,
    include: world.includedFiles(path),
    ...(primary === undefined ? {} : { primary }),
    ...(backup === undefined ? {} : { backup }),
    ...(device === undefined ? {} : { device }),
    ...(configId === undefined ? {} : { configId }),
  });
  return report(file, result, flags.has('json'), world);
}

export const importCommand = commandOf((argv, world) =>
  runImport(argv, { ...world, realPath: (file) => realpathSync(file), includedFiles }),
);

/** A keepalived.conf has blocks of its own names; an lvs.cf has `key = value`. */
function formatOf(text: string): 'keepalived' | 'lvs' {
  const isKeepalived =
    /^\s*(?:@\S+\s+)?(?:vrrp_\w+|virtual_server\w*|global_defs|static_\w+|include\w?)(?:\s|\{|$)/m;
  return isKeepalived.test(text) ? 'keepalived' : 'lvs';
}

function addressIn(text: string | undefined): IpAddress | undefined | 'wrong' {
  if (text === undefined) return undefined;
  const parsed = parseIpAddress(text);
  return parsed.ok ? parsed.value : 'wrong';
}

type Imported = { readonly text?: string; readonly notes: readonly Note[] };

function report(file: string, { text, notes }: Imported, isJson: boolean, world: World): Outcome {
  const problems =
    text === undefined ? [] : parseSettings(text, { ...world.names, file: 'lvs.cf' }).problems;
  const hasErrors = problems.some(({ severity }) => severity === 'error');
  const exitCode = text === undefined || hasErrors ? 1 : 0;
  if (isJson) {
    const stdout = `${JSON.stringify({ v: 1, file, text, notes, problems }, undefined, 2)}\n`;
    return { stdout, stderr: '', exitCode };
  }
  const told = [
    ...notes.map((note) => noteText(file, note)),
    ...problems.map(problemText),
    `${file}: ${summary(notes, text === undefined || hasErrors)}`,
  ];
  return { stdout: text ?? '', stderr: `${told.join('\n')}\n`, exitCode };
}

function noteText(file: string, note: Note): string {
  const { line, keyword, sentence } = note;
  const where = note.file ?? file;
  return `${line === 0 ? where : `${where}:${line}`}: ${keyword}: ${sentence}`;
}

function problemText({ line, column, severity, message }: Problem): string {
  const where = line === 0 ? 'result' : `result:${line}:${column}`;
  return `${where}: ${severity}: ${message}`;
}

const COUNTED: readonly (readonly [kind: NoteKind, words: string])[] = [
  ['lost', 'not carried over'],
  ['changed', 'with another meaning'],
  ['needless', 'not needed'],
];

function summary(notes: readonly Note[], isRefused: boolean): string {
  const counts = COUNTED.map(
    ([kind, words]) => `${notes.filter((note) => note.kind === kind).length} ${words}`,
  );
  const verdict = isRefused ? 'not imported' : 'imported';
  return `${verdict}; statements: ${counts.join(', ')}`;
}

function misuse(why: string): Outcome {
  return {
    stdout: '',
    stderr: `piranha import: ${why}; try piranha import --help\n`,
    exitCode: USAGE,
  };
}
