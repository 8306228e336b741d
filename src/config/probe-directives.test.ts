import assert from 'node:assert/strict';
import test from 'node:test';
import { DEFAULT_CHECK_SETTINGS, DEFAULT_QUORUM, type VirtualService } from '../model/index.ts';
import { parseSettings, type Verdict } from './parse.ts';

function parse(lines: string): Verdict {
  const service = `virtual web {\nactive = 1\naddress = 10.9.9.9 eth0\n${lines}\n}\n`;
  return parseSettings(`primary = 10.0.0.1\n${service}`, { file: 'lvs.cf' });
}

function service(lines: string): VirtualService {
  const { settings, problems } = parse(lines);
  const [only] = settings?.virtualServices ?? [];
  assert.ok(only !== undefined, JSON.stringify(problems));
  return only;
}

test('without check directives nanny’s rules and a quorum of one hold', () => {
  const { check, quorum } = service('');
  assert.deepEqual(check, DEFAULT_CHECK_SETTINGS);
  assert.deepEqual(quorum, DEFAULT_QUORUM);
});

test('every check directive reaches the settings', () => {
  const { check, quorum } = service(`check = https
    check_interval_ms = 500
    check_timeout_ms = 250
    rise = 3
    fall = 2
    check_address = 10.0.0.77
    check_port = 8443
    http_method = HEAD
    http_path = /health?deep=1
    http_host = shop.example:8443
    http_status = "200, 301-302"
    tls_name = shop.example
    tls_verify = 1
    tls_min_days = 14
    quorum = 10
    hysteresis = 2
    quorum_up_cmd = "/bin/up now"
    quorum_down_cmd = /bin/down`);
  assert.deepEqual(check, {
    ...DEFAULT_CHECK_SETTINGS,
    kind: 'https',
    intervalMs: 500,
    timeoutMs: 250,
    rise: 3,
    fall: 2,
    address: '10.0.0.77',
    port: 8443,
    httpMethod: 'HEAD',
    httpPath: '/health?deep=1',
    httpHost: 'shop.example:8443',
    httpStatuses: [
      { from: 200, to: 200 },
      { from: 301, to: 302 },
    ],
    tlsName: 'shop.example',
    tlsIsVerified: true,
    tlsMinDays: 14,
  });
  const commands = { upCommand: '/bin/up now', downCommand: '/bin/down' };
  assert.deepEqual(quorum, { weight: 10, hysteresis: 2, ...commands });
});

test('check = dns, smtp and http with a body take their own directives', () => {
  const dns = service('check = dns\ndns_name = www.example.\ndns_type = AAAA').check;
  assert.deepEqual([dns?.kind, dns?.dnsName, dns?.dnsType], ['dns', 'www.example.', 'AAAA']);
  assert.equal(service('check = smtp\nsmtp_helo = lb.example').check?.smtpHelo, 'lb.example');
  assert.equal(service('check = http\nhttp_body = "^(ok|warm)$"').check?.httpBody, '^(ok|warm)$');
});

const REFUSED: readonly (readonly [lines: string, sentence: RegExp])[] = [
  ['check = htpp', /did|wants nanny, tcp/],
  ['check_interval_ms = 5', /10 to 86400000/],
  ['rise = 0', /1 to 1000/],
  ['check = http\nhttp_path = health', /path without blanks that begins with \//],
  ['check = http\nhttp_path = "/a b"', /path without blanks/],
  ['check = http\nhttp_host = "a b"', /host name or address/],
  ['check = http\nhttp_status = 99', /numbers or ranges from 100 to 599/],
  ['check = http\nhttp_status = 300-200', /numbers or ranges/],
  ['check = http\nhttp_status = ""', /numbers or ranges/],
  ['check = http\nhttp_body = "("', /no regular expression: \( without \)/],
  ['check = http\nhttp_method = HEAD\nhttp_body = ok', /HEAD has no body/],
  ['check = dns\ndns_name = a..b', /domain name/],
  ['check = smtp\nsmtp_helo = "a b"', /host name/],
  ['check = program', /no `send_program` to run/],
  ['check_address = 0.0.0.0', /0\.0\.0\.0/],
  ['quorum = 0', /1 to 2147483647/],
];
for (const [lines, sentence] of REFUSED) {
  test(`refused: ${lines.split('\n').at(-1)}`, () => {
    const { settings, problems } = parse(lines);
    assert.equal(settings, undefined);
    const errors = problems.filter(({ severity }) => severity === 'error');
    assert.equal(errors.length, 1, JSON.stringify(problems));
    assert.match(errors[0]?.message ?? '', sentence);
  });
}

const WARNED: readonly (readonly [lines: string, sentence: RegExp])[] = [
  ['http_path = /x', /^`http_path` has no effect without `check`$/],
  ['check = tcp\ntls_verify = 1', /^`tls_verify` has no effect with `check = tcp`$/],
  ['check = http\nexpect = HTTP', /^`expect` has no effect with `check = http`$/],
  ['expect = "("\nuse_regex = 1', /^`expect` is no regular expression, so the servers stay down/],
  ['check = udp', /^UDP without `expect`: any answer will do/],
];
for (const [lines, sentence] of WARNED) {
  test(`warned about: ${lines.replace('\n', ', ')}`, () => {
    const { settings, problems } = parse(lines);
    assert.ok(settings !== undefined);
    assert.deepEqual(
      problems.map(({ severity }) => severity),
      ['warning'],
    );
    assert.match(problems[0]?.message ?? '', sentence);
  });
}

test('a kind of check that is misspelt is the only thing told', () => {
  const { problems } = parse('check = htttp\nhttp_path = /x');
  assert.deepEqual(
    problems.map(({ code }) => code),
    ['not-a-choice'],
  );
  assert.equal(problems[0]?.suggestion, 'http');
});

test('a program whose status is enough needs no expect', () => {
  assert.deepEqual(parse('check = program\nsend_program = /bin/probe').problems, []);
});

test('check_vip is for direct routing, TCP and one port, and the sentence says which is missing', () => {
  const problemsOf = (network: string, lines: string) =>
    parseSettings(
      `primary = 198.51.100.11\nnetwork = ${network}\nvirtual web {\nactive = 1\naddress = 198.51.100.100 eth0\n${lines}\ncheck_vip = 1\nserver a {\naddress = 198.51.100.21\nactive = 1\n}\n}\n`,
      { file: 'lvs.cf' },
    ).problems.map(({ severity, message, line }) => `${severity} ${line}: ${message}`);
  assert.deepEqual(problemsOf('direct', 'check = http'), []);
  assert.deepEqual(problemsOf('nat', 'check = tcp'), [
    'error 7: `check_vip` needs `network = direct`: with nat a server never sees the VIP on its network',
  ]);
  assert.deepEqual(problemsOf('direct', 'protocol = udp\nsend = x\nexpect = y\ncheck = udp'), [
    'error 10: `check_vip` sends a SYN, which only `protocol = tcp` answers',
  ]);
  assert.deepEqual(problemsOf('direct', 'port = 0\npersistent = 60\ncheck_port = 80'), [
    'error 9: `check_vip` needs the port of the service, and `port = 0` is every port',
  ]);
});
