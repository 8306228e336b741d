/**
 * One story of what one or both nodes recorded: their clocks brought together, each heartbeat's two ends joined.
 *
 * Of one recording alone, what was heard is drawn as sent in the same instant, and nothing is said of what became of what
 * was sent. With both, a heartbeat that the other one's recording covers and does not hear was lost.
 */
import type { Milliseconds } from '../base/index.ts';
import type { Node } from '../model/index.ts';
import type { Replay, StoryEvent } from './recording.ts';
import type { TraceRecord } from './trace.ts';

export type Story = {
  readonly trace: readonly TraceRecord[];
  /** How the clocks were brought together, as a sentence. */
  readonly clocks: string;
};

/** A heartbeat that takes longer than this is drawn as two lines. */
const TOGETHER_MS: Milliseconds = 5;
/** A wall clock is worth so much, when nothing better is there. */
const SLACK_MS: Milliseconds = 50;

/** Of one recording, or of one of each node. */
export function tellStory(replays: readonly Replay[]): Story {
  const [first, second] = replays;
  if (first === undefined) return { trace: [], clocks: 'nothing was recorded' };
  if (second === undefined)
    return { trace: fromStart(alone(first)), clocks: 'one node, its clock' };
  const offset = offsetOf(first, second);
  const moved = second.events.map((event) => ({ ...event, at: event.at - offset.ms }));
  return { trace: fromStart(together(first.events, moved)), clocks: offset.text };
}

/** The second clock minus the first. */
function offsetOf(
  first: Replay,
  second: Replay,
): { readonly ms: Milliseconds; readonly text: string } {
  const there = leastWay(first, second);
  const back = leastWay(second, first);
  if (there !== undefined && back !== undefined) {
    const ms = (there - back) / 2;
    const wayMs = Math.max(0, (there + back) / 2);
    return { ms, text: `clocks matched by heartbeats, to ${wayMs.toFixed(1)} ms` };
  }
  // One direction only: the way itself is not known, it counts as none.
  if (there !== undefined)
    return { ms: there, text: 'clocks matched by heartbeats of one direction' };
  if (back !== undefined)
    return { ms: -back, text: 'clocks matched by heartbeats of one direction' };
  return {
    ms: first.wallOffsetMs - second.wallOffsetMs,
    text: 'clocks matched by the wall clocks',
  };
}

/** The least time from sent to heard, across the clocks. */
function leastWay(sender: Replay, receiver: Replay): Milliseconds | undefined {
  const sentAt = new Map<string, Milliseconds>();
  for (const { kind, beat, at } of sender.events) {
    if (kind === 'send' && beat !== undefined) sentAt.set(beat, at);
  }
  let least: Milliseconds | undefined;
  for (const { kind, beat, at } of receiver.events) {
    const sent = kind === 'hear' && beat !== undefined ? sentAt.get(beat) : undefined;
    if (sent !== undefined && (least === undefined || at - sent < least)) least = at - sent;
  }
  return least;
}

function alone({ node, events }: Replay): readonly StoryEvent[] {
  return events.flatMap((event): readonly StoryEvent[] =>
    event.kind === 'hear' ? [{ ...event, kind: 'send', node: otherOf(node) }, event] : [event],
  );
}

function together(a: readonly StoryEvent[], b: readonly StoryEvent[]): readonly StoryEvent[] {
  const all = [...a, ...b].sort((x, y) => x.at - y.at);
  const hears = new Map(
    all.flatMap((event) => (event.kind === 'hear' && event.beat ? [[event.beat, event]] : [])),
  );
  const joined = new Set<StoryEvent>();
  const from = Math.max(a[0]?.at ?? 0, b[0]?.at ?? 0) + SLACK_MS;
  const until = Math.min(a.at(-1)?.at ?? 0, b.at(-1)?.at ?? 0) - SLACK_MS;
  const story: StoryEvent[] = [];
  for (const event of all) {
    if (joined.has(event)) continue;
    story.push(event);
    if (event.kind !== 'send' || event.beat === undefined) continue;
    const heard = hears.get(event.beat);
    if (heard === undefined) {
      const isCovered = event.at > from && event.at < until;
      if (isCovered) story.push({ ...event, kind: 'lose' });
    } else if (Math.abs(heard.at - event.at) < TOGETHER_MS) {
      joined.add(heard);
      story.push({ ...heard, at: event.at });
    }
  }
  return story;
}

function fromStart(events: readonly StoryEvent[]): readonly TraceRecord[] {
  const start = events[0]?.at ?? 0;
  return events.map(({ beat, ...event }) => ({ ...event, at: event.at - start }));
}

function otherOf(node: Node): Node {
  return node === 'primary' ? 'backup' : 'primary';
}
