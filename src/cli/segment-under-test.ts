/**
 * A segment for tests of the command line with real daemons and real packets: a bridge in the namespace of the test, and
 * hosts in nameless namespaces that end with the process that holds each.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const ROOT = join(import.meta.dirname, '..', '..');
export const VIP = '198.51.100.100';
const LIMIT_MS = 30_000;

export type Ran = {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
};

export class TestHost {
  readonly name: string;
  readonly number: number;
  readonly #children: ChildProcess[] = [];
  readonly #pid: number;

  constructor(name: string, number: number) {
    this.name = name;
    this.number = number;
    const holder = spawn('unshare', ['-n', 'sleep', '300'], { stdio: 'ignore' });
    this.#children.push(holder);
    this.#pid = holder.pid ?? 0;
  }

  get pid(): number {
    return this.#pid;
  }

  run(program: string, ...words: readonly string[]): Ran {
    return spawnSync('nsenter', ['-t', `${this.#pid}`, '-n', program, ...words], {
      encoding: 'utf8',
      timeout: LIMIT_MS,
      maxBuffer: 64 * 1024 * 1024,
      env: { ...process.env, NO_COLOR: '1' },
    });
  }

  /** Throws with its words when a line fails. */
  shell(script: string): string {
    const { status, stdout, stderr } = this.run('sh', '-ec', script);
    if (status !== 0) throw new Error(`${this.name}: ${script}: ${stderr}`);
    return stdout;
  }

  start(program: string, ...words: readonly string[]): ChildProcess {
    const child = spawn('nsenter', ['-t', `${this.#pid}`, '-n', program, ...words], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#children.push(child);
    return child;
  }

  /** A TCP service that says nothing. */
  serve(address: string, port: number): void {
    const program = `require('node:net').createServer((s) => s.on('error', () => {})).listen(${port}, '${address}')`;
    this.start(process.execPath, '-e', program);
  }

  close(): void {
    for (const child of this.#children.reverse()) child.kill('SIGKILL');
  }
}

export class CliSegment {
  readonly directory = mkdtempSync(join(tmpdir(), 'pircli-'));
  readonly configFile = join(this.directory, 'lvs.cf');
  readonly hosts = new Map<string, TestHost>();

  constructor() {
    chmodSync(this.directory, 0o755); // the courier is another user
    ip('link add br0 type bridge forward_delay 0 stp_state 0 mcast_snooping 0');
    ip('link set br0 up');
  }

  /** A host at 198.51.100.NUMBER with the link-layer address that ends in it. */
  async add(name: string, number: number): Promise<TestHost> {
    const host = new TestHost(name, number);
    this.hosts.set(name, host);
    const namespaceOf = (pid: number | 'self') =>
      spawnSync('readlink', [`/proc/${pid}/ns/net`], { encoding: 'utf8' }).stdout;
    await until(
      () => namespaceOf(host.pid) !== '' && namespaceOf(host.pid) !== namespaceOf('self'),
      name,
    );
    ip(`link add p-${name} type veth peer name eth0 address ${macOf(number)} netns ${host.pid}`);
    ip(`link set p-${name} master br0 up`);
    host.shell(`
      ip link set lo up
      ip link set eth0 addrgenmode none
      ip link set eth0 up
      ip addr add 198.51.100.${number}/24 dev eth0
      ip addr add fd77::${number}/64 dev eth0 nodad`);
    return host;
  }

  /** The router and both directors, reverse path filtering on, as distributions have it. */
  async build(): Promise<{ router: TestHost; primary: TestHost; backup: TestHost }> {
    const router = await this.add('router', 1);
    const primary = await this.add('primary', 11);
    const backup = await this.add('backup', 12);
    for (const host of [primary, backup]) {
      host.shell(`
        ip route add default via 198.51.100.1
        echo 1 > /proc/sys/net/ipv4/conf/all/rp_filter`);
    }
    return { router, primary, backup };
  }

  configure(...lines: readonly string[]): void {
    const head = [
      'serial_no = 7',
      'primary = 198.51.100.11',
      'backup = 198.51.100.12',
      'backup_active = 1',
      'keepalive_ms = 100',
      'deadtime_ms = 300',
      'dataplane = none',
    ];
    writeFileSync(this.configFile, `${[...head, ...lines].join('\n')}\n`);
  }

  /** Makes a key that both nodes may read; gives its line of lvs.cf. With one there is a channel between the two. */
  keyLine(): string {
    const key = join(this.directory, 'key');
    writeFileSync(key, '00112233445566778899aabbccddeeff\n', { mode: 0o600 });
    return `heartbeat_key_file = ${key}`;
  }

  runDirectory(node: string): string {
    const path = join(this.directory, node);
    mkdirSync(path, { recursive: true });
    return path;
  }

  pulse(node: string): ChildProcess {
    const host = this.#host(node);
    const words = ['-n', '-c', this.configFile, ...this.#directories(node)];
    return host.start(join(ROOT, 'bin', 'pulse'), ...words);
  }

  /** `piranha VERB ...` on a node, with its run directory. */
  piranha(node: string, verb: string, ...words: readonly string[]): Ran {
    const run = ['--run-dir', this.runDirectory(node)];
    return this.#host(node).run(join(ROOT, 'piranha'), verb, ...words, ...run);
  }

  close(): void {
    for (const host of this.hosts.values()) {
      host.close();
      spawnSync('ip', ['link', 'del', `p-${host.name}`]);
    }
    spawnSync('ip', ['link', 'del', 'br0']);
    rmSync(this.directory, { recursive: true, force: true });
  }

  #directories(node: string): readonly string[] {
    const state = join(this.directory, `${node}-state`);
    return ['--run-dir', this.runDirectory(node), '--state-dir', state];
  }

  #host(name: string): TestHost {
    const host = this.hosts.get(name);
    if (host === undefined) throw new Error(`no host ${name}`);
    return host;
  }
}

export function macOf(number: number): string {
  return `02:00:00:00:00:${number.toString().padStart(2, '0')}`;
}

/** Waits for a fact; throws `what` when it has not come true. */
export async function until(
  isTrue: () => boolean,
  what: string,
  limitMs = LIMIT_MS,
): Promise<void> {
  const limit = performance.now() + limitMs;
  while (!isTrue()) {
    if (performance.now() > limit) throw new Error(`waited ${limitMs} ms for ${what}`);
    await sleep(50);
  }
}

function ip(words: string): void {
  const { status, stderr } = spawnSync('ip', words.split(' '), { encoding: 'utf8' });
  if (status !== 0) throw new Error(`ip ${words}: ${stderr}`);
}
