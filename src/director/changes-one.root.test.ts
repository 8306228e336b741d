import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { enterNamespace } from '../ports/index.ts';
import { TestPair } from './pair-under-test.ts';

enterNamespace();

let pair: TestPair;

beforeEach(async () => {
  pair = new TestPair();
  await pair.build();
});

afterEach(() => pair.close());

describe('a change on one node', () => {
  test('is undone at the restart when the director was killed and its time has passed', async () => {
    const { second } = await pair.run();
    assert.equal(pair.apply('backup', pair.text(2), '--confirm', '2s').status, 0);
    second.signal('SIGKILL');
    await second.exit;
    assert.equal(pair.weight('backup'), '2');
    await sleep(2100);
    const again = pair.start('backup');
    await again.says('was not confirmed in its time: back to version 7 (rolled-back)');
    await again.says('STARTING');
    assert.equal(pair.read('backup'), pair.text(3));
  });

  test('goes on waiting over a restart while there is time, and can be confirmed then', async () => {
    const { second } = await pair.run();
    assert.equal(pair.apply('backup', pair.text(2), '--confirm', '5m').status, 0);
    second.signal('SIGKILL');
    await second.exit;
    const again = pair.start('backup');
    await again.says('waits for its confirmation');
    assert.equal(pair.piranha('backup', 'confirm').status, 0);
    assert.equal(pair.weight('backup'), '2');
  });

  test('that was made from another file is refused as stale; node and data plane stay what they are', async () => {
    await pair.run();
    const stale = pair.apply('primary', pair.text(2), '--if-match', '0123456789abcdef');
    assert.match(stale.stderr, /this change was made from 0123456789abcdef: read it again/);
    const plane = pair.apply(
      'primary',
      pair.text(2).replace('dataplane = none', 'dataplane = auto'),
    );
    assert.match(plane.stderr, /dataplane = auto: that needs a restart/);
    assert.equal(pair.read('primary'), pair.text(3));
  });

  test('shows against the partner; push and pull make both the same, byte for byte', async () => {
    await pair.run();
    assert.equal(pair.apply('primary', pair.text(2)).status, 0);
    const differs = pair.piranha('backup', 'diff', '--partner');
    assert.equal(differs.status, 1);
    assert.match(differs.stdout, /^web\/a: weight 2 -> 3\nno VIP moves\n(?:.*\n)*--- partner\n/);
    const pushed = pair.piranha('primary', 'push');
    assert.match(pushed.stdout, /^both nodes run [0-9a-f]{16}\n/, pushed.stderr);
    assert.equal(pair.read('backup'), pair.read('primary'));
    assert.equal(pair.apply('primary', pair.text(5)).status, 0);
    assert.equal(pair.piranha('backup', 'pull').status, 0);
    assert.equal(pair.read('backup'), pair.read('primary'));
    assert.equal(pair.piranha('primary', 'diff', '--partner').status, 0);
  });
});
