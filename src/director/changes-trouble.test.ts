import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { err } from '../base/index.ts';
import { recoverChange } from './change-recovery.ts';
import { ChangeStore, KEPT_VERSIONS } from './change-store.ts';
import { block, Side, textOf, unblock, until } from './changes-under-test.ts';

let active: Side;
let standby: Side;

beforeEach(() => {
  [active, standby] = [new Side(true), new Side(false)];
  active.partner.to = standby.desk;
  standby.partner.to = active.desk;
});

afterEach(() => {
  for (const side of [active, standby]) side.close();
});

const onDisk = () => new ChangeStore(join(active.directory, 'state'), active.file).state.kind;

/** The clock stands still but for the answered function, which lets so many milliseconds pass. */
function clockOf(t: TestContext): (ms: number) => Promise<void> {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  return async (ms) => {
    t.mock.timers.tick(ms);
    await turn();
  };
}

/** The kernel refuses what is installed next, once, and by then `and` has happened. */
function refuseOnce({ running }: Side, and: () => void): void {
  const reload = running.reload.bind(running);
  running.reload = async () => {
    running.reload = reload;
    and();
    return err(['the kernel refuses']);
  };
}

describe('a file system that refuses', () => {
  test('the new file: the change has failed, and the next one is judged for itself', async () => {
    block(active.file);
    const done = await active.desk.apply(active.request(textOf(2)), false);
    assert.match((!done.ok && done.error.lines?.join()) || '', /lvs\.cf: .*EISDIR/);
    assert.deepEqual(active.history, ['8 failed', '7 found']);
    unblock(active.file);
    const next = await active.desk.apply(active.request(textOf(4)), false);
    assert.equal(next.ok && next.value.serial, 9);
    assert.equal(active.running.weight, 4);
    assert.match(active.text, /weight = 4/);
    assert.deepEqual(active.history, ['9 kept', '8 failed', '7 found']);
  });

  test('the old file: no other change is taken until it is back, which is tried by itself', async (t) => {
    const pass = clockOf(t);
    refuseOnce(active, () => block(active.file));
    const done = await active.desk.apply(active.request(textOf(2)), false);
    const lines = (!done.ok && done.error.lines) || [];
    assert.equal(lines[0], 'the kernel refuses');
    assert.match(lines[1] ?? '', /^the configuration cannot go back to version 7: .*EISDIR/);
    const other = await active.desk.apply(active.request(textOf(4)), false);
    assert.equal(!other.ok && other.error.reason, 'change-pending');
    assert.match(
      (!other.ok && other.error.title) || '',
      /^version 8 by alice could not be put in force, nor version 7 back yet/,
    );
    await pass(1000);
    assert.match(active.text, /weight = 2/);
    unblock(active.file);
    await pass(2000);
    assert.equal(active.text, textOf(3));
    assert.deepEqual(active.history, ['8 failed', '7 found']);
    assert.equal(active.log.filter((line) => line.includes('(trouble)')).length, 1);
    assert.equal((await active.desk.apply(active.request(textOf(4)), false)).ok, true);
  });

  test('the history, when the time is over: the old file runs at once, the entry is made up for', async (t) => {
    const pass = clockOf(t);
    await active.desk.apply(active.request(textOf(2), { confirmMs: 60_000 }), false);
    block(active.historyFile);
    await pass(60_000);
    assert.equal(active.running.weight, 3);
    assert.deepEqual(active.history, ['8 rolled-back', '7 found']);
    const said = active.log.filter((line) => line.includes('(trouble)'));
    assert.match(said.join('\n'), /^the history of changes .* cannot be written: .*EISDIR.*$/);
    // Tried after 1, 2 and 4 s, and then after 8.
    for (const ms of [1000, 2000, 4000]) await pass(ms);
    unblock(active.historyFile);
    await pass(7999);
    assert.equal(onDisk(), 'pending');
    await pass(1);
    assert.equal(onDisk(), 'settled');
    assert.equal(active.log.filter((line) => line.includes('(trouble)')).length, 1);
    assert.equal(active.running.reloads, 2);
  });

  test('the history, when somebody undoes a change: it is undone, and he is told', async () => {
    await active.desk.apply(active.request(textOf(2), { confirmMs: 60_000 }), false);
    block(active.historyFile);
    const undone = await active.desk.undo('alice', false);
    assert.match((undone.ok && undone.value.steps.join()) || '', /cannot be written/);
    assert.equal(active.running.weight, 3);
  });

  test('the history, when a change is in force or confirmed: it is neither, and goes back', async () => {
    active.settled = async () => {
      block(active.historyFile);
      return undefined;
    };
    const done = await active.desk.apply(active.request(textOf(2)), false);
    assert.match((!done.ok && done.error.lines?.join()) || '', /cannot be written/);
    assert.equal(active.running.weight, 3);

    active.settled = async () => undefined;
    unblock(active.historyFile);
    await active.desk.apply(active.request(textOf(4), { confirmMs: 60_000 }), false);
    block(active.historyFile);
    const kept = await active.desk.confirm('alice', true);
    assert.match(
      (!kept.ok && kept.error.title) || '',
      /the history of changes .* cannot be written/,
    );
    assert.equal(active.desk.beside().length, 1);
    unblock(active.historyFile);
    assert.equal((await active.desk.confirm('alice', true)).ok, true);
  });

  test('the history, at a start: the old file is back all the same', async () => {
    await active.desk.apply(active.request(textOf(2), { confirmMs: 60_000 }), false);
    block(active.historyFile);
    const stateDirectory = join(active.directory, 'state');
    const parts = { configFile: active.file, stateDirectory, isRunnable: () => true };
    const said = recoverChange(parts, Date.now() + 60_001);
    assert.match(said[0] ?? '', /was not confirmed in its time: back to version 7/);
    assert.match(said[1] ?? '', /cannot be written/);
    assert.equal(active.text, textOf(3));
  });
});

