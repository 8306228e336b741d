import assert from 'node:assert/strict';
import test from 'node:test';
import { GLOBAL_DIRECTIVES, SERVER_DIRECTIVES, VIRTUAL_DIRECTIVES } from './directives.ts';
import { exportKeepalived } from './keepalived-export.ts';
import { importKeepalived } from './keepalived-import.ts';
import { parseSettings } from './parse.ts';

type Section = 'global' | 'virtual' | 'server';

/** An lvs.cf with `lines` added to one kind of section; the later of two equal directives counts. */
function fileWith(section: Section, lines: readonly string[]): string {
  const at = (kind: Section) => (kind === section ? lines.join('\n') : '');
  return `primary = 192.0.2.11
backup = 192.0.2.12
backup_active = 1
keepalive = 1
deadtime = 4
network = direct
${at('global')}
virtual a {
  active = 1
  address = 192.0.2.80 eth0:1
  vip_nmask = 255.255.255.0
  port = 81
  timeout = 2
  reentry = 2
  check = tcp
  ${at('virtual')}
  server r1 {
    address = 192.0.2.21
    active = 1
    ${at('server')}
  }
}
`;
}

function exported(text: string) {
  const { settings, problems } = parseSettings(text, { file: 'lvs.cf' });
  const errors = problems.filter(({ severity }) => severity === 'error');
  assert.ok(settings !== undefined, `${errors.map(({ message }) => message).join()}\n${text}`);
  const { text: made, notes } = exportKeepalived(settings);
  const body = made.split('\n').filter((line) => !line.startsWith('! '));
  return { body: body.join('\n'), told: notes.map(({ keyword }) => keyword) };
}

/** A value of each directive that is not its default, and what it needs beside it. */
const VALUES: Readonly<Record<Section, Readonly<Record<string, readonly string[]>>>> = {
  global: {
    service: ['fos'],
    primary: ['192.0.2.13'],
    primary_private: ['10.0.0.1', 'backup_private = 10.0.0.2'],
    backup: ['192.0.2.14'],
    backup_private: ['10.0.0.2', 'primary_private = 10.0.0.1'],
    backup_active: ['0'],
    heartbeat_port: ['1050'],
    keepalive: ['2'],
    deadtime: ['9'],
    network: ['tunnel'],
    nat_router: ['10.0.0.9 eth1:1', 'network = nat'],
    nat_nmask: ['255.255.255.0', 'nat_router = 10.0.0.9 eth1:1', 'network = nat'],
    monitor_links: ['1'],
    syncdaemon: ['1'],
    syncd_iface: ['eth7', 'syncdaemon = 1'],
    syncd_id: ['7', 'syncdaemon = 1'],
    tcp_timeout: ['900'],
    tcpfin_timeout: ['60'],
    udp_timeout: ['300'],
    active_cmd: ['"/bin/a b"'],
    inactive_cmd: ['"/bin/i b"'],
    hard_shutdown: ['1'],
    keepalive_ms: ['500'],
    deadtime_ms: ['2500'],
    failback: ['auto'],
    dialect: ['legacy'],
    dataplane: ['none'],
    announce_refresh: ['77'],
    verify: ['off'],
    verify_hosts: ['192.0.2.1', 'verify_hosts = 192.0.2.2', 'verify = hosts'],
    witness_hosts: ['192.0.2.1 192.0.2.2'],
    heartbeat_key_file: ['/etc/piranha/key'],
    lease_ms: ['3000'],
    courier_port: ['4000'],
  },
  virtual: {
    address: ['192.0.2.81 eth1:1'],
    vip_nmask: ['255.255.255.128'],
    active: ['0'],
    port: ['82'],
    protocol: ['udp', 'check = udp', 'expect = x'],
    fwmark: ['7'],
    scheduler: ['rr'],
    persistent: ['300'],
    pmask: ['255.255.255.0', 'persistent = 300'],
    send: ['hello', 'check = nanny'],
    expect: ['hello', 'check = nanny'],
    use_regex: ['1', 'check = udp', 'protocol = udp', 'expect = hello'],
    send_program: ['/bin/c', 'send_program = /bin/b', 'check = program'],
    timeout: ['7'],
    reentry: ['99'],
    load_monitor: ['uptime'],
    quiesce_server: ['1'],
    sorry_server: ['192.0.2.29'],
    check: ['smtp'],
    check_interval_ms: ['777'],
    check_timeout_ms: ['777'],
    rise: ['7'],
    fall: ['7'],
    check_address: ['192.0.2.31'],
    check_port: ['99'],
    check_vip: ['1'],
    http_method: ['HEAD', 'check = http'],
    http_path: ['/health', 'check = http'],
    http_host: ['www.example.org', 'check = http'],
    http_status: ['204', 'check = http'],
    http_body: ['ok', 'check = http'],
    tls_name: ['www.example.org', 'check = https'],
    tls_verify: ['1', 'check = https'],
    tls_min_days: ['7', 'check = https'],
    dns_name: ['example.org', 'check = dns'],
    dns_type: ['PTR', 'check = dns'],
    smtp_helo: ['a.example.org', 'check = smtp'],
    quorum: ['2'],
    hysteresis: ['1', 'quorum = 2'],
    quorum_up_cmd: ['/bin/u'],
    quorum_down_cmd: ['/bin/d'],
  },
  server: {
    address: ['192.0.2.22'],
    active: ['0'],
    weight: ['7'],
    port: ['99'],
  },
};

/** Directives that do nothing by themselves, or nothing with `service = lvs`; those that nobody reads say so in their table. */
const IDLE: readonly string[] = ['serial_no', 'ipvsadm', 'rsh_command', 'start_cmd', 'stop_cmd'];

const TABLES = {
  global: GLOBAL_DIRECTIVES,
  virtual: VIRTUAL_DIRECTIVES,
  server: SERVER_DIRECTIVES,
};

for (const section of ['global', 'virtual', 'server'] as const) {
  test(`every directive of a ${section} section is exported, or told on its line`, () => {
    const silent = [...TABLES[section].values()].flatMap(({ key, unused }) => {
      if (unused !== undefined || IDLE.includes(key)) return [];
      const [value, ...beside] = VALUES[section][key] ?? [];
      assert.ok(value !== undefined, `a value of ${key} is wanted in this test`);
      const line = `${key} = ${value}`;
      const before = exported(fileWith(section, beside));
      const after = exported(fileWith(section, [...beside, line]));
      return before.body !== after.body || after.told.includes(key) ? [] : [line];
    });
    assert.deepEqual(silent, []);
  });
}

test('a pair whose VIPs are all IPv6 speaks by multicast, as adverts by unicast have one family', () => {
  const text = fileWith('virtual', ['address = fd00::80 eth0', 'vip_nmask = 64']).replace(
    '192.0.2.21',
    'fd00::21',
  );
  const { body, told } = exported(text);
  assert.ok(!body.includes('unicast'));
  assert.match(body, /\n {4}virtual_ipaddress \{\n {8}fd00::80\/64 dev eth0\n/);
  assert.ok(told.includes('primary'));
});

test('a command comes back as it was, whatever it is made of', () => {
  const { body } = exported(fileWith('global', [`active_cmd = '/bin/a b#c d!e {f} "g" h\\\\i'`]));
  const { text } = importKeepalived(body, { configId: 'primary' });
  assert.match(text ?? '', /^primary = 192\.0\.2\.11$/m);
  assert.match(text ?? '', /^active_cmd = '\/bin\/a b#c d!e \{f\} "g" h\\\\i'$/m);
});
