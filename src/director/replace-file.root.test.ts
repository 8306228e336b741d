import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { enterNamespace } from '../ports/index.ts';
import { run } from './daemon-under-test.ts';
import { replaceFile } from './replace-file.ts';

enterNamespace();

let directory: string;
let file: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'pirr-'));
  file = join(directory, 'lvs.cf');
});

afterEach(() => rmSync(directory, { recursive: true }));

test("another user's file is replaced with the capabilities of the service, and stays his", () => {
  writeFileSync(file, 'old');
  chmodSync(file, 0o644);
  chownSync(file, 12_345, 12_346);
  const unit = join(import.meta.dirname, '../../packaging/systemd/piranha.service');
  const names = /^CapabilityBoundingSet=(.*)$/m.exec(readFileSync(unit, 'utf8'))?.[1] ?? '';
  const bounds = names
    .toLowerCase()
    .split(' ')
    .map((name) => name.replace('cap_', '+'));
  const program = `import { replaceFile } from ${JSON.stringify(import.meta.resolve('./replace-file.ts'))};
    replaceFile(${JSON.stringify(file)}, new TextEncoder().encode('new'));`;
  const words = ['--bounding-set', `-all,${bounds}`, process.execPath, '--input-type=module'];
  const { status, stderr } = run('setpriv', ...words, '-e', program);
  assert.equal(status, 0, stderr);
  assert.equal(readFileSync(file, 'utf8'), 'new');
  const { uid, gid, mode } = statSync(file);
  assert.deepEqual([uid, gid, mode & 0o777], [12_345, 12_346, 0o644]);
});

test('a full disk leaves the old file, nothing beside it and no file open', () => {
  const mounted = run('mount', '-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', directory);
  assert.equal(mounted.status, 0, mounted.stderr);
  try {
    writeFileSync(file, 'old');
    const open = readdirSync('/proc/self/fd').length;
    for (let round = 0; round < 3; round++) {
      assert.throws(() => replaceFile(file, new Uint8Array(100_000)), { code: 'ENOSPC' });
    }
    assert.equal(readdirSync('/proc/self/fd').length, open);
    assert.equal(readFileSync(file, 'utf8'), 'old');
    assert.deepEqual(readdirSync(directory), ['lvs.cf']);
  } finally {
    run('umount', directory);
  }
});
