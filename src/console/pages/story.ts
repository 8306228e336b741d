/**
 * An incident opened: the recordings of one or both nodes, replayed by the shipped core and brought to one clock. A chunk of its
 * own, since it brings the simulator's drawing and the core along.
 */
import { err, ok, type Result } from '../../base/index.ts';
import { drawTrace, parseRecording, type Replay, replay, tellStory } from '../../sim/index.ts';
import type { IncidentRow } from './incident-rows.ts';
import { type Lanes, lanesOf } from './lanes.ts';
import { askText } from './net.ts';

export type Story = {
  readonly lanes: Lanes;
  /** The two-column diagram, as `piranha replay --diagram` prints it. */
  readonly diagram: string;
  readonly remarks: readonly string[];
  /** What to keep as evidence. */
  readonly files: readonly { readonly name: string; readonly text: string }[];
};

export async function openIncident(row: IncidentRow): Promise<Result<Story, string>> {
  const wanted = [
    { side: 'local', incident: row.local },
    { side: 'partner', incident: row.partner },
  ] as const;
  const files: { name: string; text: string }[] = [];
  const replays: Replay[] = [];
  const remarks: string[] = [];
  for (const { side, incident } of wanted) {
    if (incident === undefined) continue;
    const path = `/v1/incidents/${encodeURIComponent(incident.id)}`;
    const answer = await askText(path, side);
    if (!answer.ok) {
      remarks.push(`${incident.node}: ${answer.error.title}`);
      continue;
    }
    const played = play(answer.value);
    if (!played.ok) return err(`${incident.node}: ${played.error}`);
    files.push({ name: `${incident.node}-${incident.id}`, text: answer.value });
    replays.push(played.value);
    remarks.push(verdict(played.value));
  }
  if (replays.length === 0) return err(remarks.join(' ') || 'There is no recording.');
  const { trace, clocks } = tellStory(replays);
  return ok({
    lanes: lanesOf(trace),
    diagram: drawTrace(trace),
    remarks: [...remarks, clocks],
    files,
  });
}

export function play(text: string): Result<Replay, string> {
  try {
    const recording = parseRecording(text);
    return typeof recording === 'string' ? err(recording) : ok(replay(recording));
  } catch (error) {
    return err(`cannot be replayed: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function verdict({ node, steps, differences }: Replay): string {
  const word =
    differences.length === 0
      ? 'this version does what was done then'
      : `this version does otherwise in ${differences.length} of them`;
  return `${node}: ${steps} steps, ${word}`;
}
