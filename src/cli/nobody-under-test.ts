/**
 * The real command as a user without any right. Our tree may lie where only root may go (a clone in a private directory),
 * so it is shown to nobody at a place that is open to everybody, in a mount namespace that ends with the command.
 */
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..', '..');
const SHOW =
  'mount --bind "$0" /mnt && exec setpriv --reuid 65534 --regid 65534 --clear-groups /mnt/piranha "$@"';

/** What root runs for it. */
export function asNobody(words: readonly string[]): readonly [string, ...string[]] {
  return ['unshare', '--mount', 'sh', '-c', SHOW, ROOT, ...words];
}
