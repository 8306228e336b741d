/** The last versions of lvs.cf: who, when, why; what going back would change; and the way back. */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { DiffDocument, Version } from './documents.ts';
import { mayChange } from './editor.tsx';
import { now } from './live.ts';
import { ask } from './net.ts';
import { Card, Dialog, NameCell, say, Table } from './parts.tsx';
import { lookForPending, settled } from './pending.tsx';
import { DiffView } from './save.tsx';
import { whenText } from './words.ts';

export function HistoryCard() {
  const versions = useSignal<readonly Version[]>([]);
  const trouble = useSignal<string | undefined>(undefined);
  const opened = useSignal<Version | undefined>(undefined);
  useEffect(() => {
    void ask<{ versions: readonly Version[] }>('/v1/config/history').then((answer) => {
      if (answer.ok) versions.value = answer.value.versions;
      else trouble.value = answer.error.title;
    });
  }, [settled.value]);
  return (
    <Card title="History">
      {versions.value.length === 0 ? (
        <p class="dim">{trouble.value ?? 'No change has been made by way of this daemon yet.'}</p>
      ) : (
        <Table columns={['serial', 'when', 'who', 'why', 'state']}>
          {versions.value.map((version) => (
            <tr key={`${version.serial} ${version.at}`}>
              <NameCell
                name={version.serial}
                label={`version ${version.serial}`}
                onOpen={() => {
                  opened.value = version;
                }}
              />
              <td>{whenText(Date.parse(version.at), now.value)}</td>
              <td>{version.author ?? ''}</td>
              <td>{version.reason ?? ''}</td>
              <td>{version.state ?? ''}</td>
            </tr>
          ))}
        </Table>
      )}
      {opened.value !== undefined && (
        <VersionDialog
          version={opened.value}
          onClose={() => {
            opened.value = undefined;
          }}
        />
      )}
    </Card>
  );
}

function VersionDialog({ version, onClose }: { version: Version; onClose: () => void }) {
  const { serial } = version;
  const diff = useSignal<DiffDocument | undefined>(undefined);
  useEffect(() => {
    void ask<DiffDocument>('/v1/config/diff', { body: { serial, against: 'running' } }).then(
      (answer) => {
        if (answer.ok) diff.value = answer.value;
        else say('bad', answer.error.title);
      },
    );
  }, [serial, diff]);
  const goBack = async (): Promise<void> => {
    const answer = await ask('/v1/config/rollback', { body: { serial, isBoth: true } });
    if (!answer.ok) {
      say('bad', answer.error.title);
      return;
    }
    say('good', `The file of serial ${serial} runs again.`);
    await lookForPending();
    settled.value++;
    onClose();
  };
  return (
    <Dialog title={`Version ${serial}`} class="big" onClose={onClose}>
      {diff.value === undefined ? (
        <p>Asking what it would change …</p>
      ) : (
        <>
          <ul class="meaning">
            {diff.value.meaning.map((sentence) => (
              <li key={sentence}>{sentence}</li>
            ))}
          </ul>
          <DiffView title="Going back would change" text={diff.value.text} />
        </>
      )}
      {mayChange() && (
        <p class="actions">
          <button type="button" class="main" onClick={() => void goBack()}>
            Go back to this version
          </button>
        </p>
      )}
    </Dialog>
  );
}
