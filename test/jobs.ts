/**
 * Runs one test program and says what came of it, whatever happens: it passes, fails, crashes, hangs, or leaves
 * processes behind.
 *
 * Each program gets a process group of its own, a temporary directory of its own (TMPDIR) and a mark in its
 * environment. At the end the group is killed, the directory removed, and every process that still carries the mark is
 * ended and counted as a failure: a test that leaves something running spoils the next one. A program that empties the
 * environment of its children can hide them; none of ours does.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { add, failure, NOTHING, parseTap, type Tally } from './tally.ts';

export type Job = {
  readonly name: string;
  readonly argv: readonly string[];
  /** Longer than this and it is ended and has failed. */
  readonly limitMs: number;
  /** `exit`: one test, passed when the exit status is 0. `tap`: the counts it prints. `file`: a node:test file. */
  readonly kind: 'exit' | 'tap' | 'file';
};

export type Outcome = { readonly tally: Tally; readonly output: string; readonly ms: number };

/** Between the polite end (TERM) and the other one (KILL). */
const GRACE_MS = 5_000;
/** What a program may print before the rest is dropped. */
const MAX_OUTPUT = 4 << 20;
const MARK = 'PIRANHA_CHECK';
const COMPILED = 'node_modules/.cache/piranha-check';

export class JobRunner {
  readonly #root: string;
  readonly #running = new Set<ChildProcess>();
  readonly #directory = mkdtempSync(join(tmpdir(), 'piranha-check-'));
  #started = 0;

