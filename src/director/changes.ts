/**
 * Changes of the running configuration, without fear: judged, installed, and undone unless confirmed in time.
 *
 *   apply: judge -> keep the old file -> write down -> replace the file -> reload -> the kernel agrees -> wait for confirm
 *
 * What waits and what undoes is decided in core/change.ts; this is the hand that does it on one node. Both nodes at
 * once: pair-changes.ts. One thing at a time: a second caller is told `busy` rather than made to wait behind a kernel.
 */
import { err, type Milliseconds, ok, type Result } from '../base/index.ts';
import { bumpSerial, formatDocument, parseDocument, setDirective } from '../config/index.ts';
import { type Change, type ChangeInput, changeWakeAt, stepChange } from '../core/index.ts';
import { digestText } from '../wire/index.ts';
import { keepAside, restoredText } from './change-recovery.ts';
import { ChangeStore, type Version, type VersionState } from './change-store.ts';
import { replaceFile } from './replace-file.ts';
import type { RunningConfiguration } from './running-configuration.ts';
import { type RunningFile, readRunning } from './running-file.ts';
import { systemErrorText } from './sentences.ts';

export type ChangeProblem = {
  readonly reason:
    | 'busy'
    | 'stale'
    | 'refused'
    | 'change-pending'
    | 'no-change-pending'
    | 'no-such-resource'
    | 'no-partner'
    | 'partner-refused';
  readonly title: string;
  readonly lines?: readonly string[];
};

export type ApplyRequest = {
  readonly text: string;
  /** Digest of the file that this was made from. */
  readonly ifMatch: string;
  /** Absent: kept at once. */
  readonly confirmMs?: Milliseconds;
  readonly author: string;
  readonly reason: string;
  /** To the byte, `serial_no` included: it comes from the partner. */
  readonly isVerbatim: boolean;
  /** One half of a change on both nodes. */
  readonly isPair: boolean;
  /** `serial_no` and version are at least this. */
  readonly atLeast?: number;
};

export type Applied = {
  readonly digest: string;
  readonly serial: number;
  readonly steps: readonly string[];
  readonly pending?: Pending;
};

/** What was undone. */
export type Undone = {
  /** The one that is in force again. */
  readonly version: Version;
  /** What else there is to say. */
  readonly steps: readonly string[];
};

/** A change that waits. */
export type Pending = {
  readonly serial: number;
  readonly author: string;
  readonly reason: string;
  readonly untilWallMs: number;
  readonly isBoth: boolean;
};

export type ChangesParts = {
  readonly file: string;
  readonly stateDirectory: string;
  readonly configuration: Pick<RunningConfiguration, 'settings' | 'check' | 'reload'>;
  /** Settles when the kernel holds what the new file asks for: undefined, or why it does not. */
  readonly settled: () => Promise<string | undefined>;
  readonly wallMs: () => number;
  readonly tell: (lines: readonly string[]) => void;
  /** The time of a change on both is over: did the partner keep its half? */
  readonly isKeptByPartner: (digest: string) => Promise<boolean>;
};

/** A longer wait than setTimeout can do is done in pieces. */
const LONGEST_WAIT_MS: Milliseconds = 60_000;
const AGAIN_MS: Milliseconds = 100;
type Outcome<T> = Promise<Result<T, ChangeProblem>>;

export class Changes {
  readonly #parts: ChangesParts;
  readonly #store: ChangeStore;
  #isBusy = false;
  #timer: NodeJS.Timeout | undefined;

  /** Throws a sentence when the history cannot be read. */
  constructor(parts: ChangesParts) {
    this.#parts = parts;
    this.#store = new ChangeStore(parts.stateDirectory, parts.file);
  }

