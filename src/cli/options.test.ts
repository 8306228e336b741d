import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { optionsHelp, readOptions } from './options.ts';

const SPECS = {
  file: { short: '-c', long: ['--configfile'], value: 'FILE', help: 'the file' },
  quiet: { short: '-q', long: ['--quiet', '--silent'], help: 'say nothing' },
  norun: { short: '-n', long: ['--norun'], help: 'do nothing' },
};

function read(...words: readonly string[]) {
  const parsed = readOptions(words, SPECS);
  return parsed.ok
    ? {
        flags: [...parsed.value.flags],
        file: parsed.value.values.get('file'),
        rest: parsed.value.rest,
      }
    : parsed.error;
}

describe('options, as popt reads them', () => {
  test('a value comes attached, with =, or as the next word', () => {
    for (const words of [
      ['-c', 'a.cf'],
      ['-ca.cf'],
      ['--configfile', 'a.cf'],
      ['--configfile=a.cf'],
    ]) {
      assert.deepEqual(read(...words), { flags: [], file: 'a.cf', rest: [] });
    }
  });

  test('a value may look like an option', () => {
    assert.deepEqual(read('-c', '-q'), { flags: [], file: '-q', rest: [] });
  });

  test('short flags can be written together, every spelling means the same', () => {
    assert.deepEqual(read('-qn'), { flags: ['quiet', 'norun'], file: undefined, rest: [] });
    assert.deepEqual(read('--silent'), { flags: ['quiet'], file: undefined, rest: [] });
    assert.deepEqual(read('-ncx.cf'), { flags: ['norun'], file: 'x.cf', rest: [] });
  });

  test('the last value wins', () => {
    assert.deepEqual(read('-c', 'a', '-c', 'b'), { flags: [], file: 'b', rest: [] });
  });

  test('what is not an option is left over, and everything after --', () => {
    assert.deepEqual(read('x', '-q', '--', '-n'), {
      flags: ['quiet'],
      file: undefined,
      rest: ['x', '-n'],
    });
  });

  test('a number below zero is no option, where none is spelled so', () => {
    assert.deepEqual(read('x', '-3'), { flags: [], file: undefined, rest: ['x', '-3'] });
  });

  test('each mistake is a sentence', () => {
    assert.equal(read('--bogus'), 'unknown option --bogus');
    assert.equal(read('-z'), 'unknown option -z');
    assert.equal(read('-c'), '-c needs a value: FILE');
    assert.equal(read('--quiet=yes'), '--quiet takes no value');
  });
});

test('help has one aligned line an option', () => {
  assert.equal(
    optionsHelp(SPECS),
    [
      '  -c, --configfile FILE  the file',
      '  -q, --quiet, --silent  say nothing',
      '  -n, --norun            do nothing',
    ].join('\n'),
  );
});
