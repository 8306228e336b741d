/**
 * A kernel without nf_tables keeps the lease by address lifetimes: two real directors inside user-mode Linux, whose kernel
 * really has no netdev family.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildNetwork, loadModules, sh } from './network.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const VIP = '198.51.100.100';
const FILES = '/run/director';
const LINES = [
  'primary = 198.51.100.11',
  'backup = 198.51.100.12',
  'backup_active = 1',
  'keepalive = 1',
  'deadtime = 5',
  'verify = off',
  'dataplane = none',
  'network = direct',
  'virtual web {',
  '  active = 1',
  `  address = ${VIP} eth0`,
  '  port = 80',
  '}',
];

type Name = 'da' | 'db';
type Pulse = { readonly child: ChildProcess; log: string };
const pulses = new Map<Name, Pulse>();

function start(name: Name): Pulse {
  mkdirSync(`${FILES}/${name}`, { recursive: true });
  const words = ['-n', '-v', '-c', `${FILES}/lvs.cf`, '--run-dir', `${FILES}/${name}`];
  const child = spawn('ip', ['netns', 'exec', name, join(ROOT, 'bin', 'pulse'), ...words], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const pulse: Pulse = { child, log: '' };
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    pulse.log += text;
  });
  pulses.set(name, pulse);
  return pulse;
}

async function until(what: string, isTrue: () => boolean, limitMs: number): Promise<void> {
  const startedAt = performance.now();
  while (!isTrue()) {
    const logs = [...pulses].map(([name, { log }]) => `${name}:\n${log}`).join('\n');
    assert.ok(performance.now() - startedAt < limitMs, `waited ${limitMs} ms for ${what}\n${logs}`);
    await sleep(20);
  }
}

const holds = (where: Name) => sh(where, 'ip -4 addr').includes(VIP);

before(() => {
  loadModules();
  buildNetwork();
  mkdirSync(FILES, { recursive: true });
  writeFileSync(`${FILES}/lvs.cf`, `${LINES.join('\n')}\n`);
});

after(() => {
  for (const { child } of pulses.values()) child.kill('SIGKILL');
});

test('a lease_ms that nothing here can keep is refused in one sentence', () => {
  writeFileSync(`${FILES}/short.cf`, `${['lease_ms = 1900', ...LINES].join('\n')}\n`);
  const words = `-n -c ${FILES}/short.cf --run-dir ${FILES}/short`;
  const said = sh('da', `${join(ROOT, 'bin', 'pulse')} ${words} 2>&1; echo "exit $?"`);
  assert.match(said, /keep a lease by address lifetimes .*: they count whole seconds .*\nexit 1/s);
});

test('the VIP of a frozen owner ends by itself before its partner raises it', async (t) => {
  const first = start('da');
  await until('the form', () => first.log.includes('by address lifetimes of 3 s'), 60_000);
  await until('da to be active', () => holds('da'), 30_000);
  const second = start('db');
  await until('db to hear it', () => second.log.includes('partner heard'), 60_000);
  await sleep(6000);
  assert.equal(holds('da'), true, 'it is renewed beyond its lifetime');
  const frozenAt = performance.now();
  first.child.kill('SIGSTOP');
  await until('its VIP to end', () => !holds('da'), 6000);
  const endedMs = Math.round(performance.now() - frozenAt);
  assert.equal(holds('db'), false, 'the partner still waits');
  await until('the takeover', () => holds('db'), 10_000);
  const raisedMs = Math.round(performance.now() - frozenAt);
  first.child.kill('SIGCONT');
  await until('da to see it', () => /deactivating LVS \(/.test(first.log), 10_000);
  await sleep(1500);
  assert.deepEqual([holds('da'), holds('db')], [false, true]);
  t.diagnostic(
    `frozen: its VIP was gone after ${endedMs} ms, its partner's up after ${raisedMs} ms`,
  );
});
