/**
 * What the worker tells main, in bounded amounts: a flood on the network must not become a flood of messages, for a
 * queue between threads has no bound of its own.
 *
 * Notes that a stranger can cause at will are told once a second and kind, with the number left out; troubles that
 * last are told when they begin and when their text changes.
 */
import { after, type Instant, type Milliseconds } from '../base/index.ts';
import type { Note } from '../core/index.ts';
import type { FromWorker } from './messages.ts';

const QUIET_MS: Milliseconds = 1000;

export class Teller {
  readonly #post: (message: FromWorker) => void;
  readonly #quiet = new Map<string, { until: Instant; suppressed: number }>();
  readonly #troubles = new Map<string, string>();

  constructor(post: (message: FromWorker) => void) {
    this.#post = post;
  }

  note(note: Note, at: Instant): void {
    const key = floodKey(note);
    if (key === undefined) {
      this.#post({ kind: 'note', note, at, suppressed: 0 });
      return;
    }
    const quiet = this.#quiet.get(key);
    if (quiet !== undefined && at < quiet.until) {
      quiet.suppressed++;
      return;
    }
    this.#quiet.set(key, { until: after(at, QUIET_MS), suppressed: 0 });
    this.#post({ kind: 'note', note, at, suppressed: quiet?.suppressed ?? 0 });
  }

  /** `text` undefined: the trouble of that name is over. */
  trouble(name: string, text: string | undefined): void {
    if (text === undefined) this.#troubles.delete(name);
    else if (this.#troubles.get(name) !== text) {
      this.#troubles.set(name, text);
      this.#post({ kind: 'trouble', text });
    }
  }
}

/** The kinds a sender can cause without limit. The sender is not part of the key: it can be forged. */
function floodKey(note: Note): string | undefined {
  if (note.kind === 'dropped') return `dropped ${note.reason}`;
  if (note.kind === 'hold') return `hold ${note.magic}`;
  return note.kind === 'split-brain-announce' || note.kind === 'late' ? note.kind : undefined;
}
