import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { ip } from '../base/index.ts';
import { parseSettings } from './parse.ts';
import { strictVerdict } from './strict.ts';

const names = {
  resolve: (name: string) => (name === 'lvs1' ? ip('10.0.0.1') : undefined),
  servicePort: (name: string, protocol: 'tcp' | 'udp') =>
    name === 'http' && protocol === 'tcp'
      ? 80
      : name === 'tftp' && protocol === 'udp'
        ? 69
        : undefined,
};

function verdict(text: string): string {
  const refusal = strictVerdict(text, names);
  return refusal === undefined ? 'accepted' : `${refusal.line}: ${refusal.reason}`;
}

type Row = readonly [text: string, verdict: string];

/** Every row was put before the parser of 0.8.6 itself. */
function judge(rows: readonly Row[]): void {
  for (const [text, expected] of rows) assert.equal(verdict(text), expected, JSON.stringify(text));
}

/** A line as the second one of a virtual section, whose first is `active = 1`. */
const inVirtual = (line: string) => `virtual a {\nactive = 1\n${line}\n}\n`;

test('C2 blanks and comments: only the first character of a line makes a comment', () => {
  judge([
    ['#x\n', 'accepted'],
    [' \t# x\n', 'accepted'],
    ['\n', 'accepted'],
    ['  \n', 'accepted'],
    ['\t keepalive\t=\t5 \n', 'accepted'],
    ['keepalive = 5 # five\n', '1: unexpected arguments'],
    ['debug_level = #x\n', 'accepted'],
    ['\vkeepalive = 5\n', '1: unknown command'],
  ]);
});

test('C2 the equals sign is a word of its own', () => {
  judge([
    ['primary=1.2.3.4\n', '1: unknown command'],
    ['primary= 1.2.3.4\n', '1: unknown command'],
    ['primary =1.2.3.4\n', '1: equal expected'],
    ['primary 1.2.3.4\n', '1: equal expected'],
    ['primary\n', '1: equal expected'],
    ['primary =\n', '1: missing arguments'],
    ['primary = \n', '1: missing arguments'],
    ['keepalive = = 5\n', '1: unexpected arguments'],
    ['= 5\n', '1: unknown command'],
  ]);
});

test('C2 quotes: both kinds, no escape, trailing blanks only behind a value with an inner blank', () => {
  judge([
    ['keepalive = "9"\n', 'accepted'],
    ["keepalive = '9'\n", 'accepted'],
    ['debug_level = "a b"\n', 'accepted'],
    ['debug_level = "a b" \n', 'accepted'],
    ['debug_level = "a" \n', '1: quotation mismatch'],
    ['debug_level = ""\n', 'accepted'],
    ['debug_level = "" \n', '1: quotation mismatch'],
    ['debug_level = "a\n', '1: quotation mismatch'],
    ['debug_level = "a b\n', '1: quotation mismatch'],
    ['debug_level = "a"b\n', '1: quotation mismatch'],
    ['debug_level = "a"b"\n', 'accepted'],
    ['debug_level = "a b"c\n', '1: unexpected arguments'],
    ['debug_level = "a\' b"\n', 'accepted'],
    ['debug_level = "a b\'\n', '1: quotation mismatch'],
    ['debug_level = a"b\n', 'accepted'],
    ['debug_level = a"b c"\n', '1: unexpected arguments'],
    ['debug_level = "a" "b"\n', '1: unexpected arguments'],
    ['"debug_level" = x\n', '1: quotation mismatch'],
  ]);
});

test('C2 a quotation mismatch inside a virtual section surfaces as what is left of the line', () => {
  judge([
    ['virtual a {\nsend = "a" \n}\n', '2: quotation mismatch'],
    [inVirtual('send = "a" '), '3: missing arguments'],
    [inVirtual('send "a" '), '3: equal expected'],
    [inVirtual('foo "a" '), '3: unknown command'],
    [inVirtual('port = 1 "x'), 'accepted'],
    [inVirtual('port = 1 2 "x'), '3: unexpected arguments'],
    [inVirtual('"port = 1'), '4: unknown command'],
    ['virtual a {\nserver b {\nweight = 1\nweight = "1" \n}\n}\n', '4: quotation mismatch'],
  ]);
});

