/** A pair of service = fos: two cores that hear each other, and what happens when the services of the active one fail. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeHeartbeat } from '../wire/index.ts';
import type { ExtendedSettings } from './extended-types.ts';
import type { Effect, FailoverSettings } from './failover-types.ts';
import { roleOf } from './moves.ts';
import { DEADTIME, KEEPALIVE, PARTNER, SETTINGS, TestDirector } from './test-director.ts';

const OWN = SETTINGS.paths[0]?.own ?? PARTNER;
const FOS = { service: 'fos' } as const;
const EXTENDED: Omit<ExtendedSettings, 'incarnation'> = {
  settleMs: 20,
  delayMs: 5,
  leaseMs: 400,
  keys: [],
  serialNo: 1,
  configDigest: '0000000000000000',
  linkAddresses: [],
  hasWitness: false,
  namesWitnesses: false,
};
const STEP_MS = 5;

class Pair {
  readonly primary: TestDirector;
  readonly backup: TestDirector;
  /** Are the words of the backup lost? */
  isBackupMute = false;
  mostOwners = 0;
  /** All that the backup said, without repetitions. */
  readonly backupSaid: string[] = [];

  constructor(settings: Partial<FailoverSettings>) {
    const own = (incarnation: number): Partial<FailoverSettings> =>
      settings.extended === undefined
        ? settings
        : { ...settings, extended: { ...settings.extended, incarnation } };
    const path = { name: 'public', own: PARTNER, partner: OWN } as const;
    this.primary = new TestDirector(own(4096), true);
    this.#deliver(this.primary);
    this.backup = new TestDirector({ ...own(8192), node: 'backup', paths: [path] });
  }

  runs(ms: number): this {
    for (let left = ms; left > 0; left -= STEP_MS) {
      this.primary.passes(STEP_MS);
      this.#deliver(this.primary);
      this.backup.passes(STEP_MS);
      this.#deliver(this.backup);
    }
    return this;
  }

  /** The backup's monitors say that the primary does not serve. */
  fails(): this {
    this.backup.feed({ kind: 'services', now: this.backup.now, health: 'partner-failed' });
    this.#deliver(this.backup);
    return this;
  }

  /** What one said reaches the other at once, answers and their answers too. */
  #deliver(from: TestDirector): void {
    const owners = [this.primary, this.backup].filter((one) => one?.isActive);
    this.mostOwners = Math.max(this.mostOwners, owners.length);
    const sends = from.effects.flatMap((one: Effect) => (one.kind === 'send' ? [one.bytes] : []));
    if (from === this.backup) {
      const fresh = from.said.filter((word) => word !== `public ${this.backupSaid.at(-1)}`);
      this.backupSaid.push(...fresh.map((word) => word.replace('public ', '')));
    }
    from.effects = [];
    const to = from === this.primary ? this.backup : this.primary;
    if (to === undefined || (from === this.backup && this.isBackupMute)) return;
    for (const bytes of sends) {
      to.hears(bytes, from === this.primary ? OWN : PARTNER);
      this.#deliver(to);
    }
  }
}

const DIALECTS = [
  ['legacy', FOS],
  ['extended', { ...FOS, dialect: 'auto', extended: { ...EXTENDED, incarnation: 1 } }],
] as const;

for (const [dialect, settings] of DIALECTS) {
  test(`${dialect}: the standby takes over from an active partner whose services failed, and is never a second owner`, () => {
    const pair = new Pair(settings).runs(DEADTIME * 2);
    assert.deepEqual([pair.primary.isActive, roleOf(pair.backup.state)], [true, 'standby']);
    pair.fails().runs(DEADTIME);
    assert.deepEqual([pair.backup.isActive, roleOf(pair.primary.state)], [true, 'standby']);
    assert.equal(pair.backup.state.reason, 'partner-failed');
    assert.equal(pair.primary.state.reason, 'partner-claims');
    assert.equal(pair.mostOwners, 1);
    pair.runs(DEADTIME * 4);
    assert.equal(pair.backup.isActive, true, 'it stays');
  });
}

test('a legacy pair is told STOPME before anything is raised, in words of fos alone', () => {
  const pair = new Pair(FOS).runs(DEADTIME * 2);
  pair.fails().runs(DEADTIME);
  assert.deepEqual(pair.backupSaid, ['fos-stopped', 'stopme', 'fos-running']);
});

