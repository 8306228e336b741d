/**
 * Another content for a file, whole or not at all: written beside it, brought to the disk, then renamed over it. Mode
 * and owner stay; a link is followed, so that /etc/piranha may point to where the file of old is.
 */
import {
  closeSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

/** Throws what the file system says; then the old file stands, or the new one, whole. `mode`: of a file that is new. */
export function replaceFile(path: string, bytes: Uint8Array, mode = 0o600): void {
  const old = statSync(path, { throwIfNoEntry: false });
  const target = old === undefined ? path : realpathSync(path);
  const beside = `${target}.new`;
  rmSync(beside, { force: true }); // of a crash
  const fd = openSync(beside, 'wx', 0o600);
  try {
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
      // Its mode first: once it is another's, only CAP_FOWNER may change it, which the service does not have.
      fchmodSync(fd, old === undefined ? mode : old.mode & 0o7777);
      if (old !== undefined && process.getuid?.() === 0) fchownSync(fd, old.uid, old.gid);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(beside, target);
  } catch (error) {
    rmSync(beside, { force: true });
    throw error;
  }
  const directory = openSync(join(dirname(target), '.'), 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
