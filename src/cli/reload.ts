/**
 * `piranha reload [--dry-run]`: the director of this machine reads its lvs.cf anew (what HUP does), and says what changed.
 * A file that could not be started with changes nothing: every problem is printed, exit code 1.
 */
import { askDirector, directoryOf, silenceText } from './ask-director.ts';
import { RELOAD } from './change-verbs.ts';
import { DEFAULT_RUN_DIRECTORY } from './options-of-verbs.ts';
import { say, sayJson, withOptions } from './verb.ts';

export const reloadCommand = withOptions('reload', RELOAD, async ({ flags, values }) => {
  const directory = directoryOf(values.get('runDirectory') ?? DEFAULT_RUN_DIRECTORY);
  const isDryRun = flags.has('dryRun');
  const answer = await askDirector(directory, '/v1/reload', { isDryRun });
  if (!answer.ok) {
    process.stderr.write(`piranha reload: ${silenceText(answer.error)}\n`);
    return 1;
  }
  const { code, document } = answer.value;
  const fields = new Map<string, unknown>(Object.entries(document));
  const lines = fields.get('lines');
  const texts = Array.isArray(lines) ? lines.map(String) : [];
  if (flags.has('json')) sayJson({ v: 1, isDryRun, isTaken: code === 200, ...document });
  else if (code === 200) say(texts.map((text) => `${text}\n`).join(''));
  else {
    const title = String(fields.get('title') ?? code);
    process.stderr.write([...texts, `${title}; nothing was changed`, ''].join('\n'));
  }
  return code === 200 ? 0 : 1;
});
