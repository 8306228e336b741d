/** What a test asks of a page: a picture of it, what axe-core finds, what the keyboard does not reach. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Page } from 'playwright-core';

const PICTURES = join(import.meta.dirname, '..', '..', 'docs', 'pictures');
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** For the documents, when they are wanted anew (`PIRANHA_PICTURES`). */
export async function takePicture(page: Page, name: string): Promise<void> {
  if (process.env.PIRANHA_PICTURES === undefined) return;
  mkdirSync(PICTURES, { recursive: true });
  await page.screenshot({ path: join(PICTURES, `${name}.png`) });
}

/** What axe-core finds, in words: rule, element. The page's own policy forbids scripts of others, the test's included. */
export async function violationsOf(page: Page): Promise<readonly string[]> {
  const session = await page.context().newCDPSession(page);
  const { result } = await session.send('Runtime.evaluate', {
    expression: `${AXE}; axe.run().then((found) => JSON.stringify(found.violations.flatMap(({ id, nodes }) =>
      nodes.map(({ html, failureSummary }) => id + ': ' + html.slice(0, 160) + ' ' + failureSummary))))`,
    awaitPromise: true,
  });
  await session.detach();
  const found: readonly string[] = JSON.parse(result.value);
  return found;
}

/** What can be pressed or typed into, and has not had the focus when the tabulator has been through the page. */
export async function unreached(page: Page): Promise<readonly string[]> {
  const count = await page.evaluate<number>(MARK);
  for (let press = 0; press < count + 3; press++) await page.keyboard.press('Tab');
  return await page.evaluate<readonly string[]>(MARKED);
}

/** Of a group of radio buttons one is reached, by arrows the others. */
const MARK = `(() => {
  const wanted = 'a[href], button, input, select, textarea, summary, [tabindex="0"]';
  window.unreached = new Set([...document.querySelectorAll(wanted)].filter((it) =>
    !it.disabled && it.tabIndex >= 0 && it.checkVisibility() && (it.type !== 'radio' || it.checked)));
  document.addEventListener('focusin', ({ target }) => window.unreached.delete(target));
  document.activeElement.blur();
  return window.unreached.size;
})()`;
const MARKED =
  '[...window.unreached].filter((it) => it.isConnected).map((it) => it.outerHTML.slice(0, 120))';

export async function until(
  what: string,
  isSo: () => Promise<boolean>,
  limitMs = 20_000,
): Promise<void> {
  for (const end = performance.now() + limitMs; performance.now() < end; await sleep(200)) {
    if (await isSo()) return;
  }
  assert.fail(`${what}: not within ${limitMs} ms`);
}
