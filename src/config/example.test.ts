/** docs/lvs.cf-example.md uses every directive that there is, and can be run. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { GLOBAL_DIRECTIVES, SERVER_DIRECTIVES, VIRTUAL_DIRECTIVES } from './directives.ts';
import { parseSettings } from './parse.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/lvs.cf-example.md'), 'utf8');
const text = page.split('```\n')[1] ?? '';

test('the example has every directive of every table', () => {
  const depths = { 0: GLOBAL_DIRECTIVES, 4: VIRTUAL_DIRECTIVES, 8: SERVER_DIRECTIVES } as const;
  for (const [indent, table] of Object.entries(depths)) {
    const used = new Set(
      Array.from(text.matchAll(/^( *)(\w+) = /gm))
        .filter(([, blanks = '']) => blanks.length === Number(indent))
        .map(([, , key]) => key),
    );
    const missing = [...table.values()].map(({ key }) => key).filter((key) => !used.has(key));
    assert.deepEqual(missing, [], `indented by ${indent}`);
  }
});

test('it can be run: the only problems are warnings of what has no effect', () => {
  const { settings, problems } = parseSettings(text, { file: 'lvs.cf' });
  const said = problems.map(
    ({ severity, code, line, message }) => `${line} ${severity} ${code} ${message}`,
  );
  assert.ok(settings !== undefined, said.join('\n'));
  const surprising = problems.filter(
    ({ code }) => code !== 'unused-directive' && code !== 'unsupported',
  );
  assert.deepEqual(surprising, [], said.join('\n'));
});
