import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ip, mac, ok } from '../base/index.ts';
import { parseSettings } from '../config/index.ts';
import type { StatusDocument } from '../director/index.ts';
import type { Settings } from '../model/index.ts';
import { examine } from './doctor.ts';
import { CHECKS } from './doctor-checks.ts';
import { type Facts, isWithin } from './doctor-facts.ts';
import { dropInText, fixText, sysctlsOf } from './doctor-fix.ts';

/** The words SIX and STICKY change the service: IPv6, persistent and quiescing. */
function settingsOf(...lines: readonly string[]): Settings {
  const head = ['primary = 198.51.100.11', 'backup = 198.51.100.12', 'backup_active = 1'];
  const [vip, server] = lines.includes('SIX')
    ? ['fd77::100 eth0', 'fd77::21']
    : ['198.51.100.100 eth0:1', '198.51.100.21'];
  const sticky = lines.includes('STICKY') ? ['persistent = 300', 'quiesce_server = 1'] : [];
  const service = [
    ...['virtual shop {', 'active = 1', `address = ${vip}`, 'scheduler = wlc', ...sticky],
    ...['server web {', 'active = 1', `address = ${server}`, '}', '}'],
  ];
  const own = lines.filter((line) => line.includes(' '));
  const { settings, problems } = parseSettings([...head, ...own, ...service].join('\n'), {
    file: 'lvs.cf',
  });
  assert.ok(settings !== undefined, JSON.stringify(problems));
  return settings;
}

const DIRECT = settingsOf('network = direct', 'heartbeat_key_file = /key');

const STATUS = {
  pid: 7,
  role: 'active',
  reason: 'start',
  sinceMs: 60_000,
  vips: [{ address: '198.51.100.100', device: 'eth0', state: 'up', belief: { owner: 'us' } }],
  timers: { keepaliveMs: 2000, deadtimeMs: 5000 },
  configuration: { file: 'lvs.cf', serialNo: 7 },
  partner: {
    state: 'heard',
    said: 'stopped',
    paths: [{ name: 'public', own: 'a', partner: 'b', link: 'up', heardMsAgo: 30 }],
  },
  pair: {
    witness: { isAsked: true },
    lease: { lengthMs: 3000, hooks: 'in+out', isProtected: true, restored: 0 },
    partner: { serialNo: 7, hasSameConfiguration: true },
  },
  counters: { worstLateMs: 0.4 },
};

const SYSTEM: Readonly<Record<string, string>> = {
  '/proc/sys/net/ipv4/ip_forward': '1',
  '/proc/sys/net/ipv4/conf/all/rp_filter': '1',
  '/proc/sys/net/ipv4/conf/all/send_redirects': '0',
  '/proc/sys/net/netfilter/nf_conntrack_count': '10',
  '/proc/sys/net/netfilter/nf_conntrack_max': '1000',
  '/proc/net/ip_vs': 'IP Virtual Server',
  '/proc/sys/net/ipv4/conf/all/promote_secondaries': '0',
  '/proc/sys/net/ipv4/ip_nonlocal_bind': '0',
  '/proc/sys/net/ipv4/neigh/default/gc_thresh3': '1024',
  '/proc/sys/net/ipv4/vs/expire_quiescent_template': '0',
  '/proc/sys/net/ipv6/conf/all/disable_ipv6': '0',
  '/proc/sys/net/ipv6/conf/eth0/disable_ipv6': '0',
  '/proc/net/stat/arp_cache': 'entries  allocs\n0000002c 0000203c\n0000002c 00002037',
  // 1,000,000 packets taken, 10 dropped, by each of two processors
  '/proc/net/softnet_stat': '000f4240 0000000a 00000000\n000f4240 0000000a 00000000',
  '/proc/net/tcp': '  sl  local_address rem_address   st\n   0: 00000000:0050 00000000:0000 0A',
  '/sys/class/net/eth0/statistics/rx_packets': '1000000',
  '/sys/class/net/eth0/statistics/rx_missed_errors': '12',
  '/sys/class/net/eth0/flags': '0x1003',
};

