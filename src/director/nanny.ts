/**
 * `nanny` alone, for those who script it: the monitor of one real server of one virtual service, in the foreground.
 *
 * It watches one server by the rules of the services machine and writes that server's row only; the service itself, and
 * its other servers, belong to whoever made them (ipvsadm, as of old). USR1 forces the server down, USR2 up, HUP lets
 * its checks decide again; TERM and INT take it out and end. A write that IPVS refuses ends it with 1, as the original.
 * Source: nanny(8).
 */
import type { Instant } from '../base/index.ts';
import { CheckRunner, LoadRunner, openPinger, proberOf } from '../checks/index.ts';
import {
  initialServices,
  type Override,
  type ServicesInput,
  servicesWakeAt,
  stepServices,
} from '../core/index.ts';
import type { DestinationRow, Settings, TableOperation } from '../model/index.ts';
import { BootClock, type IpvsPort, openIpvs, ProcessSpawner } from '../ports/index.ts';
import { stderrLog } from './log-sink.ts';
import { portErrorText } from './sentences.ts';
import { servicesNoteLines } from './services-log.ts';

const SIGNALS = { SIGUSR1: 'disable', SIGUSR2: 'force-up' } as const;

/** `settings` hold one virtual service with one real server. Gives the exit code. */
export async function runNanny(settings: Settings, isVerbose: boolean): Promise<number> {
  const log = stderrLog('nanny');
  const ipvs = openIpvs();
  if (!ipvs.ok) {
    log(`IPVS cannot be used: ${portErrorText(ipvs.error)}`);
    return 1;
  }
  const exit = Promise.withResolvers<number>();
  const nanny = new Nanny(settings, ipvs.value, { log, isVerbose, onEnd: exit.resolve });
  process.on('SIGTERM', () => nanny.end(0));
  process.on('SIGINT', () => nanny.end(0));
  process.on('SIGHUP', () => nanny.override(undefined));
  for (const [signal, kind] of Object.entries(SIGNALS)) {
    process.on(signal, () => nanny.override({ kind }));
  }
  nanny.begin();
  return exit.promise;
}

type NannyPorts = {
  readonly log: (line: string) => void;
  readonly isVerbose: boolean;
  readonly onEnd: (status: number) => void;
};

class Nanny {
  readonly #settings: Settings;
  readonly #ipvs: Pick<IpvsPort, 'apply' | 'close'>;
  readonly #ports: NannyPorts;
  readonly #clock = new BootClock();
  readonly #spawner = new ProcessSpawner();
  readonly #pinger = openPinger();
  readonly #checks: CheckRunner;
  readonly #loads: LoadRunner;
  #state = initialServices();
  #row: DestinationRow | undefined;
  #timer: NodeJS.Timeout | undefined;
  #hasEnded = false;

  constructor(settings: Settings, ipvs: Pick<IpvsPort, 'apply' | 'close'>, ports: NannyPorts) {
    this.#settings = settings;
    this.#ipvs = ipvs;
    this.#ports = ports;
    const context = {
      spawner: this.#spawner,
      ...(this.#pinger.ok && { pinger: this.#pinger.value }),
    };
    this.#checks = new CheckRunner({
      now: () => this.#clock.now(),
      proberOf: (check) => proberOf(check, context),
      onVerdicts: (verdicts) => this.#feed({ kind: 'verdicts', now: this.#now, verdicts }),
    });
    this.#loads = new LoadRunner(this.#spawner, (loads) =>
      this.#feed({ kind: 'loads', now: this.#now, loads }),
    );
  }

  get #now(): Instant {
    return this.#clock.now();
  }

  begin(): void {
    const [service] = this.#settings.virtualServices;
    const [server] = service?.realServers ?? [];
    const from = service?.firewallMark ? `mark ${service.firewallMark}` : service?.vip.address;
    this.#ports.log(
      `starting LVS client monitor for ${from}:${service?.port} -> ${server?.address}:${server?.port}`,
    );
    this.#feed({ kind: 'settings', now: this.#now, settings: this.#settings });
  }

  override(override: Override | undefined): void {
    const input = { kind: 'override', now: this.#now, target: 'server' } as const;
    this.#feed(override === undefined ? input : { ...input, override });
  }

  end(status: number): void {
    if (this.#hasEnded) return;
    this.#want(undefined);
    this.#hasEnded = true;
    clearTimeout(this.#timer);
    this.#checks.stop();
    this.#loads.stop();
    if (this.#pinger.ok) this.#pinger.value.close();
    this.#spawner.close();
    this.#ipvs.close();
    this.#ports.onEnd(status);
  }

  #feed(input: ServicesInput): void {
    if (this.#hasEnded) return;
    const { state, effects } = stepServices(this.#state, input);
    this.#state = state;
    for (const effect of effects) {
      if (effect.kind === 'checks') {
        this.#checks.setChecks(effect.checks);
        this.#loads.setMonitors(effect.loads);
      } else if (effect.kind === 'table') this.#want(effect.table[0]?.destinations[0]);
      else if (effect.kind === 'note') {
        const wasServing = (this.#row?.weight ?? 0) > 0 && effect.note.kind === 'server';
        const context = { wasServing, isVerbose: this.#ports.isVerbose };
        for (const { ident, text } of servicesNoteLines(effect.note, state.plan, context)) {
          if (ident === 'nanny') this.#ports.log(text);
        }
      }
    }
    this.#arm(input.now);
  }

  /** Writes our row, and no other. */
  #want(row: DestinationRow | undefined): void {
    const [service] = this.#state.plan.services.values();
    const before = this.#row;
    if (service === undefined || JSON.stringify(before) === JSON.stringify(row)) return;
    this.#row = row;
    const { key } = service.service;
    const operations: TableOperation[] = [];
    if (row === undefined) {
      if (before !== undefined)
        operations.push({ kind: 'delete-destination', key, destination: before });
    } else {
      if (before === undefined) operations.push({ kind: 'add-destination', key, destination: row });
      // Also after an addition: somebody may have had it there with another weight.
      operations.push({ kind: 'edit-destination', key, destination: row });
    }
    const refused = this.#ipvs.apply(operations).find((error) => error !== undefined);
    if (refused === undefined || this.#hasEnded) return;
    this.#ports.log(`ipvsadm command failed! ${portErrorText(refused)} (kernel-refused)`);
    this.#row = undefined;
    setImmediate(() => this.end(1));
  }

  #arm(now: Instant): void {
    clearTimeout(this.#timer);
    const dueAt = servicesWakeAt(this.#state);
    if (dueAt === undefined || this.#hasEnded) return;
    const waitMs = Math.min(60_000, Math.max(1, Math.ceil(dueAt - now)));
    this.#timer = setTimeout(() => this.#feed({ kind: 'wake', now: this.#now }), waitMs);
  }
}
