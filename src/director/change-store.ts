/**
 * The history of the configuration and the change that waits, on the disk: what must be found again after a crash.
 *
 *   STATE_DIR/history/changes.json   the versions, and the state of the change machine
 *   STATE_DIR/history/41.cf          the file of version 41, byte for byte
 *
 * Mode 0700 and 0600: a configuration may name commands and hosts that are nobody's business. The last 20 versions are
 * kept, and whatever a change would go back to. A store that cannot be read is refused, never begun anew: it may hold the
 * way back. What cannot be written has not happened; only of a file that has gone back already the entry is owed.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  CHANGE_FATES,
  type ChangeFate,
  type ChangeState,
  type ChangeStep,
  SETTLED,
} from '../core/index.ts';
import { replaceFile } from './replace-file.ts';
import type { RunningFile } from './running-file.ts';
import { systemErrorText } from './sentences.ts';

export const KEPT_VERSIONS = 20;

/** `found`: it stood there before the first change, or somebody wrote it without us. */
export type VersionState = ChangeFate | 'found';
export const VERSION_STATES = [...CHANGE_FATES, 'found'] as const;

export type Version = {
  readonly serial: number;
  /** ISO 8601. */
  readonly at: string;
  readonly author: string;
  readonly reason: string;
  readonly digest: string;
  readonly state: VersionState;
  /** In bytes. */
  readonly size: number;
};

type Finding = {
  readonly wallMs: number;
  /** Its number, if it gets one. */
  readonly atLeast?: number;
  /** A version that must stay, however old it is. */
  readonly before?: number | undefined;
};

type Stored = {
  readonly v: 1;
  /** The lvs.cf that this is the history of. */
  readonly file: string;
  readonly state: ChangeState;
  /** Oldest first. */
  readonly versions: readonly Version[];
};

export class ChangeStore {
  readonly #directory: string;
  readonly #file: string;
  #stored: Stored;
  #isOwed = false;

  /** Throws a sentence when what is there cannot be read. */
  constructor(stateDirectory: string, configFile: string) {
    this.#directory = join(stateDirectory, 'history');
    this.#file = configFile;
    this.#stored = this.#read();
  }

  get state(): ChangeState {
    return this.#stored.state;
  }

  /** More has happened than the disk knows. */
  get isOwed(): boolean {
    return this.#isOwed;
  }

  /** Newest first. */
  get versions(): readonly Version[] {
    return this.#stored.versions.toReversed();
  }

  version(serial: number): Version | undefined {
    return this.#stored.versions.find((version) => version.serial === serial);
  }

