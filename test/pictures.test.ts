/** The drawn pictures of the documents can be read by everybody, in the light and in the dark, and say what the code says. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import test, { describe } from 'node:test';
import { longestLeaseMs, SETTLE_MS } from '../src/core/index.ts';

const DOCS = join(import.meta.dirname, '../docs');
const read = (path: string) => readFileSync(join(DOCS, path), 'utf8');
const pictures = globSync('pictures/*.svg', { cwd: DOCS });
const shown = globSync('**/*.md', { cwd: DOCS }).map(read).join('\n');

describe('each picture', () => {
  for (const path of pictures) {
    test(`${basename(path)} has title, description and both colour schemes, and fetches nothing`, () => {
      const text = read(path);
      assert.match(
        text,
        /^<svg [^>]*viewBox="[^"]+"[^>]*role="img"[^>]*aria-labelledby="title desc"/,
      );
      assert.match(text, /<title id="title">[^<]{5,}<\/title>/);
      assert.match(text, /<desc id="desc">[^<]{40,}<\/desc>/);
      assert.match(text, /@media \(prefers-color-scheme: dark\)/);
      assert.doesNotMatch(text, /href|<script|@import|url\((?!#)/);
    });

    test(`${basename(path)} is shown by a document, in words too`, () => {
      assert.match(shown, new RegExp(`!\\[[^\\]]{20,}\\]\\([^)]*${basename(path)}\\)`));
    });
  }
});

test('the takeover is drawn with the figures of keepalive 1 s and deadtime 3 s', () => {
  const text = read('pictures/takeover.svg');
  const deadtimeMs = 3000;
  const leaseMs = longestLeaseMs({ keepaliveMs: 1000, deadtimeMs });
  const parts = [
    `lease ${leaseMs} ms`,
    `${deadtimeMs - leaseMs} ms`,
    `silence: ${deadtimeMs - SETTLE_MS} ms`,
  ];
  for (const part of [...parts, `${SETTLE_MS} ms later`]) assert.ok(text.includes(part), part);
});
