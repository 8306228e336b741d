/**
 * An attacker on the segment, against a pair whose heartbeats are signed: everything he heard is his to cut, change, send
 * again later, in another order, to the other one, as somebody else, or signed with a key of his own; from this life of the
 * pair and from an earlier one. The pair goes on talking in between.
 *
 * What must hold for each of his datagrams: no role changes, no deadline moves (he cannot keep a dead partner alive), nothing is
 * sent because of it, and it is counted once, with its reason.
 *
 *     node test/fuzz-heartbeats.ts [--count 1000000] [--seed 140414]
 *
 * prints one line: datagrams by kind, drops by reason, and where the pair stood in the end.
 */
import assert from 'node:assert/strict';
import process from 'node:process';
import { parseArgs } from 'node:util';
import {
  after,
  concatBytes,
  type Instant,
  type IpAddress,
  instant,
  ip,
  later,
  toHex,
  utf8,
} from '../src/base/index.ts';
import {
  type DropReason,
  type FailoverSettings,
  type FailoverState,
  type Input,
  initialState,
  roleOf,
  step,
  wakeAt,
} from '../src/core/index.ts';
import { decodeTrailer, encodeExtendedHeartbeat, encodeHeartbeat } from '../src/wire/index.ts';

export type Attack = (typeof ATTACKS)[number];
export type HeartbeatTally = {
  readonly attacks: ReadonlyMap<Attack, number>;
  readonly dropped: ReadonlyMap<DropReason, number>;
  readonly roles: readonly string[];
  /** Genuine heartbeats exchanged meanwhile. */
  readonly genuine: number;
};

const ATTACKS = [
  'noise',
  'bare word',
  'truncated',
  'changed',
  'replayed',
  'reordered',
  'earlier life',
  'reflected',
  'wrong key',
  'unsigned',
  'stranger',
] as const;

const OWN: readonly IpAddress[] = [ip('198.51.100.11'), ip('198.51.100.12')];
const STRANGER = ip('198.51.100.66');
const KEY = utf8('the key of the pair, 32 bytes or so');
const WRONG_KEY = utf8('the key of the attacker, who has none');
const SETTLED_MS = 3000;
const ATTACKS_A_TURN = 40;
const MEMORY = 64;

type Who = 0 | 1;
const BOTH: readonly Who[] = [0, 1];
type Life = {
  readonly states: [FailoverState, FailoverState];
  /** What each has said, the latest last; bounded. */
  readonly said: readonly [Uint8Array[], Uint8Array[]];
  now: Instant;
  genuine: number;
};

function life(number: number): Life {
  const now = instant(1_000_000 * number);
  const states: Life['states'] = [
    initialState(settingsOf(0, number), now),
    initialState(settingsOf(1, number), now),
  ];
  const born: Life = { states, said: [[], []], now, genuine: 0 };
  for (const who of BOTH) tell(born, who, { kind: 'start', now, isForcedActive: false });
  while (born.now < now + SETTLED_MS) turn(born);
  assert.deepEqual(states.map(roleOf), ['active', 'standby']);
  return born;
}

function settingsOf(who: Who, number: number): FailoverSettings {
  return {
    node: who === 0 ? 'primary' : 'backup',
    paths: [{ name: 'public', own: addressOf(who), partner: addressOf(other(who)) }],
    keepaliveMs: 100,
    deadtimeMs: 300,
    dialect: 'auto',
    failback: 'none',
    monitorLinks: false,
    vips: [ip('198.51.100.100')],
    extended: {
      incarnation: number * 2 ** 32 + who + 1,
      settleMs: 20,
      delayMs: 5,
      leaseMs: 229,
      keys: [KEY],
      serialNo: 1,
      configDigest: '0011223344556677',
      linkAddresses: [],
      hasWitness: false,
      namesWitnesses: false,
    },
  };
}

