import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ip, mac } from '../base/index.ts';
import { parseSettings } from '../config/index.ts';
import type { KernelAddresses, Settings } from '../model/index.ts';
import { decideStart, tooTight } from './plan.ts';

const FILE = 'lvs.cf';

function settings(
  changes: Readonly<Record<string, string>> = {},
  more: readonly string[] = [],
): Settings {
  const global = {
    primary: '198.51.100.11',
    backup: '198.51.100.12',
    backup_active: '1',
    keepalive: '2',
    deadtime: '6',
    network: 'direct',
    ...changes,
  };
  const lines = Object.entries(global).map(([key, value]) => `${key} = ${value}`);
  const service = ['virtual web {', 'active = 1', 'address = 198.51.100.100 eth0:1', '}'];
  const parsed = parseSettings([...lines, ...service, ...more].join('\n'), { file: FILE });
  assert.ok(parsed.settings !== undefined, JSON.stringify(parsed.problems));
  return parsed.settings;
}

function machine(address: string, device = 'eth0'): KernelAddresses {
  return {
    links: [{ index: 2, name: device, isUp: true, hasCarrier: true }],
    rows: [{ interfaceIndex: 2, address: ip(address), prefixLength: 24 }],
  };
}

function decide(
  of: Settings,
  observed: KernelAddresses,
  missingCapabilities: readonly string[] = [],
): ReturnType<typeof decideStart> {
  return decideStart({ settings: of, observed, missingCapabilities });
}

describe('which node am I', () => {
  test('the one whose address is on one of my interfaces', () => {
    const asPrimary = decide(settings(), machine('198.51.100.11'));
    assert.equal(asPrimary.ok && asPrimary.value.node, 'primary');
    const asBackup = decide(settings(), machine('198.51.100.12'));
    assert.equal(asBackup.ok && asBackup.value.node, 'backup');
  });

  test('paths are seen from this node: public always, private when both private addresses are given', () => {
    const of = settings({ primary_private: '10.77.0.1', backup_private: '10.77.0.2' });
    const decided = decide(of, machine('198.51.100.12'));
    assert.ok(decided.ok);
    assert.deepEqual(decided.value.plan.failover.paths, [
      { name: 'public', own: '198.51.100.12', partner: '198.51.100.11' },
      { name: 'private', own: '10.77.0.2', partner: '10.77.0.1' },
    ]);
  });

  test('without a partner there is no path', () => {
    const decided = decide(settings({ backup_active: '0' }), machine('198.51.100.11'));
    assert.deepEqual(decided.ok && decided.value.plan.failover.paths, []);
  });
});

describe('refused before anything is touched, in one sentence', () => {
  const here = machine('198.51.100.11');
  const rows: readonly (readonly [string, ReturnType<typeof decide>, string])[] = [
    [
      'a machine that is neither node',
      decide(settings(), machine('203.0.113.1')),
      'lvs.cf: no local address matches primary 198.51.100.11 or backup 198.51.100.12',
    ],
    [
      'a deadtime that leaves no lease worth having',
      decide(settings({ keepalive_ms: '10', deadtime_ms: '30' }), here),
      'lvs.cf: deadtime (30 ms) with keepalive 10 ms is too tight: it leaves a lease of 4 ms, ' +
        'and one late heartbeat would end it; at least 20 with these timers',
    ],
    [
      'a lease shorter than two heartbeats',
      decide(settings({ lease_ms: '500' }), here),
      'lvs.cf: lease_ms 500 is too short: ' +
        'one late heartbeat would end it; at least 2010 with these timers',
    ],
    [
      'a missing capability',
      decide(settings(), here, ['CAP_NET_ADMIN', 'CAP_NET_RAW']),
      'CAP_NET_ADMIN and CAP_NET_RAW missing: run pulse as root, or grant it',
    ],
    [
      'an interface that is not there',
      decide(settings(), machine('198.51.100.11', 'ens3')),
      'lvs.cf:9: interface eth0 of VIP 198.51.100.100 does not exist',
    ],
    [
      'a backup node that is marked inactive',
      decide(settings({ backup_active: '0' }), machine('198.51.100.12')),
      'lvs.cf: backup node marked inactive, exiting',
    ],
    [
      'nothing to fail over',
      decide({ ...settings(), virtualServices: [] }, here),
      'lvs.cf: no virtual service is active: nothing to fail over',
    ],
    [
      'deadtime not above keepalive',
      decide({ ...settings(), keepaliveMs: 6000 }, here),
      'lvs.cf: deadtime (6000 ms) must be greater than keepalive (6000 ms)',
    ],
    [
      'services of the other kind only',
      decide({ ...settings(), service: 'fos' }, here),
      'lvs.cf: no failover service is active: nothing to fail over',
    ],
  ];
  for (const [name, decided, sentence] of rows) {
    test(name, () => {
      assert.equal(decided.ok ? 'accepted' : decided.error, sentence);
    });
  }
});

test('deadtime must bear twice the lateness that this machine has shown', () => {
  const timers = { keepaliveMs: 100, deadtimeMs: 300 };
  assert.equal(tooTight(timers, 99.9), undefined);
  assert.equal(
    tooTight(timers, 140.25),
    'deadtime (300 ms) is too tight for this machine: its timers were up to 140.3 ms late, ' +
      'which with keepalive 100 ms calls for at least 382 ms',
  );
});

describe('whom the core may ask', () => {
  const here: KernelAddresses = {
    links: [
      { index: 2, name: 'eth0', mac: mac('02:00:00:00:00:11'), isUp: true, hasCarrier: true },
    ],
    rows: [{ interfaceIndex: 2, address: ip('198.51.100.11'), prefixLength: 24 }],
  };
  const identity = { incarnation: 4096, keys: [], configDigest: '0000000000000000' };
  const gateways = [{ interfaceIndex: 2, address: ip('198.51.100.1') }];
  const failoverOf = (changes: Readonly<Record<string, string>>, more: readonly string[] = []) => {
    const of = settings(changes, more);
    const decided = decideStart({
      settings: of,
      observed: here,
      missingCapabilities: [],
      identity,
      gateways,
    });
    assert.ok(decided.ok, JSON.stringify(decided));
    return decided.value.plan.failover;
  };

  test('an IPv6 VIP beside an IPv4 gateway is not asked about, and not missed', () => {
    const six = ['virtual six {', 'active = 1', 'address = fd77::100 eth0', '}'];
    const { verification } = failoverOf({}, six);
    assert.deepEqual(verification, {
      asksWitnesses: true,
      unasked: ['fd77::100'],
      refreshMs: 60_000,
    });
  });

  test('witness_hosts count where they are on a segment of the VIPs', () => {
    assert.equal(failoverOf({}).extended?.namesWitnesses, false);
    const near = failoverOf({ witness_hosts: '198.51.100.50' });
    assert.equal(near.extended?.namesWitnesses, true);
    const far = failoverOf({ witness_hosts: '203.0.113.50' });
    assert.equal(far.extended?.namesWitnesses, false);
  });
});
