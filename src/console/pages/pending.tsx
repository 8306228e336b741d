/**
 * A change that waits for its confirmation, on every page: how long it has, who made it, and the two ways it can end. Whoever is
 * cut off by the change cannot press the button, and that is the point: it rolls itself back.
 */
import { computed, signal } from '@preact/signals';
import type { ConfigDocument, Pending } from './documents.ts';
import { happenings, now, session } from './live.ts';
import { ask } from './net.ts';
import { say } from './parts.tsx';

export const pending = signal<Pending | undefined>(undefined);
/** Counts up when the running file is another one: pages read it again. */
export const settled = signal(0);

/** Events that tell of a change of the configuration, ours or somebody else's. */
export const configEvents = computed(
  () => happenings.value.filter(({ kind }) => kind === 'config').length,
);

export async function lookForPending(): Promise<void> {
  const answer = await ask<ConfigDocument>('/v1/config');
  if (answer.ok) setPending(answer.value.pending);
}

export function setPending(next: Pending | undefined): void {
  const wasPending = pending.value !== undefined;
  pending.value = next;
  if (wasPending && next === undefined) settled.value++;
}

async function end(how: 'confirm' | 'rollback'): Promise<void> {
  const where = pending.value?.isBoth === true ? 'on both nodes' : 'on this node';
  const answer = await ask(`/v1/config/${how}`, { body: {} });
  if (!answer.ok) say('bad', answer.error.title);
  else say('good', how === 'confirm' ? `Confirmed ${where}.` : `Rolled back ${where}.`);
  await lookForPending();
  settled.value++;
}

export function PendingBar() {
  const change = pending.value;
  if (change === undefined) return null;
  const leftSeconds = Math.ceil((change.untilWallMs - now.value) / 1000);
  if (leftSeconds < -1) {
    // Its time is over: the director has rolled back by itself, or is about to.
    void lookForPending();
  }
  const rights = session.value?.rights;
  const time = `${Math.floor(Math.max(0, leftSeconds) / 60)}:${String(Math.max(0, leftSeconds) % 60).padStart(2, '0')}`;
  return (
    <div class="pending" role="alert">
      <strong>Confirm within {time}, or it rolls itself back.</strong>
      <span>
        {change.author} changed lvs.cf{change.isBoth ? ' on both nodes' : ' on this node'}
        {change.reason === '' ? '' : `: ${change.reason}`}
      </span>
      {rights !== undefined && rights !== 'look' && (
        <span class="actions">
          <button type="button" class="main" onClick={() => void end('confirm')}>
            Confirm
          </button>
          {rights === 'change' && (
            <button type="button" onClick={() => void end('rollback')}>
              Roll back now
            </button>
          )}
        </span>
      )}
    </div>
  );
}
