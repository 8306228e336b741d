/**
 * `--watch`: draws at once when something happens there, and now and then because ages grow.
 *
 * The director tells what happens (GET /v1/events); while that stream is open a picture is drawn for each event, ten a second at
 * most, and every five seconds. Without a stream (no director, an old one, all streams taken) every second, as long as it
 * takes. Rejected: asking every second in any case, which shows a change of role up to a second late and costs the
 * director sixty answers a minute for nothing.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Milliseconds } from '../base/index.ts';
import { directoryOf, type WhichNode } from './ask-director.ts';
import { followStream } from './follow-stream.ts';

export type Pace = {
  readonly withStreamMs: Milliseconds;
  readonly withoutMs: Milliseconds;
  /** Between two pictures, however much happens. */
  readonly leastMs: Milliseconds;
};
const PACE: Pace = { withStreamMs: 5000, withoutMs: 1000, leastMs: 100 };
const FOR_EVER = new AbortController().signal;

/** Until the process ends, or the signal comes. */
export async function watch(
  where: { readonly path: string; readonly node: WhichNode },
  draw: () => Promise<unknown>,
  { pace = PACE, signal = FOR_EVER }: { readonly pace?: Pace; readonly signal?: AbortSignal } = {},
): Promise<number> {
  let isFollowing = false;
  let wake = (): void => {};
  const follow = async (): Promise<void> => {
    const onOpen = (): void => {
      isFollowing = true;
    };
    while (!signal.aborted) {
      const directory = directoryOf(where.path, where.node);
      await followStream(directory, '/v1/events', { onOpen, onData: () => wake(), signal });
      isFollowing = false;
      wake();
      await pause(pace.withoutMs, signal);
    }
  };
  const following = follow();
  while (!signal.aborted) {
    // Armed before the picture: what happens while it is made is shown by the next.
    const event = new Promise<void>((resolve) => {
      wake = resolve;
    });
    await draw();
    await pause(pace.leastMs, signal);
    const enough = new AbortController();
    const limitMs = isFollowing ? pace.withStreamMs : pace.withoutMs;
    await Promise.race([event, pause(limitMs - pace.leastMs, enough.signal)]);
    enough.abort();
  }
  await following;
  return 0;
}

/** Shorter when the signal comes. */
async function pause(ms: Milliseconds, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {});
}
