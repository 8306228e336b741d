import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';

test('a frozen director gives its last answer within the last jiffy of its lease, and none after it', () => {
  const argv = [join(import.meta.dirname, 'lease.ts'), '--trials', '10'];
  const { status, stdout, stderr } = spawnSync(process.execPath, argv, {
    encoding: 'utf8',
    timeout: 100_000,
  });
  assert.equal(status, 0, stdout + stderr);
  const [, questions, exact] =
    /^ok: of (\d+) questions .* (\d+) of 10 trials exact$/m.exec(stdout) ?? [];
  assert.ok(Number(questions) > 500, stdout);
  assert.equal(Number(exact), 10, stdout);
});
