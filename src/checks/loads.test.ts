import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { ip } from '../base/index.ts';
import { ProcessSpawner } from '../ports/index.ts';
import { LoadRunner } from './loads.ts';

const spawner = new ProcessSpawner();
after(() => spawner.close());

const shell = (last: number, script: string) => ({
  address: ip(`198.51.100.${last}`),
  argv: ['/bin/sh', '-c', script],
});

test('H5: loads are read from what programs print, again and again; what cannot be read is undefined', async () => {
  const rounds: ReadonlyMap<string, number | undefined>[] = [];
  const monitors = [
    shell(21, 'echo " 10:02 up 3 days, load average: 0.42, 0.36, 0.30"'),
    shell(22, 'echo no route to host; exit 1'),
    shell(23, 'kill -9 $$'),
  ];
  await new Promise<void>((resolve) => {
    const runner = new LoadRunner(
      spawner,
      (loads) => {
        if (rounds.push(loads) < 2) return;
        runner.stop();
        resolve();
      },
      10,
    );
    runner.setMonitors(monitors);
  });
  const expected = [
    ['198.51.100.21', 0.42],
    ['198.51.100.22', undefined],
    ['198.51.100.23', undefined],
  ];
  for (const round of rounds) assert.deepEqual([...round].sort(), expected);
  assert.equal(rounds.length, 2);
});

test('a new list of servers ends the round over the old one', async () => {
  const heard: string[][] = [];
  const runner = new LoadRunner(spawner, (loads) => heard.push([...loads.keys()]), 10_000);
  runner.setMonitors([shell(21, 'sleep 0.2; echo load: 1')]);
  runner.setMonitors([shell(22, 'echo load: 1')]);
  await new Promise((resolve) => setTimeout(resolve, 500));
  runner.stop();
  assert.deepEqual(heard, [['198.51.100.22']]);
});
