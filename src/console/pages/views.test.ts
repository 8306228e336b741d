import assert from 'node:assert/strict';
import test from 'node:test';
import { parseSettings } from '../../config/index.ts';
import { REHEARSALS, rehearse } from '../../sim/index.ts';
import type { Incident, ServerRow, ServicesDocument } from './documents.ts';
import { incidentRows } from './incident-rows.ts';
import { lanesOf } from './lanes.ts';
import { otherTimers, outcomeSentence, TITLES } from './rehearse-words.ts';
import {
  RateHistory,
  rowsInSight,
  serverState,
  serviceState,
  sparkPath,
  tableRows,
  weightText,
  withServices,
} from './service-rows.ts';
import { ticks, timelineOf } from './timeline.ts';
import { ageText, counted, lengthText, rateText, whenText } from './words.ts';

function server(name: string, changes: Partial<ServerRow> = {}): ServerRow {
  return {
    name,
    address: '10.0.0.1',
    port: 80,
    method: 'direct',
    configuredWeight: 2,
    weight: 2,
    state: 'active',
    reason: 'healthy',
    sinceMs: 1000,
    ...changes,
  };
}

function services(servers: readonly ServerRow[], name = 'shop'): ServicesDocument {
  const key = `tcp 10.9.9.9:80 ${name}`;
  const common = {
    scheduler: 'wlc',
    persistentSeconds: 0,
    quorum: 'reached',
    stands: true,
  } as const;
  return {
    v: 1,
    dataPlane: { kind: 'ipvs', why: 'it is there' },
    services: [{ name, key, ...common, servers }],
    overrides: [],
  };
}

const ALL = { words: '', isTroubleOnly: false };

test('rows are a service and then its servers, and a word finds either', () => {
  const document = services([server('web-a'), server('web-b', { address: '10.0.0.2' })]);
  assert.equal(tableRows(document, ALL).length, 3);
  assert.equal(tableRows(document, { ...ALL, words: 'web-b' }).length, 2);
  assert.equal(tableRows(document, { ...ALL, words: 'shop' }).length, 3);
  assert.equal(tableRows(document, { ...ALL, words: 'mail' }).length, 0);
});

test('trouble only leaves what is not well', () => {
  const sick = server('web-b', { state: 'inactive', reason: 'timeout', address: '10.0.0.2' });
  const rows = tableRows(services([server('web-a'), sick]), { words: '', isTroubleOnly: true });
  assert.deepEqual(
    rows.map((row) => (row.kind === 'server' ? row.server.name : row.service.name)),
    ['shop', 'web-b'],
  );
  assert.equal(tableRows(services([server('a')]), { words: '', isTroubleOnly: true }).length, 0);
});

test('an operator’s word is shown as such, with the time it has left', () => {
  const drained = server('web-a', {
    state: 'quiesced',
    reason: 'drained',
    weight: 0,
    override: { target: 'shop/web-a', kind: 'drain', leftMs: 22 * 60_000 },
  });
  assert.deepEqual(serverState(drained), { tone: 'info', text: 'drained, 22 min left' });
  assert.equal(weightText(drained), '0 (2)');
});

test('the verdict does not say “Healthy” while a server is missing, and not that a pair serves what nobody answers', () => {
  const healthy = { tone: 'good', title: 'Healthy. primary serves 1 VIP.', detail: '' } as const;
  assert.equal(withServices(healthy, services([server('a'), server('b')])), healthy);
  const drained = server('b', { state: 'quiesced', reason: 'drained' });
  assert.equal(withServices(healthy, services([server('a'), drained])), healthy);
  const sick = server('b', { state: 'inactive', reason: 'timeout' });
  assert.deepEqual(withServices(healthy, services([server('a'), sick])), {
    tone: 'warn',
    title: '1 of 2 real servers not up. primary serves 1 VIP.',
    detail: '',
  });
  const { tone, title } = withServices(healthy, services([sick]));
  assert.equal(tone, 'bad');
  assert.match(title, /^shop cannot be served \(0 of 1 up\)\. primary serves/);
});

test('a service says how many are up, and what that means', () => {
  const [service] = services([server('a'), server('b', { state: 'inactive' })]).services;
  assert.ok(service);
  assert.deepEqual(serviceState(service), { tone: 'warn', text: '1 of 2 up' });
  assert.equal(serviceState({ ...service, quorum: 'lost' }).tone, 'bad');
});

test('only the rows in sight and a few more exist, at either end of a long list', () => {
  const view = { count: 11_000, rowHeight: 34, height: 600 };
  assert.deepEqual(rowsInSight({ ...view, scrollTop: 0 }), { from: 0, to: 30 });
  const end = rowsInSight({ ...view, scrollTop: 11_000 * 34 - 600 });
  assert.equal(end.to, 11_000);
  assert.ok(end.to - end.from < 50);
  assert.deepEqual(rowsInSight({ ...view, count: 0, scrollTop: 900 }), { from: 0, to: 0 });
});

test('rates keep the last samples and forget rows that have gone', () => {
  const history = new RateHistory(3);
  const key = 'tcp 10.9.9.9:80 shop';
  for (let sample = 0; sample < 5; sample++) history.add(services([server('a')]));
  assert.equal(history.of(key).length, 3);
  history.add(services([], 'mail'));
  assert.equal(history.of(key).length, 0);
  const path = sparkPath([0, 10], { width: 90, height: 20, length: 10 });
  assert.equal(path, 'M80.0 19.0L90.0 1.0');
});

