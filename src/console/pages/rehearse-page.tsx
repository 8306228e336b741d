/**
 * Rehearse: what a fault would do to the pair of this lvs.cf, played in the page by the shipped core, before the night it
 * happens. Nothing here touches a director.
 */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { Settings } from '../../model/index.ts';
import {
  drawTrace,
  type Play,
  REHEARSALS,
  type Rehearsal,
  type RehearsalName,
  rehearse,
  withTimers,
} from '../../sim/index.ts';
import { base, isChanged, loadConfig, trouble, verdict } from './draft.ts';
import { lanesOf } from './lanes.ts';
import { whyNotHere } from './live.ts';
import { Card, Pill, Table } from './parts.tsx';
import { otherTimers, outcomeSentence, TITLES, type TimerTrial } from './rehearse-words.ts';
import { StoryView } from './story-view.tsx';
import { lengthText } from './words.ts';

const LENGTHS = [1, 5, 10, 20, 60] as const;

type Outcome = { readonly play: Play; readonly rehearsal: Rehearsal };

export function RehearsePage() {
  // Again when the director is back.
  useEffect(() => {
    void loadConfig();
  }, [whyNotHere.value]);
  const { settings } = verdict.value;
  if (trouble.value !== undefined) return <Trouble text={trouble.value.title} />;
  if (base.value === undefined) return <p>Loading …</p>;
  if (settings === undefined) {
    return <Trouble text="The configuration has errors; it is rehearsed when it can be run." />;
  }
  return <Stage settings={settings} />;
}

function Trouble({ text }: { text: string }) {
  return (
    <Card title="Rehearse">
      <Pill tone="bad">{text}</Pill>
    </Card>
  );
}

function Stage({ settings }: { settings: Settings }) {
  const name = useSignal<RehearsalName>('freeze');
  const whom = useSignal<Play['whom']>('active');
  const seconds = useSignal<number>(20);
  const outcome = useSignal<Outcome | undefined>(undefined);
  const refusal = useSignal<string | undefined>(undefined);
  const trials = useSignal<readonly TimerTrial[]>([]);
  const play = (): void => {
    const wanted: Play = { name: name.value, whom: whom.value, forMs: seconds.value * 1000 };
    const played = rehearse(settings, wanted);
    refusal.value = played.ok ? undefined : played.error;
    outcome.value = played.ok ? { play: wanted, rehearsal: played.value } : undefined;
    trials.value = [];
    if (played.ok)
      void tryOthers(settings, wanted, (trial) => {
        trials.value = [...trials.value, trial];
      });
  };
  const { keepaliveMs, deadtimeMs } = settings;
  return (
    <>
      <Card
        title={isChanged.value ? 'Rehearse the file being edited' : 'Rehearse the running file'}
      >
        <p>
          A heartbeat every {lengthText(keepaliveMs)}, dead after {lengthText(deadtimeMs)}. The
          shipped failover core is played in this page; no director is touched.
        </p>
        <fieldset class="faults">
          <legend>What happens</legend>
          {REHEARSALS.map((it) => (
            <label key={it} class={name.value === it ? 'chosen' : ''}>
              <input
                type="radio"
                name="fault"
                checked={name.value === it}
                onChange={() => {
                  name.value = it;
                }}
              />
              <strong>{TITLES[it].title}</strong>
              <small>{TITLES[it].about}</small>
            </label>
          ))}
        </fieldset>
        <p class="actions">
          <label>
            to the{' '}
            <select
              value={whom.value}
              onChange={(event) => {
                whom.value = event.currentTarget.value === 'standby' ? 'standby' : 'active';
              }}
            >
              <option value="active">active node</option>
              <option value="standby">standby node</option>
            </select>
          </label>
          <label>
            for{' '}
            <select
              value={seconds.value}
              onChange={(event) => {
                seconds.value = Number(event.currentTarget.value);
              }}
            >
              {LENGTHS.map((it) => (
                <option key={it} value={it}>
                  {it} s
                </option>
              ))}
            </select>
          </label>
          <button type="button" class="main" onClick={play}>
            Play it
          </button>
        </p>
      </Card>
      {refusal.value !== undefined && <Trouble text={refusal.value} />}
      {outcome.value !== undefined && (
        <OutcomeView outcome={outcome.value} trials={trials.value} settings={settings} />
      )}
    </>
  );
}

/** One set of timers after the other, with the page free to draw in between. */
async function tryOthers(
  settings: Settings,
  play: Play,
  tell: (trial: TimerTrial) => void,
): Promise<void> {
  for (const timers of otherTimers(settings)) {
    await new Promise((resolve) => setTimeout(resolve, 0));
    const played = rehearse(withTimers(settings, timers), play);
    if (played.ok)
      tell({ ...timers, worstMs: played.value.blackoutMs.worst, doubleMs: played.value.doubleMs });
  }
}

function OutcomeView(props: {
  outcome: Outcome;
  trials: readonly TimerTrial[];
  settings: Settings;
}) {
  const { outcome, trials, settings } = props;
  const { rehearsal, play } = outcome;
  const { tone, title, detail } = outcomeSentence(rehearsal, play);
  const story = {
    lanes: lanesOf(rehearsal.trace),
    diagram: drawTrace(rehearsal.trace),
    remarks: [],
    files: [],
  };
  return (
    <>
      <div role="status" class={`verdict ${tone}`}>
        <strong>{title}</strong>
        <small>{detail}</small>
      </div>
      <div class="two">
        <Card title="What happens, second by second">
          <StoryView story={story} name={`rehearsal-${play.name}`} />
        </Card>
        <Card title="What other timers would give" class="trials">
          <Table
            columns={['heartbeat', 'dead after', ['nobody answers', 'n'], ['both answer', 'n']]}
          >
            {trials.map(({ keepaliveMs, deadtimeMs, worstMs, doubleMs }) => {
              const isOurs =
                keepaliveMs === settings.keepaliveMs && deadtimeMs === settings.deadtimeMs;
              return (
                <tr key={`${keepaliveMs} ${deadtimeMs}`} class={isOurs ? 'chosen' : ''}>
                  <th scope="row">
                    {lengthText(keepaliveMs)}
                    {isOurs && ' (yours)'}
                  </th>
                  <td>{lengthText(deadtimeMs)}</td>
                  <td class="n">{lengthText(worstMs)}</td>
                  <td class="n">{doubleMs === 0 ? 'never' : lengthText(doubleMs)}</td>
                </tr>
              );
            })}
          </Table>
          <p class="dim">
            The worst of four phases between two heartbeats. Real networks and kernels add some
            milliseconds; a dead time must leave room for the machine’s own delays.
          </p>
        </Card>
      </div>
    </>
  );
}
