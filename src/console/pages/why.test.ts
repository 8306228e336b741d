import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { ip } from '../../base/index.ts';
import { sampleDocuments } from '../../director/index.ts';
import { PROBE_FAILURES, REASONS } from '../../model/index.ts';
import { reasonsOf } from '../reasons.ts';
import type { ServerRow, ServicesDocument, StatusDocument } from './documents.ts';
import type { Pair } from './monitor.ts';
import { isTrouble, whyOfPair, whyOfServices } from './why.ts';

const { serverOf, statusOf, VIP } = await sampleDocuments();
const document = join(import.meta.dirname, '..', '..', '..', 'docs', 'reasons.md');
const reasons = reasonsOf(readFileSync(document, 'utf8'));

const standby = statusOf({ node: 'backup', role: 'standby', reason: 'start' });

function partnerOf(status: StatusDocument, words: object): StatusDocument {
  const { pair } = status;
  assert.ok(pair);
  return { ...status, pair: { ...pair, partner: { ...pair.partner, ...words } } };
}

function troubles(pair: Pair) {
  return whyOfPair(pair, reasons).filter(isTrouble);
}

test('every reason of a role, of a failed check, and every word told has its sentence in the document', () => {
  for (const word of REASONS) assert.ok(reasons.role[word]?.what, word);
  for (const word of PROBE_FAILURES) {
    assert.ok(reasons.server[word]?.what, word);
    assert.ok(reasons.server[word]?.look, `${word} says what to look at`);
  }
  for (const word of ['unbelieved', 'foreign-claim', 'partner-silent']) {
    assert.ok(reasons.told[word]?.what, word);
  }
});

describe('why does the other node not take over', () => {
  test('nothing keeps a healthy one from it, and the answer says how to make it', () => {
    const [answer, ...more] = whyOfPair({ here: statusOf(), there: standby }, reasons);
    assert.equal(answer?.question, 'Why does backup not take over?');
    assert.equal(answer?.tone, 'good');
    assert.match(answer?.next ?? '', /“Take over”/);
    assert.deepEqual(more, []);
  });

  test('one that may not is explained by the document, on either console', () => {
    const active = partnerOf(statusOf(), { isEligible: false, reason: 'link-failure' });
    const faulty: StatusDocument = { ...standby, role: 'fault', reason: 'link-failure' };
    const expected = {
      question: 'Why does backup not take over?',
      tone: 'warn',
      answer: reasons.role['link-failure']?.what,
      next: 'cable, switch port',
      reason: 'link-failure',
    };
    assert.deepEqual(troubles({ here: active, there: faulty }), [expected]);
    assert.deepEqual(troubles({ here: faulty, there: active }), [expected]);
    assert.deepEqual(troubles({ here: active }), [expected]);
  });

  test('a silent one is unknown; that its director answers all the same points to the way between', () => {
    const { partner } = statusOf();
    const paths = partner.paths.map((path) => ({ ...path, heardMsAgo: 17_000 }));
    const here = statusOf({ partner: { state: 'silent', said: 'stopped', paths } });
    const [alone] = troubles({ here });
    assert.match(
      alone?.answer ?? '',
      /^It is silent for 17 s: nobody knows whether it could\. No valid/,
    );
    assert.doesNotMatch(alone?.answer ?? '', /\bdown\b/);
    const [asked] = troubles({ here, there: standby });
    assert.match(asked?.answer ?? '', /heartbeats get lost on the way/);
    const cut = paths.map((path) => ({ ...path, link: 'down' as const }));
    const linkless = statusOf({ partner: { state: 'silent', said: 'stopped', paths: cut } });
    assert.equal(troubles({ here: linkless })[0]?.reason, 'link-failure');
  });

  test('where nobody owns, each node answers for itself', () => {
    const waiting = statusOf({
      role: 'standby',
      reason: 'start',
      verdict: { level: 'degraded', text: 'This director is standby and so is the partner.' },
    });
    const faulty: StatusDocument = { ...standby, role: 'fault', reason: 'isolated' };
    const answers = troubles({ here: waiting, there: faulty });
    assert.deepEqual(
      answers.map(({ question, reason }) => [question, reason]),
      [
        ['Why does backup not take over?', 'isolated'],
        ['Why does primary not take over?', 'start'],
      ],
    );
    assert.match(answers[1]?.answer ?? '', /^primary is standby/);
  });

  test('a director that cannot be asked is a question of its own, with the reason it was given', () => {
    const why = 'The partner cannot be asked: there is no channel to it.';
    const [answer] = troubles({ here: statusOf(), why });
    assert.equal(answer?.answer, why);
  });
});