/** To the next deadline of either; what is said arrives at once, and the kernel does what it is told. */
function turn(pair: Life): void {
  const due = BOTH.map((who) => wakeAt(pair.states[who]) ?? pair.now);
  pair.now = later(pair.now, instant(Math.min(...due)));
  for (const who of BOTH) tell(pair, who, { kind: 'wake', now: pair.now });
}

function tell(pair: Life, who: Who, input: Input): void {
  const { state, effects } = step(pair.states[who], input);
  pair.states[who] = state;
  const { now } = pair;
  for (const effect of effects) {
    switch (effect.kind) {
      case 'send':
        remember(pair.said[who], effect.bytes);
        pair.genuine++;
        tell(pair, other(who), heard(who, effect.bytes, now));
        break;
      case 'converge':
        tell(pair, who, { kind: 'converged', now, wish: effect.wish });
        break;
      case 'extend-lease':
        tell(pair, who, { kind: 'lease', now, isAlive: true });
        break;
      default: // hooks, announcements and notes have no answer
    }
  }
}

function heard(from: Who, bytes: Uint8Array, now: Instant): Input {
  return { kind: 'datagram', now, path: 'public', from: addressOf(from), bytes };
}

function remember(said: Uint8Array[], bytes: Uint8Array): void {
  said.push(bytes);
  if (said.length > MEMORY) said.shift();
}

/** Runs `count` datagrams against both directors in turn. The same seed gives the same datagrams. */
export function fuzzHeartbeats(count: number, seed: number): HeartbeatTally {
  const dice = xorshift(seed);
  const past = life(1);
  const pair = life(2);
  const attacks = new Map<Attack, number>();
  const dropped = new Map<DropReason, number>();
  for (let index = 0; index < count; index++) {
    if (index % ATTACKS_A_TURN === 0) turn(pair);
    const victim: Who = index % 2 === 0 ? 0 : 1;
    const kind = ATTACKS[dice(ATTACKS.length)] ?? 'noise';
    const bytes = datagram(kind, { victim, pair, past, dice });
    const from = kind === 'stranger' ? STRANGER : addressOf(other(victim));
    const reason = strike(pair, victim, { from, bytes }, `${kind}, seed ${seed}`);
    attacks.set(kind, (attacks.get(kind) ?? 0) + 1);
    dropped.set(reason, (dropped.get(reason) ?? 0) + 1);
  }
  const roles = pair.states.map(roleOf);
  return { attacks, dropped, roles, genuine: pair.genuine };
}

/**
 * A director that has just started knows nothing of its partner: recordings of an earlier life may keep it waiting, but
 * none may make it claim, or give way when it is active. Gives how many of `count` were believed so far as to wait.
 */
export function fuzzNewborn(count: number, seed: number): number {
  const dice = xorshift(seed);
  const past = life(1);
  let waited = 0;
  let newborn = born(0, false);
  for (let index = 0; index < count; index++) {
    if (index % MEMORY === 0) newborn = born(dice(2) === 0 ? 0 : 1, dice(2) === 0);
    const { who, now } = newborn;
    const recordings = past.said[other(who)];
    const bytes = recordings[dice(recordings.length)] ?? new Uint8Array();
    const before = newborn.state;
    const { state } = step(before, heard(other(who), bytes, now));
    const context = `seed ${seed}: ${toHex(bytes)} to ${before.settings.node}`;
    assert.equal(roleOf(state), roleOf(before), context);
    if (state.deadAt !== before.deadAt) waited++;
    newborn = { who, now: after(now, dice(20)), state };
  }
  return waited;
}

function born(who: Who, isActive: boolean) {
  const now = instant(9_000_000);
  const fresh = initialState(settingsOf(who, 3), now);
  const start: Input = { kind: 'start', now, isForcedActive: false, hasLiveLease: isActive };
  const { state } = step(fresh, start);
  assert.equal(roleOf(state), isActive ? 'active' : 'standby');
  return { who, now, state };
}

