import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { after, fromHex, type Instant, instant, ip } from '../base/index.ts';
import {
  type CoreRecord,
  checkpointOf,
  encodeRecord,
  initialState,
  type RecordHeader,
  recordOf,
} from '../core/index.ts';
import { parseRecording, replay } from '../sim/index.ts';
import { encodeExtendedHeartbeat, encodeHeartbeat, type Trailer } from '../wire/index.ts';
import { ImaginedMachine, OWN, PARTNER, plan } from './imagined-ports.ts';
import { Recorder } from './recorder.ts';

const KEY = fromHex('00112233445566778899aabbccddeeff');
const OTHER_KEY = fromHex('ffeeddccbbaa99887766554433221100');
const HEADER: RecordHeader = {
  kind: 'incident',
  v: 1,
  node: 'backup',
  writtenAt: '2026-11-22T18:45:00.000Z',
  wallOffsetMs: 0,
};
const TRAILER: Trailer = {
  role: 'active',
  isEligible: true,
  isStopping: false,
  reason: 'forced',
  epoch: 3,
  moves: 1,
  incarnation: 4096,
  sequence: 1,
  echo: undefined,
  intervalMs: 50,
  deadtimeMs: 300,
  leaseMs: 229,
  serialNo: 1,
  configDigest: '0123456789abcdef',
  servicesUp: 0,
  services: 0,
  linkAddresses: [],
};

/** The backup of the imagined machine in the extended dialect with a key. */
const keyed = plan({
  dialect: 'auto',
  verification: { asksWitnesses: false, unasked: [], refreshMs: 0 },
  extended: {
    incarnation: 8192,
    settleMs: 20,
    delayMs: 5,
    leaseMs: 0,
    keys: [KEY],
    serialNo: 1,
    configDigest: '0123456789abcdef',
    linkAddresses: [],
    hasWitness: false,
    namesWitnesses: false,
  },
});

function recorded(machine: ImaginedMachine): readonly CoreRecord[] {
  return machine.toldOf('recorded').flatMap(({ records }) => records);
}

/** As a file. */
function textOf(records: readonly CoreRecord[]): string {
  return [encodeRecord(HEADER), ...records.map(encodeRecord)].join('\n');
}

function played(text: string) {
  const recording = parseRecording(text);
  assert.equal(typeof recording, 'object', String(recording));
  return typeof recording === 'string' ? undefined : replay(recording);
}

describe('a recording', () => {
  const route = { from: PARTNER.public, to: OWN.public };
  const heartbeat = (changes: Partial<Trailer>, key?: Uint8Array) =>
    encodeExtendedHeartbeat({ ...TRAILER, ...changes }, route, key);

  test('with a key: replayed without it, each decision is the same, refusals too', () => {
    const machine = new ImaginedMachine();
    const crank = machine.begun(keyed);
    machine.hear(heartbeat({ sequence: 1 }, KEY));
    machine.run(crank, 100);
    machine.hear(heartbeat({ sequence: 2, role: 'claim' }, OTHER_KEY));
    machine.hear(heartbeat({ sequence: 3, role: 'claim' }));
    machine.hear(encodeHeartbeat('stopped'));
    machine.run(crank, 600);
    // Unproven (it never echoed us): it may not make an active node yield.
    machine.hear(heartbeat({ sequence: 4, role: 'claim', epoch: 9 }, KEY));
    machine.run(crank, 700);
    const text = textOf(recorded(machine));
    const result = played(text);
    assert.deepEqual(result?.differences, []);
    const words = result?.events.flatMap((event) => (event.kind === 'role' ? [event.to] : []));
    assert.deepEqual(words, ['claim', 'active']);
    assert.equal(text.includes('00112233445566778899aabbccddeeff'), false, 'the key is not in it');
    assert.match(text, /"keys":\[\{"hex":""\}\]/);
  });

  test('of the legacy dialect, with a reload, a frozen process and a stop', () => {
    const machine = new ImaginedMachine();
    const crank = machine.begun(plan());
    machine.hear(encodeHeartbeat('running'));
    machine.run(crank, 600);
    machine.say({ kind: 'settings', plan: plan({ deadtimeMs: 400 }) });
    machine.run(crank, 200);
    machine.now = after(machine.now, 5000);
    machine.hear(encodeHeartbeat('running'));
    machine.run(crank, 900);
    machine.say({ kind: 'stop' });
    machine.run(crank, 500);
    const result = played(textOf(recorded(machine)));
    assert.equal((result?.steps ?? 0) > 20, true);
    assert.deepEqual(result?.differences, []);
  });

  test('a step that another core would not have taken is shown', () => {
    const machine = new ImaginedMachine();
    const crank = machine.begun(plan());
    machine.run(crank, 600);
    const text = textOf(recorded(machine)).replace('"isWedged":false', '"isWedged":true');
    const [difference] = played(text)?.differences ?? [];
    assert.match(difference?.recorded.join() ?? '', /role standby -> active partner-silent/);
  });

  test('strangers and idle turns take no room', () => {
    const machine = new ImaginedMachine();
    const crank = machine.begun(plan());
    for (let count = 0; count < 5000; count++)
      machine.hear(encodeHeartbeat('stopped'), ip('203.0.113.9'));
    machine.run(crank, 200);
    assert.equal(recorded(machine).length < 20, true, `${recorded(machine).length}`);
  });

  test('what is no recording has a sentence', () => {
    assert.equal(parseRecording('{"kind":"step"}'), 'line 1 is no line of a recording');
    assert.equal(parseRecording(''), 'there is no header: not a recording');
    assert.equal(parseRecording(encodeRecord(HEADER)), 'it does not begin with a checkpoint');
  });
});

