import assert from 'node:assert/strict';
import test from 'node:test';
import { type IpAddress, ip } from '../base/index.ts';
import {
  DEFAULT_CHECK_SETTINGS,
  DEFAULT_QUORUM,
  type Settings,
  type VirtualService,
} from '../model/index.ts';
import { parseSettings } from './parse.ts';

const names = {
  resolve: (name: string): IpAddress | undefined => (name === 'lvs1' ? ip('10.0.0.1') : undefined),
  servicePort: (name: string, protocol: 'tcp' | 'udp') =>
    name === 'http' && protocol === 'tcp'
      ? 80
      : name === 'tftp' && protocol === 'udp'
        ? 69
        : undefined,
};

const file = 'lvs.cf';
const ADDRESS = 'address = 10.9.9.9 eth0:1\n';

/** The settings of a text that has no error. */
function settingsOf(text: string): Settings {
  const { settings, problems } = parseSettings(text, { ...names, file });
  assert.ok(settings !== undefined, problems.map(({ message }) => message).join('\n'));
  return settings;
}

function globals(line: string): Settings {
  return settingsOf(`primary = 10.0.0.1\nbackup = 10.0.0.2\n${line}\n`);
}

function service(line: string): VirtualService {
  const [found] = settingsOf(
    `primary = 10.0.0.1\nvirtual web {\n${ADDRESS}${line}\n}\n`,
  ).virtualServices;
  assert.ok(found !== undefined);
  return found;
}

test('C1 every directive parses with the listed default', () => {
  const text = `primary = 10.0.0.1\nvirtual web {\n${ADDRESS}server a {\naddress = 10.0.0.9\n}\n}\n`;
  const origin = (line: number, column: number) => ({ file, line, column });
  assert.deepEqual(settingsOf(text), {
    file,
    serialNo: 0,
    service: 'lvs',
    primary: '10.0.0.1',
    backupActive: false,
    heartbeatPort: 539,
    keepaliveMs: 2000,
    deadtimeMs: 5000,
    network: 'nat',
    monitorLinks: false,
    syncDaemon: { isEnabled: false, interface: 'eth0', id: 0 },
    tcpTimeoutSeconds: 0,
    tcpFinTimeoutSeconds: 0,
    udpTimeoutSeconds: 0,
    // Piranha: 1. A failed monitor of one server no longer takes every service down.
    hardShutdown: false,
    rshCommand: 'rsh',
    ipvsadm: '/sbin/ipvsadm',
    dialect: 'auto',
    failback: 'none',
    dataPlane: 'auto',
    announceRefreshSeconds: 60,
    verify: 'gateway',
    verifyHosts: [],
    witnessHosts: [],
    courierPort: 3637,
    origins: { primary: origin(1, 1) },
    failoverServices: [],
    virtualServices: [
      {
        name: 'web',
        isEnabled: false,
        vip: {
          address: '10.9.9.9',
          prefixLength: 32,
          device: 'eth0',
          label: 'eth0:1',
          origin: origin(3, 1),
        },
        port: 80,
        protocol: 'tcp',
        firewallMark: 0,
        scheduler: 'wlc',
        persistentSeconds: 0,
        usesRegex: false,
        timeoutSeconds: 10,
        reentrySeconds: 180,
        loadMonitor: 'none',
        quiesceServer: false,
        check: DEFAULT_CHECK_SETTINGS,
        quorum: DEFAULT_QUORUM,
        realServers: [
          {
            name: 'a',
            address: '10.0.0.9',
            port: 80,
            isEnabled: false,
            weight: 1,
            origin: origin(4, 8),
          },
        ],
        origin: origin(2, 9),
      },
    ],
  });
});