test('a partner that does not hear STOPME keeps the VIPs: asked for a deadtime, then again when it fails again', () => {
  const pair = new Pair(FOS).runs(DEADTIME * 2);
  pair.isBackupMute = true;
  pair.fails();
  assert.equal(roleOf(pair.backup.state), 'claim');
  pair.runs(DEADTIME + KEEPALIVE);
  assert.deepEqual(
    [roleOf(pair.backup.state), pair.backup.state.reason],
    ['standby', 'partner-deaf'],
  );
  assert.equal(pair.mostOwners, 1);
  pair.isBackupMute = false;
  pair.fails().runs(KEEPALIVE);
  assert.equal(pair.backup.isActive, true);
});

test('a partner that falls silent while it is told STOPME is dead: taken over after the deadtime', () => {
  const director = new TestDirector(FOS).passesHearing(5 * KEEPALIVE, 'fos-running');
  director.feed({ kind: 'services', now: director.now, health: 'partner-failed' });
  assert.deepEqual(director.said, ['public stopme']);
  director.passes(DEADTIME);
  assert.deepEqual([director.isActive, director.state.reason], [true, 'partner-silent']);
  assert.deepEqual(director.passes(KEEPALIVE).said, ['public fos-running']);
});

test('who may not take over tells nobody to stop, and takes a STOPME back', () => {
  const fails = { kind: 'services', health: 'partner-failed' } as const;
  const aside = new TestDirector(FOS).passesHearing(5 * KEEPALIVE, 'fos-running');
  aside.feed({ kind: 'operator', now: aside.now, order: 'maintenance-on' });
  assert.deepEqual(aside.feed({ ...fails, now: aside.now }).effects, []);
  const director = new TestDirector(FOS).passesHearing(5 * KEEPALIVE, 'fos-running');
  director.feed({ ...fails, now: director.now });
  director.feed({ kind: 'operator', now: director.now, order: 'maintenance-on' });
  assert.deepEqual(director.said, ['public fos-stopped']);
});

test('a partner that is not active is judged by silence and STOPPED, not by its services', () => {
  for (const word of ['fos-stopped', undefined] as const) {
    const director = new TestDirector({ ...FOS, node: 'backup' });
    if (word !== undefined) director.hears(word);
    director.feed({ kind: 'services', now: director.now, health: 'partner-failed' });
    assert.deepEqual(director.effects, []);
  }
});

test('with service = lvs the services of the partner are not our concern', () => {
  const director = new TestDirector().passesHearing(5 * KEEPALIVE, 'running');
  director.feed({ kind: 'services', now: director.now, health: 'partner-failed' });
  assert.deepEqual(director.effects, []);
});

test('a pair of one lvs and one fos refuses each other, in both dialects', () => {
  for (const word of ['running', 'stopped'] as const) {
    const director = new TestDirector(FOS).passes(DEADTIME - 1).hears(word);
    assert.deepEqual(director.notes, ['incompatible']);
    assert.equal(director.passes(1).isActive, true, 'the old deadline stands');
  }
  const extended = { ...EXTENDED, incarnation: 4096 };
  const lvs = new TestDirector({ dialect: 'auto', extended }).passes(KEEPALIVE * 2);
  const fos = new TestDirector({ ...FOS, dialect: 'auto', extended }).passes(KEEPALIVE * 2);
  const wordOf = ({ effects }: TestDirector): Uint8Array =>
    effects.flatMap((one) => (one.kind === 'send' ? [one.bytes] : []))[0] ?? new Uint8Array();
  const [ofLvs, ofFos] = [wordOf(lvs), wordOf(fos)];
  assert.deepEqual(fos.hears(ofLvs).notes, ['incompatible']);
  assert.deepEqual(lvs.hears(ofFos).notes, ['incompatible']);
});

test('an active director of fos obeys STOPME: it lets go, says so, and listens', () => {
  const director = new TestDirector({ ...FOS, node: 'backup' }).passes(DEADTIME);
  assert.equal(director.isActive, true);
  director.hears(encodeHeartbeat('stopme'));
  assert.deepEqual(director.did.slice(0, 4), [
    'cancel-announcements',
    'hook inactive',
    'remove',
    'announce partner reply',
  ]);
  assert.deepEqual(director.said, ['public fos-stopped']);
  director.passes(DEADTIME - 1);
  assert.equal(director.isActive, false);
  assert.equal(director.passes(1).isActive, true, 'nobody came');
});
