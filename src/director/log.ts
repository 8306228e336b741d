/**
 * What pulse says in its log, as a pure table: from what happened to lines.
 *
 * The key phrases are Piranha's, to the letter, because people filter and page on them; each line ends in the reason
 * word of ours that status, metrics and API use too. Lines the original did not have are added where it was silent
 * about something an operator needs (partner lost and found, woke late), never put in place of one of its phrases.
 *
 * Source: log phrases of piranha 0.8.6 (docs/protocol.md).
 */
import { unreachable } from '../base/index.ts';
import type { Note } from '../core/index.ts';
import type { Node, PathName, Reason, Role, Settings } from '../model/index.ts';

export type LogContext = {
  readonly node: Node;
  /** What moves with the VIPs. */
  readonly service: Settings['service'];
  /** -v: also what a healthy pair or a stranger causes all the time. */
  readonly isVerbose: boolean;
  /** monitor_links: a lost cable disables this director. */
  readonly monitorsLinks: boolean;
};

export function startLine(node: Node): string {
  return `STARTING PULSE AS ${node === 'primary' ? 'MASTER' : 'BACKUP'} (start)`;
}

/** TERM is 15, INT is 2. */
export function terminationLine(signal: number): string {
  return `Terminating due to signal ${signal} (stop)`;
}

/** The lines for a note; none when it is told with -v only. `suppressed`: equal notes left out since the last. */
export function noteLines(note: Note, context: LogContext, suppressed = 0): readonly string[] {
  const lines = linesOf(note, context);
  return suppressed === 0
    ? lines
    : lines.map((line) => `${line}; ${suppressed} more like it before`);
}

function linesOf(note: Note, context: LogContext): readonly string[] {
  const { service, isVerbose, monitorsLinks } = context;
  switch (note.kind) {
    case 'role':
      return [roleLine(note, context)];
    case 'dropped':
      return droppedLines(note, isVerbose);
    case 'split-brain-announce':
      return ['partner active: resending arps (split-brain-announce)'];
    case 'announcements-finished':
      return [`gratuitous ${service} arps finished (${note.frames} frames a VIP)`];
    case 'links':
      return linkLines(note.down, monitorsLinks);
    case 'partner':
      return note.is === 'heard'
        ? ['partner heard (partner-heard)']
        : ['partner silent for a deadtime (partner-silent)'];
    case 'late':
      return [
        `woke ${Math.round(note.lateMs)} ms late: frozen or starved of the processor (woke-late)`,
      ];
    case 'partner-timers':
      return [`the partner has another deadtime: ${note.deadtimeMs} ms (partner-timers)`];
    case 'believed':
      return [
        `${note.witness} sends ${vipWords(note.vips)} here, ${Math.round(note.tookMs)} ms after the announcement (believed)`,
      ];
    case 'unbelieved':
      return [`no witness sends ${vipWords(note.vips)} here (unbelieved)`];
    case 'foreign-claim':
      return [`${note.by} claims ${note.vip} on the segment: announcing again (foreign-claim)`];
    case 'deaf':
      return ['nothing at all is heard on the segment of the VIPs: not taking over (deaf)'];
    case 'witnesses':
      return note.are === 'silent'
        ? ['none of witness_hosts is heard: this director may not own the VIPs (isolated)']
        : ['witness_hosts are heard again (witness-heard)'];
    case 'hold':
      if (note.magic === 'stopme') return ['STOPME received, ignored for lvs services (stopme)'];
      return isVerbose ? [`${note.magic.toUpperCase()} received (${note.magic})`] : [];
    default:
      return unreachable(note);
  }
}

/** One VIP by its address, many by their number. */
function vipWords(vips: readonly string[]): string {
  return vips.length === 1 ? `${vips[0]}` : `${vips.length} VIPs`;
}

function roleLine(note: Extract<Note, { kind: 'role' }>, context: LogContext): string {
  const { from, to, reason } = note;
  return `${rolePhrase(from, to, reason, context)} (${reason})`;
}

function rolePhrase(from: Role, to: Role, reason: Reason, { node, service }: LogContext): string {
  if (to === 'active') return activationPhrase(reason, node, service);
  if (from === 'active') return releasePhrase(reason, service);
  const isTaking = to === 'claim' && reason === 'partner-failed';
  return isTaking ? 'Notifying partner WE are taking control' : `role ${from} -> ${to}`;
}

function activationPhrase(reason: Reason, node: Node, service: string): string {
  if (reason === 'forced') return 'Forced active on startup';
  if (reason === 'partner-resigned') {
    return `${node === 'primary' ? 'backup' : 'primary'} inactive: activating ${service}`;
  }
  return `${reason === 'partner-silent' ? 'partner dead: ' : ''}activating ${service}`;
}

function releasePhrase(reason: Reason, service: string): string {
  const deactivating = `deactivating ${service.toUpperCase()}`;
  if (reason === 'split-brain-yield') return `partner active: ${deactivating}`;
  if (reason === 'link-failure') return `Local NIC link failure: ${deactivating}`;
  const isTold = reason === 'partner-claims' && service === 'fos';
  return isTold ? `PARTNER HAS TOLD US TO GO INACTIVE: ${deactivating}` : deactivating;
}

function droppedLines(
  { reason, from }: Extract<Note, { kind: 'dropped' }>,
  isVerbose: boolean,
): readonly string[] {
  switch (reason) {
    case 'too-short':
      return [`bad heartbeat packet from ${from} (too-short)`];
    case 'incompatible':
    case 'not-a-trailer':
    case 'malformed':
    case 'unsigned':
    case 'bad-tag':
    case 'epoch-jump':
      return [`Incompatible heartbeat received from ${from} (${reason})`];
    case 'stranger':
    case 'no-partner':
    case 'bare':
    case 'duplicate':
    case 'replayed':
    case 'own-echo':
      return isVerbose ? [`Unexpected heartbeat from ${from} (${reason})`] : [];
    default:
      return unreachable(reason);
  }
}

function linkLines(down: readonly PathName[], disables: boolean): readonly string[] {
  const nics = down.map((path) => (path === 'public' ? 'Primary NIC' : 'Private NIC'));
  const lines = nics.map((nic) => `${nic}: link down (link-failure)`);
  if (!disables) return down.length === 0 ? ['Local NIC link restored (link-restored)'] : lines;
  return down.length === 0
    ? ['Local NIC link restored: Pulse enabled (link-restored)']
    : [...lines, 'Local NIC link failure: Pulse disabled (link-failure)'];
}