test('C1 every global directive reaches its setting', () => {
  const rows: readonly (readonly [
    line: string,
    value: (settings: Settings) => unknown,
    expected: unknown,
  ])[] = [
    ['serial_no = 7', (s) => s.serialNo, 7],
    ['service = fos', (s) => s.service, 'fos'],
    ['backup_active = 1', (s) => s.backupActive, true],
    ['heartbeat_port = 1050', (s) => s.heartbeatPort, 1050],
    ['keepalive = 4', (s) => s.keepaliveMs, 4000],
    ['deadtime = 18', (s) => s.deadtimeMs, 18000],
    ['keepalive_ms = 100', (s) => s.keepaliveMs, 100],
    ['deadtime_ms = 2500', (s) => s.deadtimeMs, 2500],
    ['network = tunnel', (s) => s.network, 'tunnel'],
    ['nat_router = 10.1.1.1 eth1:1', (s) => s.natRouter?.label, 'eth1:1'],
    [
      'nat_router = 10.1.1.1 eth1\nnat_nmask = 255.255.0.0',
      (s) => s.natRouter?.broadcast,
      '10.1.255.255',
    ],
    ['monitor_links = 1', (s) => s.monitorLinks, true],
    ['monitor_links = -5', (s) => s.monitorLinks, true],
    ['syncdaemon = 1', (s) => s.syncDaemon.isEnabled, true],
    ['syncd_iface = eth1', (s) => s.syncDaemon.interface, 'eth1'],
    ['syncd_id = 5', (s) => s.syncDaemon.id, 5],
    ['syncd_id = 300', (s) => s.syncDaemon.id, 44],
    ['tcp_timeout = 900', (s) => s.tcpTimeoutSeconds, 900],
    ['tcpfin_timeout = 60', (s) => s.tcpFinTimeoutSeconds, 60],
    ['udp_timeout = 30', (s) => s.udpTimeoutSeconds, 30],
    ['active_cmd = "/bin/a b"', (s) => s.activeCommand, '/bin/a b'],
    ['inactive_cmd = /bin/c', (s) => s.inactiveCommand, '/bin/c'],
    ['hard_shutdown = 1', (s) => s.hardShutdown, true],
    ['rsh_command = ssh', (s) => s.rshCommand, 'ssh'],
    ['ipvsadm = /usr/sbin/ipvsadm', (s) => s.ipvsadm, '/usr/sbin/ipvsadm'],
    ['failback = auto', (s) => s.failback, 'auto'],
    ['dialect = legacy', (s) => s.dialect, 'legacy'],
    ['dataplane = nftables', (s) => s.dataPlane, 'nftables'],
    ['announce_refresh = 0', (s) => s.announceRefreshSeconds, 0],
    ['verify = off', (s) => s.verify, 'off'],
    [
      'verify = hosts\nverify_hosts = 10.0.0.254 fd77::1',
      (s) => s.verifyHosts,
      ['10.0.0.254', 'fd77::1'],
    ],
    ['witness_hosts = 10.0.0.254', (s) => s.witnessHosts, ['10.0.0.254']],
    ['heartbeat_key_file = /etc/piranha/key', (s) => s.heartbeatKeyFile, '/etc/piranha/key'],
    ['courier_port = 4000', (s) => s.courierPort, 4000],
    ['lease_ms = 180', (s) => s.leaseMs, 180],
    ['primary = fd77::1\nbackup = fd77::2', (s) => s.backup, 'fd77::2'],
    ['primary_private = 10.7.0.1\nbackup_private = 10.7.0.2', (s) => s.backupPrivate, '10.7.0.2'],
    ['backup = 0.0.0.0\nbackup_active = 1', (s) => [s.backup, s.backupActive], [undefined, false]],
    ['primary_private = 10.0.0.1\nbackup_private = 10.7.0.2', (s) => s.primaryPrivate, undefined],
  ];
  for (const [line, value, expected] of rows) {
    assert.deepEqual(value(globals(line)), expected, line);
  }
});

