/**
 * A few milliseconds of a pair as two columns: what each director said and did, and when the router moved. Pure: events
 * in, lines out.
 */
import type { LabEvent } from './events.ts';
import { type Director, directorOf } from './topology.ts';

/** Characters from the left column's begin to the right column's. */
const COLUMN = 40;
/** Of events that the observer found in one look, the cause stands before its effect. */
const ORDER: readonly LabEvent[0][] = ['heartbeat', 'vip', 'announcement', 'router'];

export type DiagramOptions = {
  readonly fromAt: number;
  readonly toAt: number;
  readonly maxLines: number;
};

/** Lines `ms | da | db`, from the first event after `fromAt` on; heartbeats of the segment only. */
export function diagram(events: readonly LabEvent[], options: DiagramOptions): readonly string[] {
  const { fromAt, toAt, maxLines } = options;
  const lines = events
    .filter((event) => event[1] >= fromAt && event[1] <= toAt)
    .toSorted((a, b) => a[1] - b[1] || ORDER.indexOf(a[0]) - ORDER.indexOf(b[0]))
    .map((event) => ({ at: event[1], text: columns(event) }))
    .filter((line) => line.text !== undefined)
    .slice(0, maxLines)
    .map(({ at, text }) => `${(at - fromAt).toFixed(1).padStart(7)} ms   ${text}`.trimEnd());
  return [`${''.padStart(13)}${'da'.padEnd(COLUMN)}db`, ...lines];
}

function columns(event: LabEvent): string | undefined {
  switch (event[0]) {
    case 'heartbeat':
      return event[3] === 'sent' && event[4] === 'segment' ? arrow(event[2], event[5]) : undefined;
    case 'vip':
      return beside(event[2], event[3] === 'raised' ? 'raises the VIP' : 'gives up the VIP');
    case 'announcement':
      return beside(event[2], `announces ${directorOf(event[4]) ?? event[4]} (${event[3]})`);
    case 'router': {
      const owner = event[2] === null ? 'nobody' : (directorOf(event[2]) ?? event[2]);
      return `${' '.repeat(COLUMN / 2 - 6)}[router: ${owner}]`;
    }
    default:
      return undefined;
  }
}

function arrow(from: Director, word: string): string {
  const says = word === 'running' || word === 'stopped' ? word.toUpperCase() : word;
  const line = '-'.repeat(COLUMN - says.length - 3);
  return from === 'da' ? `${says} ${line}>` : `  <${line} ${says}`.padStart(COLUMN + says.length);
}

function beside(node: Director, text: string): string {
  return node === 'da' ? text : ' '.repeat(COLUMN) + text;
}
