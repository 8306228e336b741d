import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { err, ip } from '../base/index.ts';
import type { DestinationRow, ServiceEntry, TableOperation } from '../model/index.ts';
import { BootClock, IpvsPort } from '../ports/index.ts';
import { ImaginedIpvs } from './imagined-ipvs.ts';
import { type Refusal, TableKeeper } from './table-keeper.ts';

const LOOK_MS = 20;

const [ADD_SERVICE, DUMP_SERVICES, DUMP_DESTINATIONS, ENOMEM] = [1, 4, 8, 12];

/** One whose socket fails as the machine may. */
class FaultyIpvs extends ImaginedIpvs {
  /** So many of the next requests to write do not arrive. */
  losing = 0;
  /** So many of the next new services find no memory. */
  starving = 0;
  /** Requests to write, lost ones included. */
  attempts = 0;

  override request(messages: readonly Uint8Array[]): ReturnType<ImaginedIpvs['request']> {
    const command = messages[0]?.[16];
    if (command === DUMP_SERVICES || command === DUMP_DESTINATIONS) return super.request(messages);
    if (messages.length === 0) return super.request(messages);
    this.attempts++;
    if (this.losing-- > 0) return err({ operation: 'send', target: 'netlink', code: 'ENOBUFS' });
    if (command !== ADD_SERVICE || this.starving-- <= 0) return super.request(messages);
    const rest = super.request(messages.slice(1));
    return rest.ok ? { ...rest, value: [{ messages: [], errno: ENOMEM }, ...rest.value] } : rest;
  }
}

class Bench {
  readonly kernel = new FaultyIpvs();
  readonly drifts: (readonly TableOperation[])[] = [];
  readonly refusals: Refusal[] = [];
  readonly troubles: (string | undefined)[] = [];
  readonly keeper: TableKeeper;

  constructor(ours: readonly string[] = []) {
    this.keeper = new TableKeeper({
      port: new IpvsPort(this.kernel, 28),
      clock: new BootClock(),
      ours,
      lookMs: LOOK_MS,
      events: {
        onDrift: (repairs) => this.drifts.push(repairs),
        onRefused: (refusals) => this.refusals.push(...refusals),
        onTrouble: (error) => this.troubles.push(error?.code),
      },
    });
  }

  async wish(...table: readonly ServiceEntry[]): Promise<readonly string[]> {
    const before = this.kernel.lines.length;
    this.keeper.wish(table);
    await this.keeper.idle();
    return this.kernel.lines.slice(before);
  }
}

/** Up to a second: a first retry takes one look. */
async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 1000 / LOOK_MS && !condition(); turn++) await sleep(LOOK_MS);
  assert.ok(condition(), 'waited a second in vain');
}

function within(body: (bench: Bench) => Promise<void>, ours?: readonly string[]) {
  return async () => {
    const bench = new Bench(ours);
    try {
      await body(bench);
    } finally {
      bench.keeper.close();
    }
  };
}

function server(last: number, weight = 1): DestinationRow {
  const address = ip(`198.51.100.${last}`);
  return { address, port: 80, method: 'direct', weight, upperThreshold: 0, lowerThreshold: 0 };
}

function service(last: number, destinations: readonly DestinationRow[], scheduler = 'wrr') {
  const key = {
    kind: 'address',
    protocol: 'tcp',
    address: ip(`198.51.100.${last}`),
    port: 80,
  } as const;
  const row = { key, scheduler, flags: [], persistentSeconds: 0, persistencePrefixLength: 32 };
  return { service: row, destinations };
}

const WEB = service(100, [server(21, 3), server(22)]);

