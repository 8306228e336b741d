import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { api } from '../api/index.ts';
import { imagined, type OpenApi, runDirectory } from '../director/index.ts';
import { asNobody } from './nobody-under-test.ts';

/** The real command as a user who has no right to pulse.sock, before the real sockets. */
const { ImaginedDirector } = await imagined();
const director = new ImaginedDirector();
let open: OpenApi;

before(async () => {
  await director.start();
  chmodSync(director.directory, 0o755); // as the run directory of a real one
  open = await api.open(director.face, runDirectory(director.directory));
});

after(async () => {
  open.close();
  await director.close();
});

type Said = { readonly exitCode: number | null; readonly text: string; readonly stderr: string };

function run(...words: readonly string[]): Promise<Said> {
  const [program, ...argv] = asNobody([...words, '--run-dir', director.directory]);
  const said = spawn(program, argv, { stdio: ['ignore', 'pipe', 'pipe'] });
  const texts = { text: '', stderr: '' };
  said.stdout.setEncoding('utf8').on('data', (part: string) => {
    texts.text += part;
  });
  said.stderr.setEncoding('utf8').on('data', (part: string) => {
    texts.stderr += part;
  });
  return new Promise((resolve) => {
    said.once('close', (exitCode) => resolve({ exitCode, ...texts }));
  });
}

test('who may not act may look: status, services and events come by read.sock', async () => {
  director.face.events.add({ kind: 'link', text: 'eth0 has lost its link' });
  const [status, services, events] = await Promise.all([
    run('status'),
    run('services', '--plain'),
    run('events', '--node', 'own', '--since', '1m'),
  ]);
  assert.match(status.text, /^DEGRADED {2}This director is standby/);
  assert.equal(status.exitCode, 1);
  assert.match(services.text, /^web\t/m);
  assert.match(events.text, /eth0 has lost its link/);
  assert.deepEqual([status.stderr, services.stderr, events.stderr], ['', '', '']);
});

test('an order is refused in a sentence, and nothing is done', async () => {
  const before = director.fingerprint();
  const [resign, drain, reload, apply] = await Promise.all([
    run('resign'),
    run('drain', 'web/a', '--node', 'own'),
    run('reload'),
    run('apply', '/mnt/src/main.ts'),
  ]);
  const why =
    'read.sock is for looking: changes are asked for at pulse.sock, by root and its group';
  assert.equal(resign.stderr, `refused: ${why}\n`);
  assert.equal(drain.stderr, `refused: ${why}\n`);
  assert.ok(reload.stderr.startsWith(why), reload.stderr);
  assert.equal(apply.stderr, `piranha apply: ${why}\n`);
  for (const { exitCode, text } of [resign, drain, reload, apply]) {
    assert.deepEqual([exitCode, text], [1, '']);
  }
  assert.equal(director.fingerprint(), before);
});

test('with --json the refusal is JSON', async () => {
  const { text, stderr } = await run('takeover', '--json');
  const { refused }: { readonly refused?: string } = JSON.parse(text);
  assert.match(refused ?? '', /^read\.sock is for looking/);
  assert.equal(stderr, '');
});
