/**
 * The director's main thread: starts, stops and reloads; the failing over is the pulse worker's.
 *
 *   rehearsing --worker ready, timers fit--> living --TERM, INT, or a mistake of ours--> stopping --> ended
 *
 * This thread may pause for hundreds of milliseconds without harm. Wedged for half a minute, the worker
 * hands over to a partner that can take over (main-watch.ts); dead of an exception, it still stops cleanly, because a
 * director that is wrong about itself must not keep a VIP. Rejected: restarting the worker in place. The supervisor
 * restarts the process; the partner serves meanwhile.
 */
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { err, type Milliseconds, ok, type Result, unreachable } from '../base/index.ts';
import type { Gateway, Settings } from '../model/index.ts';
import {
  BootClock,
  observeGateways,
  openIpvs,
  openNftPlane,
  openNotifier,
  openWaker,
  ProcessSpawner,
  type Spawner,
  setNice,
} from '../ports/index.ts';
import { ChangeDesk } from './change-desk.ts';
import { CourierKeeper } from './courier-keeper.ts';
import { type ChosenPlane, choosePlane } from './data-plane.ts';
import { Daybook } from './daybook.ts';
import type { DirectorFace, OpenApi } from './face.ts';
import { Hooks, hookCommands } from './hooks.ts';
import { recordedBytes } from './incidents.ts';
import type { Judged } from './judge.ts';
import { releaseVips } from './kernel.ts';
import { Ledger } from './ledger.ts';
import { noteLines, startLine, terminationLine } from './log.ts';
import type { PulseOptions } from './main-thread.ts';
import { type MetricFacts, metricFacts } from './metric-facts.ts';
import { Orders } from './orders.ts';
import { overrideSentences } from './override-text.ts';
import { tooTight } from './plan.ts';
import { PulseThread, type Ready, type Said } from './pulse-thread.ts';
import { Recorder } from './recorder.ts';
import { claim, leave, type RunDirectory } from './run-directory.ts';
import { RunningConfiguration } from './running-configuration.ts';
import { authenticationLines, portErrorText, repairedText, systemErrorText } from './sentences.ts';
import { ServicesMemory } from './services-memory.ts';
import { ServicesRunner } from './services-runner.ts';
import type { StatusFrame } from './status.ts';
import { StatusBoard } from './status-board.ts';
import { Supervisor } from './supervisor.ts';
import type { Terminal } from './terminal.ts';

/** What exists only while we live. */
type Living = {
  readonly api: OpenApi;
  readonly spawner: Spawner;
  readonly hooks: Hooks;
  readonly courier: CourierKeeper;
  readonly services: ServicesRunner;
  readonly supervisor: Supervisor;
  readonly heartbeat: NodeJS.Timeout;
  readonly routes: NodeJS.Timeout;
};

const MAIN_NICE = -10;
/** No optimizing compiler, whose code costs 6 MB and whose moments a heartbeat would have to share: nothing here runs hot. */
const LASTING_FLAGS = ['--no-opt', '--no-maglev', '--optimize-for-size'];
const ROUTES_MS: Milliseconds = 10_000;
const BEAT_MS: Milliseconds = 250;
const STOP_LIMIT_MS: Milliseconds = 5000;
const SIGNAL_NUMBERS = { SIGINT: 2, SIGTERM: 15 } as const;

export class Director {
  readonly #options: PulseOptions;
  readonly #terminal: Terminal;
  readonly #directory: RunDirectory;
  readonly #node: Judged['node'];
  readonly #board: StatusBoard;
  readonly #orders: Orders;
  readonly #recorder: Recorder;
  readonly #startedAtWallMs = Date.now();
  readonly #ledger = new Ledger(this.#startedAtWallMs);
  readonly #current: RunningConfiguration;
  readonly #book: Daybook;
  readonly #desk: ChangeDesk;
  #thread: PulseThread | undefined;
  #living: Living | undefined;
  #ready: Ready | undefined;
  #gateways: readonly Gateway[] = [];
  /** The worker has given the VIPs back and said so. */
  #hasReleased = false;
  /** Set when stopping: the code to exit with. */
  #exitCode: number | undefined;
  #onEnd: (exitCode: number) => void = () => {};

