/** Notes of the two machines as records of the event log: of which kind, about whom. The words are the log's. Pure. */
import { unreachable } from '../base/index.ts';
import type { Note, ServicesNote } from '../core/index.ts';
import type { EventKind, NewEvent } from './event-log.ts';

export function noteEvent(note: Note, text: string): NewEvent {
  if (note.kind !== 'role') return { kind: kindOf(note), text };
  const { from, to, reason } = note;
  return { kind: 'role', text, from, to, reason };
}

function kindOf(note: Exclude<Note, { kind: 'role' }>): EventKind {
  switch (note.kind) {
    case 'links':
      return 'link';
    case 'late':
      return 'timing';
    case 'dropped':
      return 'trouble';
    case 'partner':
    case 'partner-timers':
    case 'hold':
      return 'partner';
    case 'split-brain-announce':
    case 'announcements-finished':
    case 'believed':
    case 'unbelieved':
    case 'foreign-claim':
    case 'deaf':
    case 'witnesses':
      return 'belief';
    default:
      return unreachable(note);
  }
}

/** What a line of lvsd or nanny is about; the line itself is the text. */
export type About = Pick<NewEvent, 'kind' | 'service' | 'server' | 'reason'>;

export function aboutServices(note: ServicesNote): About {
  switch (note.kind) {
    case 'server':
      return {
        kind: 'server',
        service: note.service,
        server: note.server,
        reason: note.reason,
      };
    case 'sorry':
    case 'quorum':
      return { kind: 'service', service: note.service };
    case 'override-ended':
      return { kind: 'server', server: note.target };
    default:
      return unreachable(note);
  }
}