  /** A change of an earlier life may still wait. */
  begin(): void {
    const { pending } = this;
    if (pending !== undefined) this.#parts.tell([waitingText(pending, this.#parts.wallMs())]);
    this.#arm();
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  /** Newest first. */
  get versions(): readonly Version[] {
    return this.#store.versions;
  }

  get pending(): Pending | undefined {
    const { state } = this.#store;
    if (state.kind !== 'pending') return undefined;
    const { serial, author, reason, isPair } = state.change;
    return { serial, author, reason, untilWallMs: state.untilWallMs, isBoth: isPair };
  }

  /** The file of a version. */
  versionText(serial: number): string | undefined {
    const bytes = this.#store.bytes(serial);
    return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
  }

  running(): RunningFile {
    return readRunning(this.#parts.file);
  }

  /** Only one at a time: `work` runs, or the caller is told that somebody else is at it. */
  async alone<T>(work: () => Outcome<T>): Outcome<T> {
    if (this.#isBusy) {
      return err({ reason: 'busy', title: 'another change is being carried out right now' });
    }
    this.#isBusy = true;
    try {
      return await work();
    } catch (error) {
      return err({ reason: 'refused', title: `${this.#parts.file}: ${systemErrorText(error)}` });
    } finally {
      this.#isBusy = false;
      this.#arm();
    }
  }

  /** On this node. Inside `alone`. */
  async apply(request: ApplyRequest): Outcome<Applied> {
    const old = this.running();
    const why = this.refusal(request.ifMatch, old.digest);
    if (why !== undefined) return err(why);
    const atLeast = this.#parts.configuration.settings.serialNo;
    if (digestText(request.text) === old.digest) {
      const serial = this.#store.versionOf(old)?.serial ?? this.#store.nextSerial(atLeast);
      return ok({ digest: old.digest, serial, steps: ['nothing to do: this file runs already'] });
    }
    const text = request.isVerbatim ? request.text : this.numbered(request.text, request.atLeast);
    const checked = this.judge(text);
    if (!checked.ok) return checked;
    const before = this.#store.find(old, this.#parts.wallMs(), atLeast);
    const serial = this.#store.nextSerial(checked.value);
    const { author, reason, isPair, confirmMs } = request;
    const change: Change = { serial, author, reason, before, isPair };
    this.#keep(change, text, 'failed');
    this.#obey({ kind: 'apply', change, ...(confirmMs !== undefined && { confirmMs }) });
    const refused = await this.#putInForce();
    if (refused !== undefined) {
      this.#obey({ kind: 'failed' });
      await this.#parts.configuration.reload();
      return err({ reason: 'refused', title: 'it could not be put in force', lines: refused });
    }
    this.#obey({ kind: 'applied', wallMs: this.#parts.wallMs() });
    const { pending } = this;
    const waits = confirmMs === undefined ? '' : `, to be confirmed within ${confirmMs / 1000} s`;
    this.#parts.tell([`version ${serial} by ${author} is in force${waits} (applied)`]);
    return ok({
      digest: digestText(text),
      serial,
      steps: [`version ${serial} is in force`],
      ...(pending !== undefined && { pending }),
    });
  }

  /** Inside `alone`. */
  confirm(by: string): Result<Version, ChangeProblem> {
    const { state } = this.#store;
    if (!this.#obey({ kind: 'confirm' }) || state.kind === 'settled') return err(nothingWaits());
    this.#parts.tell([`version ${state.change.serial} confirmed by ${by} (confirmed)`]);
    return this.#versionAnswer(state.change.serial);
  }

  /** Undoes what waits. Inside `alone`. */
  async undo(by: string): Outcome<Undone> {
    const { state } = this.#store;
    const steps: string[] = [];
    if (!this.#obey({ kind: 'undo' }, steps) || state.kind === 'settled')
      return err(nothingWaits());
    this.#parts.tell([`version ${state.change.serial} undone by ${by}`]);
    await this.#parts.configuration.reload();
    const version = this.#versionAnswer(state.change.before);
    return version.ok ? ok({ version: version.value, steps }) : version;
  }

  /** Why a change that was made from the file `ifMatch` cannot be applied now; undefined: it can. */
  refusal(ifMatch: string, digest: string): ChangeProblem | undefined {
    const { pending } = this;
    if (pending !== undefined) {
      return { reason: 'change-pending', title: waitingText(pending, this.#parts.wallMs()) };
    }
    if (ifMatch === digest) return undefined;
    const title = `the file is ${digest} now, this change was made from ${ifMatch}: read it again`;
    return { reason: 'stale', title };
  }

  /** Its `serial_no`, or everything against it on this machine. */
  judge(text: string): Result<number, ChangeProblem> {
    const checked = this.#parts.configuration.check(text);
    if (checked.ok) return ok(checked.value.serialNo);
    return err({ reason: 'refused', title: 'the file is refused', lines: checked.error });
  }

  /** The text with the next `serial_no`, where it has one. */
  numbered(text: string, atLeast = 0): string {
    const document = parseDocument(text, this.#parts.file);
    const bumped = bumpSerial(document);
    // No such directive, or no number: the text is nobody's to complete.
    if (!bumped.ok || bumped.value.lines.length !== document.lines.length) return text;
    const found = this.#parts.configuration.check(formatDocument(bumped.value));
    if (!found.ok) return text;
    const ours = Math.max(found.value.serialNo, this.#parts.configuration.settings.serialNo + 1);
    const serial = Math.max(atLeast, this.#store.nextSerial(ours));
    const numbered = setDirective(document, {}, 'serial_no', [String(serial)]);
    return numbered.ok ? formatDocument(numbered.value) : text;
  }

  /** Reloads and waits for the kernel; undefined, or the sentences why not. */
  async #putInForce(): Promise<readonly string[] | undefined> {
    const reloaded = await this.#parts.configuration.reload();
    if (!reloaded.ok) return reloaded.error;
    const refusal = await this.#parts.settled();
    return refusal === undefined ? undefined : [refusal];
  }

  /** The machine takes a step: the state is on the disk before a new file, and after an old one is back. */
  #obey(input: ChangeInput, steps: string[] = []): boolean {
    const { file, tell, wallMs } = this.#parts;
    const old = this.#store.state;
    const step = stepChange(old, input);
    if (!step.ok) return false;
    const { state, effects } = step.value;
    const restores = effects.some(({ kind }) => kind === 'restore');
    if (!restores && state !== old) this.#store.setState(state);
    for (const effect of effects) {
      if (effect.kind === 'mark') this.#store.mark(effect.serial, effect.fate);
      else {
        const { serial, before } = effect.change;
        const wanted = effect.kind === 'install' ? serial : before;
        const bytes = this.#store.bytes(wanted);
        if (bytes === undefined) throw new Error(`version ${wanted} is not in the history`);
        if (effect.kind === 'restore') steps.push(...keepAside(this.#store, file, wallMs()));
        replaceFile(file, bytes);
        if (effect.kind === 'restore') tell([restoredText(old, effect.why), ...steps]);
      }
    }
    if (restores) this.#store.setState(state);
    return true;
  }

  #keep({ serial, author, reason }: Change, text: string, state: VersionState): void {
    const bytes = new TextEncoder().encode(text);
    const at = new Date(this.#parts.wallMs()).toISOString();
    const digest = digestText(text);
    this.#store.add({ serial, at, author, reason, digest, state, size: bytes.length }, bytes);
  }

  #versionAnswer(serial: number): Result<Version, ChangeProblem> {
    const version = this.#store.version(serial);
    return version === undefined ? err(nothingWaits()) : ok(version);
  }

  #arm(): void {
    clearTimeout(this.#timer);
    const wakeAt = changeWakeAt(this.#store.state);
    if (wakeAt === undefined) return;
    const waitMs = Math.max(1, Math.min(LONGEST_WAIT_MS, wakeAt - this.#parts.wallMs()));
    this.#timer = setTimeout(() => void this.#wake(), waitMs);
  }

  async #wake(): Promise<void> {
    const { state } = this.#store;
    const { wallMs, tell, configuration, isKeptByPartner } = this.#parts;
    if (state.kind !== 'pending' || wallMs() < state.untilWallMs) return this.#arm();
    if (this.#isBusy) {
      this.#timer = setTimeout(() => void this.#wake(), AGAIN_MS);
      return;
    }
    const done = await this.alone(async () => {
      // Its word may have got lost on the way back: then both keep the change.
      const isKept = state.change.isPair && (await isKeptByPartner(this.running().digest));
      if (isKept) return this.confirm('the partner');
      if (this.#obey({ kind: 'wake', wallMs: wallMs() })) await configuration.reload();
      return ok(undefined);
    });
    if (!done.ok) tell([`a change could not be undone: ${done.error.title} (trouble)`]);
  }
}

export function nothingWaits(): ChangeProblem {
  return { reason: 'no-change-pending', title: 'no change waits for a confirmation' };
}

/** `version 8 by alice (ticket 4411) waits for its confirmation, 42 s left` */
export function waitingText(
  { serial, author, reason, untilWallMs }: Pending,
  wallMs: number,
): string {
  const left = Math.max(0, Math.round((untilWallMs - wallMs) / 1000));
  const why = reason === '' ? '' : ` (${reason})`;
  return `version ${serial} by ${author}${why} waits for its confirmation, ${left} s left`;
}