type Changes = {
  readonly [name in keyof Facts]?: Facts[name] | undefined;
} & {
  readonly of?: Settings;
  readonly says?: object;
  readonly system?: Readonly<Record<string, string>>;
};

/** A machine on which everything is well, but for the changes. */
function machine({ of = DIRECT, says = {}, system = {}, ...changes }: Changes = {}): Facts {
  const files = { ...SYSTEM, ...system };
  const document: unknown = { ...STATUS, ...says };
  const isStatus = (value: unknown): value is StatusDocument => value !== null;
  assert.ok(isStatus(document));
  const facts: Facts = {
    configFile: 'lvs.cf',
    settings: ok(of),
    kernel: {
      links: [
        {
          index: 2,
          name: 'eth0',
          mac: mac('02:00:00:00:00:11'),
          isUp: true,
          hasCarrier: true,
          mtu: 1500,
        },
        { index: 3, name: 'eth1', isUp: true, hasCarrier: true },
      ],
      rows: [{ interfaceIndex: 2, address: ip('198.51.100.11'), prefixLength: 24 }],
    },
    gateways: [{ interfaceIndex: 2, address: ip('198.51.100.1') }],
    node: 'primary',
    status: document,
    realTimeThreads: 1,
    processes: [{ pid: 7, name: 'pulse' }],
    hasChannel: true,
    addresses: [
      { interfaceIndex: 2, address: ip('198.51.100.11'), prefixLength: 24, flags: 0x80 },
      { interfaceIndex: 2, address: ip('198.51.100.100'), prefixLength: 24, flags: 0x81 },
      { interfaceIndex: 2, address: ip('fd77::11'), prefixLength: 64, flags: 0x80 },
    ],
    clock: { aheadMs: -40, uncertainMs: 3 },
    ways: new Map([[ip('198.51.100.21'), { interfaceIndex: 2, source: ip('198.51.100.11') }]]),
    askAgain: async () => undefined,
    features: () => 'large-receive-offload: off [fixed]\n',
    read: (path) => files[path],
    list: (path) =>
      Object.keys(files).flatMap((name) =>
        name.startsWith(`${path}/`) ? [name.slice(path.length + 1)] : [],
      ),
  };
  const given = Object.entries(changes);
  const kept = Object.entries(facts).filter(([name]) => !given.some(([other]) => other === name));
  const whole: unknown = Object.fromEntries([
    ...kept,
    ...given.filter(([, value]) => value !== undefined),
  ]);
  const isFacts = (value: unknown): value is Facts => value !== null;
  assert.ok(isFacts(whole));
  return whole;
}

async function bad(changes: Changes): Promise<readonly string[]> {
  const findings = await examine(machine(changes), false);
  return findings
    .filter(({ severity }) => severity !== 'good')
    .map(({ severity, check }) => `${severity} ${check}`);
}

test('where all is well nothing is found, and most checks say what they saw', async () => {
  assert.deepEqual(await bad({}), []);
  const findings = await examine(machine(), false);
  assert.ok(findings.length >= 14, String(findings.length));
});

