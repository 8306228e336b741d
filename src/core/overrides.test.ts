import assert from 'node:assert/strict';
import { test } from 'node:test';
import { instant } from '../base/index.ts';
import { desiredTable, servicesStatus, servicesWakeAt } from './services-state.ts';
import { Bench, SORRY, section, settings, TWO, weigh } from './test-services.ts';

test('a drained server has weight 0, a disabled one no row, and both start slowly when they come back', () => {
  const bench = new Bench().load(settings(section('web', 'port = 80', ['a 21 64', 'b 22'])));
  bench.probe('21').probe('22').wake(1e6);
  assert.deepEqual(bench.rows(), ['tcp 198.51.100.100:80: .21 w64, .22 w1']);
  bench.override('a', { kind: 'drain' });
  assert.deepEqual(bench.rows(), ['tcp 198.51.100.100:80: .21 w0, .22 w1']);
  bench.override('web/a', { kind: 'disable' });
  assert.deepEqual(bench.rows(), ['tcp 198.51.100.100:80: .22 w1']);
  bench.override('web/a').override('a');
  assert.deepEqual(bench.rows(), ['tcp 198.51.100.100:80: .21 w2, .22 w1']);
});

test('an override outlives a reload and ends by itself when its time is over', () => {
  const bench = new Bench().load(settings(TWO)).probe('21').probe('22');
  bench.override('a', { kind: 'disable', until: instant(61_000) }).load(settings(TWO));
  assert.deepEqual(bench.rows(), ['tcp 198.51.100.100:80: .22 w1']);
  assert.equal(servicesWakeAt(bench.state), 61_000);
  assert.deepEqual(bench.wake(61_000).notes(), ['ended a', 'a 1 healthy']);
  assert.equal(servicesWakeAt(bench.state), undefined);
});

test('a weight of an operator counts at once and as if lvs.cf said it, until it is lifted or ends', () => {
  const wish = settings(section('web', 'port = 80', ['a 21 64', 'b 22']));
  const bench = new Bench().load(wish).probe('21').probe('22').wake(1e6);
  assert.deepEqual(bench.override('web/a', weigh(7)).notes(), ['a 7 weighed']);
  assert.deepEqual(bench.rows(), ['tcp 198.51.100.100:80: .21 w7, .22 w1']);
  assert.deepEqual(bench.load(wish).rows(), ['tcp 198.51.100.100:80: .21 w7, .22 w1']);
  assert.deepEqual(bench.override('a', weigh(9)).rows(), ['tcp 198.51.100.100:80: .21 w7, .22 w1']);
  assert.deepEqual(bench.override('web/a').rows(), ['tcp 198.51.100.100:80: .21 w9, .22 w1']);
  const until = instant(1e6 + 5000);
  bench.override('a', { ...weigh(65_535), until });
  assert.deepEqual(bench.rows(), ['tcp 198.51.100.100:80: .21 w65535, .22 w1']);
  assert.deepEqual(bench.wake(1e6 + 5000).notes(), ['ended a', 'a 64 healthy']);
});

test('a weight does not bring a failing server in, and one that comes back grows up to it', () => {
  const bench = new Bench().load(settings(TWO)).probe('21', false).probe('22');
  bench.override('a', weigh(64));
  assert.deepEqual(bench.rows(), ['tcp 198.51.100.100:80: .22 w1']);
  const [status] = servicesStatus(bench.state)[0]?.servers ?? [];
  assert.equal(status?.reason, 'connect-refused');
  for (let n = 0; n < 40; n++) bench.probe('21');
  assert.deepEqual(bench.rows(), ['tcp 198.51.100.100:80: .21 w2, .22 w1']);
  assert.deepEqual(bench.wake(1e6).notes(), ['a 64 weighed']);
});

test('weight 0 is a drain: the sorry server stands in, and who comes back starts slowly', () => {
  const bench = new Bench().load(settings(SORRY)).probe('21').probe('22');
  bench.override('a', weigh(0)).override('b', { kind: 'drain' });
  assert.deepEqual(bench.rows(), ['tcp 198.51.100.100:80: .21 w0, .22 w0, .99 w1']);
  const reasons = servicesStatus(bench.state)[0]?.servers.map(({ reason }) => reason);
  assert.deepEqual(reasons, ['drained', 'drained']);
  bench.override('a', weigh(64)).override('b', weigh(64));
  assert.deepEqual(bench.rows(), ['tcp 198.51.100.100:80: .21 w2, .22 w2']);
});

test('a restarted director keeps the weight that an operator gave', () => {
  const wish = settings(section('web', 'port = 80', ['a 21 3']));
  const former = new Bench().load(wish).probe('21').wake(1e6).override('a', weigh(50));
  const bench = new Bench().override('a', weigh(50)).load(wish, desiredTable(former.state));
  assert.deepEqual(bench.rows(), ['tcp 198.51.100.100:80: .21 w50']);
  assert.deepEqual(bench.probe('21').rows(), ['tcp 198.51.100.100:80: .21 w50']);
});

test('force-up brings a failing server in until it is lifted', () => {
  const bench = new Bench().load(settings(TWO)).probe('21', false);
  bench.override('a', { kind: 'force-up' });
  assert.deepEqual(bench.rows(), ['tcp 198.51.100.100:80: .21 w1']);
  assert.deepEqual(bench.override('a').rows(), ['tcp 198.51.100.100:80:']);
});

test('draining every server of a service brings its sorry server in', () => {
  const bench = new Bench().load(settings(SORRY)).probe('21').probe('22');
  bench.override('a', { kind: 'drain' }).override('b', { kind: 'drain' });
  assert.deepEqual(bench.rows(), ['tcp 198.51.100.100:80: .21 w0, .22 w0, .99 w1']);
});
