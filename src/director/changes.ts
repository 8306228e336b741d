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
import { putBack, restoredText, restoreOf } from './change-recovery.ts';
import { ChangeStore, type Version } from './change-store.ts';
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
  readonly configuration: Pick<RunningConfiguration, 'settings' | 'digest' | 'check' | 'reload'>;
  /** Settles when the kernel holds what the new file asks for: undefined, or why it does not. */
  readonly settled: () => Promise<string | undefined>;
  readonly wallMs: () => number;
  readonly tell: (lines: readonly string[]) => void;
  /** The time of a change on both is over: did the partner keep its half? */
  readonly isKeptByPartner: (digest: string) => Promise<boolean>;
};

/** A longer wait than setTimeout can do is done in pieces. */
const LONGEST_WAIT_MS: Milliseconds = 60_000;
const BUSY_MS: Milliseconds = 100;
/** What could not be done is tried again after this, then after twice as long each time, up to the longest wait. */
const AGAIN_MS: Milliseconds = 1000;
type Outcome<T> = Promise<Result<T, ChangeProblem>>;

export class Changes {
  readonly #parts: ChangesParts;
  readonly #store: ChangeStore;
  #isBusy = false;
  #timer: NodeJS.Timeout | undefined;
  #againMs: Milliseconds = 0;

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

