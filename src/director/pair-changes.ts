/**
 * A change on both nodes or on neither: the standby first, because a file that breaks a director should break the one that
 * nobody leans on.
 *
 *   ask both -> half on the standby (waits) -> half on the active (waits) -> confirm both, the partner first
 *
 * Each half waits for its confirmation by its own clock, so whatever is cut in the middle, both go back by themselves.
 * What remains is the oldest problem of two: a confirmation whose answer is lost. Before a half goes back it asks the
 * partner once whether that one kept its own; only its history is a proof, since a half that is being tried stands in the
 * file, too. If it cannot be asked, it goes back and `diff --partner` shows it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { err, type Milliseconds, ok, type Result } from '../base/index.ts';
import type { Role } from '../model/index.ts';
import { digestText } from '../wire/index.ts';
import type { Version } from './change-store.ts';
import type { Applied, ApplyRequest, ChangeProblem, Changes, Undone } from './changes.ts';
import type { Partner, PartnerAnswer, PartnerQuestion } from './partner-client.ts';

/** Of a change on both that is to be kept at once: enough for both halves and their confirmation. */
const HALF_MS: Milliseconds = 30_000;
/** For the channel to be there again after the change; a courier is started anew within a few seconds. */
const PATIENCE_MS: Milliseconds = 10_000;
const AGAIN_MS: Milliseconds = 250;

export type PairParts = {
  readonly changes: Changes;
  readonly partner: Partner;
  readonly role: () => Role | undefined;
  /** Keeps the channel as it is until the work is done: one half must not cut off the other. */
  readonly holdingChannel: <T>(work: () => Promise<T>) => Promise<T>;
  readonly tell: (lines: readonly string[]) => void;
};

type Outcome<T> = Promise<Result<T, ChangeProblem>>;
type Half = { readonly text: string; readonly confirmMs: Milliseconds; readonly digest: string };

export class PairChanges {
  readonly #parts: PairParts;

  constructor(parts: PairParts) {
    this.#parts = parts;
  }

  /** On both nodes; `request.isVerbatim` is for halves and not asked here. */
  apply(request: ApplyRequest): Outcome<Applied> {
    const { changes } = this.#parts;
    return changes.alone(async () => {
      const old = changes.running();
      const why = changes.refusal(request.ifMatch, old.digest);
      if (why !== undefined) return err(why);
      const ours = changes.judge(request.text);
      if (!ours.ok) return ours;
      const there = await this.#look();
      if (!there.ok) return there;
      const text = changes.numbered(request.text, there.value.serialNo + 1);
      const judged = await this.#partner({ path: '/v1/config/check', body: { text } });
      if (!judged.ok) return judged;
      const wrong = problemsOf(judged.value);
      if (wrong.length > 0) {
        return err({
          reason: 'partner-refused',
          title: 'the partner refuses the file',
          lines: wrong,
        });
      }
      const half = { text, confirmMs: request.confirmMs ?? HALF_MS, digest: there.value.digest };
      const applied = await this.#parts.holdingChannel(() => this.#halves(request, half));
      if (!applied.ok || request.confirmMs !== undefined) return applied;
      const kept = await this.#confirmPatiently(request.author);
      if (!kept.ok) return kept;
      const { pending: _, steps, ...rest } = applied.value;
      return ok({ ...rest, steps: [...steps, 'kept on both nodes'] });
    });
  }

  confirm(by: string): Outcome<Version> {
    return this.#parts.changes.alone(() => this.#confirm(by));
  }

