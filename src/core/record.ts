/**
 * What the core was told and what it did, as lines of JSON: the flight recorder's format. The same core, given the same
 * lines, must do the same again (src/sim/recording.ts).
 *
 * A file is a header, a checkpoint (the whole state) and the steps after it. Steps that change nothing are left out. Keys
 * never get in: a state is recorded with as many empty ones.
 */
import {
  fromHex,
  type Instant,
  type IpAddress,
  ip,
  type Milliseconds,
  toHex,
  unreachable,
} from '../base/index.ts';
import type { Node } from '../model/index.ts';
import { decodeHeartbeat, decodeTrailer } from '../wire/index.ts';
import type { Effect, FailoverSettings, Input, Note } from './failover-types.ts';
import type { FailoverState } from './moves.ts';

export type RecordHeader = {
  readonly kind: 'incident';
  readonly v: 1;
  readonly node: Node;
  /** When it was written, ISO 8601. */
  readonly writtenAt: string;
  /** Wall clock minus the clock of the records, in milliseconds. */
  readonly wallOffsetMs: Milliseconds;
};

export type CoreRecord =
  | { readonly kind: 'checkpoint'; readonly at: Instant; readonly state: FailoverState }
  | {
      readonly kind: 'step';
      readonly input: Input;
      /** What it brought about, in words (effectWords). */
      readonly did: readonly string[];
    };

/** Is it worth a line? Not what leaves the state as it was and does nothing, or only drops a datagram. */
export function isWorthRecording(
  before: FailoverState,
  after: FailoverState,
  effects: readonly Effect[],
): boolean {
  const isQuiet = effects.every(
    (effect) => effect.kind === 'note' && effect.note.kind === 'dropped',
  );
  return !isQuiet || !isSameState(before, after);
}

function isSameState(before: FailoverState, after: FailoverState): boolean {
  if (before === after) return true;
  const known = new Map<string, unknown>(Object.entries(before));
  return Object.entries(after).every(([key, value]) => known.get(key) === value);
}

/** A state without its keys. */
export function checkpointOf(state: FailoverState, at: Instant): CoreRecord {
  return { kind: 'checkpoint', at, state: { ...state, settings: withoutKeys(state.settings) } };
}

export function recordOf(input: Input, effects: readonly Effect[]): CoreRecord {
  const safe =
    input.kind === 'settings' ? { ...input, settings: withoutKeys(input.settings) } : input;
  return { kind: 'step', input: safe, did: effects.map(effectWords) };
}

function withoutKeys(settings: FailoverSettings): FailoverSettings {
  const { extended } = settings;
  if (extended === undefined) return settings;
  return {
    ...settings,
    extended: { ...extended, keys: extended.keys.map(() => new Uint8Array()) },
  };
}

/** Bytes as `{"hex":"..."}`. */
export function encodeRecord(record: CoreRecord | RecordHeader): string {
  return JSON.stringify(record, (_, value: unknown) =>
    value instanceof Uint8Array ? { hex: toHex(value, '') } : value,
  );
}

/** Undefined: not a line of such a file. */
export function decodeRecord(line: string): CoreRecord | RecordHeader | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line, (_, part: unknown) => {
      const isHex = typeof part === 'object' && part !== null && 'hex' in part;
      return isHex && typeof part.hex === 'string' ? fromHex(part.hex) : part;
    });
  } catch {
    return undefined;
  }
  return isRecord(value) ? value : undefined;
}

function isRecord(value: unknown): value is CoreRecord | RecordHeader {
  if (typeof value !== 'object' || value === null || !('kind' in value)) return false;
  switch (value.kind) {
    case 'incident':
      return 'v' in value && value.v === 1 && 'node' in value && 'wallOffsetMs' in value;
    case 'checkpoint':
      return 'at' in value && 'state' in value && typeof value.state === 'object';
    case 'step':
      return 'input' in value && 'did' in value && Array.isArray(value.did);
    default:
      return false;
  }
}

/** One line an effect; what depends on a key or is long is left out. */
export function effectWords(effect: Effect): string {
  switch (effect.kind) {
    case 'send':
      return `send ${effect.path} ${heartbeatWords(effect.bytes)}`;
    case 'converge':
      return `converge ${effect.wish} ${effect.role}`;
    case 'announce':
      return `announce ${effect.owner} ${vipWords(effect.vips)} ${effect.forms.join('+')}`;
    case 'verify':
      return `verify ${vipWords(effect.vips)}${effect.teaches ? ' teaches' : ''}`;
    case 'hook':
      return `hook ${effect.hook}`;
    case 'note':
      return noteWords(effect.note);
    case 'cancel-announcements':
    case 'claim-lease':
    case 'extend-lease':
    case 'ask-segment':
    case 'exit':
      return effect.kind;
    default:
      return unreachable(effect);
  }
}

/** RUNNING, STOPPED, CLAIM; of the extended dialect with epoch and sequence: `CLAIM e8 #41`. */
export function heartbeatWords(bytes: Uint8Array): string {
  const trailer = decodeTrailer(bytes, NOWHERE, []);
  const magic = decodeHeartbeat(bytes);
  const word = magic.ok ? magic.value.kind.toUpperCase() : 'NOISE';
  if (!trailer.ok) return word;
  const { role, epoch, sequence } = trailer.value;
  return `${role === 'claim' ? 'CLAIM' : word} e${epoch} #${sequence}`;
}

/** Without keys the addresses of a path play no part. */
const NOWHERE = { from: ip('0.0.0.0'), to: ip('0.0.0.0') };

function noteWords(note: Note): string {
  switch (note.kind) {
    case 'role':
      return `role ${note.from} -> ${note.to} ${note.reason}`;
    case 'dropped':
      return `dropped ${note.reason}`;
    case 'late':
      return `late ${note.lateMs.toFixed(3)}`;
    case 'believed':
      return `believed ${vipWords(note.vips)} by ${note.witness}`;
    case 'unbelieved':
      return `unbelieved ${vipWords(note.vips)}`;
    case 'foreign-claim':
      return `foreign-claim ${note.vip} by ${note.by}`;
    case 'partner':
      return `partner ${note.is}`;
    case 'announcements-finished':
      return `announcements-finished ${note.frames}`;
    case 'links':
      return `links down: ${note.down.join(' ')}`;
    case 'partner-timers':
      return `partner-timers ${note.deadtimeMs}`;
    case 'hold':
      return `hold ${note.magic}`;
    case 'witnesses':
      return `witnesses ${note.are}`;
    case 'split-brain-announce':
    case 'deaf':
      return note.kind;
    default:
      return unreachable(note);
  }
}

function vipWords(vips: readonly IpAddress[]): string {
  return vips.length === 1 ? `${vips[0]}` : `${vips.length} VIPs`;
}
