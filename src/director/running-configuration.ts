/**
 * The configuration that this director runs by, and how another takes its place.
 *
 * The whole new file is judged as at a start; one that could not be started with changes nothing. Then the worker, which
 * may still be refused by the kernel, goes first, and the virtual services follow when it has answered.
 */
import { err, type Milliseconds, ok, type Result } from '../base/index.ts';
import type { PortError, Settings } from '../model/index.ts';
import { type Judged, judge } from './judge.ts';
import { type PulsePlan, tooTight } from './plan.ts';
import { refusedText } from './sentences.ts';
import type { ServicesRunner } from './services-runner.ts';

/** What changed, in words; or every sentence that is wrong with the file. */
export type ReloadOutcome = Result<readonly string[], readonly string[]>;

type Candidate = Pick<Judged, 'settings' | 'plan' | 'warnings' | 'configDigest'>;
type Waiting = Candidate & { readonly settle: (outcome: ReloadOutcome) => void };

export type ConfigurationParts = {
  readonly file: string;
  readonly post: (plan: PulsePlan) => void;
  readonly services: () => ServicesRunner | undefined;
  /** How late the worker's timer was at worst, at the start. */
  readonly worstLateMs: () => Milliseconds;
  readonly isStopping: () => boolean;
  readonly tell: (lines: readonly string[]) => void;
  /** A reload was refused, or these settings are in force from now on. */
  readonly onReload: (used: Settings | undefined) => void;
};

export class RunningConfiguration {
  readonly #parts: ConfigurationParts;
  readonly #node: Judged['node'];
  #current: Candidate;
  /** Reloads that the worker has not answered, oldest first. */
  readonly #waiting: Waiting[] = [];

  constructor(judged: Judged, parts: ConfigurationParts) {
    this.#parts = parts;
    this.#node = judged.node;
    this.#current = judged;
  }

  get settings(): Settings {
    return this.#current.settings;
  }

  get plan(): PulsePlan {
    return this.#current.plan;
  }

  /** Sentences about what is in force all the same. */
  get warnings(): readonly string[] {
    return this.#current.warnings;
  }

  /** Of the text that is in force, as the heartbeats carry it. */
  get digest(): string {
    return this.#current.configDigest;
  }

  reload(): Promise<ReloadOutcome> {
    const { tell, post } = this.#parts;
    if (this.#parts.isStopping()) return Promise.resolve(err(['the director is stopping']));
    const next = this.#judge();
    if (!next.ok) {
      this.#parts.onReload(undefined);
      tell([...next.error, 'reload refused: the running configuration stays (reload-refused)']);
      return Promise.resolve(next);
    }
    tell(next.value.warnings);
    return new Promise((settle) => {
      this.#waiting.push({ ...next.value, settle });
      post(next.value.plan);
    });
  }

  /** Could this text take the file's place? Its settings, or every sentence against it; nothing is touched. */
  check(text: string): Result<Settings, readonly string[]> {
    const judged = this.#judge(text);
    return judged.ok ? ok(judged.value.settings) : judged;
  }

  /** What a reload would do; nothing is touched. */
  async preview(): Promise<ReloadOutcome> {
    const next = this.#judge();
    if (!next.ok) return next;
    return ok(this.#parts.services()?.preview(next.value.settings) ?? []);
  }

  /** The worker has answered the oldest reload. */
  answered(refusal: PortError | undefined): void {
    const { tell, services, onReload } = this.#parts;
    const next = this.#waiting.shift();
    if (next === undefined) return;
    if (refusal !== undefined) {
      onReload(undefined);
      const why = refusedText(refusal);
      tell([why, 'reload refused: the running configuration stays (reload-refused)']);
      next.settle(err([why]));
      return;
    }
    const { settings } = next;
    const changes = services()?.preview(settings) ?? [];
    this.#current = next;
    onReload(settings);
    services()?.reload(settings);
    next.settle(ok(changes));
    tell([`rereading configuration file: done (serial_no ${settings.serialNo})`]);
  }

  #judge(text?: string): Result<Candidate, readonly string[]> {
    const judged = judge(this.#parts.file, text);
    if (!judged.ok) return judged;
    const { node, plan, settings } = judged.value;
    if (node !== this.#node) {
      return err([`${settings.file}: this machine would be the ${node}: that needs a restart`]);
    }
    const complaint = tooTight(plan.failover, this.#parts.worstLateMs());
    if (complaint !== undefined) return err([`${settings.file}: ${complaint}`]);
    if (settings.service !== this.#current.settings.service) {
      return err([`${settings.file}: service = ${settings.service}: that needs a restart`]);
    }
    if (settings.dataPlane !== this.#current.settings.dataPlane) {
      return err([`${settings.file}: dataplane = ${settings.dataPlane}: that needs a restart`]);
    }
    return ok(judged.value);
  }
}
