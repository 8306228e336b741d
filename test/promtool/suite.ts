/**
 * Alert rules, dashboard and metrics, judged by Prometheus' own tool: the rules fire and are silent as alerts_test.yml says,
 * every query of the dashboard is one, and what a real director answers to `GET /metrics` is linted.
 *
 * The director runs in a network namespace of its own, active and alone, with one virtual service.
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { enterNamespace, runIp } from '../../src/ports/index.ts';
import { promtool } from './promtool.ts';

const ROOT = join(import.meta.dirname, '../..');
const RULES = join(ROOT, 'contrib/prometheus');
const VIP = '198.51.100.100';
const LIMIT_MS = 20_000;

const CONFIG = `primary = 198.51.100.11
network = direct
backup_active = 0
keepalive_ms = 100
deadtime_ms = 300
virtual shop {
  active = 1
  address = ${VIP} eth0:1
  port = 80
  server web-a {
    active = 1
    address = 198.51.100.21
    weight = 3
  }
}
`;

test('every alert fires when it should and is silent when it should be', () => {
  const { status, output } = promtool(['test', 'rules', join(RULES, 'alerts_test.yml')]);
  assert.equal(status, 0, output);
});

test('a rule that is wrong is noticed: without its threshold an alert fires in the quiet test', () => {
  const directory = mkdtempSync(join(tmpdir(), 'pirprom-'));
  try {
    const rules = readFileSync(join(RULES, 'alerts.yml'), 'utf8');
    const broken = rules.replace('[30m])) > 3', '[30m])) > 0');
    assert.notEqual(broken, rules);
    writeFileSync(join(directory, 'alerts.yml'), broken);
    const tests = readFileSync(join(RULES, 'alerts_test.yml'), 'utf8').split(/^(?=- interval)/m);
    const some = tests.filter((part, index) => index === 0 || part.includes('RoleFlapping'));
    writeFileSync(join(directory, 'alerts_test.yml'), some.join(''));
    const { status, output } = promtool(['test', 'rules', join(directory, 'alerts_test.yml')]);
    assert.equal(status, 1);
    assert.match(output, /PiranhaRoleFlapping/);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('every query of the dashboard is one that Prometheus understands', () => {
  const shown: unknown = JSON.parse(
    readFileSync(join(ROOT, 'contrib/grafana/piranha-pair.json'), 'utf8'),
  );
  const queries = [...JSON.stringify(shown).matchAll(/"expr":("(?:[^"\\]|\\.)*")/g)].map(
    ([, text = '""']): string => JSON.parse(text),
  );
  assert.ok(queries.length > 20);
  const rules = queries.map((query, index) => ({
    record: `query:${index}`,
    expr: query.replaceAll('$pair', '.*').replaceAll(/\$__(rate_interval|interval|range)/g, '1m'),
  }));
  const directory = mkdtempSync(join(tmpdir(), 'pirprom-'));
  try {
    const file = join(directory, 'queries.yml');
    // JSON is YAML.
    writeFileSync(file, JSON.stringify({ groups: [{ name: 'dashboard', rules }] }));
    const { status, output } = promtool(['check', 'rules', file]);
    assert.equal(status, 0, output);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('what a real director answers passes the lint, and tells of its VIP and its real server', async () => {
  enterNamespace();
  runIp('link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth1');
  runIp('link', 'set', 'eth1', 'up');
  runIp('link', 'set', 'eth0', 'up');
  runIp('addr', 'add', '198.51.100.11/24', 'dev', 'eth0');
  const directory = mkdtempSync(join(tmpdir(), 'pirprom-'));
  const config = join(directory, 'lvs.cf');
  writeFileSync(config, CONFIG);
  const run = join(directory, 'run');
  const words = ['-n', '-c', config, '--run-dir', run, '--state-dir', join(directory, 'state')];
  const pulse = spawn(join(ROOT, 'bin/pulse'), words, { stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  pulse.stderr.on('data', (text) => {
    log += text;
  });
  const ended = new Promise((resolve) => pulse.once('exit', resolve));
  try {
    const owned = `piranha_vip_owned{vip="${VIP}",interface="eth0"} 1`;
    const text = await scrapeUntil(run, owned, () => log);
    assert.match(text, /^piranha_real_server_up\{virtual_service="shop",real_server="web-a"\} 0$/m);
    assert.match(text, /^piranha_role\{role="active"\} 1$/m);
    assert.match(text, /^piranha_role_transitions_total\{to="active",reason="no-partner"\} 1$/m);
    assert.match(text, /^piranha_worker_lateness_seconds_count [1-9]/m);
    const { status, output } = promtool(['check', 'metrics'], text);
    assert.equal(status, 0, output);
    assert.equal(output, '');
    const badly = `${text}# TYPE piranha_things counter\npiranha_things 1\n`;
    assert.notEqual(promtool(['check', 'metrics'], badly).status, 0, 'it reads what we wrote');
  } finally {
    pulse.kill('SIGTERM');
    await ended;
    rmSync(directory, { recursive: true, force: true });
  }
});

async function scrapeUntil(run: string, wanted: string, log: () => string): Promise<string> {
  const limit = performance.now() + LIMIT_MS;
  for (;;) {
    const socket = join(run, 'read.sock');
    const asked = spawnSync('curl', [
      ...['-sf', '--max-time', '5'],
      ...['--unix-socket', socket, 'http://director/metrics'],
    ]);
    const text = asked.stdout.toString();
    if (text.includes(wanted)) return text;
    assert.ok(performance.now() < limit, `no ${wanted} in\n${text}\n${log()}`);
    await sleep(100);
  }
}
