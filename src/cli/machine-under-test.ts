/** A machine on which everything is well, for tests of the doctor: each changes what it wants to be wrong. */
import assert from 'node:assert/strict';
import { ip, mac, ok } from '../base/index.ts';
import { parseSettings } from '../config/index.ts';
import type { StatusDocument } from '../director/index.ts';
import type { Settings } from '../model/index.ts';
import { examine } from './doctor.ts';
import type { Facts } from './doctor-facts.ts';

/** The words SIX and STICKY change the service: IPv6, persistent and quiescing. */
export function settingsOf(...lines: readonly string[]): Settings {
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

export const STATUS = {
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

export type Changes = {
  readonly [name in keyof Facts]?: Facts[name] | undefined;
} & {
  readonly of?: Settings;
  readonly says?: object;
  readonly system?: Readonly<Record<string, string>>;
};

/** A machine on which everything is well, but for the changes. */
export function machine({ of = DIRECT, says = {}, system = {}, ...changes }: Changes = {}): Facts {
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

export async function bad(changes: Changes): Promise<readonly string[]> {
  const findings = await examine(machine(changes), false);
  return findings
    .filter(({ severity }) => severity !== 'good')
    .map(({ severity, check }) => `${severity} ${check}`);
}
