import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { after } from '../base/index.ts';
import { decodeTrailer, encodeExtendedHeartbeat, type Trailer } from '../wire/index.ts';
import type { ExtendedSettings } from './extended-types.ts';
import type { OperatorOrder } from './failover-types.ts';
import { reasonOf, roleOf } from './moves.ts';
import { refusalOf } from './operator.ts';
import { PARTNER, SETTINGS, TestDirector } from './test-director.ts';

const OURS = 4096;
const OWN = SETTINGS.paths[0]?.own ?? PARTNER;

const KEY = new Uint8Array(32).fill(7);
const EXTENDED: ExtendedSettings = {
  incarnation: OURS,
  settleMs: 20,
  delayMs: 5,
  leaseMs: 229,
  keys: [],
  serialNo: 1,
  configDigest: '0000000000000000',
  linkAddresses: [],
  hasWitness: true,
  namesWitnesses: true,
};
/** Keepalive 100 ms, deadtime 300 ms: a heartbeat every 50 ms, patience 280 ms, a question to the witnesses every 70. */
const TIMERS = { keepaliveMs: 100, deadtimeMs: 300, dialect: 'auto' } as const;

class Pair extends TestDirector {
  #sequence = 0;
  /** Does the witness answer? */
  isWitnessHeard = true;
  /** What the partner says every 50 ms; undefined: nothing. */
  partner: Partial<Trailer> | undefined;

  /** Time passes in steps of 5 ms; the partner and the witness do what they do. */
  runs(ms: number): this {
    const until = after(this.now, ms);
    const did = [];
    while (this.now < until) {
      this.passes(5);
      did.push(...this.effects);
      const isAsked = this.effects.some(({ kind }) => kind === 'ask-segment');
      if (isAsked && this.isWitnessHeard) {
        did.push(...this.feed({ kind: 'segment-heard', now: this.now }).effects);
      }
      if (this.partner !== undefined && this.now % 50 === 0) {
        did.push(...this.hears(this.says(this.partner)).effects);
      }
    }
    this.effects = did;
    return this;
  }

  says(words: Partial<Trailer>): Uint8Array {
    const trailer: Trailer = {
      role: 'standby',
      isEligible: true,
      isStopping: false,
      reason: 'start',
      epoch: 0,
      moves: 0,
      incarnation: 8192,
      sequence: ++this.#sequence,
      echo: { incarnation: OURS, sequence: this.state.extended.sequence },
      intervalMs: 50,
      deadtimeMs: 300,
      leaseMs: 229,
      serialNo: 1,
      configDigest: '0000000000000000',
      servicesUp: 0,
      services: 0,
      linkAddresses: [],
      ...words,
    };
    const keys = this.state.settings.extended?.keys;
    return encodeExtendedHeartbeat(trailer, { from: PARTNER, to: OWN }, keys?.[0]);
  }

  get role(): string {
    return `${roleOf(this.state)} ${this.state.reason}`;
  }

  /** The time until `isSo`, in steps of 5 ms; at most 5 s. */
  timeUntil(isSo: () => boolean): number {
    const since = this.now;
    while (!isSo() && this.now - since < 5000) this.runs(5);
    return this.now - since;
  }
}

/** Active for long, its partner a standby that may take over. */
function owner(changes: Partial<ExtendedSettings> = {}): Pair {
  const pair = new Pair({ ...TIMERS, extended: { ...EXTENDED, ...changes } });
  pair.partner = {};
  pair.runs(2000);
  assert.match(pair.role, /^active/);
  return pair;
}

/** Standby for long, its partner active. */
function standby(changes: Partial<ExtendedSettings> = {}): Pair {
  const pair = new Pair({ ...TIMERS, extended: { ...EXTENDED, ...changes } });
  pair.partner = { role: 'active', epoch: 1, moves: 1 };
  pair.runs(2000);
  assert.match(pair.role, /^standby/);
  return pair;
}

