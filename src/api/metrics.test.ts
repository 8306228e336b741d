import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { ip } from '../base/index.ts';
import {
  Ledger,
  observe,
  type StatusDocument,
  sampleDocuments,
  zeroMeters,
} from '../director/index.ts';
import { METRICS, processFacts, renderMetrics } from './metrics.ts';
import { type Changes, face, servicesOf } from './metrics-face-under-test.ts';
import { metricsTable } from './metrics-page.ts';

const { serverOf, VIP } = await sampleDocuments();

/** The lines of one metric, its head left out. */
async function linesOf(name: string, changes: Changes = {}): Promise<readonly string[]> {
  const text = await renderMetrics(face(changes));
  return text
    .split('\n')
    .filter((line) => new RegExp(`^${name}(_bucket|_sum|_count)?[ {]`).test(line));
}

async function numberOf(series: string, changes: Changes = {}): Promise<number | undefined> {
  const text = await renderMetrics(face(changes));
  const line = text.split('\n').find((each) => each.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length));
}

describe('the text', () => {
  test('no series stands twice, and every line belongs to a definition', async () => {
    const text = await renderMetrics(face({ services: servicesOf(30) }));
    const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    const series = lines.map((line) => line.slice(0, line.lastIndexOf(' ')));
    assert.equal(new Set(series).size, series.length);
    const names = new Set(METRICS.map(({ name }) => name));
    for (const each of series) {
      const name = each.split('{')[0] ?? '';
      assert.ok(names.has(name) || names.has(name.replace(/_(bucket|sum|count)$/, '')), each);
    }
  });

  test('every sample carries exactly the labels of its definition', () => {
    const all = face({ services: servicesOf(30) });
    for (const { name, labels, read } of METRICS) {
      for (const sample of read(all)) {
        assert.deepEqual(Object.keys(sample.labels), [...labels], name);
      }
    }
  });

  test('names say their unit as Prometheus asks: counters end in _total, nothing else does', () => {
    const seen = new Set<string>();
    for (const { name, type, help } of METRICS) {
      assert.equal(name.endsWith('_total'), type === 'counter', name);
      assert.doesNotMatch(name, /_(ms|milliseconds|kb|percent)\b/, name);
      assert.match(help, /[.]$/, name);
      assert.ok(!seen.has(name), `${name} is defined twice`);
      seen.add(name);
    }
  });

  test('a label that an operator wrote cannot break the text', async () => {
    const document = servicesOf(1);
    const [service] = document.services;
    assert.ok(service !== undefined);
    const services = {
      ...document,
      services: [{ ...service, name: 'a"b\\c', servers: [serverOf('x\ny')] }],
    };
    assert.deepEqual(await linesOf('piranha_real_server_up', { services }), [
      'piranha_real_server_up{virtual_service="a\\"b\\\\c",real_server="x\\ny"} 1',
    ]);
  });

  test('two services or servers of one name are told apart by what differs', async () => {
    const document = servicesOf(1);
    const [service] = document.services;
    assert.ok(service !== undefined);
    const servers = [serverOf('web'), serverOf('web', { address: '198.51.100.22' })];
    const services = {
      ...document,
      services: [
        { ...service, servers },
        { ...service, key: 'mark 5', servers: [serverOf('b')] },
      ],
    };
    const lines = await linesOf('piranha_real_server_up', { services });
    assert.equal(new Set(lines).size, 3);
    assert.match(lines[0] ?? '', /real_server="web \(198\.51\.100\.21 80\)"/);
    assert.match(lines[2] ?? '', /virtual_service="shop-0 \(mark 5\)",real_server="b"/);
  });
});

