/** What is built is small, whole, and asks nobody else. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { loadAssets, loadRoutes } from './assets.ts';
import { type Budget, buildConsole } from './build.ts';

const directory = mkdtempSync(join(tmpdir(), 'pirbuild-'));
let budgets: readonly Budget[];
before(async () => {
  budgets = await buildConsole(directory);
});
after(() => rmSync(directory, { recursive: true, force: true }));

test('the first screen, the login page and Rehearse are within their budgets', (t) => {
  assert.deepEqual(
    budgets.map(({ name }) => name),
    ['first screen', 'login page', 'Rehearse'],
  );
  for (const { name, bytes, limit } of budgets) {
    t.diagnostic(`${name}: ${bytes} bytes gzipped of ${limit}`);
    assert.ok(bytes > 0 && bytes <= limit, `${name}: ${bytes} > ${limit}`);
  }
});

test('the compressed files are the files, and every page names only files that are there', () => {
  const { files, indexHtml, loginHtml } = loadAssets(directory);
  for (const { plain, gzip } of files.values()) assert.deepEqual(gunzipSync(gzip), plain);
  for (const page of [indexHtml, loginHtml]) {
    const names = Array.from(
      page.matchAll(/(?:src|href)="\/assets\/([^"]+)"/g),
      ([, name]) => name,
    );
    assert.equal(names.length, 2);
    for (const name of names) assert.ok(files.has(name ?? ''), name);
  }
  const forLogin = Array.from(files).filter(([, { isPublic }]) => isPublic);
  assert.ok(forLogin.length >= 2);
  assert.ok(forLogin.every(([name]) => !name.startsWith('index-')));
});

test('nothing built fetches from another origin, and no page has script or style in it', () => {
  for (const name of readdirSync(join(directory, 'assets')).filter((it) =>
    /\.(js|css)$/.test(it),
  )) {
    const text = readFileSync(join(directory, 'assets', name), 'utf8');
    // Names of namespaces are no addresses: nobody fetches them.
    const addresses = Array.from(
      text.matchAll(/(?:https?:)?\/\/[\w.-]+\.[a-z]{2,}[^"'`\s)]*/gi),
      ([it]) => it,
    );
    assert.deepEqual(
      addresses.filter((it) => !it.startsWith('http://www.w3.org/')),
      [],
      name,
    );
    assert.doesNotMatch(text, /@import|url\((?!["']?data:)|\beval\(|new Function\(/, name);
  }
  for (const page of ['index.html', 'login.html']) {
    const text = readFileSync(join(directory, page), 'utf8');
    assert.doesNotMatch(text, /<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)/);
  }
});

test('the table of routes comes along, each with its right', () => {
  const routes = loadRoutes(directory);
  const find = (path: string) => routes.filter((route) => route.path === path);
  assert.deepEqual(find('/v1/status'), [
    { method: 'GET', path: '/v1/status', right: 'look', longestBody: 65_536 },
  ]);
  assert.ok(routes.length >= 10);
});
