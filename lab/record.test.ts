import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import type { LabEvent } from './events.ts';
import { type RunFacts, type RunRecord, recordOf } from './record.ts';
import { spread, summarise } from './report.ts';
import { MACS } from './topology.ts';
import { type TrafficReport, trafficOf } from './traffic-record.ts';

/** A split brain that heals well, at 100/300 ms: db takes over at 1300, gives up at 2010, the router is back at 2015. */
const EVENTS: readonly LabEvent[] = [
  ['answering', 500, ['da']],
  ['heartbeat', 970, 'da', 'sent', 'segment', 'running'],
  ['heartbeat', 970, 'da', 'passed', 'segment', 'running'],
  ['probe', 1000, 'da', 0.2],
  ['heartbeat', 1070, 'da', 'sent', 'segment', 'running'],
  ['vip', 1275, 'db', 'raised'],
  ['announcement', 1276, 'db', 'reply', MACS.db],
  ['router', 1276, MACS.db, 4],
  ['router', 1277, MACS.db, 8],
  ['answering', 1280, ['da', 'db']],
  ['probe', 1500, 'db', 0.2],
  ['probe', 2005, 'db', 0.2],
  ['vip', 2010, 'db', 'gone'],
  ['probe', 2010, null, 0],
  ['stall', 2012, 3.5],
  ['answering', 2012, ['da']],
  ['announcement', 2015, 'da', 'reply', MACS.da],
  ['router', 2015, MACS.da, 4],
  ['probe', 2015, 'da', 0.2],
  ['probe', 2500, 'da', 0.2],
];

const FACTS: RunFacts = {
  incident: 'split',
  isHandover: false,
  isRest: false,
  director: 'piranha',
  keepaliveMs: 100,
  deadtimeMs: 300,
  run: 1,
  seed: 1,
  faultAt: 1000,
  endAt: 3000,
  marks: [
    { at: 1000, what: 'cut' },
    { at: 2000, what: 'healed' },
  ],
  ownersBefore: ['da'],
  routerBefore: MACS.da,
  end: { owners: ['da'], router: MACS.da },
  events: EVENTS,
};

test('a takeover is counted from the last heartbeat that got through, not from the last one sent', () => {
  const record = recordOf(FACTS);
  assert.equal(record.phaseMs, 30);
  assert.equal(record.takeoverMs, 305);
  assert.equal(record.overDeadtimeMs, 5);
});

test('a handover has no deadtime to be over', () => {
  assert.equal(recordOf({ ...FACTS, isHandover: true }).overDeadtimeMs, undefined);
});

test('time with one, both and no owner adds up to the length of the run', () => {
  const { ownersMs, answeringMs } = recordOf(FACTS);
  assert.deepEqual(ownersMs, { none: 0, one: 1265, both: 735 });
  assert.deepEqual(answeringMs, { none: 0, one: 1268, both: 732 });
});

test('the router is told by name, and a change of state alone is none', () => {
  assert.deepEqual(recordOf(FACTS).router, [
    { ms: 0, is: 'da' },
    { ms: 276, is: 'db' },
    { ms: 1015, is: 'da' },
  ]);
});

test('good is counted from the last step to when owner and router agreed for good', () => {
  assert.equal(recordOf(FACTS).goodAfterMs, 15);
});

test('probes are counted: lost, answered by the wrong one after the last step, and the longest outage', () => {
  const { probes, outageMs, worstStallMs } = recordOf(FACTS);
  assert.deepEqual(probes, { sent: 6, lost: 1, wrong: 1 });
  assert.equal(outageMs, 5);
  assert.equal(worstStallMs, 3.5);
});

test('an outage that never ends lasts to the end', () => {
  const events = EVENTS.filter((event) => event[0] !== 'probe' || event[1] < 2015);
  assert.equal(recordOf({ ...FACTS, events }).outageMs, 990);
});

test('one owner and a router that sends to the other is stale', () => {
  const { verdict, goodAfterMs } = recordOf({ ...FACTS, end: { owners: ['da'], router: MACS.db } });
  assert.deepEqual(verdict, {
    owner: 'da',
    router: 'db',
    isOneOwner: true,
    isStale: true,
    isCalm: true,
    isStill: false,
    isUninterrupted: false,
    isSilenced: true,
    isServed: true,
    isGood: false,
  });
  assert.equal(goodAfterMs, undefined);
});