describe('the pair', () => {
  test('exactly one role is 1', async () => {
    const lines = await linesOf('piranha_role');
    assert.deepEqual(
      lines.filter((line) => line.endsWith(' 1')),
      ['piranha_role{role="active"} 1'],
    );
  });

  test('a silent partner is unknown, whatever it said last', async () => {
    const partner: StatusDocument['partner'] = { state: 'silent', said: 'running', paths: [] };
    const series = 'piranha_partner_role{role="unknown"}';
    assert.equal(await numberOf(series, { status: { partner } }), 1);
    assert.equal(await numberOf(series), 0);
  });

  test('a VIP whose lease has lapsed is not owned, though its address is raised', async () => {
    const series = `piranha_vip_owned{vip="${VIP}",interface="eth0"}`;
    const { pair } = face().status;
    assert.ok(pair?.lease !== undefined);
    const { remainingMs: _, ...lapsed } = pair.lease;
    assert.equal(await numberOf(series), 1);
    assert.equal(await numberOf(series, { status: { pair: { ...pair, lease: lapsed } } }), 0);
  });

  test('an unproved VIP is told only where a witness of its family answers at all', async () => {
    const vips: StatusDocument['vips'] = [
      { address: VIP, device: 'eth0', state: 'up', belief: { owner: 'unknown' } },
      { address: ip('fd77::100'), device: 'eth0', state: 'up', belief: { owner: 'unknown' } },
    ];
    const lines = await linesOf('piranha_vip_believed', { status: { vips } });
    assert.equal(lines.length, 4);
    assert.ok(lines.includes(`piranha_vip_believed{vip="${VIP}",owner="us"} 0`));
    assert.deepEqual(
      await linesOf('piranha_vip_believed', { status: { vips }, facts: { answering: [] } }),
      [],
    );
  });

  test('every counter of a known label begins at 0, so that the first event is an increase', async () => {
    const lines = await linesOf('piranha_foreign_claims_total');
    assert.deepEqual(lines, [
      `piranha_foreign_claims_total{vip="${VIP}",by="partner"} 0`,
      `piranha_foreign_claims_total{vip="${VIP}",by="stranger"} 0`,
    ]);
    const transitions = await linesOf('piranha_role_transitions_total');
    assert.ok(transitions.includes('piranha_role_transitions_total{to="fault",reason="deaf"} 0'));
  });

  test('a frame that is not taken is counted on its path, an announcement by its form', async () => {
    const meters = zeroMeters();
    meters.dropped.public.set('bad-tag', 3);
    meters.announced.request = 5;
    const facts = { meters };
    const dropped = await linesOf('piranha_heartbeats_dropped_total', { facts });
    assert.ok(
      dropped.includes('piranha_heartbeats_dropped_total{path="public",reason="bad-tag"} 3'),
    );
    assert.ok(
      dropped.includes('piranha_heartbeats_dropped_total{path="public",reason="replayed"} 0'),
    );
    assert.deepEqual(await linesOf('piranha_announcements_sent_total', { facts }), [
      'piranha_announcements_sent_total{form="reply"} 0',
      'piranha_announcements_sent_total{form="request"} 5',
      'piranha_announcements_sent_total{form="advertisement"} 0',
    ]);
  });

  test('an echo is told in seconds on the path it came by', async () => {
    const meters = zeroMeters();
    observe(meters.echo.public, 1.5);
    const lines = await linesOf('piranha_heartbeat_echo_seconds', { facts: { meters } });
    assert.ok(lines.includes('piranha_heartbeat_echo_seconds_bucket{path="public",le="0.001"} 0'));
    assert.ok(lines.includes('piranha_heartbeat_echo_seconds_bucket{path="public",le="0.002"} 1'));
  });

  test('witnesses that answer are told by an owner alone: a standby asks nobody', async () => {
    assert.equal(await numberOf('piranha_witnesses_answering'), 1);
    assert.equal(await numberOf('piranha_witness_asked'), 1);
    const status = { role: 'standby' } as const;
    assert.equal(await numberOf('piranha_witnesses_answering', { status }), undefined);
  });

  test('notes of the worker end in the ledger, and in the text', async () => {
    const ledger = new Ledger(0);
    ledger.noted({ kind: 'role', from: 'standby', to: 'active', reason: 'partner-silent' }, false);
    ledger.noted({ kind: 'foreign-claim', vip: VIP, by: 'stranger' }, false);
    const believed = { kind: 'believed', vips: [VIP], witness: VIP, tookMs: 20 } as const;
    ledger.noted(believed, false);
    ledger.noted(believed, true);
    const facts = { totals: ledger.totals };
    const role = 'piranha_role_transitions_total{to="active",reason="partner-silent"}';
    assert.equal(await numberOf(role, { facts }), 1);
    const claim = `piranha_foreign_claims_total{vip="${VIP}",by="stranger"}`;
    assert.equal(await numberOf(claim, { facts }), 1);
    assert.equal(await numberOf('piranha_vip_verification_seconds_count', { facts }), 1);
  });

  test('a histogram is cumulative, in seconds, and ends in +Inf', async () => {
    const meters = zeroMeters();
    for (const ms of [40, 900, 100_000]) observe(meters.gap.public, ms);
    const lines = await linesOf('piranha_heartbeat_gap_seconds', { facts: { meters } });
    const bucket = (le: string) =>
      lines.find((line) => line.includes(`path="public",le="${le}"`))?.split(' ')[1];
    assert.deepEqual(['0.05', '0.5', '1', '60', '+Inf'].map(bucket), ['1', '1', '2', '2', '3']);
    assert.ok(lines.includes('piranha_heartbeat_gap_seconds_sum{path="public"} 100.94'));
    assert.ok(lines.includes('piranha_heartbeat_gap_seconds_count{path="public"} 3'));
  });

  test('a refused reload shows, and the time of the last good one stays', async () => {
    const ledger = new Ledger(1000);
    ledger.reloaded(true, 5000);
    ledger.reloaded(false, 9000);
    const facts = { totals: ledger.totals };
    assert.equal(await numberOf('piranha_config_last_reload_successful', { facts }), 0);
    const good = 'piranha_config_last_reload_success_timestamp_seconds';
    assert.equal(await numberOf(good, { facts }), 5);
  });
});