describe('each check bites:', () => {
  const { links, rows } = machine().kernel;
  const nat = settingsOf('network = nat', 'heartbeat_key_file = /key');
  const six = settingsOf('network = direct', 'heartbeat_key_file = /key', 'SIX');
  const sticky = settingsOf('network = direct', 'heartbeat_key_file = /key', 'STICKY');
  const lease = STATUS.pair.lease;
  const [own, vip, own6] = machine().addresses;
  assert.ok(own !== undefined && vip !== undefined && own6 !== undefined);
  const heardBy = (path: object): Facts['partner'] => {
    const document: unknown = { ...STATUS, partner: { paths: [path] } };
    const isStatus = (value: unknown): value is StatusDocument => value !== null;
    return isStatus(document) ? document : undefined;
  };
  const [path] = STATUS.partner.paths;
  const networkd = { processes: [{ pid: 9, name: 'systemd-network' }] };
  const link = '/run/systemd/netif/links/2';
  const state = 'ADMIN_STATE=configured\nNETWORK_FILE=/etc/systemd/network/lan.network';
  const bond = '/sys/class/net/eth0/bonding';
  const bonded = { [`${bond}/mode`]: 'active-backup 1', [`${bond}/miimon`]: '100' };
  const stats = '/sys/class/net/eth0/statistics';
  const services = (changes: object): Facts['services'] => {
    const document: unknown = {
      v: 1,
      dataPlane: { kind: 'ipvs', why: 'the kernel has it' },
      services: [],
      overrides: [],
      ...changes,
    };
    const isServices = (value: unknown): value is NonNullable<Facts['services']> => value !== null;
    return isServices(document) ? document : undefined;
  };
  const table: readonly (readonly [string, Changes, string])[] = [
    ['no daemon', { status: undefined, silence: 'gone' }, 'broken daemon-answers'],
    ['no address of ours', { node: undefined }, 'broken node-known'],
    [
      'a device that is down',
      { kernel: { links: links.map((link) => ({ ...link, isUp: false })), rows } },
      'broken links-up',
    ],
    [
      'a device without carrier',
      { kernel: { links: links.map((link) => ({ ...link, hasCarrier: false })), rows } },
      'broken links-up',
    ],
    ['keepalived', { processes: [{ pid: 9, name: 'keepalived' }] }, 'warning no-other-vip-manager'],
    [
      'no IPVS',
      { services: services({ dataPlane: { kind: 'nftables', why: 'no IPVS' } }) },
      'warning kernel-modules',
    ],
    [
      'a refused service',
      { services: services({ services: [{ name: 'shop', scheduler: 'mh', stands: false }] }) },
      'broken kernel-modules',
    ],
    ['no lease', { says: { pair: { partner: STATUS.pair.partner } } }, 'warning lease-kept'],
    [
      'a gate that was flushed',
      { says: { pair: { ...STATUS.pair, lease: { ...lease, restored: 2 } } } },
      'warning lease-kept',
    ],
    ['late wakes', { says: { counters: { worstLateMs: 1900 } } }, 'warning lease-fits'],
    ['no real-time thread', { realTimeThreads: 0 }, 'warning real-time'],
    ['no key', { of: settingsOf('network = direct') }, 'warning heartbeat-key'],
    ['a key that others may read', { keyFault: 'mode 644' }, 'broken heartbeat-key'],
    [
      'a silent path',
      { says: { partner: { paths: [{ ...STATUS.partner.paths[0], heardMsAgo: 9000 }] } } },
      'warning partner-heard',
    ],
    [
      'a path whose link is down',
      { says: { partner: { paths: [{ ...STATUS.partner.paths[0], link: 'down' }] } } },
      'broken partner-heard',
    ],
    [
      'another lvs.cf',
      { says: { pair: { lease, partner: { serialNo: 6, hasSameConfiguration: false } } } },
      'warning partner-same-config',
    ],
    ['no channel', { hasChannel: false }, 'warning partner-channel'],
    [
      'no forwarding for nat',
      { of: nat, system: { '/proc/sys/net/ipv4/ip_forward': '0' } },
      'broken ip-forward',
    ],
    [
      'a default route by another device',
      { gateways: [{ interfaceIndex: 3, address: ip('192.0.2.1') }] },
      'broken rp-filter',
    ],
    [
      'redirects on one arm',
      { of: nat, system: { '/proc/sys/net/ipv4/conf/eth0/send_redirects': '1' } },
      'warning send-redirects',
    ],
    ['no default route', { gateways: [] }, 'warning default-route'],
    [
      'a full connection table',
      { system: { '/proc/sys/net/netfilter/nf_conntrack_count': '900' } },
      'warning conntrack-room',
    ],
    [
      'a partner that does not hear us',
      { partner: heardBy({ ...path, heardMsAgo: 9000 }) },
      'broken partner-hears',
    ],
    ['clocks apart', { clock: { aheadMs: 1500, uncertainMs: 20 } }, 'warning clock-offset'],
    [
      'a VIP that somebody else claimed',
      { says: { vips: [{ ...STATUS.vips[0], belief: { owner: 'stranger' } }] } },
      'broken gateway-believes',
    ],
    [
      'a gateway that gives no proof',
      { says: { vips: [{ ...STATUS.vips[0], belief: { owner: 'unknown' } }] } },
      'warning gateway-believes',
    ],
    [
      'no IPv6 forwarding for nat',
      {
        of: settingsOf('network = nat', 'heartbeat_key_file = /key', 'SIX'),
        system: { '/proc/sys/net/ipv6/conf/all/forwarding': '0' },
      },
      'broken ip-forward',
    ],
    [
      'connection tracking that is not there for nat by nftables',
      {
        of: nat,
        services: services({ dataPlane: { kind: 'nftables', why: 'told' } }),
        system: {
          '/proc/sys/net/netfilter/nf_conntrack_max': '',
          '/proc/sys/net/netfilter/nf_conntrack_count': 'x',
        },
      },
      'broken conntrack-room',
    ],
    [
      'a VIP on lo',
      {
        kernel: {
          links: [...links, { index: 1, name: 'lo', isUp: true, hasCarrier: true }],
          rows: [...rows, { interfaceIndex: 1, address: ip('198.51.100.100'), prefixLength: 32 }],
        },
      },
      'broken vip-elsewhere',
    ],
    [
      'ARP that is off',
      { system: { '/sys/class/net/eth0/flags': '0x1083' } },
      'broken vip-answers-arp',
    ],
    [
      'ARP that answers for nothing',
      { system: { '/proc/sys/net/ipv4/conf/all/arp_ignore': '8' } },
      'broken vip-answers-arp',
    ],
    [
      'an own address that came after the VIP',
      {
        addresses: [
          { ...vip, flags: 0x80 },
          { ...own, flags: 0x81 },
        ],
      },
      'broken address-secondary',
    ],
    [
      'an address by DHCP',
      { addresses: [{ ...own, lifetime: { validSeconds: 300, preferredSeconds: 300 } }] },
      'warning address-permanent',
    ],
    [
      'a duplicate IPv6 address',
      { addresses: [{ ...own6, flags: 0x88 }] },
      'broken ipv6-addresses',
    ],
    [
      'IPv6 that is off',
      { of: six, system: { '/proc/sys/net/ipv6/conf/eth0/disable_ipv6': '1' } },
      'broken ipv6-addresses',
    ],
    [
      'a table of neighbours nearly full',
      { system: { '/proc/sys/net/ipv4/neigh/default/gc_thresh3': '50' } },
      'warning neighbour-room',
    ],
    ['clients that stick to a quiesced server', { of: sticky }, 'warning persistence-quiesce'],
    [
      'a program that listens at the VIP',
      { system: { '/proc/net/tcp': '  sl\n   0: 646433C6:0050 00000000:0000 0A' } },
      'warning nonlocal-bind',
    ],
    ['systemd-networkd', { ...networkd, system: { [link]: state } }, 'warning device-manager'],
    [
      'NetworkManager',
      {
        processes: [{ pid: 9, name: 'NetworkManager' }],
        system: { '/run/NetworkManager/devices/2': '[device]\nmanaged=true' },
      },
      'warning device-manager',
    ],
    ['a full ring', { system: { [`${stats}/rx_missed_errors`]: '900' } }, 'warning device-drops'],
    ['damaged frames', { system: { [`${stats}/rx_crc_errors`]: '900' } }, 'warning device-drops'],
    [
      'a backlog that overflows',
      { system: { '/proc/net/softnet_stat': '000f4240 00000fff' } },
      'warning softnet-drops',
    ],
    [
      'large receive offload',
      { features: () => 'large-receive-offload: on\n' },
      'warning large-receive',
    ],
    [
      'a bond that watches nothing',
      { system: { ...bonded, [`${bond}/miimon`]: '0', [`${bond}/arp_interval`]: '0' } },
      'warning bond-watched',
    ],
    [
      'a bond that asks for the VIP',
      { system: { ...bonded, [`${bond}/arp_ip_target`]: '198.51.100.1 198.51.100.100' } },
      'warning bond-watched',
    ],
    [
      'a bond that balances by ARP',
      { system: { ...bonded, [`${bond}/mode`]: 'balance-alb 6' } },
      'warning bond-watched',
    ],
    [
      'a bond with one leg',
      {
        system: {
          ...bonded,
          [`${bond}/slaves`]: 'a b',
          '/sys/class/net/b/bonding_slave/mii_status': 'down',
        },
      },
      'warning bond-watched',
    ],
    [
      'a cloud that filters',
      {
        says: { vips: [{ ...STATUS.vips[0], belief: undefined }] },
        system: { '/sys/class/dmi/id/sys_vendor': 'Amazon EC2' },
      },
      'warning cloud-network',
    ],
  ];
  for (const [name, changes, expected] of table) {
    test(name, async () => {
      const found = await bad(changes);
      assert.ok(found.includes(expected), found.join());
    });
  }

  test('failover services need no IPVS, and none is asked for', async () => {
    const none = services({ dataPlane: { kind: 'none', why: 'service = fos' } });
    const fos = settingsOf('service = fos', 'network = direct', 'heartbeat_key_file = /key');
    assert.ok((await bad({ services: none })).includes('warning kernel-modules'));
    assert.ok(!(await bad({ services: none, of: fos })).includes('warning kernel-modules'));
  });

  test('and none has no row here', () => {
    const covered = table.map(([, , expected]) => expected.split(' ')[1]);
    assert.deepEqual(
      CHECKS.map(({ name }) => name).filter((name) => !covered.includes(name)),
      [],
    );
  });

  test('a file that cannot be run ends the look, with its sentences', async () => {
    const settings = { ok: false, error: ['lvs.cf:3:1: unknown directive'] } as const;
    const [finding, ...more] = await examine(machine({ settings }), false);
    assert.equal(finding?.check, 'config-runs');
    assert.deepEqual(finding?.evidence, settings.error);
    assert.equal(more.length, 0);
  });
});

