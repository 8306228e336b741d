import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PROBE_FAILURES } from '../model/index.ts';
import { fuzzChecks, fuzzTls } from './fuzz.ts';

test('30,000 hostile answers end in a verdict, and reach every judgement that has no socket', () => {
  const { plays, up, down } = fuzzChecks(30_000, 1);
  assert.equal(plays, 30_000);
  assert.ok(up > 500, `only ${up} up: the fuzzer does not get past the door`);
  for (const reason of ['closed', 'wrong-answer', 'answer-too-long', 'program-failed'] as const) {
    assert.ok((down.get(reason) ?? 0) > 5, `${reason}: ${down.get(reason)}`);
  }
});

test('the same seed plays the same, another one does not', () => {
  const text = (seed: number) => JSON.stringify([...fuzzChecks(2000, seed).down]);
  assert.equal(text(7), text(7));
  assert.notEqual(text(7), text(8));
});

test('300 TLS greetings answered with garbage are refused, each with a reason', async () => {
  const { plays, up, down } = await fuzzTls(300, 1);
  assert.deepEqual([plays, up], [300, 0]);
  assert.ok((down.get('tls-refused') ?? 0) > 250, JSON.stringify([...down]));
  assert.ok([...down.keys()].every((reason) => PROBE_FAILURES.includes(reason)));
});
