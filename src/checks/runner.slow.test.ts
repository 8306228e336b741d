import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createServer, type Socket } from 'node:net';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { instant, ip } from '../base/index.ts';
import { type Check, down, makeCheck, UP, type Verdict } from '../model/index.ts';
import { ProcessSpawner } from '../ports/index.ts';
import { type Due, DueQueue } from './due-queue.ts';
import type { Done, Prober } from './probe.ts';
import { proberOf } from './prober.ts';
import { CheckRunner, phaseOf, type ReportedVerdict, type RunnerOptions } from './runner.ts';

const now = () => instant(performance.now());
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

function check(port: number, intervalMs = 50, timeoutMs = 1000): Check {
  const procedure = { kind: 'tcp' } as const;
  return makeCheck({
    address: ip('127.0.0.1'),
    port,
    intervalMs,
    timeoutMs,
    rise: 1,
    fall: 1,
    procedure,
  });
}

/** A program; `name` makes it a check of its own. */
function programCheck(name: number, argv: readonly string[], intervalMs = ONCE): Check {
  return makeCheck({
    ...check(name + 1, intervalMs, Math.min(intervalMs, 8000)),
    procedure: { kind: 'program', argv },
  });
}

/** An interval whose second probe no test lives to see. */
const ONCE = 1e12;

const good: Prober = (done) => {
  setImmediate(() => done(UP));
  return { abort: () => 'nothing' };
};
const hanging: Prober = () => ({ abort: () => 'an answer' });

/** Runs `checks` for some time; how often each port was heard of, and what was said. */
async function run(
  checks: readonly Check[],
  forMs: number,
  options: Pick<RunnerOptions, 'proberOf'> & Partial<RunnerOptions>,
) {
  const verdicts: ReportedVerdict[] = [];
  let batches = 0;
  const runner = new CheckRunner({
    now,
    onVerdicts: (batch) => {
      batches++;
      verdicts.push(...batch);
    },
    ...options,
  });
  runner.setChecks(checks);
  await sleep(forMs);
  const stats = runner.stats();
  runner.stop();
  const of = (wanted: Check) =>
    verdicts.filter((v) => v.check === wanted.key).map((v) => v.verdict);
  return { verdicts, batches, stats, of };
}

/** Runs in a process that may open 64 descriptors: 100 checks that hang and 20 that need a moment, on one port. */
const STARVED = `
import { CheckRunner, proberOf } from ${JSON.stringify(new URL('index.ts', import.meta.url).href)};
import { makeCheck } from ${JSON.stringify(new URL('../model/index.ts', import.meta.url).href)};
const seen = {};
const runner = new CheckRunner({
  now: () => performance.now(),
  proberOf: (check) => proberOf(check, {}),
  onVerdicts: (batch) => {
    for (const { verdict } of batch) {
      const word = verdict.isUp ? 'up' : verdict.reason;
      seen[word] = (seen[word] ?? 0) + 1;
    }
  },
});
const wish = { address: '127.0.0.1', port: Number(process.argv[1]), rise: 1, fall: 1, intervalMs: 300 };
const expect = { kind: 'prefix', text: 'never' };
const hang = Array.from({ length: 100 }, (_, index) =>
  makeCheck({ ...wish, timeoutMs: 400 + index / 1000, procedure: { kind: 'tcp', expect } }));
const udp = Array.from({ length: 20 }, (_, index) =>
  makeCheck({ ...wish, timeoutMs: 400 + index / 1000, procedure: { kind: 'udp', expect } }));
runner.setChecks([...hang, ...udp]);
await new Promise((resolve) => setTimeout(resolve, 2500));
runner.setChecks([makeCheck({ ...wish, timeoutMs: 400, procedure: { kind: 'tcp' } })]);
seen.up = 0;
await new Promise((resolve) => setTimeout(resolve, 1000));
runner.stop();
console.log(JSON.stringify(seen));
`;