  constructor(root: string) {
    this.#root = root;
    // Some tests act as a user without rights and must reach their own files.
    chmodSync(this.#directory, 0o711);
  }

  async run(job: Job): Promise<Outcome> {
    const startedAt = performance.now();
    const id = `${process.pid}.${++this.#started}`;
    const directory = join(this.#directory, String(this.#started));
    mkdirSync(directory);
    const tapFile = join(this.#directory, `${this.#started}.tap`);
    const ended = await this.#spawn(job, { id, directory, tapFile });
    const left = await endMarked(id);
    const tap = job.kind === 'file' ? readOrEmpty(tapFile) : ended.output;
    rmSync(tapFile, { force: true });
    let tally = judge(job, ended, tap);
    const stuck = remove(directory);
    if (stuck !== undefined) tally = add(tally, failure(job.name, `left behind: ${stuck}`));
    if (left.length > 0) tally = add(tally, failure(job.name, `left running: ${left.join(', ')}`));
    return { tally, output: ended.output, ms: performance.now() - startedAt };
  }

  /** Runs all, `atOnce` at a time; gives the sum. */
  async runAll(
    jobs: readonly Job[],
    atOnce: number,
    onEnd: (job: Job, outcome: Outcome) => void = () => {},
  ): Promise<Tally> {
    const queue = [...jobs];
    let total = NOTHING;
    const work = async () => {
      for (let job = queue.shift(); job !== undefined; job = queue.shift()) {
        const outcome = await this.run(job);
        total = add(total, outcome.tally);
        onEnd(job, outcome);
      }
    };
    await Promise.all(Array.from({ length: atOnce }, work));
    return total;
  }

  /** HUP, INT and TERM end what runs before they end us. */
  closeOnSignals(): void {
    for (const [signal, number] of Object.entries({ SIGHUP: 1, SIGINT: 2, SIGTERM: 15 })) {
      process.once(signal, () => {
        this.close();
        process.stderr.write(`check: ended by ${signal}\n`);
        process.exit(128 + number);
      });
    }
  }

  /** Ends everything that runs and removes the temporary files; for signals and for the end. */
  close(): void {
    for (const child of this.#running) killGroup(child, 'SIGTERM');
    for (let number = 1; number <= this.#started; number++) {
      for (const { pid } of marked(`${process.pid}.${number}`)) killQuietly(pid, 'SIGKILL');
    }
    for (const child of this.#running) killGroup(child, 'SIGKILL');
    remove(this.#directory);
  }

  #spawn(
    job: Job,
    place: { readonly id: string; readonly directory: string; readonly tapFile: string },
  ): Promise<Ended> {
    const { NODE_TEST_CONTEXT: _, ...environment } = process.env;
    const [program = '', ...rest] = job.kind === 'file' ? testFileArgv(job, place) : job.argv;
    const child = spawn(program, rest, {
      cwd: this.#root,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...environment,
        // Types are stripped once for all programs, not once in each. Daemons of root tests have the launcher's cache.
        ...(job.kind === 'file' &&
          !job.name.includes('.root.') && { NODE_COMPILE_CACHE: join(this.#root, COMPILED) }),
        NO_COLOR: '1',
        TMPDIR: place.directory,
        [MARK]: place.id,
      },
    });
    this.#running.add(child);
    let output = '';
    const keep = (text: string) => {
      if (output.length < MAX_OUTPUT) output += text;
    };
    child.stdout.setEncoding('utf8').on('data', keep);
    child.stderr.setEncoding('utf8').on('data', keep);
    return new Promise((resolve) => {
      let wasLate = false;
      const limit = setTimeout(() => {
        wasLate = true;
        killGroup(child, 'SIGTERM');
        setTimeout(() => killGroup(child, 'SIGKILL'), GRACE_MS).unref();
      }, job.limitMs);
      const finish = (how: string) => {
        clearTimeout(limit);
        killGroup(child, 'SIGKILL');
        this.#running.delete(child);
        resolve({ how: wasLate ? `took longer than ${job.limitMs / 1000} s` : how, output });
      };
      child.once('error', (error) => finish(`could not start: ${error.message}`));
      // `exit`, not `close`: a process left behind holds the pipe open for ever.
      child.once('exit', (status, signal) => {
        setTimeout(
          () => finish(signal === null ? `exit status ${status}` : `killed by ${signal}`),
          20,
        );
      });
    });
  }
}

/** What keeps it from being removed, a file system that is still mounted there, say. */
function remove(directory: string): string | undefined {
  try {
    rmSync(directory, { recursive: true, force: true });
    return undefined;
  } catch (error) {
    return String(error);
  }
}

type Ended = { readonly how: string; readonly output: string };

function testFileArgv(job: Job, place: { readonly tapFile: string }): readonly string[] {
  return [
    process.execPath,
    '--disable-warning=ExperimentalWarning',
    '--test-reporter=tap',
    `--test-reporter-destination=${place.tapFile}`,
    ...job.argv,
  ];
}

function judge(job: Job, ended: Ended, tap: string): Tally {
  const isClean = ended.how === 'exit status 0';
  if (job.kind === 'exit') {
    return isClean
      ? { ...NOTHING, passed: 1 }
      : failure(job.name, `${ended.how}\n${tail(ended.output)}`);
  }
  const tally = parseTap(job.name, tap);
  if (tally === undefined) {
    return failure(job.name, `${ended.how}, without counting its tests\n${tail(ended.output)}`);
  }
  if (isClean || tally.failed > 0) return tally;
  return add(tally, failure(job.name, `${ended.how}\n${tail(ended.output)}`));
}

function tail(output: string): string {
  return output.trimEnd().split('\n').slice(-25).join('\n');
}

/** Waits a second for marked processes to leave by themselves, then ends them; gives the command lines of those. */
async function endMarked(id: string): Promise<readonly string[]> {
  let left = marked(id);
  for (let attempt = 0; attempt < 10 && left.length > 0; attempt++) {
    await sleep(100);
    left = marked(id);
  }
  for (const { pid } of left) killQuietly(pid, 'SIGKILL');
  return left.map(({ command }) => command);
}

function marked(id: string): readonly Running[] {
  return processesWith(`${MARK}=${id}`);
}

type Running = { readonly pid: number; readonly command: string };

/** The processes that carry an entry in their environment, as far as we may look; without ourselves. */
export function processesWith(entry: string): readonly Running[] {
  const found: Running[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue;
    if (!readOrEmpty(`/proc/${name}/environ`).split('\0').includes(entry)) continue;
    const command = readOrEmpty(`/proc/${name}/cmdline`).replaceAll('\0', ' ').trim();
    found.push({ pid: Number(name), command: `${command} (process ${name})` });
  }
  return found;
}

/** The file's text; empty when it is not there, is not ours to read or has gone meanwhile (a process that ended). */
function readOrEmpty(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid !== undefined) killQuietly(-child.pid, signal);
}

function killQuietly(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}