/** One datagram of the attacker; gives the reason for which it was dropped. */
function strike(
  pair: Life,
  victim: Who,
  { from, bytes }: { readonly from: IpAddress; readonly bytes: Uint8Array },
  what: string,
): DropReason {
  const before = pair.states[victim];
  const input: Input = { kind: 'datagram', now: pair.now, path: 'public', from, bytes };
  const { state, effects } = step(before, input);
  const context = `${what}: ${toHex(bytes)} from ${from} to ${before.settings.node}`;
  const [effect, ...more] = effects;
  assert.ok(effect?.kind === 'note' && effect.note.kind === 'dropped', context);
  assert.equal(more.length, 0, context);
  assert.equal(roleOf(state), roleOf(before), context);
  assert.equal(wakeAt(state), wakeAt(before), context);
  assert.equal(state.deadAt, before.deadAt, context);
  assert.deepEqual(state.extended, before.extended, context);
  pair.states[victim] = state;
  return effect.note.reason;
}

type Means = {
  readonly victim: Who;
  readonly pair: Life;
  readonly past: Life;
  readonly dice: (below: number) => number;
};

function datagram(kind: Attack, { victim, pair, past, dice }: Means): Uint8Array {
  const partner = pair.said[other(victim)];
  const latest = partner.at(-1) ?? new Uint8Array();
  const older = partner[dice(partner.length - 1)] ?? latest;
  const route = { from: addressOf(other(victim)), to: addressOf(victim) };
  switch (kind) {
    case 'noise':
      return noise(dice(200), dice);
    case 'bare word':
      return encodeHeartbeat(dice(2) === 0 ? 'running' : 'stopped');
    case 'truncated':
      return latest.slice(0, dice(latest.length));
    case 'changed':
      return changed(latest, dice);
    case 'replayed':
      return latest;
    case 'reordered':
      return older;
    case 'earlier life':
      return past.said[other(victim)][dice(MEMORY)] ?? older;
    case 'reflected':
      return pair.said[victim].at(-1) ?? latest;
    case 'stranger':
      return latest;
    case 'wrong key':
    case 'unsigned': {
      const read = decodeTrailer(latest, route, [KEY]);
      assert.ok(read.ok);
      const role = (['standby', 'claim', 'active'] as const)[dice(3)] ?? 'claim';
      const bold = {
        ...read.value,
        role,
        epoch: dice(9),
        sequence: read.value.sequence + dice(99),
      };
      return encodeExtendedHeartbeat(bold, route, kind === 'unsigned' ? undefined : WRONG_KEY);
    }
  }
}

/** One to four bits or bytes are different, and never none; or it has grown. */
function changed(bytes: Uint8Array, dice: (below: number) => number): Uint8Array {
  if (dice(8) === 0) return concatBytes(bytes, noise(1 + dice(9), dice));
  const copy = Uint8Array.from(bytes);
  for (let changes = 1 + dice(4); changes > 0; changes--) {
    const at = dice(copy.length);
    copy[at] = (bytes[at] ?? 0) ^ (1 + dice(255));
  }
  return copy;
}

function noise(length: number, dice: (below: number) => number): Uint8Array {
  return Uint8Array.from({ length }, () => dice(256));
}

function addressOf(who: Who): IpAddress {
  return OWN[who] ?? STRANGER;
}

function other(who: Who): Who {
  return who === 0 ? 1 : 0;
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

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      count: { type: 'string', default: '1000000' },
      seed: { type: 'string', default: '140414' },
    },
  });
  const count = Number(values.count);
  const { attacks, dropped, roles, genuine } = fuzzHeartbeats(count, Number(values.seed));
  const list = (counts: ReadonlyMap<string, number>) =>
    [...counts].sort(([, a], [, b]) => b - a).map(([word, number]) => `${word} ${number}`);
  const sum = [...dropped.values()].reduce((total, number) => total + number, 0);
  process.stdout.write(
    `${count} datagrams of an attacker among ${genuine} genuine ones: ${list(attacks).join(', ')}\n` +
      `${sum} dropped and counted: ${list(dropped).join(', ')}; no role changed: ${roles.join(', ')}\n`,
  );
}
