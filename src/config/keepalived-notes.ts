/** What an import tells of a line that is not carried over as it was, and how much of that is kept. */
import { shorten } from './problem.ts';

/**
 * `refused`: no lvs.cf comes of the file. `lost`: something it does will not be done. `changed`: done otherwise.
 * `needless`: done anyway, or has nothing to act on here.
 */
export type NoteKind = 'refused' | 'lost' | 'changed' | 'needless';

/** Where a statement stands: its line from 1 (0: the file as a whole), and the included file it is in, if any. */
export type Place = { readonly line: number; readonly file?: string };

export type Note = Place & {
  readonly kind: NoteKind;
  /** The word it is about. */
  readonly keyword: string;
  /** Without a final full stop. */
  readonly sentence: string;
};

/** How many are kept: a hostile file has a million lines. */
const MAX_NOTES = 2000;

export class Notes {
  readonly list: Note[] = [];

  get isRefused(): boolean {
    return this.list.some(({ kind }) => kind === 'refused');
  }

  /** `at` may be an entry: its key is the word. */
  add(kind: NoteKind, at: Place & { readonly key: string }, sentence: string): void {
    const { key, line, file } = at;
    const where = file === undefined ? { line } : { line, file };
    const note = { kind, ...where, keyword: shorten(key), sentence };
    if (this.list.length < MAX_NOTES) this.list.push(note);
    // A refusal is never crowded out; a last one says that there were more.
    else if (kind === 'refused') this.list[0] = note;
    else if (this.list.length === MAX_NOTES) {
      const more = `more than ${MAX_NOTES} statements are told; the rest is not`;
      this.list.push({ kind: 'lost', line: 0, keyword: 'file', sentence: more });
    }
  }
}