test('C2 sections: name and brace on one line, the brace that closes alone on its own', () => {
  judge([
    ['virtual a {\n}\n', 'accepted'],
    ['virtual "a b" {\n}\n', 'accepted'],
    ['virtual a "{"\n}\n', 'accepted'],
    ['failover a {\nserver b {\n}\n}\n', 'accepted'],
    ['virtual a\n{\n}\n', '1: missing arguments'],
    ['virtual a{\n}\n', '1: missing arguments'],
    ['virtual {\n}\n', '1: missing arguments'],
    ['virtual a (\n}\n', '1: missing arguments'],
    ['virtual a b {\n}\n', '1: unexpected arguments'],
    ['virtual a { }\n', '1: unexpected arguments'],
    ['virtual a { # x\n}\n', '1: unexpected arguments'],
    ['virtual "a" {\n}\n', '1: quotation mismatch'],
    ['virtual a {\n} # x\n', 'accepted'],
    ['virtual a {\n} foo = bar\nkeepalive = 3\n', 'accepted'],
    ['virtual a {\n}foo\n', '2: unknown command'],
    ['virtual a {\nserver b { }\n}\n', '2: unexpected arguments'],
    ['virtual a {\nserver b\n}\n', '2: missing arguments'],
    ['virtual a {\nvirtual b {\n}\n}\n', '2: unknown command'],
    ['virtual a {\nkeepalive = 3\n}\n', '2: unknown command'],
    ['server a {\n}\n', '1: unknown command'],
    ['}\n', '1: unknown command'],
    ['virtual a {\n}\n}\n', '3: unknown command'],
  ]);
});

test('C2 the end of the file: a missing brace and a missing line feed are fine, an empty file is not', () => {
  judge([
    ['', '0: empty configuration'],
    ['keepalive = 3', 'accepted'],
    ['virtual a {\nport = 3', 'accepted'],
    ['virtual a {\nport = 3\n', 'accepted'],
    ['virtual a {\nserver b {\n', 'accepted'],
    ['virtual a {\nserver b {\nweight = 2\n}\n', 'accepted'],
  ]);
});

test('C2 the last assignment wins and names may repeat', () => {
  judge([
    ['keepalive = 3\nkeepalive = 4\n', 'accepted'],
    ['virtual a {\n}\nvirtual a {\n}\n', 'accepted'],
  ]);
});

test('C2 integers are read by strtol, without a range; booleans are 0 or 1', () => {
  judge([
    ['keepalive = 0x1F\n', 'accepted'],
    ['keepalive = 010\n', 'accepted'],
    ['keepalive = 09\n', '1: integer expected'],
    ['keepalive = -3\n', 'accepted'],
    ['keepalive = +3\n', 'accepted'],
    ['keepalive = " 9"\n', 'accepted'],
    ['keepalive = "9 "\n', '1: integer expected'],
    ['keepalive = ""\n', 'accepted'],
    ['keepalive = 0x\n', '1: integer expected'],
    ['keepalive = 1.5\n', '1: integer expected'],
    ['keepalive = 99999999999999999999999\n', 'accepted'],
    [`keepalive = ${'9'.repeat(2_000_000)}\n`, 'accepted'],
    ['heartbeat_port = 70000\n', 'accepted'],
    ['monitor_links = 7\n', 'accepted'],
    ['backup_active = 01\n', 'accepted'],
    ['backup_active = 2\n', '1: boolean expected'],
    ['backup_active = -1\n', '1: boolean expected'],
    ['backup_active = yes\n', '1: integer expected'],
    ['backup_active = 4294967297\n', 'accepted'],
  ]);
});

