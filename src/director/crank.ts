/**
 * The crank: turns the failover core on real sockets, one turn at a time.
 *
 * A turn is: wait until something is readable or due; read the clock once; drain the heartbeat sockets; look at the
 * kernel if it changed; obey main; `wake` the core; work off a slice of whatever is queued. Everything is
 * synchronous, nothing waits but the poll, and all that the world can do to it comes in through ports, so the whole
 * of it is tested with imagined ones. Rejected: callbacks of an event loop, where the order of reading and judging
 * is an accident; a frozen process that wakes would judge its partner before reading what it had said.
 *
 * Contract with the core: core/failover-types.ts.
 */
import {
  after,
  earliest,
  elapsedMs,
  type Instant,
  type Milliseconds,
  type Result,
  unreachable,
} from '../base/index.ts';
import {
  type DropReason,
  type Effect,
  type FailoverSettings,
  type FailoverState,
  type Input,
  initialState,
  intervalMs,
  type Note,
  reasonOf,
  refusalOf,
  roleOf,
  step,
  wakeAt,
} from '../core/index.ts';
import type { Gateway, PathName, PortError } from '../model/index.ts';
import type { AddressPort, Clock, Poller } from '../ports/index.ts';
import { Announcer, type AnnouncerPorts } from './announcer.ts';
import { Converger, type Done } from './converger.ts';
import { Ears, type OpenEar } from './ears.ts';
import { HeartbeatSockets, type OpenHeartbeat } from './heartbeat-sockets.ts';
import { LeaseKeeper, type LeasePort } from './lease-keeper.ts';
import { pathsDown } from './links.ts';
import { MainWatch } from './main-watch.ts';
import {
  type FromWorker,
  type Pulsebeat,
  type PulseCounters,
  type PulseSnapshot,
  type ToWorker,
  zeroCounters,
} from './messages.ts';
import { observe, observeRenewal, PathMeter, type PulseMeters, zeroMeters } from './meters.ts';
import { type PulsePlan, withGateways, witnessesKnown } from './plan.ts';
import { SegmentWatch, type WatchPorts } from './segment-watch.ts';
import { portErrorText } from './sentences.ts';
import { rankSnapshot } from './status-pair.ts';
import { StepLog } from './step-log.ts';
import { Teller } from './teller.ts';

export type CrankPorts = AnnouncerPorts & {
  readonly clock: Clock;
  readonly poller: Poller;
  readonly addresses: AddressPort;
  readonly openHeartbeat: OpenHeartbeat;
  readonly openEar: OpenEar;
  /** Readable when main has posted something; `takeMessages` silences it. */
  readonly doorbellFd: number;
  readonly takeMessages: () => readonly ToWorker[];
  readonly post: (message: FromWorker) => void;
  readonly pulsebeat: Pulsebeat;
  /** Absent: this kernel keeps no leases. */
  readonly lease?: LeasePort;
  /** Why the lease could not be kept with other settings: they are refused. */
  readonly leaseUnfit?: (failover: FailoverSettings) => PortError | undefined;
  /** Absent: what is heard on the link layer is not read. */
  readonly watch?: WatchPorts;
};

/** A turn at least this often, so that main's lease is looked at and status is fresh. */
const LONGEST_WAIT_MS = 500;
const SNAPSHOT_INTERVAL_MS = 1000;

export class Crank {
  readonly #ports: CrankPorts;
  readonly #sockets: HeartbeatSockets;
  readonly #converger: Converger;
  readonly #ears: Ears;
  readonly #announcer: Announcer;
  readonly #lease: LeaseKeeper;
  readonly #watch: SegmentWatch | undefined;
  readonly #teller: Teller;
  readonly #steps: StepLog;
  readonly #mainWatch: MainWatch;
  readonly #counters: PulseCounters = zeroCounters();
  readonly #meters: PulseMeters = zeroMeters();
  readonly #paths = new PathMeter(this.#meters);
  #plan: PulsePlan;
  #state: FailoverState;
  readonly #partnerMacs = () => this.#state.extended.partner?.linkAddresses ?? [];
  /** Inputs that effects of an earlier one brought about. */
  readonly #inbox: Input[] = [];
  #now: Instant;
  #since: Instant;
  #heardAt: { readonly [path in PathName]?: Instant } = {};
  #linksDown: readonly PathName[] = [];
  #isWedged = false;
  #dropReason: DropReason | undefined;
  #wishedAt: Instant;
  #isOver = false;
  #hasNews = true;
  #toldAt: Instant;

