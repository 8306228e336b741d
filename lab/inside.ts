/** The lab's process inside its cell: builds the stage and does what the mode says. Started by cell.ts only. */

import { writeSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Setup } from './directors.ts';
import type { IncidentName } from './incidents.ts';
import { Stage } from './stage.ts';
import { type TourOptions, tour } from './tour.ts';

/** One line of a `run` cell's output. */
export type RunOrder = {
  readonly setup: Setup;
  readonly incidents: readonly {
    readonly name: IncidentName;
    readonly run: number;
    readonly seed: number;
  }[];
  readonly quietMs: number;
  readonly watchMs: number;
  readonly loadMs: number;
};

// Whoever read what we tell has gone (`| head`): so do we.
process.stdout.on('error', () => process.exit(1));

// Descriptor 3 is a pipe from the process that opened the cell: its end is ours.
new Socket({ fd: 3 }).on('close', () => process.exit(1)).resume();

async function runAll(order: RunOrder): Promise<void> {
  const stage = await Stage.build(order.setup);
  for (const { name, run, seed } of order.incidents) {
    const { quietMs, watchMs, loadMs } = order;
    const record = await stage.run(name, { run, seed, quietMs, watchMs, loadMs });
    writeSync(1, `${JSON.stringify(record)}\n`);
    if (!record.verdict.isGood) process.stderr.write(`${stage.logs()}\n`);
  }
  await stage.close();
}

async function main(mode: string, text: string): Promise<void> {
  if (mode === 'run') {
    const order: RunOrder = JSON.parse(text);
    await runAll(order);
  } else {
    const options: TourOptions = JSON.parse(text);
    await tour(options);
  }
}

try {
  await main(process.argv[2] ?? '', process.argv[3] ?? '{}');
  process.exit(process.exitCode ?? 0);
} catch (error) {
  process.stderr.write(`piranha lab: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
