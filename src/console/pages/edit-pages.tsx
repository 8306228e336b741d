/** Global Settings, Redundancy, Virtual Servers: a form and the text of lvs.cf side by side, and below both the way to save. */
import { useEffect } from 'preact/hooks';
import { base, loadConfig, trouble, verdict } from './draft.ts';
import { Fields, TextSide } from './editor.tsx';
import { GLOBAL_SETTINGS, REDUNDANCY } from './form-fields.ts';
import { HistoryCard } from './history.tsx';
import { whyNotHere } from './live.ts';
import { Card, Pill } from './parts.tsx';
import { SaveBar } from './save.tsx';
import { timelineOf } from './timeline.ts';
import { TimelineView } from './timeline-view.tsx';
import { VirtualServers } from './virtual-servers.tsx';

export type EditPageName = 'global' | 'redundancy' | 'virtual';

export function EditPages({ page }: { page: EditPageName }) {
  // Again when the director is back.
  useEffect(() => {
    void loadConfig();
  }, [whyNotHere.value]);
  if (trouble.value !== undefined) {
    return (
      <Card title="lvs.cf">
        <Pill tone="bad">{trouble.value.title}</Pill>
      </Card>
    );
  }
  if (base.value === undefined) return <p>Loading …</p>;
  return (
    <>
      <div class="edit">
        <div class="form-side">{formOf(page)}</div>
        <TextSide />
      </div>
      <SaveBar />
    </>
  );
}

function formOf(page: EditPageName) {
  switch (page) {
    case 'global':
      return (
        <>
          <Card title="Global settings">
            <Fields groups={GLOBAL_SETTINGS} path={{}} />
          </Card>
          <HistoryCard />
        </>
      );
    case 'redundancy':
      return (
        <>
          <Card title="Timers">
            <Timers />
          </Card>
          <Card title="Redundancy">
            <Fields groups={REDUNDANCY} path={{}} />
          </Card>
        </>
      );
    case 'virtual':
      return <VirtualServers />;
  }
}

function Timers() {
  const { settings } = verdict.value;
  if (settings === undefined) return <p>Mend the errors first: the timers cannot be read.</p>;
  return <TimelineView timeline={timelineOf(settings)} />;
}
