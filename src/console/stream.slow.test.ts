import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Director } from './ask.ts';
import { Sessions } from './sessions.ts';
import { Streams } from './stream.ts';

/** A page's connection that takes what it likes. */
class Page extends EventEmitter {
  readonly written: string[] = [];
  takes = true;
  destroyed = false;

  write(bytes: string | Uint8Array): boolean {
    this.written.push(bytes.toString());
    return this.takes;
  }

  destroy(): void {
    this.destroyed = true;
    this.emit('close');
  }

  names(): readonly string[] {
    return this.written.flatMap((text) => /^event: (\w+)/m.exec(text)?.[1] ?? []);
  }
}

test('a page that does not read has no queue: when it reads again it is shown each thing once, as it is now', async () => {
  // Nobody is there to be asked: each second four silences come, two of each node.
  const directors = {
    local: new Director('local', '/nowhere'),
    partner: new Director('partner', '/nowhere'),
  };
  const streams = new Streams(directors);
  const page = new Page();
  const { session } = new Sessions(() => '').start({ user: 'ann', rights: 'look', stamp: '' }, 0);
  streams.open(page as unknown as ServerResponse, session, undefined);
  page.takes = false;
  for (let left = 300; page.written.length < 2 && left > 0; left--) await sleep(10);
  const before = page.written.length;
  await sleep(2300);
  assert.equal(page.written.length, before, 'nothing is written while it is full');
  page.takes = true;
  page.emit('drain');
  const silences = page
    .names()
    .slice(1)
    .filter((name) => name === 'silent');
  assert.ok(silences.length >= 3 && silences.length <= 4, `${silences.length} for four topics`);
  streams.close();
  assert.equal(page.destroyed, true);
  assert.equal(streams.size, 0);
});
