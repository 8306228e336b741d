/**
 * Keeps fos running in the mode that the role asks for, and decides what its end means (service = fos).
 *
 *   active, VIPs raised ---> fos active  --ended--> started again after two seconds
 *   any other role --------> fos monitor --ended--> the partner is not active: no monitors until it is
 *                                                   nobody answers here: NETWORK FAULT, no monitors until a heartbeat
 *                                                   else: take over; monitors again when nothing has come of it
 *
 * The question to the default gateway (or to witness_hosts) is the original's: a standby that has lost its network sees every
 * service fail. A machine without either asks nobody. The VIPs come before fos, so that a service finds its address.
 */
import { elapsedMs, type Instant, type IpAddress, type Milliseconds } from '../base/index.ts';
import { openPinger, probeOnce, proberOf } from '../checks/index.ts';
import { makeCheck, type Settings, type VirtualService } from '../model/index.ts';
import { type Clock, observeGateways, type Spawner } from '../ports/index.ts';
import { Fos, type FosMode } from './fos.ts';
import type { PulseSnapshot } from './messages.ts';

export type FosKeeperPorts = {
  readonly clock: Clock;
  readonly spawner: Spawner;
  readonly log: (ident: 'fos' | 'pulse', line: string) => void;
  /** The services of the active partner do not answer, and the fault is not on this side. */
  readonly onPartnerFailed: () => void;
};

const RESTART_MS: Milliseconds = 2000;
const ASKS = 3;
const ASK_MS: Milliseconds = 1000;

export class FosKeeper {
  readonly #ports: FosKeeperPorts;
  #settings: Settings | undefined;
  #services: readonly VirtualService[] = [];
  #snapshot: PulseSnapshot | undefined;
  #mode: FosMode | undefined;
  #fos: Fos | undefined;
  /** fos has ended: what must be seen before it is started again. */
  #waitsFor: ((snapshot: PulseSnapshot) => boolean) | undefined;
  /** Starts and stops, one after another. */
  #work: Promise<void> = Promise.resolve();
  #isBusy = false;
  #isClosed = false;

  constructor(ports: FosKeeperPorts) {
    this.#ports = ports;
  }

  /** Commands run, or have to be. */
  get isBusy(): boolean {
    return this.#isBusy;
  }

  /** For people: `fos active runs`; undefined with service = lvs. */
  get words(): string | undefined {
    if (this.#services.length === 0) return undefined;
    if (this.#mode === undefined) return 'fos waits for a role';
    return `fos ${this.#mode} ${this.#waitsFor === undefined ? 'runs' : 'has ended'}`;
  }

  /** Other services are a new fos; the same ones go on undisturbed. */
  use(settings: Settings): void {
    const services =
      settings.service === 'fos' ? settings.failoverServices.filter((one) => one.isEnabled) : [];
    const isSame = meaningOf(services) === meaningOf(this.#services);
    this.#settings = settings;
    if (isSame) return;
    this.#services = services;
    if (this.#mode !== undefined) this.#replace();
  }

  saw(snapshot: PulseSnapshot): void {
    this.#snapshot = snapshot;
    if (this.#isClosed || this.#services.length === 0) return;
    const isRaised = snapshot.role === 'active' && snapshot.addresses.isSettled;
    const mode = snapshot.role !== 'active' ? 'monitor' : isRaised ? 'active' : this.#mode;
    const isOver = this.#waitsFor?.(snapshot) === true;
    if (mode === this.#mode && !isOver) return;
    this.#mode = mode;
    this.#replace();
  }

  /** Settles when the services of an active node have been stopped. */
  close(): Promise<void> {
    if (!this.#isClosed) {
      this.#isClosed = true;
      this.#replace();
    }
    return this.#work;
  }

  /** The running fos is stopped; then one of the mode of that moment begins. */
  #replace(): void {
    this.#waitsFor = undefined;
    this.#isBusy = true;
    const previous = this.#work;
    const work = previous
      .then(() => this.#change())
      .then(() => {
        if (this.#work === work) this.#isBusy = false;
      });
    this.#work = work;
  }

  async #change(): Promise<void> {
    const old = this.#fos;
    this.#fos = undefined;
    // The next one begins with the stop_cmd of its services.
    await (this.#isClosed || old?.services !== this.#services ? old?.stop() : old.cease());
    const mode = this.#mode;
    if (this.#isClosed || mode === undefined || this.#services.length === 0) return;
    const { clock, spawner, log } = this.#ports;
    const fos = new Fos(this.#services, mode, {
      clock,
      spawner,
      log: (line) => log('fos', line),
      onEnd: () => {
        if (this.#fos === fos) void this.#ended(mode, clock.now());
      },
    });
    this.#fos = fos;
    fos.begin();
  }

  async #ended(mode: FosMode, at: Instant): Promise<void> {
    this.#pulse('fos process exited');
    if (mode === 'active') {
      this.#waitsFor = (snapshot) => elapsedMs(at, snapshot.at) >= RESTART_MS;
      return;
    }
    const isRival = this.#snapshot?.partnerSaid === 'running';
    if (!isRival) {
      this.#waitsFor = ({ partnerSaid }) => partnerSaid === 'running';
      return;
    }
    const isHeard = await this.#isAnybodyThere();
    if (this.#mode !== mode || this.#isClosed) return;
    if (!isHeard) {
      this.#pulse(
        'NETWORK FAULT: nobody answers here: not taking over, no monitors until a heartbeat',
      );
      this.#waitsFor = ({ heardAt }) => heardAt.public !== undefined && heardAt.public > at;
      return;
    }
    this.#ports.onPartnerFailed();
    const limitMs = 2 * (this.#settings?.deadtimeMs ?? 0) + RESTART_MS;
    this.#waitsFor = (snapshot) => elapsedMs(at, snapshot.at) >= limitMs;
  }

  /** Up to three questions, a second each; one answer is enough. True where there is nobody to ask, or no way to. */
  async #isAnybodyThere(): Promise<boolean> {
    const named = this.#settings?.witnessHosts ?? [];
    const asked = named.length > 0 ? named : defaultGateways();
    const pinger = openPinger();
    if (!pinger.ok) return true;
    let isHeard = asked.length === 0;
    for (let round = 0; round < ASKS && !isHeard; round++) {
      const answers = asked.map((address) => {
        const timing = { intervalMs: ASK_MS, timeoutMs: ASK_MS, rise: 1, fall: 1 };
        const check = makeCheck({ address, port: 0, ...timing, procedure: { kind: 'ping' } });
        return probeOnce(check, proberOf(check, { pinger: pinger.value }));
      });
      isHeard = (await Promise.all(answers)).some(({ verdict }) => verdict.isUp);
    }
    pinger.value.close();
    return isHeard;
  }

  #pulse(line: string): void {
    this.#ports.log('pulse', line);
  }
}

function defaultGateways(): readonly IpAddress[] {
  const observed = observeGateways();
  return observed.ok ? observed.value.map(({ address }) => address) : [];
}

/** Lines of the file may move without meaning anything. */
function meaningOf(services: readonly VirtualService[]): string {
  return JSON.stringify(services, (key, value: unknown) =>
    key === 'origin' || key === 'origins' ? undefined : value,
  );
}
