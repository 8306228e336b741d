import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { instant } from '../base/index.ts';
import { down, PROBE_FAILURES, UP, type VirtualService } from '../model/index.ts';
import { desiredTable, servicesStatus, servicesWakeAt } from './services-state.ts';
import { SERVER_REASONS } from './services-types.ts';
import { planTable } from './table-plan.ts';
import { Bench, HEAD, SORRY, section, settings, TWO, weigh } from './test-services.ts';

test('a virtual service stands at once, its servers only after their first good check', () => {
  const bench = new Bench().load(settings(TWO));
  assert.deepEqual(bench.rows(), ['tcp 198.51.100.100:80:']);
  bench.probe('21').probe('22', false);
  assert.deepEqual(bench.rows(), ['tcp 198.51.100.100:80: .21 w1']);
});

test('H2: one success admits, one failure removes, floor(reentry / timeout) successes bring back', () => {
  const wish = settings(section('web', 'timeout = 6\nreentry = 15', ['a 21']));
  const bench = new Bench().load(wish);
  assert.deepEqual(bench.probe('21').notes(), ['a 1 healthy', 'quorum true']);
  assert.deepEqual(bench.probe('21', false).notes(), [
    'a undefined connect-refused',
    'quorum false',
  ]);
  assert.deepEqual(bench.probe('21').notes(), []);
  assert.deepEqual(bench.probe('21').rows(), ['tcp 198.51.100.100:80: .21 w1']);
});

test('H5: the slow start of weight 100 appears in the table as 3, 6, 12, 24, 48, 96, 100', () => {
  const bench = new Bench()
    .load(settings(section('web', 'timeout = 10', ['a 21 100'])))
    .probe('21');
  const seen = [bench.rows()[0]?.split(' w')[1]];
  for (let at = servicesWakeAt(bench.state); at !== undefined; at = servicesWakeAt(bench.state)) {
    assert.equal(at - bench.now, 20_000);
    seen.push(bench.wake(at).rows()[0]?.split(' w')[1]);
  }
  assert.deepEqual(seen, ['3', '6', '12', '24', '48', '96', '100']);
});

test('H6: quiesce_server keeps a failed server with weight 0', () => {
  const wish = settings(section('web', 'quiesce_server = 1', ['a 21', 'b 22']));
  const bench = new Bench().load(wish).probe('21').probe('22').probe('21', false);
  assert.deepEqual(bench.rows(), ['tcp 198.51.100.100:80: .21 w0, .22 w1']);
});

test('H6: the sorry server comes with the last real server that goes, in one table, and goes with the first back', () => {
  const bench = new Bench().load(settings(SORRY)).probe('21').probe('22');
  assert.deepEqual(bench.probe('21', false).rows(), ['tcp 198.51.100.100:80: .22 w1']);
  bench.probe('22', false);
  assert.deepEqual([bench.rows(), bench.tables()], [['tcp 198.51.100.100:80: .99 w1'], 1]);
  bench.probe('21');
  assert.deepEqual([bench.rows(), bench.tables()], [['tcp 198.51.100.100:80: .21 w1'], 1]);
});

test('H6: with quiesce_server the sorry server comes although rows of weight 0 are left', () => {
  const text = section('web', 'sorry_server = 198.51.100.99\nquiesce_server = 1', ['a 21']);
  const bench = new Bench().load(settings(text)).probe('21').probe('21', false);
  assert.deepEqual(bench.rows(), ['tcp 198.51.100.100:80: .21 w0, .99 w1']);
});

test('the sorry server waits until every server has had its first conclusion', () => {
  const bench = new Bench().load(settings(SORRY)).probe('21', false);
  assert.deepEqual(bench.rows(), ['tcp 198.51.100.100:80:']);
  assert.deepEqual(bench.probe('22', false).rows(), ['tcp 198.51.100.100:80: .99 w1']);
});

