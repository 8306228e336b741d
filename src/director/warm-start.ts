/**
 * A long life begins warm: with every module of the director from Node's compile cache.
 *
 * The first import of a TypeScript file after an installation or update has its types stripped, by a machinery that
 * stays in memory for the life of the process, once a thread: 134 MB instead of 80. So a director that finds itself
 * cold compiles all it will need, lets the cache be written, and starts over in place (execve: the same process, for
 * the supervisor nothing happened). A director as it is built (bin/build-pulse.sh) has nothing to strip and comes back at
 * once. Rejected: leaving it to the second start; that may be months away.
 */
import { flushCompileCache, getCompileCacheDir } from 'node:module';
import type { Api } from './face.ts';

/** Set for the second start, so that a cache which cannot be written costs one extra start and no loop. */
const MARK = 'PIRANHA_WARM_START';

/** Before anything is touched. Comes back only when there is nothing to gain. */
export async function startWarm(api: Pick<Api, 'warm'>): Promise<void> {
  const isSecond = process.env[MARK] !== undefined;
  delete process.env[MARK];
  if (isSecond || getCompileCacheDir() === undefined || !hasStrippedTypes()) return;
  await Promise.all([import('./pulse-worker.ts'), api.warm()]);
  flushCompileCache();
  const argv = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  process.execve?.(process.execPath, argv, { ...process.env, [MARK]: '1' });
}

/** Node loads its stripper (amaro) when it first needs it. */
function hasStrippedTypes(): boolean {
  const loaded: unknown = 'moduleLoadList' in process ? process.moduleLoadList : [];
  return Array.isArray(loaded) && loaded.some((name) => String(name).includes('amaro'));
}
