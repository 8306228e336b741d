import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ip } from '../base/index.ts';
import type { StatusDocument } from '../director/index.ts';
import { examine } from './doctor.ts';
import { CHECKS } from './doctor-checks.ts';
import { type Facts, isWithin } from './doctor-facts.ts';
import { dropInText, fixText, sysctlsOf } from './doctor-fix.ts';
import { bad, type Changes, machine, STATUS, settingsOf } from './machine-under-test.ts';

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
