/**
 * What this director says of its life, in one place: a line goes to the log, and where it is worth it to the readers of events
 * in the same words; a change that somebody asked for goes to the audit, and from there to both.
 */
import type { Note } from '../core/index.ts';
import type { Node } from '../model/index.ts';
import { type AuditEntry, AuditLog } from './audit-log.ts';
import { type EventKind, EventLog } from './event-log.ts';
import type { Log } from './log-sink.ts';
import { type About, noteEvent } from './note-events.ts';

export class Daybook {
  readonly events: EventLog;
  readonly audit: AuditLog;
  readonly #log: Log;

  constructor(parts: {
    readonly node: Node;
    readonly startedAtWallMs: number;
    readonly stateDirectory: string;
    readonly log: Log;
  }) {
    const { node, startedAtWallMs: incarnation, stateDirectory, log } = parts;
    const wallMs = () => Date.now();
    this.#log = log;
    this.events = new EventLog({ node, incarnation, wallMs });
    this.audit = new AuditLog({
      directory: stateDirectory,
      wallMs,
      onEntry: (entry) => this.#audited(entry),
      onTrouble: (text) => this.tell([text], 'trouble'),
    });
  }

  /** To the log; with a kind to the readers of events, too. */
  tell(lines: readonly string[], kind?: EventKind): void {
    for (const text of lines) {
      this.#log(text);
      if (kind !== undefined) this.events.add({ kind, text });
    }
  }

  noted(note: Note, lines: readonly string[]): void {
    for (const line of lines) {
      this.#log(line);
      this.events.add(noteEvent(note, line));
    }
  }

  /** A line that another log has already. */
  heard(text: string, about: About | undefined): void {
    if (about !== undefined) this.events.add({ ...about, text });
  }

  #audited({ who, from, action, result, detail }: AuditEntry): void {
    const text = `audit: ${who} over ${from}: ${action}: ${result}: ${detail}`;
    this.#log(text);
    this.events.add({ kind: 'audit', text, reason: result, who });
  }
}
