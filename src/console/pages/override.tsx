/** An operator's word about one real server: drain it, take it out, hold it in; for a time, so that nobody forgets it. */
import { signal, useSignal } from '@preact/signals';
import { ask } from './net.ts';
import { Dialog, say } from './parts.tsx';

const KINDS = {
  drain: 'Drain: no new connections, the others finish',
  disable: 'Take it out of the table at once',
  'force-up': 'Hold it in service, whatever its checks say',
} as const;
type Kind = keyof typeof KINDS;

const minute = 60_000;
const TIMES = [
  [10 * minute, '10 minutes'],
  [30 * minute, '30 minutes'],
  [120 * minute, '2 hours'],
  [24 * 60 * minute, 'a day'],
  [0, 'until it is lifted'],
] as const;

/** Of this director; the partner's table is the partner's. */
export async function override(target: string, kind: Kind | 'lift', forMs = 0): Promise<void> {
  const body = { target, kind, ...(forMs > 0 && { forMs }) };
  const answer = await ask('/v1/servers', { body });
  if (!answer.ok) say('bad', answer.error.title);
  else say('good', kind === 'lift' ? `${target}: lifted.` : `${target}: ${kind}, on this node.`);
}

/** `service/server` that is asked about; the dialog stands outside of the row, which may scroll away. */
export const askedAbout = signal<string | undefined>(undefined);

export function OverrideDialog() {
  const target = askedAbout.value;
  const onClose = (): void => {
    askedAbout.value = undefined;
  };
  return target === undefined ? null : <Question target={target} onClose={onClose} />;
}

function Question({ target, onClose }: { target: string; onClose: () => void }) {
  const kind = useSignal<Kind>('drain');
  const forMs = useSignal<number>(30 * minute);
  return (
    <Dialog title={target} onClose={onClose}>
      <fieldset class="choices">
        <legend>What is to happen on this node</legend>
        {Object.entries(KINDS).map(([word, about]) => (
          <label key={word}>
            <input
              type="radio"
              name="kind"
              checked={kind.value === word}
              onChange={() => {
                kind.value = kindOf(word);
              }}
            />
            {about}
          </label>
        ))}
      </fieldset>
      <p class="actions">
        <label>
          for{' '}
          <select
            value={forMs.value}
            onChange={(event) => {
              forMs.value = Number(event.currentTarget.value);
            }}
          >
            {TIMES.map(([ms, words]) => (
              <option key={ms} value={ms}>
                {words}
              </option>
            ))}
          </select>
        </label>
        <button
          type="button"
          class="main"
          onClick={() => {
            void override(target, kind.value, forMs.value);
            onClose();
          }}
        >
          Do it
        </button>
      </p>
    </Dialog>
  );
}

function kindOf(word: string): Kind {
  return word === 'disable' || word === 'force-up' ? word : 'drain';
}
