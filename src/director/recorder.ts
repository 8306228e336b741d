/**
 * The flight recorder: the last minutes of the core's inputs in memory, and a file around every change of role.
 *
 *   RUN_DIR/incidents/20261122T184500Z-1.jsonl    mode 0600, the last 20 are kept
 *
 * A file starts at a checkpoint at least ten seconds and two deadtimes before the first change and ends five seconds after
 * the last one. Rejected: writing everything all the time. What matters is around a change, and a disk full of heartbeats
 * hides it.
 */
import { existsSync, mkdirSync, readdirSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
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
  /** The first and the last change of role of an incident that is not written yet. */
  #incident: { readonly from: Instant; readonly last: Instant } | undefined;
  #written = 0;

  constructor(parts: RecorderParts) {
    this.#parts = parts;
  }

  add(records: readonly CoreRecord[]): void {
    for (const record of records) {
      const at = record.kind === 'checkpoint' ? record.at : record.input.now;
      this.#closeIncident(at);
      this.#keep({ at, isCheckpoint: record.kind === 'checkpoint', text: encodeRecord(record) });
      if (record.kind === 'step' && record.did.some((words) => words.startsWith('role '))) {
        this.#incident = { from: this.#incident?.from ?? at, last: at };
      }
    }
  }

  /** Time goes on without records, too. */
  tick(): void {
    this.#closeIncident(this.#parts.clocks().now);
  }

  /** The end: an incident that has begun is written as far as it went. */
  close(): void {
    if (this.#incident !== undefined) this.#write(this.#incident.from);
    this.#incident = undefined;
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

  #closeIncident(now: Instant): void {
    if (this.#incident === undefined) return;
    const { from, last } = this.#incident;
    if (elapsedMs(last, now) < AFTER_MS && elapsedMs(from, now) < LONGEST_MS) return;
    this.#incident = undefined;
    this.#write(from);
  }

  #write(from: Instant): void {
    const { directory, node, clocks, log, deadtimeMs } = this.#parts;
    const beforeMs = Math.max(BEFORE_MS, 2 * deadtimeMs());
    const isEarly = ({ at }: Line): boolean => elapsedMs(at, from) >= beforeMs;
    const kept = this.#ring.slice(this.#head);
    const first = kept.findLastIndex((line) => line.isCheckpoint && isEarly(line));
    const start = first >= 0 ? first : kept.findIndex(({ isCheckpoint }) => isCheckpoint);
    if (start < 0) return;
    const { now, wallMs } = clocks();
    const writtenAt = new Date(wallMs).toISOString();
    const header: RecordHeader = {
      kind: 'incident',
      v: 1,
      node,
      writtenAt,
      wallOffsetMs: wallMs - now,
    };
    const lines = [encodeRecord(header), ...kept.slice(start).map(({ text }) => text)];
    const name = `${writtenAt.replace(/[-:]|\.\d+/g, '')}-${++this.#written}.jsonl`;
    try {
      if (!existsSync(directory)) mkdirSync(directory, { mode: 0o700 });
      const path = join(directory, name);
      writeFileSync(`${path}.new`, `${lines.join('\n')}\n`, { mode: 0o600 });
      renameSync(`${path}.new`, path);
      log(`incident recorded: ${path} (recorded)`);
      forgetOldest(directory);
    } catch (error) {
      log(`incident not recorded: ${directory}: ${systemErrorText(error)}`);
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
