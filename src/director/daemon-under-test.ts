/** For tests with the real daemon: starts `bin/pulse` in the namespace the test is in, and looks after it. */
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { runIp } from '../ports/index.ts';

const ROOT = join(import.meta.dirname, '..', '..');
export const PULSE = join(ROOT, 'bin', 'pulse');
export const LVSD = join(ROOT, 'bin', 'lvsd');
export const PIRANHA = join(ROOT, 'piranha');
export const VIP = '198.51.100.100';
const COMMAND_LIMIT_MS = 20_000;

export type Ran = {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
};

/** Runs a command to its end. */
export function run(program: string, ...words: readonly string[]): Ran {
  return spawnSync(program, words, { encoding: 'utf8', timeout: COMMAND_LIMIT_MS });
}

/** eth0 with the address of the primary director, its other end eth1. */
export function plugCable(): void {
  const ends = ['eth0', 'address', '02:00:00:00:00:11', 'type', 'veth', 'peer', 'name', 'eth1'];
  runIp('link', 'add', ...ends);
  runIp('link', 'set', 'eth1', 'addrgenmode', 'none', 'up');
  runIp('link', 'set', 'eth0', 'addrgenmode', 'none', 'up');
  runIp('addr', 'add', '198.51.100.11/24', 'brd', '+', 'dev', 'eth0');
}

export function pullCable(): void {
  runIp('link', 'del', 'eth0');
}

export const addresses = () => runIp('-o', 'addr', 'show', 'dev', 'eth0');
export const holdsVip = () => addresses().includes(` ${VIP}/`);

/** Which servers answer `count` new connections of the client. They live in this process, which must not wait asleep. */
export function fetched(client: string, count: number): Promise<Record<string, number>> {
  const program = `
    const counts = {};
    const one = (left) => { if (left === 0) return console.log(JSON.stringify(counts));
      const s = require('net').connect(81, '${VIP}');
      const end = (w) => { counts[w] = (counts[w] ?? 0) + 1; s.destroy(); one(left - 1); };
      s.setTimeout(2000, () => end('timeout')); s.once('error', (e) => end(e.code)); s.once('data', (b) => end(String(b))); };
    one(${count});`;
  const words = ['netns', 'exec', client, process.execPath, '-e', program];
  return new Promise((resolve, reject) => {
    execFile('ip', words, { timeout: 20_000 }, (error, stdout) => {
      if (error === null) resolve(JSON.parse(stdout));
      else reject(error);
    });
  });
}

export class TestBed {
  readonly directory = mkdtempSync(join(tmpdir(), 'pird-'));
  readonly configFile = join(this.directory, 'lvs.cf');
  readonly runDirectory = join(this.directory, 'run');
  readonly #daemons: Daemon[] = [];

  /** An lvs.cf of this text. */
  configure(text: string): void {
    writeFileSync(this.configFile, text);
  }

  /** The words that name our file and run directory. */
  get words(): readonly string[] {
    return ['-c', this.configFile, '--run-dir', this.runDirectory];
  }

  /** Starts pulse in the foreground. */
  pulse(...words: readonly string[]): Daemon {
    return this.#keep(new Daemon(['-n', ...this.words, ...words]));
  }

  /** Starts lvsd alone. */
  lvsd(...words: readonly string[]): Daemon {
    return this.#keep(new Daemon(['-n', ...this.words, ...words], {}, [], LVSD));
  }

  #keep(daemon: Daemon): Daemon {
    this.#daemons.push(daemon);
    return daemon;
  }

  /** Kills what still runs, and cleans up. */
  async close(): Promise<void> {
    for (const daemon of this.#daemons) daemon.signal('SIGKILL');
    await Promise.all(this.#daemons.map(({ exit }) => exit));
    rmSync(this.directory, { recursive: true, force: true });
  }
}

export class Daemon {
  readonly exit: Promise<number | null>;
  readonly #child: ChildProcess;
  #log = '';

  /** `within`: the words before it that bring it to another namespace. */
  constructor(
    words: readonly string[],
    environment: Readonly<Record<string, string>> = {},
    within: readonly string[] = [],
    own = PULSE,
  ) {
    const [program = own, ...rest] = [...within, own, ...words];
    this.#child = spawn(program, rest, {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, ...environment },
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#log += text;
    });
    this.exit = new Promise((resolve) => {
      this.#child.once('close', (status) => resolve(status));
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get log(): string {
    return this.#log;
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Waits until the log has a line with this text. */
  async says(text: string): Promise<void> {
    await until(() => this.#log.includes(text), `the log to say "${text}":\n${this.#log}`);
  }
}

/** Waits for a fact; throws `what` when it has not come true in `limitMs`. */
export async function until(isTrue: () => boolean, what: string, limitMs = 20_000): Promise<void> {
  const limit = performance.now() + limitMs;
  while (!isTrue()) {
    if (performance.now() > limit) throw new Error(`waited ${limitMs} ms for ${what}`);
    await sleep(20);
  }
}

/** Alone (no partner), deadtime 300 ms: active soon after its start. */
export function alone(...more: readonly string[]): string {
  return lvsConfig(['backup_active = 0', 'keepalive_ms = 100', 'deadtime_ms = 300', ...more]);
}

/** With a partner that is not there, and a deadtime no test waits for: standby. */
export function waiting(...more: readonly string[]): string {
  const pair = ['backup = 198.51.100.12', 'backup_active = 1'];
  return lvsConfig([...pair, 'keepalive = 1', 'deadtime = 60', ...more]);
}

export function lvsConfig(global: readonly string[], vips: readonly string[] = [VIP]): string {
  const services = vips.flatMap((vip, index) => [
    `virtual web${index} {`,
    '  active = 1',
    `  address = ${vip} eth0:${index + 1}`,
    '}',
  ]);
  return ['primary = 198.51.100.11', 'network = direct', ...global, ...services, ''].join('\n');
}
