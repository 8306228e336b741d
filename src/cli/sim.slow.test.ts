import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';

const main = join(import.meta.dirname, '..', 'main.ts');

function sim(...argv: readonly string[]): string {
  return execFileSync(process.execPath, [main, 'sim', ...argv], { encoding: 'utf8' });
}

test('sim plays seeds and says how they ended', () => {
  assert.match(sim('--seed', '5'), /^1 runs, \d+ faults, .*1 ended with one owner/);
  const [line = ''] = sim('--seed', '5', '--runs', '2', '--json').split('\n');
  const { runs, failures } = JSON.parse(line);
  assert.deepEqual([runs, failures], [2, 0]);
});

test('sim draws how a mutant falls, and lists all of them', () => {
  const drawn = sim('--mutant', 'piranha-2001');
  assert.match(drawn, /Falls: the router ends on the owner/);
  assert.match(drawn, /ACTIVE: partner-silent/);
  for (const word of ['first-fix-only', 'cables', 'stale-router']) {
    assert.ok(sim('--list-mutants').includes(word), word);
  }
});

test('arenas by the beginning of their names are searched side by side and told in their order', () => {
  const told = sim('--arena', 'cold-*', '--jobs', '3').match(/^cold-[a-z-]+/gm);
  assert.deepEqual(told, ['cold-start', 'cold-claims', 'cold-split', 'cold-one-way']);
});

test('what sim cannot do it says in a sentence', () => {
  for (const [argv, sentence] of [
    [['--seed', 'seven'], '--seed wants a whole number, not seven'],
    [['--runs', '0'], '--runs wants a whole number, not 0'],
    [['--mutant', 'godzilla'], 'there is no mutant godzilla'],
    [['--arena', 'colosseum'], 'there is no arena colosseum'],
    [['--arena', 'colosseum*'], 'there is no arena colosseum*'],
    [['--arena', 'links', '--jobs', '0'], '--jobs wants a whole number, not 0'],
    [['--keepalive', '100', '--deadtime', '150'], '--deadtime must be at least twice --keepalive'],
    [['--fast'], 'unknown option --fast'],
    [['now'], 'unexpected argument now'],
  ] as const) {
    const { status, stderr } = spawnSync(process.execPath, [main, 'sim', ...argv], {
      encoding: 'utf8',
    });
    assert.equal(status, 64);
    assert.ok(stderr.includes(sentence), stderr);
  }
});
