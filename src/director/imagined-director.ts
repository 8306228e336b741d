/**
 * A director for tests of what stands on it: the real parts of the main thread and the real crank, on an imagined machine
 * and a kernel made of bytes. Nothing waits: the crank is turned whenever main has said something.
 *
 * It is the standby of a pair whose partner is silent, with two virtual services; `partnerIs` lets the partner speak.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Milliseconds } from '../base/index.ts';
import { parseSettings } from '../config/index.ts';
import { BootClock, IpvsPort, ProcessSpawner } from '../ports/index.ts';
import { encodeHeartbeat } from '../wire/index.ts';
import { AuditLog } from './audit-log.ts';
import { ChangeDesk } from './change-desk.ts';
import type { Crank } from './crank.ts';
import { EventLog } from './event-log.ts';
import type { DirectorFace } from './face.ts';
import { ImaginedIpvs } from './imagined-ipvs.ts';
import { ImaginedMachine, plan } from './imagined-ports.ts';
import { Ledger } from './ledger.ts';
import { noteLines } from './log.ts';
import type { FromWorker, ToWorker } from './messages.ts';
import { metricFacts } from './metric-facts.ts';
import { noteEvent } from './note-events.ts';
import { Orders } from './orders.ts';
import { overrideSentences } from './override-text.ts';
import { RunningConfiguration } from './running-configuration.ts';
import { ServicesMemory } from './services-memory.ts';
import { ServicesRunner } from './services-runner.ts';
import { StatusBoard } from './status-board.ts';

/** Its checks are those of closed ports on this machine: they fail at once and touch nobody. */
export const IMAGINED_CONFIG = `serial_no = 7
primary = 198.51.100.11
backup = 198.51.100.12
backup_active = 1
keepalive_ms = 100
deadtime_ms = 300
network = direct
virtual web {
    active = 1
    address = 198.51.100.100 eth0:1
    port = 80
    server a {
        address = 127.0.0.1
        active = 1
        weight = 3
    }
    server b {
        address = 127.0.0.2
        active = 1
    }
}
virtual mail {
    active = 1
    address = 198.51.100.100 eth0:1
    port = 25
    server a {
        address = 127.0.0.1
        active = 1
    }
}
`;

export class ImaginedDirector {
  readonly directory = mkdtempSync(join(tmpdir(), 'piri-'));
  readonly configFile = join(this.directory, 'lvs.cf');
  readonly stateDirectory = join(this.directory, 'state');
  readonly log: string[] = [];
  readonly machine = new ImaginedMachine();
  readonly face: DirectorFace;
  readonly #crank: Crank;
  readonly #board: StatusBoard;
  readonly #orders: Orders;
  readonly #events: EventLog;
  readonly #configuration: RunningConfiguration;
  readonly #services: ServicesRunner;
  readonly #spawner = new ProcessSpawner();
  readonly #ledger = new Ledger(0);
  #told = 0;

