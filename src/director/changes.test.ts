import assert from 'node:assert/strict';
import { chmodSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { err } from '../base/index.ts';
import { recoverChange } from './change-recovery.ts';
import { ChangeStore, KEPT_VERSIONS } from './change-store.ts';
import { Side, textOf, until } from './changes-under-test.ts';
import { replaceFile } from './replace-file.ts';

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

const weights = () => [active.running.weight, standby.running.weight];

describe('one node', () => {
  test('an unconfirmed change goes back to the old file, byte for byte', async () => {
    chmodSync(active.file, 0o640);
    const done = await active.desk.apply(active.request(textOf(2), { confirmMs: 60 }), false);
    assert.equal(done.ok && done.value.serial, 8);
    assert.match(
      readFileSync(active.file, 'utf8'),
      /^serial_no = 8 # counted\n(?:.*\n)+ +weight = 2$/m,
    );
    await until(() => active.running.weight === 3);
    assert.equal(readFileSync(active.file, 'utf8'), textOf(3));
    assert.equal(statSync(active.file).mode & 0o777, 0o640);
    const history = active.desk.history();
    assert.deepEqual(history.ok && history.value.map(({ serial, state }) => [serial, state]), [
      [8, 'rolled-back'],
      [7, 'found'],
    ]);
  });

  test('what was written by hand while a change waited is in the history when the old file is back', async () => {
    await active.desk.apply(active.request(textOf(2), { confirmMs: 60_000 }), false);
    writeFileSync(active.file, textOf(5));
    const undone = await active.desk.undo('alice', false);
    const kept = `${active.file} was written by hand meanwhile, kept as version 9: piranha history 9`;
    assert.deepEqual(undone.ok && undone.value.steps, [kept]);
    assert.ok(active.log.includes(kept));
    assert.equal(readFileSync(active.file, 'utf8'), textOf(3));
    const version = active.desk.version(9);
    assert.equal(version.ok && version.value.text, textOf(5));
    assert.equal(version.ok && version.value.about.state, 'found');
  });

  test('the same when nobody undoes it but the clock, and the way back does not wait for it', async () => {
    await active.desk.apply(active.request(textOf(2), { confirmMs: 60 }), false);
    writeFileSync(active.file, textOf(5));
    await until(() => active.running.weight === 3);
    const version = active.desk.version(9);
    assert.equal(version.ok && version.value.text, textOf(5));

    await active.desk.apply(active.request(textOf(2), { confirmMs: 60 }), false);
    rmSync(active.file);
    await until(() => active.running.reloads === 4);
    assert.equal(readFileSync(active.file, 'utf8'), textOf(3));
  });

  test('a failed change disarms its own rollback', async () => {
    const done = await active.desk.apply(active.request(textOf(13), { confirmMs: 30 }), false);
    assert.deepEqual(!done.ok && done.error.lines, ['the kernel refuses thirteen']);
    assert.equal(active.running.weight, 3);
    const { reloads } = active.running;
    await sleep(60);
    assert.equal(active.running.reloads, reloads);
    assert.equal(active.desk.beside().length, 0);
  });

  test('two at once: one is carried out, the other is told so; a file that runs is nothing to do', async () => {
    const request = active.request(textOf(2));
    const [one, two] = await Promise.all([
      active.desk.apply(request, false),
      active.desk.apply(request, false),
    ]);
    assert.equal(one.ok, true);
    assert.equal(!two.ok && two.error.reason, 'busy');
    const late = await active.desk.apply(request, false);
    assert.equal(!late.ok && late.error.reason, 'stale');
    const same = active.request(readFileSync(active.file, 'utf8'));
    const nothing = await active.desk.apply(same, false);
    assert.match((nothing.ok && nothing.value.steps[0]) || '', /nothing to do/);
  });

  test('a file without serial_no gets none, and its version a number all the same', async () => {
    const bare = textOf(2).replace(/serial_no.*\n/, '');
    const done = await active.desk.apply(active.request(bare), false);
    assert.equal(done.ok && done.value.serial, 8);
    assert.equal(readFileSync(active.file, 'utf8'), bare);
  });

  test('what was interrupted before it was in force goes back at the next start', () => {
    const stateDirectory = join(active.directory, 'state');
    const store = new ChangeStore(stateDirectory, active.file);
    const bytes = new TextEncoder().encode(textOf(3));
    const version = {
      at: '',
      author: 'alice',
      reason: '',
      digest: '',
      state: 'found',
      size: 0,
    } as const;
    store.add({ ...version, serial: 7 }, bytes);
    const change = { serial: 8, author: 'alice', reason: '', before: 7, isPair: false };
    store.take({ state: { kind: 'trying', change }, effects: [] });
    writeFileSync(active.file, 'half a fi');
    const parts = { configFile: active.file, stateDirectory, isRunnable: () => false };
    assert.deepEqual(recoverChange(parts, 0), [
      'version 8 by alice was interrupted before it was in force: back to version 7 (rolled-back)',
      `${active.file} was written by hand meanwhile, kept as version 9: piranha history 9`,
    ]);
    assert.equal(readFileSync(active.file, 'utf8'), textOf(3));
    assert.deepEqual(recoverChange(parts, 0), []);
  });

  test('twenty versions are kept, and the one that a waiting change would go back to', async () => {
    for (let weight = 20; weight < 43; weight++) {
      const done = await active.desk.apply(active.request(textOf(weight)), false);
      assert.equal(done.ok, true);
    }
    const history = active.desk.history();
    assert.equal(history.ok && history.value.length, KEPT_VERSIONS);
    const store = new ChangeStore(join(active.directory, 'state'), active.file);
    assert.equal(store.bytes(7), undefined);
    assert.notEqual(store.bytes(30), undefined);
  });

  test('a history that cannot be read keeps nobody from looking, and everybody from changing', async () => {
    const stateDirectory = join(active.directory, 'state');
    new ChangeStore(stateDirectory, active.file).take({ state: { kind: 'settled' }, effects: [] });
    writeFileSync(join(stateDirectory, 'history', 'changes.json'), '{');
    const desk = active.open(true);
    assert.equal(desk.config().ok, true);
    const refused = await desk.apply(active.request(textOf(2)), false);
    assert.match(
      (!refused.ok && refused.error.title) || '',
      /history of changes .* cannot be read/,
    );
    assert.equal(readFileSync(active.file, 'utf8'), textOf(3));
  });
});

describe('both nodes', () => {
  test('the standby is first, whichever is asked; both keep what is confirmed', async () => {
    assert.equal((await active.desk.apply(active.request(textOf(2)), true)).ok, true);
    assert.deepEqual(weights(), [2, 2]);
    const order = active.partner.asked.map((path) => path.replace('/v1/config', ''));
    assert.deepEqual(order, ['', '/check', '/apply', '/confirm']);
    const done = await standby.desk.apply(standby.request(textOf(4)), true);
    assert.match((done.ok && done.value.steps[0]) || '', /^version 9 is in force$/);
    assert.deepEqual(weights(), [4, 4]);
    assert.equal(readFileSync(active.file, 'utf8'), readFileSync(standby.file, 'utf8'));
  });

  test('what one of them cannot put in force is on neither', async () => {
    standby.running.reload = async () => err(['no']);
    const done = await active.desk.apply(active.request(textOf(2), { confirmMs: 60_000 }), true);
    assert.equal(!done.ok && done.error.reason, 'partner-refused');
    const other = await standby.desk.apply(standby.request(textOf(2), { confirmMs: 60_000 }), true);
    assert.equal(other.ok, false);
    assert.deepEqual(weights(), [3, 3]);
    assert.equal(readFileSync(standby.file, 'utf8'), textOf(3));
    assert.deepEqual([active.desk.beside(), standby.desk.beside()], [[], []]);
  });

  for (const from of ['active', 'standby'] as const) {
    for (const isAnswerLost of [false, true]) {
      for (let cutAt = 1; cutAt <= 5; cutAt++) {
        const when = `${isAnswerLost ? 'behind' : 'before'} question ${cutAt}`;
        test(`asked of the ${from}, cut ${when}: both are new or both are old in the end`, async () => {
          const side = from === 'active' ? active : standby;
          Object.assign(side.partner, { cutAt, isAnswerLost });
          await side.desk.apply(side.request(textOf(2), { confirmMs: 80 }), true);
          // The confirmation may be the one that is cut; the channel heals before its time is over.
          await side.desk.confirm('alice', false);
          side.partner.cutAt = Number.POSITIVE_INFINITY;
          await until(() => [active, standby].every(({ desk }) => desk.beside().length === 0));
          const [a, b] = weights();
          assert.equal(a, b);
          assert.equal(readFileSync(active.file, 'utf8'), readFileSync(standby.file, 'utf8'));
        });
      }
    }
  }
});

test('a link is followed, and stays a link', () => {
  const link = join(active.directory, 'link.cf');
  symlinkSync(active.file, link);
  replaceFile(link, new TextEncoder().encode('new'));
  assert.equal(readFileSync(active.file, 'utf8'), 'new');
  assert.throws(() => replaceFile('/proc/nowhere/lvs.cf', new Uint8Array(1)));
});
