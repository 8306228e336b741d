import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ip, mac, ok } from '../base/index.ts';
import { parseSettings } from '../config/index.ts';
import type { StatusDocument } from '../director/index.ts';
import type { Settings } from '../model/index.ts';
import { examine, fixText } from './doctor.ts';
import { CHECKS } from './doctor-checks.ts';
import { type Facts, isWithin } from './doctor-facts.ts';

function settingsOf(...lines: readonly string[]): Settings {
  const head = ['primary = 198.51.100.11', 'backup = 198.51.100.12', 'backup_active = 1'];
  const service = [
    ...['virtual shop {', 'active = 1', 'address = 198.51.100.100 eth0:1', 'scheduler = wlc'],
    ...['server web {', 'active = 1', 'address = 198.51.100.21', '}', '}'],
  ];
  const { settings, problems } = parseSettings([...head, ...lines, ...service].join('\n'), {
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
  timers: { keepaliveMs: 2000, deadtimeMs: 5000 },
  configuration: { file: 'lvs.cf', serialNo: 7 },
  partner: {
    state: 'heard',
    said: 'stopped',
    paths: [{ name: 'public', own: 'a', partner: 'b', link: 'up', heardMsAgo: 30 }],
  },
  pair: {
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
    read: (path) => files[path],
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
  const tunnel = settingsOf('network = tunnel', 'heartbeat_key_file = /key');
  const lease = STATUS.pair.lease;
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
    ['a tunnel in ordinary frames', { of: tunnel }, 'warning tunnel-mtu'],
  ];
  for (const [name, changes, expected] of table) {
    test(name, async () => {
      const found = await bad(changes);
      assert.ok(found.includes(expected), found.join());
    });
  }

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

test('an address is within a network by its bits', () => {
  assert.equal(isWithin(ip('198.51.100.255'), ip('198.51.100.1'), 24), true);
  assert.equal(isWithin(ip('198.51.101.0'), ip('198.51.100.1'), 24), false);
  assert.equal(isWithin(ip('198.51.101.0'), ip('198.51.100.1'), 23), true);
  assert.equal(isWithin(ip('fd77::ffff'), ip('fd77::1'), 64), true);
  assert.equal(isWithin(ip('fd78::1'), ip('198.51.100.1'), 0), false);
});
