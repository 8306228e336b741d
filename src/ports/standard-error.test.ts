import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openStandardError } from './standard-error.ts';

test('a pipe that nobody reads takes what it can hold and then says no, at once', () => {
  const directory = mkdtempSync(join(tmpdir(), 'pird-'));
  try {
    const path = join(directory, 'pipe');
    execFileSync('mkfifo', [path]);
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const writer = openSync(path, constants.O_WRONLY);
    const write = openStandardError(writer);
    const line = `${'x'.repeat(999)}\n`;
    let taken = 0;
    while (taken < 1000 && write(line)) taken++;
    assert.equal(taken > 10 && taken < 1000, true, `${taken} lines`);
    const bytes = new Uint8Array(8192);
    readSync(reader, bytes);
    assert.equal(write(line), true);
    closeSync(reader);
    assert.equal(write(line), false);
    closeSync(writer);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