function incident(id: string, at: string, node: string, to: string, reason: string): Incident {
  return { id, at, node, roles: [{ from: 'standby', to, reason }], bytes: 1 };
}

test('two recordings of one moment are one incident, seen from both sides', () => {
  const rows = incidentRows(
    [incident('a', '2026-11-22T03:12:33.402Z', 'backup', 'active', 'partner-silent')],
    [
      incident('b', '2026-11-22T03:12:30.000Z', 'primary', 'standby', 'lease-expired'),
      incident('c', '2026-11-20T03:12:30.000Z', 'primary', 'active', 'no-partner'),
    ],
  );
  assert.deepEqual(
    rows.map(({ nodes, what }) => [nodes, what]),
    [
      ['both', 'backup active (partner-silent); primary standby (lease-expired)'],
      ['primary', 'primary active (no-partner)'],
    ],
  );
});

const CONFIG = `primary = 10.0.0.1
backup = 10.0.0.2
backup_active = 1
keepalive = 2
deadtime = 6
network = direct
virtual web {
    active = 1
    address = 10.0.0.100 eth0:1
}
`;

function settings() {
  const verdict = parseSettings(CONFIG, { file: 'lvs.cf' });
  assert.ok(verdict.settings);
  return verdict.settings;
}

test('the timeline ends the lease before the partner serves, and says what lies between', () => {
  const { leaseMs, servesMs, sentence } = timelineOf(settings());
  assert.ok(leaseMs !== undefined && leaseMs < servesMs);
  assert.match(sentence, /Nobody answers in between/);
  const legacy = timelineOf({ ...settings(), dialect: 'legacy' });
  assert.equal(legacy.leaseMs, undefined);
  assert.match(legacy.sentence, /both answer/);
  assert.deepEqual(ticks(1000, 3000), [0, 1000, 2000, 3000]);
  assert.deepEqual(ticks(1, 3000), [0]);
});

test('the lanes of a freeze show it, and the router moves to the backup', () => {
  const played = rehearse(settings(), { name: 'freeze', whom: 'active', forMs: 10_000 });
  assert.ok(played.ok);
  const { primary, backup, router } = lanesOf(played.value.trace);
  assert.ok(primary.some(({ what }) => what === 'frozen'));
  assert.ok(backup.some(({ what }) => what === 'active'));
  assert.deepEqual(
    router.map(({ what }) => what),
    ['primary', 'backup'],
  );
});

test('the lanes of a recording begin with the roles that its heartbeats show, and know a freeze', () => {
  const send = { kind: 'send', word: 'RUNNING', path: 'public' } as const;
  const { primary, router } = lanesOf([
    { at: 0, node: 'primary', ...send },
    { at: 0, node: 'backup', ...send, word: 'STOPPED' },
    { at: 9000, node: 'primary', kind: 'event', text: 'woke 5000 ms late' },
    { at: 9001, node: 'primary', kind: 'role', to: 'standby', reason: 'woke-late' },
    { at: 9002, node: 'segment', kind: 'router', believes: 'backup' },
    { at: 9500, node: 'backup', kind: 'event', text: 'VIP put back' },
  ]);
  assert.deepEqual(
    primary.map(({ what, fromMs }) => [what, fromMs]),
    [
      ['active', 0],
      ['frozen', 4000],
      ['active', 9000],
      ['standby', 9001],
    ],
  );
  assert.deepEqual(
    router.map(({ what }) => what),
    ['primary', 'backup'],
  );
});

test('every rehearsal has a title, and its outcome is one sentence', () => {
  for (const name of REHEARSALS) assert.ok(TITLES[name].title.length > 3);
  const outcome = {
    blackoutMs: { least: 1000, worst: 1200 },
    doubleMs: 0,
    owner: 'backup',
    takeovers: 1,
    trace: [],
  } as const;
  const play = { name: 'freeze', whom: 'active', forMs: 20_000 } as const;
  assert.equal(
    outcomeSentence(outcome, play).title,
    '! Nobody answers for 1 s to 1.2 s; backup serves in the end.',
  );
  assert.equal(outcomeSentence({ ...outcome, owner: 'nobody' }, play).tone, 'bad');
});

test('the configured timers are among those that are tried, once', () => {
  const own = { keepaliveMs: 2000, deadtimeMs: 6000 };
  const tried = otherTimers(own);
  assert.equal(tried.filter(({ deadtimeMs }) => deadtimeMs === 6000).length, 1);
  assert.equal(otherTimers({ keepaliveMs: 700, deadtimeMs: 2100 }).length, tried.length + 1);
});

test('times and counts read as people say them', () => {
  assert.deepEqual([ageText(400), ageText(17_000), ageText(9e8)], ['0.4 s', '17 s', '10 d']);
  assert.deepEqual(
    [lengthText(250), lengthText(1500), lengthText(6000)],
    ['250 ms', '1.5 s', '6 s'],
  );
  assert.deepEqual([counted(1, 'VIP'), counted(2, 'VIP')], ['1 VIP', '2 VIPs']);
  assert.deepEqual([rateText(812), rateText(12_400)], ['812', '12.4 k']);
  const noon = new Date(2026, 10, 22, 12, 0, 0).getTime();
  assert.equal(whenText(noon, noon + 1000), '12:00:00');
  assert.equal(whenText(noon, noon + 86_400_000), '22 Nov 12:00');
});
