/**
 * One director under a virtual clock, for scenario tests of the core: `hears`, `passes`, `stops` feed inputs as the crank
 * would, `said`, `did` tell what came out of the last one. The kernel confirms each wish at once, unless it is told to wait.
 */
import {
  after,
  type Instant,
  type IpAddress,
  instant,
  ip,
  type Milliseconds,
} from '../base/index.ts';
import type { PathName } from '../model/index.ts';
import { decodeHeartbeat, encodeHeartbeat, type HeartbeatKind } from '../wire/index.ts';
import { initialState, step, wakeAt } from './failover.ts';
import type { Effect, FailoverSettings, Input } from './failover-types.ts';
import type { FailoverState } from './moves.ts';

export const KEEPALIVE: Milliseconds = 1000;
export const DEADTIME: Milliseconds = 3000;
export const VIP = ip('198.51.100.100');
export const PARTNER = ip('198.51.100.12');

const PUBLIC = { name: 'public', own: ip('198.51.100.11'), partner: PARTNER } as const;
const PRIVATE = { name: 'private', own: ip('192.0.2.11'), partner: ip('192.0.2.12') } as const;

export const SETTINGS: FailoverSettings = {
  node: 'primary',
  paths: [PUBLIC],
  keepaliveMs: KEEPALIVE,
  deadtimeMs: DEADTIME,
  dialect: 'legacy',
  failback: 'none',
  monitorLinks: false,
  vips: [VIP],
};
export const TWO_PATHS = [PUBLIC, PRIVATE];

export class TestDirector {
  state: FailoverState;
  now: Instant;
  /** Effects since the last call that moved time or fed something. */
  effects: Effect[] = [];
  /** Set to false and the kernel takes its time: `confirms` is then its answer. */
  isKernelPrompt = true;

  constructor(settings: Partial<FailoverSettings> = {}, isForcedActive = false) {
    this.now = instant(0);
    this.state = initialState({ ...SETTINGS, ...settings }, this.now);
    this.feed({ kind: 'start', now: this.now, isForcedActive });
  }

  /** Any input, now. */
  feed(input: Input): this {
    this.effects = [];
    this.#feed(input);
    return this;
  }

  /** A datagram of the partner, then the timers: one turn. */
  hears(
    word: HeartbeatKind | Uint8Array,
    from: IpAddress = PARTNER,
    path: PathName = 'public',
  ): this {
    const bytes = typeof word === 'string' ? encodeHeartbeat(word) : word;
    return this.feed({ kind: 'datagram', now: this.now, path, from, bytes });
  }

  /** Time passes; every deadline is met on its moment. */
  passes(ms: Milliseconds): this {
    this.effects = [];
    const until = after(this.now, ms);
    for (let at = wakeAt(this.state); at !== undefined && at <= until; at = wakeAt(this.state)) {
      if (at > this.now) this.now = at;
      this.#feed({ kind: 'wake', now: this.now });
    }
    this.now = until;
    return this;
  }

  /** Time passes while the partner says `word` every keepalive. */
  passesHearing(ms: Milliseconds, word: HeartbeatKind): this {
    const effects: Effect[] = [];
    for (let left = ms; left > 0; left -= KEEPALIVE) {
      this.passes(Math.min(left, KEEPALIVE));
      effects.push(...this.effects);
      this.hears(word);
      effects.push(...this.effects);
    }
    this.effects = effects;
    return this;
  }

  /** The process stands still: no deadline is met. */
  sleeps(ms: Milliseconds): this {
    this.now = after(this.now, ms);
    return this;
  }

  wakes(): this {
    return this.feed({ kind: 'wake', now: this.now });
  }

  confirms(refusal?: string): this {
    const wish = this.state.wish.number;
    const answer = { kind: 'converged', now: this.now, wish } as const;
    return this.feed(refusal === undefined ? answer : { ...answer, refusal });
  }

  get isActive(): boolean {
    return this.state.isActive;
  }

  /** What was said, path by path: `public running`. */
  get said(): string[] {
    return this.effects.flatMap((effect) => {
      if (effect.kind !== 'send') return [];
      const decoded = decodeHeartbeat(effect.bytes);
      return [`${effect.path} ${decoded.ok ? decoded.value.kind : decoded.error}`];
    });
  }

  /** What was done to the world, in order, each as a few words; notes left out. */
  get did(): string[] {
    return this.effects.flatMap((effect) => {
      switch (effect.kind) {
        case 'send': {
          const decoded = decodeHeartbeat(effect.bytes);
          return [`say ${decoded.ok ? decoded.value.kind : '?'} ${effect.path}`];
        }
        case 'converge':
          return [effect.role === 'active' ? 'raise' : 'remove'];
        case 'announce':
          return [`announce ${effect.owner} ${effect.forms.join('+')}`];
        case 'hook':
          return [`hook ${effect.hook}`];
        case 'note':
          return [];
        default:
          return [effect.kind];
      }
    });
  }

  /** Frames announced as our own. */
  get announced(): number {
    return this.effects.reduce(
      (sum, effect) =>
        effect.kind === 'announce' && effect.owner === 'own' ? sum + effect.forms.length : sum,
      0,
    );
  }

  /** The kinds of notes. */
  get notes(): string[] {
    return this.effects.flatMap((effect) => {
      if (effect.kind !== 'note') return [];
      return [effect.note.kind === 'dropped' ? effect.note.reason : effect.note.kind];
    });
  }

  #feed(input: Input): void {
    const move = step(this.state, input);
    this.state = move.state;
    this.effects.push(...move.effects);
    const hasWish = move.effects.some(({ kind }) => kind === 'converge');
    if (hasWish && this.isKernelPrompt) {
      this.#feed({ kind: 'converged', now: this.now, wish: this.state.wish.number });
    }
    const at = wakeAt(this.state);
    if (input.kind !== 'wake' && at !== undefined && at <= this.now) {
      this.#feed({ kind: 'wake', now: this.now });
    }
  }
}

/** Active after a deadtime of silence, everything confirmed; its first round is over. */
export function activeDirector(settings: Partial<FailoverSettings> = {}): TestDirector {
  const director = new TestDirector(settings).passes(DEADTIME);
  return director.passesHearing(30 * KEEPALIVE, 'stopped');
}

/** Standby beside an active partner that is heard every keepalive; just heard. */
export function standbyDirector(settings: Partial<FailoverSettings> = {}): TestDirector {
  return new TestDirector(settings).passesHearing(10 * KEEPALIVE, 'running');
}
