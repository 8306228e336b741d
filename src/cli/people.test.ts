import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { fromUtf8, ip, tablesOf, utf8 } from '../base/index.ts';
import type { EventRecord } from '../director/index.ts';
import { REASONS } from '../model/index.ts';
import { ALL_CHECKS } from './doctor.ts';
import { eventText, merged, sinceWord } from './events.ts';
import { explanations } from './explain.ts';
import { exitOf, type Finding } from './finding.ts';
import { counterpart } from './incident.ts';
import { hasColour, levelWord } from './paint.ts';
import { withoutSecrets } from './report.ts';
import { briefText } from './status-text.ts';
import { tarOf } from './tar.ts';

const MAIN = join(import.meta.dirname, '..', 'main.ts');

function piranha(...words: readonly string[]) {
  const argv = ['--disable-warning=ExperimentalWarning', MAIN, ...words];
  return spawnSync(process.execPath, argv, { encoding: 'utf8', maxBuffer: 1e8 });
}

test('docs/doctor.md has every check, in its order and words', () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/doctor.md'), 'utf8');
  const told = tablesOf(page).find(({ head }) => head[0] === 'Check')?.rows ?? [];
  assert.deepEqual(
    told.map(([name, about]) => [name, about]),
    ALL_CHECKS.map(({ name, about }) => [name, about]),
  );
});

