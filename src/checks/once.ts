/** One probe now, outside the schedule: "test this check". It decides nothing; the health of the server stays as it is. */
import type { Milliseconds } from '../base/index.ts';
import { type Check, checkText, down, type Verdict } from '../model/index.ts';
import { errorCode, type Prober, type RunningProbe } from './probe.ts';

export type ProbeOutcome = { readonly verdict: Verdict; readonly tookMs: Milliseconds };

/** Settles within the check's time limit, whatever the server does. */
export function probeOnce(check: Check, prober: Prober): Promise<ProbeOutcome> {
  const begunAt = performance.now();
  return new Promise((resolve) => {
    let running: RunningProbe | undefined;
    const limit = setTimeout(() => {
      const missing = `${running?.abort() ?? 'a verdict'} not within ${check.timeoutMs} ms`;
      done(down('timeout', `${checkText(check)}: ${missing}`));
    }, check.timeoutMs);
    const done = (verdict: Verdict): void => {
      clearTimeout(limit);
      resolve({ verdict, tookMs: performance.now() - begunAt });
    };
    try {
      running = prober(done);
    } catch (error) {
      done(down('own-limits', `${checkText(check)}: ${errorCode(error)}`));
    }
  });
}
