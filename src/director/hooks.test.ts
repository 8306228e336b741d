import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { utf8 } from '../base/index.ts';
import type { SpawnOutcome, SpawnRequest } from '../ports/index.ts';
import { Hooks } from './hooks.ts';

/** A spawner whose runs end when the test says so. */
class PatientSpawner {
  readonly started: SpawnRequest[] = [];
  readonly #ends: ((outcome: SpawnOutcome) => void)[] = [];

  run(request: SpawnRequest): Promise<SpawnOutcome> {
    this.started.push(request);
    return new Promise((resolve) => this.#ends.push(resolve));
  }

  async end(outcome: SpawnOutcome): Promise<void> {
    this.#ends.shift()?.(outcome);
    await setImmediate();
  }

  close(): void {}
}

const WELL: SpawnOutcome = { kind: 'exited', status: 0, output: new Uint8Array() };
const COMMANDS = { active: '/etc/up  now', inactive: '/etc/down' };

test('hooks run one at a time, in the order of the role changes, words split at spaces', async () => {
  const spawner = new PatientSpawner();
  const hooks = new Hooks(spawner, COMMANDS, () => {});
  hooks.run('active');
  hooks.run('inactive');
  hooks.run('active');
  assert.equal(spawner.started.length, 1);
  await spawner.end(WELL);
  assert.equal(spawner.started.length, 2);
  await spawner.end(WELL);
  await spawner.end(WELL);
  await hooks.idle();
  assert.deepEqual(
    spawner.started.map(({ argv }) => argv),
    [['/etc/up', 'now'], ['/etc/down'], ['/etc/up', 'now']],
  );
});

test('a hook that is not configured is not run', () => {
  const spawner = new PatientSpawner();
  new Hooks(spawner, {}, () => {}).run('active');
  assert.deepEqual(spawner.started, []);
});

test('after the last one ended the next role change starts anew', async () => {
  const spawner = new PatientSpawner();
  const hooks = new Hooks(spawner, COMMANDS, () => {});
  hooks.run('active');
  await spawner.end(WELL);
  await hooks.idle();
  hooks.run('inactive');
  assert.equal(spawner.started.length, 2);
});

test('each way to fail is told with the name of the hook', async () => {
  const outcomes: readonly (readonly [SpawnOutcome, string])[] = [
    [
      { kind: 'exited', status: 3, output: utf8('one\nno such table\n') },
      'active_cmd /etc/up  now: exited with status 3: no such table',
    ],
    [
      { kind: 'killed', signal: 9, output: new Uint8Array() },
      'active_cmd /etc/up  now: ended by signal 9',
    ],
    [
      { kind: 'timeout', output: new Uint8Array() },
      'active_cmd /etc/up  now: not done after 60 s: ended',
    ],
    [
      { kind: 'failed', error: { operation: 'execve', target: '/etc/up', code: 'ENOENT' } },
      'active_cmd /etc/up  now: execve /etc/up: no such file (ENOENT)',
    ],
  ];
  for (const [outcome, sentence] of outcomes) {
    const spawner = new PatientSpawner();
    const lines: string[] = [];
    const hooks = new Hooks(spawner, COMMANDS, (line) => lines.push(line));
    hooks.run('active');
    await spawner.end(outcome);
    assert.deepEqual(lines, [sentence]);
  }
});

test('a hook that hangs does not let the queue grow without bound', () => {
  const lines: string[] = [];
  const hooks = new Hooks(new PatientSpawner(), COMMANDS, (line) => lines.push(line));
  for (let change = 0; change < 70; change++) hooks.run('active');
  assert.equal(lines.length, 5);
  assert.match(lines[0] ?? '', /active_cmd left out: 64 role changes wait/);
});
