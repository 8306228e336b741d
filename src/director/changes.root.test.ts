import assert from 'node:assert/strict';
import { chmodSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { enterNamespace } from '../ports/index.ts';
import { TestPair } from './pair-under-test.ts';

enterNamespace();

let pair: TestPair;

beforeEach(async () => {
  pair = new TestPair();
  await pair.build();
});

afterEach(() => pair.close());

describe('a change on both nodes', () => {
  test('is told, made standby first, and kept when it is confirmed', async () => {
    const { first, second } = await pair.run();
    chmodSync(pair.fileOf('backup'), 0o640);
    const done = pair.apply('primary', pair.text(2), '--both', '--confirm', '60s');
    assert.equal(done.status, 0, done.stderr);
    assert.match(done.stdout, /^web\/a: weight 3 -> 2\nno VIP moves\n/);
    assert.match(done.stdout, /on the partner\nversion \d+ is in force\n/);
    assert.match(done.stdout, /goes back in 60 s unless you type: piranha confirm/);
    assert.ok(pair.bothWeigh('2'));
    assert.match(pair.read('primary'), /^serial_no = 8 # counted$/m);
    assert.equal(pair.read('primary'), pair.read('backup'));
    const theirs = readFileSync(
      join(pair.segment.directory, 'state-backup', 'audit.jsonl'),
      'utf8',
    );
    assert.match(
      theirs,
      /"who":"alice \(through the primary\)","from":"courier\.sock","action":"POST \/v1\/config\/apply"/,
    );
    assert.deepEqual([pair.runningSerial('primary'), pair.runningSerial('backup')], [8, 8]);
    assert.equal(statSync(pair.fileOf('backup')).mode & 0o777, 0o640);

    const second4 = pair.apply('backup', pair.text(4), '--both');
    assert.equal(second4.status, 1);
    assert.match(second4.stderr, /by alice \(ticket 4411\) waits for its confirmation, \d+ s left/);

    assert.equal(pair.piranha('backup', 'confirm').status, 0, 'on either node');
    for (const daemon of [first, second]) await daemon.says('(confirmed)');
    assert.equal(pair.piranha('primary', 'confirm').status, 1, 'nothing waits any more');
    assert.match(
      pair.piranha('primary', 'history').stdout,
      /^8 .* kept .* alice +ticket 4411\n7 .* found /,
    );
    assert.match(pair.piranha('backup', 'history').stdout, /^8 .* kept .* alice +ticket 4411\n/);
    assert.ok(pair.bothWeigh('2'));
  });

  test('without a time to confirm is kept on both at once; rollback goes back to an old version', async () => {
    await pair.run();
    const done = pair.apply('backup', pair.text(2), '--both');
    assert.match(done.stdout, /kept on both nodes/, done.stderr);
    const back = pair.piranha('primary', 'rollback', '7', '--both');
    assert.equal(back.status, 0, back.stderr);
    assert.ok(pair.bothWeigh('3'));
    assert.match(pair.read('backup'), /serial_no = 9/);
  });
});
