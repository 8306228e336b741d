/** The tolerant verdict: text or document -> Settings when it can be run, and every problem at once. */
import type { Settings } from '../model/index.ts';
import { crossCheck } from './cross-checks.ts';
import { type Document, parseDocument } from './document.ts';
import { type Place, type Problem, ProblemList, WHOLE_FILE } from './problem.ts';
import { readDocument } from './read.ts';
import { buildSettings } from './settings.ts';
import type { Lookups } from './values.ts';

/** In UTF-16 units. 10,000 services of ten real servers each are a quarter of it. */
export const MAX_FILE_LENGTH = 64 * 1024 * 1024;

export type Verdict = {
  /** Present when there is no error; warnings do not matter here. */
  readonly settings?: Settings;
  /** By line. */
  readonly problems: readonly Problem[];
};

export type ParseOptions = Lookups & { readonly file: string };

/** Reads an lvs.cf in the tolerant grammar. Never throws. */
export function parseSettings(text: string, options: ParseOptions): Verdict {
  if (text.length > MAX_FILE_LENGTH) {
    const problems = new ProblemList(options.file, () => '');
    problems.error(
      'too-large',
      WHOLE_FILE,
      `the file has ${text.length} characters; at most ${MAX_FILE_LENGTH} are read`,
    );
    return { problems: problems.sorted() };
  }
  return checkDocument(parseDocument(text, options.file), options);
}

/** The same for a document at hand. */
export function checkDocument(document: Document, lookups: Lookups = {}): Verdict {
  const problems = new ProblemList(document.file, (place) => textAt(document, place));
  if (document.lines.length === 0) problems.error('empty', WHOLE_FILE, 'the file is empty');
  const drafts = readDocument(document, problems, lookups);
  crossCheck(drafts, problems);
  const settings = buildSettings(drafts, document.file, problems);
  return settings === undefined || problems.hasErrors
    ? { problems: problems.sorted() }
    : { settings, problems: problems.sorted() };
}

function textAt({ lines }: Document, { line, column, length }: Place): string {
  return lines[line - 1]?.slice(column - 1, column - 1 + length) ?? '';
}
