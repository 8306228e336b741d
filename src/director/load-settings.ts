/** An lvs.cf from the disk: settings, or every sentence that is wrong with it. */
import { readFileSync } from 'node:fs';
import { err, ok, type Result } from '../base/index.ts';
import { type Problem, parseSettings } from '../config/index.ts';
import type { Settings } from '../model/index.ts';
import { systemNames } from '../ports/index.ts';
import { digestText } from '../wire/index.ts';
import { systemErrorText } from './sentences.ts';

export type LoadedSettings = {
  readonly settings: Settings;
  readonly warnings: readonly string[];
  /** Of the text: how two directors compare their files without sending them. */
  readonly configDigest: string;
};

/** Reads and judges `file`; the error is one line a problem, each naming the file and where in it. */
export function loadSettings(file: string): Result<LoadedSettings, readonly string[]> {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    return err([`${file}: cannot be read: ${systemErrorText(error)}`]);
  }
  return judgeText(text, file);
}

/** The same for a text that is not on the disk yet; `file` is what its problems are told by. */
export function judgeText(text: string, file: string): Result<LoadedSettings, readonly string[]> {
  const { settings, problems } = parseSettings(text, { file, ...systemNames() });
  const textsOf = (severity: Problem['severity']): readonly string[] =>
    problems.filter((problem) => problem.severity === severity).map(problemText);
  return settings === undefined
    ? err(textsOf('error'))
    : ok({ settings, warnings: textsOf('warning'), configDigest: digestText(text) });
}

/** `lvs.cf:31:5: unknown directive ...`; without a place when the file as a whole is meant. */
function problemText({ file, line, column, message, code }: Problem): string {
  const where = line === 0 ? file : `${file}:${line}:${column}`;
  // The original's words for it, which people may filter their logs by.
  const known = code === 'no-partner' ? 'undefined backup, clearing backup_active: ' : '';
  return `${where}: ${known}${message}`;
}
