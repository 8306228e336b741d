import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { after, instant, ip } from '../base/index.ts';
import { type Beliefs, isKnown, learnBelief, NO_BELIEFS } from './belief.ts';
import { OWN, PARTNER, plan, VIP } from './imagined-ports.ts';
import { type PulseSnapshot, zeroCounters } from './messages.ts';
import { zeroMeters } from './meters.ts';
import { addChange, type RoleChange, type StatusDocument, statusDocument } from './status.ts';

const AT = instant(50_000);

function document(
  changes: Partial<PulseSnapshot>,
  failover: Parameters<typeof plan>[0] = {},
  askedMsLater = 0,
  beliefs: Beliefs = NO_BELIEFS,
): StatusDocument {
  const snapshot: PulseSnapshot = {
    at: AT,
    role: 'standby',
    reason: 'start',
    since: after(AT, -4000),
    addresses: { isSettled: true },
    partnerSaid: 'nothing',
    heardAt: {},
    linksDown: [],
    counters: zeroCounters(),
    meters: zeroMeters(),
    ...changes,
  };
  const frame = {
    pid: 17,
    node: 'backup',
    file: 'lvs.cf',
    serialNo: 7,
    startedAtWallMs: 0,
    plan: plan(failover),
  } as const;
  const clocks = { now: after(AT, askedMsLater), wallMs: 1_000_000 };
  return statusDocument(frame, snapshot, [], clocks, beliefs);
}

const heard = { heardAt: { public: after(AT, -40) } };

describe('the verdict', () => {
  const rows: readonly (readonly [string, StatusDocument, string, RegExp])[] = [
    [
      'active with a standby partner is healthy',
      document({ role: 'active', partnerSaid: 'stopped', ...heard }),
      'healthy',
      /^This director is active; nobody is asked whether it is believed; the partner is standby\.$/,
    ],
    [
      'active alone by configuration is healthy',
      document({ role: 'active' }, { paths: [] }),
      'healthy',
      /no partner is configured/,
    ],
    [
      'active with a silent partner is degraded, and the partner is not called down',
      document({ role: 'active', heardAt: { public: after(AT, -9000) } }),
      'degraded',
      /the partner is silent: nobody is known to be able to take over/,
    ],
    [
      'active behind a cable that is out is critical, though the partner is heard on another path',
      document({
        role: 'active',
        partnerSaid: 'stopped',
        heardAt: { private: after(AT, -40) },
        linksDown: ['public'],
      }),
      'critical',
      /^This director is active, but its interface on the public path has no link\.$/,
    ],
    [
      'two active directors are critical',
      document({ role: 'active', partnerSaid: 'running', ...heard }),
      'critical',
      /the partner says it is active too/,
    ],
    [
      'an active director whose addresses the kernel refuses is critical',
      document({ role: 'active', addresses: { isSettled: true, refusal: 'kernel refused x' } }),
      'critical',
      /is active, but kernel refused x\./,
    ],
    [
      'standby behind an active partner is healthy',
      document({ partnerSaid: 'running', ...heard }),
      'healthy',
      /^This director is standby and could take over; the partner is active;/,
    ],
    [
      'two standby directors are degraded',
      document({ partnerSaid: 'stopped', ...heard }),
      'degraded',
      /nobody is known to hold the VIPs yet/,
    ],
    [
      'a standby that may not take over says why',
      document({ role: 'fault', reason: 'link-failure', ...heard }),
      'degraded',
      /may not take over \(link-failure\)/,
    ],
    [
      'a worker that does not answer is critical, whatever it said last',
      document({ role: 'active', partnerSaid: 'stopped', ...heard }, {}, 4000),
      'critical',
      /The pulse worker has said nothing for 4\.0 s\./,
    ],
  ];
  for (const [name, { verdict }, level, text] of rows) {
    test(name, () => {
      assert.equal(verdict.level, level);
      assert.match(verdict.text, text);
    });
  }
});

test('a path shows when it was heard, as of the snapshot', () => {
  const { partner } = document(heard, {}, 700);
  assert.equal(partner.state, 'heard');
  assert.deepEqual(partner.paths, [
    {
      name: 'public',
      own: OWN.public,
      partner: PARTNER.public,
      link: 'up',
      heardMsAgo: 40,
      sent: 0,
      sendErrors: 0,
      received: 0,
    },
  ]);
});

test('since is a wall time and an age', () => {
  const { since, sinceMs } = document({});
  assert.equal(sinceMs, 4000);
  assert.equal(since, new Date(996_000).toISOString());
});