describe('why does the router not believe it', () => {
  const other = ip('198.51.100.101');
  const vip = (address: typeof VIP, owner: 'us' | 'unknown' | 'stranger') =>
    ({ address, device: 'eth0', state: 'up', belief: { owner } }) as const;

  test('a claim of a stranger comes before a witness that is silent', () => {
    const here = statusOf({ vips: [vip(VIP, 'unknown'), vip(other, 'stranger')] });
    const answers = troubles({ here, there: standby });
    assert.deepEqual(
      answers.map(({ reason, tone }) => [reason, tone]),
      [
        ['foreign-claim', 'bad'],
        ['unbelieved', 'warn'],
      ],
    );
    assert.match(answers[0]?.answer ?? '', /^A stranger claims 198\.51\.100\.101\. Somebody else/);
    assert.match(answers[1]?.next ?? '', /does the gateway answer a ping/);
  });

  test('where nobody is asked that is no trouble, and the directive is named', () => {
    const here = statusOf({ vips: [{ address: VIP, device: 'eth0', state: 'up' }] });
    const witness = { verify: 'off', isHearing: false, isAsked: false } as const;
    assert.ok(here.pair);
    const pair = { here: { ...here, pair: { ...here.pair, witness } }, there: standby };
    assert.deepEqual(troubles(pair), []);
    const answer = whyOfPair(pair, reasons).find(({ question }) => question.includes('believe'));
    assert.match(answer?.next ?? '', /^verify = gateway/);
  });
});

describe('why is a server not up', () => {
  function services(servers: readonly ServerRow[], stands = true): ServicesDocument {
    const kind = { scheduler: 'wlc', persistentSeconds: 0, quorum: 'reached', stands } as const;
    const service = { name: 'web', key: 'tcp 198.51.100.100:80', ...kind, servers };
    return { v: 1, dataPlane: { kind: 'ipvs', why: '' }, services: [service], overrides: [] };
  }

  test('the answer is the document’s, with what the check said and what to look at', () => {
    const detail = 'tcp 198.51.100.22:80: connection refused';
    const sick = serverOf('b', { state: 'inactive', reason: 'connect-refused', detail });
    const { answers } = whyOfServices(services([serverOf('a'), sick]), reasons, 9);
    assert.equal(answers.length, 1);
    assert.equal(answers[0]?.question, 'Why is web/b not up?');
    assert.equal(
      answers[0]?.answer,
      `Nobody listens at its address and port. The last check said: “${detail}”.`,
    );
    assert.match(answers[0]?.next ?? '', /check_port/);
  });

  test('who was drained is no trouble, and how long it lasts is told', () => {
    const override = { target: 'web/a', kind: 'drain', leftMs: 22 * 60_000 } as const;
    const drained = serverOf('a', { state: 'quiesced', reason: 'drained', weight: 0, override });
    const { answers } = whyOfServices(services([drained]), reasons, 9);
    assert.match(answers[0]?.answer ?? '', /For 22 min\.$/);
    assert.deepEqual(answers.filter(isTrouble), []);
  });

  test('of many the first are answered and the rest is counted; a service that does not stand comes first', () => {
    const servers = Array.from({ length: 300 }, (_, index) =>
      serverOf(`s${index}`, { state: 'inactive', reason: 'timeout' }),
    );
    const { answers, more } = whyOfServices(services(servers, false), reasons, 6);
    assert.equal(answers.length, 6);
    assert.equal(more, 295);
    assert.equal(answers[0]?.question, 'Why is web not in the kernel?');
  });
});
