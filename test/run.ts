/**
 * The test runner behind `./check` and `npm test`: runs tiers (test/tiers.ts), prints each job as it ends, then what
 * was skipped and why, what failed and how, and one closing line with the counts of everything.
 *
 * node:test's own runner does a part of this. It cannot count a C program or a lab run beside its files, and a file
 * that hangs or leaves a daemon behind is not its business; here both are failures (test/jobs.ts).
 */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { type Job, JobRunner, type Outcome } from './jobs.ts';
import { add, type Named, NOTHING, skip, type Tally } from './tally.ts';
import { TIERS, type Tier } from './tiers.ts';

const root = join(import.meta.dirname, '..');
process.chdir(root);

const wanted = process.argv.slice(2);
if (wanted.includes('--list')) {
  for (const tier of TIERS) print(`${tier.name.padEnd(8)} ${tier.about}`);
} else {
  const unknown = wanted.filter((name) => !TIERS.some((tier) => tier.name === name));
  if (unknown.length > 0) {
    const known = TIERS.map((tier) => tier.name).join(', ');
    process.stderr.write(`check: there is no tier ${unknown.join(', ')}; there are ${known}.\n`);
    process.exitCode = 2;
  } else {
    const tally = await runTiers(
      wanted.length === 0 ? TIERS : TIERS.filter((tier) => wanted.includes(tier.name)),
    );
    process.exitCode = tally.failed > 0 ? 1 : 0;
  }
}

async function runTiers(tiers: readonly Tier[]): Promise<Tally> {
  const runner = new JobRunner(root);
  runner.closeOnSignals();
  let total = NOTHING;
  try {
    for (const tier of tiers) {
      const tally = await runTier(runner, tier);
      total = add(total, tally);
    }
  } finally {
    runner.close();
  }
  list('Skipped', total.skips);
  list('Failed', total.failures);
  print(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
  return total;
}

async function runTier(runner: JobRunner, tier: Tier): Promise<Tally> {
  const startedAt = performance.now();
  const jobs = tier.jobs();
  const missing = await tier.missing();
  const atOnce = tier.atOnce === 'cores' ? availableParallelism() : tier.atOnce;
  const total =
    missing === undefined
      ? await runner.runAll(jobs, atOnce, report)
      : jobs.map((job) => skip(job.name, missing)).reduce(add, NOTHING);
  print(`== ${tier.name}: ${counts(total)} in ${seconds(performance.now() - startedAt)}\n`);
  return total;
}

function report(job: Job, { tally, output, ms }: Outcome): void {
  print(`${tally.failed > 0 ? 'FAIL' : 'ok  '} ${job.name}: ${counts(tally)} in ${seconds(ms)}`);
  // What a lab run or a search counted is worth a line even when all is well.
  if (job.kind !== 'file' && tally.failed === 0) {
    const said = output.split('\n').filter((line) => /^[^#]*\w/.test(line));
    if (said.length > 0) print(indent(said.slice(-4).join('\n')));
  }
  for (const { name, text } of tally.failures) print(indent(`${name}\n${indent(text)}`));
}

function list(title: string, entries: readonly Named[]): void {
  if (entries.length === 0) return;
  print(`${title}:`);
  for (const { name, text } of entries) {
    const lines = ends(text.split('\n')).join('\n');
    print(indent(lines.includes('\n') ? `${name}\n${indent(lines)}` : `${name}: ${lines}`));
  }
  print('');
}

/** A test says first what is wrong, a lab run says it last. */
function ends(lines: readonly string[]): readonly string[] {
  return lines.length <= 15 ? lines : [...lines.slice(0, 8), '…', ...lines.slice(-6)];
}

function counts(tally: Tally): string {
  const parts = [`${tally.passed} passed`];
  if (tally.failed > 0) parts.push(`${tally.failed} failed`);
  if (tally.skipped > 0) parts.push(`${tally.skipped} skipped`);
  return parts.join(', ');
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

function indent(text: string): string {
  return text.replace(/^/gm, '  ');
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