describe('explain', () => {
  test('knows every reason, with what to look at', () => {
    const words = new Set(explanations().map(({ word }) => word));
    assert.deepEqual(
      REASONS.filter((reason) => !words.has(reason)),
      [],
    );
  });

  test('knows directives, metrics, alerts, checks and words; each in every meaning', () => {
    const kindsOf = (word: string) =>
      explanations().flatMap((one) => (one.word === word ? [one.kind] : []));
    assert.deepEqual(kindsOf('partner-silent'), ['reason of a role', 'word of the log']);
    assert.deepEqual(kindsOf('real-server-answers-arp'), ['check of piranha doctor']);
    for (const [word, kind] of [
      ['fwmark', /directive, in a `?virtual/],
      ['piranha_vip_owned', /^metric$/],
      ['PiranhaTwoOwners', /^alert$/],
      ['connect-refused', /real server/],
    ] as const) {
      assert.match(kindsOf(word).join(), kind, word);
    }
  });

  test('says what is near where nothing is known, and fails', () => {
    const { status, stderr, stdout } = piranha('explain', 'partner-silnt');
    assert.equal(status, 1);
    assert.equal(stdout, '');
    assert.match(stderr, /nothing is known of partner-silnt; did you mean partner-silent\?/);
    assert.match(piranha('explain', 'vip_owned').stdout, /^piranha_vip_owned: metric\n/);
  });
});

test('a long answer reaches a slow reader whole', () => {
  const script = `"${process.execPath}" "${MAIN}" man lvs.cf.5 | (sleep 1; tail -1)`;
  const { stdout } = spawnSync('sh', ['-c', script], { encoding: 'utf8' });
  assert.equal(stdout, '.Xr pulse 8\n');
});

describe('events', () => {
  const event = (id: string, at: string, node: 'primary' | 'backup' = 'primary'): EventRecord => ({
    id,
    at,
    node,
    kind: 'role',
    text: 'active (partner-silent)',
  });
  const early = event('1000.9', '2026-11-22T21:00:00.000Z');
  const late = event('1000.10', '2026-11-22T21:00:01.000Z');

  test('of two nodes are put in order by their clocks', () => {
    const other = event('7.1', '2026-11-22T21:00:00.500Z', 'backup');
    assert.deepEqual(merged([[early, late], [other]]), [early, other, late]);
    assert.equal(
      eventText(other),
      '2026-11-22T21:00:00.500Z  backup   role      active (partner-silent)',
    );
  });

  test('since takes an id, a moment or a time ago, and nothing else', () => {
    const now = Date.parse('2026-11-22T21:00:02Z');
    const asked = (since: string) => {
      const word = sinceWord(since, now);
      return word.ok ? word.value : word.error;
    };
    assert.equal(asked('1000.9'), '1000.9');
    assert.equal(asked('2026-11-22T21:00:00.500+01:00'), '2026-11-22T21:00:00.500+01:00');
    assert.equal(asked('90s'), '2026-11-22T20:58:32.000Z');
    assert.equal(asked('2026-11-22'), '2026-11-22T00:00:00.000Z');
    for (const wrong of ['yesterday', '5', '10 minutes', '', '2026-99-99']) {
      assert.match(asked(wrong) ?? '', /^--since takes/, wrong);
    }
  });
});

test('the other half of an incident is the one of the other node nearest in time', () => {
  const row = (node: string, at: string) => ({ node, at });
  const chosen = row('primary', '2026-11-22T21:00:10Z');
  const near = row('backup', '2026-11-22T21:00:12Z');
  const far = row('backup', '2026-11-22T21:00:01Z');
  const own = row('primary', '2026-11-22T21:00:11Z');
  assert.equal(counterpart(chosen, [chosen, own, far, near]), near);
  assert.equal(
    counterpart(chosen, [chosen, own, row('backup', '2026-11-22T22:00:00Z')]),
    undefined,
  );
});

test('colour is for terminals that want it', () => {
  const at = (isTerminal: boolean, environment: Record<string, string> = {}) =>
    hasColour({ isTerminal, environment: { TERM: 'xterm', ...environment } });
  assert.equal(at(true), true);
  assert.equal(at(false), false);
  assert.equal(at(true, { NO_COLOR: '1' }), false);
  assert.equal(at(true, { NO_COLOR: '' }), true);
  assert.equal(at(true, { TERM: 'dumb' }), false);
  assert.equal(levelWord('critical', { isTerminal: false, environment: {} }), 'CRITICAL');
});

test('the brief line keeps the form of monitoring plugins', () => {
  const verdict = { level: 'critical', text: 'This director is active | not believed.' } as const;
  const vip = { address: ip('198.51.100.100'), device: 'eth0', state: 'up' } as const;
  assert.equal(
    briefText({ verdict, vips: [vip, { ...vip, state: 'down' }] }),
    'PIRANHA CRITICAL - This director is active / not believed. | vips=2 held=1 believed=0',
  );
  assert.equal(briefText({ verdict: { level: 'unknown', text: 'x.' } }), 'PIRANHA UNKNOWN - x.');
});

test('what looks like a secret is cut, and nothing else', () => {
  const text = [
    'heartbeat_key_file = /etc/sysconfig/ha/heartbeat.key',
    'send = "GET /\\r\\nAuthorization: Basic c2VjcmV0\\r\\n\\r\\n"',
    'send_program = "/bin/probe --password=hunter2 %h"',
    'send_program = "/bin/probe http://bob:hunter2@%h/"',
    '# the api-key is 1234',
    'heartbeats are not authenticated (unauthenticated)',
    'address = 198.51.100.100 eth0:1',
  ].join('\n');
  const cut = withoutSecrets(text);
  assert.doesNotMatch(cut, /hunter2|c2VjcmV0|1234/);
  assert.match(cut, /heartbeat_key_file = \/etc/);
  assert.match(cut, /send = \[cut: \d+ characters\]/);
  assert.match(cut, /unauthenticated/);
  assert.match(cut, /address = 198/);
});

test('an archive is what tar(1) reads', () => {
  const long = 'x'.repeat(700);
  const files = [
    { name: 'a/one.txt', bytes: utf8('one\n') },
    { name: 'two.txt', bytes: utf8(long) },
  ];
  const bytes = gzipSync(tarOf(files, 1_795_370_400));
  const list = spawnSync('tar', ['-tvzf', '-'], { input: bytes, encoding: 'utf8' });
  assert.equal(list.status, 0, list.stderr);
  assert.match(
    list.stdout,
    /^-rw------- 0\/0 +4 .* a\/one\.txt\n-rw------- 0\/0 +700 .* two\.txt\n$/,
  );
  assert.ok(fromUtf8(gunzipSync(bytes)).includes(long));
});

test('the exit code is that of the worst finding', () => {
  const of = (...severities: readonly Finding['severity'][]) =>
    exitOf(severities.map((severity) => ({ check: 'x', severity, text: '' })));
  assert.equal(of('good'), 0);
  assert.equal(of('good', 'unknown'), 3);
  assert.equal(of('unknown', 'warning'), 1);
  assert.equal(of('warning', 'broken', 'good'), 2);
});
