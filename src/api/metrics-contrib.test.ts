import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { METRICS } from './metrics.ts';
import { dashboardQueries, dashboardText } from './metrics-dashboard.ts';

const ROOT = join(import.meta.dirname, '../..');
const RUNBOOKS = join(ROOT, 'docs/runbooks');
const CHAPTERS = ['You see', 'It means', 'Check', 'Do', 'When to wake someone'];
const rules = readFileSync(join(ROOT, 'contrib/prometheus/alerts.yml'), 'utf8');
const ruleTests = readFileSync(join(ROOT, 'contrib/prometheus/alerts_test.yml'), 'utf8');

type Alert = { readonly name: string; readonly expr: string; readonly text: string };

const ALERTS: readonly Alert[] = rules
  .split(/^ {2}- alert: /m)
  .slice(1)
  .map((text) => ({
    name: text.split('\n')[0] ?? '',
    expr: /^ {4}expr: ([\s\S]*?)(?=^ {4}\w+:)/m.exec(text)?.[1] ?? '',
    text,
  }));

/** `PiranhaTwoOwners` -> `two-owners`. */
function slugOf(alert: string): string {
  const words = alert.replace(/^Piranha/, '').match(/[A-Z][a-z]+/g) ?? [];
  return words.join('-').toLowerCase();
}

describe('alerts', () => {
  test('there are some, each with a severity and one line that says what is wrong', () => {
    assert.ok(ALERTS.length >= 20);
    for (const { name, text } of ALERTS) {
      assert.match(name, /^Piranha[A-Z]/);
      assert.match(text, /labels: \{severity: (page|ticket)\}/, name);
      assert.match(text, /summary: ".{20,}"/, name);
    }
  });

  test('every alert has a runbook and every runbook an alert', () => {
    const slugs = ALERTS.map(({ name }) => slugOf(name));
    const pages = readdirSync(RUNBOOKS).filter((file) => file !== 'README.md');
    assert.deepEqual(pages.sort(), slugs.map((slug) => `${slug}.md`).sort());
    for (const { name, text } of ALERTS) {
      const url = `runbook_url: file:///usr/share/doc/piranha/runbooks/${slugOf(name)}.md`;
      assert.ok(text.includes(url), name);
    }
  });

  test('a runbook has the one form, and names its alert', () => {
    for (const { name } of ALERTS) {
      const page = readFileSync(join(RUNBOOKS, `${slugOf(name)}.md`), 'utf8');
      assert.ok(page.startsWith(`# ${name}\n`), name);
      const chapters = [...page.matchAll(/^## (.*)$/gm)].map(([, title]) => title);
      assert.deepEqual(chapters, CHAPTERS, name);
      for (const part of page.split(/^## .*$/m).slice(1)) assert.ok(part.trim().length > 2, name);
    }
  });

  test('the index of the runbooks lists each with its severity', () => {
    const index = readFileSync(join(RUNBOOKS, 'README.md'), 'utf8');
    const rows = [...index.matchAll(/^\| \[(\w+)\]\(([\w-]+)\.md\) \| (\w+) \|/gm)];
    assert.deepEqual(
      rows.map(([, name, slug, severity]) => [name, slug, severity]),
      ALERTS.map(({ name, text }) => [name, slugOf(name), /severity: (\w+)/.exec(text)?.[1]]),
    );
  });

  test('each alert is tested to fire and to be silent', () => {
    for (const { name } of ALERTS) {
      assert.ok(ruleTests.includes(`alertname: ${name}\n    exp_alerts:\n`), `${name} fires`);
      assert.ok(ruleTests.includes(`alertname: ${name}, exp_alerts: []`), `${name} is silent`);
    }
  });

  test('rules, their tests and the dashboard ask for metrics and labels that exist', () => {
    for (const { name, expr } of ALERTS) assertKnown(expr, name);
    for (const expr of dashboardQueries()) assertKnown(expr, 'dashboard');
    for (const [, series = ''] of ruleTests.matchAll(/series: '([^']*)'/g))
      assertKnown(series, series);
  });
});

test('the dashboard is what its program writes', () => {
  const file = join(ROOT, 'contrib/grafana/piranha-pair.json');
  assert.equal(
    readFileSync(file, 'utf8'),
    dashboardText(),
    'run: node src/api/metrics-dashboard.ts',
  );
});

/** Target labels, and those that Prometheus itself sets. */
const FOREIGN_LABELS = ['pair', 'instance', 'job', 'le'];

function assertKnown(expr: string, where: string): void {
  const selectors = expr.matchAll(/\b((?:piranha|process)_[a-z_]+)(?:\{([^}]*)\})?/g);
  let count = 0;
  for (const [, asked = '', matchers = ''] of selectors) {
    count++;
    const plain = asked.replace(/_(bucket|sum|count)$/, '');
    const found = METRICS.find(({ name }) => name === asked || name === plain);
    assert.ok(found !== undefined, `${where}: there is no metric ${asked}`);
    assert.equal(found.name !== asked, found.type === 'histogram', `${where}: ${asked}`);
    for (const [, label = ''] of matchers.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)) {
      const isKnown = found.labels.includes(label) || FOREIGN_LABELS.includes(label);
      assert.ok(isKnown, `${where}: ${asked} has no label ${label}`);
    }
  }
  assert.ok(count > 0 || /\bup\{/.test(expr), `${where}: asks for nothing of ours`);
}