describe('an owner that hears none of witness_hosts', () => {
  test('and nothing of its partner gives the VIPs up before the partner can raise them', () => {
    const pair = owner();
    pair.partner = undefined;
    pair.isWitnessHeard = false;
    const ms = pair.timeUntil(() => !pair.state.isActive);
    assert.equal(pair.role, 'fault isolated');
    // The partner has heard us up to 50 ms before; it raises a deadtime later.
    assert.ok(ms > 150 && ms <= 250, `${ms} ms`);
  });

  test('stays while its partner hears none either: the witnesses are dead, not the network', () => {
    const pair = owner();
    pair.isWitnessHeard = false;
    pair.runs(200);
    pair.partner = { isEligible: false, reason: 'isolated' };
    pair.runs(10_000);
    assert.match(pair.role, /^active/);
    assert.equal(pair.state.extended.isIsolated, true);
  });

  test('leaves them to a partner that hears them, when that one has had time to say otherwise', () => {
    const pair = owner();
    pair.isWitnessHeard = false;
    const ms = pair.timeUntil(() => !pair.state.isActive);
    assert.equal(pair.role, 'fault isolated');
    assert.ok(ms >= 2 * 280 && ms <= 2 * 280 + 70 + 50, `${ms} ms`);
  });

  test('stays when its partner is dead and the witnesses are heard', () => {
    const pair = owner();
    pair.partner = undefined;
    pair.runs(10_000);
    assert.match(pair.role, /^active/);
  });

  test('whose partner falls silent tells the segment once: it may have owned while we were paused', () => {
    const pair = owner({ namesWitnesses: false });
    pair.runs(20_000);
    pair.partner = undefined;
    pair.runs(10_000);
    const told = pair.effects.filter(({ kind }) => kind === 'announce');
    assert.equal(told.length, 1);
  });

  test('does not call a partner silent that may not take over and says so', () => {
    const pair = owner({ namesWitnesses: false });
    pair.partner = { isEligible: false, reason: 'maintenance' };
    pair.runs(10_000);
    const notes = pair.effects.flatMap((effect) => (effect.kind === 'note' ? [effect.note] : []));
    assert.deepEqual(
      notes.filter((note) => note.kind === 'partner'),
      [],
    );
  });

  test('keeps the VIPs where nobody is named', () => {
    const pair = owner({ namesWitnesses: false });
    pair.partner = undefined;
    pair.isWitnessHeard = false;
    pair.runs(10_000);
    assert.match(pair.role, /^active/);
  });

  test('hears them again: listens for a deadtime, then takes over from nobody', () => {
    const pair = owner();
    pair.partner = undefined;
    pair.isWitnessHeard = false;
    pair.runs(1000);
    assert.equal(pair.role, 'fault isolated');
    pair.isWitnessHeard = true;
    const ms = pair.timeUntil(() => pair.state.isActive);
    assert.ok(ms >= 300 && ms <= 300 + 70 + 10, `${ms} ms`);
  });
});

describe('a standby that hears none of witness_hosts', () => {
  test('says that it may not take over, does not, and says when it may again', () => {
    const pair = standby();
    pair.isWitnessHeard = false;
    pair.runs(300);
    assert.equal(pair.role, 'fault isolated');
    pair.partner = undefined;
    pair.runs(3000);
    assert.equal(pair.role, 'fault isolated');
    pair.isWitnessHeard = true;
    pair.partner = { role: 'active', epoch: 1, moves: 1 };
    pair.runs(300);
    assert.match(pair.role, /^standby/);
    const notes = pair.effects.filter(({ kind }) => kind === 'note');
    assert.ok(JSON.stringify(notes).includes('"witnesses","are":"heard"'), JSON.stringify(notes));
  });

  test('that stood still counts the silence from its waking', () => {
    const pair = standby();
    pair.now = after(pair.now, 5000);
    pair.feed({ kind: 'wake', now: pair.now });
    assert.match(pair.role, /^standby/);
    pair.runs(100);
    assert.equal(pair.state.extended.isIsolated, false);
  });
});

describe('a standby whose receiver is dead', () => {
  /** It hears neither its partner nor the gateway; what it says passes. */
  function deafened(pair: Pair): Pair {
    pair.partner = undefined;
    pair.isWitnessHeard = false;
    return pair.runs(3000);
  }

  test('does not claim where a neighbour is known: it is the deaf one', () => {
    const pair = deafened(standby({ namesWitnesses: false }));
    assert.equal(pair.role, 'standby deaf');
    assert.equal(pair.state.extended.epoch, 0);
  });

  test('with the gateway dead as well, a partner that dies has no successor until anything is heard', () => {
    // From here a dead receiver and a dead partner behind a dead gateway look the same, and this is the safe side.
    const pair = deafened(standby({ namesWitnesses: false }));
    pair.isWitnessHeard = true; // the gateway is back, the partner is not
    pair.runs(700);
    assert.equal(pair.role, 'active partner-silent');
  });

  test('claims where there is nobody to ask: its partner gives way to it, and it serves nobody', () => {
    const pair = deafened(standby({ namesWitnesses: false, hasWitness: false }));
    assert.equal(pair.role, 'active partner-silent');
  });
});

test('witnesses that a reload names are asked from then on: nobody was late, nobody is isolated', () => {
  for (const pair of [owner({ namesWitnesses: false }), standby({ namesWitnesses: false })]) {
    const before = roleOf(pair.state);
    const named = { ...pair.state.settings, extended: EXTENDED };
    pair.feed({ kind: 'settings', now: pair.now, settings: named });
    const effects = [...pair.effects, ...pair.runs(2000).effects];
    const notes = effects.flatMap((it) => (it.kind === 'note' ? [it.note.kind] : []));
    assert.ok(!notes.includes('late') && !notes.includes('witnesses'), `${before}: ${notes}`);
    assert.equal(roleOf(pair.state), before);
    pair.isWitnessHeard = false;
    pair.runs(1000);
    assert.equal(pair.state.extended.isIsolated, true);
  }
});

