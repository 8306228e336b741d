/**
 * The two daemons under test, started as anybody would start them, each in its namespace and in a process group of its own (a
 * freeze stops the whole group: the program, its threads and its children).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { unreachable } from '../src/base/index.ts';
import { command, inNamespace, readProc } from './command.ts';
import {
  DIRECTORS,
  type Director,
  type Family,
  OWN_ADDRESS,
  PRIVATE_ADDRESS,
  VIPS,
} from './topology.ts';

export type DirectorKind = 'piranha' | 'keepalived';
export type Dialect = 'legacy' | 'auto';
export type Setup = {
  readonly kind: DirectorKind;
  readonly keepaliveMs: number;
  readonly deadtimeMs: number;
  /** Of each director: a pair in the middle of a migration has two. */
  readonly dialects: Readonly<Record<Director, Dialect>>;
  readonly hasPrivateNetwork: boolean;
  /** Of the VIP; heartbeats are IPv4. keepalived is set up for IPv4 only. */
  readonly family: Family;
};

export const LAB_DIRECTORY = '/run/piranha-lab';
export const HEARTBEAT_PORT = 539;
export const PROGRAM = join(import.meta.dirname, '..', 'piranha');

/** The silence after which the standby has to take over, by the daemon's own rules. */
export function deadtimeOf(setup: Setup): number {
  if (setup.kind === 'piranha') return setup.deadtimeMs;
  // RFC 9568 §6.1: three adverts and the standby's skew; its priority is 100.
  return setup.keepaliveMs * (3 + (256 - 100) / 256);
}

/** The lvs.cf of a director: the same on both, but for the dialects of a mixed pair. */
export function lvsConfig(setup: Setup, node: Director): string {
  const { keepaliveMs, deadtimeMs, dialects, hasPrivateNetwork, family } = setup;
  const second = (of: Director, name: string) =>
    hasPrivateNetwork ? [`${name}_private = ${PRIVATE_ADDRESS[of]}`] : [];
  return `${[
    'serial_no = 1',
    'service = lvs',
    `primary = ${OWN_ADDRESS.da}`,
    ...second('da', 'primary'),
    `backup = ${OWN_ADDRESS.db}`,
    ...second('db', 'backup'),
    'backup_active = 1',
    `heartbeat_port = ${HEARTBEAT_PORT}`,
    `keepalive_ms = ${keepaliveMs}`,
    `deadtime_ms = ${deadtimeMs}`,
    `dialect = ${dialects[node]}`,
    'network = direct',
    'dataplane = none',
    'virtual web {',
    '    active = 1',
    `    address = ${VIPS[family]} eth0:1`,
    '    port = 80',
    '    protocol = tcp',
    '    scheduler = wlc',
    '}',
  ].join('\n')}\n`;
}

function keepalivedConfig({ keepaliveMs }: Setup, node: Director): string {
  return `vrrp_instance lab {
    version 3
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority ${node === 'da' ? 150 : 100}
    advert_int ${keepaliveMs / 1000}
    virtual_ipaddress {
        ${VIPS[4]}/32 dev eth0 label eth0:1
    }
}
`;
}

/** What to type in the director's namespace to start it. */
export function startCommand(kind: DirectorKind, node: Director): readonly string[] {
  const own = `${LAB_DIRECTORY}/${node}`;
  switch (kind) {
    case 'piranha':
      return [PROGRAM, 'pulse', '-n', '-c', `${own}/lvs.cf`, '--run-dir', own];
    case 'keepalived':
      return [
        'keepalived',
        '-n',
        '-l',
        '-P',
        '-f',
        `${own}/keepalived.conf`,
        '-p',
        `${own}/pid`,
        '-r',
        `${own}/vrrp.pid`,
      ];
    default:
      return unreachable(kind);
  }
}

export class Directors {
  readonly setup: Setup;
  readonly #running = new Map<Director, ChildProcess>();

  constructor(setup: Setup) {
    this.setup = setup;
    for (const node of DIRECTORS) {
      mkdirSync(`${LAB_DIRECTORY}/${node}`, { recursive: true });
      writeFileSync(`${LAB_DIRECTORY}/${node}/keepalived.conf`, keepalivedConfig(setup, node));
      writeFileSync(`${LAB_DIRECTORY}/${node}/lvs.cf`, lvsConfig(setup, node));
    }
  }

  isRunning(node: Director): boolean {
    return this.#running.has(node);
  }

  pid(node: Director): number | undefined {
    return this.#running.get(node)?.pid;
  }

  start(node: Director): void {
    if (this.isRunning(node)) return;
    const [program = '', ...rest] = inNamespace(node, startCommand(this.setup.kind, node));
    const log = openSync(this.#logFile(node), 'a');
    const child = spawn(program, rest, { detached: true, stdio: ['ignore', log, log] });
    closeSync(log);
    child.on('exit', () => {
      if (this.#running.get(node) === child) this.#running.delete(node);
    });
    this.#running.set(node, child);
  }

  /** Sends a signal to the daemon's whole process group; false when it does not run. */
  signal(node: Director, signal: NodeJS.Signals): boolean {
    const pid = this.pid(node);
    if (pid === undefined) return false;
    process.kill(-pid, signal);
    return true;
  }

  /** TERM to the daemon alone, as a supervisor sends it; resolves when it has ended. */
  async stop(node: Director, timeoutMs = 5000): Promise<void> {
    const child = this.#running.get(node);
    if (child?.pid === undefined) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    process.kill(child.pid, 'SIGTERM');
    const timer = setTimeout(() => this.signal(node, 'SIGKILL'), timeoutMs);
    await ended;
    clearTimeout(timer);
  }

  /** kill -9 of the whole group; what it left in the kernel stays. */
  async kill(node: Director): Promise<void> {
    const child = this.#running.get(node);
    if (child === undefined) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    this.signal(node, 'SIGKILL');
    await ended;
  }

  /** What a power cycle leaves of a dead daemon: nothing. */
  async powerCycle(node: Director): Promise<void> {
    await this.kill(node);
    await command(inNamespace(node, ['nft', 'delete table netdev piranha-lease'])).catch(
      () => undefined,
    );
    const vip = VIPS[this.setup.family];
    await command(['ip', '-n', node, 'addr', 'del', vip, 'dev', 'eth0']).catch(() => undefined);
  }

  /** Resident memory of all processes of the daemon, in MiB (VmRSS of proc(5)). */
  residentMiB(node: Director): number {
    const group = String(this.pid(node));
    const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
    const members = pids.filter(
      (pid) => readProc(pid, 'stat').split(') ').at(-1)?.split(' ')[2] === group,
    );
    const kib = members.map((pid) =>
      Number(/VmRSS:\s+(\d+)/.exec(readProc(pid, 'status'))?.[1] ?? 0),
    );
    return kib.reduce((sum, value) => sum + value, 0) / 1024;
  }

  /** The last lines of the daemon's log. */
  logTail(node: Director, lines = 12): string {
    try {
      return readFileSync(this.#logFile(node), 'utf8')
        .trimEnd()
        .split('\n')
        .slice(-lines)
        .join('\n');
    } catch {
      return '';
    }
  }

  #logFile(node: Director): string {
    return `${LAB_DIRECTORY}/${node}/log`;
  }
}
