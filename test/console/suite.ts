/**
 * An operator's journey through the console, with a real browser, a real pair of directors and real packets: logs in, adds a
 * virtual service, saves with a time to confirm, looks into both kernels; breaks a field; lets a change go unconfirmed; freezes
 * the active and opens the incident; rehearses a half-heal. Every page stands before axe-core.
 *
 * The steps stand in an order, as a person's would; each begins where the one before it has ended.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Browser, BrowserContext, Locator, Page } from 'playwright-core';
import { openBrowser } from './browser.ts';
import { takePicture, unreached, until, violationsOf } from './page-tools.ts';
import { NODES, ORIGIN, PASSWORD, PairUnderTest, SECOND_VIP } from './pair.ts';

const SIZE = { width: 1440, height: 900 };

let pair: PairUnderTest;
let browser: Browser;
let context: BrowserContext;
let page: Page;
const complaints: string[] = [];

before(
  async () => {
    pair = await PairUnderTest.start().catch((error: Error) => {
      process.stderr.write(`${error.message}\n`);
      throw error;
    });
    browser = await openBrowser({ inside: 'da', wrapper: '/run/piranha-lab/chromium' });
    context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: SIZE });
    context.setDefaultTimeout(15_000);
    page = await context.newPage();
    page.on('pageerror', (error) => complaints.push(`error in the page: ${error.message}`));
    page.on('console', (message) => {
      if (/Content.Security|Refused to/i.test(message.text())) complaints.push(message.text());
    });
  },
  { timeout: 90_000 },
);

after(async () => {
  await browser?.close();
  pair?.stop();
});

const picture = (name: string, of: Page = page): Promise<void> => takePicture(of, name);
const violations = (of: Page = page): Promise<readonly string[]> => violationsOf(of);

async function goTo(tab: string): Promise<void> {
  await page.getByRole('navigation').getByRole('link', { name: tab }).click();
  await page.getByRole('heading', { level: 1, name: tab }).waitFor({ state: 'attached' });
}

test('a wrong password is refused in a sentence, the right one opens the first page', async () => {
  await page.goto(ORIGIN);
  await page.getByLabel('Password').fill('wrong wrong wrong');
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('alert').getByText('User or password is wrong').waitFor();
  assert.deepEqual(await violations(), []);
  await picture('login');
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Log in' }).click();
  await page
    .getByRole('heading', { level: 1, name: 'Control / Monitoring' })
    .waitFor({ state: 'attached' });
});

test('the verdict says who owns, whether the router believes it, and who could take over', async () => {
  const verdict = page.locator('.verdict strong').first();
  await verdict.getByText(/primary serves 1 VIP and the router believes it/).waitFor();
  await verdict.getByText(/backup can take over within 1\.5 s/).waitFor();
  await page.getByText('2 of 2 up').waitFor();
});

test('the first verdict is there within 300 ms', async (t) => {
  const times: number[] = [];
  for (let round = 0; round < 7; round++) {
    await page.goto(ORIGIN, { waitUntil: 'commit' });
    await page.locator('.verdict').first().waitFor();
    times.push(
      await page.evaluate(() => {
        const [paint] = performance.getEntriesByName('first-contentful-paint');
        return paint?.startTime ?? performance.now();
      }),
    );
    await sleep(200);
  }
  const [least = Number.POSITIVE_INFINITY, , , median = 0] = times.toSorted((a, b) => a - b);
  t.diagnostic(`first verdict: least ${least.toFixed(0)}, median ${median.toFixed(0)} ms`);
  // What else the machine does only adds: the least is the console's own.
  assert.ok(least <= 300, `${least} ms`);
});

const TABS = [
  'Control / Monitoring',
  'Global Settings',
  'Redundancy',
  'Virtual Servers',
  'Rehearse',
  'Audit',
] as const;

test('no page has a violation of accessibility, in light and in dark, wide and narrow', async () => {
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    for (const tab of TABS) {
      await goTo(tab);
      await page.waitForTimeout(700);
      assert.deepEqual(await violations(), [], `${tab}, ${colorScheme}`);
      // The audit has nothing to show yet.
      if (tab !== 'Audit') await picture(`${nameOf(tab)}${colorScheme === 'dark' ? '-dark' : ''}`);
    }
  }
  await page.emulateMedia({ colorScheme: 'light' });
  await page.setViewportSize({ width: 390, height: 844 });
  for (const tab of TABS) {
    await goTo(tab);
    await page.waitForTimeout(300);
    assert.deepEqual(await violations(), [], `${tab} on a phone`);
    const wider = await page.evaluate<number>('document.documentElement.scrollWidth - innerWidth');
    assert.ok(wider <= 0, `${tab} is ${wider} px wider than the phone`);
    if (tab === 'Control / Monitoring') await picture('phone');
  }
  await page.setViewportSize(SIZE);
});

function nameOf(tab: string): string {
  return tab.toLowerCase().replaceAll(/[^a-z]+/g, '-');
}

test('a broken field says so in the sentence of the daemon’s own parser, and nothing can be saved', async () => {
  await goTo('Virtual Servers');
  await page.getByLabel('Application port').fill('80x');
  await page
    .locator('.field .note')
    .getByText(/wants a whole number, 0 to 65535; found `80x`/)
    .waitFor();
  assert.ok(await page.getByRole('button', { name: 'Review and save' }).isDisabled());
  assert.deepEqual(await violations(), []);
  await picture('broken-field');
  await page.getByRole('button', { name: 'Discard' }).click();
  assert.equal(await page.getByLabel('Application port').inputValue(), '80');
});

test('a new service with two real servers is saved on both nodes, confirmed, and stands in both kernels', async () => {
  await addService();
  await save('a second service');
  await page.getByRole('button', { name: 'Confirm', exact: true }).click();
  await page.getByText('Confirmed on both nodes').waitFor();
  for (const node of NODES) {
    await until(`${node} has it in its kernel`, async () =>
      (await pair.kernel(node)).includes(SECOND_VIP),
    );
    assert.match(pair.config(node), /virtual mail \{/);
    assert.match(pair.config(node), /backup = 198\.51\.100\.12 {3}# the other one/);
  }
  await goTo('Control / Monitoring');
  await page.getByText('2 of 2 up').nth(1).waitFor();
  await picture('two-services');
});

async function addService(): Promise<void> {
  await goTo('Virtual Servers');
  await page.getByRole('button', { name: 'Add a virtual server' }).click();
  await page.getByLabel('Name', { exact: true }).fill('mail');
  await page.getByLabel('Name', { exact: true }).press('Tab');
  await page.getByLabel('Active', { exact: true }).check();
  await page.getByLabel('Application port').fill('80');
  await page.getByLabel('Virtual IP address').fill(SECOND_VIP);
  await page.getByLabel('Device', { exact: true }).fill('eth0:2');
  await page.getByLabel('Scheduling').selectOption('wrr');
  await page.getByRole('tab', { name: 'Real Server' }).click();
  for (const [index, address] of ['198.51.100.21', '198.51.100.22'].entries()) {
    await page.getByRole('button', { name: 'Add a real server' }).click();
    await page.getByRole('button', { name: `real${index + 1}`, exact: true }).waitFor();
    await page.getByLabel('Address', { exact: true }).fill(address);
  }
}

async function save(reason: string): Promise<void> {
  await page.getByRole('button', { name: 'Review and save' }).click();
  await page.getByText('What it means').waitFor();
  await page.getByLabel('Reason, for the history').fill(reason);
  assert.deepEqual(await violations(), []);
  await picture('review');
  await page.getByRole('button', { name: 'Apply on both nodes' }).click();
  await page.getByText(/Confirm within/).waitFor();
  await picture('pending');
}

test('a change that nobody confirms rolls itself back on both nodes', async () => {
  const texts = NODES.map((node) => pair.config(node));
  await goTo('Virtual Servers');
  await page.getByRole('button', { name: 'web', exact: true }).click();
  await page.getByRole('tab', { name: 'Real Server' }).click();
  await page.getByLabel('Weight').fill('7');
  await page.getByRole('button', { name: 'Review and save' }).click();
  await page.getByText('What it means').waitFor();
  await page.getByLabel('To be confirmed within').selectOption('10');
  await page.getByRole('button', { name: 'Apply on both nodes' }).click();
  await page.getByText(/Confirm within/).waitFor();
  for (const node of NODES) assert.match(pair.config(node), /weight = 7/);
  await until('the change is taken back', async () =>
    NODES.every((node, index) => pair.config(node) === texts[index]),
  );
  await page.getByText(/Confirm within/).waitFor({ state: 'detached' });
});

test('a server is drained on both nodes, weighed on one, and lifted again; each node says it', async () => {
  await goTo('Control / Monitoring');
  const row = page.locator('tr.server', { hasText: 'r1' }).first();
  await openServer('r1');
  await page.getByRole('dialog').getByText('By the checks of backup').waitFor();
  assert.deepEqual(await violations(), []);
  await picture('server');
  await page.getByRole('button', { name: 'Do it' }).click();
  await row.getByText(/drained, (29|30) min left/).waitFor();
  await page.getByText('web/r1: drain on primary and backup.').waitFor();
  for (const node of NODES) assert.match(await pair.text(node, '/v1/services'), /"kind":"drain"/);
  await openServer('r1');
  await page.getByRole('button', { name: 'Lift what was said on both nodes' }).click();
  await row.getByText(/^✓ /).waitFor();
  await openServer('r1');
  await page.getByRole('radio', { name: /Another weight/ }).check();
  await page.getByLabel('weight', { exact: true }).fill('7');
  await page.getByRole('combobox', { name: 'on', exact: true }).selectOption('backup');
  await page.getByRole('button', { name: 'Do it' }).click();
  await page.getByText('web/r1: weight on backup.').waitFor();
  assert.match(await pair.text('db', '/v1/services'), /"kind":"weight"/);
  assert.doesNotMatch(await pair.text('da', '/v1/services'), /"kind":"weight"/);
  await openServer('r1');
  await page.getByRole('button', { name: 'Lift what was said on backup' }).click();
  await page.getByText('web/r1: lifted on backup.').waitFor();
  await openServer('r1');
  await page.getByRole('button', { name: 'Test its check now' }).click();
  await page.getByText(/web\/r1: the check is up/).waitFor();
  await page.keyboard.press('Escape');
});

function openServer(name: string): Promise<void> {
  return page.getByRole('button', { name, exact: true }).first().click();
}

test('an order to the other node, and why it does not take over then', async () => {
  const backup = page.getByRole('region', { name: 'backup', exact: true });
  await giveOrder(backup, 'Maintenance on');
  await page
    .locator('.verdict')
    .getByText(/backup may not take over \(maintenance\)/)
    .waitFor();
  const answer = page.locator('.answer', { hasText: 'Why does backup not take over?' });
  await answer.getByText(/Next:/).waitFor();
  assert.deepEqual(await violations(), []);
  assert.equal((await pair.ask('db', '/v1/status')).get('role'), 'fault');
  await giveOrder(backup, 'Maintenance off');
  await page
    .locator('.verdict')
    .getByText(/backup can take over/)
    .waitFor();
});

async function giveOrder(card: Locator, order: string): Promise<void> {
  await card.getByRole('button', { name: order }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('button', { name: order }).click();
  await dialog.getByText('done').waitFor();
  await dialog.getByRole('button', { name: 'close' }).click();
}

test('a server that is gone is explained in a sentence, with the next thing to do', async () => {
  pair.signal('r2', 'SIGKILL');
  const answer = page.locator('.why .answer', { hasText: 'Why is web/r2 not up?' });
  await answer.getByText(/Nobody listens at its address and port/).waitFor();
  await answer.getByText(/Next: the service on the server/).waitFor();
  assert.deepEqual(await violations(), []);
  await picture('why-not');
  pair.startServer('r2');
  await answer.getByText('recovering', { exact: true }).waitFor();
  await answer.waitFor({ state: 'detached' });
});

test('the audit of both nodes says who, what and by which way; it is filtered, and exported as lines of JSON', async () => {
  await goTo('Audit');
  const rows = page.locator('.audit tbody tr');
  await rows
    .filter({ hasText: 'maintenance-on' })
    .getByText('piranha (through the primary)')
    .waitFor();
  const all = await rows.count();
  await picture('audit');
  await page.getByLabel('filter the audit').fill('drain primary pulse.sock');
  await until('the filter fits one', async () => (await rows.count()) === 1);
  assert.ok(all > 5, `${all} rows`);
  const waiting = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Export 1 line of JSON' }).click();
  const download = await waiting;
  const lines = readFileSync(await download.path(), 'utf8')
    .trimEnd()
    .split('\n');
  const [entry] = lines.map((line): Record<string, unknown> => JSON.parse(line));
  assert.equal(lines.length, 1);
  assert.deepEqual(
    [entry?.node, entry?.who, entry?.from, entry?.action],
    ['primary', 'piranha (by root)', 'pulse.sock', 'POST /v1/servers'],
  );
  await page.getByLabel('filter the audit').fill('');
});

test('who may only look sees everything and can press nothing', async () => {
  const link = await pair.loginUrl('look');
  const other = await browser.newContext({ ignoreHTTPSErrors: true, viewport: SIZE });
  const viewer = await other.newPage();
  await viewer.goto(link);
  await viewer
    .locator('.verdict')
    .getByText(/primary serves/)
    .waitFor();
  assert.equal(await viewer.getByRole('button', { name: 'Resign' }).count(), 0);
  await viewer.goto(`${ORIGIN}/#/virtual`);
  assert.ok(await viewer.getByLabel('Application port').isDisabled());
  await viewer.getByText('changing it needs another login').waitFor();
  await viewer.goto(link);
  await viewer
    .getByText(/works once/)
    .first()
    .waitFor();
  await other.close();
});

test('the pages are walked by keyboard alone', async () => {
  await page.goto(ORIGIN);
  await page
    .locator('.verdict')
    .getByText(/primary serves/)
    .waitFor();
  await page.keyboard.press('Tab');
  assert.equal(await focused(), 'Skip to the page');
  for (const name of ['Control / Monitoring', 'Global Settings', 'Redundancy', 'Virtual Servers']) {
    await page.keyboard.press('Tab');
    assert.equal(await focused(), name);
  }
  await page.keyboard.press('Enter');
  await page.getByRole('tab', { name: 'Virtual Server' }).focus();
  await page.keyboard.press('ArrowRight');
  await page.getByRole('tab', { name: 'Real Server', selected: true }).waitFor();
  await until('the tab has the focus', async () => (await focused()) === 'Real Server');
});

test('whatever can be pressed or typed into is reached by the tabulator, on every page', async () => {
  for (const tab of TABS) {
    await goTo(tab);
    await page.waitForTimeout(500);
    assert.deepEqual(await unreached(page), [], tab);
  }
});

test('a dialog takes the focus, Escape leaves it, and the focus is where it was', async () => {
  await goTo('Control / Monitoring');
  const name = page.getByRole('button', { name: 'r1', exact: true }).first();
  for (const leave of ['Escape', 'Enter']) {
    await name.focus();
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    if (leave === 'Enter') await page.getByRole('button', { name: 'close' }).focus();
    await page.keyboard.press(leave);
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await until('the focus is back', async () => (await focused()) === 'r1');
  }
});

function focused(): Promise<string> {
  return page.evaluate<string>('document.activeElement.textContent');
}

test('two people who edit at once lose nothing', async () => {
  const other = await browser.newContext({ ignoreHTTPSErrors: true, viewport: SIZE });
  const second = await other.newPage();
  await second.goto(await pair.loginUrl('change'));
  await second.getByText('root (change)').waitFor();
  await second.goto(`${ORIGIN}/#/redundancy`);
  await second.getByLabel('Sync daemon id').fill('3');
  await goTo('Global Settings');
  await page.getByLabel('TCP timeout').fill('900');
  await save('the first of two');
  await page.getByRole('button', { name: 'Confirm', exact: true }).click();
  await page.getByText('Confirmed on both nodes').waitFor();
  await second.getByRole('button', { name: 'Review and save' }).click();
  await second.getByText('What it means').waitFor();
  await second.getByRole('button', { name: 'Apply on both nodes' }).click();
  await second.getByText('Somebody else saved meanwhile').waitFor();
  assert.deepEqual(await violations(second), []);
  await picture('conflict', second);
  await second.getByRole('button', { name: 'Join both changes' }).click();
  const text = await second.getByLabel('text of lvs.cf').inputValue();
  assert.match(text, /tcp_timeout = 900/);
  assert.match(text, /syncd_id = 3/);
  await other.close();
});

test('the active freezes: the page calls it unknown, and the incident opens as a diagram of both nodes', async () => {
  await goTo('Control / Monitoring');
  pair.signal('db', 'SIGSTOP');
  await page.locator('.role').getByText('UNKNOWN').waitFor();
  await page
    .getByText(/nobody is known to be able to take over/)
    .first()
    .waitFor();
  await picture('silent-partner');
  pair.signal('db', 'SIGCONT');
  await page.locator('.role').getByText('STANDBY').waitFor();
  pair.signal('da', 'SIGSTOP');
  await page.getByText(/last truth/).waitFor();
  await page.locator('.answer', { hasText: 'Why is nothing known now?' }).waitFor();
  assert.ok(await page.getByRole('button', { name: 'Resign for a minute' }).isDisabled());
  await picture('old-news');
  await until(
    'db takes over',
    async () => (await pair.ask('db', '/v1/status')).get('role') === 'active',
  );
  await sleep(1500);
  pair.signal('da', 'SIGCONT');
  await page.getByText(/last truth/).waitFor({ state: 'detached' });
  await page
    .locator('.verdict')
    .getByText(/backup serves/)
    .waitFor();
  const incident = page.locator('.incidents .log button').first();
  await incident.getByText(/backup active \(partner-silent\)/).waitFor({ timeout: 45_000 });
  await incident.click();
  const diagram = page.locator('.diagram');
  await diagram.getByText(/ACTIVE: partner-silent/).waitFor();
  assert.deepEqual(await violations(), []);
  await picture('incident');
  await page.getByRole('button', { name: 'close' }).click();
});

test('a director that is gone is shouted, and its return is noticed', async () => {
  await goTo('Control / Monitoring');
  pair.signal('da', 'SIGKILL');
  await page.getByRole('alert').getByText('The director of this machine does not run.').waitFor();
  await page
    .locator('.verdict')
    .getByText(/^– Not known now/)
    .waitFor();
  assert.deepEqual(await violations(), []);
  pair.startDirector('da');
  const back = page.locator('.stale-bar').waitFor({ state: 'detached', timeout: 40_000 });
  await back.catch((error: Error) => assert.fail(`${error.message}\n${pair.log('da')}`));
  await page
    .locator('.verdict')
    .getByText(/backup serves/)
    .waitFor();
});

test('a half-heal is rehearsed on this configuration, without touching a director', async () => {
  await goTo('Rehearse');
  await page.getByRole('radio', { name: /Half-heal/ }).check();
  await page.getByRole('button', { name: 'Play it' }).click();
  await page
    .locator('.verdict')
    .getByText(/serves in the end/)
    .waitFor();
  await page
    .locator('.diagram')
    .getByText(/partner-silent/)
    .first()
    .waitFor();
  await page.locator('.trials tbody tr').nth(5).waitFor();
  assert.deepEqual(await violations(), []);
  await picture('rehearsal');
});

test('the pages made no error, broke no policy, and asked nobody else for anything', async () => {
  assert.deepEqual(complaints, []);
  const urls = await page.evaluate(() =>
    performance.getEntriesByType('resource').map(({ name }) => name),
  );
  assert.deepEqual(
    urls.filter((url) => !url.startsWith('https://127.0.0.1:3636/')),
    [],
  );
});
