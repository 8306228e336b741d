/**
 * Where changes of the configuration are asked for: what the API's routes and the partner's half of a change come to.
 * It chooses between one node and both, and says what a change would mean; the doing is in changes.ts and
 * pair-changes.ts. A history that cannot be read keeps nobody from running, only from changing.
 */
import { err, type Milliseconds, ok, type Result } from '../base/index.ts';
import { type Problem, parseSettings, unifiedDiff } from '../config/index.ts';
import { meaningOf } from '../core/index.ts';
import type { Role, Settings } from '../model/index.ts';
import { systemNames } from '../ports/index.ts';
import { digestText } from '../wire/index.ts';
import type { Version } from './change-store.ts';
import {
  type Applied,
  type ApplyRequest,
  type ChangeProblem,
  Changes,
  nothingWaits,
  type Pending,
  type Undone,
  waitingText,
} from './changes.ts';
import { channelLack } from './courier-keeper.ts';
import { PairChanges, type PairParts } from './pair-changes.ts';
import { type Partner, PartnerOverCourier } from './partner-client.ts';
import type { RunningConfiguration } from './running-configuration.ts';
import { readRunning } from './running-file.ts';
import { systemErrorText } from './sentences.ts';

export type ConfigDocument = {
  readonly v: 1;
  readonly file: string;
  readonly text: string;
  readonly digest: string;
  /** Of the text that runs; another one than `digest` when somebody wrote the file and did not reload. */
  readonly runningDigest: string;
  readonly serialNo: number;
  readonly pending?: Pending;
};

export type CheckDocument = {
  readonly v: 1;
  readonly digest: string;
  readonly problems: readonly (Pick<Problem, 'severity' | 'line' | 'column'> & {
    readonly text: string;
  })[];
};

export type DiffDocument = {
  readonly v: 1;
  readonly text: string;
  readonly meaning: readonly string[];
};

export type ChangeDeskParts = {
  readonly file: string;
  readonly stateDirectory: string;
  readonly runDirectory: string;
  readonly configuration: Pick<
    RunningConfiguration,
    'settings' | 'digest' | 'plan' | 'check' | 'reload'
  >;
  readonly role: () => Role | undefined;
  /** Settles when the kernel holds what the newest file asks for: undefined, or why it does not. */
  readonly settled: () => Promise<string | undefined>;
  /** Keeps the channel as it is until the work is done, whatever the file says of it by then. */
  readonly holdingChannel: PairParts['holdingChannel'];
  /** What an operator's word says beside the file. */
  readonly overrides: () => readonly string[];
  readonly tell: (lines: readonly string[]) => void;
  /** In place of the courier's, for tests. */
  readonly partner?: Partner;
};

type Outcome<T> = Promise<Result<T, ChangeProblem>>;

export class ChangeDesk {
  readonly #parts: ChangeDeskParts;
  readonly #changes: Result<Changes, ChangeProblem>;
  readonly #pair: PairChanges | undefined;
  readonly #partner: Partner;

  constructor(parts: ChangeDeskParts) {
    const { file, stateDirectory, runDirectory, configuration, settled, tell, role } = parts;
    this.#parts = parts;
    const lack = (): string | undefined => channelLack(configuration.plan);
    const partner = parts.partner ?? new PartnerOverCourier(runDirectory, lack);
    this.#partner = partner;
    try {
      const changes = new Changes({
        file,
        stateDirectory,
        configuration,
        settled,
        tell,
        wallMs: () => Date.now(),
        isKeptByPartner: (digest) => pair.isKeptThere(digest),
      });
      const pair = new PairChanges({
        changes,
        partner,
        role,
        holdingChannel: parts.holdingChannel,
        tell,
      });
      this.#changes = ok(changes);
      this.#pair = pair;
    } catch (error) {
      this.#changes = err({ reason: 'refused', title: systemErrorText(error) });
    }
  }

  begin(): void {
    if (this.#changes.ok) this.#changes.value.begin();
  }

  close(): void {
    if (this.#changes.ok) this.#changes.value.close();
  }

  config(): Result<ConfigDocument, ChangeProblem> {
    return this.#told(() => {
      const { file, configuration } = this.#parts;
      const { text, digest } = readRunning(file);
      const pending = this.#changes.ok ? this.#changes.value.pending : undefined;
      const { serialNo } = configuration.settings;
      const runningDigest = configuration.digest;
      const document = { v: 1, file, text, digest, runningDigest, serialNo } as const;
      return ok({ ...document, ...(pending !== undefined && { pending }) });
    });
  }

  /** Left to confirm what waits; 0: nothing waits. */
  get pendingMs(): Milliseconds {
    const pending = this.#changes.ok ? this.#changes.value.pending : undefined;
    return pending === undefined ? 0 : Math.max(0, pending.untilWallMs - Date.now());
  }