describe('the table keeper', () => {
  test(
    'writes what is missing, and nothing when all stands',
    within(async (bench) => {
      assert.deepEqual(await bench.wish(WEB), [
        '-A -t 198.51.100.100:80 -s wrr',
        '-a -t 198.51.100.100:80 -r 198.51.100.21:80 -g -w 3',
        '-a -t 198.51.100.100:80 -r 198.51.100.22:80 -g -w 1',
      ]);
      assert.deepEqual(await bench.wish(WEB), []);
    }),
  );

  test(
    'one changed weight is exactly one write',
    within(async (bench) => {
      await bench.wish(WEB);
      const { writes } = bench.kernel;
      const lines = await bench.wish(service(100, [server(21, 2), server(22)]));
      assert.deepEqual(lines, ['-e -t 198.51.100.100:80 -r 198.51.100.21:80 -g -w 2']);
      assert.equal(bench.kernel.writes - writes, 1);
    }),
  );

  test(
    'only the newest of several wishes is written',
    within(async (bench) => {
      bench.keeper.wish([service(1, [])]);
      bench.keeper.wish([service(2, [])]);
      assert.deepEqual(await bench.wish(WEB), [
        '-A -t 198.51.100.100:80 -s wrr',
        '-a -t 198.51.100.100:80 -r 198.51.100.21:80 -g -w 3',
        '-a -t 198.51.100.100:80 -r 198.51.100.22:80 -g -w 1',
      ]);
      assert.ok(!bench.kernel.table().some((line) => line.includes('198.51.100.1:80')));
    }),
  );

  test(
    'a table that somebody cleared is put back, and reported once as drift',
    within(async (bench) => {
      await bench.wish(WEB);
      bench.kernel.clear();
      await sleep(5 * LOOK_MS);
      assert.equal(bench.kernel.table().length, 3);
      assert.deepEqual(
        bench.drifts.map((repairs) => repairs.map(({ kind }) => kind)),
        [['add-service', 'add-destination', 'add-destination']],
      );
    }),
  );

  test(
    'services of others are left alone, also when ours go away',
    within(async (bench) => {
      bench.kernel.add('-A -t 203.0.113.9:25');
      await bench.wish(WEB);
      await bench.wish();
      await sleep(3 * LOOK_MS);
      assert.deepEqual(bench.kernel.table(), ['-A -t 203.0.113.9:25 -s rr']);
      assert.deepEqual(bench.drifts, []);
    }),
  );

  test(
    'a service that is gone is nobody’s: who makes it anew keeps it',
    within(async (bench) => {
      await bench.wish(service(9, []), WEB);
      await bench.wish(WEB);
      bench.kernel.add('-A -t 198.51.100.9:80');
      await sleep(3 * LOOK_MS);
      assert.ok(bench.kernel.table().includes('-A -t 198.51.100.9:80 -s rr'));
    }),
  );

  test(
    'what an earlier life wrote and the file has lost goes away',
    within(
      async (bench) => {
        bench.kernel.add('-A -t 198.51.100.9:80');
        await bench.wish(WEB);
        assert.equal(bench.kernel.lines.at(-1), '-D -t 198.51.100.9:80');
      },
      ['tcp 198.51.100.9:80'],
    ),
  );

  test(
    'a refused scheduler is told once, without its servers, and hinders nobody else',
    within(async (bench) => {
      const bad = service(101, [server(23)], 'mh');
      await bench.wish(bad, WEB);
      await sleep(4 * LOOK_MS);
      assert.deepEqual(
        bench.refusals.map(({ operation, error }) => [operation.kind, error.code]),
        [['add-service', 'ENOENT']],
      );
      assert.equal(bench.kernel.table().length, 3);
      assert.deepEqual(bench.drifts, [], 'a refusal is not drift');
    }),
  );

  test(
    'what the kernel refuses for what it is, is not tried at every look',
    within(async (bench) => {
      await bench.wish(service(101, [server(23)], 'mh'));
      const { writes } = bench.kernel;
      await sleep(5 * LOOK_MS);
      assert.equal(bench.kernel.writes, writes);
    }),
  );

  test(
    'a dead server whose removal got lost on the way is removed at the next look; it is told once',
    within(async (bench) => {
      await bench.wish(WEB);
      bench.kernel.losing = 1;
      assert.deepEqual(await bench.wish(service(100, [server(22)])), []);
      await until(() => bench.kernel.table().length === 2);
      assert.equal(bench.kernel.lines.at(-1), '-d -t 198.51.100.100:80 -r 198.51.100.21:80');
      assert.deepEqual(
        bench.refusals.map(({ operation, error }) => [operation.kind, error.code]),
        [['delete-destination', 'ENOBUFS']],
      );
      assert.deepEqual(bench.drifts, []);
    }),
  );

  test(
    'a write that never arrives is tried again after twice as long each time, and told once',
    within(async (bench) => {
      await bench.wish(WEB);
      bench.kernel.losing = Number.POSITIVE_INFINITY;
      const { attempts } = bench.kernel;
      await bench.wish(service(100, [server(21, 0), server(22)]));
      await sleep(12 * LOOK_MS);
      // At looks 0, 1, 3 and 7; a loaded machine looks less often.
      const made = bench.kernel.attempts - attempts;
      assert.ok(made >= 2 && made <= 4, `${made} attempts`);
      assert.equal(bench.refusals.length, 1);
      bench.kernel.losing = 0;
      await bench.wish(service(100, [server(22)]));
      assert.equal(bench.kernel.table().length, 2, 'another write waited with it');
    }),
  );

  test(
    'a service for which there was no memory comes at the next look, with its servers',
    within(async (bench) => {
      bench.kernel.starving = 1;
      await bench.wish(WEB);
      assert.deepEqual(bench.kernel.table(), []);
      await until(() => bench.kernel.table().length === 3);
      assert.deepEqual(
        bench.refusals.map(({ operation, error }) => [operation.kind, error.code]),
        [['add-service', 'ENOMEM']],
      );
      assert.deepEqual(bench.drifts, []);
    }),
  );

  test(
    'drift beside a refusal is still repaired',
    within(async (bench) => {
      await bench.wish(service(101, [server(23)], 'mh'), WEB);
      bench.kernel.clear();
      await sleep(4 * LOOK_MS);
      assert.equal(bench.kernel.table().length, 3);
      assert.equal(bench.drifts.length, 1);
    }),
  );
});
