import assert from 'node:assert/strict';
import { test } from 'node:test';
import { servicesText } from './services-text.ts';

const SERVER = {
  name: 'web-a',
  address: '198.51.100.21',
  port: 80,
  method: 'direct',
  configuredWeight: 1,
  sinceMs: 71_000,
} as const;

const SERVICE = {
  name: 'www',
  key: 'tcp 198.51.100.100:80',
  scheduler: 'wrr',
  persistentSeconds: 0,
  quorum: 'reached',
  stands: true,
} as const;

type Server = Parameters<typeof servicesText>[0]['services'][number]['servers'][number];

function lineOf(server: Server): string | undefined {
  const text = servicesText({
    v: 1,
    dataPlane: { kind: 'ipvs', why: 'it is there' },
    services: [{ ...SERVICE, servers: [server] }],
    overrides: [],
  });
  return text.split('\n').at(-1);
}

test('a server that an operator has drained shows what is left of it, not the age of its checks', () => {
  const drained = lineOf({
    ...SERVER,
    weight: 0,
    state: 'quiesced',
    reason: 'drained',
    override: { target: 'web-a', kind: 'drain', leftMs: 600_000 },
  });
  assert.match(drained ?? '', /drained, 10 min left$/);
});

test('any other shows for how long its checks have said so', () => {
  const healthy = lineOf({ ...SERVER, weight: 1, state: 'active', reason: 'healthy' });
  assert.match(healthy ?? '', /healthy for 71 s$/);
});
