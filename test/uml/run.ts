/**
 * The tier `uml`: runs one program inside user-mode Linux and hands on its TAP, ending in the counts that
 * `./check` adds up. `run.ts FILE` names another program than the suite.
 */
import { join } from 'node:path';
import { bootUml, umlObstacle } from './boot.ts';

const LIMIT_MS = 240_000;
const root = join(import.meta.dirname, '..', '..');
const program = process.argv[2] ?? 'test/uml/suite.ts';

const obstacle = umlObstacle();
if (obstacle !== undefined) {
  print('TAP version 13');
  print(`ok 1 - real IPVS in user-mode Linux # SKIP ${obstacle}`);
  print('# tests 1 pass 0 fail 0 skipped 1');
} else {
  const node = 'node_modules/.bin/node --disable-warning=ExperimentalWarning';
  const reporter = '--test-reporter=tap --test-reporter-destination="$OUT/tap"';
  const ended = await bootUml({
    command: `export PIRANHA_IN_UML=1 NODE_COMPILE_CACHE=\${NODE_COMPILE_CACHE-node_modules/.cache/piranha}; ${node} ${reporter} ${program} >"$OUT/output" 2>&1`,
    directory: root,
    limitMs: LIMIT_MS,
    memory: '768M',
  });
  print(ended.file('tap').trimEnd());
  if (process.argv[2] !== undefined || ended.status !== 0) print(ended.file('output').trimEnd());
  if (ended.status === undefined) print(`the guest ended without a result:\n${ended.console}`);
  ended.forget();
  process.exitCode = ended.status ?? 1;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
