/**
 * The frames that findings stand on, as one file for tshark: each frame once, in the order of time, with the names of the
 * findings that it belongs to as its comment; and each finding with the numbers of its frames there.
 *
 * The file is of mode 0600: it shows addresses and who serves what. Where nobody names one it lies in the run directory of
 * the daemon and replaces the one of the last look.
 */
import { closeSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { encodePcapng } from '../wire/index.ts';
import type { Finding, HeardFrame } from './finding.ts';

export const EVIDENCE_FILE = 'doctor.pcapng';

/** As it is shown: `frames` are numbers in the file. */
export type Shown = Omit<Finding, 'frames'> & { readonly frames?: readonly number[] };

/** Every frame of the findings, each once, the oldest first. */
export function framesOf(findings: readonly Finding[]): readonly HeardFrame[] {
  const all = new Set(findings.flatMap(({ frames = [] }) => frames));
  return [...all].sort((a, b) => a.wallMs - b.wallMs);
}

/** Writes the file; nothing where no finding stands on frames. The error is a sentence. */
export function writeEvidence(
  findings: readonly Finding[],
  named: string | undefined,
  runDirectory: string,
): { readonly path?: string; readonly error?: string } {
  const frames = framesOf(findings);
  if (frames.length === 0 && named === undefined) return {};
  const path = named ?? join(runDirectory, EVIDENCE_FILE);
  const owners = new Map<HeardFrame, Set<string>>();
  for (const { check, text, frames: own = [] } of findings) {
    const comment = `${check}: ${text}`;
    for (const frame of own) owners.set(frame, (owners.get(frame) ?? new Set()).add(comment));
  }
  const bytes = encodePcapng(
    frames.map((frame) => ({ ...frame, comments: [...(owners.get(frame) ?? [])] })),
    'piranha doctor',
  );
  const fresh = `${path}.${process.pid}.new`;
  try {
    // A new file of our own in every case: never written through somebody's link, never readable for a moment.
    const file = openSync(fresh, 'wx', 0o600);
    try {
      writeSync(file, bytes);
    } finally {
      closeSync(file);
    }
    renameSync(fresh, path);
    return { path };
  } catch (error) {
    rmSync(fresh, { force: true });
    const why = error instanceof Error ? error.message : String(error);
    return { error: `the frames are not kept: ${why}` };
  }
}

export function numbered(findings: readonly Finding[], path: string | undefined): readonly Shown[] {
  const numbers = new Map(framesOf(findings).map((frame, index) => [frame, index + 1]));
  return findings.map(({ frames, ...finding }) => {
    if (frames === undefined || frames.length === 0 || path === undefined) return finding;
    const own = [...new Set(frames.flatMap((frame) => numbers.get(frame) ?? []))];
    return { ...finding, frames: own.sort((a, b) => a - b) };
  });
}

/** `1-3, 7` */
export function rangesText(numbers: readonly number[]): string {
  const ranges: [number, number][] = [];
  for (const number of numbers) {
    const last = ranges.at(-1);
    if (last !== undefined && last[1] === number - 1) last[1] = number;
    else ranges.push([number, number]);
  }
  return ranges.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(', ');
}
