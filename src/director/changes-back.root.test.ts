import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { enterNamespace } from '../ports/index.ts';
import { until } from './daemon-under-test.ts';
import { TestPair } from './pair-under-test.ts';

enterNamespace();

let pair: TestPair;

beforeEach(async () => {
  pair = new TestPair();
  await pair.build();
});

afterEach(() => pair.close());

describe('a change on both nodes', () => {
  test('that is not confirmed goes back on both', async () => {
    const { first, second } = await pair.run();
    assert.equal(pair.apply('primary', pair.text(2), '--both', '--confirm', '2s').status, 0);
    assert.ok(pair.bothWeigh('2'));
    for (const daemon of [first, second]) await daemon.says('was not confirmed in its time');
    await until(
      () => pair.runningSerial('primary') === 7 && pair.runningSerial('backup') === 7,
      'both back',
    );
    assert.equal(pair.read('primary'), pair.text(3));
    assert.equal(pair.read('backup'), pair.text(3));
    assert.match(pair.piranha('backup', 'history').stdout, /^8 .* rolled-back /);
  });

  test('goes back on both by itself when the two are cut apart before it is confirmed', async () => {
    const { first, second } = await pair.run();
    assert.equal(pair.apply('primary', pair.text(2), '--both', '--confirm', '5s').status, 0);
    pair.segment.switchRule('ether type ip tcp dport 3637 drop');
    const confirmed = pair.piranha('primary', 'confirm');
    assert.equal(confirmed.status, 1);
    assert.match(confirmed.stderr, /not confirmed: the partner cannot be reached: .*3637/);
    for (const daemon of [first, second]) await daemon.says('was not confirmed in its time');
    await until(() => pair.bothWeigh('3'), 'both back');
    pair.segment.switchRule(undefined);
  });

  test('is refused whole, with nothing changed, when the partner cannot be reached or refuses it', async () => {
    await pair.run();
    const broken = pair.apply(
      'primary',
      pair.text(2).replace('198.51.100.21', 'no-address'),
      '--both',
    );
    assert.equal(broken.status, 1);
    assert.match(broken.stderr, /lvs\.cf:14:19: .*no-address/);
    // Only the backup would have no such interface.
    pair.segment.hosts
      .get('primary')
      ?.shell('ip link add only0 type veth peer name only1 && ip link set only0 up');
    const half = pair.apply('primary', pair.text(2).replace('eth0:1', 'only0:1'), '--both');
    assert.equal(half.status, 1);
    assert.match(half.stderr, /interface only0 .*does not exist\n.*the partner refuses the file/);
    pair.segment.switchRule('ether type ip tcp dport 3637 drop');
    const cut = pair.apply('primary', pair.text(2), '--both');
    assert.equal(cut.status, 1);
    assert.match(
      cut.stderr,
      /the partner cannot be reached: 198\.51\.100\.12 port 3637: no answer/,
    );
    assert.ok(pair.bothWeigh('3'));
    assert.match(pair.piranha('primary', 'history').stdout, /no change was made yet/);
  });
});
