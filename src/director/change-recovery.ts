/**
 * The change that was waiting when the last life ended, judged before this one reads its file: what was interrupted,
 * not confirmed in its time, or cannot be started with goes back to the file before it.
 */
import { existsSync } from 'node:fs';
import { type ChangeState, type ChangeStep, stepChange } from '../core/index.ts';
import { ChangeStore } from './change-store.ts';
import { replaceFile } from './replace-file.ts';
import { readRunning } from './running-file.ts';
import { systemErrorText } from './sentences.ts';

export type RecoveryParts = {
  readonly configFile: string;
  readonly stateDirectory: string;
  /** Could a director start with the file as it stands? */
  readonly isRunnable: () => boolean;
};

/** What was done, in sentences for the log; throws a sentence when the store cannot be read or the file not be written. */
export function recoverChange(parts: RecoveryParts, wallMs: number): readonly string[] {
  const { configFile, stateDirectory, isRunnable } = parts;
  const store = new ChangeStore(stateDirectory, configFile);
  const { state } = store;
  if (state.kind === 'settled') return [];
  const step = stepChange(state, { kind: 'start', wallMs, isRunnable: isRunnable() });
  if (!step.ok) return [];
  const said: string[] = [];
  const back = restoreOf(step.value);
  if (back !== undefined) {
    const kept = putBack(store, configFile, back.change.before, wallMs);
    said.push(restoredText(state, back.why), ...kept);
  }
  const owed = store.takeAnyway(step.value);
  return owed === undefined ? said : [...said, owed];
}

export function restoreOf({ effects }: ChangeStep) {
  return effects.find((effect) => effect.kind === 'restore');
}

/**
 * The file of version `before` stands again. It is not written where it stands already: what could not be installed on a full
 * disk must not fail there once more. Answers with what else was done; throws a sentence when it cannot be put back.
 */
export function putBack(
  store: ChangeStore,
  file: string,
  before: number,
  wallMs: number,
): readonly string[] {
  try {
    const bytes = store.bytes(before);
    if (bytes === undefined) throw new Error('it is not in the history');
    if (digestIn(file) === store.version(before)?.digest) return [];
    const kept = keepAside(store, file, wallMs);
    replaceFile(file, bytes);
    return kept;
  } catch (error) {
    const why = systemErrorText(error);
    throw new Error(`the configuration cannot go back to version ${before}: ${why}`);
  }
}

/** Undefined: what cannot be read is no version of ours. */
function digestIn(file: string): string | undefined {
  try {
    return readRunning(file).digest;
  } catch {
    return undefined;
  }
}

/**
 * What somebody wrote into the file by hand while a change waited is kept in the history before the old file goes over it; the
 * sentence about it, if it was so. That it cannot be kept is no reason not to go back: who cut himself off waits for that.
 */
export function keepAside(store: ChangeStore, file: string, wallMs: number): readonly string[] {
  try {
    if (!existsSync(file)) return [];
    const running = readRunning(file);
    if (store.versionOf(running) !== undefined) return [];
    const serial = store.find(running, { wallMs });
    return [
      `${file} was written by hand meanwhile, kept as version ${serial}: piranha history ${serial}`,
    ];
  } catch (error) {
    return [
      `${file} was written by hand meanwhile and could not be kept: ${systemErrorText(error)}`,
    ];
  }
}

const WHY = {
  'not-confirmed': 'was not confirmed in its time',
  undone: 'was undone',
  failed: 'could not be put in force',
  interrupted: 'was interrupted before it was in force',
} as const;

/** `version 8 by alice was not confirmed in its time: back to version 7 (rolled-back)` */
export function restoredText(state: ChangeState, why: keyof typeof WHY): string {
  if (state.kind === 'settled') return '';
  const { serial, author, before } = state.change;
  return `version ${serial} by ${author} ${WHY[why]}: back to version ${before} (rolled-back)`;
}
