import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { helpText } from './help.ts';
import { runCommand } from './index.ts';
import { findVerb, VERBS } from './verbs.ts';

test('every verb has one line in the help, and its code can be loaded', async () => {
  const lines = helpText().split('\n');
  for (const { name, summary, load } of VERBS) {
    const mine = lines.filter((line) => line.startsWith(`  ${name} `) && line.endsWith(summary));
    assert.equal(mine.length, 1, name);
    assert.equal(typeof (await load()), 'function');
  }
});

test('every name in bin/ that links to the program is a verb', () => {
  const bin = join(import.meta.dirname, '..', '..', 'bin');
  const links = readdirSync(bin, { withFileTypes: true }).filter((entry) => entry.isSymbolicLink());
  assert.equal(links.length >= 2, true);
  for (const { name } of links) assert.notEqual(findVerb(name), undefined, name);
});

test('an unknown verb is a usage error', async () => {
  assert.equal(await runCommand('piranha', ['conquer']), 64);
});
