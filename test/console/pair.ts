/**
 * What the browser looks at: two real directors with their couriers, a router that is asked, two real servers, and the console
 * on the primary, all in the namespaces of one cell of the lab.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildNetwork, command, inNamespace } from '../../lab/index.ts';

export const NODES = ['da', 'db'] as const;
export type Node = (typeof NODES)[number];
const SERVERS = ['r1', 'r2'] as const;
type Server = (typeof SERVERS)[number];
export const VIP = '198.51.100.100';
export const SECOND_VIP = '198.51.100.101';

const ROOT = '/run/piranha-lab';
/** On a machine that does other things, too. */
const UP_MS = 40_000;
const PROGRAM = './piranha';
export const PASSWORD = 'correct horse battery staple';
export const ORIGIN = 'https://127.0.0.1:3636';

const CONFIG = `# the pair of the console's tests
serial_no = 1
service = lvs
primary = 198.51.100.11
backup = 198.51.100.12   # the other one
backup_active = 1
heartbeat_port = 539
keepalive_ms = 250
deadtime_ms = 1500
heartbeat_key_file = ${ROOT}/key
network = direct
dataplane = nftables

virtual web {
    active = 1
    address = ${VIP} eth0:1
    port = 80
    scheduler = wrr
    check = tcp
    check_interval_ms = 500
    rise = 4
    server r1 {
        address = 198.51.100.21
        active = 1
    }
    server r2 {
        address = 198.51.100.22
        active = 1
    }
}
`;

/** Real servers that answer, one line each. */
const SERVER = `require('node:http').createServer((q, s) => s.end('here')).listen(80)`;

export class PairUnderTest {
  readonly #processes = new Map<string, ChildProcess>();

  static async start(): Promise<PairUnderTest> {
    const pair = new PairUnderTest();
    try {
      await pair.#open();
    } catch (error) {
      pair.stop();
      throw error;
    }
    return pair;
  }

  async #open(): Promise<void> {
    await buildNetwork({ hasPrivateNetwork: false, services: 'direct' });
    writeFileSync(`${ROOT}/key`, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600 });
    for (const server of SERVERS) this.startServer(server);
    for (const node of NODES) {
      mkdirSync(`${ROOT}/${node}`, { recursive: true });
      writeFileSync(`${ROOT}/${node}/lvs.cf`, CONFIG);
      this.startDirector(node);
      await this.#until(node, (role) => role === (node === 'da' ? 'active' : 'standby'));
    }
    await this.#setPassword();
    this.#spawn('console', inNamespace('da', [PROGRAM, 'console', ...consoleWords()]));
    await this.#untilListening();
  }

  startServer(server: Server): void {
    this.#spawn(server, inNamespace(server, [process.execPath, '-e', SERVER]));
  }

  startDirector(node: Node): void {
    const words = ['pulse', '-n', '-c', `${ROOT}/${node}/lvs.cf`, '--run-dir', `${ROOT}/${node}`];
    this.#spawn(node, inNamespace(node, [PROGRAM, ...words]));
  }

  /** Stops or continues a director, or a real server, with all of its processes. */
  signal(node: Node | Server, signal: 'SIGSTOP' | 'SIGCONT' | 'SIGKILL'): void {
    const pid = this.#processes.get(node)?.pid;
    if (pid !== undefined) process.kill(-pid, signal);
  }

  /** The tables of the kernel, as nft prints them in the namespace of a node. */
  kernel(node: Node): Promise<string> {
    return command(inNamespace(node, ['nft', 'list', 'ruleset']));
  }

  config(node: Node): string {
    return readFileSync(`${ROOT}/${node}/lvs.cf`, 'utf8');
  }

  log(name: string): string {
    return readFileSync(`${ROOT}/${name}.log`, 'utf8').trimEnd().split('\n').slice(-15).join('\n');
  }

  /** A link that logs in once. */
  async loginUrl(right: 'look' | 'operate' | 'change'): Promise<string> {
    const words = [
      'console',
      'login-url',
      '--right',
      right,
      '--state-dir',
      `${ROOT}/console-state`,
    ];
    const url = await command([PROGRAM, ...words, '--listen', '127.0.0.1:3636'], '', 30_000);
    return url.trim();
  }

  text(node: Node, path: string): Promise<string> {
    return read(`${ROOT}/${node}/read.sock`, path);
  }

  /** A document of the director's own, over its socket. */
  async ask(node: Node, path: string): Promise<ReadonlyMap<string, unknown>> {
    return new Map(Object.entries(JSON.parse(await read(`${ROOT}/${node}/read.sock`, path))));
  }

  stop(): void {
    for (const child of this.#processes.values()) {
      if (child.pid !== undefined) kill(child.pid);
    }
  }

  async #until(node: Node, isThere: (role: unknown) => boolean): Promise<void> {
    let last: unknown;
    for (const end = performance.now() + UP_MS; performance.now() < end; await sleep(100)) {
      last = await this.ask(node, '/v1/status').then(
        (document) => document.get('role') ?? document.get('title'),
        (error: Error) => error.message,
      );
      if (isThere(last)) return;
    }
    throw new Error(`${node} does not come up (${last}):\n${this.log(node)}`);
  }

  async #setPassword(): Promise<void> {
    const words = ['passwd', 'piranha', '--state-dir', `${ROOT}/console-state`];
    await command([PROGRAM, ...words], `${PASSWORD}\n`, 30_000);
  }

  async #untilListening(): Promise<void> {
    for (let look = 0; look < 200; look++) {
      const open = await command(inNamespace('da', ['ss', '-Hltn', 'sport', '=', ':3636']));
      if (open.trim() !== '') return;
      await sleep(100);
    }
    throw new Error(`the console does not listen:\n${this.log('console')}`);
  }

  #spawn(name: string, argv: readonly string[]): void {
    const [program = '', ...rest] = argv;
    const log = openSync(`${ROOT}/${name}.log`, 'a');
    this.#processes.set(
      name,
      spawn(program, rest, { detached: true, stdio: ['ignore', log, log] }),
    );
    closeSync(log);
  }
}

function consoleWords(): readonly string[] {
  const state = ['--state-dir', `${ROOT}/console-state`];
  return ['--listen', '127.0.0.1:3636', '--run-dir', `${ROOT}/da`, ...state];
}

function kill(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended by itself: as good.
  }
}

function read(socketPath: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = get({ socketPath, path, timeout: 2000 }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        text += part;
      });
      response.on('end', () => resolve(text));
      response.on('error', reject);
    });
    asked.on('timeout', () => asked.destroy(new Error('no answer')));
    asked.on('error', reject);
  });
}
