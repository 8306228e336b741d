/**
 * `piranha courier`: the pair's channel, started by the director and by nobody else. Without the plan that a director
 * leaves for it there is nothing it could do, and it says so.
 */
import { courierFiles, runCourier } from '../courier/index.ts';
import { COURIER } from './change-verbs.ts';
import { DEFAULT_RUN_DIRECTORY } from './options-of-verbs.ts';
import { say, withOptions } from './verb.ts';

export const courierCommand = withOptions('courier', COURIER, async ({ values }) => {
  const ended = await runCourier(courierFiles(values.get('runDirectory') ?? DEFAULT_RUN_DIRECTORY));
  say(ended.why); // the spawner keeps it for the director
  return ended.isWrong ? 1 : 0;
});
