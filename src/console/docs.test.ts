/** docs/console.md says the limits that the code keeps. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { FRONT_LIMITS } from './front.ts';
import { IDLE_MS } from './sessions.ts';
import { MOST_OF_A_SESSION, MOST_STREAMS } from './stream.ts';
import { CONSOLE_USER } from './unprivileged.ts';

const text = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'console.md'), 'utf8');

test('the limits in docs/console.md are those of the code', () => {
  const { connections, ofOneAddress, unfinished, burst, everyMs } = FRONT_LIMITS;
  const sentences = [
    `${connections}, ${ofOneAddress} from one address, ${unfinished} that have not finished`,
    `${1000 / everyMs} a second from one address after ${burst} at once`,
    `${MOST_STREAMS}, ${MOST_OF_A_SESSION} of one login`,
    `| ${IDLE_MS.look / 3_600_000} h |`,
    `| ${IDLE_MS.operate / 60_000} min |`,
    `| ${IDLE_MS.change / 60_000} min |`,
    `user and group \`${CONSOLE_USER}\``,
  ];
  for (const sentence of sentences) assert.ok(text.includes(sentence), sentence);
});
