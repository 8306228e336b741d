import assert from 'node:assert/strict';
import test from 'node:test';
import { parseSettings } from './parse.ts';

const HEAD = 'primary = 10.0.0.1\nbackup = 10.0.0.2\n';

function told(text: string): readonly string[] {
  return parseSettings(text, { file: 'lvs.cf' })
    .problems.filter(({ code }) => code !== 'no-service')
    .map(({ severity, line, code }) => `${severity} ${line} ${code}`);
}

type Row = readonly [text: string, ...expected: string[]];

function judge(rows: readonly Row[]): void {
  for (const [text, ...expected] of rows) assert.deepEqual(told(text), expected, text);
}

const inGlobal = (...lines: readonly string[]) => `${HEAD}${lines.join('\n')}\n`;
/** The first of `lines` is line 5. */
const inVirtual = (...lines: readonly string[]) =>
  `${HEAD}virtual web {\naddress = 10.9.9.9 eth0:1\n${lines.join('\n')}\n}\n`;
const twoServices = (a: string, b: string) =>
  `${HEAD}virtual a {\nactive = 1\n${a}\n}\nvirtual b {\nactive = 1\n${b}\n}\n`;

test('C3 deadtime not above keepalive: nobody could be heard in time', () => {
  judge([
    [inGlobal('keepalive = 5'), 'error 3 deadtime-not-above-keepalive'],
    [inGlobal('keepalive = 6', 'deadtime = 6'), 'error 4 deadtime-not-above-keepalive'],
    [inGlobal('keepalive = 4'), ...[]],
    [inGlobal('keepalive_ms = 300', 'deadtime_ms = 300'), 'error 4 deadtime-not-above-keepalive'],
    [inGlobal('keepalive = 9', 'deadtime = 3', 'keepalive_ms = 1000'), ...[]],
  ]);
});

test('C3 timeouts of checks: below one second, above reentry', () => {
  judge([
    [inVirtual('timeout = 0'), 'warning 5 timeout-below-one'],
    [inVirtual('timeout = 1'), ...[]],
    [inVirtual('timeout = 20', 'reentry = 15'), 'warning 6 reentry-below-timeout'],
    [inVirtual('timeout = 200'), 'warning 5 reentry-below-timeout'],
    [inVirtual('timeout = 15', 'reentry = 15'), ...[]],
  ]);
});

test('C3 leading zeros are told, because 010 is eight', () => {
  judge([
    [inGlobal('keepalive = 03'), 'warning 3 leading-zero'],
    [inVirtual('port = 0120'), 'warning 5 leading-zero'],
    [inGlobal('keepalive = 0x3'), ...[]],
    [inGlobal('serial_no = 0'), ...[]],
  ]);
});

test('C3 duplicate names, of services and of real servers', () => {
  const server = (name: string) => `server ${name} {\naddress = 10.0.0.9\n}`;
  judge([
    [
      `${HEAD}virtual a {\naddress = 10.9.9.9 eth0\n}\nvirtual a {\naddress = 10.9.9.8 eth0\n}\n`,
      'warning 6 duplicate-name',
    ],
    [`${HEAD}virtual a {\naddress = 10.9.9.9 eth0\n}\nfailover a {\naddress = 10.9.9.8 eth0\n}\n`],
    [inVirtual(server('a'), server('a')), 'warning 8 duplicate-name'],
    [inVirtual(server('a'), server('b'))],
  ]);
});

test('C3 one VIP on two devices, or with two netmasks', () => {
  judge([
    [
      twoServices('address = 10.9.9.9 eth0:1', 'address = 10.9.9.9 eth1:1\nport = 81'),
      'warning 9 vip-conflict',
    ],
    [
      twoServices('address = 10.9.9.9 eth0:1', 'address = 10.9.9.9 eth0:2\nport = 81'),
      'warning 9 vip-conflict',
    ],
    [
      twoServices(
        'address = 10.9.9.9 eth0:1\nvip_nmask = 255.255.255.0',
        'address = 10.9.9.9 eth0:1\nvip_nmask = 255.255.0.0\nport = 81',
      ),
      'warning 11 vip-conflict',
    ],
    [twoServices('address = 10.9.9.9 eth0:1', 'address = 10.9.9.9 eth0:1\nport = 81')],
    [
      twoServices('address = 10.9.9.9 eth0:1', 'address = 10.9.9.9 eth0:1'),
      'warning 7 duplicate-service',
    ],
    [twoServices('fwmark = 1\naddress = 10.9.9.9 eth0:1', 'fwmark = 1\naddress = 10.9.9.9 eth0:1')],
  ]);
});

