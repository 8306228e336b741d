/**
 * A segment for tests with real daemons: a bridge in the namespace of the test, hosts in nameless namespaces that end
 * with the process that holds each. `router` keeps what it learned for hours, as in the lab.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Daemon, PIRANHA, type Ran, run, until } from './daemon-under-test.ts';

export const VIP = '198.51.100.100';
export const OWN = { primary: '198.51.100.11', backup: '198.51.100.12' } as const;
export type NodeName = keyof typeof OWN;
const HOURS_4 = 4 * 3600;

export class Host {
  readonly name: string;
  readonly #child: ChildProcess;

  constructor(name: string) {
    this.name = name;
    this.#child = spawn('unshare', ['-n', 'sleep', '300'], { stdio: 'ignore' });
  }

  get within(): readonly string[] {
    return ['nsenter', '-t', `${this.#child.pid}`, '-n'];
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Runs a command there; throws with its words when it fails. */
  run(...words: readonly string[]): string {
    const { status, stdout, stderr } = run('nsenter', ...this.within.slice(1), ...words);
    if (status !== 0) throw new Error(`${this.name}: ${words.join(' ')}: ${stderr}`);
    return stdout;
  }

  shell(script: string): string {
    return this.run('sh', '-ec', script);
  }

  close(): void {
    this.#child.kill('SIGKILL');
  }
}

/** The bridge `br0` and its hosts; every host's device is eth0, its port p-NAME, its link-layer address by its number. */
export class TestSegment {
  readonly directory = mkdtempSync(join(tmpdir(), 'pirv-'));
  readonly hosts = new Map<string, Host>();
  readonly #daemons: Daemon[] = [];

  async add(name: string, number: number): Promise<Host> {
    const host = new Host(name);
    this.hosts.set(name, host);
    const own = () => run('readlink', `/proc/${host.pid}/ns/net`).stdout;
    const here = run('readlink', '/proc/self/ns/net').stdout;
    await until(() => own() !== '' && own() !== here, `namespace of ${name}`);
    const lines = [
      `link add p-${name} type veth peer name eth0 address ${macOf(number)} netns ${host.pid}`,
      `link set p-${name} master br0 up`,
    ];
    batch(lines);
    host.shell(`
      ip link set lo up
      ip link set eth0 addrgenmode none
      ip link set eth0 up
      ip addr add 198.51.100.${number}/24 dev eth0
      ip addr add fd77::${number}/64 dev eth0 nodad`);
    return host;
  }

  /** The router at 198.51.100.1 with entries that stay for hours, and both directors behind it. */
  async build(): Promise<{ router: Host; primary: Host; backup: Host }> {
    batch([
      'link add br0 type bridge forward_delay 0 stp_state 0 mcast_snooping 0',
      'link set br0 up',
    ]);
    const router = await this.add('router', 1);
    for (const family of ['ipv4', 'ipv6']) {
      const of = `/proc/sys/net/${family}/neigh/eth0`;
      router.shell(`
        echo ${HOURS_4 * 1000} > ${of}/base_reachable_time_ms
        echo ${HOURS_4} > ${of}/gc_stale_time
        echo ${HOURS_4} > ${of}/delay_first_probe_time
        echo 0 > ${of}/ucast_solicit`);
    }
    const primary = await this.add('primary', 11);
    const backup = await this.add('backup', 12);
    for (const host of [primary, backup])
      host.run('ip', 'route', 'add', 'default', 'via', '198.51.100.1');
    return { router, primary, backup };
  }

  configure(...more: readonly string[]): void {
    writeFileSync(this.#configFile, segmentConfig(more));
  }

  runDirectory(node: string): string {
    const path = join(this.directory, node);
    mkdirSync(path, { recursive: true });
    return path;
  }

  pulse(node: NodeName, ...words: readonly string[]): Daemon {
    const host = this.hosts.get(node);
    const all = ['-n', '-c', this.#configFile, '--run-dir', this.runDirectory(node), ...words];
    const daemon = new Daemon(all, {}, host?.within);
    this.#daemons.push(daemon);
    return daemon;
  }

  /** `piranha VERB` against the daemon of a node. */
  piranha(node: NodeName, verb: string, ...words: readonly string[]): Ran {
    return run(PIRANHA, verb, '--run-dir', this.runDirectory(node), ...words);
  }

  status(node: NodeName): string {
    return this.piranha(node, 'status').stdout;
  }

  async close(): Promise<void> {
    for (const daemon of this.#daemons) {
      daemon.signal('SIGCONT');
      daemon.signal('SIGKILL');
    }
    await Promise.all(this.#daemons.map(({ exit }) => exit));
    for (const host of this.hosts.values()) host.close();
    // The kernel takes a namespace down when it has time; its cables would be in the way of the next test.
    for (const name of this.hosts.keys()) spawnSync('ip', ['link', 'del', `p-${name}`]);
    spawnSync('ip', ['link', 'del', 'br0']);
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** One rule for what the switch forwards; undefined: none. */
  switchRule(rule: string | undefined): void {
    const chain = `chain forward { type filter hook forward priority 0; ${rule ?? ''}\n}`;
    const text = `table bridge cut\ndelete table bridge cut\ntable bridge cut {\n${chain}\n}\n`;
    const { status, stderr } = spawnSync('nft', ['-f', '-'], { input: text, encoding: 'utf8' });
    if (status !== 0) throw new Error(`nft: ${stderr}`);
  }

  get #configFile(): string {
    return join(this.directory, 'lvs.cf');
  }
}

export function holds(host: Host, vip = VIP): boolean {
  return host.run('ip', '-o', 'addr', 'show', 'dev', 'eth0').includes(` ${vip}/`);
}

/** The link-layer address that a host's kernel has for another. */
export function placeOf(host: Host, address: string): string | undefined {
  return /lladdr (\S+)/.exec(host.run('ip', 'neigh', 'show', address))?.[1];
}

export function macOf(number: number): string {
  return `02:00:00:00:00:${number.toString().padStart(2, '0')}`;
}

function batch(lines: readonly string[]): void {
  const { status, stderr } = spawnSync('ip', ['-batch', '-'], {
    input: `${lines.join('\n')}\n`,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`ip: ${stderr}`);
}

function segmentConfig(more: readonly string[]): string {
  return `${[
    'serial_no = 1',
    `primary = ${OWN.primary}`,
    `backup = ${OWN.backup}`,
    'backup_active = 1',
    'keepalive_ms = 100',
    'deadtime_ms = 300',
    'network = direct',
    'dataplane = none',
    ...more,
    'virtual web {',
    '    active = 1',
    `    address = ${VIP} eth0:1`,
    '    port = 80',
    '    scheduler = rr',
    '}',
  ].join('\n')}\n`;
}
