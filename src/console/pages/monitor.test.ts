import assert from 'node:assert/strict';
import test from 'node:test';
import { ip } from '../../base/index.ts';
import { sampleDocuments } from '../../director/index.ts';
import type { StatusDocument } from './documents.ts';
import { nodeCards, type Pair, pairVerdict, pastVerdict, pathRows, vipRows } from './monitor.ts';

const { statusOf, VIP } = await sampleDocuments();
const GATEWAY = ip('198.51.100.1');

function status(changes: Partial<StatusDocument> = {}): StatusDocument {
  const belief = { owner: 'us', witness: GATEWAY, tookMs: 41 } as const;
  return statusOf({ vips: [{ address: VIP, device: 'eth0', state: 'up', belief }], ...changes });
}

const standby = status({
  node: 'backup',
  role: 'standby',
  reason: 'start',
  verdict: { level: 'healthy', text: 'This director is standby; the partner is active.' },
  vips: [{ address: VIP, device: 'eth0', state: 'down' }],
});

function silent(changes: Partial<StatusDocument> = {}): StatusDocument {
  const { partner } = status();
  const paths = partner.paths.map((path) => ({ ...path, heardMsAgo: 17_000 }));
  return status({
    verdict: { level: 'degraded', text: 'This director is active; the partner is silent.' },
    partner: { state: 'silent', said: 'nothing', paths },
    ...changes,
  });
}

test('a healthy pair is told in one sentence: owner, belief, successor', () => {
  const { tone, title } = pairVerdict({ here: status(), there: standby });
  assert.equal(tone, 'good');
  assert.equal(
    title,
    'Healthy. primary serves 1 VIP and the router believes it; backup can take over within 6 s.',
  );
});

test('the sentence is the same on the console of the standby', () => {
  const own = pairVerdict({ here: status(), there: standby });
  assert.deepEqual(pairVerdict({ here: standby, there: status() }), own);
});

test('a silent partner is unknown on its card and never called down', () => {
  const pair: Pair = {
    here: silent(),
    why: 'The partner does not answer; what it does is unknown.',
  };
  const [, backup] = nodeCards(pair);
  assert.equal(backup?.headline, 'UNKNOWN');
  const words = JSON.stringify([nodeCards(pair), pairVerdict(pair), pathRows(pair)]);
  assert.doesNotMatch(words, /\bdown\b/i);
  assert.equal(pairVerdict(pair).tone, 'warn');
  assert.match(pairVerdict(pair).title, /nobody is known to be able to take over/);
});

test('a heard partner whose console cannot be asked is told from its heartbeats', () => {
  const [, backup] = nodeCards({ here: status(), why: 'There is no channel.' });
  assert.equal(backup?.headline, 'STANDBY');
  assert.equal(backup?.remark, 'by its own heartbeats');
});

test('two owners are bad news whoever tells them', () => {
  const both = pairVerdict({ here: status(), there: status({ node: 'backup' }) });
  assert.equal(both.tone, 'bad');
  assert.match(both.title, /Both directors/);
});

test('a critical word of the other node comes first, with its name', () => {
  const text = 'This director is standby, but the kernel refused 198.51.100.100.';
  const there = { ...standby, verdict: { level: 'critical', text } as const };
  const { title, tone } = pairVerdict({ here: status(), there });
  assert.equal(tone, 'bad');
  assert.equal(title, 'backup is standby, but the kernel refused 198.51.100.100.');
});

test('what was true once is told as past, without colour', () => {
  const past = pastVerdict(pairVerdict({ here: status(), there: standby }), '03:12:41');
  assert.equal(past.tone, 'dim');
  assert.match(past.title, /^Not known now\. At 03:12:41: Healthy\./);
});

test('a VIP that no witness has proved keeps the verdict from being good', () => {
  const vips = [
    { address: VIP, device: 'eth0', state: 'up', belief: { owner: 'unknown' } } as const,
  ];
  assert.equal(pairVerdict({ here: status({ vips }), there: standby }).tone, 'warn');
});

test('each direction of a path is told by who hears it, and is unknown when nobody tells', () => {
  const [known] = pathRows({ here: status(), there: standby });
  assert.deepEqual([known?.out.tone, known?.back.tone], ['good', 'good']);
  const [alone] = pathRows({ here: silent() });
  assert.deepEqual([alone?.out.tone, alone?.back.tone], ['dim', 'bad']);
  assert.equal(alone?.back.text, 'silent 17 s');
});

test('of many VIPs the disputed ones come first and the rest is counted', () => {
  const vips = Array.from({ length: 20 }, (_, index) => ({
    address: ip(`10.0.0.${index + 1}`),
    device: 'eth0',
    state: 'up' as const,
    belief: { owner: index === 19 ? ('stranger' as const) : ('us' as const) },
  }));
  const { rows, more } = vipRows({ here: status({ vips }) }, 8);
  assert.equal(rows.length, 8);
  assert.equal(more, 12);
  assert.equal(rows[0]?.belief, 'claimed by a stranger');
});