  bytes(serial: number): Uint8Array | undefined {
    if (this.version(serial) === undefined) return undefined;
    return Uint8Array.from(readFileSync(this.#path(serial)));
  }

  /** The next number: above every one that was given, and at least this. */
  nextSerial(atLeast: number): number {
    const { state, versions } = this.#stored;
    const waiting = state.kind === 'settled' ? 0 : state.change.serial;
    return Math.max(waiting, atLeast - 1, ...versions.map(({ serial }) => serial)) + 1;
  }

  /** Throws a sentence when it cannot be written. `before`: a version that must stay, however old it is. */
  add(version: Version, bytes: Uint8Array, before?: number): void {
    this.#put(this.#path(version.serial), bytes);
    const versions = [...this.#stored.versions, version];
    this.#write(pruned({ ...this.#stored, versions }, before === undefined ? [] : [before]));
  }

  versionOf({ digest }: Pick<RunningFile, 'digest'>): Version | undefined {
    return this.versions.find((version) => version.digest === digest);
  }

  /** The number of this file's version; one that nobody knows was written without us, and is kept as `found`. */
  find(file: RunningFile, { wallMs, atLeast = 0, before }: Finding): number {
    const known = this.versionOf(file);
    if (known !== undefined) return known.serial;
    const { digest, bytes } = file;
    const serial = this.nextSerial(atLeast);
    const at = new Date(wallMs).toISOString();
    const about = { author: 'unknown', reason: 'stood in the file', state: 'found' } as const;
    this.add({ serial, at, ...about, digest, size: bytes.length }, bytes, before);
    return serial;
  }

  /** The state and the marks of a step, whole or not at all; throws a sentence when they cannot be written. */
  take(step: ChangeStep): void {
    this.#write(this.#after(step));
  }

  /** The same of a step that cannot be taken back: it holds at once. The sentence when it could not be written: `pay` later. */
  takeAnyway(step: ChangeStep): string | undefined {
    this.#stored = this.#after(step);
    this.#isOwed = true;
    return this.pay();
  }

  /** Writes what is owed; the sentence why it cannot be written. */
  pay(): string | undefined {
    try {
      this.#write(this.#stored);
      return undefined;
    } catch (error) {
      return systemErrorText(error);
    }
  }

  #after({ state, effects }: ChangeStep): Stored {
    const fates = new Map<number, ChangeFate>();
    const back: number[] = [];
    for (const effect of effects) {
      if (effect.kind === 'mark') fates.set(effect.serial, effect.fate);
      if (effect.kind === 'restore') back.push(effect.change.before);
    }
    const versions = this.#stored.versions.map((version) => {
      return { ...version, state: fates.get(version.serial) ?? version.state };
    });
    return pruned({ ...this.#stored, state, versions }, back);
  }

  #write(next: Stored): void {
    const text = `${JSON.stringify(next)}\n`;
    this.#put(join(this.#directory, 'changes.json'), new TextEncoder().encode(text));
    this.#stored = next;
    this.#isOwed = false;
    this.#forget();
  }

  #put(path: string, bytes: Uint8Array): void {
    try {
      mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
      replaceFile(path, bytes);
    } catch (error) {
      const why = systemErrorText(error);
      throw new Error(`the history of changes ${this.#directory} cannot be written: ${why}`);
    }
  }

  /** Files of versions that are no more. */
  #forget(): void {
    for (const name of readdirSync(this.#directory)) {
      const serial = Number(/^(\d+)\.cf$/.exec(name)?.[1] ?? Number.NaN);
      if (Number.isNaN(serial) || this.version(serial) !== undefined) continue;
      rmSync(this.#path(serial), { force: true });
    }
  }

  #path(serial: number): string {
    return join(this.#directory, `${serial}.cf`);
  }

  #read(): Stored {
    const empty: Stored = { v: 1, file: this.#file, state: SETTLED, versions: [] };
    const path = join(this.#directory, 'changes.json');
    let stored: unknown;
    try {
      stored = JSON.parse(readFileSync(path, 'utf8'));
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : '';
      // Where there can be no file there is none; whoever writes there hears why.
      if (code === 'ENOENT' || code === 'ENOTDIR') return empty;
      throw new Error(`the history of changes ${path} cannot be read: ${String(error)}`);
    }
    if (!isStored(stored)) throw new Error(`the history of changes ${path} is not ours`);
    // Another file's: its versions are not this one's, and a change that waits there is none of ours.
    return stored.file === this.#file ? stored : empty;
  }
}

/** Without the versions that are too old, but with those that a change needs, and these. */
function pruned(stored: Stored, needed: readonly number[]): Stored {
  const { state, versions } = stored;
  const waiting = state.kind === 'settled' ? [] : [state.change.serial, state.change.before];
  const isKept = ({ serial }: Version, index: number): boolean =>
    index >= versions.length - KEPT_VERSIONS || [...waiting, ...needed].includes(serial);
  return { ...stored, versions: versions.filter(isKept) };
}

function isStored(value: unknown): value is Stored {
  if (typeof value !== 'object' || value === null) return false;
  if (!('v' in value && 'file' in value && 'state' in value && 'versions' in value)) return false;
  const { state, versions } = value;
  const isState = typeof state === 'object' && state !== null && 'kind' in state;
  return value.v === 1 && typeof value.file === 'string' && isState && Array.isArray(versions);
}
