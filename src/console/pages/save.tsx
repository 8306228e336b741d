/**
 * Save: check, see what would change and what it means, apply on both nodes with a time to confirm. Nothing is saved without
 * having been seen, and nothing that somebody else saved meanwhile is overwritten: then both changes are shown.
 */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { ApplyDocument, ConfigDocument, DiffDocument } from './documents.ts';
import { base, discard, isChanged, loadConfig, setText, text, verdict } from './draft.ts';
import { mayChange } from './editor.tsx';
import { changedLines, diffLines } from './form.ts';
import { mergeTexts, unifiedText } from './line-diff.ts';
import { session } from './live.ts';
import { ask } from './net.ts';
import { Dialog, say } from './parts.tsx';
import { setPending, settled } from './pending.tsx';
import { counted } from './words.ts';

export function SaveBar() {
  const isOpen = useSignal(false);
  const lines = changedLines(base.value?.text ?? '', text.value);
  const hasErrors = verdict.value.settings === undefined;
  useEffect(() => {
    void loadConfig();
  }, [settled.value]);
  useEffect(() => {
    const warn = (event: BeforeUnloadEvent): void => {
      if (isChanged.value) event.preventDefault();
    };
    addEventListener('beforeunload', warn);
    return () => removeEventListener('beforeunload', warn);
  }, []);
  if (!mayChange()) {
    return (
      <p class="save dim">You may look at the configuration; changing it needs another login.</p>
    );
  }
  return (
    <div class="save">
      <span role="status">
        {lines === 0
          ? 'No change.'
          : `${counted(lines, 'line')} changed${hasErrors ? '; the errors come first' : ''}.`}
      </span>
      <span class="actions">
        <button type="button" disabled={lines === 0} onClick={discard}>
          Discard
        </button>
        <button
          type="button"
          class="main"
          disabled={lines === 0 || hasErrors}
          onClick={() => {
            isOpen.value = true;
          }}
        >
          Review and save …
        </button>
      </span>
      {isOpen.value && (
        <Review
          onClose={() => {
            isOpen.value = false;
          }}
        />
      )}
    </div>
  );
}

const TIMES = [10, 30, 60, 120, 300, 600] as const;
const USUAL_SECONDS = 60;