  /** Of the file whose change waits. */
  get pendingDigest(): string | undefined {
    const { state } = this.#store;
    return state.kind === 'pending' ? this.#store.version(state.change.serial)?.digest : undefined;
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
    const { settings, digest: runs } = this.#parts.configuration;
    const atLeast = settings.serialNo;
    // One half of a change waits all the same: its confirmation is the other half's.
    const isHere = digestText(request.text) === old.digest && runs === old.digest;
    if (isHere && !request.isPair) {
      const serial = this.#store.versionOf(old)?.serial ?? this.#store.nextSerial(atLeast);
      return ok({ digest: old.digest, serial, steps: ['nothing to do: this file runs already'] });
    }
    const text = request.isVerbatim ? request.text : this.numbered(request.text, request.atLeast);
    const checked = this.judge(text);
    if (!checked.ok) return checked;
    // The way back is to what runs; what was written by hand since has never been tried.
    const ran = this.#store.versionOf({ digest: runs })?.serial;
    const wallMs = this.#parts.wallMs();
    const stood = this.#store.find(old, { wallMs, atLeast, before: ran });
    const before = ran ?? stood;
    const serial = this.#store.nextSerial(checked.value);
    const { author, reason, isPair, confirmMs } = request;
    const change: Change = { serial, author, reason, before, isPair };
    this.#keep(change, text);
    const input = { kind: 'apply', change, ...(confirmMs !== undefined && { confirmMs }) } as const;
    const refused = await this.#putInForce(input);
    if (refused !== undefined) {
      const lines = [...refused, ...(await this.#disarm())];
      return err({ reason: 'refused', title: 'it could not be put in force', lines });
    }
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
    const { state } = this.#store;
    if (state.kind === 'trying') {
      const { serial, author, before } = state.change;
      const title = `version ${serial} by ${author} could not be put in force, nor version ${before} back yet: see the log`;
      return { reason: 'change-pending', title };
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

  /** Until the kernel agrees and the disk knows; undefined, or the sentences why not. */
  async #putInForce(apply: ChangeInput): Promise<readonly string[] | undefined> {
    const { file, configuration, settled, wallMs } = this.#parts;
    try {
      if (!this.#obey(apply)) return ['another change is being tried'];
      const reloaded = await configuration.reload();
      if (!reloaded.ok) return reloaded.error;
      const refusal = await settled();
      if (refusal !== undefined) return [refusal];
      return this.#obey({ kind: 'applied', wallMs: wallMs() }) ? undefined : ['it was taken back'];
    } catch (error) {
      return [`${file}: ${systemErrorText(error)}`];
    }
  }

  /** What could not be put in force goes back at once; the sentence when that cannot be done now either. */
  async #disarm(): Promise<readonly string[]> {
    try {
      if (this.#obey({ kind: 'failed' })) await this.#parts.configuration.reload();
      return [];
    } catch (error) {
      const why = systemErrorText(error);
      this.#later(why);
      return [why];
    }
  }

  /** The machine takes a step: the disk knows of it before a new file stands, and after an old one is back. */
  #obey(input: ChangeInput, steps: string[] = []): boolean {
    const { file, tell, wallMs } = this.#parts;
    const old = this.#store.state;
    const step = stepChange(old, input);
    if (!step.ok) return false;
    const back = restoreOf(step.value);
    if (back !== undefined) {
      steps.push(...putBack(this.#store, file, back.change.before, wallMs()));
      tell([restoredText(old, back.why), ...steps]);
      const owed = this.#store.takeAnyway(step.value);
      if (owed !== undefined) {
        steps.push(owed);
        this.#later(owed);
      }
      return true;
    }
    if (step.value.state !== old) this.#store.take(step.value);
    for (const effect of step.value.effects) {
      if (effect.kind !== 'install') continue;
      const { serial } = effect.change;
      const bytes = this.#store.bytes(serial);
      if (bytes === undefined) throw new Error(`version ${serial} is not in the history`);
      replaceFile(file, bytes);
    }
    return true;
  }

  /** A version that is `failed` until it is in force. */
  #keep({ serial, author, reason, before }: Change, text: string): void {
    const bytes = new TextEncoder().encode(text);
    const at = new Date(this.#parts.wallMs()).toISOString();
    const about = { serial, at, author, reason, digest: digestText(text), size: bytes.length };
    this.#store.add({ ...about, state: 'failed' }, bytes, before);
  }

  #versionAnswer(serial: number): Result<Version, ChangeProblem> {
    const version = this.#store.version(serial);
    return version === undefined ? err(nothingWaits()) : ok(version);
  }

  /** Until there is something to do; 0: it could have been done already; undefined: nothing is. */
  #dueMs(): Milliseconds | undefined {
    const { state, isOwed } = this.#store;
    if (isOwed || state.kind === 'trying') return 0;
    const wakeAt = changeWakeAt(state);
    return wakeAt === undefined ? undefined : Math.max(0, wakeAt - this.#parts.wallMs());
  }

  #arm(): void {
    clearTimeout(this.#timer);
    const dueMs = this.#dueMs();
    if (dueMs !== 0) this.#againMs = 0;
    if (dueMs === undefined) return;
    const waitMs = Math.max(1, this.#againMs, Math.min(LONGEST_WAIT_MS, dueMs));
    this.#timer = setTimeout(() => void this.#wake(), waitMs);
  }

  /** It cannot be done now: told once, tried again and again. */
  #later(why: string): void {
    if (this.#againMs === 0) this.#parts.tell([`${why}; tried again until it is done (trouble)`]);
    this.#againMs = Math.min(LONGEST_WAIT_MS, Math.max(AGAIN_MS, 2 * this.#againMs));
  }

  async #wake(): Promise<void> {
    if (this.#isBusy) {
      this.#timer = setTimeout(() => void this.#wake(), BUSY_MS);
      return;
    }
    if (this.#dueMs() !== 0) return this.#arm();
    await this.alone(async () => {
      try {
        await this.#catchUp();
      } catch (error) {
        this.#later(systemErrorText(error));
      }
      return ok(undefined);
    });
  }

  /** What is due: the history on the disk, the way back from what failed, or the end of a wait. Throws why it cannot be done. */
  async #catchUp(): Promise<void> {
    const { state } = this.#store;
    const { wallMs, configuration, isKeptByPartner } = this.#parts;
    if (state.kind === 'settled') {
      const owed = this.#store.pay();
      if (owed !== undefined) this.#later(owed);
      return;
    }
    const { pendingDigest } = this;
    // Its word may have got lost on the way back: then both keep the change.
    const asks = state.change.isPair && pendingDigest !== undefined;
    if (asks && (await isKeptByPartner(pendingDigest))) {
      this.confirm('the partner');
      return;
    }
    const failed = { kind: 'failed' } as const;
    const wake = { kind: 'wake', wallMs: wallMs() } as const;
    if (this.#obey(state.kind === 'trying' ? failed : wake)) await configuration.reload();
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