  constructor(plan: PulsePlan, ports: CrankPorts) {
    const now = ports.clock.now();
    this.#ports = ports;
    this.#plan = plan;
    this.#now = now;
    this.#since = now;
    this.#toldAt = now;
    this.#wishedAt = now;
    this.#sockets = new HeartbeatSockets(ports.openHeartbeat);
    this.#converger = new Converger(ports.addresses, plan.vips);
    this.#ears = new Ears(ports.openEar);
    const shared = { ears: this.#ears, partnerMacs: this.#partnerMacs };
    this.#announcer = new Announcer(ports, plan, { ...shared, totals: this.#meters.announced });
    this.#teller = new Teller(ports.post);
    this.#steps = new StepLog(ports.post);
    this.#lease = new LeaseKeeper(ports.lease, (key, text) => this.#teller.trouble(key, text));
    this.#watch = ports.watch && this.#watchSegments(ports.watch);
    this.#mainWatch = new MainWatch(now, ports.pulsebeat.mainBeats());
    this.#state = initialState(plan.failover, now);
  }

  /** Opens the heartbeat sockets: the last thing that can be refused before the world is touched. */
  open(): Result<undefined, PortError> {
    return this.#sockets.use(this.#plan.failover.paths, this.#plan.heartbeatPort);
  }

  /** Starts the life of the core; the checks are passed. */
  begin(isForcedActive: boolean): void {
    this.#now = this.#ports.clock.now();
    this.#since = this.#now;
    this.#state = initialState(this.#plan.failover, this.#now);
    this.#ports.addresses.drainEvents();
    const hasLiveLease = this.#lease.adopt(this.#leaseMs);
    this.#lookAtKernel();
    this.#feed({ kind: 'start', now: this.#now, isForcedActive, hasLiveLease });
    this.#workOff();
    this.#publish();
  }

  /** One turn. False when the life is over. */
  turn(): boolean {
    const { clock, poller, pulsebeat, addresses, doorbellFd } = this.#ports;
    const coreDueAt = wakeAt(this.#state);
    const heard = [...this.#sockets.fds, ...this.#ears.fds];
    const fds = [...heard, ...this.#lease.fds, addresses.eventFd, doorbellFd];
    const readable = poller.wait(fds, Math.max(0, elapsedMs(clock.now(), this.#dueAt())));
    this.#now = clock.now();
    this.#noticeLateness(coreDueAt);
    this.#sockets.drain((path, { from, bytes }) => {
      this.#hear({ kind: 'datagram', now: this.#now, path, from, bytes });
    });
    for (const input of this.#watch?.drain(this.#now, this.#state.isActive) ?? []) {
      this.#feed(input);
    }
    if (this.#lease.fds.some((fd) => readable.includes(fd))) this.#lease.look();
    // While a long wish is worked off, its own events would be all there is to see.
    if (!this.#converger.isBusy && readable.includes(addresses.eventFd)) this.#drainKernelEvents();
    if (readable.includes(doorbellFd)) for (const m of this.#ports.takeMessages()) this.#obey(m);
    this.#watchMain();
    this.#feed({ kind: 'wake', now: this.#now });
    this.#workOff();
    this.#steps.flush(this.#now, this.#isOver);
    const quietMs = elapsedMs(this.#toldAt, this.#now);
    if (this.#hasNews || quietMs >= SNAPSHOT_INTERVAL_MS) this.#publish();
    pulsebeat.beatWorker();
    return !this.#isOver;
  }

  close(): void {
    this.#sockets.close();
    this.#ears.close();
  }

  #watchSegments(ports: WatchPorts): SegmentWatch {
    return new SegmentWatch(ports, {
      ears: this.#ears,
      partnerMacs: this.#partnerMacs,
      tell: (key, error) => this.#teller.trouble(key, error && portErrorText(error)),
    });
  }

  /** When the next turn is due if nothing becomes readable. */
  #dueAt(): Instant {
    const soonest = earliest(
      wakeAt(this.#state),
      this.#announcer.nextAt,
      this.#watch?.nextAt,
      this.#converger.repairAt,
      this.#converger.isBusy ? this.#now : undefined,
      after(this.#now, LONGEST_WAIT_MS),
    );
    return soonest ?? this.#now;
  }

  #noticeLateness(dueAt: Instant | undefined): void {
    if (dueAt === undefined) return;
    const lateMs = elapsedMs(dueAt, this.#now);
    this.#counters.worstLateMs = Math.max(this.#counters.worstLateMs, lateMs);
    if (lateMs >= 0) observe(this.#meters.lateness, lateMs);
  }

  #hear(input: Extract<Input, { kind: 'datagram' }>): void {
    this.#dropReason = undefined;
    this.#feed(input);
    const { path, now, bytes } = input;
    // By the second path every heartbeat is a repetition, and the path works all the same.
    if (!this.#paths.hear(path, now, bytes, this.#dropReason)) return;
    this.#counters.received[path]++;
    this.#heardAt = { ...this.#heardAt, [path]: now };
    this.#watch?.heardPartner(path, now);
  }

  #drainKernelEvents(): void {
    if (!this.#ports.addresses.drainEvents()) return;
    this.#converger.suspect(this.#now);
    this.#lookAtKernel();
  }

  /** Interfaces and cables as they are now. */
  #lookAtKernel(): void {
    const observed = this.#ports.addresses.observe();
    this.#teller.trouble('observe', observed.ok ? undefined : portErrorText(observed.error));
    if (!observed.ok) return;
    const deaf = this.#ears.replace(this.#plan, observed.value);
    this.#teller.trouble('listen', deaf && portErrorText(deaf));
    this.#announcer.replaceLinks(observed.value.links);
    this.#watch?.replace(this.#plan, observed.value, this.#now);
    this.#lease.install(this.#plan.failover.vips, observed.value.links, this.#leaseMs);
    const down = pathsDown(this.#plan.failover.paths, observed.value);
    if (down.join() === this.#linksDown.join()) return;
    this.#linksDown = down;
    this.#feed({ kind: 'links', now: this.#now, down });
  }

  /** No partner to be safe from: no lease. */
  get #leaseMs(): Milliseconds {
    const { paths, dialect, extended } = this.#plan.failover;
    return paths.length === 0 || dialect === 'legacy' ? 0 : (extended?.leaseMs ?? 0);
  }

  #obey(message: ToWorker): void {
    switch (message.kind) {
      case 'begin':
        return; // answered by whoever turns the crank
      case 'settings':
        this.#reload(message.plan);
        return;
      case 'report':
        this.#hasNews = true;
        return;
      case 'order':
        this.#order(message);
        return;
      case 'gateways':
        this.#useGateways(message.gateways);
        return;
      case 'services':
        this.#feed({ kind: 'services', now: this.#now, health: message.health });
        return;
      case 'stop':
        this.#feed({ kind: 'stop', now: this.#now });
        return;
      default:
        unreachable(message);
    }
  }

  #useGateways(gateways: readonly Gateway[]): void {
    const observed = this.#ports.addresses.observe();
    if (!observed.ok) return; // told by the next look
    const before = witnessesKnown(this.#plan);
    this.#plan = withGateways(this.#plan, gateways, observed.value);
    this.#lookAtKernel();
    const { failover } = this.#plan;
    const isSame = witnessesKnown(this.#plan) === before;
    if (!isSame) this.#feed({ kind: 'settings', now: this.#now, settings: failover });
  }

  /** What would leave no owner is refused with the reason. */
  #order({ order, forMs }: Extract<ToWorker, { kind: 'order' }>): void {
    const refusal = refusalOf(this.#state, order, this.#now);
    const { isActive } = this.#state;
    const answer = { kind: 'ordered', at: this.#now, isActive } as const;
    this.#ports.post(refusal === undefined ? answer : { ...answer, refusal });
    if (refusal !== undefined) return;
    this.#hasNews = true;
    this.#feed({ kind: 'operator', now: this.#now, order, ...(forMs !== undefined && { forMs }) });
  }

  /** All or nothing: a path that cannot be opened leaves the old settings in force. */
  #reload(plan: PulsePlan): void {
    const unfit = this.#ports.leaseUnfit?.(plan.failover);
    if (unfit !== undefined) {
      this.#ports.post({ kind: 'reloaded', refusal: unfit });
      return;
    }
    const opened = this.#sockets.use(plan.failover.paths, plan.heartbeatPort);
    if (!opened.ok) {
      this.#ports.post({ kind: 'reloaded', refusal: opened.error });
      return;
    }
    this.#plan = plan;
    this.#converger.replaceVips(plan.vips);
    this.#announcer.replacePlan(plan);
    this.#lookAtKernel();
    this.#feed({ kind: 'settings', now: this.#now, settings: plan.failover });
    this.#ports.post({ kind: 'reloaded' });
  }

  #watchMain(): void {
    const isWedged = this.#mainWatch.look(this.#now, this.#ports.pulsebeat.mainBeats());
    if (isWedged === this.#isWedged) return;
    this.#isWedged = isWedged;
    this.#feed({ kind: 'services', now: this.#now, health: isWedged ? 'wedged' : 'ready' });
  }

  /** A slice of everything that waits. */
  #workOff(): void {
    this.#done(this.#converger.advance());
    this.#done(this.#converger.repair(this.#now));
    // What is not settled is not announced, neither as ours nor as given away.
    if (!this.#converger.isBusy) this.#sendAnnouncements();
    const isAnnouncing = this.#announcer.nextAt !== undefined;
    this.#watch?.send(this.#now, () => this.#mayAnnounce('own'), isAnnouncing);
  }

  #sendAnnouncements(): void {
    const { sent, errors } = this.#announcer.send(this.#now, (owner) => this.#mayAnnounce(owner));
    this.#counters.announced += sent;
    this.#counters.announceErrors += errors.length;
    for (const error of errors) this.#teller.trouble(error.target, portErrorText(error));
  }

  #done(done: Done | undefined): void {
    if (done === undefined) return;
    this.#hasNews = true;
    this.#teller.trouble('addresses', this.#converger.refusal);
    if (done.refusal !== undefined) this.#meters.convergeFailures++;
    if (done.kind === 'converged') {
      observe(this.#meters.converge, elapsedMs(this.#wishedAt, this.#ports.clock.now()));
      this.#feed({ now: this.#now, ...done });
      return;
    }
    if (done.refusal !== undefined) this.#feed({ now: this.#now, ...done });
    if (done.vips.length === 0) return;
    this.#counters.repaired += done.vips.length;
    this.#ports.post(done);
    this.#feed({ now: this.#now, ...done });
  }

  /** Asked at the moment of sending: a frame for ourselves only while we own and hold, for the partner only after. */
  #mayAnnounce(owner: 'own' | 'partner'): boolean {
    return owner === 'own'
      ? this.#state.isActive && this.#converger.holdsVips
      : !this.#state.isActive;
  }

  /** One input and whatever follows from it, effects in order. */
  #feed(input: Input): void {
    this.#inbox.push(input);
    if (this.#inbox.length > 1) return; // an effect of the one being worked on: its turn comes
    for (let next: Input | undefined = input; next !== undefined; next = this.#inbox[0]) {
      const { state, effects } = step(this.#state, next);
      this.#steps.add(this.#state, next, state, effects);
      this.#state = state;
      for (const effect of effects) this.#execute(effect);
      this.#inbox.shift();
    }
  }

  #execute(effect: Effect): void {
    switch (effect.kind) {
      case 'send':
        this.#send(effect.path, effect.bytes);
        return;
      case 'converge':
        this.#converge(effect.wish, effect.role);
        return;
      case 'announce':
        this.#announcer.announce(this.#now, effect.vips, effect.forms, effect.owner);
        return;
      case 'cancel-announcements':
        this.#announcer.cancel();
        this.#watch?.cancelQuestions();
        return;
      case 'hook':
        this.#ports.post({ kind: 'hook', hook: effect.hook });
        return;
      case 'note':
        this.#note(effect.note);
        return;
      case 'claim-lease':
        this.#lease.claim(effect.ms);
        return;
      case 'extend-lease':
        this.#extendLease();
        return;
      case 'ask-segment':
        this.#watch?.askSegment(this.#now);
        return;
      case 'verify':
        this.#watch?.verify(this.#now, effect.vips, effect.teaches);
        return;
      case 'exit':
        this.#isOver = true;
        this.#hasNews = true;
        this.#lease.remove();
        this.#watch?.release();
        return;
      default:
        unreachable(effect);
    }
  }

  #send(path: PathName, bytes: Uint8Array): void {
    const error = this.#sockets.send(path, bytes);
    if (error === undefined) this.#counters.sent[path]++;
    else this.#counters.sendErrors[path]++;
    this.#paths.send(this.#now, bytes);
    this.#teller.trouble(`send ${path}`, error === undefined ? undefined : portErrorText(error));
  }

  #converge(wish: number, role: 'active' | 'standby'): void {
    this.#hasNews = true;
    this.#wishedAt = this.#ports.clock.now();
    // Gate first, then the address: raised under a lease, lowered behind a closed gate.
    if (role === 'standby') this.#lease.drop();
    else if (!this.#mayHold()) {
      this.#feed({ kind: 'lease', now: this.#now, isAlive: false });
      return;
    }
    this.#done(this.#converger.want(wish, role));
  }

  #extendLease(): void {
    const lease = this.#lease.status();
    const isAlive = this.#lease.extend();
    if (lease !== undefined) {
      const { lengthMs, remainingMs = 0 } = lease;
      observeRenewal(this.#meters, { lengthMs, remainingMs }, intervalMs(this.#state));
    }
    if (isAlive) return;
    this.#meters.leaseExpirations++;
    this.#feed({ kind: 'lease', now: this.#now, isAlive: false });
  }

  /** A new owner acquires a lease, one that gets new settings only extends its own: a dead one is not revived. */
  #mayHold(): boolean {
    return this.#converger.role === 'active' ? this.#lease.extend() : this.#lease.acquire();
  }

  #note(note: Note): void {
    if (note.kind === 'role') this.#since = this.#now;
    else if (note.kind === 'dropped') {
      this.#dropReason = note.reason;
      const { dropped } = this.#counters;
      dropped[note.reason] = (dropped[note.reason] ?? 0) + 1;
    } else if (note.kind === 'late') this.#counters.lateWakes++;
    this.#hasNews ||= note.kind !== 'dropped' && note.kind !== 'hold';
    this.#teller.note(note, this.#now);
  }

  #publish(): void {
    this.#hasNews = false;
    this.#toldAt = this.#now;
    const { refusal } = this.#converger;
    const lease = this.#lease.status();
    const snapshot: PulseSnapshot = {
      at: this.#now,
      role: roleOf(this.#state),
      reason: reasonOf(this.#state),
      since: this.#since,
      addresses: { isSettled: !this.#converger.isBusy, ...(refusal !== undefined && { refusal }) },
      partnerSaid: this.#state.partnerSaid,
      heardAt: this.#heardAt,
      linksDown: this.#linksDown,
      ...(lease !== undefined && { lease }),
      rank: rankSnapshot(this.#state, this.#watch?.answering(this.#now) ?? []),
      counters: this.#counters,
      meters: this.#meters,
    };
    this.#ports.post({ kind: 'snapshot', snapshot });
    if (this.#isOver) this.#ports.post({ kind: 'exit' });
  }
}
