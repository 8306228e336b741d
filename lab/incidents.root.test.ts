/** Every incident, three times, on real packets with the real daemons: one owner in the end, and the router on it. */
import { strict as assert } from 'node:assert';
import { before, test } from 'node:test';
import { INCIDENT_NAMES, INCIDENTS } from './incidents.ts';
import type { RunRecord } from './record.ts';
import { playAll } from './run.ts';

const REPEAT = 3;
let records: readonly RunRecord[];

before(async () => {
  records = await playAll(
    {
      incidents: INCIDENT_NAMES,
      repeat: REPEAT,
      seed: Date.now() % 1_000_000,
      jobs: 3,
      quietMs: 1300,
      watchMs: 1000,
      timing: {
        kind: 'piranha',
        keepaliveMs: 100,
        deadtimeMs: 300,
        dialect: 'legacy',
        hasPrivateNetwork: false,
      },
    },
    () => undefined,
  );
});

for (const name of INCIDENT_NAMES) {
  test(`${name} (${INCIDENTS[name].about}): one owner, and the router on it`, () => {
    const own = records.filter((record) => record.incident === name);
    assert.equal(own.length, REPEAT);
    for (const record of own) {
      const { verdict, announcements } = record;
      assert.ok(verdict.isGood, JSON.stringify(record));
      assert.ok(announcements.da <= 10 && announcements.db <= 10, JSON.stringify(announcements));
    }
  });
}
