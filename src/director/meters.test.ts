import assert from 'node:assert/strict';
import { test } from 'node:test';
import { after, instant, ip } from '../base/index.ts';
import { encodeExtendedHeartbeat, encodeHeartbeat, type Trailer } from '../wire/index.ts';
import { bucketsOf, observe, observeRenewal, PathMeter, zeroMeters } from './meters.ts';

const START = instant(1000);
const ROUTE = { from: ip('198.51.100.12'), to: ip('198.51.100.11') };

function heartbeat(sequence: number, incarnation = 77): Uint8Array {
  const trailer: Trailer = {
    role: 'standby',
    isEligible: true,
    isStopping: false,
    reason: 'start',
    epoch: 1,
    moves: 0,
    incarnation,
    sequence,
    echo: undefined,
    intervalMs: 100,
    deadtimeMs: 600,
    leaseMs: 300,
    serialNo: 1,
    configDigest: '0011223344556677',
    servicesUp: 0,
    services: 0,
    linkAddresses: [],
  };
  return encodeExtendedHeartbeat(trailer, ROUTE);
}

test('an observation falls into the first bucket that is not below it', () => {
  const buckets = bucketsOf([1, 10]);
  for (const value of [0, 1, 1.5, 10, 11]) observe(buckets, value);
  assert.deepEqual(buckets.counts, [2, 2, 1]);
  assert.equal(buckets.sum, 23.5);
});

test('a renewal on time has the whole margin, one after the end of the lease none', () => {
  const meters = zeroMeters();
  for (const remainingMs of [200, 250, 100, 0]) {
    observeRenewal(meters, { lengthMs: 300, remainingMs }, 100);
  }
  assert.deepEqual(meters.leaseMargin.counts, [1, 0, 1, 0, 0, 2, 0]);
  assert.equal(meters.leaseMargin.sum, 2.5);
});

test('a hole in the sequence is a loss on its own path alone; a new life starts afresh', () => {
  const meters = zeroMeters();
  const paths = new PathMeter(meters);
  for (const sequence of [5, 6, 7, 10]) paths.hear('public', START, heartbeat(sequence), false);
  for (const sequence of [5, 6, 7, 8, 9, 10]) {
    assert.equal(paths.hear('private', START, heartbeat(sequence), true), true);
  }
  assert.deepEqual(meters.lost, { public: 2, private: 0 });
  paths.hear('public', START, heartbeat(1, 78), false);
  assert.deepEqual(meters.lost, { public: 2, private: 0 });
});

test('a heartbeat sent again on the same path is no sign of life', () => {
  const meters = zeroMeters();
  const paths = new PathMeter(meters);
  assert.equal(paths.hear('public', START, heartbeat(5), false), true);
  assert.equal(paths.hear('public', after(START, 100), heartbeat(5), true), false);
  assert.equal(paths.hear('private', after(START, 100), heartbeat(5), true), true);
  assert.deepEqual(meters.gap.public.counts, bucketsOf(meters.gap.public.bounds).counts);
});

test('gaps are those between two heartbeats of one path, in both dialects', () => {
  const meters = zeroMeters();
  const paths = new PathMeter(meters);
  const running = encodeHeartbeat('running');
  paths.hear('public', START, running, false);
  paths.hear('private', after(START, 30), running, false);
  paths.hear('public', after(START, 400), running, false);
  assert.equal(meters.gap.public.sum, 400);
  assert.equal(meters.gap.private.sum, 0);
  assert.deepEqual(meters.lost, { public: 0, private: 0 });
});
