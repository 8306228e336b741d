/** The lab's side of the traffic: the two real servers, and the clients that are told to begin and to end. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { inNamespace } from './command.ts';
import { REAL_SERVERS } from './topology.ts';
import type { LoadOrder, TrafficReport } from './traffic-record.ts';

export class Traffic {
  readonly #servers: readonly End[];
  readonly #clients: End;

  private constructor(servers: readonly End[], clients: End) {
    this.#servers = servers;
    this.#clients = clients;
  }

  static async start(order: LoadOrder): Promise<Traffic> {
    const servers = REAL_SERVERS.map((name) => new End(name, ['serve', name]));
    const clients = new End('client', ['load', JSON.stringify(order)]);
    for (const end of [...servers, clients]) await end.line();
    return new Traffic(servers, clients);
  }

  begin(): void {
    this.#clients.tell('begin');
  }

  /** Takes up to four seconds: what is under way may finish. */
  async end(): Promise<TrafficReport> {
    this.#clients.tell('end');
    const report: TrafficReport = JSON.parse(await this.#clients.line());
    return report;
  }

  close(): void {
    for (const end of [...this.#servers, this.#clients]) end.close();
  }
}

class End {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(node: string, words: readonly string[]) {
    const script = join(import.meta.dirname, 'traffic-ends.ts');
    const argv = [process.execPath, '--disable-warning=ExperimentalWarning', script, ...words];
    const [program = '', ...rest] = inNamespace(node, argv);
    // Ctrl-C is for the lab to answer.
    this.#child = spawn(program, rest, { stdio: ['pipe', 'pipe', 'inherit'], detached: true });
    const lines = createInterface({ input: this.#child.stdout ?? process.stdin });
    this.#lines = lines[Symbol.asyncIterator]();
  }

  tell(word: string): void {
    this.#child.stdin?.write(`${word}\n`);
  }

  /** The next line; rejects when the process ends first. */
  async line(): Promise<string> {
    const next = await this.#lines.next();
    if (next.done === true) throw new Error('an end of the traffic is gone');
    return next.value;
  }

  close(): void {
    this.#child.kill('SIGKILL');
  }
}
