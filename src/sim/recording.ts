/**
 * Plays a flight recording again: the shipped core, from a recorded state, told what it was told, must do what it did. And
 * makes one story of the recordings of both nodes.
 *
 * Keys are never recorded. What was signed is signed again with a stand-in before the core reads it, and what the core
 * refused then still carries a tag that fits nothing; so every decision is taken as it was.
 *
 * Two machines have two clocks. Each heartbeat of the extended dialect that one sent and the other heard says: your clock
 * then minus mine then is the offset plus the way. The least of both directions bound the offset from both sides; the
 * middle is taken (RFC 5905 §8, for whole recordings at once). The legacy dialect has no sequence numbers: wall clocks.
 */
import { assert, type Instant, ip, type Milliseconds } from '../base/index.ts';
import {
  type CoreRecord,
  decodeRecord,
  type Effect,
  effectWords,
  type FailoverSettings,
  type FailoverState,
  heartbeatWords,
  type Input,
  type RecordHeader,
  step,
} from '../core/index.ts';
import type { Node, PathName } from '../model/index.ts';
import { decodeTrailer, encodeExtendedHeartbeat } from '../wire/index.ts';
import type { TraceEvent } from './trace.ts';

export type Recording = {
  readonly header: RecordHeader;
  readonly records: readonly CoreRecord[];
};

/** The sentence says which line is not one of a recording. */
export function parseRecording(text: string): Recording | string {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  let header: RecordHeader | undefined;
  const records: CoreRecord[] = [];
  for (const [index, line] of lines.entries()) {
    const record = decodeRecord(line);
    if (record === undefined) return `line ${index + 1} is no line of a recording`;
    if (record.kind === 'incident') header = record;
    else records.push(record);
  }
  if (header === undefined) return 'there is no header: not a recording';
  if (records[0]?.kind !== 'checkpoint') return 'it does not begin with a checkpoint';
  return { header, records };
}

export type Difference = {
  readonly at: Instant;
  readonly input: string;
  readonly recorded: readonly string[];
  readonly replayed: readonly string[];
};

export type Replay = {
  readonly node: Node;
  readonly steps: number;
  readonly differences: readonly Difference[];
  /** What happened here, on this node's own clock. */
  readonly events: readonly StoryEvent[];
  readonly wallOffsetMs: Milliseconds;
};

/** One thing of the story; `life` and `sequence` name a heartbeat, where its dialect does. */
export type StoryEvent = TraceEvent & {
  readonly at: Milliseconds;
  readonly node: Node;
  readonly beat?: string;
};

const NOWHERE = ip('0.0.0.0');
const STAND_IN = new Uint8Array(16);

/** Runs the core again from the first checkpoint; later ones are not used: the state must come out by itself. */
export function replay({ header, records }: Recording): Replay {
  const [first] = records;
  assert(first?.kind === 'checkpoint', 'a recording begins with a checkpoint');
  const node = header.node;
  let state: FailoverState = { ...first.state, settings: withStandIns(first.state.settings) };
  const differences: Difference[] = [];
  const events: StoryEvent[] = [];
  let steps = 0;
  for (const record of records) {
    if (record.kind !== 'step') continue;
    const input = readable(record, state);
    const next = step(state, input);
    const replayed = next.effects.map(effectWords);
    if (replayed.join('\n') !== record.did.join('\n')) {
      const told = input.kind === 'datagram' ? heartbeatWords(input.bytes) : '';
      const about = `${input.kind} ${told}`.trimEnd();
      differences.push({ at: input.now, input: about, recorded: record.did, replayed });
    }
    events.push(...eventsOf(node, input, next.state, next.effects));
    state = next.state;
    steps++;
  }
  return { node, steps, differences, events, wallOffsetMs: header.wallOffsetMs };
}

function withStandIns(settings: FailoverSettings): FailoverSettings {
  const { extended } = settings;
  if (extended === undefined) return settings;
  return { ...settings, extended: { ...extended, keys: extended.keys.map(() => STAND_IN) } };
}

