/**
 * The two daemons under test, started as anybody would start them, each in its namespace and in a process group of its own (a
 * freeze stops the whole group: the program, its threads and its children).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { unreachable } from '../src/base/index.ts';
import { command, inNamespace, readProc } from './command.ts';
import {
  DIRECTORS,
  type Director,
  type Family,
  NAT_ROUTER,
  OWN_ADDRESS,
  PRIVATE_ADDRESS,
  REAL_SERVERS,
  SERVER_ADDRESSES,
  SERVICE_PORT,
  type ServiceMethod,
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
  /** The virtual service over r1 and r2, and the clients' load on it; absent: VIPs alone. */
  readonly services?: ServicesSetup;
};

export type ServicesSetup = {
  readonly method: ServiceMethod;
  /** New connections. */
  readonly perSecond: number;
  /** Connections held open. */
  readonly held: number;
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
  const { keepaliveMs, deadtimeMs, dialects, hasPrivateNetwork, family, services } = setup;
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
    ...planeLines(services),
    'virtual web {',
    '    active = 1',
    `    address = ${VIPS[family]} eth0:1`,
    `    port = ${SERVICE_PORT}`,
    '    protocol = tcp',
    `    scheduler = ${services === undefined ? 'wlc' : 'rr'}`,
    ...(services === undefined ? [] : serverLines(family, services.method)),
    '}',
  ].join('\n')}\n`;
}

function planeLines(services: ServicesSetup | undefined): string[] {
  if (services === undefined) return ['network = direct', 'dataplane = none'];
  const more =
    services.method === 'nat'
      ? [`nat_router = ${NAT_ROUTER} eth0:2`, 'nat_nmask = 255.255.255.0']
      : ['syncdaemon = 1'];
  return [`network = ${services.method}`, 'dataplane = nftables', ...more];
}

function serverLines(family: Family, method: ServiceMethod): string[] {
  return [
    '    check = tcp',
    '    check_interval_ms = 250',
    '    check_timeout_ms = 2000',
    ...(method === 'direct' ? ['    check_vip = 1'] : []),
    ...REAL_SERVERS.flatMap((name) => [
      `    server ${name} {`,
      `        address = ${SERVER_ADDRESSES[family][name]}`,
      '        active = 1',
      '    }',
    ]),
  ];
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

type Services = {
  readonly services: readonly {
    readonly stands: boolean;
    readonly servers: readonly { readonly state: string }[];
  }[];
};

/** What `piranha services --json` shows, without the start of a program; nothing while the daemon is not there. */
function askDirector(socketPath: string): Promise<Services> {
  return new Promise((resolve) => {
    const nothing = { services: [] };
    const request = get({ socketPath, path: '/v1/services', timeout: 1000 }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () => {
        const answer: Services = response.statusCode === 200 ? JSON.parse(text) : nothing;
        resolve(answer);
      });
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(nothing));
  });
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
    const tables = ['netdev piranha-lease', 'netdev piranha-lvs', 'inet piranha-lvs'];
    for (const table of tables) {
      await command(inNamespace(node, ['nft', `delete table ${table}`])).catch(() => undefined);
    }
    for (const address of [VIPS[this.setup.family], NAT_ROUTER]) {
      const removal = ['ip', '-n', node, 'addr', 'del', address, 'dev', 'eth0'];
      await command(removal).catch(() => undefined);
    }
  }

  /** Its virtual service stands, with both real servers in it; with direct routing it tells its partner and hears it. */
  async isServing(node: Director): Promise<boolean> {
    if (this.setup.services?.method === 'direct') {
      const list = inNamespace(node, ['nft', 'list', 'table', 'netdev', 'piranha-lvs']);
      const rules = await command(list).catch(() => '');
      if (!rules.includes(' dup to ') || !rules.includes('chain heard_')) return false;
    }
    const { services } = await askDirector(`${LAB_DIRECTORY}/${node}/pulse.sock`);
    const [service] = services;
    return service?.stands === true && service.servers.every(({ state }) => state === 'active');
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
