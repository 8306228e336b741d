/**
 * The change that was waiting when the last life ended, judged before this one reads its file: what was interrupted,
 * not confirmed in its time, or cannot be started with goes back to the file before it.
 */
import { existsSync } from 'node:fs';
import { type ChangeState, stepChange } from '../core/index.ts';
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
  for (const effect of step.value.effects) {
    if (effect.kind === 'restore') {
      const bytes = store.bytes(effect.change.before);
      if (bytes === undefined) throw new Error(`version ${effect.change.before} is not there`);
      const kept = keepAside(store, configFile, wallMs);
      replaceFile(configFile, bytes);
      said.push(restoredText(state, effect.why), ...kept);
    }
    if (effect.kind === 'mark') store.mark(effect.serial, effect.fate);
  }
  store.setState(step.value.state);
  return said;
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
    const serial = store.find(running, wallMs);
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
