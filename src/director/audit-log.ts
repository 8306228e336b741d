/**
 * Who asked for which change, from where, and what came of it: append-only lines of JSON that outlive every rollback.
 *
 *   STATE_DIR/audit.jsonl    mode 0600; at 4 MiB it becomes audit.jsonl.1, and so on; ten files are kept
 *
 * Each line holds the SHA-256 of the line before it, so that a line which was changed, added or taken out afterwards
 * shows. It does not show that the end was cut off, or that somebody wrote the whole chain anew: for that, send the log
 * of the machine, where each entry is told too, to another one. Refused attempts are entries as well; a flood of them is
 * counted instead of written.
 * A line that cannot be written stops nothing: a director must be operable on a full disk. It is told in log and events.
 */
import { createHash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { addTo, type Totals } from './ledger.ts';
import { systemErrorText } from './sentences.ts';

export const AUDIT_RESULTS = ['done', 'refused', 'denied', 'failed'] as const;
export type AuditResult = (typeof AUDIT_RESULTS)[number];

export type AuditEntry = {
  /** ISO 8601. */
  readonly at: string;
  readonly who: string;
  /** The socket: pulse.sock, read.sock, courier.sock; or a signal. */
  readonly from: string;
  /** `POST /v1/role` */
  readonly action: string;
  /** The reason that was given with it. */
  readonly reason?: string;
  /** `refused`: we did not do it; `denied`: there was no right to ask. */
  readonly result: AuditResult;
  /** What was asked, and the sentence of a refusal. */
  readonly detail: string;
  /** SHA-256 of the line before, hexadecimal; 64 zeros in the first line of all. */
  readonly previous: string;
};
export type NewAuditEntry = Omit<AuditEntry, 'at' | 'previous'>;

const LONGEST_FILE = 4 * 1024 * 1024;
const KEPT_FILES = 10;
const READ_AT_ONCE = 1024 * 1024;
const LONGEST_DETAIL = 500;
/** Denied attempts that are written in a minute; the rest are counted. */
const DENIED_A_MINUTE = 20;
const NO_LINE = '0'.repeat(64);

export type AuditLogParts = {
  /** Made when the first line is written. */
  readonly directory: string;
  readonly wallMs: () => number;
  /** The entry is on its way to the disk. */
  readonly onEntry: (entry: AuditEntry) => void;
  /** The line could not be written. */
  readonly onTrouble: (text: string) => void;
};

export class AuditLog {
  readonly #parts: AuditLogParts;
  readonly #file: string;
  readonly #totals = new Map<string, Map<AuditResult, number>>();
  #previous: string | undefined;
  #minute = 0;
  #denied = 0;

  constructor(parts: AuditLogParts) {
    this.#parts = parts;
    this.#file = join(parts.directory, 'audit.jsonl');
  }

  /** All of this life by action and result, those that a flood kept out of the file among them. */
  get totals(): Totals<string, AuditResult> {
    return this.#totals;
  }

  add(entry: NewAuditEntry): void {
    addTo(this.#totals, entry.action, entry.result);
    const { wallMs, onEntry, onTrouble, directory } = this.#parts;
    const now = wallMs();
    const uncounted = this.#isFlood(entry, now);
    if (uncounted === undefined) return;
    const more = uncounted > 0 ? `; ${uncounted} more denied attempts before this line` : '';
    const { reason } = entry;
    const cut = {
      ...entry,
      ...(reason !== undefined && { reason: reason.slice(0, LONGEST_DETAIL) }),
      detail: `${entry.detail.slice(0, LONGEST_DETAIL)}${more}`,
    };
    const at = new Date(now).toISOString();
    try {
      if (!existsSync(directory)) mkdirSync(directory, { recursive: true, mode: 0o700 });
      // The machine may have stopped in the middle of a line.
      const ending = this.#previous === undefined && isTorn(this.#file) ? '\n' : '';
      this.#previous ??= lastHash(this.#file);
      const whole: AuditEntry = { at, ...cut, previous: this.#previous };
      const line = JSON.stringify(whole);
      appendWhole(this.#file, `${ending}${line}\n`);
      this.#previous = hashOf(line);
      onEntry(whole);
      this.#rotate();
    } catch (error) {
      onEntry({ at, ...cut, previous: this.#previous ?? NO_LINE });
      this.#previous = undefined; // whatever stands at the end now is looked at before the next line
      onTrouble(`audit log ${this.#file}: ${systemErrorText(error)} (audit-lost)`);
    }
  }

  /** The last `limit` entries, oldest first; throws what the file system says. */
  recent(limit: number): readonly AuditEntry[] {
    const newest = entriesOf(readEnd(this.#file), limit);
    if (newest.length >= limit) return newest;
    return [...entriesOf(readEnd(`${this.#file}.1`), limit - newest.length), ...newest];
  }

  /** How many denied attempts were left out before this entry; undefined: this one is left out, too. */
  #isFlood({ result }: NewAuditEntry, now: number): number | undefined {
    const minute = Math.floor(now / 60_000);
    let uncounted = 0;
    if (minute !== this.#minute || result !== 'denied') {
      uncounted = Math.max(0, this.#denied - DENIED_A_MINUTE);
      if (minute !== this.#minute || uncounted > 0) this.#denied = 0;
      this.#minute = minute;
    }
    if (result !== 'denied') return uncounted;
    return ++this.#denied > DENIED_A_MINUTE ? undefined : uncounted;
  }

  #rotate(): void {
    const fd = openSync(this.#file, 'r');
    const { size } = fstatSync(fd);
    closeSync(fd);
    if (size < LONGEST_FILE) return;
    for (let number = KEPT_FILES - 1; number > 0; number--) {
      const older = `${this.#file}.${number}`;
      const newer = number === 1 ? this.#file : `${this.#file}.${number - 1}`;
      if (existsSync(newer)) renameSync(newer, older);
    }
  }
}

/** The first broken link of a chain of lines: the index of a line whose `previous` is not the hash of the line before. */
export function brokenLink(lines: readonly string[], before?: string): number | undefined {
  let previous = before;
  for (const [index, line] of lines.entries()) {
    const entry = parse(line);
    if (entry === undefined) return index;
    if (previous !== undefined && entry.previous !== previous) return index;
    previous = hashOf(line);
  }
  return undefined;
}

export function hashOf(line: string): string {
  return createHash('sha256').update(line).digest('hex');
}

/** Of the last line, of the file before this one where this one is new. */
function lastHash(file: string): string {
  const last = readEnd(file).at(-1) ?? readEnd(`${file}.1`).at(-1);
  return last === undefined ? NO_LINE : hashOf(last);
}

/** A full disk takes half a line: that half goes again. Throws what the file system says. */
function appendWhole(file: string, text: string): void {
  const fd = openSync(file, 'a', 0o600);
  const { size } = fstatSync(fd);
  try {
    writeFileSync(fd, text);
  } catch (error) {
    ftruncateSync(fd, size);
    throw error;
  } finally {
    closeSync(fd);
  }
}

function isTorn(file: string): boolean {
  const { text } = endOf(file);
  return text !== '' && !text.endsWith('\n');
}

/** The lines in the last mebibyte; none when there is no such file. */
function readEnd(file: string): readonly string[] {
  const { text, isWhole } = endOf(file);
  const lines = text.split('\n').filter((line) => line !== '');
  return isWhole ? lines : lines.slice(1);
}

function endOf(file: string): { readonly text: string; readonly isWhole: boolean } {
  if (!existsSync(file)) return { text: '', isWhole: true };
  const fd = openSync(file, 'r');
  try {
    const { size } = fstatSync(fd);
    const bytes = new Uint8Array(Math.min(size, READ_AT_ONCE));
    readSync(fd, bytes, 0, bytes.length, size - bytes.length);
    return { text: new TextDecoder().decode(bytes), isWhole: size <= READ_AT_ONCE };
  } finally {
    closeSync(fd);
  }
}

function entriesOf(lines: readonly string[], limit: number): readonly AuditEntry[] {
  return lines.slice(-limit).flatMap((line) => parse(line) ?? []);
}

function parse(line: string): AuditEntry | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isEntry(value) ? value : undefined;
  } catch {
    return undefined; // half a line: the machine stopped while it was written
  }
}

function isEntry(value: unknown): value is AuditEntry {
  return typeof value === 'object' && value !== null && 'previous' in value && 'who' in value;
}
