import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import {
  type Directive,
  GLOBAL_DIRECTIVES,
  SERVER_DIRECTIVES,
  VIRTUAL_DIRECTIVES,
} from './directives.ts';
import { parseDocument, parseStatement } from './document.ts';
import { parseSettings } from './parse.ts';
import { PROBLEM_CODES } from './problem.ts';
import { STRICT_REASONS, strictVerdict } from './strict.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/lvs.cf.md'), 'utf8');

/** The cells of a chapter's table, its two head lines left out. */
function rowsOf(chapter: string): readonly (readonly string[])[] {
  const text = page.split(/^## /m).find((part) => part.startsWith(chapter));
  assert.ok(text !== undefined, `docs/lvs.cf.md has no chapter ${chapter}`);
  return text
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .slice(1)
    .map((line) => line.slice(2, -2).split(' | '));
}

function isDocumented<D>(chapter: string, table: ReadonlyMap<string, Directive<D>>): void {
  const told = rowsOf(chapter).map(([key, value, byDefault, since]) => ({
    key,
    value,
    byDefault,
    isOurs: since === '**ours**',
  }));
  const known = [...table.values()].map((directive) => ({
    key: `\`${directive.key}\``,
    value: directive.description,
    byDefault: directive.default === undefined ? '-' : `\`${directive.default}\``,
    isOurs: directive.strict.kind === 'ours',
  }));
  assert.deepEqual(told, known);
}

test('docs/lvs.cf.md tells every directive, its values, its default and whether it is ours', () => {
  isDocumented('Directives outside', GLOBAL_DIRECTIVES);
  isDocumented('In a `virtual`', VIRTUAL_DIRECTIVES);
  isDocumented('In a `server`', SERVER_DIRECTIVES);
});

test('docs/lvs.cf.md tells every problem and every strict reason', () => {
  const codes = rowsOf('Problems').map(([code]) => code);
  assert.deepEqual(
    codes,
    PROBLEM_CODES.map((code) => `\`${code}\``),
  );
  for (const reason of STRICT_REASONS) assert.ok(page.includes(`\`${reason}\``), reason);
});

test('the example of docs/lvs.cf.md is taken by both grammars without a word', () => {
  const example = page.split('```')[1] ?? '';
  assert.deepEqual(parseSettings(example, { file: 'lvs.cf' }).problems, []);
  assert.equal(strictVerdict(example), undefined);
  const kinds = parseDocument(example, 'lvs.cf').lines.map((line) => parseStatement(line).kind);
  assert.ok(!kinds.includes('malformed'));
});

/** The defaults of the table are what an absent directive gives: set each to its default, and nothing changes. */
test('a directive set to its documented default changes nothing', () => {
  const base = ['primary = 10.0.0.1', 'backup = 10.0.0.2'];
  const service = ['virtual a {', 'address = 10.9.9.9 eth0', '}'];
  const meaningOf = (lines: readonly string[]) => {
    const { settings } = parseSettings(lines.join('\n'), { file: 'lvs.cf' });
    assert.ok(settings !== undefined, lines.join('\n'));
    return JSON.stringify(settings, (key, value: unknown) =>
      key === 'origin' || key === 'origins' ? undefined : value,
    );
  };
  const expected = meaningOf([...base, ...service]);
  for (const { key, default: byDefault } of GLOBAL_DIRECTIVES.values()) {
    if (byDefault === undefined) continue;
    assert.equal(meaningOf([...base, `${key} = ${byDefault}`, ...service]), expected, key);
  }
  for (const { key, default: byDefault } of VIRTUAL_DIRECTIVES.values()) {
    if (byDefault === undefined) continue;
    const lines = [...base, ...service.toSpliced(2, 0, `${key} = ${byDefault}`)];
    assert.equal(meaningOf(lines), expected, key);
  }
});