test('the cures are sorted by the machine they are typed on, each once', () => {
  const cure = (on: string, command: string) => ({ on, command });
  const finding = { severity: 'broken', text: '' } as const;
  const text = fixText([
    { ...finding, check: 'a', cures: [cure('here', 'x'), cure('web', 'y')] },
    { ...finding, check: 'b', cures: [cure('web', 'y'), cure('web', 'z  # why')] },
  ]);
  assert.equal(text, '# on this machine\nx  # a\n\n# on web\ny  # a\nz  # why');
  assert.equal(fixText([]), '# nothing to type');
});

describe('what looks like a fault and is none:', () => {
  const { links, rows } = machine().kernel;
  const device = '/run/systemd/netif/links/2';
  const file = '/etc/systemd/network/lan.network';
  const state = `ADMIN_STATE=configured\nNETWORK_FILE=${file}`;
  const networkd = [{ pid: 9, name: 'systemd-network' }];
  const [own, vip] = machine().addresses;
  assert.ok(own !== undefined && vip !== undefined);
  const table: readonly (readonly [string, Changes])[] = [
    [
      'systemd-networkd that keeps what it finds',
      {
        processes: networkd,
        system: { [device]: state, [file]: '[Network]\nKeepConfiguration=static' },
      },
    ],
    [
      'systemd-networkd that was told so in a drop-in',
      {
        processes: networkd,
        system: {
          [device]: state,
          [file]: '[Network]\nKeepConfiguration=no',
          [`${file}.d/keep.conf`]: '[Network]\nKeepConfiguration=static',
          '/usr/lib/systemd/network/lan.network.d/keep.conf': 'KeepConfiguration=no',
        },
      },
    ],
    [
      'systemd-networkd that leaves the device alone',
      { processes: networkd, system: { [device]: 'ADMIN_STATE=unmanaged' } },
    ],
    ['the same state files without the daemon', { system: { [device]: state } }],
    [
      'NetworkManager that leaves the device alone',
      {
        processes: [{ pid: 9, name: 'NetworkManager' }],
        system: { '/run/NetworkManager/devices/2': '[device]\nmanaged=false' },
      },
    ],
    [
      'a VIP on its own device',
      {
        kernel: {
          links,
          rows: [...rows, { interfaceIndex: 2, address: ip('198.51.100.100'), prefixLength: 24 }],
        },
      },
    ],
    [
      'an own address after the VIP, which may be promoted',
      {
        addresses: [
          { ...vip, flags: 0x80 },
          { ...own, flags: 0x81 },
        ],
        system: { '/proc/sys/net/ipv4/conf/all/promote_secondaries': '1' },
      },
    ],
    [
      'a program at the VIP that may bind before it is there',
      {
        system: {
          '/proc/net/tcp': '  sl\n   0: 646433C6:0050 00000000:0000 0A',
          '/proc/sys/net/ipv4/ip_nonlocal_bind': '1',
        },
      },
    ],
    [
      'a connection from the VIP',
      { system: { '/proc/net/tcp': '  sl\n   0: 646433C6:0050 00000000:0000 01' } },
    ],
    [
      'few lost packets, long ago',
      {
        system: {
          '/sys/class/net/eth0/statistics/rx_missed_errors': '90',
          '/sys/class/net/eth0/statistics/rx_packets': '1000',
        },
      },
    ],
    [
      'a bond with both legs',
      {
        system: {
          '/sys/class/net/eth0/bonding/mode': 'active-backup 1',
          '/sys/class/net/eth0/bonding/miimon': '100',
          '/sys/class/net/eth0/bonding/arp_interval': '0',
        },
      },
    ],
    [
      'a cloud in which an address was seen to move',
      { system: { '/sys/class/dmi/id/sys_vendor': 'Amazon EC2' } },
    ],
    [
      'Hyper-V of its own',
      {
        says: { vips: [{ ...STATUS.vips[0], belief: undefined }] },
        system: { '/sys/class/dmi/id/sys_vendor': 'Microsoft Corporation' },
      },
    ],
    ['no ethtool', { features: () => undefined }],
    [
      'a belief that is young',
      { says: { sinceMs: 3000, vips: [{ ...STATUS.vips[0], belief: { owner: 'unknown' } }] } },
    ],
    ['clocks that cannot be compared closely', { clock: { aheadMs: 1500, uncertainMs: 900 } }],
  ];
  for (const [name, changes] of table) {
    test(name, async () => assert.deepEqual(await bad(changes), []));
  }
});