  constructor(judged: Judged, directory: RunDirectory, options: PulseOptions, terminal: Terminal) {
    const { node } = judged;
    this.#options = options;
    this.#terminal = terminal;
    this.#node = node;
    this.#directory = directory;
    const { stateDirectory } = options;
    const { log } = terminal;
    const startedAtWallMs = this.#startedAtWallMs;
    this.#book = new Daybook({ node, startedAtWallMs, stateDirectory, log });
    this.#current = new RunningConfiguration(judged, {
      file: options.configFile,
      post: (plan) => this.#thread?.post({ kind: 'settings', plan }),
      services: () => this.#living?.services,
      worstLateMs: () => this.#ready?.worstLateMs ?? 0,
      isStopping: () => this.#exitCode !== undefined,
      tell: (lines) => this.#book.tell(lines, 'config'),
      onReload: (used) => this.#reloaded(used),
    });
    const ask = (): void => this.#thread?.post({ kind: 'report' });
    this.#orders = new Orders(
      (message) => this.#thread?.post(message),
      () => this.#current.plan,
      (text) => this.#book.events.add({ kind: 'order', text }),
    );
    this.#recorder = new Recorder({
      directory: join(directory.path, 'incidents'),
      node,
      deadtimeMs: () => this.#current.plan.failover.deadtimeMs,
      clocks: () => ({ now: new BootClock().now(), wallMs: Date.now() }),
      log: (line) => this.#book.tell([line], 'incident'),
    });
    this.#board = new StatusBoard(new BootClock(), () => this.#frame(), ask);
    this.#desk = this.#openDesk();
  }

  /** The whole life; gives the exit code. */
  async run(): Promise<number> {
    const started = await this.#rehearse();
    if (started.ok && this.#options.isTest) return this.#describe();
    const living = started.ok ? await this.#comeAlive(started.value) : started;
    if (!living.ok) {
      this.#thread?.post({ kind: 'stop' });
      await Promise.race([this.#thread?.ended, pause(STOP_LIMIT_MS)]); // it may have resumed
      this.#terminal.refuse([living.error]);
      return 1;
    }
    const ended = new Promise<number>((resolve) => {
      this.#onEnd = resolve;
    });
    this.#begin();
    return ended;
  }

  /** Starts the worker; it measures and opens, but sends nothing and changes nothing yet. */
  async #rehearse(): Promise<Result<PulseThread, string>> {
    const doorbell = openWaker();
    if (!doorbell.ok) return err(portErrorText(doorbell.error));
    const { plan, settings } = this.#current;
    const thread = new PulseThread(plan, doorbell.value, this.#options.worker);
    this.#thread = thread;
    void thread.ended.then((error) => this.#workerEnded(error));
    const word = await thread.firstWord;
    if (!word.ok) return word;
    this.#ready = word.value;
    const complaint = tooTight(plan.failover, word.value.worstLateMs);
    return complaint === undefined ? ok(thread) : err(`${settings.file}: ${complaint}`);
  }

  /** --test-start: what a start would do. */
  #describe(): number {
    this.#thread?.post({ kind: 'stop' });
    const { settings, plan } = this.#current;
    this.#book.tell(this.#current.warnings);
    this.#book.tell([
      `${settings.file} can be run: would start as ${this.#node === 'primary' ? 'MASTER' : 'BACKUP'}`,
      ...plan.vips.map(({ address, device }) => `would raise ${address} on ${device} when active`),
    ]);
    return 0;
  }

  /** Claims the run directory and starts what a living director needs beside the worker. */
  async #comeAlive(thread: PulseThread): Promise<Result<undefined, string>> {
    let isOurs = false;
    try {
      claim(this.#directory);
      isOurs = true;
      // Heartbeats and lease before anything else: what the worker says meanwhile waits.
      if (this.#ready?.isResuming === true) this.#postBegin();
      const furnished = await this.#furnish(thread);
      if (!furnished.ok) leave(this.#directory);
      return furnished;
    } catch (error) {
      if (isOurs) leave(this.#directory);
      return err(`run directory ${this.#directory.path}: ${systemErrorText(error)}`);
    }
  }

  /** The run directory is ours. Throws what the file system says. */
  async #furnish(thread: PulseThread): Promise<Result<undefined, string>> {
    const notifier = openNotifier(process.env, process.pid);
    if (!notifier.ok) return err(portErrorText(notifier.error));
    const spawner = new ProcessSpawner();
    const api = await this.#openApi(spawner);
    const plane = await this.#openPlane(spawner); // nftables keeps its script in the run directory
    if (!plane.ok) {
      api.close();
      spawner.close();
      return plane;
    }
    this.#living = {
      api,
      spawner,
      services: this.#makeServices(spawner, plane.value),
      courier: this.#makeCourier(spawner),
      hooks: new Hooks(spawner, hookCommands(this.#current.settings), this.#terminal.log),
      supervisor: new Supervisor(notifier.value, thread.pulsebeat),
      heartbeat: setInterval(() => {
        thread.pulsebeat.beatMain();
        this.#ledger.beat(performance.now(), BEAT_MS);
      }, BEAT_MS),
      routes: setInterval(() => this.#lookAtGateways(), ROUTES_MS),
    };
    return ok(undefined);
  }

  async #openApi(spawner: Spawner): Promise<OpenApi> {
    try {
      return await this.#options.api.open(this.#face(), this.#directory);
    } catch (error) {
      spawner.close();
      throw error;
    }
  }

  async #openPlane(spawner: Spawner): Promise<Result<ChosenPlane, string>> {
    const { settings } = this.#current;
    const log = (line: string): void => this.#book.tell([line], 'trouble');
    const nftables = () => openNftPlane(spawner, this.#directory.path, log);
    const plane = await choosePlane(settings, { ipvs: openIpvs, nftables });
    return plane.ok ? plane : err(`${settings.file}: ${plane.error}`);
  }

  /** What the API may ask of us. */
  #face(): DirectorFace {
    return {
      node: this.#node,
      configFile: this.#options.configFile,
      stateDirectory: this.#options.stateDirectory,
      runDirectory: this.#directory.path,
      configuration: this.#current,
      changes: this.#desk,
      events: this.#book.events,
      audit: this.#book.audit,
      orders: this.#orders,
      clock: new BootClock(),
      status: () => this.#board.freshDocument(),
      services: () => this.#living?.services,
      metrics: () => this.#metricFacts(),
      answered: (socket, status) => this.#ledger.answered(socket, status),
      tell: (lines, kind) => this.#book.tell(lines, kind),
    };
  }

  #openDesk(): ChangeDesk {
    return new ChangeDesk({
      file: this.#options.configFile,
      stateDirectory: this.#options.stateDirectory,
      runDirectory: this.#directory.path,
      configuration: this.#current,
      role: () => this.#board.snapshot?.role,
      settled: () => this.#board.settled(),
      holdingChannel: (work) => this.#living?.courier.during(work) ?? work(),
      overrides: () => overrideSentences(this.#living?.services.state, new BootClock().now()),
      tell: (lines) => this.#book.tell(lines, 'config'),
    });
  }

  #makeCourier(spawner: Spawner): CourierKeeper {
    const tell = (lines: readonly string[]): void => this.#book.tell(lines, 'trouble');
    return new CourierKeeper({ spawner, directory: this.#directory, node: this.#node, tell });
  }

  #makeServices(spawner: Spawner, plane: ChosenPlane): ServicesRunner {
    const { log: pulse, logAs } = this.#terminal;
    const logs = { pulse, lvsd: logAs('lvsd'), nanny: logAs('nanny'), fos: logAs('fos') };
    return new ServicesRunner({
      clock: new BootClock(),
      spawner,
      plane,
      memory: new ServicesMemory(this.#directory.path, logs.lvsd),
      log: (ident, line, about) => {
        logs[ident](line);
        this.#book.heard(line, about);
      },
      isVerbose: this.#options.isVerbose,
      ledger: this.#ledger,
      onFailed: (why) => {
        const text = `the virtual services have failed (hard_shutdown = 1): ${why}`;
        this.#book.tell([text], 'service');
        this.#thread?.post({ kind: 'services', health: 'failed' });
      },
      onPartnerFailed: () => this.#thread?.post({ kind: 'services', health: 'partner-failed' }),
    });
  }

  #begin(): void {
    process.on('SIGTERM', () => this.#terminate('SIGTERM'));
    process.on('SIGINT', () => this.#terminate('SIGINT'));
    process.on('SIGHUP', () => void this.#hangUp());
    process.on('uncaughtException', (error) => this.#fail(error));
    process.on('unhandledRejection', (error) => this.#fail(error));
    this.#book.tell([startLine(this.#node)], 'start');
    this.#book.tell(this.#current.warnings, 'config');
    const refusal = this.#ready?.schedulingRefusal;
    if (refusal !== undefined) {
      const risk = 'under load heartbeats may leave late';
      this.#book.tell([`no real-time scheduling, ${risk}: ${refusal}`]);
    }
    this.#book.tell(authenticationLines(this.#current));
    this.#gateways = this.#current.plan.witness?.gateways ?? [];
    if (this.#ready?.isResuming !== true) this.#postBegin();
    this.#thread?.listen((said) => this.#hear(said));
    void this.#living?.services.start(this.#current.settings);
    this.#living?.courier.use(this.#current.plan);
    this.#desk.begin();
    for (const flag of LASTING_FLAGS) setFlagsFromString(flag);
    setNice(MAIN_NICE); // after the spawner: hooks and check programs are ordinary work
    this.#living?.supervisor.ready();
    this.#terminal.ready();
  }

  #postBegin(): void {
    this.#thread?.pulsebeat.beatMain();
    this.#thread?.post({ kind: 'begin', isForcedActive: this.#options.isForcedActive });
  }

  #hear(message: Said): void {
    switch (message.kind) {
      case 'note':
        this.#noted(message);
        return;
      case 'hook':
        this.#living?.hooks.run(message.hook);
        return;
      case 'trouble':
        this.#book.tell([message.text], 'trouble');
        return;
      case 'repaired':
        this.#book.tell([repairedText(message.vips)], 'drift');
        return;
      case 'recorded':
        this.#recorder.add(message.records);
        return;
      case 'ordered':
        this.#orders.ordered(message);
        return;
      case 'reloaded':
        this.#current.answered(message.refusal);
        return;
      case 'snapshot':
        this.#board.keepSnapshot(message.snapshot);
        this.#orders.saw(message.snapshot);
        this.#recorder.tick();
        this.#living?.services.saw(message.snapshot);
        this.#living?.supervisor.status(this.#board.document()?.verdict.text);
        return;
      case 'exit':
        this.#hasReleased = true;
        return;
      default:
        unreachable(message);
    }
  }

  #noted(message: Extract<Said, { kind: 'note' }>): void {
    const isRepeated = this.#board.isKnown(message.note);
    this.#board.keepNote(message);
    this.#ledger.noted(message.note, isRepeated);
    this.#orders.noted(message.note, message.at);
    if (isRepeated) return; // the slow refresh, proved again
    const { monitorLinks: monitorsLinks, service } = this.#current.settings;
    const { isVerbose } = this.#options;
    const context = { node: this.#node, service, isVerbose, monitorsLinks };
    this.#book.noted(message.note, noteLines(message.note, context, message.suppressed));
  }

  /** Routes come and go; whom we ask follows them. */
  #lookAtGateways(): void {
    const observed = observeGateways();
    if (!observed.ok) return; // asked again soon; what was known stays
    if (JSON.stringify(observed.value) === JSON.stringify(this.#gateways)) return;
    this.#gateways = observed.value;
    this.#thread?.post({ kind: 'gateways', gateways: observed.value });
  }

  #reloaded(used: Settings | undefined): void {
    this.#ledger.reloaded(used !== undefined, Date.now());
    if (used !== undefined && this.#living !== undefined) {
      this.#living.hooks.commands = hookCommands(used);
      this.#living.courier.use(this.#current.plan);
    }
  }

  /** As `POST /v1/reload`; nobody knows who sent it. */
  async #hangUp(): Promise<void> {
    const outcome = await this.#current.reload();
    const lines = outcome.ok ? outcome.value : outcome.error;
    const result = outcome.ok ? 'done' : 'refused';
    const asked = { who: 'whoever may signal', from: 'SIGHUP', action: 'reload' };
    this.#book.audit.add({ ...asked, result, detail: lines.join('; ') });
  }

  #terminate(signal: keyof typeof SIGNAL_NUMBERS): void {
    if (this.#exitCode !== undefined) return;
    this.#book.tell([terminationLine(SIGNAL_NUMBERS[signal])], 'stop');
    this.#stop(0);
  }

  /** A mistake of ours on this thread: the worker still can and must give the VIPs back. */
  #fail(error: unknown): void {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#book.tell(text.split('\n'));
    if (this.#exitCode === undefined) this.#stop(1);
  }

  #stop(exitCode: number): void {
    this.#exitCode = exitCode;
    this.#living?.supervisor.stopping();
    this.#thread?.post({ kind: 'stop' });
    setTimeout(() => {
      if (this.#hasReleased && this.#living?.services.hasCommands) return; // each has its own limit
      this.#end(`not stopped after ${STOP_LIMIT_MS / 1000} s`);
    }, STOP_LIMIT_MS);
  }

  #workerEnded(error: Error | undefined): void {
    if (this.#living === undefined) return;
    if (!this.#hasReleased) {
      this.#end(`pulse worker died: ${error?.stack ?? 'no reason'}`);
      return;
    }
    // Its last hook may still run; the time limit of the stop bounds it.
    const { hooks, services } = this.#living;
    void hooks
      .idle()
      .then(() => services.stop({ isClean: this.#exitCode === 0 }))
      .then(() => this.#end(undefined));
  }

  /** The last act, once. `complaint`: the stop was not clean. */
  #end(complaint: string | undefined): void {
    const living = this.#living;
    if (living === undefined) return;
    this.#living = undefined;
    if (complaint !== undefined) {
      const rest = this.#hasReleased ? [] : releaseVips(this.#current.plan.vips);
      this.#book.tell([...complaint.split('\n'), ...rest]);
    }
    clearInterval(living.heartbeat);
    clearInterval(living.routes);
    this.#orders.close();
    this.#desk.close();
    living.courier.close();
    this.#recorder.close();
    void living.services.stop({ isClean: false });
    living.api.close();
    living.spawner.close();
    living.supervisor.close();
    leave(this.#directory);
    this.#onEnd(complaint === undefined ? (this.#exitCode ?? 1) : 1);
  }

  /** For metrics, as of the worker's last word; undefined before the first. */
  #metricFacts(): MetricFacts | undefined {
    const { snapshot } = this.#board;
    if (snapshot === undefined) return undefined;
    return metricFacts(snapshot, this.#current.plan, this.#ledger.totals, {
      wallMs: Date.now(),
      configWarnings: this.#current.warnings.length,
      pendingMs: this.#desk.pendingMs,
      audited: this.#book.audit.totals,
      recordedBytes: recordedBytes(join(this.#directory.path, 'incidents')),
    });
  }

  #frame(): StatusFrame {
    const { settings, plan } = this.#current;
    const plane = this.#living?.services.plane;
    return {
      pid: process.pid,
      node: this.#node,
      file: settings.file,
      serialNo: settings.serialNo,
      startedAtWallMs: this.#startedAtWallMs,
      plan,
      beside: this.#desk.beside(),
      ...(plane !== undefined && { dataPlane: { kind: plane.kind, why: plane.why } }),
    };
  }
}
