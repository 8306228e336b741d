/**
 * What has happened here, newest last: a bounded ring of records that people follow live and read back.
 *
 * One shape for every part of the director (roles, beliefs, services, orders, changes, audits). A record's id is
 * `incarnation.sequence`: the incarnation is this life's, so that a reader who comes back after a restart sees that he has
 * missed something, and how much. Readers pull: each holds a place in the ring and is never waited for; who is overtaken
 * is told of the gap. Rejected: a queue for each reader, which grows with the slowest.
 */
import type { Node } from '../model/index.ts';

export const EVENT_KINDS = {
  start: 'this director began to live',
  stop: 'it was told to stop',
  role: 'its role changed, and why',
  partner: 'the partner was heard again, fell silent, or said something unusual',
  belief: 'whom the segment believes to own a VIP, as far as it was proved',
  link: 'a heartbeat interface lost or found its link',
  timing: 'this director ran late',
  trouble: 'the kernel or the network refused something',
  drift: 'somebody else changed what is ours, an address or a row; it was put back',
  server: 'a real server came, went or was weighed anew',
  service: 'a virtual service came or went, its quorum, its sorry server',
  config: 'the configuration was read, refused, applied, confirmed or rolled back',
  order: 'an order of an operator and how far it is',
  audit: 'somebody asked for a change; the whole line is in the audit log',
  incident: 'a flight recording was written',
  gap: 'records were overwritten before this reader came for them',
} as const;
export type EventKind = keyof typeof EVENT_KINDS;

export type EventRecord = {
  /** `incarnation.sequence`; a gap has that of the last record it swallowed. */
  readonly id: string;
  /** ISO 8601. */
  readonly at: string;
  readonly node: Node;
  readonly kind: EventKind;
  /** A sentence, the same as in the log. */
  readonly text: string;
  /** The reason word of log, status and metrics, where there is one. */
  readonly reason?: string;
  /** Roles of a change; ids of the first and the last record in a gap. */
  readonly from?: string;
  readonly to?: string;
  readonly service?: string;
  readonly server?: string;
  /** Whose doing it was. */
  readonly who?: string;
};
export type NewEvent = Omit<EventRecord, 'id' | 'at' | 'node' | 'reason'> & {
  /** Absent: the word in brackets at the end of `text`, if there is one. */
  readonly reason?: string;
};

/** Is this record one of those that were asked for? */
export type Since = (event: Pick<EventRecord, 'id' | 'at'>) => boolean;

/** An id, or a moment with its zone. */
export const SINCE =
  /^\d{1,16}\.\d{1,16}$|^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d)$/;

/**
 * The records after the one of this id, those of later lives among them, or those of a moment (ISO 8601, with its zone) and
 * later; undefined: the text is neither.
 */
export function sinceOf(text: string): Since | undefined {
  if (!SINCE.test(text)) return undefined;
  if (!text.includes('T')) {
    const [life, number] = partsOf(text);
    return ({ id }) => {
      const [ofLife, ofNumber] = partsOf(id);
      return ofLife === life ? ofNumber > number : ofLife > life;
    };
  }
  const moment = Date.parse(text);
  if (Number.isNaN(moment)) return undefined;
  const from = new Date(moment).toISOString();
  return ({ at }) => at >= from;
}

function partsOf(id: string): readonly [life: number, sequence: number] {
  const [life, sequence] = id.split('.');
  return [Number(life), Number(sequence)];
}

const KEPT_RECORDS = 5000;
/** Of JSON text. */
const KEPT_CHARACTERS = 1024 * 1024;
/** Longer sentences are cut: a kernel or a real server may have written them. */
const LONGEST_TEXT = 1000;

type Kept = { readonly sequence: number; readonly record: EventRecord; readonly json: string };
export type EventLogParts = {
  readonly node: Node;
  /** Of this life; higher than that of every earlier one. */
  readonly incarnation: number;
  readonly wallMs: () => number;
};

export class EventLog {
  readonly #parts: EventLogParts;
  readonly #listeners = new Set<() => void>();
  #ring: Kept[] = [];
  #first = 0;
  #characters = 0;
  #sequence = 0;
  /** The last that was overwritten. */
  #forgotten: Kept | undefined;

  constructor(parts: EventLogParts) {
    this.#parts = parts;
  }