  /** What holds beside the file, in sentences. */
  beside(): readonly string[] {
    const pending = this.#changes.ok ? this.#changes.value.pending : undefined;
    const waits = pending === undefined ? [] : [waitingText(pending, Date.now())];
    return [...waits, ...this.#parts.overrides()];
  }

  /** Every problem of the text, and whether this machine could run by it. */
  check(text: string): CheckDocument {
    const { file, configuration } = this.#parts;
    const { settings, problems } = this.#parse(text);
    const found = problems.map(({ severity, line, column, message }) => {
      return { severity, line, column, text: message };
    });
    const judged = settings === undefined ? ok(undefined) : configuration.check(text);
    const ours = judged.ok ? [] : judged.error;
    const machine = ours.map((sentence) => {
      const bare = sentence.startsWith(`${file}: `) ? sentence.slice(file.length + 2) : sentence;
      return { severity: 'error', line: 0, column: 0, text: bare } as const;
    });
    return { v: 1, digest: digestText(text), problems: [...found, ...machine] };
  }

  /** Between a text (absent: the file here) and the file here, or the partner's. */
  async diff(text: string | undefined, against: 'running' | 'partner'): Outcome<DiffDocument> {
    const { file } = this.#parts;
    const running = this.#told(() => ok(readRunning(file)));
    if (!running.ok) return running;
    const here = running.value.text;
    if (against === 'running') {
      const overrides = this.#parts.overrides();
      return this.#diff({ text: here, name: file }, { text: text ?? here, name: 'new' }, overrides);
    }
    const there = await this.#partner.ask({ path: '/v1/config' });
    if (!there.ok) return err({ reason: 'no-partner', title: there.error });
    const theirs = there.value.fields.get('text');
    if (typeof theirs !== 'string') {
      return err({ reason: 'no-partner', title: 'the partner does not say what it runs' });
    }
    const name = text === undefined ? file : 'new';
    return this.#diff({ text: theirs, name: 'partner' }, { text: text ?? here, name }, []);
  }

  apply(request: ApplyRequest, isBoth: boolean): Outcome<Applied> {
    if (!this.#changes.ok) return Promise.resolve(this.#changes);
    const changes = this.#changes.value;
    if (isBoth && this.#pair !== undefined) return this.#pair.apply(request);
    return changes.alone(() => changes.apply(request));
  }

  /** `isHalf`: the partner asks for this node alone. */
  confirm(by: string, isHalf: boolean): Outcome<Version> {
    if (!this.#changes.ok) return Promise.resolve(this.#changes);
    const changes = this.#changes.value;
    if (!isHalf && this.#pair !== undefined) return this.#pair.confirm(by);
    return changes.alone(async () => changes.confirm(by));
  }

  undo(by: string, isHalf: boolean): Outcome<Undone> {
    if (!this.#changes.ok) return Promise.resolve(this.#changes);
    const changes = this.#changes.value;
    if (changes.pending === undefined) return Promise.resolve(err(nothingWaits()));
    if (!isHalf && changes.pending.isBoth && this.#pair !== undefined) return this.#pair.undo(by);
    return changes.alone(() => changes.undo(by));
  }

  history(): Result<readonly Version[], ChangeProblem> {
    return this.#with((changes) => ok(changes.versions));
  }

  version(
    serial: number,
  ): Result<{ readonly about: Version; readonly text: string }, ChangeProblem> {
    return this.#with((changes) => {
      const about = changes.versions.find((version) => version.serial === serial);
      const text = changes.versionText(serial);
      if (about !== undefined && text !== undefined) return ok({ about, text });
      const title = `there is no version ${serial} in the history`;
      return err({ reason: 'no-such-resource', title });
    });
  }

  #with<T>(work: (changes: Changes) => Result<T, ChangeProblem>): Result<T, ChangeProblem> {
    const changes = this.#changes;
    return changes.ok ? this.#told(() => work(changes.value)) : changes;
  }

  /** What the file system says becomes a sentence. */
  #told<T>(work: () => Result<T, ChangeProblem>): Result<T, ChangeProblem> {
    try {
      return work();
    } catch (error) {
      const title = `${this.#parts.file}: ${systemErrorText(error)}`;
      return err({ reason: 'refused', title });
    }
  }

  #diff(
    before: { readonly text: string; readonly name: string },
    after: { readonly text: string; readonly name: string },
    overrides: readonly string[],
  ): Result<DiffDocument, ChangeProblem> {
    const names = { before: before.name, after: after.name };
    const text = unifiedDiff(before.text, after.text, names);
    const [was, will] = [this.#parse(before.text), this.#parse(after.text)];
    const meaning = meaningOfTexts(was.settings, will.settings);
    return ok({ v: 1, text, meaning: [...meaning, ...overrides] });
  }

  #parse(text: string) {
    return parseSettings(text, { file: this.#parts.file, ...systemNames() });
  }
}

function meaningOfTexts(was: Settings | undefined, will: Settings | undefined): readonly string[] {
  if (will === undefined) return ['the new file cannot be run: see check'];
  return was === undefined ? ['the old file cannot be run'] : meaningOf(was, will);
}