test('two that answer are no single owner, whatever the router believes', () => {
  const events = EVENTS.filter((event) => event[0] !== 'answering' || event[1] < 2012);
  const { verdict } = recordOf({ ...FACTS, events });
  assert.equal(verdict.isOneOwner, false);
  assert.equal(verdict.isGood, false);
  assert.equal(verdict.isStale, false);
});

test('one that answers without holding the VIP in its kernel is no owner', () => {
  assert.equal(recordOf({ ...FACTS, end: { owners: [], router: MACS.da } }).verdict.isGood, false);
});

test('announcements count from the fault on, by the director that sent them', () => {
  const early: LabEvent = ['announcement', 900, 'da', 'reply', MACS.da];
  const record = recordOf({ ...FACTS, events: [early, ...EVENTS] });
  assert.deepEqual(record.announcements, { da: 1, db: 1 });
});

/** Announcements of db, a second apart. */
function paced(count: number): readonly LabEvent[] {
  return Array.from({ length: count }, (_, index) => {
    return ['announcement', 3000 + index * 1000, 'db', 'reply', MACS.db];
  });
}

test('more than ten announcements by one director are too many', () => {
  const storm = (count: number) =>
    recordOf({ ...FACTS, endAt: 20_000, events: [...EVENTS, ...paced(count)] }).verdict;
  assert.equal(storm(9).isCalm, true);
  assert.deepEqual([storm(10).isCalm, storm(10).isGood], [false, false]);
});

test('announcements are spaced: more than four within half a second are too many, six in the legacy dialect', () => {
  const frame: LabEvent = ['announcement', 2900, 'db', 'reply', MACS.db];
  for (const [isLegacy, most] of [
    [false, 4],
    [true, 6],
  ] as const) {
    const storm = (count: number): RunRecord =>
      recordOf({
        ...FACTS,
        isLegacy,
        events: [...EVENTS, ...new Array<LabEvent>(count).fill(frame)],
      });
    assert.deepEqual([storm(most).burst, storm(most).verdict.isGood], [most, true]);
    assert.deepEqual([storm(most + 1).burst, storm(most + 1).verdict.isGood], [most + 1, false]);
  }
});

test('who is watched for ten minutes may repeat its announcement once a minute, not twice', () => {
  const watched = (count: number) =>
    recordOf({
      ...FACTS,
      endAt: FACTS.faultAt + 600_000,
      events: [...EVENTS, ...paced(count)],
    }).verdict.isCalm;
  assert.deepEqual([watched(19), watched(20)], [true, false]);
});

test('a VIP that moved although nothing had failed is bad, and well only while it stays', () => {
  assert.equal(recordOf({ ...FACTS, isRest: true }).verdict.isGood, false);
  const events = EVENTS.filter((event) => event[0] === 'probe' || event[1] < 1000);
  const { verdict } = recordOf({ ...FACTS, isRest: true, events });
  assert.deepEqual([verdict.isStill, verdict.isGood], [true, true]);
});

test('a summary counts the bad runs of each incident and director', () => {
  const good = recordOf(FACTS);
  const stale = recordOf({ ...FACTS, end: { owners: ['da'], router: MACS.db } });
  const [summary] = summarise([good, good, stale]);
  assert.equal(summary?.runs, 3);
  assert.equal(summary?.stale, 1);
  assert.equal(summary?.noSingleOwner, 0);
  assert.deepEqual(summary?.frames, { median: 2, worst: 2 });
});

test('times are told of runs only in which the observer was looking', () => {
  const good = recordOf(FACTS);
  const blind = { ...good, worstStallMs: 26, overDeadtimeMs: 99 };
  const [summary] = summarise([good, blind]);
  assert.deepEqual([summary?.runs, summary?.timed], [2, 1]);
  assert.deepEqual(summary?.overDeadtimeMs, { median: 5, worst: 5 });
});

test('the median of an even number of values is between the two in the middle', () => {
  assert.deepEqual(spread([4, 1, 3, 2]), { median: 2.5, worst: 4 });
  assert.equal(spread([]), undefined);
});

test('where no probe may be lost, one is too many', () => {
  const good = EVENTS.filter((event) => event[0] !== 'probe' || event[2] !== null);
  assert.equal(recordOf({ ...FACTS, mustAnswer: true, events: good }).verdict.isGood, true);
  assert.equal(recordOf({ ...FACTS, mustAnswer: true }).verdict.isGood, false);
});

