/**
 * lvsd and keepalived, one after the other, before the same real servers: the file that is exported of an lvs.cf makes
 * keepalived fill the kernel's table with the same rows. Also back: what is imported of the export makes lvsd do so.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ip } from '../../src/base/index.ts';
import { exportKeepalived, importKeepalived, parseSettings } from '../../src/config/index.ts';
import { buildNetwork, loadModules, Peer, sh } from './network.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const FILES = '/run/director';
const KEEPALIVED = '/usr/sbin/keepalived';
const PAIR = { primary: ip('198.51.100.11'), backup: ip('198.51.100.12') };

type Method = 'direct' | 'nat' | 'tunnel';

/** Nobody listens on 83: the sorry server serves alone, or nobody does. */
const SERVICES: readonly (readonly [name: string, vip: string, lines: readonly string[]])[] = [
  ['web', '198.51.100.100', ['port = 80', 'scheduler = wrr', 'check = http']],
  ['web6', 'fd77::100', ['port = 80', 'persistent = 60', 'pmask = 64']],
  ['sticky', '198.51.100.100', ['port = 81', 'persistent = 300', 'pmask = 255.255.255.0']],
  ['marked', '198.51.100.101', ['port = 80', 'fwmark = 7', 'scheduler = sh', 'check = tcp']],
  ['names', '198.51.100.100', ['port = 53', 'protocol = udp', 'scheduler = lc', 'check = ping']],
  ['sorry', '198.51.100.100', ['port = 83', 'sorry_server = 198.51.100.1', 'scheduler = rr']],
  ['gone', '198.51.100.101', ['port = 83', 'scheduler = dh']],
];

/** A server that comes in is let in gently; one that is in has its weight at once. */
function config(network: Method, weights: readonly [number, number]): string {
  const sections = SERVICES.flatMap(([name, vip, lines]) => {
    const base = vip.includes(':') ? 'fd77::2' : '198.51.100.2';
    return [
      `virtual ${name} {`,
      ...['active = 1', `address = ${vip} eth0`, 'timeout = 1', 'reentry = 1', ...lines],
      ...weights.flatMap((weight, index) => [
        `server r${index + 1} {`,
        ...[`address = ${base}${index + 1}`, 'active = 1', `weight = ${weight}`, '}'],
      ]),
      '}',
    ];
  });
  const global = ['primary = 198.51.100.11', 'backup = 198.51.100.12', 'backup_active = 1'];
  return [...global, 'dataplane = ipvs', `network = ${network}`, ...sections, ''].join('\n');
}

/** Without the port of a marked service's server: only NAT heeds it, and keepalived sets none otherwise. */
function table(method: Method): string {
  const rows = sh('da', 'ipvsadm -Sn | sort');
  return method === 'nat' ? rows : rows.replace(/(-f \d+ -r [^:]+):\d+/g, '$1:0');
}

async function until(what: string, isTrue: () => boolean, log: () => string): Promise<void> {
  const startedAt = performance.now();
  while (!isTrue()) {
    assert.ok(
      performance.now() - startedAt < 60_000,
      `waited for ${what}\n${sh('da', 'ipvsadm -Sn')}\n${log()}`,
    );
    await sleep(100);
  }
}

const skip = existsSync(KEEPALIVED) ? false : 'keepalived is not installed';

describe('keepalived with an exported file', { skip }, () => {
  const servers: Peer[] = [];
  let running: ChildProcess | undefined;
  let log = '';

  before(async () => {
    loadModules();
    buildNetwork();
    servers.push(
      new Peer('r1', 'serve', 'r1', '80', '81'),
      new Peer('r2', 'serve', 'r2', '80', '81'),
    );
    for (const peer of servers) await peer.line();
    mkdirSync(FILES, { recursive: true });
  });

  afterEach(end);
  after(() => {
    for (const peer of servers) peer.close();
  });

  function start(program: string, ...words: readonly string[]): void {
    log = '';
    running = spawn('ip', ['netns', 'exec', 'da', program, ...words], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const keep = (text: string) => {
      log = (log + text).slice(-20_000);
    };
    running.stdout?.setEncoding('utf8').on('data', keep);
    running.stderr?.setEncoding('utf8').on('data', keep);
  }

  async function end(): Promise<void> {
    const child = running;
    running = undefined;
    if (child === undefined || child.exitCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await ended;
    sh('da', 'ipvsadm -C');
  }

  /** lvsd on this text; the weights follow when all servers are in. */
  async function tableOfLvsd(method: Method, even: string, text: string): Promise<string> {
    const file = `${FILES}/lvs.cf`;
    writeFileSync(file, even);
    start(join(ROOT, 'bin', 'lvsd'), '-c', file, '--run-dir', `${FILES}/lvsd`);
    const rows = (part: string) =>
      table(method)
        .split('\n')
        .filter((line) => line.includes(part)).length;
    await until(
      'servers in the table of lvsd',
      () => rows('-w 1') >= 11,
      () => log,
    );
    writeFileSync(file, text);
    running?.kill('SIGHUP');
    await until(
      'weights',
      () => rows('-w 3') === 5,
      () => log,
    );
    const full = table(method);
    await end();
    return full;
  }

  for (const method of ['direct', 'nat', 'tunnel'] as const) {
    test(`fills the same table as lvsd, and lvsd the same with what is imported of it: ${method}`, async () => {
      const text = config(method, [3, 1]);
      const { settings } = parseSettings(text, { file: 'lvs.cf' });
      assert.ok(settings !== undefined);
      const ours = await tableOfLvsd(method, config(method, [1, 1]), text);
      const exported = exportKeepalived(settings).text;
      writeFileSync(`${FILES}/keepalived.conf`, exported);
      const words = ['-n', '-C', '-l', '-i', 'primary', '-f', `${FILES}/keepalived.conf`];
      start(KEEPALIVED, ...words);
      await until(
        'the table of keepalived',
        () => table(method) === ours,
        () => `${ours}\n${log}`,
      );
      await end();
      const back = importKeepalived(exported, { ...PAIR, configId: 'primary' }).text ?? '';
      const even = back.replaceAll('weight = 3', 'weight = 1');
      assert.equal(await tableOfLvsd(method, even, back), ours);
    });
  }
});