test('settings of this kernel are gathered for --fix, and a drop-in keeps what it had', async () => {
  const nat = settingsOf('network = nat', 'heartbeat_key_file = /key');
  const system = { '/proc/sys/net/ipv4/ip_forward': '0' };
  const sysctls = sysctlsOf(await examine(machine({ of: nat, system }), false));
  assert.deepEqual(sysctls, [{ path: 'net/ipv4/ip_forward', value: 1 }]);
  const first = dropInText('', sysctls);
  assert.equal(first, '# Written by piranha doctor --fix.\nnet.ipv4.ip_forward = 1\n');
  const vlan = [{ path: 'net/ipv4/conf/eth0.7/rp_filter', value: 2 }];
  const second = dropInText(first, vlan);
  assert.equal(second, `${first}net/ipv4/conf/eth0.7/rp_filter = 2\n`);
  assert.equal(dropInText(second, [...sysctls, ...vlan]), second);
});

test('an address is within a network by its bits', () => {
  assert.equal(isWithin(ip('198.51.100.255'), ip('198.51.100.1'), 24), true);
  assert.equal(isWithin(ip('198.51.101.0'), ip('198.51.100.1'), 24), false);
  assert.equal(isWithin(ip('198.51.101.0'), ip('198.51.100.1'), 23), true);
  assert.equal(isWithin(ip('fd77::ffff'), ip('fd77::1'), 64), true);
  assert.equal(isWithin(ip('fd78::1'), ip('198.51.100.1'), 0), false);
});
