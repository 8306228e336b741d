import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ip } from '../base/index.ts';
import { bad, type Changes, machine, STATUS } from './machine-under-test.ts';

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
