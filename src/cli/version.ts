/** `piranha version`. */
import { VERSION } from './own-verbs.ts';
import { say, sayJson, withOptions } from './verb.ts';
import { versionDate, versionNumber, versionText } from './version-text.ts';

export const versionCommand = withOptions('version', VERSION, async ({ flags }) => {
  if (flags.has('json'))
    sayJson({ v: 1, program: 'piranha', version: versionNumber(), date: versionDate() });
  else say(versionText('piranha'));
  return 0;
});
