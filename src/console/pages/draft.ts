/**
 * The configuration that is being edited: one draft for all pages, the running file it began as, and what the daemon's own
 * parser says of it while it is typed.
 */
import { computed, signal } from '@preact/signals';
import type { Result } from '../../base/index.ts';
import {
  checkDocument,
  type Document,
  formatDocument,
  parseDocument,
  type SectionPath,
  type Verdict,
} from '../../config/index.ts';
import type { ConfigDocument, Trouble } from './documents.ts';
import { faultText, SectionView, setField } from './form.ts';
import type { Field } from './form-fields.ts';
import { ask } from './net.ts';
import { say } from './parts.tsx';

export const base = signal<ConfigDocument | undefined>(undefined);
export const trouble = signal<Trouble | undefined>(undefined);
export const text = signal('');
export const verdict = signal<Verdict>({ problems: [] });

const file = computed(() => base.value?.file ?? 'lvs.cf');
export const draft = computed<Document>(() => parseDocument(text.value, file.value));
export const isChanged = computed(() => base.value !== undefined && text.value !== base.value.text);

/** A file that is read in less than this is checked at each key; a longer one when the typing pauses. */
const AT_ONCE_CHARACTERS = 40_000;
const PAUSE_MS = 150;
let timer: ReturnType<typeof setTimeout> | undefined;

export function setText(next: string): void {
  text.value = next;
  clearTimeout(timer);
  const check = (): void => {
    verdict.value = checkDocument(draft.value);
  };
  if (next.length <= AT_ONCE_CHARACTERS) check();
  else timer = setTimeout(check, PAUSE_MS);
}

/** Reads the running file; a draft that was begun stays. */
export async function loadConfig(): Promise<void> {
  const answer = await ask<ConfigDocument>('/v1/config');
  if (!answer.ok) {
    trouble.value = answer.error;
    return;
  }
  trouble.value = undefined;
  const wasChanged = isChanged.value;
  if (wasChanged) return;
  base.value = answer.value;
  setText(answer.value.text);
}

export function discard(): void {
  if (base.value !== undefined) setText(base.value.text);
}

/** Takes the edit over, or says why it cannot be. */
export function change(edited: Result<Document, string>): boolean {
  if (edited.ok) setText(formatDocument(edited.value));
  else say('bad', faultText(edited.error));
  return edited.ok;
}

export function changeField(path: SectionPath, field: Field, value: string): void {
  change(setField(draft.value, path, field, value));
}

export function viewOf(path: SectionPath): SectionView {
  return new SectionView(draft.value, path, verdict.value.problems);
}
