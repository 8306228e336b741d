/** Every word of keepalived.conf, one after the other in a file that is whole without it: carried over, or told. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { importKeepalived, parseSettings } from '../src/config/index.ts';
import { readWords, type Word, wholeFile } from './keepalived-words.ts';

const without = wholeFile(() => '');
const before = linesOf(without);

function linesOf(text: string): readonly string[] {
  return (
    importKeepalived(text)
      .text?.split('\n')
      .map((line) => line.trim()) ?? []
  );
}

function nameOf({ block, lines }: Word): string {
  return `${block}: ${lines.join(' ')}`;
}

/** The file with this word, what is told of its lines, and the lvs.cf that comes of it. */
function tried(word: Word) {
  const text = wholeFile((place) => (place === word.block ? word.lines.join('\n') : ''));
  const lines = text.split('\n').map((line) => line.trim());
  const first = lines.findIndex((_, at) => word.lines.every((line, of) => lines[at + of] === line));
  assert.ok(first >= 0, nameOf(word));
  const { notes } = importKeepalived(text);
  const told = notes.filter(({ line }) => line > first && line <= first + word.lines.length);
  return { told, after: linesOf(text) };
}

test('the file is whole without the words', () => {
  assert.deepEqual(
    importKeepalived(without)
      .notes.map(({ kind }) => kind)
      .sort(),
    ['changed', 'changed', 'needless'],
  );
});

test('every word of keepalived.conf is carried over into an lvs.cf that can be run, or told on its line', () => {
  const words = readWords();
  assert.ok(words.length > 300, `${words.length} words`);
  for (const word of words) {
    const name = nameOf(word);
    const { told, after } = tried(word);
    const { settings } = parseSettings(after.join('\n'), { file: 'lvs.cf' });
    assert.ok(settings !== undefined, name);
    assert.ok(!told.some(({ sentence }) => sentence.startsWith('no such word')), name);
    if (word.fate === 'carried') {
      assert.ok(after.includes(word.directive ?? ''), `${name} -> ${word.directive}`);
      assert.ok(!told.some(({ kind }) => kind === 'lost'), name);
    } else {
      const kinds = told.map(({ kind }) => kind);
      assert.ok(kinds.includes(word.fate), `${name}: ${kinds.join(' ') || 'told nothing'}`);
    }
  }
});

test('each word that is carried over makes a difference in one of its forms', () => {
  const differences = new Map<string, boolean>();
  for (const word of readWords().filter(({ fate }) => fate === 'carried')) {
    const key = `${word.block} ${word.lines[0]?.split(' ')[0]}`;
    const differs = tried(word).after.join('\n') !== before.join('\n');
    differences.set(key, differs || (differences.get(key) ?? false));
  }
  const idle = [...differences].filter(([, differs]) => !differs).map(([key]) => key);
  assert.deepEqual(idle, []);
});

test('a word that nobody knows is told, wherever it stands', () => {
  const blocks = new Set(readWords().map(({ block }) => block));
  assert.ok(blocks.size > 10);
  for (const block of blocks) {
    if (block === 'virtual_server_group') continue;
    for (const lines of [['vrrp_instnce x'], ['vrrp_instnce x {', 'y', '}']]) {
      const { told } = tried({ block, isCommon: false, fate: 'lost', lines });
      assert.deepEqual(
        told.map(({ kind, keyword }) => [kind, keyword]),
        [['lost', 'vrrp_instnce']],
        block,
      );
    }
  }
});
