/**
 * Cut cables: rules of the bridge family in the switch's namespace, changed through one `nft -i` that is already there,
 * so that a fault comes 0.6 ms after it was asked for (a fresh nft takes 5 to 10 ms).
 *
 * - `cut(from, to)`: what `from` sends no longer reaches `to`; everybody else still hears it. On both networks.
 * - `unplug(node)`: the node's cables end nowhere, while its own kernel still sees a link.
 * - `deafen(node)`: nothing reaches it any more; what it sends goes on to arrive.
 * - `dullRouter()`: announcements of the VIP do not reach the router; questions and answers do.
 *
 * Rejected: `ip link set down` (the node would see its link go: that is another incident), bridge port isolation (both
 * directions only).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { command, inNamespace } from './command.ts';
import { DIRECTORS, type Director, portOf, VIPS } from './topology.ts';

const RULES = `
table bridge cuts {
  set pair { type ifname . ifname; }
  set dead { type ifname; }
  set deaf { type ifname; }
  set dull { type ifname; }
  chain forward {
    type filter hook forward priority 0; policy accept;
    iifname . oifname @pair drop
    iifname @dead drop
    oifname @dead drop
    oifname @deaf drop
    oifname @dull arp saddr ip ${VIPS[4]} arp daddr ip ${VIPS[4]} drop
    oifname @dull icmpv6 type nd-neighbor-advert ip6 daddr ff02::/16 drop
  }
}
`;
const LIMIT_MS = 2000;

export class Cuts {
  readonly #nft: ChildProcess;
  #waiting: { resolve(): void; reject(error: Error): void } | undefined;
  #errors = '';

  private constructor() {
    this.#nft = spawn('ip', inNamespace('switch', ['nft', '-i']).slice(1), {
      stdio: 'pipe',
      detached: true,
    });
    this.#nft.stdout?.on('data', (chunk: Buffer) => {
      if (/^}$/m.test(chunk.toString())) this.#settle();
    });
    this.#nft.stderr?.on('data', (chunk: Buffer) => {
      this.#errors += chunk.toString();
    });
    this.#nft.on('error', (error) => this.#waiting?.reject(error));
    this.#nft.stdin?.on('error', () => undefined); // told by the timeout of the next command
  }

  static async open(): Promise<Cuts> {
    await command(inNamespace('switch', ['nft', '-f', '-']), RULES);
    return new Cuts();
  }

  async cut(from: Director, to: Director): Promise<void> {
    await this.#run(`add element bridge cuts pair { ${pairs(from, to)} }`);
  }

  async heal(from: Director, to: Director): Promise<void> {
    await this.#run(`delete element bridge cuts pair { ${pairs(from, to)} }`);
  }

  async cutBoth(): Promise<void> {
    await this.#run(`add element bridge cuts pair { ${pairs('da', 'db')}, ${pairs('db', 'da')} }`);
  }

  async unplug(node: Director): Promise<void> {
    await this.#run(
      `add element bridge cuts dead { "${portOf(node)}", "${portOf(node, 'private')}" }`,
    );
  }

  async deafen(node: Director): Promise<void> {
    const ports = `"${portOf(node)}", "${portOf(node, 'private')}"`;
    await this.#run(`add element bridge cuts deaf { ${ports} }`);
  }

  async dullRouter(): Promise<void> {
    await this.#run('add element bridge cuts dull { "p-router" }');
  }

  /** All cables are whole again, and the router listens. */
  async clear(): Promise<void> {
    const sets = ['dead', 'pair', 'deaf', 'dull'];
    await this.#run(sets.map((name) => `flush set bridge cuts ${name}`).join('; '));
  }

  close(): void {
    this.#nft.stdin?.end();
  }

  /** Resolves when the kernel has it: nft works line by line, and the listing that follows ends with a lone brace. */
  #run(line: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#settle(`no answer to: ${line}`), LIMIT_MS);
      const done = (error?: Error) => {
        clearTimeout(timer);
        this.#waiting = undefined;
        if (error === undefined) resolve();
        else reject(error);
      };
      this.#waiting = { resolve: () => done(), reject: done };
      this.#nft.stdin?.write(`${line}\nlist chain bridge cuts forward\n`);
    });
  }

  #settle(problem = this.#errors.trim()): void {
    this.#errors = '';
    if (problem === '') this.#waiting?.resolve();
    else this.#waiting?.reject(new Error(`nft: ${problem}`));
  }
}

function pairs(from: Director, to: Director): string {
  return (['segment', 'private'] as const)
    .map((network) => `"${portOf(from, network)}" . "${portOf(to, network)}"`)
    .join(', ');
}

/** The other one. */
export function partnerOf(node: Director): Director {
  return DIRECTORS.find((name) => name !== node) ?? node;
}
