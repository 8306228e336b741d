/**
 * How late does this machine wake us? A short measurement of the worker's own timer, in its own scheduling class,
 * before anything is touched: a deadtime that the machine cannot keep is refused with the figure instead of causing
 * false takeovers at night.
 *
 * One stall may be an accident (the start itself loads the machine), so a bad half second gets two more chances and
 * the best of them counts. It bounds nothing rarer than it lasts; the daemon counts its late wakes for ever after.
 */
import { after, elapsedMs, later, type Milliseconds } from '../base/index.ts';
import type { Clock, Poller } from '../ports/index.ts';

const ROUND_MS: Milliseconds = 500;
const PERIOD_MS: Milliseconds = 5;
const ROUNDS = 3;

/** The worst lateness in milliseconds; measured again, at most twice, while it is not below `budgetMs`. */
export function measureLateness(
  ports: { readonly clock: Clock; readonly poller: Poller },
  budgetMs: Milliseconds,
): Milliseconds {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS && best >= budgetMs; round++) {
    best = Math.min(best, worstOfRound(ports));
  }
  return best;
}

function worstOfRound({ clock, poller }: { clock: Clock; poller: Poller }): Milliseconds {
  const startedAt = clock.now();
  let worst = 0;
  let dueAt = after(startedAt, PERIOD_MS);
  while (elapsedMs(startedAt, dueAt) < ROUND_MS) {
    poller.wait([], Math.max(0, elapsedMs(clock.now(), dueAt)));
    const now = clock.now();
    worst = Math.max(worst, elapsedMs(dueAt, now));
    dueAt = after(later(now, dueAt), PERIOD_MS);
  }
  return worst;
}
