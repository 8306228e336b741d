/** The words of the Rehearse page: what each fault is, and what an outcome means. Pure. */
import type { Play, Rehearsal, RehearsalName } from '../../sim/index.ts';
import type { Tone } from './monitor.ts';
import { counted, lengthText } from './words.ts';

export const TITLES: Readonly<
  Record<RehearsalName, { readonly title: string; readonly about: string }>
> = {
  'cut-path': { title: 'Cut a cable', about: 'the public heartbeat path, both ways' },
  'cut-all': { title: 'Cut them all', about: 'every heartbeat path, both ways' },
  'half-heal': {
    title: 'Half-heal',
    about: 'every path cut; then one direction comes back long before the other',
  },
  freeze: { title: 'Freeze the daemon', about: 'the process stands still, its kernel answers on' },
  pause: { title: 'Pause the machine', about: 'a virtual machine that stands still as a whole' },
  kill: { title: 'Kill the daemon', about: 'kill -9; the addresses stay in the kernel' },
  power: { title: 'Pull the plug', about: 'the machine is off at once' },
  'pull-cable': { title: 'Pull the VIP cable', about: 'the interface that carries the VIPs' },
  stop: { title: 'Stop it cleanly', about: 'systemctl stop: the VIPs are handed over' },
};

/** In one sentence for three in the morning: how long nobody answered, whether two did, who serves now. */
export function outcomeSentence(
  { blackoutMs, doubleMs, owner, takeovers }: Rehearsal,
  { forMs }: Play,
): { readonly tone: Tone; readonly title: string; readonly detail: string } {
  const { least, worst } = blackoutMs;
  const range =
    least === worst ? lengthText(worst) : `${lengthText(least)} to ${lengthText(worst)}`;
  const blackout = worst === 0 ? 'Nobody misses the VIPs' : `Nobody answers for ${range}`;
  const both = doubleMs === 0 ? '' : `; for ${lengthText(doubleMs)} both answer`;
  const end = owner === 'nobody' ? 'nobody serves in the end' : `${owner} serves in the end`;
  const tone: Tone =
    owner === 'nobody' || worst >= forMs ? 'bad' : worst > 0 || doubleMs > 0 ? 'warn' : 'good';
  const mark = { good: '✓', warn: '!', bad: '✗', info: '', dim: '' }[tone];
  return {
    tone,
    title: `${mark} ${blackout}${both}; ${end}.`,
    detail: `${counted(takeovers, 'takeover')} in the worst of four phases; the fault lasts ${lengthText(forMs)}.`,
  };
}

export type TimerTrial = {
  readonly keepaliveMs: number;
  readonly deadtimeMs: number;
  readonly worstMs: number;
  readonly doubleMs: number;
};

type Timers = Pick<TimerTrial, 'keepaliveMs' | 'deadtimeMs'>;

const TRIALS: readonly Timers[] = [
  { keepaliveMs: 6000, deadtimeMs: 18_000 },
  { keepaliveMs: 2000, deadtimeMs: 6000 },
  { keepaliveMs: 1000, deadtimeMs: 3000 },
  { keepaliveMs: 500, deadtimeMs: 1500 },
  { keepaliveMs: 200, deadtimeMs: 1000 },
  { keepaliveMs: 100, deadtimeMs: 500 },
];

/** The usual steps and the configured ones among them, slow to quick. */
export function otherTimers({ keepaliveMs, deadtimeMs }: Timers): readonly Timers[] {
  const own = { keepaliveMs, deadtimeMs };
  const others = TRIALS.filter(
    (trial) => trial.keepaliveMs !== keepaliveMs || trial.deadtimeMs !== deadtimeMs,
  );
  return [own, ...others].toSorted((a, b) => b.deadtimeMs - a.deadtimeMs);
}