describe('virtual services', () => {
  test('a drained server is draining, not down', async () => {
    const document = servicesOf(1);
    const [service] = document.services;
    assert.ok(service !== undefined);
    const drained = serverOf('b', { state: 'quiesced', weight: 0, reason: 'drained' });
    const { weight: _, ...out } = serverOf('c', { state: 'inactive', reason: 'timeout' });
    const servers = [serverOf('a'), drained, out];
    const services = { ...document, services: [{ ...service, servers }] };
    const of = (state: string) =>
      numberOf(`piranha_virtual_service_real_servers{virtual_service="shop-0",state="${state}"}`, {
        services,
      });
    assert.deepEqual(
      await Promise.all(['up', 'draining', 'down', 'disabled'].map(of)),
      [1, 1, 1, 0],
    );
  });

  test('of ten thousand real servers each tells three numbers and no more', async () => {
    const few = await renderMetrics(face({ services: servicesOf(2000) }));
    const many = await renderMetrics(face({ services: servicesOf(10_000) }));
    const perServer = (text: string) => text.match(/real_server=/g)?.length ?? 0;
    assert.equal(perServer(few), 2000 * 7);
    assert.equal(perServer(many), 10_000 * 3);
  });
});

describe('what people ask of a director', () => {
  test('answers are counted by socket and class, known ones from 0', async () => {
    const ledger = new Ledger(0);
    for (const status of [200, 304, 404, 412, 503]) ledger.answered('read.sock', status);
    const lines = await linesOf('piranha_api_answers_total', { facts: { totals: ledger.totals } });
    assert.equal(lines.length, 9);
    const of = (code: string): string | undefined =>
      lines.find((line) => line.includes(`socket="read.sock",code="${code}"`))?.split(' ')[1];
    assert.deepEqual(['2xx', '4xx', '5xx'].map(of), ['2', '2', '1']);
    assert.ok(lines.includes('piranha_api_answers_total{socket="pulse.sock",code="2xx"} 0'));
  });

  test('every route that changes something has its line in the audit, from 0', async () => {
    const audited = new Map([['POST /v1/role', new Map([['denied', 4] as const])]]);
    const lines = await linesOf('piranha_audit_actions_total', { facts: { audited } });
    const denied = 'piranha_audit_actions_total{action="POST /v1/role",result="denied"} 4';
    assert.ok(lines.includes(denied));
    assert.ok(lines.includes('piranha_audit_actions_total{action="reload",result="done"} 0'));
    assert.ok(lines.length >= 4 * 7);
  });

  test('a change that waits tells how long it may', async () => {
    const series = 'piranha_config_pending_confirm_seconds';
    assert.equal(await numberOf(series), 0);
    assert.equal(await numberOf(series, { facts: { pendingMs: 41_500 } }), 41.5);
  });
});

test('the process tells of itself', () => {
  const { version, residentBytes, openFds, cpuSeconds } = processFacts();
  assert.match(version, /^\d+\.\d+\.\d+/);
  assert.ok(residentBytes > 1e7 && openFds > 2 && cpuSeconds > 0);
});

test('docs/metrics.md is the table of the definitions, word for word', () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/metrics.md'), 'utf8');
  assert.ok(page.includes(metricsTable()), 'run: node src/api/metrics-page.ts');
});