test('a version that twenty undone changes lie above is still there to go back to', async () => {
  const found = { at: '', author: 'unknown', reason: '', digest: active.running.digest, size: 0 };
  const versions = [{ ...found, serial: 7, state: 'found' }];
  for (let serial = 8; versions.length < KEPT_VERSIONS; serial++) {
    versions.push({ ...found, serial, digest: String(serial), state: 'rolled-back' });
  }
  mkdirSync(dirname(active.historyFile), { recursive: true });
  const stored = { v: 1, file: active.file, state: { kind: 'settled' }, versions };
  writeFileSync(active.historyFile, JSON.stringify(stored));
  writeFileSync(join(dirname(active.historyFile), '7.cf'), textOf(3));
  active.desk = active.open(true);
  for (const weight of [2, 4]) {
    const request = active.request(textOf(weight), { confirmMs: 60_000 });
    assert.equal((await active.desk.apply(request, false)).ok, true);
    const undone = await active.desk.undo('alice', false);
    assert.equal(undone.ok && undone.value.version.serial, 7);
    assert.equal(active.text, textOf(3));
  }
});

describe('a file that was written by hand and not reloaded', () => {
  test('is put in force when it is applied, and goes back to what ran', async () => {
    await active.desk.apply(active.request(textOf(2)), false);
    const ran = active.text;
    writeFileSync(active.file, textOf(5));
    const same = active.request(textOf(5), { confirmMs: 60_000 });
    const done = await active.desk.apply(same, false);
    assert.equal(done.ok && done.value.steps[0], 'version 10 is in force');
    assert.equal(active.running.weight, 5);
    assert.equal((await active.desk.undo('alice', false)).ok, true);
    assert.equal(active.text, ran);
    assert.deepEqual(active.history, ['10 rolled-back', '9 found', '8 kept', '7 found']);
  });
});

describe('one half of a change', () => {
  test('that is only tried is none that was kept: the other goes back with it', async () => {
    active.settled = async () => {
      await until(() => standby.desk.beside().length === 0);
      return 'the kernel refuses';
    };
    const request = active.request(textOf(2), { confirmMs: 20 });
    assert.equal((await active.desk.apply(request, true)).ok, false);
    assert.deepEqual([active.running.weight, standby.running.weight], [3, 3]);
    assert.deepEqual([active.text, standby.text], [textOf(3), textOf(3)]);
  });

  test('that was kept is named when the other is undone', async () => {
    await active.desk.apply(active.request(textOf(2), { confirmMs: 60_000 }), true);
    assert.equal((await standby.desk.confirm('bob', true)).ok, true);
    const undone = await active.desk.undo('alice', false);
    const said =
      'the partner keeps the change: see piranha diff --partner; push or pull makes both the same';
    assert.deepEqual(undone.ok && undone.value.steps, [said]);
    assert.ok(active.log.includes(`alice: ${said}`));
  });

  test('waits also where its file runs already', async () => {
    const bare = (weight: number) => textOf(weight).replace(/serial_no.*\n/, '');
    for (const [side, weight] of [
      [active, 2],
      [standby, 3],
    ] as const) {
      writeFileSync(side.file, bare(weight));
      await side.running.reload();
    }
    assert.equal((await active.desk.apply(active.request(bare(2)), true)).ok, true);
    assert.equal(readFileSync(standby.file, 'utf8'), bare(2));
    assert.deepEqual([active.desk.beside(), standby.desk.beside()], [[], []]);
  });
});