/** The input as the core of then could read it. */
function readable(record: Extract<CoreRecord, { kind: 'step' }>, state: FailoverState): Input {
  const { input, did } = record;
  if (input.kind === 'settings') return { ...input, settings: withStandIns(input.settings) };
  const hasKeys = (state.settings.extended?.keys.length ?? 0) > 0;
  const wasRefused = did.some(
    (words) => words === 'dropped bad-tag' || words === 'dropped unsigned',
  );
  if (input.kind !== 'datagram' || !hasKeys || wasRefused) return input;
  const { paths } = state.settings;
  const to = paths.find(({ name }) => name === input.path)?.own;
  if (to === undefined) return input;
  const route = { from: input.from, to };
  const trailer = decodeTrailer(input.bytes, route, []);
  if (!trailer.ok) return input;
  return { ...input, bytes: encodeExtendedHeartbeat(trailer.value, route, STAND_IN) };
}

// ---- the story ----

function eventsOf(
  node: Node,
  input: Input,
  after: FailoverState,
  effects: readonly Effect[],
): readonly StoryEvent[] {
  const at = input.now;
  const own = (event: TraceEvent): StoryEvent => ({ ...event, at, node });
  const heard = heardEvents(node, input, effects).map((event) => ({ ...event, at }));
  const caused = effects.flatMap((effect): readonly StoryEvent[] => {
    switch (effect.kind) {
      case 'send':
        return [
          {
            ...own({ kind: 'send', word: wordOf(effect.bytes), path: effect.path }),
            ...beatOf(effect.path, effect.bytes),
          },
        ];
      case 'announce': {
        const owner = effect.owner === 'own' ? node : otherOf(node);
        return [own({ kind: 'announce', owner, isLost: false })];
      }
      case 'note':
        return noteEvents(node, effect).map(own);
      default:
        return [];
    }
  });
  if (input.kind === 'converged' && after.wish.number === input.wish) {
    return [...heard, own({ kind: 'addresses', isHeld: after.isActive }), ...caused];
  }
  return [...heard, ...caused];
}

function heardEvents(
  node: Node,
  input: Input,
  effects: readonly Effect[],
): readonly (Omit<StoryEvent, 'at'> & TraceEvent)[] {
  const event = (text: string) => [{ kind: 'event', text, node } as const];
  switch (input.kind) {
    case 'datagram': {
      if (isDrop(effects)) return [];
      const { path, bytes } = input;
      return [{ kind: 'hear', word: wordOf(bytes), path, node, ...beatOf(path, bytes) }];
    }
    case 'start':
      return event('starts');
    case 'stop':
      return event('is stopped');
    case 'operator':
      return event(`operator: ${input.order}`);
    case 'links':
      return event(input.down.length === 0 ? 'link up' : `link down: ${input.down.join(' ')}`);
    case 'lease':
      return input.isAlive ? [] : event('lease is dead');
    case 'repaired':
      return event('VIP put back');
    default:
      return [];
  }
}

function isDrop(effects: readonly Effect[]): boolean {
  return effects.some((effect) => effect.kind === 'note' && effect.note.kind === 'dropped');
}

function noteEvents(
  node: Node,
  { note }: Extract<Effect, { kind: 'note' }>,
): readonly TraceEvent[] {
  switch (note.kind) {
    case 'role':
      return [{ kind: 'role', to: note.to, reason: note.reason }];
    case 'believed':
      return [{ kind: 'router', believes: node }];
    case 'late':
      return [{ kind: 'event', text: `woke ${Math.round(note.lateMs)} ms late` }];
    case 'foreign-claim':
      return [{ kind: 'event', text: `${note.by} claims a VIP` }];
    case 'deaf':
      return [{ kind: 'event', text: 'hears nothing: deaf' }];
    default:
      return [];
  }
}

/** RUNNING, STOPPED, CLAIM. */
function wordOf(bytes: Uint8Array): string {
  return heartbeatWords(bytes).split(' ')[0] ?? '';
}

/** What names this one datagram, wherever it is seen. */
function beatOf(path: PathName, bytes: Uint8Array): { readonly beat?: string } {
  const trailer = decodeTrailer(bytes, { from: NOWHERE, to: NOWHERE }, []);
  if (!trailer.ok) return {};
  return { beat: `${trailer.value.incarnation} ${trailer.value.sequence} ${path}` };
}

function otherOf(node: Node): Node {
  return node === 'primary' ? 'backup' : 'primary';
}