test('a frozen director is to fall silent with its lease; what it does when it is back is another matter', () => {
  const others = EVENTS.filter((event) => event[0] !== 'answering' || event[1] !== 1280);
  const silent = (at: number, events: readonly LabEvent[] = others) => {
    const change: LabEvent = ['answering', at, ['db']];
    const all = [...events, change].sort((a, b) => a[1] - b[1]);
    const { silentAfterMs, verdict } = recordOf({ ...FACTS, leaseMs: 230, events: all });
    return [silentAfterMs, verdict.isSilenced];
  };
  assert.deepEqual(silent(1229), [229, true]);
  assert.deepEqual(silent(1260), [260, false]);
  assert.deepEqual(silent(1229, EVENTS), [1000, false], 'it answers again beside db, from 1280 on');
});

test('a run of ten minutes is counted, too', () => {
  const probes = Array.from(
    { length: 200_000 },
    (_, index) => ['probe', 1000 + index / 100, 'da', 0.2] as const,
  );
  const record = recordOf({ ...FACTS, events: [...EVENTS, ...probes].sort((a, b) => a[1] - b[1]) });
  assert.equal(record.worstStallMs, 3.5);
  assert.ok(record.probes.sent > 200_000);
});

/** One new connection every 100 ms, one answer each, and two that are held open; the fault comes at 1000. */
const TRAFFIC: TrafficReport = {
  conversations: [
    [900, 901, 'r1'],
    [1000, 1001, 'r1'],
    [1100, 1101, 'r2'],
    [1200, 1420, 'r1'],
    [1300, 1301, 'ECONNREFUSED'],
    [1400, 1401, 'ECONNRESET'],
    [1500, 5500, 'timeout'],
  ],
  held: [
    { result: 'r1', answers: [990, 1010, 1490] },
    { result: 'ECONNRESET', answers: [990] },
  ],
};

test('connections are counted by what became of them, new ones and held ones apart', () => {
  assert.deepEqual(trafficOf(TRAFFIC, 1000, 1500), {
    opened: 6,
    servedBy: { r1: 2, r2: 1 },
    lost: { refused: 1, reset: 1, silent: 1 },
    late: 1,
    held: { kept: 1, lost: { refused: 0, reset: 1, silent: 0 } },
    gapMs: 319,
  });
});

test('a handover may reset what nobody told the new owner of, and lose nothing else', () => {
  const handover = { ...FACTS, isHandover: true };
  const good: TrafficReport = {
    conversations: Array.from({ length: 200 }, (_, index) => {
      const at = 1000 + index * 10;
      return [at, at + 1, 'r1'] as const;
    }),
    held: [{ result: 'r1', answers: [1500] }],
  };
  const isServed = (traffic: TrafficReport, isSynchronised: boolean) =>
    recordOf({ ...handover, traffic, isSynchronised }).verdict.isServed;
  assert.equal(isServed(good, true), true);
  const reset = { ...good, held: [{ result: 'ECONNRESET', answers: [] }] };
  assert.equal(isServed(reset, true), false);
  assert.equal(isServed(reset, false), true);
  const silent = (count: number): TrafficReport => ({
    ...good,
    held: new Array(count).fill({ result: 'timeout', answers: [] }),
  });
  assert.deepEqual([isServed(silent(1), true), isServed(silent(2), false)], [false, true]);
  assert.equal(isServed(silent(3), false), false, 'more than one in a hundred');
  const refused = [...good.conversations, [2500, 2501, 'ECONNREFUSED'] as const];
  assert.equal(isServed({ ...good, conversations: refused }, false), false);
  // The end is called four seconds late, when the last client has given up.
  const oneSilent = good.conversations.map((it, index) =>
    index === 20 ? ([it[0], it[0] + 4000, 'timeout'] as const) : it,
  );
  const late = { ...handover, endAt: 7500, traffic: { ...good, conversations: oneSilent } };
  const { traffic, verdict } = recordOf({ ...late, isSynchronised: false });
  assert.deepEqual([traffic?.gapMs, verdict.isServed], [20, true]);
});

test('traffic must be back when the VIP is', () => {
  const conversations = [1000, 1100, 1200, 1300, 2900].map((at) => [at, at + 1, 'r1'] as const);
  const traffic: TrafficReport = { conversations, held: [] };
  const record = recordOf({ ...FACTS, traffic });
  assert.equal(record.traffic?.gapMs, 1599);
  assert.equal(record.verdict.isServed, false, 'probes were answered again after half a second');
});
