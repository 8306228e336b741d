import assert from 'node:assert/strict';
import { test } from 'node:test';
import { missingCapabilities } from './capabilities.ts';

function missing(effective: string, port = 539, firstFreePort = 1024): readonly string[] {
  return missingCapabilities(port, { status: `Name:\tx\nCapEff:\t${effective}\n`, firstFreePort });
}

test('each right that is not held is named, and no other', () => {
  assert.deepEqual(missing('000001ffffffffff'), []);
  assert.deepEqual(missing('0000000000003400'), []);
  assert.deepEqual(missing('0000000000003000'), ['CAP_NET_BIND_SERVICE']);
  assert.deepEqual(missing('0000000000000400'), ['CAP_NET_ADMIN', 'CAP_NET_RAW']);
  assert.deepEqual(missing('0'), ['CAP_NET_BIND_SERVICE', 'CAP_NET_ADMIN', 'CAP_NET_RAW']);
});

test('a heartbeat port that anybody may bind needs no right of its own', () => {
  assert.deepEqual(missing('0000000000003000', 1050), []);
  assert.deepEqual(missing('0000000000003000', 539, 0), []);
});

test('a status without the line holds nothing', () => {
  const rights = { status: '', firstFreePort: 1024 };
  assert.equal(missingCapabilities(539, rights).length, 3);
});
