import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ip as address, mac } from '../base/index.ts';
import { enterNamespace, ip } from './enter-namespace.ts';
import { native } from './native.ts';
import { observeGateways, openNeighbourPort } from './neighbours.ts';

enterNamespace();
ip('link', 'add', 'left', 'type', 'veth', 'peer', 'name', 'right');
for (const name of ['left', 'right']) ip('link', 'set', name, 'up');
ip('addr', 'add', '198.51.100.11/24', 'dev', 'left');
ip('addr', 'add', 'fd77::11/64', 'dev', 'left', 'nodad');

const LEFT = native().interfaceIndex('left');
const PARTNER = address('198.51.100.12');

test('a neighbour is pinned, moved and forgotten; forgetting what is not there is no error', () => {
  const opened = openNeighbourPort();
  assert.ok(opened.ok);
  const port = opened.value;
  const entry = () => ip('neigh', 'show', PARTNER);
  assert.equal(port.pin(LEFT, PARTNER, mac('02:00:00:00:00:12')), undefined);
  assert.match(entry(), /lladdr 02:00:00:00:00:12 PERMANENT/);
  assert.equal(port.pin(LEFT, PARTNER, mac('02:00:00:00:00:13')), undefined);
  assert.match(entry(), /lladdr 02:00:00:00:00:13 PERMANENT/);
  assert.equal(port.unpin(LEFT, PARTNER), undefined);
  assert.doesNotMatch(entry(), /PERMANENT/);
  assert.equal(port.unpin(LEFT, PARTNER), undefined);
  assert.equal(port.unpin(99_999, PARTNER), undefined);
  const refused = port.pin(99_999, PARTNER, mac('02:00:00:00:00:12'));
  assert.equal(refused?.code, 'ENODEV');
  assert.equal(refused?.target, '198.51.100.12 at 02:00:00:00:00:12');
  port.close();
});

test('gateways are those of default routes of both families, each once', () => {
  assert.deepEqual(observeGateways(), { ok: true, value: [] });
  ip('route', 'add', 'default', 'via', '198.51.100.1');
  ip('route', 'add', 'default', 'via', '198.51.100.1', 'metric', '50');
  ip('route', 'add', '203.0.113.0/24', 'via', '198.51.100.9');
  ip('route', 'add', 'default', 'via', '198.51.100.2', 'table', '77');
  ip('-6', 'route', 'add', 'default', 'via', 'fd77::1');
  const found = observeGateways();
  assert.deepEqual(found, {
    ok: true,
    value: [
      { interfaceIndex: LEFT, address: '198.51.100.1' },
      { interfaceIndex: LEFT, address: 'fd77::1' },
    ],
  });
});