function Review({ onClose }: { onClose: () => void }) {
  const diff = useSignal<DiffDocument | undefined>(undefined);
  const theirs = useSignal<ConfigDocument | undefined>(undefined);
  const trouble = useSignal<string | undefined>(undefined);
  const reason = useSignal('');
  const seconds = useSignal<number>(USUAL_SECONDS);
  const isBoth = useSignal(true);
  const isWorking = useSignal(false);
  const candidate = text.value;
  useEffect(() => {
    void ask<DiffDocument>('/v1/config/diff', {
      body: { text: candidate, against: 'running' },
    }).then((answer) => {
      if (answer.ok) diff.value = answer.value;
      else trouble.value = answer.error.title;
    });
  }, [candidate, diff, trouble]);
  const apply = async (): Promise<void> => {
    const { digest } = base.value ?? { digest: '' };
    isWorking.value = true;
    const author = session.value?.user;
    const answer = await ask<ApplyDocument>('/v1/config/apply', {
      ifMatch: digest,
      body: {
        text: candidate,
        confirmMs: seconds.value * 1000,
        isBoth: isBoth.value,
        ...(author !== undefined && { author }),
        ...(reason.value !== '' && { reason: reason.value }),
      },
    });
    isWorking.value = false;
    if (answer.ok) {
      setPending(answer.value.pending);
      say('good', 'Applied. Look whether all is well, then confirm.');
      discard();
      await loadConfig();
      onClose();
    } else if (answer.error.status === 412) {
      const now = await ask<ConfigDocument>('/v1/config');
      if (now.ok) theirs.value = now.value;
    } else {
      trouble.value = [answer.error.title, ...(answer.error.lines ?? [])].join(' ');
    }
  };
  if (theirs.value !== undefined) return <Conflict theirs={theirs.value} onClose={onClose} />;
  return (
    <Dialog title="Review the change" class="big" onClose={onClose}>
      {trouble.value !== undefined && <p class="notice bad">✗ {trouble.value}</p>}
      {diff.value === undefined ? (
        trouble.value === undefined && <p>Asking what it would change …</p>
      ) : (
        <>
          <h3>What it means</h3>
          <ul class="meaning">
            {diff.value.meaning.map((sentence) => (
              <li key={sentence}>{sentence}</li>
            ))}
          </ul>
          <DiffView title="Lines that change" text={diff.value.text} />
        </>
      )}
      <div class="fields">
        <p class="field">
          <label for="save-reason">Reason, for the history</label>
          <span class="input">
            <input
              id="save-reason"
              type="text"
              maxLength={200}
              value={reason.value}
              onInput={(event) => {
                reason.value = event.currentTarget.value;
              }}
            />
          </span>
        </p>
        <p class="field">
          <label for="save-seconds">To be confirmed within</label>
          <span class="input">
            <select
              id="save-seconds"
              value={seconds.value}
              onChange={(event) => {
                seconds.value = Number(event.currentTarget.value);
              }}
            >
              {TIMES.map((time) => (
                <option key={time} value={time}>
                  {time} s
                </option>
              ))}
            </select>
          </span>
        </p>
        <p class="field">
          <label for="save-both">On both nodes, standby first</label>
          <span class="input">
            <input
              id="save-both"
              type="checkbox"
              checked={isBoth.value}
              onChange={(event) => {
                isBoth.value = event.currentTarget.checked;
              }}
            />
          </span>
        </p>
      </div>
      <p class="actions">
        <button
          type="button"
          class="main"
          disabled={isWorking.value || diff.value === undefined}
          onClick={() => void apply()}
        >
          {isWorking.value
            ? 'Applying …'
            : isBoth.value
              ? 'Apply on both nodes'
              : 'Apply on this node'}
        </button>
      </p>
    </Dialog>
  );
}

/** Somebody saved meanwhile. Nothing is lost: both changes stand here, and where they do not touch they can be joined. */
function Conflict({ theirs, onClose }: { theirs: ConfigDocument; onClose: () => void }) {
  const start = base.value?.text ?? '';
  const joined = mergeTexts(start, text.value, theirs.text);
  const goOn = (next: string): void => {
    base.value = theirs;
    setText(next);
    onClose();
  };
  return (
    <Dialog title="Somebody else saved meanwhile" class="big" onClose={onClose}>
      <p>
        The running file is no longer the one that you began with. Nothing was saved, and nothing is
        lost: both changes are below.
      </p>
      <div class="halves">
        <DiffView title="What you changed" text={unifiedText(start, text.value)} />
        <DiffView title="What was saved meanwhile" text={unifiedText(start, theirs.text)} />
      </div>
      <p class="actions">
        {joined !== undefined && (
          <button type="button" class="main" onClick={() => goOn(joined)}>
            Join both changes and review again
          </button>
        )}
        <button type="button" onClick={() => goOn(text.value)}>
          Keep my text, on top of theirs
        </button>
        <button type="button" onClick={() => goOn(theirs.text)}>
          Take theirs, drop mine
        </button>
      </p>
      {joined === undefined && (
        <p class="dim">Both touch the same lines: a person has to decide.</p>
      )}
    </Dialog>
  );
}

const SIGNS = { added: '+', removed: '−', same: ' ', hunk: ' ' } as const;

export function DiffView({ title, text: unified }: { title: string; text: string }) {
  const lines = diffLines(unified);
  return (
    <section class="diff">
      <h3>{title}</h3>
      {lines.length === 0 ? (
        <p class="dim">No line.</p>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
        <section class="diff-lines" tabIndex={0} aria-label={title}>
          {lines.map(({ kind, text: line }, index) => (
            <div key={index} class={kind}>
              <span aria-hidden="true">{SIGNS[kind]}</span>
              {kind === 'added' && <span class="unseen">added: </span>}
              {kind === 'removed' && <span class="unseen">removed: </span>}
              <code>{line}</code>
            </div>
          ))}
        </section>
      )}
    </section>
  );
}
