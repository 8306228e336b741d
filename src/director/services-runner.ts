/**
 * The services machine in real time: lvsd and its nannies, on the main thread of every director, active or not.
 *
 *   lvs.cf, verdicts, loads, overrides ──> stepServices ──> checks    the schedule of probes
 *                                                      ├──> table     the keeper of the kernel's table
 *                                                      ├──> hooks     quorum_up_cmd, quorum_down_cmd, in order
 *                                                      └──> notes     the log
 *
 * The standby is warm: its table and its health are those of the active director, so a takeover adds addresses only. What
 * stood in the kernel at our start is given to the machine, which keeps each server's weight until the first verdict.
 * Nothing here decides anything; what does is core/services.ts.
 */
import type { Instant } from '../base/index.ts';
import {
  CheckRunner,
  LoadRunner,
  openKnocker,
  openPinger,
  type ProbeContext,
  type ProbeOutcome,
  probeOnce,
  proberOf,
} from '../checks/index.ts';
import {
  initialServices,
  meaningOf,
  type Override,
  type ServicesEffect,
  type ServicesInput,
  type ServicesState,
  servicesWakeAt,
  stepServices,
} from '../core/index.ts';
import type { ServiceTable, Settings } from '../model/index.ts';
import type { Clock, ObservedService, Spawner, SyncPartner } from '../ports/index.ts';
import type { ChosenPlane } from './data-plane.ts';
import { FosKeeper } from './fos-keeper.ts';
import { Hooks } from './hooks.ts';
import { IpvsDuties } from './ipvs-duties.ts';
import type { Ledger } from './ledger.ts';
import type { PulseSnapshot } from './messages.ts';
import { type About, aboutServices } from './note-events.ts';
import { portErrorText } from './sentences.ts';
import {
  driftText,
  type Ident,
  type LogLine,
  refusalText,
  servicesNoteLines,
  settingsLines,
} from './services-log.ts';
import type { ServicesMemory } from './services-memory.ts';
import { type Refusal, TableKeeper, tableOf } from './table-keeper.ts';

export type ServicesPorts = {
  readonly clock: Clock;
  readonly spawner: Spawner;
  readonly plane: ChosenPlane;
  readonly memory: ServicesMemory;
  /** `about`: the line is worth a record of the event log. */
  readonly log: (ident: Ident, line: string, about?: About) => void;
  readonly isVerbose: boolean;
  readonly ledger: Ledger;
  /** hard_shutdown = 1: the virtual services have failed as a whole, and why. */
  readonly onFailed: (why: string) => void;
  /** service = fos: those of the active partner do not answer. Absent: there is no partner to ask about. */
  readonly onPartnerFailed?: () => void;
};

/** A longer wait than setTimeout can do is done in pieces. */
const LONGEST_WAIT_MS = 60_000;

