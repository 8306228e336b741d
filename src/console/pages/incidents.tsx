/**
 * What happened, of both nodes, on one clock: the events as they come, and the incidents that the flight recorders kept. An
 * incident opens as lanes and as its two-column diagram, replayed by the shipped core (diagram.ts, fetched when it is asked for).
 */
import { useComputed, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { Incident } from './documents.ts';
import { type IncidentRow, incidentRows } from './incident-rows.ts';
import { happenings, here, now } from './live.ts';
import { ask } from './net.ts';
import { Card, Dialog, say } from './parts.tsx';
import type { Story } from './story.ts';
import { StoryView } from './story-view.tsx';
import { whenText } from './words.ts';

const SHOWN = 12;

export function Incidents() {
  const own = useSignal<readonly Incident[]>([]);
  const other = useSignal<readonly Incident[]>([]);
  const rows = useComputed(() => incidentRows(own.value, other.value));
  const trouble = useSignal<string | undefined>(undefined);
  const opened = useSignal<IncidentRow | undefined>(undefined);
  const recorded = happenings.value.filter(
    ({ kind }) => kind === 'incident' || kind === 'role',
  ).length;
  const changes = here.value?.changes.length ?? 0;
  // A change of role makes a recording some seconds later; so both are looked at.
  const minute = Math.floor(now.value / 15_000);
  useEffect(() => {
    // Each by itself: a partner that does not answer keeps nobody waiting.
    void load('local').then((answer) => {
      if (answer.ok) own.value = answer.value.incidents;
      trouble.value = answer.ok ? undefined : answer.error.title;
    });
    void load('partner').then((answer) => {
      if (answer.ok) other.value = answer.value.incidents;
    });
  }, [recorded, changes, minute]);
  return (
    <Card title="Incidents, both nodes, one clock" class="incidents">
      {rows.value.length === 0 && <p class="dim">{trouble.value ?? 'No incident is recorded.'}</p>}
      {rows.value.length > 0 && (
        <ol class="log">
          {rows.value.slice(0, SHOWN).map((row) => (
            <li key={row.key}>
              <time dateTime={row.at}>{whenText(Date.parse(row.at), now.value)}</time>
              <span>{row.nodes}</span>
              <button
                type="button"
                onClick={() => {
                  opened.value = row;
                }}
              >
                {row.what}
              </button>
            </li>
          ))}
        </ol>
      )}
      <h2>Events</h2>
      <Events />
      {opened.value !== undefined && (
        <IncidentDialog
          row={opened.value}
          onClose={() => {
            opened.value = undefined;
          }}
        />
      )}
    </Card>
  );
}

function load(side: 'local' | 'partner') {
  return ask<{ incidents: readonly Incident[] }>('/v1/incidents', { side });
}

const SHOWN_EVENTS = 30;

function Events() {
  // What was asked for is told by what came of it; the audit log has every word.
  const events = happenings.value.filter(({ kind }) => kind !== 'audit');
  if (events.length === 0)
    return <p class="dim">Nothing has happened since this page was opened.</p>;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <section class="log-scroll" tabIndex={0} aria-label="Events">
      <ol class="log">
        {events.slice(0, SHOWN_EVENTS).map((event, index) => (
          <li key={event.id ?? `${event.at} ${index}`}>
            <time dateTime={event.at}>{whenText(Date.parse(event.at), now.value)}</time>
            <span>{event.node ?? ''}</span>
            <span class="clamped" title={event.text}>
              {event.text}
            </span>
          </li>
        ))}
      </ol>
    </section>
  );
}

function IncidentDialog({ row, onClose }: { row: IncidentRow; onClose: () => void }) {
  const story = useSignal<Story | undefined>(undefined);
  useEffect(() => {
    void import('./story.ts').then(async ({ openIncident }) => {
      const opened = await openIncident(row);
      if (opened.ok) story.value = opened.value;
      else {
        say('bad', opened.error);
        onClose();
      }
    });
  }, [row, story, onClose]);
  const told = story.value;
  return (
    <Dialog title={`${row.what}, ${row.at}`} class="big" onClose={onClose}>
      {told === undefined ? (
        <p>Replaying …</p>
      ) : (
        <StoryView story={told} name={`incident-${row.key}`} />
      )}
    </Dialog>
  );
}
