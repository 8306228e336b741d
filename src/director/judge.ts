/** A file and this machine, judged together: for a start and for a reload alike. */
import { err, ok, type Result } from '../base/index.ts';
import type { Settings } from '../model/index.ts';
import { observeGateways } from '../ports/index.ts';
import { missingCapabilities } from './capabilities.ts';
import { observeKernel } from './kernel.ts';
import { readKeys } from './key-file.ts';
import { judgeText, loadSettings } from './load-settings.ts';
import { decideStart, type StartDecision } from './plan.ts';

export type Judged = StartDecision & {
  readonly settings: Settings;
  readonly configDigest: string;
  /** Each a sentence with its place. */
  readonly warnings: readonly string[];
};

/** Of this process: later lives have higher ones, as far as the wall clock goes forward; 12 bits of chance. */
const INCARNATION = Date.now() * 4096 + Math.floor(Math.random() * 4096);

/**
 * `text`: instead of what stands in the file. The error is what a person has to read: each line a sentence that names
 * file, address or right.
 */
export function judge(configFile: string, text?: string): Result<Judged, readonly string[]> {
  const loaded = text === undefined ? loadSettings(configFile) : judgeText(text, configFile);
  if (!loaded.ok) return loaded;
  const { settings, configDigest } = loaded.value;
  const keys =
    settings.heartbeatKeyFile === undefined ? ok([]) : readKeys(settings.heartbeatKeyFile);
  if (!keys.ok) return err([`${settings.file}: ${keys.error}`]);
  const observed = observeKernel();
  if (!observed.ok) return err([observed.error]);
  const gateways = observeGateways();
  const decision = decideStart({
    settings,
    observed: observed.value,
    missingCapabilities: missingCapabilities(settings.heartbeatPort),
    // None known is no reason not to run: then nobody is asked, and status says so.
    gateways: gateways.ok ? gateways.value : [],
    identity: { incarnation: INCARNATION, keys: keys.value, configDigest },
  });
  return decision.ok ? ok({ ...decision.value, ...loaded.value }) : err([decision.error]);
}
