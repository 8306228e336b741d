/**
 * The network inside the guest: two directors and two real servers on one segment, a client behind a router.
 *
 *   cl ---- rt ---- sw ---- da, db   (directors)
 *                    \----- r1, r2   (real servers: the VIPs on lo and tunl0, silent in ARP)
 *
 * One `ip -batch` per namespace: a process costs 20 ms here. Real servers and client are one small Node process each.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const HOSTS = { rt: 1, da: 11, db: 12, r1: 21, r2: 22 } as const;
export const VIPS = ['198.51.100.100', '198.51.100.101', 'fd77::100'] as const;
const MODULES = [
  ...['ipv6', 'ip_vs', 'ip_vs_rr', 'ip_vs_wrr', 'ip_vs_wlc', 'ip_vs_lc', 'ip_vs_sh', 'ip_vs_dh'],
  ...[
    'veth',
    'bridge',
    'ipip',
    'ip_tunnel',
    'nf_tables',
    'sch_ingress',
    'cls_flower',
    'act_skbedit',
  ],
];

/** Runs a command to its end in a namespace; throws with its words. */
export function sh(where: string, command: string, input = ''): string {
  const { status, stdout, stderr } = spawnSync(
    'ip',
    ['netns', 'exec', where, 'sh', '-c', command],
    {
      encoding: 'utf8',
      input,
      timeout: 30_000,
    },
  );
  if (status !== 0) throw new Error(`${where}: ${command}: ${stderr}${stdout}`);
  return stdout;
}

function batch(words: readonly string[], lines: readonly string[]): void {
  const { status, stderr } = spawnSync('ip', [...words, '-batch', '-'], {
    encoding: 'utf8',
    input: `${lines.join('\n')}\n`,
    timeout: 30_000,
  });
  if (status !== 0) throw new Error(`ip ${words.join(' ')}: ${stderr}`);
}

export function loadModules(): void {
  for (const name of MODULES) {
    // What is built in, or not made for this kernel, is missed by the tests that need it.
    spawnSync('modprobe', ['-d', '/run/modules', '-q', name], { timeout: 20_000 });
  }
}

export function buildNetwork(): void {
  batch(
    [],
    [...Object.keys(HOSTS), 'sw', 'cl'].map((name) => `netns add ${name}`),
  );
  batch(
    ['-n', 'sw'],
    [
      'link add br0 type bridge forward_delay 0 stp_state 0 mcast_snooping 0',
      'link set br0 up',
      ...Object.entries(HOSTS).flatMap(([name, number]) => [
        `link add p-${name} type veth peer name eth0 address 02:00:00:00:00:${number} netns ${name}`,
        `link set p-${name} master br0 up`,
      ]),
    ],
  );
  batch([], ['link add eth1 netns rt type veth peer name eth0 netns cl']);
  for (const [name, number] of Object.entries(HOSTS)) {
    const more =
      name === 'rt'
        ? [
            'addr add 203.0.113.1/24 dev eth1',
            'addr add fd78::1/64 dev eth1 nodad',
            'link set eth1 up',
          ]
        : ['route add default via 198.51.100.1', 'route add fd78::/64 via fd77::1'];
    batch(
      ['-n', name],
      [
        'link set lo up',
        'link set eth0 up',
        `addr add 198.51.100.${number}/24 dev eth0`,
        `addr add fd77::${number}/64 dev eth0 nodad`,
        ...more,
      ],
    );
  }
  batch(
    ['-n', 'cl'],
    [
      'link set lo up',
      'link set eth0 up',
      'addr add 203.0.113.2/24 dev eth0',
      'addr add fd78::2/64 dev eth0 nodad',
      'route add default via 203.0.113.1',
      'route add fd77::/64 via fd78::1',
    ],
  );
  sh('rt', 'echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding');
  for (const name of ['r1', 'r2']) buildRealServer(name);
  for (const name of ['da', 'db']) {
    // One-armed NAT: a redirect would teach the real servers to go past the director.
    sh(
      name,
      'cd /proc/sys/net/ipv4; echo 1 >ip_forward; for f in all eth0; do echo 0 >conf/$f/send_redirects; done; echo "0 1" >vs/sync_threshold; echo 1 >vs/expire_nodest_conn',
    );
  }
}

function buildRealServer(name: string): void {
  sh(
    name,
    'cd /proc/sys/net/ipv4/conf; echo 1 >all/arp_ignore; echo 2 >all/arp_announce; ip link set tunl0 up; for f in all tunl0 eth0; do echo 0 >$f/rp_filter; done',
  );
  const addresses = VIPS.map((vip) => `addr add ${vip}/${vip.includes(':') ? 128 : 32} dev lo`);
  batch(['-n', name], addresses);
}

/** Real servers answer through the director, as NAT needs, or by themselves. */
export function routeAnswers(via: 'director' | 'router'): void {
  const gateway = via === 'director' ? '198.51.100.11' : '198.51.100.1';
  for (const name of ['r1', 'r2']) batch(['-n', name], [`route replace default via ${gateway}`]);
}

/** A peer.ts in a namespace; answers of its own lines. */
export class Peer {
  readonly #child: ChildProcess;
  #said = '';

  constructor(where: string, ...words: readonly string[]) {
    const program = join(import.meta.dirname, 'peer.ts');
    this.#child = spawn(
      'ip',
      [
        'netns',
        'exec',
        where,
        process.execPath,
        '--disable-warning=ExperimentalWarning',
        program,
        ...words,
      ],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#said += text;
    });
  }

  /** Waits for the next line. */
  async line(limitMs = 30_000): Promise<string> {
    const limit = performance.now() + limitMs;
    while (!this.#said.includes('\n')) {
      if (performance.now() > limit) throw new Error('the peer said nothing');
      await sleep(10);
    }
    const [first = ''] = this.#said.split('\n', 1);
    this.#said = this.#said.slice(first.length + 1);
    return first;
  }

  /** `get 40 198.51.100.100 80` -> how many each real server answered. */
  async ask(order: string): Promise<Record<string, number>> {
    this.#child.stdin?.write(`${order}\n`);
    return JSON.parse(await this.line());
  }

  close(): void {
    this.#child.kill('SIGKILL');
  }
}
