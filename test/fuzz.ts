/**
 * A million hostile inputs: heartbeats, frames, answers of the kernel and configuration files, random and mutated.
 * Nothing may throw, nothing of it may change a role or keep the partner alive, and memory must not grow.
 *
 * The inputs come from a seed, so a failure can be repeated: `./check fuzz` prints it, FUZZ_SEED sets it.
 * Rejected: coverage-guided fuzzing, which needs an instrumented build of code that has none; the codecs are small
 * enough that a million mutants of real messages reach every branch.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { concatBytes, fromHex, instant, ip, toHex } from '../src/base/index.ts';
import { fuzzChecks } from '../src/checks/index.ts';
import { formatDocument, parseDocument, parseSettings } from '../src/config/index.ts';
import { type FailoverState, initialState, roleOf, step, wakeAt } from '../src/core/index.ts';
import { decodeHeartbeat } from '../src/wire/index.ts';
import { fuzzWire } from './fuzz-wire.ts';

const seed = Number(process.env.FUZZ_SEED ?? 140414);
const dice = xorshift(seed);
const collect = garbageCollector();

const DATAGRAMS = 600_000;
const MESSAGES = 320_000;
const FILES = 80_000;
const ANSWERS = 300_000;

const primary = ip('198.51.100.11');
const backup = ip('198.51.100.12');
const stranger = ip('198.51.100.66');
const vip = ip('198.51.100.100');
const now = instant(1_000_000);

test(`${DATAGRAMS} forged heartbeats: no role changes, the partner is not kept alive`, () => {
  const states = [director('primary', true), director('backup', false)];
  const words = ['dadbadbd', 'bddabdad', 'bebaafde', 'bebaefbe', 'dadaadde'].map(fromHex);
  forEach(DATAGRAMS, (index) => {
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
  });
});

test(`${MESSAGES} mutated frames and netlink answers: decoded or refused, never thrown`, () => {
  const { accepted, grownBytes } = fuzzWire(MESSAGES, seed);
  assert.ok(accepted > MESSAGES / 20, `only ${accepted} accepted`);
  assert.ok(grownBytes < 2_000_000, `memory grew by ${grownBytes} bytes (seed ${seed})`);
});

test(`${FILES} mutated lvs.cf files: a verdict each, and every byte kept`, () => {
  const lines = SAMPLE.split('\n');
  forEach(FILES, () => {
    const text = mutateText(lines);
    const { settings, problems } = parseSettings(text, { file: 'lvs.cf' });
    const isRefused = problems.some(({ severity }) => severity === 'error');
    assert.equal(settings === undefined, isRefused, JSON.stringify(text));
    assert.equal(formatDocument(parseDocument(text, 'lvs.cf')), text);
  });
});

test(`${ANSWERS} hostile answers of real servers: a verdict with a reason each`, () => {
  collect();
  const before = process.memoryUsage().heapUsed;
  const { plays, up } = fuzzChecks(ANSWERS, seed);
  assert.equal(plays, ANSWERS);
  assert.ok(up > ANSWERS / 20 && up < ANSWERS / 2, `${up} up`);
  collect();
  const grownBytes = process.memoryUsage().heapUsed - before;
  assert.ok(grownBytes < 4_000_000, `memory grew by ${grownBytes} bytes (seed ${seed})`);
});

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

/** Runs `one` `count` times; what is alive afterwards must not be more than what was alive after a quarter. */
function forEach(count: number, one: (index: number) => void): void {
  let early = 0;
  for (let index = 0; index < count; index++) {
    if (index === count >> 2) early = liveBytes();
    one(index);
  }
  const grown = liveBytes() - early;
  assert.ok(grown < 2_000_000, `memory grew by ${grown} bytes (seed ${seed})`);
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

function mutateText(lines: readonly string[]): string {
  const changed = [...lines];
  for (let changes = 1 + dice(3); changes > 0; changes--) {
    const at = dice(changed.length);
    const line = changed[at] ?? '';
    const cut = dice(line.length + 1);
    const insertion = pick([
      '{',
      '}',
      '"',
      "'",
      '=',
      ' = ',
      '#',
      '\t',
      '\r',
      '\0',
      '0x',
      'é',
      '99999999999999999999',
    ]);
    const kind = dice(5);
    if (kind === 0) changed.splice(at, 1);
    else if (kind === 1) changed.splice(at, 0, pick(lines));
    else if (kind === 2) changed[at] = line.slice(0, cut) + insertion + line.slice(cut);
    else if (kind === 3) changed[at] = line.slice(0, cut) + line.slice(cut + 1 + dice(3));
    else changed[at] = line.slice(0, cut) + String.fromCharCode(dice(0x3000)) + line.slice(cut);
  }
  return changed.join(dice(8) === 0 ? '\r\n' : '\n');
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

const SAMPLE = `serial_no = 7
primary = 198.51.100.11
primary_private = 10.77.0.1
service = lvs
backup_active = 1
backup = 198.51.100.12
backup_private = 10.77.0.2
heartbeat_port = 539
keepalive = 2
deadtime = 6
network = nat
nat_router = 10.77.1.254 eth1:1
monitor_links = 1
syncdaemon = 1
active_cmd = "/usr/local/bin/notify active"

virtual shop {
     active = 1
     address = 198.51.100.100 eth0:1
     vip_nmask = 255.255.255.0
     port = 80
     persistent = 300
     send = "GET /health HTTP/1.0\\r\\n\\r\\n"
     expect = "HTTP/1.1 200"
     scheduler = wlc
     protocol = tcp
     timeout = 6
     reentry = 15
     server web-a {
         address = 198.51.100.21
         active = 1
         port = 8080
         weight = 2
     }
}
`;