test('C2 addresses: dotted, odd forms of inet_aton, names that resolve; never IPv6', () => {
  judge([
    ['primary = 1.2.3.4\n', 'accepted'],
    ['primary = 1.2.3\n', 'accepted'],
    ['primary = 010.1.1.1\n', 'accepted'],
    ['primary = 0x01020304\n', 'accepted'],
    ['primary = "1.2.3.4 x"\n', 'accepted'],
    ['primary = lvs1\n', 'accepted'],
    ['primary = nowhere\n', '1: invalid argument'],
    ['primary = 1.2.3.4.5\n', '1: invalid argument'],
    ['primary = 256.1.1.1\n', '1: invalid argument'],
    ['primary = ::1\n', '1: invalid argument'],
    ['primary = 0.0.0.0\n', '1: invalid host name or ip address'],
    ['primary_private = 0.0.0.0\n', '1: invalid host name or ip address'],
    ['backup = 0.0.0.0\n', 'accepted'],
    ['backup_private = 0.0.0.0\n', '1: invalid host name or ip address'],
    ['virtual a {\nserver b {\naddress = fd::1\n}\n}\n', '3: invalid argument'],
    ['virtual a {\nsorry_server = 1.2.3.4\n}\n', 'accepted'],
    ['virtual a {\nsorry_server = lvs1\n}\n', '2: invalid host name or ip address'],
  ]);
});

test('C2 two values, netmasks, ports, words and lists', () => {
  judge([
    ['nat_router = 1.2.3.4 eth0:1\n', 'accepted'],
    ['nat_router = 1.2.3.4\n', '1: missing arguments'],
    ['nat_router = 1.2.3.4 a b\n', '1: unexpected arguments'],
    ['virtual a {\naddress = 1.2.3.4\n}\n', '2: missing arguments'],
    ['nat_nmask = bad\n', '1: bad subnet mask'],
    ['nat_nmask = 255.0.255.0\n', 'accepted'],
    ['virtual a {\nvip_nmask = bad\n}\n', '2: bad subnet mask'],
    ['virtual a {\npmask = bad\n}\n', 'accepted'],
    ['heartbeat_port = http\n', 'accepted'],
    ['heartbeat_port = tftp\n', '1: invalid argument'],
    ['virtual a {\nport = nosuch\n}\n', '2: invalid argument'],
    ['virtual a {\nserver b {\nport = http\n}\n}\n', '3: integer expected'],
    ['service = LVS\n', '1: invalid argument'],
    ['network = route\n', '1: invalid argument'],
    ['virtual a {\nscheduler = sed\n}\n', '2: invalid argument'],
    ['virtual a {\nprotocol = sctp\n}\n', '2: invalid argument'],
    ['virtual a {\ndirs = [ a b ]\n}\n', 'accepted'],
    ['virtual a {\ndirs = [a b]\n}\n', '2: list expected'],
    ['virtual a {\nload_monitor = anything\n}\n', 'accepted'],
  ]);
});

test('C2 keys that only web pages and man pages knew are refused', () => {
  judge([
    ['debug = 1\n', '1: unknown command'],
    ['Keepalive = 5\n', '1: unknown command'],
    ['virtual a {\nexpect_program = x\n}\n', '2: unknown command'],
    ['virtual a {\nnmask = 255.0.0.0\n}\n', '2: unknown command'],
    ['failover a {\nheartbeat = 1\n}\n', '2: unknown command'],
    ['virtual a {\nserver b {\nnmask = 255.0.0.0\n}\n}\n', '3: unknown command'],
    ['keepalive_ms = 100\n', '1: unknown command'],
  ]);
});

test('C2 a carriage return: the first line counts, the rest is passed over', () => {
  judge([
    ['keepalive = 3\r\nfoo\r\n', 'accepted'],
    ['keepalive = x\r\nfoo\r\n', '1: integer expected'],
    ['keepalive = 3\nbackup_active = 1\r\n', '1: unexpected arguments'],
    ['keepalive = 3\rdeadtime = x\n', '2: integer expected'],
    ['keepalive = 3\r\n\nkeepalive = x\n', '4: integer expected'],
  ]);
});

test('a file that strict and tolerant both accept means the same: nothing behind a NUL is needed for it', () => {
  assert.equal(verdict('keepalive = 3\n\0foo\n'), 'accepted');
  const { problems } = parseSettings('primary = 10.0.0.1\n\0foo\n', { file: 'lvs.cf' });
  assert.ok(problems.some(({ severity }) => severity === 'error'));
});

test('the strict verdict is reached for any text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const refusal = strictVerdict(text, names);
      if (refusal !== undefined) {
        assert.ok(refusal.line <= text.split(/[\r\n]/).length);
      }
    }),
  );
});
