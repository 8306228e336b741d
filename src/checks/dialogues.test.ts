import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { concatBytes, fromHex, fromUtf8, utf8 } from '../base/index.ts';
import type { Expectation, HttpMethod } from '../model/index.ts';
import { type Dialogue, exchangeScript, type Script } from './dialogue.ts';
import { dnsScript, encodeQuery, encodeQuestion, judgeAnswer } from './dns.ts';
import { httpScript } from './http.ts';
import { smtpScript } from './smtp.ts';

function begin(script: Script): Dialogue {
  assert.ok(typeof script === 'function', 'the check cannot be made');
  return script();
}

/** Feeds the pieces, then ends the connection: `up`, or `reason: detail`; what the dialogue says meanwhile in `said`. */
function play(script: Script, pieces: readonly string[], said: string[] = []): string {
  if (typeof script !== 'function')
    return script.isUp ? 'up' : `${script.reason}: ${script.detail}`;
  const dialogue = script();
  for (const piece of pieces) {
    const reply = dialogue.receive(utf8(piece));
    if (reply === undefined) continue;
    if ('say' in reply) said.push(fromUtf8(reply.say));
    const verdict = 'say' in reply ? reply.verdict : reply;
    if (verdict !== undefined) return verdict.isUp ? 'up' : `${verdict.reason}: ${verdict.detail}`;
  }
  const verdict = dialogue.end();
  return verdict.isUp ? 'up' : `${verdict.reason}: ${verdict.detail}`;
}

const prefix = (text: string): Expectation => ({ kind: 'prefix', text });
const regex = (pattern: string): Expectation => ({ kind: 'regex', pattern });

test('H3: expect compares with the beginning of the answer and ignores what follows', () => {
  assert.equal(play(exchangeScript(undefined, prefix('220 ')), ['220 ready\r\n']), 'up');
  const wrong = play(exchangeScript(undefined, prefix('220 ')), ['ok 220 ']);
  assert.equal(wrong, 'wrong-answer: "ok 2" instead of "220 "');
});

test('H3: an answer in several segments is read until there is enough', () => {
  assert.equal(
    play(exchangeScript('x', prefix('HTTP/1.1 200')), ['HT', 'TP/1.1 20', '0 OK']),
    'up',
  );
  const short = play(exchangeScript('x', prefix('HTTP')), ['HTT']);
  assert.equal(short, 'closed: after "HTT", too short for "HTTP"');
});

test('H3: expect `*` is passed by anything, even by the end of the connection', () => {
  assert.equal(play(exchangeScript(undefined, { kind: 'anything' }), []), 'up');
  assert.equal(play(exchangeScript(undefined, { kind: 'anything' }), ['x']), 'up');
});

test('H3: a regular expression is searched in at most 254 bytes', () => {
  const script = exchangeScript(undefined, regex('^HTTP/1\\.[01] (200|204)'));
  assert.equal(play(script, ['HTTP/1.1', ' 204 No Content']), 'up');
  assert.match(play(script, ['HTTP/1.1 500']), /^wrong-answer/);
  const far = exchangeScript(undefined, regex('needle'));
  assert.equal(play(far, [`${'x'.repeat(248)}needle`]), 'up');
  assert.match(play(far, [`${'x'.repeat(249)}needle`]), /^wrong-answer/);
});

test('H3: a bad regular expression makes the check fail with the reason', () => {
  const verdict = play(exchangeScript(undefined, regex('(a')), []);
  assert.equal(verdict, 'bad-check: regular expression: ( without )');
});

test('without expect nothing is awaited', () => {
  const dialogue = begin(exchangeScript('hello', undefined));
  assert.equal(dialogue.isOver, true);
  assert.deepEqual(dialogue.opening, utf8('hello'));
});

type HttpWish = { readonly method?: HttpMethod; readonly body?: string; readonly host?: string };

function http({ method = 'GET', body, host }: HttpWish = {}): Script {
  const wish = { ...(body !== undefined && { body }), ...(host !== undefined && { host }) };
  const statuses = [{ from: 200, to: 399 }];
  const procedure = { kind: 'http', method, path: '/health?a=1', statuses, ...wish } as const;
  return httpScript(procedure, '198.51.100.21:8080');
}

test('http: the request names path and host and asks for a new connection', () => {
  const { opening } = begin(http());
  assert.equal(
    fromUtf8(opening ?? new Uint8Array(0)),
    'GET /health?a=1 HTTP/1.1\r\nHost: 198.51.100.21:8080\r\nUser-Agent: piranha\r\nAccept: */*\r\n' +
      'Connection: close\r\n\r\n',
  );
  assert.match(
    fromUtf8(begin(http({ host: 'shop.example' })).opening ?? new Uint8Array(0)),
    /Host: shop\.example\r\n/,
  );
});

