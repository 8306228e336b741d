import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ip } from '../base/index.ts';
import { parseSettings } from '../config/index.ts';
import {
  type Check,
  type CheckSettings,
  checkText,
  DEFAULT_CHECK_SETTINGS,
} from '../model/index.ts';
import { checkFor, programWords, unescapeText } from './health-check.ts';

/** The check of the one server (198.51.100.21:8080) of a service on port 80 with these lines. */
function check(lines: string, settings?: Partial<CheckSettings>): Check {
  const text = `primary = 198.51.100.11
virtual web {
  active = 1
  address = 198.51.100.100 eth0:1
  ${lines}
  server a {
    address = 198.51.100.21
    port = 8080
    active = 1
  }
}
`;
  const { settings: all, problems } = parseSettings(text, { file: 'lvs.cf' });
  const service = all?.virtualServices[0];
  const server = service?.realServers[0];
  assert.ok(service !== undefined && server !== undefined, JSON.stringify(problems));
  if (settings === undefined) return checkFor(service, server);
  return checkFor(service, server, { ...DEFAULT_CHECK_SETTINGS, ...settings });
}

test('H2: timeout is interval and limit, floor(reentry / timeout) successes bring back, one failure removes', () => {
  const { intervalMs, timeoutMs, rise, fall } = check('timeout = 6\nreentry = 15');
  assert.deepEqual([intervalMs, timeoutMs, rise, fall], [6000, 6000, 2, 1]);
  assert.equal(check('timeout = 20\nreentry = 15').rise, 1);
  const bare = check('');
  assert.deepEqual([bare.intervalMs, bare.rise], [10_000, 18]);
});

test('H3: with nothing said, TCP port 80 is asked for / and must answer HTTP', () => {
  assert.deepEqual(check('').procedure, {
    kind: 'tcp',
    send: 'GET / HTTP/1.0\r\n\r\n',
    expect: { kind: 'prefix', text: 'HTTP' },
  });
  // The port that counts is the virtual one.
  assert.deepEqual(check('port = 8080').procedure, { kind: 'tcp' });
  assert.deepEqual(check('protocol = udp').procedure, { kind: 'udp' });
});

test('H3: send alone asks for no answer, expect `*` takes any, use_regex makes a pattern', () => {
  assert.deepEqual(check('send = "hi\\r\\n"').procedure, { kind: 'tcp', send: 'hi\r\n' });
  const any = check('expect = "*"').procedure;
  assert.deepEqual(any, { kind: 'tcp', expect: { kind: 'anything' } });
  const regex = check('expect = "^HTTP/1\\.[01] 2"\nuse_regex = 1').procedure;
  const expect = { kind: 'regex', pattern: '^HTTP/1\\.[01] 2' };
  assert.deepEqual(regex, { kind: 'tcp', expect });
});

test('H3: the escapes are \\\\ \\r \\n \\t \\\' \\"; others and a lone character are left alone', () => {
  assert.equal(unescapeText('a\\r\\n\\t\\\\b\\\'\\"'), 'a\r\n\t\\b\'"');
  assert.equal(unescapeText('\\x\\0\\.'), '\\x\\0\\.');
  assert.equal(unescapeText('\\\\n'), '\\n');
  assert.equal(unescapeText('\\'), '\\');
});

test('H4: %h and %p are replaced as whole words only, and words end at spaces', () => {
  const words = programWords('/bin/probe  -h %h -p %p --at=%h %%h "a b"', {
    address: ip('198.51.100.21'),
    port: 8080,
  });
  const quoted = ['"a', 'b"'];
  const expected = ['/bin/probe', '-h', '198.51.100.21', '-p', '8080', '--at=%h', '%%h', ...quoted];
  assert.deepEqual(words, expected);
});

test('H4: send_program outranks send, and its output is compared as it stands', () => {
  const { procedure } = check('send = "x"\nsend_program = "/bin/probe %h"\nexpect = "O\\nK"');
  const argv = ['/bin/probe', '198.51.100.21'];
  assert.deepEqual(procedure, { kind: 'program', argv, output: 'O\\nK' });
});

test('today: check = https has Host, SNI from it, and its own address and port', () => {
  const made = check('', {
    kind: 'https',
    httpHost: 'shop.example:8443',
    httpPath: '/health',
    tlsIsVerified: true,
    address: ip('198.51.100.77'),
    port: 8443,
    intervalMs: 500,
    rise: 3,
    fall: 2,
  });
  assert.deepEqual(made.procedure, {
    kind: 'http',
    method: 'GET',
    path: '/health',
    host: 'shop.example:8443',
    statuses: [{ from: 200, to: 399 }],
    tls: { name: 'shop.example', isVerified: true, minDays: 0 },
  });
  const { intervalMs, timeoutMs, rise, fall } = made;
  assert.deepEqual([intervalMs, timeoutMs, rise, fall], [500, 500, 3, 2]);
  assert.equal(checkText(made), 'https 198.51.100.77:8443');
});

test('today: an address as Host is no name for SNI', () => {
  const { procedure } = check('', { kind: 'https', httpHost: '198.51.100.21' });
  assert.deepEqual(procedure.kind === 'http' && procedure.tls, { isVerified: false, minDays: 0 });
});

test('today: check = program needs no output, its status is enough', () => {
  const { procedure } = check('send_program = "/bin/probe %p"', { kind: 'program' });
  assert.deepEqual(procedure, { kind: 'program', argv: ['/bin/probe', '8080'] });
});

test('equal words give equal keys, and any difference another', () => {
  assert.equal(check('timeout = 6').key, check('timeout = 6').key);
  assert.notEqual(check('timeout = 6').key, check('timeout = 7').key);
  assert.notEqual(check('').key, check('', { port: 81 }).key);
});
