/**
 * A trace as people draw it: two columns of directors, time downwards, arrows between them, at the right whom the router
 * believes. Plain text, 100 columns, so that it fits a terminal, a log and a bug report.
 *
 * ```
 *  seconds primary                                            backup                     router
 *    3.000                           <------- RUNNING -----x  ACTIVE: partner-silent
 *                                                             ARP: VIP is at backup      -> backup
 * ```
 *
 * A datagram heard in the instant in which it was sent, before anything else happens, is an arrow; one that something
 * overtakes is an arrow without a point, and a line where it is heard. Long rows of heartbeats are left out.
 */
import { type Milliseconds, unreachable } from '../base/index.ts';
import type { Node } from '../model/index.ts';
import type { TraceRecord } from './trace.ts';

const SIDE = 26;
const MIDDLE = 24;
/** Of a row of lines that are nothing but heartbeats, as many are kept at either end. */
const KEPT = 3;

type Line = {
  readonly at: Milliseconds;
  readonly primary?: string;
  readonly middle?: string;
  readonly backup?: string;
  readonly router?: string;
  readonly isHeartbeat?: true;
};

export function drawTrace(trace: readonly TraceRecord[]): string {
  const lines = shorten(linesOf(trace));
  const head = columns('seconds', { primary: 'primary', backup: 'backup', router: 'router' });
  const drawn = [head, '-'.repeat(99)];
  let previous: Milliseconds | undefined;
  for (const line of lines) {
    const time = line.at === previous ? '' : (line.at / 1000).toFixed(3);
    previous = line.at;
    drawn.push(columns(time, line));
  }
  return `${drawn.join('\n')}\n`;
}

function linesOf(trace: readonly TraceRecord[]): Line[] {
  const lines: Line[] = [];
  for (let index = 0; index < trace.length; index++) {
    const record = trace[index];
    const next = trace[index + 1];
    if (record === undefined) continue;
    const isTogether = next?.at === record.at && belongs(record, next);
    lines.push(isTogether ? joined(record, next) : lineOf(record));
    if (isTogether) index++;
  }
  return lines;
}

/** One line tells both: a datagram and its fate, an announcement and the router that believes it. */
function belongs(record: TraceRecord, next: TraceRecord): boolean {
  if (record.kind === 'announce') return next.kind === 'router';
  if (record.kind !== 'send') return false;
  const isFate = next.kind === 'hear' || next.kind === 'lose';
  return isFate && next.word === record.word && next.path === record.path;
}

function joined(record: TraceRecord, next: TraceRecord): Line {
  if (record.kind === 'send') return arrow(record, next.kind === 'hear' ? 'heard' : 'lost');
  const believes = next.kind === 'router' ? `-> ${next.believes}` : '';
  return { ...lineOf(record), router: believes };
}

function lineOf(record: TraceRecord): Line {
  const { at, node } = record;
  switch (record.kind) {
    case 'send':
      return arrow(record, 'under way');
    case 'hear':
      return { ...beside(at, node, `hears ${record.word}`), isHeartbeat: true };
    case 'queue':
      return { ...beside(at, node, `(${record.word} waits)`), isHeartbeat: true };
    case 'lose':
      return { at, middle: `  ${record.word} is lost` };
    case 'delay':
      return { at, middle: `  ${record.word} takes longer` };
    case 'role':
      return beside(at, node, `${record.to.toUpperCase()}: ${record.reason}`);
    case 'addresses':
      return beside(at, node, record.isHeld ? 'VIP raised' : 'VIP removed');
    case 'announce':
      return beside(at, node, `ARP: VIP is at ${record.owner}${record.isLost ? ' (lost)' : ''}`);
    case 'router':
      return { at, router: `-> ${record.believes}` };
    case 'event':
      return node === 'segment'
        ? { at, middle: `~ ${record.text} ~` }
        : beside(at, node, `~ ${record.text} ~`);
    default:
      return unreachable(record);
  }
}

function arrow(
  { at, node, word, path }: Extract<TraceRecord, { kind: 'send' }>,
  fate: 'heard' | 'lost' | 'under way',
): Line {
  const label = path === 'public' ? ` ${word} ` : ` ${word} (${path}) `;
  const shaft = MIDDLE - 1 - label.length;
  const left = '-'.repeat(Math.max(1, Math.floor(shaft / 2)));
  const right = '-'.repeat(Math.max(1, Math.ceil(shaft / 2)));
  const line = `${left}${label}${right}`;
  const isRightward = node === 'primary';
  const point = { heard: isRightward ? '>' : '<', lost: 'x', 'under way': '.' }[fate];
  return { at, middle: isRightward ? `${line}${point}` : `${point}${line}`, isHeartbeat: true };
}

function beside(at: Milliseconds, node: Node | 'segment', text: string): Line {
  return node === 'primary' ? { at, primary: text } : { at, backup: text };
}

/** Rows of heartbeats and nothing else are cut in the middle. */
function shorten(lines: readonly Line[]): Line[] {
  const kept: Line[] = [];
  for (let index = 0; index < lines.length; ) {
    let end = index;
    while (lines[end]?.isHeartbeat) end++;
    const isLong = end - index > 2 * KEPT + 1;
    const row = lines.slice(index, Math.max(end, index + 1));
    const middle = row[KEPT];
    if (isLong && middle !== undefined) {
      const text = `: ${row.length - 2 * KEPT} lines of heartbeats`;
      kept.push(...row.slice(0, KEPT), { at: middle.at, middle: text }, ...row.slice(-KEPT));
    } else {
      kept.push(...row);
    }
    index = Math.max(end, index + 1);
  }
  return kept;
}

function columns(time: string, { primary, middle, backup, router }: Omit<Line, 'at'>): string {
  const cells = [
    time.padStart(8),
    (primary ?? '').padEnd(SIDE),
    (middle ?? '').padEnd(MIDDLE),
    (backup ?? '').padEnd(SIDE),
    router ?? '',
  ];
  return cells.join(' ').trimEnd();
}