test('after a restart what stands is kept, weights and sorry server, until the first conclusion', () => {
  const text = section('web', 'sorry_server = 198.51.100.99', ['a 21 100', 'b 22']);
  const first = new Bench().load(settings(text)).probe('21').probe('22');
  const standing = desiredTable(first.wake(30_000).state);
  const second = new Bench().load(settings(text), standing);
  assert.deepEqual(second.rows(), ['tcp 198.51.100.100:80: .21 w6, .22 w1']);
  assert.deepEqual(planTable(desiredTable(second.state), standing, new Set()), []);
  assert.deepEqual(second.wake(1e9).rows(), ['tcp 198.51.100.100:80: .21 w6, .22 w1']);
  assert.deepEqual(second.probe('22', false).rows(), ['tcp 198.51.100.100:80: .21 w6']);

  const sorry = desiredTable(first.probe('21', false).probe('22', false).state);
  const third = new Bench().load(settings(text), sorry);
  assert.deepEqual(third.rows(), ['tcp 198.51.100.100:80: .99 w1']);
});

test('equal probes of one server are made once, and decide for every service', () => {
  const text =
    section('web', 'port = 80', ['a 21']) +
    section('alt', 'port = 80\naddress = 198.51.100.101 eth0:2', ['a 21']);
  const bench = new Bench().load(settings(text));
  const wish = bench.effects.find((effect) => effect.kind === 'checks');
  assert.equal(wish?.checks.length, 1);
  assert.deepEqual(bench.probe('21').rows(), [
    'tcp 198.51.100.100:80: .21 w1',
    'tcp 198.51.100.101:80: .21 w1',
  ]);
  assert.equal(bench.tables(), 1);
});

test('sections of one firewall mark are one service, and a server must pass the checks of all', () => {
  const text =
    section('http', 'port = 80\nfwmark = 5\npersistent = 60', ['a 21', 'b 22']) +
    section('https', 'port = 443\nfwmark = 5\npersistent = 60', ['a 21', 'b 22']);
  const bench = new Bench().load(settings(text));
  const [one, two] = [...bench.state.plan.checks.values()].filter((c) => c.address.endsWith('.21'));
  assert.ok(one !== undefined && two !== undefined && one.port !== two.port);
  const up = (check: string) => ({ check, verdict: UP });
  bench.feed({ kind: 'verdicts', now: bench.at(), verdicts: [up(one.key)] });
  assert.deepEqual(bench.rows(), ['mark 5:']);
  bench.feed({ kind: 'verdicts', now: bench.at(), verdicts: [up(two.key)] });
  assert.deepEqual(bench.rows(), ['mark 5: .21 w1']);
  // Ports differ: the client's own is kept.
  assert.equal(desiredTable(bench.state)[0]?.destinations[0]?.port, 0);
});

test('a hundred servers that fail in one batch make one table', () => {
  const servers = Array.from({ length: 100 }, (_, index) => `s${index} ${index + 100}`);
  const bench = new Bench().load(settings(section('web', 'port = 80', servers)));
  const all = (verdict: typeof UP) =>
    [...bench.state.plan.checks.keys()].map((check) => ({ check, verdict }));
  bench.feed({ kind: 'verdicts', now: bench.at(), verdicts: all(UP) });
  assert.equal(desiredTable(bench.state)[0]?.destinations.length, 100);
  bench.feed({ kind: 'verdicts', now: bench.at(), verdicts: all(down('timeout', '')) });
  assert.deepEqual([bench.tables(), bench.rows()], [1, ['tcp 198.51.100.100:80:']]);
});

test('a verdict that changes nothing has no effect at all and leaves the state as it is', () => {
  const bench = new Bench().load(settings(TWO)).probe('21');
  const before = bench.state;
  bench.probe('21');
  assert.equal(bench.state, before);
  assert.deepEqual(bench.effects, []);
});

test('a verdict of a check that a reload removed is ignored', () => {
  const bench = new Bench().load(settings(TWO)).probe('21');
  const before = bench.state;
  const stray = { check: 'gone', verdict: down('timeout', '') };
  bench.feed({ kind: 'verdicts', now: bench.at(), verdicts: [stray] });
  assert.equal(bench.state, before);
});

test('H7: a reload that changes one weight is exactly one write, and nothing is proven anew', () => {
  const bench = new Bench().load(settings(TWO)).probe('21').probe('22');
  const standing = desiredTable(bench.state);
  bench.load(settings(section('web', 'port = 80', ['a 21 7', 'b 22'])));
  const plan = planTable(desiredTable(bench.state), standing, new Set());
  assert.deepEqual(
    plan.map((operation) => operation.kind),
    ['edit-destination'],
  );
  assert.deepEqual(bench.rows(), ['tcp 198.51.100.100:80: .21 w7, .22 w1']);
});

