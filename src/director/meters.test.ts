import assert from 'node:assert/strict';
import { test } from 'node:test';
import { after, instant, ip } from '../base/index.ts';
import { encodeExtendedHeartbeat, encodeHeartbeat, type Trailer } from '../wire/index.ts';
import { bucketsOf, observe, observeRenewal, PathMeter, zeroMeters } from './meters.ts';

const START = instant(1000);
const ROUTE = { from: ip('198.51.100.12'), to: ip('198.51.100.11') };

function heartbeat(sequence: number, incarnation = 77, echo?: Trailer['echo']): Uint8Array {
  const trailer: Trailer = {
    role: 'standby',
    isEligible: true,
    isStopping: false,
    reason: 'start',
    epoch: 1,
    moves: 0,
    incarnation,
    sequence,
    echo,
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
  for (const sequence of [5, 6, 7, 10]) paths.hear('public', START, heartbeat(sequence), undefined);
  for (const sequence of [5, 6, 7, 8, 9, 10]) {
    assert.equal(paths.hear('private', START, heartbeat(sequence), 'duplicate'), true);
  }
  assert.deepEqual(meters.lost, { public: 2, private: 0 });
  paths.hear('public', START, heartbeat(1, 78), undefined);
  assert.deepEqual(meters.lost, { public: 2, private: 0 });
});

test('a heartbeat sent again on the same path is no sign of life', () => {
  const meters = zeroMeters();
  const paths = new PathMeter(meters);
  assert.equal(paths.hear('public', START, heartbeat(5), undefined), true);
  assert.equal(paths.hear('public', after(START, 100), heartbeat(5), 'duplicate'), false);
  assert.equal(paths.hear('private', after(START, 100), heartbeat(5), 'duplicate'), true);
  assert.deepEqual(meters.gap.public.counts, bucketsOf(meters.gap.public.bounds).counts);
});

test('gaps are those between two heartbeats of one path, in both dialects', () => {
  const meters = zeroMeters();
  const paths = new PathMeter(meters);
  const running = encodeHeartbeat('running');
  paths.hear('public', START, running, undefined);
  paths.hear('private', after(START, 30), running, undefined);
  paths.hear('public', after(START, 400), running, undefined);
  assert.equal(meters.gap.public.sum, 400);
  assert.equal(meters.gap.private.sum, 0);
  assert.deepEqual(meters.lost, { public: 0, private: 0 });
});

test('an echo is measured once on each path, from the moment our heartbeat left', () => {
  const meters = zeroMeters();
  const paths = new PathMeter(meters);
  const echo = (sequence: number, incarnation = 5) => ({ incarnation, sequence });
  for (const sequence of [1, 2]) paths.send(after(START, sequence * 100), heartbeat(sequence, 5));
  paths.send(after(START, 201), heartbeat(2, 5)); // the same by the second path
  paths.hear('public', after(START, 103), heartbeat(1, 77, echo(1)), undefined);
  paths.hear('private', after(START, 104), heartbeat(1, 77, echo(1)), 'duplicate');
  paths.hear('public', after(START, 190), heartbeat(2, 77, echo(1)), undefined);
  paths.hear('public', after(START, 290), heartbeat(3, 77, echo(2)), undefined);
  paths.hear('public', after(START, 390), heartbeat(4, 77, echo(9)), undefined); // never sent
  paths.hear('public', after(START, 490), heartbeat(5, 77, echo(3, 4)), undefined); // an earlier life of ours
  assert.equal(meters.echo.public.sum, 3 + 90);
  assert.equal(meters.echo.private.sum, 4);
});

test('of what was sent long ago nothing is kept', () => {
  const meters = zeroMeters();
  const paths = new PathMeter(meters);
  for (let sequence = 1; sequence <= 300; sequence++) paths.send(START, heartbeat(sequence, 5));
  const echo = (sequence: number) => ({ incarnation: 5, sequence });
  paths.hear('public', after(START, 7), heartbeat(1, 77, echo(44)), undefined);
  assert.equal(meters.echo.public.sum, 0);
  paths.hear('public', after(START, 7), heartbeat(2, 77, echo(45)), undefined);
  assert.equal(meters.echo.public.sum, 7);
});

test('what is dropped is counted by path and cause, and is no heartbeat', () => {
  const meters = zeroMeters();
  const paths = new PathMeter(meters);
  assert.equal(paths.hear('private', START, heartbeat(5), 'bad-tag'), false);
  assert.equal(paths.hear('private', START, heartbeat(6), 'bad-tag'), false);
  paths.hear('public', START, heartbeat(7), undefined);
  assert.deepEqual([...meters.dropped.private], [['bad-tag', 2]]);
  assert.deepEqual([...meters.dropped.public], []);
});
