/**
 * `fos`: the failover services of an lvs.cf on one node. On the active one it starts and watches them there, on the other
 * it watches them at their VIPs. The first that fails ends the whole, and who started it decides what that means: pulse
 * starts it again on the active node, and on the standby thinks of taking over (fos-keeper.ts). In a director it is no
 * process of its own.
 *
 *   for each service, in the order of the file: stop_cmd, then (active) start_cmd; then the checks
 *   stop(), where it was active: stop_cmd of each. cease(): another fos follows, and begins with them
 *
 * stop_cmd comes first in both roles, so that nothing of an earlier life serves beside the other node's. Commands run as
 * hooks do: words without a shell, one at a time, a minute each. Addresses are the director's, which neither waits for a
 * stop_cmd before it lets go of a VIP: a command that hangs must not hold an address.
 * Source: piranha 0.8.6, fos(8); check of a service: nanny's rules (core/health-check.ts).
 */
import { CheckRunner, openPinger, proberOf, type ReportedVerdict } from '../checks/index.ts';
import { failoverCheck, NOTHING_SEEN, type ServiceWatch, watchService } from '../core/index.ts';
import type { Check, VirtualService } from '../model/index.ts';
import type { Clock, Spawner } from '../ports/index.ts';
import { runCommand } from './hooks.ts';

export type FosMode = 'active' | 'monitor';

export type FosPorts = {
  readonly clock: Clock;
  readonly spawner: Spawner;
  readonly log: (line: string) => void;
  /** A service has failed, or could not be started; it has been told. Never after stop(). */
  readonly onEnd: () => void;
};

export class Fos {
  readonly services: readonly VirtualService[];
  readonly #mode: FosMode;
  readonly #ports: FosPorts;
  readonly #pinger = openPinger();
  readonly #checks: CheckRunner;
  /** By key of their check: two services may be checked alike. */
  readonly #watched = new Map<string, { readonly names: string[]; readonly check: Check }>();
  readonly #watches = new Map<string, ServiceWatch>();
  #isOver = false;
  #work: Promise<void> = Promise.resolve();

  /** `services`: the enabled ones. */
  constructor(services: readonly VirtualService[], mode: FosMode, ports: FosPorts) {
    const { clock, spawner } = ports;
    this.services = services;
    this.#mode = mode;
    this.#ports = ports;
    const context = { spawner, ...(this.#pinger.ok && { pinger: this.#pinger.value }) };
    this.#checks = new CheckRunner({
      now: () => clock.now(),
      proberOf: (check) => proberOf(check, context),
      onVerdicts: (verdicts) => this.#judge(verdicts),
    });
  }

  begin(): void {
    this.#work = this.#start();
  }

  /** Settles when nothing of it runs any more; the services go on. */
  async cease(): Promise<void> {
    this.#close();
    await this.#work;
  }

  /** The same, and what it has started is stopped. */
  async stop(): Promise<void> {
    await this.cease();
    if (this.#mode !== 'active') return;
    for (const service of this.services) await this.#command(service, 'stop_cmd');
  }

  async #start(): Promise<void> {
    for (const service of this.services) {
      // What stops services goes on to its end, whatever comes: one left over would serve beside the other node's.
      if (this.#isOver && this.#mode === 'active') return;
      await this.#command(service, 'stop_cmd');
      if (this.#mode === 'monitor' || this.#isOver) continue;
      const complaint = await this.#command(service, 'start_cmd');
      if (complaint !== undefined && !this.#isOver) {
        this.#end(service.name, `start_cmd ${service.startCommand}: ${complaint}`);
      }
    }
    if (!this.#isOver) this.#watch();
  }

  #watch(): void {
    for (const service of this.services) {
      const check = failoverCheck(service);
      const known = this.#watched.get(check.key);
      if (known !== undefined) known.names.push(service.name);
      else this.#watched.set(check.key, { names: [service.name], check });
    }
    this.#checks.setChecks([...this.#watched.values()].map(({ check }) => check));
  }

  #judge(verdicts: readonly ReportedVerdict[]): void {
    const now = this.#ports.clock.now();
    for (const { check: key, verdict } of verdicts) {
      const watched = this.#watched.get(key);
      if (watched === undefined || this.#isOver) continue;
      const { intervalMs } = watched.check;
      const watch = this.#watches.get(key) ?? NOTHING_SEEN;
      const next = watchService(watch, { now, isUp: verdict.isUp, intervalMs });
      if (next !== undefined) this.#watches.set(key, next);
      else if (!verdict.isUp) {
        this.#end(watched.names.join(', '), `${verdict.detail} (${verdict.reason})`);
      }
    }
  }

  #end(name: string, why: string): void {
    const { log, onEnd } = this.#ports;
    this.#close();
    log(
      this.#mode === 'active'
        ? `Service ${name} died: ${why}: restart condition`
        : `Monitor for service ${name}: ${why}: failover condition`,
    );
    log('fos will now exit to notify pulse');
    onEnd();
  }

  #close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#checks.stop();
    if (this.#pinger.ok) this.#pinger.value.close();
  }

  /** What went wrong, as a sentence; a service without the command has none. */
  async #command(
    { name, startCommand, stopCommand }: VirtualService,
    kind: 'start_cmd' | 'stop_cmd',
  ): Promise<string | undefined> {
    const command = (kind === 'start_cmd' ? startCommand : stopCommand)?.trim() ?? '';
    if (command === '') return undefined;
    const complaint = await runCommand(this.#ports.spawner, command);
    if (complaint !== undefined) this.#ports.log(`${kind} of ${name}: ${command}: ${complaint}`);
    return complaint;
  }
}