test('H7: a reload with a new check keeps servers in service until it concludes', () => {
  const bench = new Bench().load(settings(TWO)).probe('21').probe('22');
  bench.load(settings(section('web', 'send = "PING"\nexpect = "PONG"', ['a 21', 'b 22'])));
  assert.deepEqual(bench.rows(), ['tcp 198.51.100.100:80: .21 w1, .22 w1']);
  assert.deepEqual(bench.probe('22', false).rows(), ['tcp 198.51.100.100:80: .21 w1']);
});

test('H7: a server that left the file leaves the table, a new one must prove itself', () => {
  const bench = new Bench().load(settings(TWO)).probe('21').probe('22');
  bench.load(settings(section('web', 'port = 80', ['b 22', 'c 23'])));
  assert.deepEqual(bench.rows(), ['tcp 198.51.100.100:80: .22 w1']);
  assert.deepEqual(bench.probe('23').rows(), ['tcp 198.51.100.100:80: .22 w1, .23 w1']);
});

test('H7: a reload with quiesce_server = 0 takes the row of a failed server out, one with 1 brings none in', () => {
  const wish = (quiesces: number) =>
    settings(section('web', `quiesce_server = ${quiesces}`, ['a 21', 'b 22']));
  const bench = new Bench().load(wish(1)).probe('21').probe('22').probe('21', false);
  assert.deepEqual(bench.rows(), ['tcp 198.51.100.100:80: .21 w0, .22 w1']);
  assert.deepEqual(bench.load(wish(0)).rows(), ['tcp 198.51.100.100:80: .22 w1']);
  assert.deepEqual(bench.load(wish(1)).rows(), ['tcp 198.51.100.100:80: .22 w1']);
});

test('H7: a reload with load_monitor = none brings a raised weight back, and leaves a slow start alone', () => {
  const wish = (monitor: string) =>
    settings(section('web', `load_monitor = ${monitor}`, ['a 21 4', 'b 22 64']));
  const bench = new Bench().load(wish('uptime')).probe('21').wake(1e6);
  const loads = new Map([['198.51.100.21', 0.1]]);
  for (let round = 0; round < 20; round++) bench.feed({ kind: 'loads', now: bench.at(), loads });
  bench.probe('22');
  assert.deepEqual(bench.rows(), ['tcp 198.51.100.100:80: .21 w24, .22 w2']);
  assert.deepEqual(bench.load(wish('none')).rows(), ['tcp 198.51.100.100:80: .21 w4, .22 w2']);
  assert.equal(bench.wake(bench.now + 20_000).rows()[0], 'tcp 198.51.100.100:80: .21 w4, .22 w4');
});

test('a server that is down from the start is named, once, with its reason', () => {
  const bench = new Bench().load(settings(section('web', 'reentry = 30', ['a 21', 'b 22'])));
  assert.deepEqual(bench.probe('21', false).notes(), ['a undefined connect-refused']);
  assert.equal(bench.tables(), 0);
  assert.deepEqual(bench.probe('21', false).notes(), []);
  bench.override('b', { kind: 'disable' });
  assert.deepEqual(bench.probe('22', false).notes(), [], 'the operator knows of it');
});

test('a server that a reload brings in is named when the check that it shares is down already', () => {
  const bench = new Bench().load(settings(TWO)).probe('21').probe('22', false);
  const more = section('alt', 'address = 198.51.100.101 eth0:2', ['a 21', 'b 22']);
  bench.load(settings(TWO + more));
  assert.deepEqual(bench.notes(), ['a 1 healthy', 'b undefined connect-refused', 'quorum true']);
  // A changed check concludes anew.
  bench.load(settings(section('web', 'send = "PING"\nexpect = "PONG"', ['a 21', 'b 22'])));
  assert.deepEqual(bench.probe('22', false).notes(), ['b undefined connect-refused']);
});

