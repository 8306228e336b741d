import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { courierFiles } from '../courier/index.ts';
import { PartnerOverCourier } from './partner-client.ts';

const directory = mkdtempSync(join(tmpdir(), 'pirp-'));
const partner = new PartnerOverCourier(directory, () => undefined);

const ANSWERS: Readonly<Record<string, (response: ServerResponse) => void>> = {
  '/whole': (response) => response.writeHead(409).end('{"a":1}'),
  '/endless': (response) => response.end(`"${'x'.repeat(5 * 1024 * 1024)}"`),
  '/cut': (response) => {
    response.writeHead(200, { 'content-length': 100 });
    response.write('{"a"', () => response.destroy());
  },
  '/half': (response) => response.end('{"a"'),
};

const server = createServer(({ url = '' }: IncomingMessage, response) => ANSWERS[url]?.(response));

before(async () => {
  const { partnerSocket } = courierFiles(directory);
  await new Promise<void>((begun) => server.listen(partnerSocket, begun));
});

after(() => {
  server.close();
  rmSync(directory, { recursive: true });
});

test('an answer of the partner is its status and its fields', async () => {
  const answer = await partner.ask({ path: '/whole' });
  assert.deepEqual(answer.ok && answer.value, { code: 409, fields: new Map([['a', 1]]) });
});

for (const [path, why] of [
  ['/endless', /longer than 4 MiB$/],
  ['/cut', /aborted$/],
  ['/half', /its answer was cut off$/],
] as const) {
  test(`an answer of the partner that is ${path.slice(1)} is told as a sentence`, {
    timeout: 5000,
  }, async () => {
    const answer = await partner.ask({ path });
    assert.match((!answer.ok && answer.error) || '', why);
  });
}
