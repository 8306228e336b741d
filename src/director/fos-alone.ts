/**
 * `fos` alone, for those who script it: the failover services of an lvs.cf in one mode, without heartbeats and VIPs, in the
 * foreground. It ends with 0 when a service has failed, as of old: whoever started it decides what that means. TERM, INT
 * and HUP end it too; then an active one stops its services.
 */
import { BootClock, ProcessSpawner } from '../ports/index.ts';
import { Fos, type FosMode } from './fos.ts';
import { loadSettings } from './load-settings.ts';
import { stderrLog } from './log-sink.ts';

export type FosOptions = {
  readonly configFile: string;
  readonly mode: FosMode;
  /** -t: the file is judged, nothing is run. */
  readonly isTest: boolean;
};

/** Runs until a service fails or a signal ends it; gives the exit code. */
export async function runFos({ configFile, mode, isTest }: FosOptions): Promise<number> {
  const log = stderrLog('fos');
  const loaded = loadSettings(configFile);
  for (const line of loaded.ok ? loaded.value.warnings : loaded.error) log(line);
  if (!loaded.ok) return 1;
  const services = loaded.value.settings.failoverServices.filter(({ isEnabled }) => isEnabled);
  if (services.length === 0) {
    log(`${configFile}: no failover service is active`);
    return 1;
  }
  if (isTest) return 0;
  const spawner = new ProcessSpawner();
  const end = Promise.withResolvers<'failed' | 'told'>();
  const onEnd = (): void => end.resolve('failed');
  const fos = new Fos(services, mode, { clock: new BootClock(), spawner, log, onEnd });
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) {
    process.on(signal, () => end.resolve('told'));
  }
  fos.begin();
  await ((await end.promise) === 'told' ? fos.stop() : fos.cease());
  spawner.close();
  return 0;
}