test('the eleventh role change pushes the oldest out', () => {
  let changes: readonly RoleChange[] = [];
  for (let index = 0; index < 11; index++) {
    const at = `change ${index}`;
    changes = addChange(changes, { at, from: 'standby', to: 'active', reason: 'forced' });
  }
  assert.equal(changes.length, 10);
  assert.equal(changes[0]?.at, 'change 10');
  assert.equal(changes.at(-1)?.at, 'change 1');
});

describe('belief', () => {
  const router = ip('198.51.100.1');
  const believed = { kind: 'believed', vips: [VIP], witness: router, tookMs: 3.1 } as const;
  const active = { role: 'active', partnerSaid: 'stopped', ...heard } as const;
  const rank = {
    epoch: 3,
    dialect: 'extended',
    isDeaf: false,
    answering: [router],
    isAsking: true,
    isHearing: true,
  } as const;
  const doubt = { kind: 'unbelieved', vips: [VIP] } as const;

  test('a proof is shown with its witness and time, and a repeated one is no news', () => {
    const beliefs = learnBelief(NO_BELIEFS, believed);
    const [vip] = document(active, {}, 0, beliefs).vips;
    assert.deepEqual(vip?.belief, { owner: 'us', witness: router, tookMs: 3.1 });
    assert.equal(isKnown(NO_BELIEFS, believed), false);
    assert.equal(isKnown(beliefs, believed), true);
    assert.equal(learnBelief(beliefs, { ...believed, tookMs: 9 }), beliefs);
  });

  test('a rival heard on the segment is critical, until a witness proves the opposite', () => {
    const claimed = learnBelief(NO_BELIEFS, { kind: 'foreign-claim', vip: VIP, by: 'partner' });
    const { verdict } = document(active, {}, 0, claimed);
    assert.equal(verdict.level, 'critical');
    assert.match(verdict.text, /but the partner claims 198\.51\.100\.100 on the segment/);
    assert.equal(learnBelief(claimed, doubt).get(VIP)?.owner, 'partner');
    assert.equal(document(active, {}, 0, learnBelief(claimed, believed)).verdict.level, 'healthy');
  });

  test('an owner that hears none of witness_hosts is critical, although it still owns', () => {
    const { verdict } = document({ ...active, rank: { ...rank, isIsolated: true } });
    assert.equal(verdict.level, 'critical');
    assert.match(verdict.text, /active, but it hears none of witness_hosts \(isolated\)/);
  });

  test('a witness that answers us and not the VIP is critical; one that answers nobody says nothing', () => {
    const beliefs = learnBelief(NO_BELIEFS, doubt);
    const { verdict } = document({ ...active, rank }, {}, 0, beliefs);
    assert.equal(verdict.level, 'critical');
    assert.match(verdict.text, /198\.51\.100\.1, which answers us, does not send/);
    const silent = document({ ...active, rank: { ...rank, answering: [] } }, {}, 0, beliefs);
    assert.equal(silent.verdict.level, 'healthy');
    assert.equal(silent.vips[0]?.belief?.owner, 'unknown');
    const other = { ...rank, answering: [ip('2001:db8::1')] }; // IPv6: no witness for this VIP
    assert.equal(document({ ...active, rank: other }, {}, 0, beliefs).verdict.level, 'healthy');
  });

  test('the verdict of an owner says who sends the VIPs here, and whether the partner could take over', () => {
    const partner = {
      role: 'standby',
      isEligible: true,
      reason: 'start',
      epoch: 3,
      leaseMs: 0,
      serialNo: 7,
      configDigest: '',
    } as const;
    const beliefs = learnBelief(NO_BELIEFS, believed);
    const textOf = (changes: object, known = beliefs) =>
      document({ ...active, rank: { ...rank, ...changes } }, {}, 0, known).verdict;
    assert.deepEqual(textOf({ partner }), {
      level: 'healthy',
      text: 'This director is active; 198.51.100.1 sends the VIP here; the partner is standby and could take over.',
    });
    const unable = textOf({ partner: { ...partner, isEligible: false, reason: 'operator' } });
    assert.equal(unable.level, 'degraded');
    assert.match(unable.text, /the partner may not take over \(operator\)\.$/);
    assert.match(
      textOf({ partner, answering: [] }, NO_BELIEFS).text,
      /no witness has confirmed it/,
    );
    assert.match(textOf({ isAsking: false }, NO_BELIEFS).text, /nobody is asked whether/);
  });

  test('what was believed in an earlier role is forgotten with it', () => {
    const change = { kind: 'role', from: 'active', to: 'standby', reason: 'outranked' } as const;
    assert.equal(learnBelief(learnBelief(NO_BELIEFS, believed), change).size, 0);
  });

  test('a deaf standby is critical: its partner may be well', () => {
    const { verdict } = document({ rank: { ...rank, isDeaf: true } });
    assert.equal(verdict.level, 'critical');
    assert.match(verdict.text, /hears nothing at all on the segment/);
  });
});
