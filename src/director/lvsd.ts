/**
 * `lvsd` alone, for those who script it: the virtual services of an lvs.cf without heartbeats and VIPs, in the foreground.
 * In a director pulse does the same work in its own process. TERM and INT empty the table of our rows, HUP reads the
 * file again; hard_shutdown = 1 and a failure end it with 1, as of old.
 */
import { mkdirSync } from 'node:fs';
import { BootClock, openIpvs, openNftPlane, ProcessSpawner } from '../ports/index.ts';
import { choosePlane } from './data-plane.ts';
import { Ledger } from './ledger.ts';
import { loadSettings } from './load-settings.ts';
import { stderrLog } from './log-sink.ts';
import { systemErrorText } from './sentences.ts';
import { ServicesMemory } from './services-memory.ts';
import { ServicesRunner } from './services-runner.ts';

export type LvsdOptions = {
  readonly configFile: string;
  /** Holds what is kept over a restart. */
  readonly runDirectory: string;
  /** -t: the file is judged, nothing is touched. */
  readonly isTest: boolean;
  readonly isVerbose: boolean;
};

/** Runs until a signal ends it; gives the exit code. */
export async function runLvsd(options: LvsdOptions): Promise<number> {
  const { configFile, runDirectory, isVerbose } = options;
  const [lvsd, nanny] = [stderrLog('lvsd'), stderrLog('nanny')];
  const logs = { lvsd, nanny, fos: lvsd, pulse: lvsd };
  const loaded = loadSettings(configFile);
  const lines = loaded.ok ? loaded.value.warnings : loaded.error;
  for (const line of lines) logs.lvsd(line);
  if (!loaded.ok) return 1;
  const { settings } = loaded.value;
  if (!settings.virtualServices.some(({ isEnabled }) => isEnabled)) {
    logs.lvsd(`${configFile}: no virtual service is active`);
    return 1;
  }
  if (options.isTest) return 0;
  try {
    mkdirSync(runDirectory, { recursive: true, mode: 0o755 });
  } catch (error) {
    logs.lvsd(`run directory ${runDirectory}: ${systemErrorText(error)}`);
    return 1;
  }
  const spawner = new ProcessSpawner();
  const nftables = () => openNftPlane(spawner, runDirectory, logs.lvsd);
  const plane = await choosePlane(settings, { ipvs: openIpvs, nftables });
  if (!plane.ok) {
    logs.lvsd(`${configFile}: ${plane.error}`);
    spawner.close();
    return 1;
  }
  const exit = Promise.withResolvers<number>();
  const services = new ServicesRunner({
    clock: new BootClock(),
    spawner,
    plane: plane.value,
    memory: new ServicesMemory(runDirectory, logs.lvsd),
    log: (ident, line) => logs[ident](line),
    isVerbose,
    ledger: new Ledger(Date.now()),
    onFailed: (why) => {
      logs.lvsd(`shutting down lvs (hard_shutdown = 1): ${why}`);
      exit.resolve(1);
    },
  });
  process.on('SIGTERM', () => exit.resolve(0));
  process.on('SIGINT', () => exit.resolve(0));
  process.on('SIGHUP', () => {
    logs.lvsd('rereading configuration file');
    const next = loadSettings(configFile);
    for (const line of next.ok ? next.value.warnings : next.error) logs.lvsd(line);
    if (next.ok) services.reload(next.value.settings);
  });
  await services.start(settings);
  const status = await exit.promise;
  await services.stop({ isClean: true });
  if (plane.value.kind !== 'none') plane.value.port.close();
  spawner.close();
  return status;
}
