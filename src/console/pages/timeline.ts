/**
 * The timers of a pair as one line of time, from the last heartbeat of an active that freezes to the moment when its partner
 * serves. Pure: settings in, marks in milliseconds out. The arithmetic is the daemon's (core/timers.ts).
 */
import { longestLeaseMs, renewalMs, SETTLE_MS } from '../../core/index.ts';
import type { Settings } from '../../model/index.ts';
import { lengthText } from './words.ts';

export type Timeline = {
  readonly keepaliveMs: number;
  readonly deadtimeMs: number;
  readonly renewalMs: number;
  /** Absent: the legacy dialect keeps none. */
  readonly leaseMs?: number;
  /** The partner serves: deadtime, and a claim's settling. */
  readonly servesMs: number;
  readonly sentence: string;
};

export type TimerSettings = Pick<Settings, 'keepaliveMs' | 'deadtimeMs' | 'dialect' | 'leaseMs'>;

export function timelineOf(settings: TimerSettings): Timeline {
  const { keepaliveMs, deadtimeMs, dialect } = settings;
  if (dialect === 'legacy') {
    return {
      keepaliveMs,
      deadtimeMs,
      renewalMs: keepaliveMs,
      servesMs: deadtimeMs,
      sentence:
        `Without a lease a frozen active answers on: its partner takes over after ${lengthText(deadtimeMs)}, ` +
        'and for as long as the freeze lasts both answer.',
    };
  }
  const leaseMs = settings.leaseMs ?? Math.max(0, longestLeaseMs(settings));
  const servesMs = deadtimeMs + SETTLE_MS;
  const outageMs = Math.max(0, servesMs - leaseMs);
  return {
    keepaliveMs,
    deadtimeMs,
    renewalMs: renewalMs(settings),
    leaseMs,
    servesMs,
    sentence:
      `An active that freezes keeps answering for at most ${lengthText(leaseMs)}; its partner serves ` +
      `${lengthText(servesMs)} after the last heartbeat. Nobody answers in between: ` +
      `${lengthText(outageMs)}. After a pulled plug it is ${lengthText(servesMs)}.`,
  };
}

/** Marks of the renewals that fit before `endMs`, at most as many as can be told apart. */
export function ticks(everyMs: number, endMs: number, most = 40): readonly number[] {
  const count = Math.floor(endMs / everyMs) + 1;
  return count > most ? [0] : Array.from({ length: count }, (_, index) => index * everyMs);
}