  add(event: NewEvent): EventRecord {
    const { node, wallMs } = this.#parts;
    const text = event.text.slice(0, LONGEST_TEXT);
    const reason = event.reason ?? reasonOf(text);
    const sequence = ++this.#sequence;
    const record: EventRecord = {
      id: this.#idOf(sequence),
      at: new Date(wallMs()).toISOString(),
      node,
      ...event,
      text,
      ...(reason !== undefined && { reason }),
    };
    const json = JSON.stringify(record);
    this.#ring.push({ sequence, record, json });
    this.#characters += json.length;
    this.#forget();
    for (const listener of this.#listeners) listener();
    return record;
  }

  /**
   * The last `limit` records, oldest first, of those that `isMeant` (absent: of all). Where some that are meant were
   * overwritten, a gap stands before the rest.
   */
  recent(limit: number, isMeant?: Since): readonly EventRecord[] {
    if (isMeant === undefined) {
      const held = this.#ring.slice(Math.max(this.#first, this.#ring.length - limit));
      return held.map(({ record }) => record);
    }
    const held = this.#ring.slice(this.#first).filter(({ record }) => isMeant(record));
    const lost = this.#forgotten;
    const isGap = lost !== undefined && isMeant(lost.record);
    const before = isGap ? [this.gap(this.#idOf(0), lost.sequence)] : [];
    return [...before, ...held.map(({ record }) => record)].slice(-limit);
  }

  /** A reader's place: after the record of this id, or at the end. An id that is none of ours reads from the beginning. */
  reader(after?: string): EventReader {
    if (after === undefined) return new EventReader(this, this.#sequence, undefined);
    const [incarnation = '', sequence = ''] = after.split('.');
    const isOurs = incarnation === String(this.#parts.incarnation);
    if (isOurs && Number(sequence) <= this.#sequence) {
      return new EventReader(this, Number(sequence), undefined);
    }
    return new EventReader(this, 0, after);
  }

  /** Is there anything after this place, and was something before it overwritten? */
  next(sequence: number): { readonly kept?: Kept; readonly missed: number } {
    const oldest = this.#ring[this.#first];
    if (oldest === undefined || sequence >= this.#sequence) return { missed: 0 };
    const index = Math.max(0, sequence + 1 - oldest.sequence);
    const kept = this.#ring[this.#first + index];
    if (kept === undefined) return { missed: 0 };
    return { kept, missed: kept.sequence - sequence - 1 };
  }

  /** `listener` is called after each new record; the returned function ends that. */
  onRecord(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** What stands for records that a reader can have no more. */
  gap(from: string, toSequence: number): EventRecord {
    const { node, wallMs } = this.#parts;
    const to = this.#idOf(toSequence);
    const at = new Date(wallMs()).toISOString();
    const text = `records were overwritten before they were read: after ${from}, up to ${to}`;
    return { id: to, at, node, kind: 'gap', text, from, to };
  }

  idOf(sequence: number): string {
    return this.#idOf(sequence);
  }

  #idOf(sequence: number): string {
    return `${this.#parts.incarnation}.${sequence}`;
  }

  #forget(): void {
    while (
      this.#ring.length - this.#first > KEPT_RECORDS ||
      (this.#characters > KEPT_CHARACTERS && this.#ring.length - this.#first > 1)
    ) {
      this.#forgotten = this.#ring[this.#first];
      this.#characters -= this.#forgotten?.json.length ?? 0;
      this.#first++;
    }
    if (this.#first < KEPT_RECORDS) return;
    this.#ring = this.#ring.slice(this.#first);
    this.#first = 0;
  }
}

/** One reader's place in the log. */
export class EventReader {
  readonly #log: EventLog;
  #sequence: number;
  /** The id he came with, when it is of another life: what happened since is not known. */
  #stranger: string | undefined;

  constructor(log: EventLog, sequence: number, stranger: string | undefined) {
    this.#log = log;
    this.#sequence = sequence;
    this.#stranger = stranger;
  }

  /** The next record as JSON with its id, a gap first where there is one; undefined at the end. */
  read(): { readonly id: string; readonly json: string } | undefined {
    const { kept, missed } = this.#log.next(this.#sequence);
    if (this.#stranger !== undefined || missed > 0) {
      const from = this.#stranger ?? this.#log.idOf(this.#sequence);
      this.#stranger = undefined;
      this.#sequence += missed;
      const record = this.#log.gap(from, this.#sequence);
      return { id: record.id, json: JSON.stringify(record) };
    }
    if (kept === undefined) return undefined;
    this.#sequence = kept.sequence;
    return { id: kept.record.id, json: kept.json };
  }
}

/** `... (partner-silent)`, `... (timeout): tcp 198.51.100.21:80 ...`: every line of the log carries its word like this. */
function reasonOf(text: string): string | undefined {
  return /\(([a-z]+(?:-[a-z]+)*)\)(?=$|[:;])/.exec(text)?.[1];
}