describe('a standby that may not take over', () => {
  test('says what keeps it from it, in its heartbeats as in its status, and not what once made it a standby', () => {
    const pair = standby();
    const said = (): string => {
      const sent = pair.runs(60).effects.flatMap((it) => (it.kind === 'send' ? [it.bytes] : []));
      const trailer = decodeTrailer(
        sent.at(-1) ?? new Uint8Array(),
        { from: OWN, to: PARTNER },
        [],
      );
      assert.ok(trailer.ok);
      const { isEligible, reason } = trailer.value;
      assert.equal(reasonOf(pair.state), reason);
      return `${isEligible ? 'may' : 'may not'}: ${reason}`;
    };
    const order = (word: OperatorOrder): Pair =>
      pair.feed({ kind: 'operator', now: pair.now, order: word });
    assert.equal(said(), 'may: start');
    order('maintenance-on');
    assert.equal(said(), 'may not: maintenance');
    order('maintenance-off');
    assert.equal(said(), 'may: start');
    pair.feed({ kind: 'services', now: pair.now, health: 'wedged' });
    assert.equal(said(), 'may not: main-wedged');
    order('resign');
    assert.equal(said(), 'may not: operator');
    const refused = refusalOf(pair.state, 'takeover', pair.now);
    assert.equal(refused, 'this director may not take over (main-wedged)');
  });
});

test('a stop amid its own claim: what it says last is that of a standby that stops, not a claim', () => {
  const pair = standby();
  pair.partner = undefined;
  for (let ms = 0; ms < 1000 && roleOf(pair.state) !== 'claim'; ms += 5) pair.runs(5);
  assert.equal(roleOf(pair.state), 'claim');
  pair.feed({ kind: 'stop', now: pair.now });
  const sent = pair.effects.flatMap((it) => (it.kind === 'send' ? [it.bytes] : []));
  assert.equal(pair.did.at(-1), 'exit');
  const trailer = decodeTrailer(sent.at(-1) ?? new Uint8Array(), { from: OWN, to: PARTNER }, []);
  assert.ok(trailer.ok);
  const { role, isStopping, isEligible, reason } = trailer.value;
  assert.deepEqual([role, isStopping, isEligible, reason], ['standby', true, false, 'stop']);
});

describe('a standby that owned, or may have in an earlier life, and an owner', () => {
  const RUNNING = { role: 'active', epoch: 3, moves: 1 } as const;
  const spoken = (pair: Pair): readonly string[] =>
    pair.did.filter((it) => it.startsWith('announce'));
  const fresh = (): Pair => new Pair({ ...TIMERS, extended: EXTENDED });

  test('that does not hear it: it tells the segment the address of that owner, once', () => {
    const pair = fresh();
    pair.partner = { ...RUNNING, echo: undefined };
    // Its first word at 50 ms or later, and two heartbeats in which the answer could have come.
    assert.deepEqual(spoken(pair.runs(100)), []);
    assert.deepEqual(spoken(pair.runs(2000)), ['announce partner reply']);
    assert.match(pair.role, /^standby/);
  });

  test('that hears it: the owner announces itself, the standby says nothing, then or when the path is cut', () => {
    const pair = fresh();
    pair.partner = RUNNING;
    assert.deepEqual(spoken(pair.runs(1000)), []);
    pair.partner = { ...RUNNING, echo: { incarnation: OURS, sequence: 1 } };
    assert.deepEqual(spoken(pair.runs(1000)), []);
  });

  test('that does not hear it, after its own lease was found dead', () => {
    const pair = owner();
    pair.partner = undefined;
    pair.feed({ kind: 'lease', now: pair.now, isAlive: false });
    assert.equal(pair.role, 'standby lease-expired');
    const { sequence } = pair.state.extended;
    pair.partner = { ...RUNNING, echo: { incarnation: OURS, sequence: sequence - 1 } };
    assert.deepEqual(spoken(pair.runs(1000)), ['announce partner reply']);
  });

  test('that, being deaf, cannot prove with a key that it lives now', () => {
    const pair = new Pair({ ...TIMERS, extended: { ...EXTENDED, keys: [KEY] } });
    pair.partner = { ...RUNNING, echo: undefined };
    assert.deepEqual(spoken(pair.runs(2000)), ['announce partner reply']);
    assert.equal(pair.state.extended.partner?.isProven, false);
  });
});
