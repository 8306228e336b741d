import assert from 'node:assert/strict';
import test from 'node:test';
import { editDistance, nearest } from './suggest.ts';

test('the distance counts insertions, deletions, substitutions and swapped neighbours', () => {
  const rows = [
    ['', '', 0],
    ['', 'abc', 3],
    ['keepalive', 'keepalive', 0],
    ['keepalve', 'keepalive', 1],
    ['keepaliev', 'keepalive', 1],
    ['kepalivee', 'keepalive', 2],
    ['active', 'weight', 6],
  ] as const;
  for (const [a, b, distance] of rows) {
    assert.equal(editDistance(a, b), distance, `${a} ${b}`);
    assert.equal(editDistance(b, a), distance, `${b} ${a}`);
  }
});

test('the nearest word is near, or the only one that begins so', () => {
  const words = ['keepalive', 'deadtime', 'port', 'protocol', 'send', 'send_program'];
  assert.equal(nearest('keepalve', words), 'keepalive');
  assert.equal(nearest('KeepAlive', words), 'keepalive');
  assert.equal(nearest('dead', words), 'deadtime');
  assert.equal(nearest('prot', words), 'protocol');
  assert.equal(nearest('sned', words), 'send');
  assert.equal(nearest('zzz', words), undefined);
  assert.equal(nearest('x'.repeat(100_000), words), undefined);
});
