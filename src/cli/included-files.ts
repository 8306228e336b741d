/**
 * The files that an `include` of a keepalived.conf means: those in the folder of the file that is imported and below,
 * nowhere else, whatever a pattern or a symbolic link says.
 *
 * Patterns know `*`, `?` and `[...]`, folder by folder. Rejected: the glob of the library, whose `**` and braces let a
 * short line of a stranger's file walk a whole disk.
 */
import { readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { err, ok, type Result } from '../base/index.ts';
import type { IncludedFile } from '../config/index.ts';
import { decodeText } from './files-on-disk.ts';

type Found = Result<readonly IncludedFile[], string>;

const MAX_FILES = 1000;
/** Bytes of one file; the importer limits their sum. */
const MAX_SIZE = 8 * 1024 * 1024;

/** Answers for the includes of `file`, an absolute path without symbolic links; never throws. */
export function includedFiles(file: string): (pattern: string, from: string) => Found {
  const root = dirname(file);
  return (pattern, from) => {
    if (/[{}]/.test(pattern))
      return err('has braces, which are not expanded; write a line for each');
    const path = resolve(dirname(from), pattern);
    if (!isWithin(path, root)) return err(outside(root));
    const paths = expand(root, relative(root, path).split(sep));
    if (paths.length > MAX_FILES) return err(`names more than ${MAX_FILES} files`);
    const files: IncludedFile[] = [];
    for (const one of paths) {
      const text = textOf(one, root);
      if (!text.ok) return text;
      files.push(text.value);
    }
    return ok(files);
  };
}

function outside(root: string): string {
  return `is outside of ${root}; only files in this folder and below are read: copy it there`;
}

function isWithin(path: string, root: string): boolean {
  return path.startsWith(root.endsWith(sep) ? root : `${root}${sep}`);
}

/** In order; one more than the limit when there are more. */
function expand(root: string, parts: readonly string[]): readonly string[] {
  let paths: readonly string[] = [root];
  for (const part of parts) {
    paths = paths
      .flatMap((folder) => (/[*?[]/.test(part) ? matching(folder, part) : [join(folder, part)]))
      .slice(0, MAX_FILES + 1);
  }
  return paths.filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile());
}

function matching(folder: string, pattern: string): readonly string[] {
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return [];
  return readdirSync(folder)
    .filter((name) => (!name.startsWith('.') || pattern.startsWith('.')) && fits(name, pattern))
    .toSorted()
    .map((name) => join(folder, name));
}

/** Goes back to the last `*` only, so that no pattern takes longer than name times pattern. */
export function fits(name: string, pattern: string): boolean {
  const tokens = pattern.match(/\[[!^]?\]?[^\]]*\]|./gsu) ?? [];
  let at = 0;
  let token = 0;
  let star = -1;
  let from = 0;
  while (at < name.length) {
    if (tokens[token] === '*') {
      star = token++;
      from = at;
    } else if (isOneOf(name[at] ?? '', tokens[token])) {
      at++;
      token++;
    } else if (star >= 0) {
      token = star + 1;
      at = ++from;
    } else return false;
  }
  return tokens.slice(token).every((rest) => rest === '*');
}

function isOneOf(letter: string, token: string | undefined): boolean {
  if (token === undefined) return false;
  if (token.length < 3) return token === '?' || token === letter;
  const isNegated = /^\[[!^]/.test(token);
  const members = token.slice(isNegated ? 2 : 1, -1).match(/.-.|./gsu) ?? [];
  const isMember = members.some((member) => {
    const [low = '', dash, high = ''] = member;
    return dash === undefined ? member === letter : low <= letter && letter <= high;
  });
  return isMember !== isNegated;
}

function textOf(path: string, root: string): Result<IncludedFile, string> {
  try {
    const real = realpathSync(path);
    if (!isWithin(real, root)) return err(outside(root));
    if (statSync(real).size > MAX_SIZE) return err(`is larger than ${MAX_SIZE} bytes`);
    return ok({ path: real, text: decodeText(readFileSync(real)).text });
  } catch (error) {
    return err(`cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}
