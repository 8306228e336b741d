import assert from 'node:assert/strict';
import test from 'node:test';
import { MAX_FILE_LENGTH, parseSettings } from './parse.ts';
import { MAX_PROBLEMS, type Problem } from './problem.ts';

const file = 'lvs.cf';
const HEAD = 'primary = 10.0.0.1\nbackup = 10.0.0.2\n';

function problemsOf(text: string): readonly Problem[] {
  return parseSettings(text, { file }).problems;
}

/** `error 3:5 code` of every problem but those about the absence of services. */
function told(text: string): readonly string[] {
  return problemsOf(text)
    .filter(({ code }) => code !== 'no-service')
    .map(({ severity, line, column, code }) => `${severity} ${line}:${column} ${code}`);
}

function only(text: string): Problem {
  const found = problemsOf(text).filter(({ code }) => code !== 'no-service');
  assert.equal(found.length, 1, JSON.stringify(found));
  const [problem] = found;
  assert.ok(problem !== undefined);
  return problem;
}

const inGlobal = (line: string) => `${HEAD}${line}\n`;
const inVirtual = (line: string) => `${HEAD}virtual web {\naddress = 10.9.9.9 eth0:1\n${line}\n}\n`;
const inServer = (line: string) => inVirtual(`server a {\naddress = 10.0.0.9\n${line}\n}`);

test('nothing in a file steers the terminal that shows what is wrong with it', () => {
  const { message, found } = only(inGlobal('a\u009b31m\u202e\u2028\x1b[0m = 5'));
  assert.equal(message, 'unknown directive `a\\x9b31m\\u202e\\u2028\\x1b[0m`');
  assert.equal(found, 'a\\x9b31m\\u202e\\u2028\\x1b[0m');
});

test('a mistyped directive is told with its place and the nearest known one', () => {
  assert.deepEqual(only(inGlobal('  keepalve = 5')), {
    severity: 'error',
    code: 'unknown-directive',
    file,
    line: 3,
    column: 3,
    length: 8,
    found: 'keepalve',
    message: 'unknown directive `keepalve`; did you mean `keepalive`?',
    suggestion: 'keepalive',
  });
  assert.equal(only(inVirtual('quiesce = 1')).suggestion, 'quiesce_server');
  assert.equal(only(inVirtual('schedular = rr')).suggestion, 'scheduler');
  assert.equal(only(inGlobal('xyzzy = 5')).suggestion, undefined);
});

test('a directive in the wrong section is told where it belongs', () => {
  assert.match(only(inVirtual('keepalive = 5')).message, /belongs outside of every section/);
  assert.match(only(inGlobal('scheduler = rr')).message, /belongs into a `virtual` section/);
  assert.match(only(inServer('scheduler = rr')).message, /belongs into a `virtual` section/);
  assert.match(only(inVirtual('weight = 2')).message, /belongs into a `server` section/);
});

test('every problem of a file is told at once, in the order of its lines', () => {
  const text = 'primary = nobody\nkeepalve = 1\nvirtual web {\nport = 99999\nactive = yes\n';
  assert.deepEqual(told(text), [
    'error 1:11 unknown-host',
    'error 2:1 unknown-directive',
    'warning 3:9 unclosed-section',
    'warning 3:9 missing-directive',
    'error 4:8 out-of-range',
    'error 5:10 not-a-boolean',
  ]);
});

test('how a line is written: each fault has its own sentence', () => {
  const rows: readonly (readonly [text: string, ...expected: string[]])[] = [
    [inGlobal('active_cmd = "a b'), 'error 3:14 unclosed-quote'],
    [inGlobal('active_cmd = "a"b'), 'error 3:16 text-after-quote'],
    [inGlobal('keepalive 5'), 'error 3:1 missing-equals'],
    [inGlobal('keepalive ='), 'error 3:1 missing-value'],
    [inGlobal('keepalive = 1 2'), 'error 3:15 extra-value'],
    [inGlobal('active_cmd = /bin/a b'), 'error 3:21 extra-value'],
    [inGlobal('nat_router = 10.0.0.3'), 'error 3:1 missing-value'],
    [inGlobal('virtual web'), 'error 3:1 section-syntax'],
    [inGlobal('virtal web {\nfoo = 1\nserver a {\n}\n}'), 'error 3:1 section-syntax'],
    [inGlobal('server a {\nweight = 1\n}'), 'error 3:1 misplaced-section'],
    [inVirtual('virtual b {\n}'), 'error 5:1 misplaced-section'],
    [inServer('server b {\n}'), 'error 7:1 misplaced-section'],
    [inGlobal('}'), 'error 3:1 unexpected-close'],
    [inVirtual('} junk'), 'warning 5:3 ignored-text', 'error 6:1 unexpected-close'],
    [inGlobal('active_cmd = "a\0b"'), 'error 3:14 stray-control-character'],
    [inGlobal('keepalive = 2\nkeepalive = 3'), 'warning 4:1 repeated-directive'],
    ['', 'error 0:0 missing-directive', 'error 0:0 empty'],
  ];
  for (const [text, ...expected] of rows) {
    assert.deepEqual([...told(text)].sort(), expected.toSorted(), JSON.stringify(text));
  }
});