test('twenty thousand checks that fail while they begin, all due at once, are each heard of', async () => {
  const refused = down('bad-check', 'it cannot be made');
  const refusing: Prober = (done) => {
    done(refused);
    return { abort: () => 'nothing' };
  };
  const seen: ReportedVerdict[] = [];
  const runner = new CheckRunner({
    now,
    onVerdicts: (batch) => {
      seen.push(...batch);
    },
    proberOf: () => refusing,
  });
  runner.setChecks(Array.from({ length: 20_000 }, (_, index) => check(index, ONCE)));
  const until = performance.now() + 1100;
  while (performance.now() < until);
  for (let turn = 0; turn < 100 && seen.length < 20_000; turn++) await sleep(100);
  runner.stop();
  assert.equal(seen.length, 20_000);
});

// They mostly sleep: side by side they take four seconds instead of twenty.
describe('the schedule', { concurrency: 6 }, () => {
  test('every check is probed at its interval', async () => {
    const one = check(1, 50);
    const { of } = await run([one], 1000, { proberOf: () => good });
    // Twenty at most; a loaded machine may swallow some.
    assert.ok(of(one).length >= 10 && of(one).length <= 21, `${of(one).length}`);
  });

  test('the first probe comes within a second, also at a long interval', async () => {
    const checks = [1, 2, 3, 4, 5].map((port) => check(port, ONCE));
    const { of } = await run(checks, 1200, { proberOf: () => good });
    assert.deepEqual(
      checks.map((each) => of(each).length),
      [1, 1, 1, 1, 1],
    );
  });

  test('from the second probe on, the phase of a check does not depend on when it began', async () => {
    const one = check(1, 200);
    const phaseMs = phaseOf(one.key) * 200;
    const distances: number[] = [];
    const punctual: Prober = (done) => {
      const distance = (performance.now() - phaseMs) % 200;
      distances.push(Math.min(distance, 200 - distance));
      return good(done);
    };
    // Begin so that the first probe, which comes early, falls between two places of the grid.
    await sleep(200 - ((performance.now() + 100) % 200));
    await run([one], 1100, { proberOf: () => punctual });
    const [, ...later] = distances;
    const near = later.filter((distance) => distance < 50).length;
    assert.ok(later.length >= 3 && near > later.length / 2, distances.map(Math.round).join(' '));
  });

  test('phases are the same for the same name, and spread evenly over names that look alike', () => {
    assert.equal(phaseOf('tcp 198.51.100.21:80'), phaseOf('tcp 198.51.100.21:80'));
    const buckets = new Array<number>(20).fill(0);
    for (let index = 0; index < 20_000; index++) {
      const bucket = Math.floor(phaseOf(`["198.51.100.${index}",80,1000]`) * 20);
      buckets[bucket] = (buckets[bucket] ?? 0) + 1;
    }
    for (const count of buckets) assert.ok(count > 850 && count < 1150, `${count} in a twentieth`);
  });

  test('a probe that hangs is down at its limit, says what was missing, and delays nobody', async () => {
    const [hung, fine] = [check(1, 50, 200), check(2, 50)];
    const proberOf = ({ port }: Check) => (port === 1 ? hanging : good);
    const { of } = await run([hung, fine], 1000, { proberOf });
    const [first] = of(hung);
    assert.deepEqual(first, {
      isUp: false,
      reason: 'timeout',
      detail: 'tcp 127.0.0.1:1: an answer not within 200 ms',
    });
    assert.ok(of(hung).length >= 2 && of(hung).length <= 5);
    assert.ok(of(fine).length >= 10);
  });

  test('however many servers hang, the others keep their places and their times', async () => {
    const hung = Array.from({ length: 300 }, (_, index) => check(1000 + index, 100, 400));
    const fine = Array.from({ length: 20 }, (_, index) => check(1 + index, 100));
    const proberOf = ({ port }: Check) => (port >= 1000 ? hanging : good);
    const { of, stats } = await run([...hung, ...fine], 3000, { proberOf, maxInFlight: 100 });
    assert.ok(stats.inFlight <= 100, `${stats.inFlight} at once`);
    assert.ok(stats.waiting > 100, 'nobody had to wait: the test tests nothing');
    // At the start everyone is new, and the line is long: a second. Then those that hang have their own line.
    for (const each of fine) assert.ok(of(each).length >= 8, `${of(each).length} probes only`);
    assert.ok(
      hung.filter((each) => of(each).length > 0).length > 150,
      'the slow line stands still',
    );
  });

  test('never more than maxInFlight probes run, and never two of one check', async () => {
    let [running, most] = [0, 0];
    const busy = new Set<string>();
    const proberOf =
      (wish: Check): Prober =>
      (done) => {
        assert.ok(!busy.has(wish.key), 'two at once');
        busy.add(wish.key);
        most = Math.max(most, ++running);
        const end = () => {
          running--;
          busy.delete(wish.key);
        };
        const timer = setTimeout(() => {
          end();
          done(UP);
        }, 30);
        const abort = () => {
          clearTimeout(timer);
          end();
          return 'time';
        };
        return { abort };
      };
    const checks = Array.from({ length: 50 }, (_, index) => check(1 + index, 20));
    const { verdicts } = await run(checks, 600, { proberOf, maxInFlight: 7 });
    assert.equal(most, 7);
    assert.ok(verdicts.length > 30);
    assert.equal(running, 0, 'stop leaves probes behind');
  });

  test('programs have 256 places of their own: however many hang, other probes and hooks go on', async (t) => {
    const spawner = new ProcessSpawner();
    const hung = Array.from({ length: 600 }, (_, index) => programCheck(index, ['sleep', '9']));
    const fine = check(1, 100);
    const told: string[] = [];
    const runner = new CheckRunner({
      now,
      proberOf: (wish) => proberOf(wish, { spawner }),
      onVerdicts: (batch) => {
        told.push(...batch.map(({ check: key }) => key));
      },
    });
    t.after(() => {
      runner.stop();
      spawner.close();
    });
    runner.setChecks([...hung, fine]);
    await sleep(1500);
    const { inFlight, waiting } = runner.stats();
    const hook = await spawner.run({ argv: ['true'], timeoutMs: 5000, maxOutput: 0 });
    assert.ok(inFlight >= 256 && inFlight <= 257 && waiting >= 343, `${inFlight}, ${waiting}`);
    assert.equal(hook.kind, 'exited', JSON.stringify(hook));
    assert.deepEqual(new Set(told), new Set([fine.key]), 'a program was refused');
  });

  test('a killed program keeps its place until it is gone, and its check begins no second one', async (t) => {
    const [stuck, next] = [programCheck(1, ['stuck'], 100), programCheck(2, ['next'], 100)];
    const bury: (() => void)[] = [];
    let begun = 0;
    const undead: Prober = () => {
      begun++;
      const gone = new Promise<void>((resolve) => {
        bury.push(resolve);
      });
      return { abort: () => 'the end of the program', gone };
    };
    const verdicts: ReportedVerdict[] = [];
    let others = 0;
    const runner = new CheckRunner({
      now,
      maxPrograms: 1,
      proberOf: ({ key }) =>
        key === stuck.key
          ? undead
          : (done) => {
              others++;
              return good(done);
            },
      onVerdicts: (batch) => {
        verdicts.push(...batch);
      },
    });
    t.after(() => runner.stop());
    runner.setChecks([stuck]);
    await sleep(1500);
    const reasons = verdicts.map(({ verdict }) => verdict.isUp || verdict.reason);
    assert.ok(reasons.length >= 3, `${reasons.length} verdicts`);
    assert.deepEqual(new Set(reasons), new Set(['timeout']));
    assert.equal(begun, 1);
    runner.setChecks([stuck, next]);
    await sleep(1200);
    assert.deepEqual([runner.stats().inFlight, others], [1, 0], 'its place was given away');
    bury[0]?.();
    await sleep(600);
    assert.ok(begun >= 2 && others >= 1, `${begun} begun, ${others} others`);
  });

  test('verdicts come in batches', async () => {
    const checks = Array.from({ length: 200 }, (_, index) => check(1 + index, ONCE));
    const { verdicts, batches } = await run(checks, 1300, { proberOf: () => good });
    assert.equal(verdicts.length, 200);
    assert.ok(batches < verdicts.length * 0.95, `${batches} batches`);
  });

  test('a prober that throws takes its own check down and no other', async () => {
    const [bad, fine] = [check(1), check(2)];
    const broken: Prober = () => {
      throw Object.assign(new Error('open'), { code: 'EMFILE' });
    };
    const { of } = await run([bad, fine], 300, {
      proberOf: ({ port }) => (port === 1 ? broken : good),
    });
    const verdict: Verdict = {
      isUp: false,
      reason: 'own-limits',
      detail: 'tcp 127.0.0.1:1: EMFILE',
    };
    assert.deepEqual(of(bad)[0], verdict);
    assert.ok(of(fine).length >= 2);
  });

  test('a second word and a late word of a probe are not heard', async () => {
    const one = check(1, ONCE, 100);
    const late: Prober = (done) => {
      setTimeout(() => done(UP), 400);
      return { abort: () => 'an answer' };
    };
    const heard = await run([one], 1700, { proberOf: () => late });
    assert.deepEqual(
      heard.of(one).map((verdict) => verdict.isUp),
      [false],
    );
    const words: Done[] = [];
    const patient: Prober = (done) => {
      words.push(done);
      return { abort: () => 'an answer' };
    };
    const impostor = check(2, 100, 50);
    const old = run([impostor], 700, { proberOf: () => patient });
    const timer = setInterval(() => words.length > 1 && words[0]?.(UP), 5);
    assert.ok(
      (await old).of(impostor).every((verdict) => !verdict.isUp),
      'the past was believed',
    );
    clearInterval(timer);
    const twice: Prober = (done) => {
      done(UP);
      done(UP);
      return { abort: () => 'nothing' };
    };
    const again = await run([one], 1100, { proberOf: () => twice });
    assert.equal(again.of(one).length, 1);
  });

  test('a reload leaves running probes of checks that stay, and ends those of checks that go', async () => {
    const [stays, goes] = [check(1, ONCE, 5000), check(2, ONCE, 5000)];
    const aborted: number[] = [];
    let begun = 0;
    const runner = new CheckRunner({
      now,
      onVerdicts: () => {},
      proberOf:
        ({ port }) =>
        () => {
          begun++;
          const abort = () => {
            aborted.push(port);
            return 'an answer';
          };
          return { abort };
        },
    });
    runner.setChecks([stays, goes]);
    await sleep(1100);
    assert.equal(begun, 2);
    runner.setChecks([stays]);
    assert.deepEqual(aborted, [2]);
    assert.equal(runner.stats().inFlight, 1);
    runner.setChecks([stays]);
    assert.equal(begun, 2);
    runner.stop();
    assert.deepEqual(aborted, [2, 1]);
  });

  test('the queue always has the earliest at its head, whatever is moved or removed', () => {
    const step = fc.record({ item: fc.nat({ max: 20 }), at: fc.option(fc.nat({ max: 100 })) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const queue = new DueQueue<Due>();
        const items = Array.from(
          { length: 21 },
          (): Due => ({ dueAt: instant(0), queueIndex: -1 }),
        );
        const present = new Set<Due>();
        for (const { item: index, at } of steps) {
          const item = items[index];
          assert.ok(item !== undefined);
          if (at === null) {
            queue.remove(item);
            present.delete(item);
          } else {
            queue.schedule(item, instant(at));
            present.add(item);
          }
          const earliest = Math.min(...Array.from(present, ({ dueAt }) => dueAt));
          assert.equal(queue.head?.dueAt ?? Number.POSITIVE_INFINITY, earliest);
        }
        const left = present.size;
        for (let head = queue.head; head !== undefined; head = queue.head) {
          present.delete(head);
          queue.remove(head);
        }
        assert.equal(present.size, 0, `of ${left}`);
      }),
    );
  });

  test('a full file table takes checks down with the reason, and they come back when there is room', async () => {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => socket.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    assert.ok(address !== null && typeof address === 'object');
    const words = ['--input-type=module', '-e', STARVED, String(address.port)];
    const limit = 'ulimit -n 64 && exec "$0" "$@"';
    const child = spawn('/bin/sh', ['-c', limit, process.execPath, ...words]);
    let said = '';
    child.stdout.on('data', (bytes) => {
      said += String(bytes);
    });
    child.stderr.on('data', (bytes) => {
      said += String(bytes);
    });
    const status = await new Promise((resolve) => child.once('exit', resolve));
    for (const socket of sockets) socket.destroy();
    server.close();
    assert.equal(status, 0, said);
    assert.match(said, /^\{/, said);
    const seen: Record<string, number> = JSON.parse(said);
    assert.ok((seen['own-limits'] ?? 0) > 20, said);
    assert.ok((seen.timeout ?? 0) > 20, said);
    assert.ok((seen.up ?? 0) >= 1, said);
  });
});