test('C3 keys without effect', () => {
  judge([
    [inGlobal('courier_port = 4000'), 'warning 3 unused-directive'],
    [inGlobal('heartbeat = 1'), 'warning 3 unused-directive'],
    [inGlobal('debug_level = NONE'), 'warning 3 unused-directive'],
    [inGlobal('sync = 1'), 'warning 3 unused-directive'],
    [inGlobal('rsh_command = ssh'), 'warning 3 unused-directive'],
    [`rsh_command = ssh\n${inVirtual('load_monitor = uptime')}`],
    [
      inVirtual('client_monitor = /bin/x', 'master = 10.0.0.7', 'dirs = [ a ]'),
      'warning 5 unused-directive',
      'warning 6 unused-directive',
      'warning 7 unused-directive',
    ],
    [inVirtual('start_cmd = /bin/x'), 'warning 5 unused-directive'],
    [inGlobal('nat_nmask = 255.255.255.0'), 'warning 3 unused-directive'],
    [inGlobal('network = direct', 'nat_router = 10.0.0.9 eth1'), 'warning 4 unused-directive'],
    [inGlobal('backup_private = 10.7.0.2'), 'warning 3 unused-directive'],
    [inGlobal('verify_hosts = 10.0.0.9'), 'warning 3 unused-directive'],
    [inVirtual('pmask = 255.255.255.0'), 'warning 5 unused-directive'],
    [inVirtual('send = x', 'expect = y', 'send_program = /bin/x'), 'warning 5 unused-directive'],
    [
      inGlobal(
        'primary_shared = /dev/sda',
        'backup_shared = /dev/sda',
        'reservation_conflict_action = preempt',
      ),
      'warning 3 unsupported',
      'warning 4 unsupported',
      'warning 5 unsupported',
    ],
  ]);
});

test('C3 checks that cannot succeed: send_program or UDP without expect', () => {
  judge([
    [inVirtual('send_program = /bin/x'), 'warning 5 program-without-expect'],
    [inVirtual('send_program = /bin/x', 'expect = OK')],
    [inVirtual('protocol = udp'), 'warning 5 udp-without-expect'],
    [inVirtual('protocol = udp', 'expect = *')],
  ]);
});

test('C3 a port behind a server block does not reach it', () => {
  const server = 'server a {\naddress = 10.0.0.9\n}';
  judge([
    [inVirtual(server, 'port = 8080'), 'warning 8 port-after-server'],
    [inVirtual('port = 8080', server)],
    [inVirtual(server, 'port = 80')],
    [inVirtual('server a {\naddress = 10.0.0.9\nport = 8080\n}', 'port = 8080')],
  ]);
});

test('the directors: primary must be there, two addresses of one family, a partner for backup_active', () => {
  judge([
    ['backup = 10.0.0.2\n', 'error 0 missing-directive'],
    ['primary = 10.0.0.1\nbackup_active = 1\n', 'warning 2 no-partner'],
    ['primary = 10.0.0.1\nbackup = 0.0.0.0\nbackup_active = 1\n', 'warning 3 no-partner'],
    ['primary = 10.0.0.1\nbackup = 10.0.0.1\n', 'error 2 same-address'],
    ['primary = 10.0.0.1\nbackup = fd77::2\n', 'error 2 address-family'],
    [inGlobal('primary_private = 10.7.0.1'), 'warning 3 missing-directive'],
    [inGlobal('primary_private = 10.7.0.1', 'backup_private = 10.7.0.1'), 'error 4 same-address'],
  ]);
});

test('a floating address that belongs to a director is refused', () => {
  judge([
    [
      twoServices('address = 10.0.0.2 eth0:1', 'address = 10.9.9.9 eth0:1'),
      'error 5 vip-is-director',
    ],
    [inGlobal('nat_router = 10.0.0.1 eth1:1'), 'error 3 vip-is-director'],
    [`${HEAD}virtual a {\naddress = 10.0.0.2 eth0:1\n}\n`],
  ]);
});

test('an enabled service needs an address; a disabled one without is left out', () => {
  judge([
    [`${HEAD}virtual a {\nactive = 1\n}\n`, 'error 3 missing-directive'],
    [`${HEAD}virtual a {\n}\n`, 'warning 3 missing-directive'],
    [`${HEAD}virtual a {\nactive = 1\naddress = 0.0.0.0 eth0:1\n}\n`, 'error 5 not-an-address'],
    [`${HEAD}virtual a {\naddress = 0.0.0.0 eth0:1\n}\n`],
    [inVirtual('server a {\nactive = 1\n}'), 'error 5 missing-directive'],
    [inVirtual('server a {\naddress = 0.0.0.0\nactive = 1\n}'), 'error 6 not-an-address'],
    [inVirtual('server a {\naddress = 0.0.0.0\n}')],
  ]);
});