  undo(by: string): Outcome<Undone> {
    return this.#parts.changes.alone(async () => {
      const { changes } = this.#parts;
      const { pendingDigest } = changes;
      if (pendingDigest === undefined) return changes.undo(by); // which says that nothing waits
      const there = await this.#undoThere(by, pendingDigest);
      const undone = await changes.undo(by);
      if (!undone.ok) return undone;
      return ok({ ...undone.value, steps: [...there, ...undone.value.steps] });
    });
  }

  /** Has the partner kept the file of this digest, and has it still? */
  async isKeptThere(digest: string): Promise<boolean> {
    if ((await this.#digestThere()) !== digest) return false;
    const history = await this.#partner({ path: '/v1/config/history' });
    return history.ok && newestState(history.value, digest) === 'kept';
  }

  async #digestThere(): Promise<unknown> {
    const answer = await this.#partner({ path: '/v1/config' });
    return answer.ok ? answer.value.fields.get('digest') : undefined;
  }

  async #halves(request: ApplyRequest, half: Half): Outcome<Applied> {
    const isActive = this.#parts.role() === 'active';
    const steps: string[] = [];
    const here = () => this.#halfHere(request, half);
    const there = () => this.#halfThere(request, half, steps);
    const [first, second] = isActive ? [there, here] : [here, there];
    const one = await first();
    const back = async ({ error }: { readonly error: ChangeProblem }) => {
      const said = await this.#undoThere(request.author, digestText(half.text));
      return err({ ...error, lines: [...(error.lines ?? []), ...said] });
    };
    if (!one.ok) return isActive ? back(one) : one; // it may have it, its answer lost
    const two = await second();
    if (!two.ok) {
      const undone = await back(two);
      if (!isActive) await this.#parts.changes.undo(request.author);
      return undone;
    }
    const applied = isActive ? two.value : one.value;
    if (!('serial' in applied)) return err({ reason: 'refused', title: 'this node has no half' });
    return ok({
      ...applied,
      steps: isActive ? [...steps, ...applied.steps] : [...applied.steps, ...steps],
    });
  }

  #halfHere(request: ApplyRequest, { text, confirmMs }: Half): Outcome<Applied> {
    const half = { ...request, text, confirmMs, isVerbatim: true, isPair: true };
    return this.#parts.changes.apply(half);
  }

  async #halfThere(
    { author, reason }: ApplyRequest,
    { text, confirmMs, digest }: Half,
    steps: string[],
  ): Outcome<{ readonly isThere: true }> {
    const body = { text, confirmMs, author, reason, isVerbatim: true, isHalf: true };
    const path = '/v1/config/apply';
    const answer = await this.#partner({ path, body, ifMatch: digest, by: author });
    if (!answer.ok) return answer;
    const found = answer.value.fields.get('digest');
    if (found !== digestText(text)) {
      const title = `the partner runs ${String(found)} afterwards, which is another file`;
      return err({ reason: 'partner-refused', title });
    }
    steps.push(`version ${String(answer.value.fields.get('serial'))} is in force on the partner`);
    return ok({ isThere: true });
  }

  /** A change may move the channel itself: to another port, address or key. Both couriers need a moment for that. */
  async #confirmPatiently(by: string): Outcome<Version> {
    for (const limit = performance.now() + PATIENCE_MS; ; await sleep(AGAIN_MS)) {
      const kept = await this.#confirm(by);
      const isLate = performance.now() > limit;
      if (kept.ok || kept.error.reason !== 'no-partner' || isLate) return kept;
    }
  }

  async #confirm(by: string): Outcome<Version> {
    const { changes } = this.#parts;
    const { pending } = changes;
    if (pending?.isBoth === true) {
      const body = { isHalf: true };
      const there = await this.#partner({ path: '/v1/config/confirm', body, by });
      if (!there.ok) {
        const { pendingDigest } = changes;
        if (pendingDigest === undefined || !(await this.isKeptThere(pendingDigest))) {
          const title = `not confirmed: ${there.error.title}; both go back by themselves unless it is confirmed in time`;
          return err({ ...there.error, title });
        }
      }
    }
    return changes.confirm(by);
  }

  /** As far as it can be reached; if it cannot, its own clock does it. What there is to say of that, told already. */
  async #undoThere(by: string, digest: string): Promise<readonly string[]> {
    const body = { isHalf: true };
    const undone = await this.#partner({ path: '/v1/config/rollback', body, by });
    if (undone.ok) return [];
    let said = `the partner was not told to go back (${undone.error.title}): it does so when its time is over`;
    if (undone.error.reason === 'no-change-pending') {
      // It went back already, or never had it; or it keeps it.
      const there = await this.#digestThere();
      if (there !== undefined && there !== digest) return [];
      const what = there === digest ? 'keeps the change' : 'may keep the change';
      said = `the partner ${what}: see piranha diff --partner; push or pull makes both the same`;
    }
    this.#parts.tell([`${by}: ${said}`]);
    return [said];
  }

  /** The partner's file and whether a change waits there. */
  async #look(): Outcome<{ readonly digest: string; readonly serialNo: number }> {
    const answer = await this.#partner({ path: '/v1/config' });
    if (!answer.ok) return answer;
    const { fields } = answer.value;
    const [digest, serialNo] = [fields.get('digest'), fields.get('serialNo')];
    if (typeof digest !== 'string' || typeof serialNo !== 'number') {
      return err({ reason: 'no-partner', title: 'the partner does not say what it runs' });
    }
    if (fields.get('pending') !== undefined) {
      return err({
        reason: 'change-pending',
        title: 'a change waits on the partner for its confirmation',
      });
    }
    return ok({ digest, serialNo });
  }

  async #partner(question: PartnerQuestion): Outcome<PartnerAnswer> {
    const answer = await this.#parts.partner.ask(question);
    if (!answer.ok) return err({ reason: 'no-partner', title: answer.error });
    const { code, fields } = answer.value;
    if (code < 400) return ok(answer.value);
    const lines = fields.get('lines');
    return err({
      reason:
        fields.get('reason') === 'no-change-pending' ? 'no-change-pending' : 'partner-refused',
      title: `the partner: ${String(fields.get('title') ?? code)}`,
      ...(Array.isArray(lines) && { lines: lines.map(String) }),
    });
  }
}

/** What became of the last version there with this digest. */
function newestState({ fields }: PartnerAnswer, digest: string): unknown {
  const versions = fields.get('versions');
  if (!Array.isArray(versions)) return undefined;
  const known = versions.map((version: unknown) => new Map(Object.entries(version ?? {})));
  return known.find((version) => version.get('digest') === digest)?.get('state');
}

/** The errors among what a check found, as lines. */
function problemsOf({ fields }: PartnerAnswer): readonly string[] {
  const problems = fields.get('problems');
  if (!Array.isArray(problems)) return ['the partner did not judge the file'];
  return problems.flatMap((problem: unknown): readonly string[] => {
    if (typeof problem !== 'object' || problem === null) return [];
    const { severity, line, column, text } = {
      severity: '',
      line: 0,
      column: 0,
      text: '',
      ...problem,
    };
    return severity === 'error' ? [line === 0 ? text : `${line}:${column}: ${text}`] : [];
  });
}
