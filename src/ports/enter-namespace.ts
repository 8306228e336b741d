/**
 * For tests that need root: the test file runs itself again inside a fresh network namespace, and
 * this first life ends with the second one's status. So the tests may make interfaces and rules as
 * they like, in the open, and whatever happens to them the namespace is removed here. Call it
 * before the first `test`.
 * Rejected: setns(2) in the addon (it moves one thread; tests start workers and programs).
 */
import { spawnSync } from 'node:child_process';
import process from 'node:process';

const MARK = 'PIRANHA_TEST_NAMESPACE';
const LIMIT_MS = 120_000;

/** Returns the name of the namespace we are in; in the first life it does not return. */
export function enterNamespace(): string {
  const inside = process.env[MARK];
  if (inside !== undefined) return inside;
  const name = `pirn-${process.pid}`;
  ip('netns', 'add', name);
  let status = 1;
  try {
    ip('-n', name, 'link', 'set', 'lo', 'up');
    const again = spawnSync(
      'ip',
      ['netns', 'exec', name, process.execPath, ...process.execArgv, ...process.argv.slice(1)],
      { stdio: 'inherit', env: { ...process.env, [MARK]: name }, timeout: LIMIT_MS },
    );
    status = again.status ?? 1;
  } finally {
    ip('netns', 'del', name);
  }
  process.exit(status);
}

/** Runs ip(8) in our namespace; throws with its words when it fails. */
export function ip(...words: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync('ip', words, { encoding: 'utf8', timeout: 10_000 });
  if (status !== 0) throw new Error(`ip ${words.join(' ')}: ${stderr}`);
  return stdout;
}