  constructor() {
    writeFileSync(this.configFile, IMAGINED_CONFIG);
    const { settings } = parseSettings(IMAGINED_CONFIG, { file: this.configFile });
    if (settings === undefined) throw new Error('the imagined lvs.cf is wrong');
    const own = plan();
    this.#crank = this.machine.begun(own);
    const post = (message: ToWorker): void => {
      this.machine.say(message);
      setImmediate(() => this.pass(5));
    };
    const tell = (lines: readonly string[]): void => void this.log.push(...lines);
    const wallMs = () => Date.now();
    this.#events = new EventLog({ node: 'backup', incarnation: 1_795_370_400_000, wallMs });
    const judged = {
      settings,
      plan: own,
      warnings: [],
      configDigest: '00',
      node: 'backup',
    } as const;
    this.#configuration = new RunningConfiguration(judged, {
      file: this.configFile,
      post: (next) => post({ kind: 'settings', plan: next }),
      services: () => this.#services,
      worstLateMs: () => 0,
      isStopping: () => false,
      tell,
      onReload: () => {},
    });
    this.#orders = new Orders(
      post,
      () => this.#configuration.plan,
      (text) => this.#events.add({ kind: 'order', text }),
    );
    const clock = { now: () => this.machine.now };
    this.#board = new StatusBoard(
      clock,
      () => this.#frame(),
      () => post({ kind: 'report' }),
    );
    this.#services = new ServicesRunner({
      clock: new BootClock(),
      spawner: this.#spawner,
      plane: { kind: 'ipvs', port: new IpvsPort(new ImaginedIpvs(), 28), why: 'imagined' },
      memory: new ServicesMemory(this.directory, (line) => this.log.push(line)),
      log: (_ident, line, about) => {
        this.log.push(line);
        if (about !== undefined) this.#events.add({ ...about, text: line });
      },
      isVerbose: false,
      ledger: this.#ledger,
      onFailed: () => {},
    });
    const audit = new AuditLog({
      directory: this.stateDirectory,
      wallMs,
      onEntry: ({ who, action }) => {
        this.#events.add({ kind: 'audit', text: `audit: ${who}: ${action}`, who });
      },
      onTrouble: (text) => tell([text]),
    });
    this.face = {
      node: 'backup',
      configFile: this.configFile,
      stateDirectory: this.stateDirectory,
      runDirectory: this.directory,
      configuration: this.#configuration,
      changes: new ChangeDesk({
        file: this.configFile,
        stateDirectory: this.stateDirectory,
        runDirectory: this.directory,
        configuration: this.#configuration,
        role: () => this.#board.snapshot?.role,
        settled: () => this.#board.settled(),
        holdingChannel: (work) => work(),
        overrides: () => overrideSentences(this.#services.state, new BootClock().now()),
        tell,
      }),
      events: this.#events,
      audit,
      orders: this.#orders,
      clock: new BootClock(),
      status: () => this.#board.freshDocument(),
      services: () => this.#services,
      metrics: () => this.#facts(),
      answered: (socket, status) => this.#ledger.answered(socket, status),
      tell: (lines, kind) => {
        tell(lines);
        for (const text of lines) if (kind !== undefined) this.#events.add({ kind, text });
      },
    };
  }

  async start(): Promise<void> {
    await this.#services.start(this.#configuration.settings);
    this.pass(50);
  }

  /** The partner says this, and time passes. */
  partnerIs(word: 'running' | 'stopped', ms: Milliseconds = 50): void {
    this.machine.hear(encodeHeartbeat(word));
    this.pass(ms);
  }

  /** Time for the worker; then main hears what it said. */
  pass(ms: Milliseconds): void {
    this.machine.run(this.#crank, ms);
    for (const message of this.machine.told.slice(this.#told)) this.#hear(message);
    this.#told = this.machine.told.length;
    this.machine.sent.length = 0;
  }

  /** What only somebody with the right to it may change. */
  fingerprint(): string {
    const { state } = this.#services;
    const order = this.#orders.last();
    const { role } = this.#board.snapshot ?? {};
    const overrides = [...state.overrides];
    const { digest, settings } = this.#configuration;
    return JSON.stringify([role, overrides, order, digest, settings.serialNo]);
  }

  async close(): Promise<void> {
    this.#orders.close();
    await this.#services.stop({ isClean: false });
    this.#spawner.close();
    rmSync(this.directory, { recursive: true, force: true });
  }

  #hear(message: FromWorker): void {
    switch (message.kind) {
      case 'snapshot':
        this.#board.keepSnapshot(message.snapshot);
        this.#orders.saw(message.snapshot);
        return;
      case 'note': {
        this.#board.keepNote(message);
        this.#orders.noted(message.note, message.at);
        const context = {
          node: 'backup',
          service: 'lvs',
          isVerbose: false,
          monitorsLinks: false,
        } as const;
        for (const line of noteLines(message.note, context)) {
          this.#events.add(noteEvent(message.note, line));
        }
        return;
      }
      case 'ordered':
        this.#orders.ordered(message);
        return;
      case 'reloaded':
        this.#configuration.answered(message.refusal);
        return;
      default:
    }
  }

  #frame() {
    const { settings, plan: own } = this.#configuration;
    const { file, serialNo } = settings;
    return {
      pid: process.pid,
      node: 'backup',
      file,
      serialNo,
      startedAtWallMs: 0,
      plan: own,
    } as const;
  }

  #facts() {
    const { snapshot } = this.#board;
    if (snapshot === undefined) return undefined;
    return metricFacts(snapshot, this.#configuration.plan, this.#ledger.totals, {
      wallMs: Date.now(),
      configWarnings: 0,
      pendingMs: 0,
      audited: this.face.audit.totals,
      recordedBytes: 0,
    });
  }
}
