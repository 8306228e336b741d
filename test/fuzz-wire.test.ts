import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FRAME_FAULTS, NETLINK_FAULTS } from '../src/wire/index.ts';
import { fuzzWire } from './fuzz-wire.ts';

test('ten thousand hostile inputs are decoded or refused with a word, every word of the lists', () => {
  const { accepted, refused, slowestMs } = fuzzWire(10_000, 140414);
  assert.ok(accepted > 500, `only ${accepted} accepted: the mutants are too wild to reach far`);
  // A reason that never comes up is a branch that was not reached.
  for (const word of [...FRAME_FAULTS, ...NETLINK_FAULTS]) assert.ok(refused.has(word), word);
  assert.ok(slowestMs < 1000, `${slowestMs} ms for one input`);
});
