/**
 * A million hostile inputs: heartbeats, frames, answers of the kernel and configuration files, random and mutated.
 * Nothing may throw, nothing of it may change a role or keep the partner alive, and memory must not grow.
 *
 * The inputs come from a seed, so a failure can be repeated: `./check fuzz` prints it, FUZZ_SEED sets it.
 * Rejected: coverage-guided fuzzing, which needs an instrumented build of code that has none; the codecs are small
 * enough that a million mutants of real messages reach every branch.
 */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { apiFuzz } from '../src/api/index.ts';
import { concatBytes, fromHex, instant, ip, toHex } from '../src/base/index.ts';
import { fuzzChecks } from '../src/checks/index.ts';
import { fuzzConfig, fuzzKeepalived, importKeepalived } from '../src/config/index.ts';
import { type FailoverState, initialState, roleOf, step, wakeAt } from '../src/core/index.ts';
import { decodeHeartbeat } from '../src/wire/index.ts';
import { fuzzHeartbeats, fuzzNewborn } from './fuzz-heartbeats.ts';
import { GREEDY } from './fuzz-keepalived.ts';
import { fuzzWire } from './fuzz-wire.ts';

const seed = Number(process.env.FUZZ_SEED ?? 140414);
const dice = xorshift(seed);
const collect = garbageCollector();

const DATAGRAMS = 600_000;
const SIGNED = 1_000_000;
const RECORDINGS = 100_000;
const MESSAGES = 320_000;
const FILES = 80_000;
const IMPORTS = 10_000;
const ANSWERS = 300_000;
const CALLS = 100_000;
/** Bytes; caches of the compiler come and go. */
const MAX_GROWTH = 4_000_000;

const primary = ip('198.51.100.11');
const backup = ip('198.51.100.12');
const stranger = ip('198.51.100.66');
const vip = ip('198.51.100.100');
const now = instant(1_000_000);

test(`${DATAGRAMS} forged heartbeats: no role changes, the partner is not kept alive`, () => {
  const states = [director('primary', true), director('backup', false)];
  const words = ['dadbadbd', 'bddabdad', 'bebaafde', 'bebaefbe', 'dadaadde'].map(fromHex);
  withoutGrowth(() => {
    for (let index = 0; index < DATAGRAMS; index++) forge(states, words, index);
  });
});

test(`${SIGNED} datagrams of an attacker on a pair with a key: no role changes, each is counted`, (t) => {
  const { dropped, roles, genuine } = withoutGrowth(() => fuzzHeartbeats(SIGNED, seed));
  assert.deepEqual(roles, ['active', 'standby']);
  assert.ok(genuine > SIGNED / 100, `only ${genuine} genuine heartbeats meanwhile`);
  const counts = [...dropped].map(([reason, count]) => `${reason} ${count}`);
  t.diagnostic(`dropped: ${counts.join(', ')}`);
  const sum = [...dropped.values()].reduce((total, count) => total + count, 0);
  assert.equal(sum, SIGNED);
  for (const reason of ['unsigned', 'bad-tag', 'replayed', 'duplicate', 'stranger'] as const) {
    assert.ok((dropped.get(reason) ?? 0) > SIGNED / 100, reason);
  }
});

test(`${RECORDINGS} recordings of an earlier life to directors that have just started: none acts on one`, () => {
  const waited = fuzzNewborn(RECORDINGS, seed);
  assert.ok(waited > 0, 'not one was even listened to');
});

test(`${MESSAGES} mutated frames and netlink answers: decoded or refused, never thrown`, () => {
  const { accepted, grownBytes } = fuzzWire(MESSAGES, seed);
  assert.ok(accepted > MESSAGES / 20, `only ${accepted} accepted`);
  assert.ok(grownBytes < MAX_GROWTH, `memory grew by ${grownBytes} bytes (seed ${seed})`);
});

test(`${FILES} hostile lvs.cf files: a verdict each, and every byte kept`, () => {
  const samples = globSync(join(import.meta.dirname, 'samples/*.cf')).toSorted();
  const texts = samples.map((file) => readFileSync(file, 'utf8'));
  const { accepted } = withoutGrowth(() => fuzzConfig(FILES, seed, texts));
  assert.ok(accepted > FILES / 100, `only ${accepted} accepted`);
});

test(`${IMPORTS} hostile keepalived.conf files: an lvs.cf that can be run, there and back, or a refusal`, () => {
  const samples = globSync(join(import.meta.dirname, 'samples/keepalived/*.conf')).toSorted();
  const texts = samples.map((file) => readFileSync(file, 'utf8'));
  const { imported } = withoutGrowth(() => fuzzKeepalived(IMPORTS, seed, texts));
  assert.ok(imported > IMPORTS / 2, `only ${imported} imported`);
});

