/**
 * active_cmd and inactive_cmd: run by the spawner in the order of the role changes, one at a time, never overlapping.
 *
 * The words of a command are separated by spaces and started without a shell (as in piranha 0.8.6). The failover
 * never waits for them; a hook that hangs is ended after a minute, so that it cannot silence the next one.
 */
import { fromUtf8, type Milliseconds } from '../base/index.ts';
import type { Settings } from '../model/index.ts';
import type { Spawner, SpawnOutcome } from '../ports/index.ts';
import { portErrorText } from './sentences.ts';

const LIMIT_MS: Milliseconds = 60_000;
const KEPT_OUTPUT = 1024;
/** Role changes that may wait for a slow hook; beyond it the oldest are left out, and said so. */
const LONGEST_QUEUE = 64;

export type HookCommands = { readonly active?: string; readonly inactive?: string };

export class Hooks {
  readonly #spawner: Spawner;
  readonly #log: (line: string) => void;
  readonly #queue: { readonly name: string; readonly command: string }[] = [];
  #running: Promise<void> | undefined;
  commands: HookCommands;

  constructor(spawner: Spawner, commands: HookCommands, log: (line: string) => void) {
    this.#spawner = spawner;
    this.commands = commands;
    this.#log = log;
  }

  run(hook: 'active' | 'inactive'): void {
    this.runCommand(`${hook}_cmd`, this.commands[hook] ?? '');
  }

  /** `name` is for the log; an empty command is none. */
  runCommand(name: string, text: string): void {
    const command = text.trim();
    if (command === '') return;
    this.#queue.push({ name, command });
    if (this.#queue.length > LONGEST_QUEUE) {
      const left = this.#queue.shift();
      this.#log(`${left?.name} left out: ${LONGEST_QUEUE} role changes wait for slow hooks`);
    }
    this.#running ??= this.#runAll();
  }

  /** Settles when no hook runs or waits. */
  async idle(): Promise<void> {
    await this.#running;
  }

  async #runAll(): Promise<void> {
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      const complaint = await runCommand(this.#spawner, next.command);
      if (complaint !== undefined) this.#log(`${next.name} ${next.command}: ${complaint}`);
    }
    this.#running = undefined;
  }
}

/** Runs the words of one command; gives what is to be said of it, nothing when it ended well. */
export async function runCommand(spawner: Spawner, text: string): Promise<string | undefined> {
  const argv = text.trim().split(/\s+/);
  return complaintOf(await spawner.run({ argv, timeoutMs: LIMIT_MS, maxOutput: KEPT_OUTPUT }));
}

/** Undefined for a command that ended well. */
function complaintOf(outcome: SpawnOutcome): string | undefined {
  switch (outcome.kind) {
    case 'exited':
      if (outcome.status === 0) return undefined;
      return `exited with status ${outcome.status}${lastWords(outcome.output)}`;
    case 'killed':
      return `ended by signal ${outcome.signal}`;
    case 'timeout':
      return `not done after ${LIMIT_MS / 1000} s: ended`;
    case 'failed':
      return portErrorText(outcome.error);
  }
}

function lastWords(output: Uint8Array): string {
  const [line] = fromUtf8(output).trim().split('\n').slice(-1);
  return line === undefined || line === '' ? '' : `: ${line}`;
}

export function hookCommands({ activeCommand, inactiveCommand }: Settings): HookCommands {
  return {
    ...(activeCommand !== undefined && { active: activeCommand }),
    ...(inactiveCommand !== undefined && { inactive: inactiveCommand }),
  };
}
