/**
 * The flight recorder: the last minutes of the core's inputs in memory, and a file around every change of role.
 *
 *   RUN_DIR/incidents/20261122T184500Z-1.jsonl    mode 0600, the last 20 are kept
 *
 * A file starts at a checkpoint at least ten seconds and two deadtimes before the first change and ends five seconds after
 * the last one. It is on disk from the first change on, and grows: a director that is killed in the middle of it leaves it
 * `.unfinished`, and the next life gives it its name. Rejected: writing everything all the time. What matters is around a
 * change, and a disk full of heartbeats hides it.
 */
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { elapsedMs, type Instant, instant, type Milliseconds } from '../base/index.ts';
import { type CoreRecord, encodeRecord, type RecordHeader } from '../core/index.ts';
import type { Node } from '../model/index.ts';
import { systemErrorText } from './sentences.ts';

/** Of lines in memory. */
const RING_CHARACTERS = 2 * 1024 * 1024;
const BEFORE_MS: Milliseconds = 10_000;
const AFTER_MS: Milliseconds = 5000;
/** A pair that flaps is cut into files of this length. */
const LONGEST_MS: Milliseconds = 60_000;
const KEPT_FILES = 20;
/** Of a file that still grows, or whose director was killed. */
const UNFINISHED = '.unfinished';

type Line = { readonly at: Instant; readonly isCheckpoint: boolean; readonly text: string };

/** In the place of what the ring has forgotten. */
const FORGOTTEN: Line = { at: instant(0), isCheckpoint: false, text: '' };

export type RecorderParts = {
  /** RUN_DIR/incidents */
  readonly directory: string;
  readonly node: Node;
  readonly deadtimeMs: () => Milliseconds;
  /** Of the clock of the records, with the wall clock of the same moment. */
  readonly clocks: () => { readonly now: Instant; readonly wallMs: number };
  readonly log: (line: string) => void;
};

export class Recorder {
  readonly #parts: RecorderParts;
  /** Oldest first, from `#head` on. What lies before it is forgotten, and cut off once it is the greater part. */
  #ring: Line[] = [];
  #head = 0;
  #characters = 0;
  /** The first and the last change of role of an incident that goes on, and its file without an ending. */
  #incident: { readonly from: Instant; readonly last: Instant; readonly path: string } | undefined;
  #written = 0;
  #hasLookedBack = false;

  constructor(parts: RecorderParts) {
    this.#parts = parts;
  }

  add(records: readonly CoreRecord[]): void {
    this.#lookBack();
    const late: string[] = [];
    for (const record of records) {
      const at = record.kind === 'checkpoint' ? record.at : record.input.now;
      if (this.#isOver(at)) this.#finish(late.splice(0));
      const line = { at, isCheckpoint: record.kind === 'checkpoint', text: encodeRecord(record) };
      this.#keep(line);
      if (this.#incident !== undefined) late.push(line.text);
      if (record.kind === 'step' && record.did.some((words) => words.startsWith('role '))) {
        this.#roleChanged(at);
      }
    }
    if (this.#incident !== undefined && late.length > 0) this.#append(this.#incident.path, late);
  }

  /** Time goes on without records, too. */
  tick(): void {
    if (this.#isOver(this.#parts.clocks().now)) this.#finish([]);
  }

  /** The end: an incident that has begun is written as far as it went. */
  close(): void {
    this.#finish([]);
  }

  /** What an earlier life was killed in the middle of. Not before the run directory is ours, as it is with a record. */
  #lookBack(): void {
    if (this.#hasLookedBack) return;
    this.#hasLookedBack = true;
    const { directory } = this.#parts;
    if (!existsSync(directory)) return;
    this.#try(() => {
      for (const name of readdirSync(directory)) {
        if (name.endsWith(UNFINISHED))
          this.#rename(join(directory, name.slice(0, -UNFINISHED.length)));
      }
    });
  }

  #keep(line: Line): void {
    this.#ring.push(line);
    this.#characters += line.text.length;
    while (this.#characters > RING_CHARACTERS && this.#head < this.#ring.length - 1) {
      this.#characters -= this.#ring[this.#head]?.text.length ?? 0;
      this.#ring[this.#head++] = FORGOTTEN;
    }
    // Not at every record: to copy a full ring forty times a second keeps a quarter of a processor busy.
    if (this.#head * 2 > this.#ring.length) {
      this.#ring = this.#ring.slice(this.#head);
      this.#head = 0;
    }
  }

  #isOver(now: Instant): boolean {
    if (this.#incident === undefined) return false;
    const { from, last } = this.#incident;
    return elapsedMs(last, now) >= AFTER_MS || elapsedMs(from, now) >= LONGEST_MS;
  }

  #roleChanged(at: Instant): void {
    if (this.#incident !== undefined) {
      this.#incident = { ...this.#incident, last: at };
      return;
    }
    const path = this.#begin(at);
    if (path !== undefined) this.#incident = { from: at, last: at, path };
  }

  /** Writes what led to it; the path without an ending. */
  #begin(from: Instant): string | undefined {
    const { directory, node, clocks, deadtimeMs } = this.#parts;
    const beforeMs = Math.max(BEFORE_MS, 2 * deadtimeMs());
    const isEarly = ({ at }: Line): boolean => elapsedMs(at, from) >= beforeMs;
    const first = this.#ring.findLastIndex((line) => line.isCheckpoint && isEarly(line));
    const start = first >= 0 ? first : this.#ring.findIndex(({ isCheckpoint }) => isCheckpoint);
    if (start < 0) return undefined;
    const { now, wallMs } = clocks();
    const writtenAt = new Date(wallMs).toISOString();
    const header: RecordHeader = {
      kind: 'incident',
      v: 1,
      node,
      writtenAt,
      wallOffsetMs: wallMs - now,
    };
    const lines = [encodeRecord(header), ...this.#ring.slice(start).map(({ text }) => text)];
    const path = join(directory, `${writtenAt.replace(/[-:]|\.\d+/g, '')}-${++this.#written}`);
    const isWritten = this.#try(() => {
      if (!existsSync(directory)) mkdirSync(directory, { mode: 0o700 });
      writeFileSync(`${path}${UNFINISHED}`, `${lines.join('\n')}\n`, { mode: 0o600 });
    });
    return isWritten ? path : undefined;
  }

  #append(path: string, lines: readonly string[]): void {
    this.#try(() => appendFileSync(`${path}${UNFINISHED}`, `${lines.join('\n')}\n`));
  }

  #finish(late: readonly string[]): void {
    if (this.#incident === undefined) return;
    const { path } = this.#incident;
    this.#incident = undefined;
    if (late.length > 0) this.#append(path, late);
    this.#try(() => this.#rename(path));
  }

  #rename(path: string): void {
    renameSync(`${path}${UNFINISHED}`, `${path}.jsonl`);
    this.#parts.log(`incident recorded: ${path}.jsonl (recorded)`);
    forgetOldest(this.#parts.directory);
  }

  /** A disk that fails costs a recording, never a director. */
  #try(write: () => void): boolean {
    try {
      write();
      return true;
    } catch (error) {
      const { directory, log } = this.#parts;
      log(`incident not recorded: ${directory}: ${systemErrorText(error)}`);
      return false;
    }
  }
}

/** Names begin with their time. */
function forgetOldest(directory: string): void {
  const names = readdirSync(directory)
    .filter((name) => name.includes('.jsonl'))
    .sort(byAge);
  for (const name of names.slice(0, Math.max(0, names.length - KEPT_FILES))) {
    unlinkSync(join(directory, name));
  }
}

function byAge(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}