test('what a value is: each type has its own sentence', () => {
  const rows: readonly (readonly [text: string, expected: string])[] = [
    [inGlobal('keepalive = x'), 'error 3:13 not-an-integer'],
    [inGlobal('keepalive = 09'), 'error 3:13 not-an-integer'],
    [inGlobal('keepalive = 1.5'), 'error 3:13 not-an-integer'],
    [inGlobal('keepalive = 0'), 'error 3:13 out-of-range'],
    [inGlobal('keepalive = -3'), 'error 3:13 out-of-range'],
    [inGlobal('deadtime = 99999999999999999999'), 'error 3:12 out-of-range'],
    [inGlobal('heartbeat_port = 0'), 'error 3:18 out-of-range'],
    [inGlobal('courier_port = 0'), 'error 3:16 out-of-range'],
    [inGlobal('courier_port = 65536'), 'error 3:16 out-of-range'],
    [inGlobal('courier_port = nosuch'), 'error 3:16 unknown-service'],
    [inGlobal('syncd_id = 300'), 'warning 3:12 truncated'],
    [inGlobal('backup_active = 2'), 'error 3:17 not-a-boolean'],
    [inGlobal('network = Direct'), 'error 3:11 not-a-choice'],
    [inGlobal('primary_private = 0.0.0.0'), 'error 3:19 not-an-address'],
    [inVirtual('sorry_server = web.example'), 'error 5:16 not-an-address'],
    [inVirtual('master = 10.0.0.256'), 'error 5:10 not-an-address'],
    [inVirtual('port = nosuch'), 'error 5:8 unknown-service'],
    [inServer('port = http'), 'error 7:8 not-an-integer'],
    [inVirtual('vip_nmask = 255.0.255.0'), 'error 5:13 bad-netmask'],
    [inVirtual('vip_nmask = 24'), 'error 5:13 bad-netmask'],
    [inVirtual('dirs = [a b]'), 'error 5:8 not-a-list'],
    [inGlobal('syncd_iface = a/b'), 'error 3:15 bad-device'],
    [inGlobal('syncd_iface = :1'), 'error 3:15 bad-device'],
    [inGlobal('heartbeat_key_file = key'), 'error 3:22 bad-path'],
    [inVirtual(`send = "${'x'.repeat(300)}"`), 'warning 5:8 too-long'],
  ];
  for (const [text, expected] of rows) {
    const all = told(text).filter((line) => !line.includes('unused-directive'));
    assert.deepEqual(all, [expected], JSON.stringify(text));
  }
});

test('a wrong value is answered with what would be right, where that is known', () => {
  assert.equal(only(inGlobal('network = Direct')).suggestion, 'direct');
  assert.equal(only(inGlobal('backup_active = yes')).suggestion, '1');
  assert.equal(only(inGlobal('keepalive = 09')).suggestion, '9');
  assert.equal(only(inVirtual('vip_nmask = 24')).suggestion, '255.255.255.0');
  assert.equal(only(inGlobal('active_cmd = /bin/a b')).suggestion, 'active_cmd = "/bin/a b"');
});

test('a label that the kernel would cut, and an address without a device, are refused', () => {
  const long = `${HEAD}virtual a {\naddress = 10.9.9.9 eth0:0123456789a\n}\n`;
  assert.deepEqual(told(long), ['error 4:20 bad-device']);
  assert.deepEqual(told(`${HEAD}virtual a {\naddress = 10.9.9.9 eth0:0123456789\n}\n`), []);
  assert.deepEqual(told(`${HEAD}virtual a {\naddress = 10.9.9.9\n}\n`), [
    'error 4:1 missing-value',
  ]);
});

test('a hostile file gets a bounded answer', () => {
  const endless = problemsOf('foo = 1\n'.repeat(5000));
  assert.equal(endless.length, MAX_PROBLEMS + 1);
  assert.equal(endless.at(-1)?.code, 'too-many-problems');
  const [huge] = problemsOf('#'.repeat(MAX_FILE_LENGTH + 1));
  assert.equal(huge?.code, 'too-large');
  const value = only(inGlobal(`network = ${'n'.repeat(1_000_000)}`));
  assert.ok(value.message.length <= 400 && value.found.length <= 80);
  const long = only(inGlobal(`${'k'.repeat(100_000)} = 1`));
  assert.ok(long.message.length < 200);
});