describe('the files', () => {
  let directory: string;
  let now: Instant;
  const said: string[] = [];

  beforeEach(() => {
    directory = join(mkdtempSync(join(tmpdir(), 'pirv-')), 'incidents');
    now = instant(0);
    said.length = 0;
  });
  afterEach(() => rmSync(join(directory, '..'), { recursive: true, force: true }));

  const make = (deadtimeMs = 300) =>
    new Recorder({
      directory,
      node: 'backup',
      deadtimeMs: () => deadtimeMs,
      clocks: () => ({ now, wallMs: 1_795_000_000_000 + now }),
      log: (line) => said.push(line),
    });
  const state = initialState(plan().failover, instant(0));
  const checkpoint = (at: number) => checkpointOf(state, instant(at));
  const step = (at: number) => recordOf({ kind: 'wake', now: instant(at) }, []);
  const change = (at: number) =>
    recordOf({ kind: 'wake', now: instant(at) }, [
      { kind: 'note', note: { kind: 'role', from: 'standby', to: 'active', reason: 'forced' } },
    ]);
  const files = () => readdirSync(directory).sort();
  const linesOf = (name: string) => readFileSync(join(directory, name), 'utf8').trim().split('\n');

  test('one goes from a checkpoint ten seconds before the change to five seconds after the last', () => {
    const recorder = make();
    const steps = (from: number, to: number) =>
      Array.from({ length: to - from }, (_, index) => step((from + index) * 1000));
    recorder.add([
      checkpoint(0),
      ...steps(0, 5),
      checkpoint(5000),
      ...steps(5, 10),
      checkpoint(10_000),
    ]);
    recorder.add([...steps(10, 17), change(17_000), change(19_000), ...steps(20, 24)]);
    assert.match(files().join(), /-1\.unfinished$/, 'until five seconds have passed');
    recorder.add([step(24_000)]);
    const [name = ''] = files();
    assert.match(name, /^20261118T\d{6}Z-1\.jsonl$/);
    assert.equal(statSync(join(directory, name)).mode & 0o777, 0o600);
    const lines = linesOf(name);
    assert.match(lines[0] ?? '', /"kind":"incident".*"node":"backup"/);
    assert.match(lines[1] ?? '', /"kind":"checkpoint","at":5000/);
    assert.match(lines.at(-1) ?? '', /"now":23000/);
    assert.match(said[0] ?? '', /^incident recorded: .*\(recorded\)$/);
  });

  test('a long deadtime looks back further: two of them', () => {
    const recorder = make(30_000);
    const checkpoints = Array.from({ length: 30 }, (_, index) => checkpoint(index * 5000));
    recorder.add([...checkpoints, change(146_000)]);
    recorder.close();
    assert.match(linesOf(files()[0] ?? '')[1] ?? '', /"at":85000/);
  });

  test('time closes an incident without another record', () => {
    const recorder = make();
    recorder.add([checkpoint(0), change(1000)]);
    now = instant(5999);
    recorder.tick();
    assert.match(files().join(), /\.unfinished$/);
    now = instant(6000);
    recorder.tick();
    assert.match(files().join(), /\.jsonl$/);
  });

  test('a director that is killed in the middle of an incident leaves it to its next life', () => {
    const first = make();
    first.add([checkpoint(0), step(500), change(1000)]);
    first.add([step(1500), step(2000)]); // and no more
    const second = make();
    assert.deepEqual(said, [], 'not before it has the run directory');
    second.add([checkpoint(3000)]);
    const [name = '', ...others] = files();
    assert.deepEqual(others, []);
    assert.match(name, /-1\.jsonl$/);
    assert.match(linesOf(name).at(-1) ?? '', /"now":2000/);
    assert.match(said[0] ?? '', /^incident recorded: .*\.jsonl \(recorded\)$/);
    const recording = parseRecording(linesOf(name).join('\n'));
    assert.equal(typeof recording, 'object', String(recording));
  });

  test('memory is bounded: the oldest lines go first', () => {
    const recorder = make(60_000);
    const bytes = new Uint8Array(2000);
    for (let at = 0; at < 3000; at++) {
      const input = { kind: 'datagram', now: instant(at), path: 'public', bytes } as const;
      if (at % 100 === 0) recorder.add([checkpoint(at)]);
      recorder.add([recordOf({ ...input, from: PARTNER.public }, [])]);
    }
    recorder.add([change(3000)]);
    recorder.close();
    const { size } = statSync(join(directory, files()[0] ?? ''));
    assert.equal(size > 1_500_000 && size < 2.3e6, true, `${size}`);
  });

  test('twenty are kept, the newest', () => {
    const recorder = make();
    for (let incident = 0; incident < 25; incident++) {
      now = instant(incident * 100_000);
      recorder.add([checkpoint(now), change(now), step(now + 6000)]);
    }
    assert.equal(files().length, 20);
    const numbers = files().map((name) => Number(/-(\d+)\.jsonl$/.exec(name)?.[1]));
    assert.equal(Math.min(...numbers), 6);
  });

  test('a disk that refuses is told and costs nothing else', () => {
    const blocked = new Recorder({
      directory: '/proc/none/incidents',
      node: 'backup',
      deadtimeMs: () => 300,
      clocks: () => ({ now, wallMs: 0 }),
      log: (line) => said.push(line),
    });
    blocked.add([checkpoint(0), change(10)]);
    blocked.close();
    assert.match(said[0] ?? '', /^incident not recorded: \/proc\/none\/incidents: /);
  });
});