test('C1 every directive of a virtual service and a real server reaches its setting', () => {
  const rows: readonly (readonly [
    line: string,
    value: (virtual: VirtualService) => unknown,
    expected: unknown,
  ])[] = [
    ['active = 1', (v) => v.isEnabled, true],
    ['vip_nmask = 255.255.255.0', (v) => [v.vip.prefixLength, v.vip.broadcast], [24, '10.9.9.255']],
    ['vip_nmask = 255.255.255.255', (v) => v.vip.broadcast, '10.9.9.9'],
    ['vip_nmask = 0.0.0.0', (v) => [v.vip.prefixLength, v.vip.broadcast], [32, undefined]],
    [
      'address = fd77::100 eth0\nvip_nmask = 64',
      (v) => [v.vip.prefixLength, v.vip.label],
      [64, undefined],
    ],
    ['port = http', (v) => v.port, 80],
    ['port = tftp', (v) => v.port, 69],
    ['protocol = udp', (v) => v.protocol, 'udp'],
    ['fwmark = 4294967295', (v) => v.firewallMark, 4294967295],
    ['scheduler = lblcr', (v) => v.scheduler, 'lblcr'],
    ['persistent = 300', (v) => v.persistentSeconds, 300],
    ['pmask = 255.255.255.0', (v) => v.persistenceMask, '255.255.255.0'],
    ['pmask = 255.255.255.255', (v) => v.persistenceMask, undefined],
    ['pmask = 0.0.0.0', (v) => v.persistenceMask, undefined],
    ['address = fd77::100 eth0\npmask = 0', (v) => v.persistenceMask, undefined],
    ['address = fd77::100 eth0\npmask = ::', (v) => v.persistenceMask, undefined],
    ['pmask = bad', (v) => v.persistenceMask, undefined],
    ['address = fd77::100 eth0\npmask = 64', (v) => v.persistenceMask, 'ffff:ffff:ffff:ffff::'],
    ['send = "GET /\\r\\n"', (v) => v.send, 'GET /\\r\\n'],
    ['expect = \'"OK"\'', (v) => v.expect, '"OK"'],
    ['use_regex = 1', (v) => v.usesRegex, true],
    ['send_program = "/bin/x %h"', (v) => v.sendProgram, '/bin/x %h'],
    ['timeout = 6', (v) => v.timeoutSeconds, 6],
    ['reentry = 15', (v) => v.reentrySeconds, 15],
    ['load_monitor = uptime', (v) => v.loadMonitor, 'uptime'],
    ['quiesce_server = 1', (v) => v.quiesceServer, true],
    ['sorry_server = 10.0.0.99', (v) => v.sorryServer, '10.0.0.99'],
    ['sorry_server = 0.0.0.0', (v) => v.sorryServer, undefined],
    ['start_cmd = "/bin/a b"', (v) => v.startCommand, '/bin/a b'],
    ['stop_cmd = /bin/c', (v) => v.stopCommand, '/bin/c'],
    ['port = 99\nserver a {\naddress = 10.0.0.9\n}', (v) => v.realServers[0]?.port, 99],
    ['server a {\naddress = 10.0.0.9\nport = 8080\n}', (v) => v.realServers[0]?.port, 8080],
    ['server a {\naddress = 10.0.0.9\n}\nport = 99', (v) => v.realServers[0]?.port, 80],
    ['server a {\naddress = lvs1\nactive = 1\n}', (v) => v.realServers[0]?.address, '10.0.0.1'],
    ['server a {\naddress = 10.0.0.9\nweight = 7\n}', (v) => v.realServers[0]?.weight, 7],
    ['client_monitor = /usr/sbin/nanny\nmaster = 10.0.0.3\ndirs = [ a b ]', (v) => v.name, 'web'],
  ];
  for (const [line, value, expected] of rows) {
    assert.deepEqual(value(service(line)), expected, line);
  }
});

test('C1 tabs, both kinds of quotes, service names, hexadecimal and octal numbers', () => {
  assert.equal(globals('\theartbeat_port\t=\t0x21b').heartbeatPort, 539);
  assert.equal(globals('heartbeat_port = 01033').heartbeatPort, 539);
  assert.equal(globals('heartbeat_port = http').heartbeatPort, 80);
  assert.equal(globals('keepalive = "3"').keepaliveMs, 3000);
  assert.equal(globals("keepalive = '3'").keepaliveMs, 3000);
});

test('the tolerant grammar takes carriage returns, a=b, trailing comments and blanks', () => {
  const text = `primary=10.0.0.1 # left\r\nkeepalive =3 \t\r\nvirtual web { # shop\r\n${ADDRESS}\tsend = "a" \r\n} # end\r\n`;
  const settings = settingsOf(text);
  assert.equal(settings.keepaliveMs, 3000);
  assert.equal(settings.virtualServices[0]?.send, 'a');
});

test('a virtual service without real servers is legal, an inactive one is kept', () => {
  const settings = settingsOf(
    `primary = 10.0.0.1\nvirtual a {\n${ADDRESS}active = 1\n}\nvirtual b {\n${ADDRESS}}\n`,
  );
  assert.deepEqual(
    settings.virtualServices.map(({ name, isEnabled, realServers }) => [
      name,
      isEnabled,
      realServers.length,
    ]),
    [
      ['a', true, 0],
      ['b', false, 0],
    ],
  );
});

test('virtual and failover sections are told apart', () => {
  const settings = settingsOf(
    `primary = 10.0.0.1\nfailover a {\n${ADDRESS}}\nvirtual b {\n${ADDRESS}}\n`,
  );
  assert.deepEqual(
    settings.failoverServices.map(({ name }) => name),
    ['a'],
  );
  assert.deepEqual(
    settings.virtualServices.map(({ name }) => name),
    ['b'],
  );
});
