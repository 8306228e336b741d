/** Placeholder of this minute. */
import { err, type Result } from '../base/index.ts';
import type { PortError } from '../model/index.ts';
import { portError } from './errno.ts';
import type { Spawner, TablePort } from './types.ts';

export async function openNftPlane(
  _spawner: Spawner,
  _directory: string,
): Promise<Result<TablePort, PortError>> {
  return err(portError('run', 'nft', 'ENOENT'));
}
