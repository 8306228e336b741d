import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { fits, includedFiles } from './included-files.ts';

test('an include reads files of its folder and below, in order, and nothing else', () => {
  const base = realpathSync(mkdtempSync(join(tmpdir(), 'piranha-include-')));
  try {
    const folder = join(base, 'keepalived');
    mkdirSync(join(folder, 'conf.d', 'more'), { recursive: true });
    const put = (name: string, text: string) => writeFileSync(join(base, name), text);
    put('secret.conf', 'secret');
    put('keepalived/conf.d/b.conf', 'B');
    put('keepalived/conf.d/a.conf', 'A');
    put('keepalived/conf.d/.hidden.conf', 'H');
    put('keepalived/conf.d/more/c.conf', 'C');
    symlinkSync(join(base, 'secret.conf'), join(folder, 'link.conf'));
    const main = join(folder, 'keepalived.conf');
    const include = includedFiles(main);
    const textsOf = (pattern: string, from = main) => {
      const found = include(pattern, from);
      return found.ok ? found.value.map(({ text }) => text).join('') : found.error;
    };
    assert.equal(textsOf('conf.d/*.conf'), 'AB');
    assert.equal(textsOf(join(folder, 'conf.d/[!b].conf')), 'A');
    assert.equal(textsOf('more/?.conf', join(folder, 'conf.d/a.conf')), 'C');
    assert.equal(textsOf('*/*/*.conf'), 'C');
    assert.equal(textsOf('none/*.conf'), '');
    assert.equal(textsOf('conf.d'), '');
    for (const far of ['../secret.conf', '/etc/passwd', 'link.conf', '*.conf', 'conf.d/../../x']) {
      assert.match(textsOf(far), /outside of .*keepalived; only files in this folder/, far);
    }
    assert.match(textsOf('{a,b}.conf'), /braces/);
  } finally {
    rmSync(base, { recursive: true });
  }
});

test('a pattern is matched in bounded time', () => {
  const cases: readonly (readonly [name: string, pattern: string, isFit: boolean])[] = [
    ['a.conf', '*.conf', true],
    ['a.conf', 'a.con?', true],
    ['a.conf', '[a-c].conf', true],
    ['d.conf', '[a-c].conf', false],
    [']', '[]]', true],
    ['a', '[', false],
    ['', '*', true],
    ['ab', 'a', false],
    ['a'.repeat(255), '*a'.repeat(100), true],
    ['a'.repeat(255), `${'*a'.repeat(100)}b`, false],
  ];
  for (const [name, pattern, isFit] of cases) assert.equal(fits(name, pattern), isFit, pattern);
});