export class ServicesRunner {
  readonly #ports: ServicesPorts;
  readonly #hooks: Hooks;
  readonly #checks: CheckRunner;
  readonly #loads: LoadRunner;
  readonly #duties: IpvsDuties | undefined;
  readonly #pinger: ReturnType<typeof openPinger>;
  readonly #knocker: ReturnType<typeof openKnocker>;
  readonly #context: ProbeContext;
  readonly #serving = new Set<string>();
  readonly #fos: FosKeeper;
  #keeper: TableKeeper | undefined;
  #state: ServicesState = initialServices();
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(ports: ServicesPorts) {
    const { clock, spawner, plane } = ports;
    this.#ports = ports;
    const lvsd = (line: string): void => ports.log('lvsd', line);
    this.#hooks = new Hooks(spawner, {}, lvsd);
    this.#pinger = openPinger();
    this.#knocker = openKnocker();
    this.#context = {
      spawner,
      ...(this.#pinger.ok && { pinger: this.#pinger.value }),
      ...(this.#knocker.ok && { knocker: this.#knocker.value }),
    };
    this.#checks = new CheckRunner({
      now: () => clock.now(),
      proberOf: (check) => proberOf(check, this.#context),
      onVerdicts: (verdicts) => this.#feed({ kind: 'verdicts', now: clock.now(), verdicts }),
      onProbe: ({ procedure }, verdict, ms) => ports.ledger.probed(procedure.kind, verdict, ms),
    });
    this.#loads = new LoadRunner(spawner, (loads) =>
      this.#feed({ kind: 'loads', now: clock.now(), loads }),
    );
    this.#fos = new FosKeeper({
      clock,
      spawner,
      log: (ident, line) => ports.log(ident, line, { kind: 'service' }),
      onPartnerFailed: () => ports.onPartnerFailed?.(),
    });
    this.#duties = plane.kind === 'ipvs' ? new IpvsDuties(plane.port, lvsd) : undefined;
  }

  get state(): ServicesState {
    return this.#state;
  }

  get plane(): ChosenPlane {
    const { plane } = this.#ports;
    const { words } = this.#fos;
    const isFos = plane.kind === 'none' && words !== undefined;
    return isFos ? { ...plane, why: `${plane.why}; ${words}` } : plane;
  }

  /** The table as it stood at the last look; empty without a data plane. */
  get observed(): readonly ObservedService[] {
    return this.#keeper?.observed ?? [];
  }

  /** Adopts what stands, and begins. */
  async start(settings: Settings): Promise<void> {
    const { memory, plane, clock } = this.#ports;
    if (plane.kind === 'none' && plane.isLack) {
      this.#lvsd(
        `no data plane: ${plane.why}; virtual services are checked, not served (no-plane)`,
      );
    }
    this.#synchronise(settings);
    const standing = await this.#standing();
    if (this.#isStopped) return;
    const { overrides, ours } = memory.read({ now: clock.now(), wallMs: Date.now() });
    for (const [target, override] of overrides) {
      this.#feed({ kind: 'override', now: clock.now(), target, override });
    }
    if (plane.kind !== 'none') {
      this.#keeper = new TableKeeper({
        port: plane.port,
        clock,
        ours,
        events: {
          onRefused: (refusals) => this.#refused(refusals),
          onDrift: (repairs) => {
            this.#ports.ledger.table('repaired', repairs.length);
            this.#lvsd(driftText(repairs, this.#state.plan), { kind: 'drift' });
          },
          onTrouble: (error) =>
            this.#lvsd(
              error === undefined
                ? 'the virtual-service table can be read again'
                : portErrorText(error),
            ),
        },
      });
    }
    this.#use(settings, standing);
  }

  reload(settings: Settings): void {
    if (!this.#isStopped) this.#use(settings, undefined);
  }

  /** What a reload with these settings would change, in words. */
  preview(settings: Settings): readonly string[] {
    const { settings: current } = this.#state;
    return current === undefined ? [] : meaningOf(current, settings);
  }

  /** The role decides about the synchronisation daemons, and with the partner's word about fos. */
  saw(snapshot: PulseSnapshot): void {
    this.#duties?.setRole(snapshot.role);
    this.#fos.saw(snapshot);
  }

  /** start_cmd or stop_cmd runs; each is bounded by itself. */
  get hasCommands(): boolean {
    return this.#fos.isBusy;
  }

  /** No override: the target's is lifted. False: no server is called that. */
  override(target: string, override: Override | undefined): boolean {
    const isKnown = [...this.#state.plan.services.values()].some(({ servers }) =>
      servers.some(({ targets }) => targets.includes(target)),
    );
    if (!isKnown && !this.#state.overrides.has(target)) return false;
    const input = { kind: 'override', now: this.#ports.clock.now(), target } as const;
    this.#feed(override === undefined ? input : { ...input, override });
    return true;
  }

  /**
   * One probe of every check that this server has, now; its health does not change by it. Undefined: there is no such
   * server. `service` and `server` are names as the table shows them.
   */
  probeNow(service: string, server: string): Promise<ProbeOutcome> | undefined {
    const { plan } = this.#state;
    const found = [...plan.services.values()].find(({ name }) => name === service);
    const planned = found?.servers.find(({ names }) => names.some((name) => name === server));
    if (planned === undefined) return undefined;
    const checks = planned.checks.flatMap((key) => plan.checks.get(key) ?? []);
    return Promise.all(
      checks.map((check) => probeOnce(check, proberOf(check, this.#context))),
    ).then(worstOf);
  }

  /** Settles when the kernel has been told the newest wish and no hook runs. */
  async idle(): Promise<void> {
    await this.#keeper?.idle();
    await this.#hooks.idle();
  }

  /** `isClean`: the table is emptied of our rows, as lvsd does; otherwise it is left for the next life. */
  async stop({ isClean }: { readonly isClean: boolean }): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    clearTimeout(this.#timer);
    this.#checks.stop();
    this.#loads.stop();
    this.#duties?.close();
    if (this.#pinger.ok) this.#pinger.value.close();
    if (this.#knocker.ok) this.#knocker.value.close();
    await this.#fos.close();
    await this.#keeper?.idle();
    if (isClean) {
      this.#keeper?.wish([]);
      await this.#keeper?.idle();
      this.#remember();
    }
    this.#keeper?.close();
  }

  async #standing(): Promise<ServiceTable> {
    const { plane } = this.#ports;
    if (plane.kind === 'none') return [];
    const observed = await plane.port.observe();
    if (observed.ok) return tableOf(observed.value);
    this.#lvsd(`what stands cannot be adopted: ${portErrorText(observed.error)}`);
    return [];
  }

  /** The nftables plane tells the partner of connections by itself, whoever is active. */
  #synchronise(settings: Settings): void {
    const { plane } = this.#ports;
    if (plane.kind === 'nftables') plane.port.synchronise(syncPartner(settings));
  }

  #use(settings: Settings, standing: ServiceTable | undefined): void {
    const input = { kind: 'settings', now: this.#ports.clock.now(), settings } as const;
    this.#feed(standing === undefined ? input : { ...input, standing });
    this.#fos.use(settings);
    this.#duties?.use(settings);
    this.#synchronise(settings);
  }

  #feed(input: ServicesInput): void {
    if (this.#isStopped) return;
    const { state, effects } = stepServices(this.#state, input);
    if (state === this.#state && effects.length === 0) return;
    const before = this.#state.plan;
    this.#state = state;
    if (input.kind === 'settings') this.#logAll(settingsLines(before, state.plan));
    for (const effect of effects) this.#execute(effect);
    this.#remember();
    this.#arm(input.now);
  }

  #execute(effect: ServicesEffect): void {
    switch (effect.kind) {
      case 'checks':
        this.#checks.setChecks(effect.checks);
        this.#loads.setMonitors(effect.loads);
        return;
      case 'table':
        this.#keeper?.wish(effect.table);
        return;
      case 'hook':
        this.#hooks.runCommand(`quorum command of ${effect.service}`, effect.command);
        return;
      case 'note':
        this.#note(effect.note);
        return;
      case 'failed':
        this.#ports.onFailed(effect.text);
        return;
    }
  }

  #note(note: Extract<ServicesEffect, { kind: 'note' }>['note']): void {
    let wasServing = false;
    if (note.kind === 'server') {
      const name = `${note.service}/${note.server}`;
      wasServing = this.#serving.has(name);
      const isServing = note.weight !== undefined && note.weight > 0;
      if (isServing) this.#serving.add(name);
      else this.#serving.delete(name);
      if (isServing !== wasServing) {
        this.#ports.ledger.serverChanged(note, isServing ? 'up' : 'down', note.reason);
      }
    }
    const { isVerbose } = this.#ports;
    const lines = servicesNoteLines(note, this.#state.plan, { wasServing, isVerbose });
    this.#logAll(lines, aboutServices(note));
  }

  #logAll(lines: readonly LogLine[], about?: About): void {
    for (const { ident, text } of lines) this.#ports.log(ident, text, about);
  }

  #refused(refusals: readonly Refusal[]): void {
    const { clock, ledger } = this.#ports;
    ledger.table('refused', refusals.length);
    for (const { operation, error } of refusals) {
      const text = refusalText(operation, error, this.#state.plan);
      this.#lvsd(text, { kind: 'trouble' });
      this.#feed({ kind: 'refused', now: clock.now(), text });
    }
  }

  #remember(): void {
    const { memory, clock } = this.#ports;
    const { overrides } = this.#state;
    const clocks = { now: clock.now(), wallMs: Date.now() };
    memory.write({ overrides, ours: [...(this.#keeper?.ours ?? [])] }, clocks);
  }

  #arm(now: Instant): void {
    clearTimeout(this.#timer);
    const dueAt = servicesWakeAt(this.#state);
    if (dueAt === undefined) return;
    const waitMs = Math.min(LONGEST_WAIT_MS, Math.max(1, Math.ceil(dueAt - now)));
    const { clock } = this.#ports;
    this.#timer = setTimeout(() => {
      this.#feed({ kind: 'wake', now: clock.now() });
      this.#arm(clock.now());
    }, waitMs);
  }

  #lvsd(text: string, about?: About): void {
    this.#ports.log('lvsd', text, about);
  }
}

/** A server works when all its checks do. */
function worstOf(outcomes: readonly ProbeOutcome[]): ProbeOutcome {
  const failed = outcomes.find(({ verdict }) => !verdict.isUp);
  const tookMs = Math.max(0, ...outcomes.map((outcome) => outcome.tookMs));
  return { verdict: failed?.verdict ?? { isUp: true }, tookMs };
}

/** Our own addresses are nobody's neighbours: what is found is the partner. */
function syncPartner(settings: Settings): SyncPartner | undefined {
  const { syncDaemon, primary, backup, primaryPrivate, backupPrivate } = settings;
  if (!syncDaemon.isEnabled) return undefined;
  const all = [primary, backup, primaryPrivate, backupPrivate];
  return { device: syncDaemon.interface, addresses: all.filter((it) => it !== undefined) };
}