test('H8: a monitor that cannot work takes its server out and no more; hard_shutdown = 1 takes all down', () => {
  const trouble = down('own-limits', 'EMFILE');
  for (const isHard of [false, true]) {
    const head = HEAD.replace('hard_shutdown = 0', `hard_shutdown = ${isHard ? 1 : 0}`);
    const bench = new Bench().load(settings(TWO, head)).probe('21').probe('22');
    const [check = ''] = bench.state.plan.checks.keys();
    bench.feed({ kind: 'verdicts', now: bench.at(), verdicts: [{ check, verdict: trouble }] });
    assert.deepEqual(bench.rows(), ['tcp 198.51.100.100:80: .22 w1']);
    assert.equal(
      bench.effects.some(({ kind }) => kind === 'failed'),
      isHard,
    );
    bench.feed({ kind: 'refused', now: bench.at(), text: 'kernel refused scheduler mh: ENOENT' });
    assert.equal(
      bench.effects.some(({ kind }) => kind === 'failed'),
      isHard,
    );
  }
});

test('a quorum with hysteresis is reached above, lost below, and its hooks run at the changes only', () => {
  const bare = settings(section('web', 'reentry = 10', ['a 21', 'b 22', 'c 23', 'd 24']));
  const quorum = { weight: 2, hysteresis: 1, upCommand: 'up', downCommand: 'down' };
  const withQuorum = (service: VirtualService) => ({ ...service, quorum });
  const wish = { ...bare, virtualServices: bare.virtualServices.map(withQuorum) };
  const bench = new Bench().load(wish).probe('21');
  assert.deepEqual(bench.notes(), ['a 1 healthy']);
  assert.deepEqual(bench.probe('22').notes(), ['b 1 healthy', 'quorum true', 'hook up']);
  assert.deepEqual(bench.probe('22', false).notes(), ['b undefined connect-refused']);
  bench.probe('21', false);
  assert.deepEqual(bench.notes(), ['a undefined connect-refused', 'quorum false', 'hook down']);
  bench.probe('21').probe('22');
  assert.deepEqual(bench.notes(), ['b 1 healthy']);
  assert.deepEqual(bench.probe('23').notes(), ['c 1 healthy', 'quorum true', 'hook up']);
});

test('a service without servers is a VIP: no word of a quorum', () => {
  assert.deepEqual(new Bench().load(settings(section('web', '', []))).notes(), []);
});

test('load_monitor asks for loads, and they raise the weight of servers in full service', () => {
  const text = section('web', 'load_monitor = uptime', ['a 21 4']);
  const bench = new Bench()
    .load(settings(text, `${HEAD}rsh_command = ssh\n`))
    .probe('21')
    .wake(1e6);
  assert.deepEqual(bench.state.plan.loads, [
    { address: '198.51.100.21', argv: ['ssh', '198.51.100.21', 'uptime'] },
  ]);
  const loads = new Map([['198.51.100.21', 0]]);
  assert.deepEqual(bench.feed({ kind: 'loads', now: bench.at(), loads }).rows(), [
    'tcp 198.51.100.100:80: .21 w6',
  ]);
});

test('status tells every server with its reason', () => {
  const bench = new Bench().load(
    settings(section('web', 'port = 80', ['a 21 64', 'b 22', 'c 23', 'd 24'])),
  );
  bench.probe('21').probe('22', false).probe('24').override('d', { kind: 'drain' });
  const [service] = servicesStatus(bench.state);
  const rows = service?.servers.map(({ name, weight, reason }) => `${name} ${weight} ${reason}`);
  assert.deepEqual(rows, [
    'a 2 slow-start',
    'b undefined connect-refused',
    'c undefined unproven',
    'd 0 drained',
  ]);
});

test('a server that was down is recovering while its checks are good, and not yet often enough', () => {
  const bench = new Bench().load(settings(section('web', 'rise = 3', ['a 21'])));
  const reasons = [false, true, true, false, true, true, true].map((isUp) => {
    const [service] = servicesStatus(bench.probe('21', isUp).state);
    return service?.servers[0]?.reason;
  });
  const [once, again] = [['connect-refused', 'recovering', 'recovering'], ['healthy']];
  assert.deepEqual(reasons, [...once, ...once, ...again]);
});

test('with service = fos there is no virtual service', () => {
  const text = TWO + TWO.replace('virtual web', 'failover f').replace(/server [^}]*}/g, '');
  const bench = new Bench().load(settings(text, HEAD.replace('service = lvs', 'service = fos')));
  assert.deepEqual(bench.rows(), []);
});

