/** fos with a spawner whose commands end when the test says so; with real services in fos.root.test.ts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { utf8 } from '../base/index.ts';
import { parseSettings } from '../config/index.ts';
import { BootClock, type SpawnOutcome, type SpawnRequest } from '../ports/index.ts';
import { Fos, type FosMode } from './fos.ts';

class PatientSpawner {
  readonly started: string[] = [];
  readonly #ends: ((outcome: SpawnOutcome) => void)[] = [];

  run({ argv }: SpawnRequest): Promise<SpawnOutcome> {
    this.started.push(argv.join(' '));
    return new Promise((resolve) => this.#ends.push(resolve));
  }

  /** The running command ends with this status. */
  async end(status = 0, said = ''): Promise<void> {
    this.#ends.shift()?.({ kind: 'exited', status, output: utf8(said) });
    for (let turn = 0; turn < 3; turn++) await setImmediate();
  }

  close(): void {}
}

function bench(mode: FosMode) {
  const section = (name: string, port: number): string =>
    `failover ${name} {\nactive = 1\naddress = 198.51.100.100 lo\nport = ${port}\nstart_cmd = ${name}-up\nstop_cmd = ${name}-down\n}\n`;
  const text = `service = fos\nprimary = 127.0.0.1\n${section('mail', 9)}${section('web', 13)}`;
  const { settings } = parseSettings(text, { file: 'lvs.cf' });
  assert.ok(settings);
  const spawner = new PatientSpawner();
  const log: string[] = [];
  const fos = new Fos(settings.failoverServices, mode, {
    clock: new BootClock(),
    spawner,
    log: (line) => log.push(line),
    onEnd: () => log.push('END'),
  });
  fos.begin();
  return { fos, spawner, log };
}

test('on the active node each service is stopped, then started, in the order of the file', async () => {
  const { fos, spawner } = bench('active');
  for (let command = 0; command < 4; command++) await spawner.end();
  assert.deepEqual(spawner.started, ['mail-down', 'mail-up', 'web-down', 'web-up']);
  const stopped = fos.stop();
  await spawner.end();
  await spawner.end();
  await spawner.end();
  await stopped;
  assert.deepEqual(spawner.started.slice(4), ['mail-down', 'web-down']);
});

test('a start command that fails ends it, once, with its last words; nothing more is started', async () => {
  const { fos, spawner, log } = bench('active');
  await spawner.end();
  await spawner.end(3, 'no disk\n');
  assert.deepEqual(spawner.started, ['mail-down', 'mail-up']);
  assert.deepEqual(log, [
    'start_cmd of mail: mail-up: exited with status 3: no disk',
    'Service mail died: start_cmd mail-up: exited with status 3: no disk: restart condition',
    'fos will now exit to notify pulse',
    'END',
  ]);
  await fos.cease();
});

test('a stop command that fails is told, and the service is started all the same', async () => {
  const { fos, spawner, log } = bench('active');
  await spawner.end(1);
  assert.deepEqual(spawner.started, ['mail-down', 'mail-up']);
  assert.deepEqual(log, ['stop_cmd of mail: mail-down: exited with status 1']);
  const ceased = fos.cease();
  await spawner.end();
  await ceased;
  assert.deepEqual(spawner.started.length, 2, 'who is told to cease starts nothing more');
});

test('who stops while the services of a new standby are being stopped waits for the last of them', async () => {
  const { fos, spawner, log } = bench('monitor');
  let isOver = false;
  const stopped = fos.stop().then(() => {
    isOver = true;
  });
  await spawner.end();
  assert.deepEqual([spawner.started, isOver], [['mail-down', 'web-down'], false]);
  await spawner.end();
  await stopped;
  assert.deepEqual([spawner.started, log], [['mail-down', 'web-down'], []]);
});
