import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { readKeys } from './key-file.ts';

const directory = mkdtempSync(join(tmpdir(), 'pirkey-'));
after(() => rmSync(directory, { recursive: true, force: true }));
const at = (name: string): string => join(directory, name);

function refusal(path: string): string {
  const keys = readKeys(path);
  return keys.ok ? 'taken' : keys.error;
}

test('a key is read, through a link as well', () => {
  writeFileSync(at('key'), `# of the pair\n${'ab'.repeat(16)}\n`, { mode: 0o600 });
  symlinkSync('key', at('link'));
  for (const name of ['key', 'link']) {
    const keys = readKeys(at(name));
    assert.deepEqual(keys.ok && keys.value, [new Uint8Array(16).fill(0xab)]);
  }
});

test('what is no ordinary file is refused and not opened: a directory, a pipe that nobody writes, a device', () => {
  mkdirSync(at('directory'), { mode: 0o700 });
  // Before the pipe: whoever opens that one comes to no end.
  const refused = 'is no ordinary file: it must be one, or a link to one';
  assert.equal(refusal(at('directory')), `key file ${at('directory')} ${refused}`);
  assert.equal(spawnSync('mkfifo', ['-m', '600', at('pipe')]).status, 0);
  symlinkSync('pipe', at('link-to-pipe'));
  for (const path of [at('pipe'), at('link-to-pipe'), '/dev/tty', '/dev/full']) {
    assert.equal(refusal(path), `key file ${path} ${refused}`);
  }
});

test('a file that others may read, one that is too long, an empty one and none are refused in a sentence', () => {
  writeFileSync(at('open'), 'ab'.repeat(16), { mode: 0o640 });
  writeFileSync(at('long'), '#'.repeat(4097), { mode: 0o600 });
  writeFileSync(at('empty'), '', { mode: 0o600 });
  assert.match(refusal(at('open')), /may be read by others \(mode 640\): it must be 600 or 400$/);
  assert.match(refusal(at('long')), /is longer than 4096 bytes$/);
  assert.match(refusal(at('empty')), /holds no key$/);
  assert.match(refusal(at('none')), /none cannot be read: no such file \(ENOENT\)$/);
});
