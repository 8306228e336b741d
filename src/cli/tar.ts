/**
 * A tar archive of a few small files, in memory. Source: POSIX.1-2017 pax(1), "ustar Interchange Format".
 * Rejected: running tar(1), which leaves the files on the disk first, and a package for one header.
 */
import { concatBytes, utf8 } from '../base/index.ts';

export type ArchivedFile = {
  /** At most 100 bytes, no leading slash. */
  readonly name: string;
  readonly bytes: Uint8Array;
};

const BLOCK = 512;
const ARCHIVED_MODE = '0000600';

/** `at`: modification time of every file, in seconds since 1970. */
export function tarOf(files: readonly ArchivedFile[], at: number): Uint8Array {
  const parts = files.flatMap(({ name, bytes }) => [
    header(name, bytes.length, at),
    bytes,
    new Uint8Array((BLOCK - (bytes.length % BLOCK)) % BLOCK),
  ]);
  return concatBytes(...parts, new Uint8Array(2 * BLOCK));
}

function header(name: string, size: number, at: number): Uint8Array {
  const block = new Uint8Array(BLOCK);
  const put = (offset: number, text: string): void => block.set(utf8(text), offset);
  const octal = (value: number, digits: number): string =>
    Math.floor(value).toString(8).padStart(digits, '0');
  put(0, name.slice(0, 100));
  put(100, ARCHIVED_MODE);
  put(108, octal(0, 7));
  put(116, octal(0, 7));
  put(124, octal(size, 11));
  put(136, octal(at, 11));
  put(148, '        ');
  put(156, '0');
  put(257, 'ustar\u000000');
  const sum = block.reduce((total, byte) => total + byte, 0);
  put(148, `${octal(sum, 6)}\u0000 `);
  return block;
}
