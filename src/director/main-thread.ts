/**
 * The entry of a director process: judges before anything is touched, then hands over to a Director.
 *
 * Three steps, and only the third touches the world. *Judge* reads the file and looks at the machine; *rehearse* starts
 * the worker, which measures its timer and opens its sockets; then the run directory is claimed and the life begins.
 * Whatever can be refused is refused in the first two, in one sentence.
 */
import type { Worker } from 'node:worker_threads';
import { recoverChange } from './change-recovery.ts';
import { Director } from './director.ts';
import type { Api } from './face.ts';
import { judge } from './judge.ts';
import { isHeld, readPid, runDirectory } from './run-directory.ts';
import { systemErrorText } from './sentences.ts';
import { detach, detachedChild, foreground } from './terminal.ts';
import { startWarm } from './warm-start.ts';

export type PulseOptions = {
  readonly configFile: string;
  readonly runDirectory: string;
  /** Audit and history, which outlive this life. */
  readonly stateDirectory: string;
  /** -n: stay in the foreground and log to standard error. */
  readonly isForeground: boolean;
  /** --test-start: everything is judged, nothing is touched. */
  readonly isTest: boolean;
  readonly isVerbose: boolean;
  readonly isForcedActive: boolean;
  /** What answers to those who ask this director. */
  readonly api: Api;
  /** A pulse worker that waits for its setup. */
  readonly worker?: Worker;
};

/** Runs pulse to its end; gives the exit code: 0 after a clean stop, else 1. */
export async function runPulse(options: PulseOptions): Promise<number> {
  const parent = detachedChild(process.env);
  if (parent === undefined && !options.isTest) {
    await startWarm(options.api);
    if (!options.isForeground) return detach();
  }
  const terminal = parent ?? foreground();
  const directory = runDirectory(options.runDirectory);
  const isRunning = await isHeld(directory);
  if (!isRunning && !options.isTest) for (const line of recover(options)) terminal.log(line);
  const judged = judge(options.configFile);
  if (!judged.ok) {
    terminal.refuse(judged.error);
    return 1;
  }
  if (isRunning) {
    const who = `pid ${readPid(directory) ?? 'unknown'}, run directory ${directory.path}`;
    terminal.refuse([`pulse is already running here (${who})`]);
    return 1;
  }
  return new Director(judged.value, directory, options, terminal).run();
}

/** A change that waited when the last life ended may have to go back before its file is read. */
function recover(options: PulseOptions): readonly string[] {
  const { configFile, stateDirectory } = options;
  const isRunnable = (): boolean => judge(configFile).ok;
  try {
    return recoverChange({ configFile, stateDirectory, isRunnable }, Date.now());
  } catch (error) {
    return [systemErrorText(error)]; // the pair must be served all the same
  }
}