const SECTIONS = [
  section('web', 'sorry_server = 198.51.100.99\nreentry = 20', ['a 21 40', 'b 22']),
  section('alt', 'port = 81\nquiesce_server = 1\nsorry_server = 198.51.100.98', ['a 21', 'c 23 3']),
  section('mark', 'port = 82\nfwmark = 7', ['b 22', 'c 23']),
  section('mark2', 'port = 83\nfwmark = 7', ['c 23', 'd 24 9']),
];
const WISHES = [0b1111, 0b0111, 0b1101, 0b0010].map((bits) =>
  settings(SECTIONS.filter((_, index) => (bits >> index) & 1).join('')),
);

const event = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('probe' as const),
      pick: fc.nat(),
      isUp: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('wait' as const),
      ms: fc.integer({ min: 1, max: 40_000 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reload' as const), pick: fc.nat() }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('override' as const),
      target: fc.constantFrom('a', 'b', 'web/a', 'mark2/d'),
      word: fc.constantFrom('drain', 'disable', 'force-up', 'weight', undefined),
      weight: fc.constantFrom(0, 1, 5, 100),
      ms: fc.option(fc.integer({ min: 1, max: 30_000 }), { nil: undefined }),
    }),
  },
);

function play(bench: Bench, item: typeof event extends fc.Arbitrary<infer E> ? E : never): void {
  switch (item.kind) {
    case 'probe': {
      const keys = [...bench.state.plan.checks.keys()];
      const verdict = item.isUp ? UP : down('timeout', '');
      const verdicts = [{ check: keys[item.pick % keys.length] ?? '', verdict }];
      bench.feed({ kind: 'verdicts', now: bench.at(), verdicts });
      return;
    }
    case 'wait':
      bench.wake(bench.now + item.ms);
      return;
    case 'reload':
      bench.load(WISHES[item.pick % WISHES.length] ?? settings(TWO));
      return;
    case 'override': {
      const until = item.ms === undefined ? {} : { until: instant(bench.now + item.ms) };
      const { word } = item;
      const said = word === 'weight' ? weigh(item.weight) : word && { kind: word };
      bench.override(item.target, said && { ...said, ...until });
    }
  }
}

test('whatever happens, only proven servers take traffic and the sorry server is there exactly when nobody else is', () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), (events) => {
      const bench = new Bench().load(WISHES[0] ?? settings(TWO));
      for (const item of events) {
        const before = desiredTable(bench.state);
        play(bench, item);
        assert.ok(bench.tables() <= 1);
        const changed = planTable(desiredTable(bench.state), before, new Set()).length > 0;
        if (bench.tables() === 0) assert.equal(changed, false, 'a change without a table');
        if (bench.tables() === 1 && item.kind !== 'reload')
          assert.equal(changed, true, 'a needless table');
        for (const service of servicesStatus(bench.state)) {
          const serving = service.servers.filter(
            ({ weight }) => weight !== undefined && weight > 0,
          );
          for (const { weight, configuredWeight, reason, override } of serving) {
            const words = ['healthy', 'slow-start', 'kept', 'forced-up', 'weighed'];
            assert.ok(words.includes(reason), reason);
            const most = override?.kind === 'weight' ? override.weight : configuredWeight;
            assert.ok((weight ?? 0) <= most, `${weight} above ${most}`);
            if (reason === 'weighed') assert.equal(weight, most);
          }
          const isPending = service.servers.some(({ reason }) => reason === 'unproven');
          const isShown = service.sorryServer?.isShown ?? false;
          if (serving.length > 0) assert.equal(isShown, false);
          else if (!isPending && service.sorryServer !== undefined) assert.equal(isShown, true);
        }
        const wake = servicesWakeAt(bench.state);
        if (item.kind === 'wait')
          assert.ok(wake === undefined || wake > bench.now, 'a stale deadline');
      }
    }),
    { numRuns: 400 },
  );
});

test('every reason of a server is explained in docs/reasons.md', () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/reasons.md'), 'utf8');
  const chapter = page.split('# Reasons of a real server')[1] ?? '';
  const told = [...chapter.matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, word]) => word);
  assert.deepEqual(told, [...SERVER_REASONS, ...PROBE_FAILURES]);
});
