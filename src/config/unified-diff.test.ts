import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { unifiedDiff } from './unified-diff.ts';

const NAMES = { before: 'a', after: 'b' };

test('equal texts have no diff', () => {
  assert.equal(unifiedDiff('x\n', 'x\n', NAMES), '');
});

test('one changed line is shown with three around it', () => {
  const text = '1\n2\n3\n4\n5\n6\n7\n8\n9\n';
  assert.equal(
    unifiedDiff(text, text.replace('5', 'five'), NAMES),
    '--- a\n+++ b\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n',
  );
});

test('patch(1) makes the second text of the first one, for any two', { skip: hasPatch() }, () => {
  const directory = mkdtempSync(join(tmpdir(), 'diff-'));
  const line = fc.constantFrom('', 'a', 'b', 'c', '    weight = 1', '}', 'x y');
  const text = fc
    .tuple(fc.array(line, { maxLength: 30 }), fc.boolean())
    .map(([lines, ends]) => lines.join('\n') + (ends ? '\n' : ''));
  fc.assert(
    fc.property(text, text, (before, after) => {
      if (before === after) return;
      const file = join(directory, 'a');
      writeFileSync(file, before);
      const input = unifiedDiff(before, after, NAMES);
      const { status, stdout } = spawnSync('patch', ['-s', '-p0', file], {
        input,
        encoding: 'utf8',
      });
      assert.equal(status, 0, `${stdout}\n${input}`);
      const result = after === '' ? '' : readFileSync(file, 'utf8');
      assert.equal(result, after, input);
    }),
    { numRuns: 60 },
  );
  rmSync(directory, { recursive: true });
});

test('ten thousand lines with nothing in common are replaced as a whole, at once', () => {
  const lines = (word: string) =>
    Array.from({ length: 10_000 }, (_, n) => `${word}${n}\n`).join('');
  const startedAt = performance.now();
  const diff = unifiedDiff(lines('a'), lines('b'), NAMES);
  assert.equal(diff.split('\n').length, 2 + 1 + 20_000 + 1);
  assert.ok(performance.now() - startedAt < 2000);
});

test('a hunk of 200,000 lines is shown whole', () => {
  const diff = unifiedDiff('', 'a\n'.repeat(200_000), NAMES);
  assert.equal(diff.split('\n').length, 2 + 1 + 200_000 + 1);
});

function hasPatch(): string | false {
  return spawnSync('patch', ['--version']).status === 0 ? false : 'patch(1) is not installed';
}