test('http: the status line decides as soon as it is there', () => {
  assert.equal(play(http(), ['HTTP/1.1 200 OK\r\n']), 'up');
  assert.equal(play(http(), ['HTTP/1.0 30', '2\n']), 'up');
  assert.equal(play(http(), ['HTTP/1.1 503 Busy\r\n']), 'wrong-answer: HTTP/1.1 503 Busy');
  assert.equal(play(http(), ['HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 \r\n']), 'up');
});

const BAD_HTTP: readonly (readonly [sent: string, verdict: RegExp])[] = [
  ['', /^closed: after nothing/],
  ['HTTP/1.1 200', /^closed: after "HTTP\/1.1 200"/],
  ['SSH-2.0-OpenSSH', /^wrong-answer: "SSH-2.0-OpenSSH" is no HTTP/],
  ['HTTP/1.1 20 OK\r\n', /^wrong-answer/],
  ['HTTP/1.1 2000 OK\r\n', /^wrong-answer/],
  ['HTTP/1.1  200 OK\r\n', /^wrong-answer/],
  [`HTTP/1.1 ${'x'.repeat(20_000)}`, /^answer-too-long: an endless status line/],
  ['HTTP/1.1 100 \r\n\r\n'.repeat(100), /^wrong-answer: endless interim answers/],
];
for (const [sent, verdict] of BAD_HTTP) {
  test(`http: ${JSON.stringify(sent.slice(0, 24))} is down`, () =>
    assert.match(play(http(), [sent]), verdict));
}

test('http: a body is found by length, in chunks, and up to the end of the connection', () => {
  const script = http({ body: 'db: (ok|warm)$' });
  const head = 'HTTP/1.1 200 OK\r\n';
  assert.equal(play(script, [`${head}Content-Length: 6\r\n\r\ndb: ok`]), 'up');
  assert.equal(play(script, [`${head}content-LENGTH: 6\n\ndb`, ': ok and more']), 'up');
  const chunks = [
    'Transfer-Encoding: gzip, chunked\r\n\r\n4;a=b\r\ndb: ',
    '\r\n2\r\nok\r\n0\r\n\r\n',
  ];
  assert.equal(play(script, [head, ...chunks]), 'up');
  assert.equal(play(script, [`${head}\r\ndb: warm`]), 'up');
  assert.match(
    play(script, [`${head}Content-Length: 8\r\n\r\ndb: down`]),
    /is not in the body "db: down"/,
  );
  assert.equal(
    play(script, [`${head}Content-Length: 9\r\n\r\ndb: ok`]),
    'closed: before the body was complete',
  );
});

test('http: of a long body the first 64 KiB are matched, and malformed chunks are down', () => {
  const head = 'HTTP/1.1 200 OK\r\n';
  const long = 'x'.repeat(65_530);
  assert.equal(play(http({ body: 'needle' }), [`${head}\r\n${long}needle`]), 'up');
  assert.match(play(http({ body: 'needle' }), [`${head}\r\n${long}xneedle`]), /^wrong-answer/);
  const chunked = `${head}Transfer-Encoding: chunked\r\n\r\n`;
  assert.equal(play(http({ body: 'x' }), [`${chunked}zz\r\n`]), 'wrong-answer: malformed chunks');
  assert.equal(
    play(http({ body: 'x' }), [`${chunked}${'0'.repeat(300)}`]),
    'wrong-answer: malformed chunks',
  );
  const endless = `${head}${'a: b\r\n'.repeat(4000)}`;
  assert.match(play(http({ body: 'x' }), [endless]), /^answer-too-long: more than 16384 bytes/);
});

test('http: what cannot be a request is a bad check', () => {
  const statuses = [{ from: 200, to: 200 }];
  const base = { kind: 'http', method: 'GET', statuses } as const;
  for (const path of ['', '/a b', '/\r\nX: y', '/é']) {
    assert.match(play(httpScript({ ...base, path }, 'a'), []), /^bad-check/);
  }
  assert.match(play(http({ body: '[' }), []), /^bad-check: http_body/);
  assert.match(play(http({ method: 'HEAD', body: 'x' }), []), /^bad-check: HEAD/);
});

test('http: any cut into pieces gives the same verdict', () => {
  const answer =
    'HTTP/1.1 103 Hints\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n';
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: answer.length })), (cuts) => {
      const places = [0, ...cuts.sort((a, b) => a - b), answer.length];
      const pieces = places.slice(1).map((end, index) => answer.slice(places[index], end));
      assert.equal(play(http({ body: '^abcde$' }), pieces), 'up');
    }),
  );
});

