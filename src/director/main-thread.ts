/**
 * The entry of a director process: judges before anything is touched, then hands over to a Director.
 *
 * Three steps, and only the third touches the world. *Prepare* reads the file and looks at the machine; *rehearse*
 * starts the worker, which measures its timer and opens its sockets; *live* claims the run directory and begins.
 * Whatever can be refused is refused in the first two, in one sentence.
 */
import { err, ok, type Result } from '../base/index.ts';
import { missingCapabilities } from './capabilities.ts';
import { Director, type Prepared } from './director.ts';
import { observeKernel } from './kernel.ts';
import { loadSettings } from './load-settings.ts';
import { decideStart } from './plan.ts';
import { isHeld, readPid, runDirectory } from './run-directory.ts';
import { detach, detachedChild, foreground } from './terminal.ts';
import { keepHeapSmall, startWarm } from './warm-start.ts';

export type PulseOptions = {
  readonly configFile: string;
  readonly runDirectory: string;
  /** -n: stay in the foreground and log to standard error. */
  readonly isForeground: boolean;
  /** --test-start: everything is judged, nothing is touched. */
  readonly isTest: boolean;
  readonly isVerbose: boolean;
  readonly isForcedActive: boolean;
};

/** Runs pulse to its end; gives the exit code: 0 after a clean stop, else 1. */
export async function runPulse(options: PulseOptions): Promise<number> {
  const parent = detachedChild(process.env);
  if (parent === undefined && !options.isTest) {
    await startWarm();
    if (!options.isForeground) return detach();
  }
  keepHeapSmall();
  const terminal = parent ?? foreground();
  const prepared = await prepare(options);
  if (!prepared.ok) {
    terminal.refuse(prepared.error);
    return 1;
  }
  return new Director(prepared.value, options, terminal).run();
}

async function prepare(options: PulseOptions): Promise<Result<Prepared, readonly string[]>> {
  const loaded = loadSettings(options.configFile);
  if (!loaded.ok) return loaded;
  const directory = runDirectory(options.runDirectory);
  if (await isHeld(directory)) {
    const pid = readPid(directory) ?? 'unknown';
    return err([`pulse is already running here (pid ${pid}, run directory ${directory.path})`]);
  }
  const observed = observeKernel();
  if (!observed.ok) return err([observed.error]);
  const { settings, warnings } = loaded.value;
  const decision = decideStart({
    settings,
    observed: observed.value,
    missingCapabilities: missingCapabilities(),
  });
  if (!decision.ok) return err([decision.error]);
  return ok({ ...decision.value, settings, warnings, directory });
}