test('address families of a service and its servers mix through tunnels only', () => {
  const mixed = 'virtual a {\naddress = fd77::100 eth0\nserver s {\naddress = 10.0.0.9\n}\n}';
  judge([
    [inGlobal('network = direct', mixed), 'error 7 address-family'],
    [inGlobal('network = tunnel', mixed)],
    [inVirtual('sorry_server = fd77::9'), 'error 5 address-family'],
  ]);
});

test('port 0 needs persistence or a mark, verify = hosts needs hosts', () => {
  judge([
    [inVirtual('port = 0'), 'warning 5 port-zero'],
    [inVirtual('port = 0', 'persistent = 300')],
    [inVirtual('port = 0', 'fwmark = 3')],
    [inGlobal('verify = hosts'), 'error 3 missing-directive'],
  ]);
});

test('a file that serves nothing is told so', () => {
  const codes = (text: string) =>
    parseSettings(text, { file: 'lvs.cf' }).problems.map(({ code }) => code);
  assert.deepEqual(codes(inGlobal('')), ['no-service']);
  assert.deepEqual(codes(inVirtual('active = 0')), ['no-service']);
  assert.deepEqual(codes(inVirtual('active = 1')), []);
  assert.deepEqual(codes(`service = fos\n${inVirtual('active = 1')}`), ['no-service']);
});

const PERSISTENT = ['scheduler = rr', 'persistent = 300'];

test('what the nftables data plane cannot do is an error when it is asked for by name', () => {
  const service = (...lines: readonly string[]) =>
    `virtual web {\nactive = 1\naddress = 10.9.9.9 eth0:1\n${lines.join('\n')}\n}\n`;
  const nft = (network: string) => `${HEAD}dataplane = nftables\nnetwork = ${network}\n`;
  judge([
    [`${nft('direct')}${service('scheduler = wrr')}`, ...[]],
    [`${nft('direct')}${service()}`, 'error 5 unsupported'],
    [`${nft('direct')}${service('scheduler = lc')}`, 'error 8 unsupported'],
    [`${nft('tunnel')}${service('scheduler = rr')}`, 'error 4 unsupported'],
    [`${nft('direct')}${service('scheduler = rr', 'fwmark = 5')}`, 'error 9 unsupported'],
    [`${nft('nat')}${service('scheduler = rr', 'fwmark = 5')}`, ...[]],
    [`${HEAD}network = tunnel\n${service('scheduler = lc')}`, ...[]],
    [`${nft('nat')}${service(...PERSISTENT, 'pmask = 255.255.255.0')}`, 'error 10 unsupported'],
    [`${nft('nat')}${service(...PERSISTENT, 'pmask = 0.0.0.0')}`, ...[]],
    [`${nft('nat')}${service(...PERSISTENT, 'pmask = 255.255.255.255')}`, ...[]],
  ]);
});

test('with nat a server of a shared mark cannot have a port of its own', () => {
  const section = (name: string, port: number, mark: number, ...ports: readonly number[]) =>
    [
      `virtual ${name} {\nactive = 1\naddress = 10.9.9.9 eth0:1\nport = ${port}\nfwmark = ${mark}`,
      ...ports.map((own) => `server s${own} {\naddress = 10.0.0.21\nactive = 1\nport = ${own}\n}`),
      '}\n',
    ].join('\n');
  judge([
    [`${HEAD}${section('a', 80, 5, 8080)}${section('b', 443, 5, 443)}`, 'warning 11 shared-mark'],
    [`${HEAD}${section('a', 80, 5, 80)}${section('b', 443, 5, 443)}`],
    // All agree: the one row says it.
    [`${HEAD}${section('a', 80, 5, 8080)}${section('b', 443, 5, 8080)}`],
    [`${HEAD}${section('a', 80, 5, 8080, 8081)}`],
    [`${HEAD}${section('a', 80, 5, 8080)}${section('b', 443, 6, 443)}`],
    [`${HEAD}network = direct\n${section('a', 80, 5, 8080)}${section('b', 443, 5, 443)}`],
  ]);
  const text = `${HEAD}${section('a', 80, 5, 8080)}${section('b', 443, 5, 443)}`;
  const [problem] = parseSettings(text, { file: 'lvs.cf' }).problems;
  assert.equal(
    problem?.message,
    '`server s8080`: `a` shares fwmark 5 with `b` on line 14, so its clients alone cannot be sent to port 8080; ' +
      'the server would have to listen at port 80, or `a` needs a fwmark of its own',
  );
});