test('smtp: banner, EHLO, 250, QUIT', () => {
  const said: string[] = [];
  const script = smtpScript('director.example');
  const answers = ['220-mail\r\n22', '0 ready\r\n', '250-PIPELINING\r\n250 SIZE\r\n'];
  assert.equal(play(script, answers, said), 'up');
  assert.deepEqual(said, ['EHLO director.example\r\n', 'QUIT\r\n']);
});

test('smtp: refusals, early ends and endless answers are down', () => {
  const script = smtpScript('a');
  assert.equal(play(script, ['554 no\r\n']), 'wrong-answer: "554 no" instead of 220');
  assert.equal(
    play(script, ['220 hi\r\n', '502 what\r\n']),
    'wrong-answer: "502 what" instead of 250',
  );
  assert.equal(play(script, ['220 hi\r\n']), 'closed: before an answer 250 to EHLO');
  assert.equal(play(script, ['220 hi']), 'closed: before the banner 220');
  assert.equal(play(script, ['2'.repeat(1025)]), 'answer-too-long: an endless line');
  assert.match(play(script, ['220-more\r\n'.repeat(900)]), /^answer-too-long/);
  assert.match(play(smtpScript('two words'), []), /^bad-check/);
});

test('smtp: what the server says before our EHLO does not answer it', () => {
  assert.equal(
    play(smtpScript('a'), ['220 hi\r\n250 ok\r\n']),
    'closed: before an answer 250 to EHLO',
  );
});

/** www.example. A, number 0x1234, as resolvers ask it. */
const QUERY = fromHex('1234 0100 0001 0000 0000 0000 03777777 076578616d706c65 00 0001 0001');

test('dns: the question is encoded as RFC 1035 has it', () => {
  const question = encodeQuestion('www.example', 'A');
  assert.ok(question.ok);
  assert.deepEqual(encodeQuery(0x1234, question.value), QUERY);
  const root = encodeQuestion('.', 'SOA');
  assert.ok(root.ok);
  assert.deepEqual(root.value, fromHex('00 0006 0001'));
  for (const name of ['a..b', 'x'.repeat(64), `${'abcdefg.'.repeat(32)}x`]) {
    assert.equal(encodeQuestion(name, 'A').ok, false, name);
  }
});

/** Header fields and question of an answer. */
function answer(head: string, question = QUERY.subarray(12)): Uint8Array {
  return concatBytes(fromHex(head), question);
}

test('dns: NOERROR to our question is up, refusals are down by name', () => {
  const judge = (bytes: Uint8Array) => judgeAnswer(bytes, QUERY);
  assert.deepEqual(judge(answer('1234 8180 0001 0000 0000 0000')), { isUp: true });
  const upper = fromHex('03575757 074558414d504c45 00 0001 0001');
  assert.deepEqual(judge(answer('1234 8380 0001 0000 0000 0000', upper)), { isUp: true });
  const refused = judge(answer('1234 8185 0001 0000 0000 0000'));
  assert.deepEqual(refused, { isUp: false, reason: 'wrong-answer', detail: 'REFUSED' });
  const bare = judge(answer('1234 8001 0000 0000 0000 0000', new Uint8Array(0)));
  assert.deepEqual(bare, { isUp: false, reason: 'wrong-answer', detail: 'FORMERR' });
});

const FORGED: readonly (readonly [why: string, bytes: Uint8Array])[] = [
  ['another number', answer('1235 8185 0001 0000 0000 0000')],
  ['a question, not an answer', answer('1234 0105 0001 0000 0000 0000')],
  ['another opcode', answer('1234 a985 0001 0000 0000 0000')],
  [
    'another question',
    answer('1234 8185 0001 0000 0000 0000', fromHex('03787777 076578616d706c65 00 0001 0001')),
  ],
  [
    'a good answer without the question',
    answer('1234 8180 0000 0000 0000 0000', new Uint8Array(0)),
  ],
  ['two questions', answer('1234 8180 0002 0000 0000 0000')],
  ['cut in the question', answer('1234 8185 0001 0000 0000 0000').subarray(0, 20)],
  ['cut in the header', fromHex('1234 8185')],
  ['nothing', new Uint8Array(0)],
];
for (const [why, bytes] of FORGED) {
  test(`dns: ${why} is ignored`, () => assert.equal(judgeAnswer(bytes, QUERY), undefined));
}

test('dns: each question has a number of its own, and a bad name is a bad check', () => {
  let number = 7;
  const script = dnsScript('.', 'NS', () => number++);
  assert.deepEqual(begin(script).opening?.subarray(0, 2), fromHex('0007'));
  assert.deepEqual(begin(script).opening?.subarray(0, 2), fromHex('0008'));
  assert.match(
    play(
      dnsScript('a..b', 'A', () => 0),
      [],
    ),
    /^bad-check: dns_name/,
  );
});