test('a megabyte of keepalived.conf that asks for too much: an answer within seconds', () => {
  for (const [what, text] of GREEDY) {
    const startedAt = performance.now();
    const { notes } = importKeepalived(text, { primary, backup, device: 'eth0' });
    const tookMs = performance.now() - startedAt;
    assert.ok(tookMs < 20_000, `${what}: ${tookMs.toFixed(0)} ms`);
    assert.ok(notes.length < 2100, what);
  }
});

test(`${ANSWERS} hostile answers of real servers: a verdict with a reason each`, () => {
  const { plays, up } = withoutGrowth(() => fuzzChecks(ANSWERS, seed));
  assert.equal(plays, ANSWERS);
  assert.ok(up > ANSWERS / 20 && up < ANSWERS / 2, `${up} up`);
});

test(`${CALLS} calls from openapi.json: no 500, every answer of its schema, no change without the right`, async (t) => {
  const { fuzzImaginedDirector } = await apiFuzz();
  const { statuses, operations, unauthorised } = await fuzzImaginedDirector(CALLS, dice);
  const counts = Array.from(statuses, ([status, count]) => `${status}: ${count}`);
  t.diagnostic(`${counts.join(', ')}; ${unauthorised} without the right (seed ${seed})`);
  for (const [operation, count] of operations) assert.ok(count > CALLS / 100, operation);
});

/** One forged heartbeat to one of the two directors. */
function forge(states: FailoverState[], words: readonly Uint8Array[], index: number): void {
  const before = states[index % 2] ?? director('primary', true);
  const own = before.settings.node === 'primary' ? backup : primary;
  const bytes = mutate(concatBytes(pick(words), randomBytes(dice(40))));
  const isWord = decodeHeartbeat(bytes).ok;
  // A true word from the partner is no forgery; from anybody else it is.
  const from = isWord ? stranger : own;
  const { state, effects } = step(before, { kind: 'datagram', now, path: 'public', from, bytes });
  const context = `${toHex(bytes)} from ${from} to ${before.settings.node}`;
  assert.equal(roleOf(state), roleOf(before), context);
  assert.equal(wakeAt(state), wakeAt(before), context);
  assert.ok(
    effects.every(({ kind }) => kind === 'note'),
    context,
  );
  states[index % 2] = state;
}

function director(node: 'primary' | 'backup', isActive: boolean): FailoverState {
  const [own, partner] = node === 'primary' ? [primary, backup] : [backup, primary];
  const settings = {
    node,
    paths: [{ name: 'public', own, partner }],
    keepaliveMs: 100,
    deadtimeMs: 300,
    dialect: 'legacy',
    failback: 'none',
    monitorLinks: false,
    vips: [vip],
  } as const;
  const fresh = initialState(settings, now);
  return step(fresh, { kind: 'start', now, isForcedActive: isActive }).state;
}

/** What is alive after `run` must not be more than what was alive before it. */
function withoutGrowth<T>(run: () => T): T {
  const before = liveBytes();
  const result = run();
  const grown = liveBytes() - before;
  assert.ok(grown < MAX_GROWTH, `memory grew by ${grown} bytes (seed ${seed})`);
  return result;
}

function liveBytes(): number {
  collect();
  return process.memoryUsage().heapUsed;
}

/** Zero to four changes: a bit, a byte, a cut, an insertion, a length field made extreme. */
function mutate(bytes: Uint8Array): Uint8Array {
  let changed: Uint8Array = Uint8Array.from(bytes);
  for (let changes = dice(5); changes > 0; changes--) {
    const at = dice(changed.length + 1);
    const kind = dice(5);
    if (kind === 0) changed = changed.slice(0, at);
    else if (kind === 1) {
      changed = concatBytes(changed.slice(0, at), randomBytes(dice(9)), changed.slice(at));
    } else if (at < changed.length) {
      const old = changed[at] ?? 0;
      changed[at] = kind === 2 ? old ^ (1 << dice(8)) : kind === 3 ? dice(256) : 255 * dice(2);
    }
  }
  return changed;
}

function randomBytes(length: number): Uint8Array {
  return Uint8Array.from({ length }, () => dice(256));
}

function pick<T>(choices: readonly [T, ...T[]] | readonly T[]): T {
  const chosen = choices[dice(choices.length)];
  assert.ok(chosen !== undefined);
  return chosen;
}

/** Marsaglia's xorshift32: gives whole numbers from 0 to below the given bound. */
function xorshift(start: number): (below: number) => number {
  let state = start | 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

function garbageCollector(): () => void {
  setFlagsFromString('--expose-gc');
  const gc: unknown = runInNewContext('gc');
  assert.ok(typeof gc === 'function');
  return () => void gc();
}
