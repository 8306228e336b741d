/**
 * The key file of heartbeat_key_file: who may speak for the partner.
 *
 * One key a line, hexadecimal, 16 to 64 bytes; `#` begins a comment. The first key signs, each is accepted: rotation is
 * adding the new key as second on both nodes, then moving it to the front, then removing the old one. A file that
 * others may read is refused: a key that is known is no key. It never leaves this process but as a tag.
 */
import { closeSync, fstatSync, openSync, readSync, type Stats } from 'node:fs';
import { err, fromHex, ok, type Result } from '../base/index.ts';
import { systemErrorText } from './sentences.ts';

const MAX_KEYS = 2;
const MIN_BYTES = 16;
const MAX_BYTES = 64;
const MAX_FILE_BYTES = 4096;
/** `linux/fcntl.h`: names what stands at a path, links followed, and does not open it. */
const O_PATH = 0o10_000_000;

/**
 * The error is one sentence that never quotes the key. The path may come from a text that somebody only wants judged, so
 * what is no ordinary file is not opened: a pipe waits for a writer for ever, a device may do something.
 */
export function readKeys(path: string): Result<readonly Uint8Array[], string> {
  try {
    return withFile(path, O_PATH, (found) => {
      const stat = fstatSync(found);
      const fault = faultOf(stat);
      if (fault !== undefined) return err(`key file ${path} ${fault}`);
      return withFile(`/proc/self/fd/${found}`, 'r', (opened) => {
        const bytes = new Uint8Array(stat.size);
        const length = readSync(opened, bytes, 0, stat.size, 0);
        return parseKeys(new TextDecoder().decode(bytes.subarray(0, length)), path);
      });
    });
  } catch (error) {
    return err(`key file ${path} cannot be read: ${systemErrorText(error)}`);
  }
}

function withFile<T>(path: string, flags: number | string, use: (fd: number) => T): T {
  const fd = openSync(path, flags);
  try {
    return use(fd);
  } finally {
    closeSync(fd);
  }
}

function faultOf(stat: Stats): string | undefined {
  if (!stat.isFile()) return 'is no ordinary file: it must be one, or a link to one';
  const { mode, size, uid } = stat;
  if ((mode & 0o077) !== 0) {
    const found = (mode & 0o777).toString(8).padStart(3, '0');
    return `may be read by others (mode ${found}): it must be 600 or 400`;
  }
  if (uid !== 0 && uid !== process.getuid?.()) {
    return `belongs to user ${uid}: it must be root's or our own`;
  }
  return size > MAX_FILE_BYTES ? `is longer than ${MAX_FILE_BYTES} bytes` : undefined;
}

export function parseKeys(text: string, path: string): Result<readonly Uint8Array[], string> {
  const keys: Uint8Array[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    const word = line.replace(/#.*/, '').trim();
    if (word === '') continue;
    const isKey = /^([0-9a-fA-F]{2})+$/.test(word);
    const length = word.length / 2;
    if (!isKey || length < MIN_BYTES || length > MAX_BYTES) {
      const wanted = `${MIN_BYTES * 2} to ${MAX_BYTES * 2} hexadecimal digits`;
      return err(`${path}:${index + 1}: a key is ${wanted}, an even number of them`);
    }
    keys.push(fromHex(word));
  }
  if (keys.length === 0) return err(`key file ${path} holds no key`);
  if (keys.length > MAX_KEYS) return err(`key file ${path} holds more than ${MAX_KEYS} keys`);
  return ok(keys);
}
