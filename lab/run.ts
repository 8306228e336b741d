/**
 * `lab run`: the same incident many times, in as many cells side by side as asked for, each run with a seed of its own
 * (the run's number added to `--seed`), so that the split into cells changes nothing.
 */
import { createInterface } from 'node:readline';
import { openCell } from './cell.ts';
import type { Setup } from './directors.ts';
import type { IncidentName } from './incidents.ts';
import type { RunOrder } from './inside.ts';
import type { RunRecord } from './record.ts';
import { runLine, type Summary, summarise, table } from './report.ts';

export type RunRequest = {
  readonly incidents: readonly IncidentName[];
  readonly repeat: number;
  readonly seed: number;
  readonly jobs: number;
  readonly quietMs: number;
  readonly watchMs: number;
  readonly loadMs: number;
  readonly setup: Setup;
};

/** Plays everything; `onRecord` is called as records come. Rejects when a cell fails. */
export async function playAll(
  request: RunRequest,
  onRecord: (record: RunRecord) => void,
): Promise<readonly RunRecord[]> {
  const all = Array.from({ length: request.repeat }, (_, index) =>
    request.incidents.map((name) => ({ name, run: index + 1, seed: request.seed + index })),
  ).flat();
  const jobs = Math.min(request.jobs, all.length);
  const records: RunRecord[] = [];
  const cells = Array.from({ length: jobs }, (_, job) => {
    const incidents = all.filter((_, index) => index % jobs === job);
    const { setup, quietMs, watchMs, loadMs } = request;
    return playInCell({ setup, quietMs, watchMs, loadMs, incidents }, (record) => {
      records.push(record);
      onRecord(record);
    });
  });
  await Promise.all(cells);
  return records;
}

function playInCell(order: RunOrder, onRecord: (record: RunRecord) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const cell = openCell({ mode: 'run', options: order }, 'pipe');
    let count = 0;
    const lines = createInterface({ input: cell.stdout ?? process.stdin });
    lines.on('line', (line) => {
      const record: RunRecord = JSON.parse(line);
      count += 1;
      onRecord(record);
    });
    cell.on('error', reject);
    cell.on('close', (status) => {
      const missing = order.incidents.length - count;
      if (missing === 0) resolve();
      else reject(new Error(`the lab ended (status ${status}) with ${missing} runs to go`));
    });
  });
}

/** The command's own part: lines or JSON on standard output. Gives 0 when every run ended well, else 1. */
export async function runCommand(request: RunRequest, isJson: boolean): Promise<number> {
  process.stdout.on('error', () => process.exit(1)); // `| head`: nobody reads on
  const print = (text: string) => process.stdout.write(`${text}\n`);
  const records = await playAll(request, (record) =>
    print(isJson ? JSON.stringify(record) : runLine(record, request.repeat)),
  );
  const summaries: readonly Summary[] = summarise(records);
  if (isJson) print(JSON.stringify({ summary: summaries }));
  else
    print(
      `\n${table(summaries)}\nmedian / worst; times of the runs in which the observer was never late by more than 25 ms`,
    );
  return records.every((record) => record.verdict.isGood) ? 0 : 1;
}
