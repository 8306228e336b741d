/**
 * The pulse worker: a thread of its own that plugs the crank into Linux and turns it until the life is over.
 *
 * It never returns to its event loop, so main reaches it by a doorbell (eventfd) and a message port that is read by
 * hand. Its heap is its own: a garbage collection of main does not stop it (docs/architecture.md has the figures).
 * Started by pulse-thread.ts.
 */
import { randomBytes } from 'node:crypto';
import { isMainThread, parentPort, receiveMessageOnPort } from 'node:worker_threads';
import { assert, ok } from '../base/index.ts';
import {
  BootClock,
  LinuxPoller,
  openAddressPort,
  openHeartbeatSocket,
  openLease,
  openNeighbourPort,
  openPacketSocket,
  setRealtime,
  setThreadName,
  wakerOf,
} from '../ports/index.ts';
import { type ChosenLease, chooseLease } from './choose-lease.ts';
import { Crank } from './crank.ts';
import { type FromWorker, Pulsebeat, type ToWorker, type WorkerSetup } from './messages.ts';
import { neighbourMac } from './neighbours.ts';
import { jitterBudgetMs } from './plan.ts';
import { measureLateness } from './self-test.ts';
import { portErrorText } from './sentences.ts';

/** Above other real-time work of a director machine, below the kernel's own threads. */
const PRIORITY = 60;

function run({ plan, shared, doorbellFd }: WorkerSetup): void {
  const port = parentPort;
  assert(port !== null, 'the pulse worker is a worker');
  const post = (message: FromWorker): void => port.postMessage(message);
  const doorbell = wakerOf(doorbellFd);
  const takeMessages = (): readonly ToWorker[] => {
    doorbell.drain();
    const taken: ToWorker[] = [];
    for (let next = receiveMessageOnPort(port); next !== undefined; ) {
      taken.push(next.message);
      next = receiveMessageOnPort(port);
    }
    return taken;
  };
  const early: ToWorker[] = [];
  setThreadName('pulse-worker');
  const scheduling = setRealtime(PRIORITY);
  const clock = new BootClock();
  const poller = new LinuxPoller();
  const lease = openLease(clock);
  // An earlier life's lease still lives: that life kept this deadtime a moment ago, and every millisecond counts now.
  const isResuming = lease.ok && lease.value.remainingMs() !== undefined;
  const budgetMs = jitterBudgetMs(plan.failover);
  const worstLateMs = isResuming ? 0 : measureLateness({ clock, poller }, budgetMs);
  const addresses = openAddressPort();
  if (!addresses.ok) {
    post({ kind: 'refused', error: addresses.error });
    return;
  }
  const neighbours = openNeighbourPort();
  if (!neighbours.ok) {
    post({ kind: 'refused', error: neighbours.error });
    return;
  }
  const ports = { addresses: addresses.value, clock };
  const chosen = lease.ok
    ? ok<ChosenLease>({ lease: lease.value, addresses: addresses.value })
    : chooseLease(plan.failover, lease.error, ports);
  if (!chosen.ok) {
    post({ kind: 'refused', error: chosen.error });
    return;
  }
  const { told, ...leased } = chosen.value;
  const echoIdentifier = randomBytes(2).readUInt16BE();
  const crank = new Crank(plan, {
    ...leased,
    clock,
    poller,
    openHeartbeat: (address, port) => openHeartbeatSocket({ address, port }),
    openEar: ({ index, name }) =>
      openPacketSocket({ index, name, hears: 'answers', echoIdentifier }),
    neighbourMac,
    watch: {
      neighbours: neighbours.value,
      echoIdentifier,
      secret: () => randomBytes(16),
    },
    doorbellFd,
    takeMessages: () => [...early.splice(0), ...takeMessages()],
    post,
    pulsebeat: new Pulsebeat(shared),
  });
  const opened = crank.open();
  if (!opened.ok) {
    post({ kind: 'refused', error: opened.error });
    return;
  }
  post({
    kind: 'ready',
    worstLateMs,
    isResuming,
    ...(scheduling !== undefined && { schedulingRefusal: portErrorText(scheduling) }),
  });
  const wait = (): void => void poller.wait([doorbellFd], Number.POSITIVE_INFINITY);
  const begin = wordToBegin(wait, takeMessages, early);
  if (begin !== undefined) {
    if (told !== undefined) post({ kind: 'trouble', text: told });
    if (early.length > 0) doorbell.wake();
    crank.begin(begin.isForcedActive);
    while (crank.turn());
  }
  crank.close();
  addresses.value.close();
  neighbours.value.close();
}

/**
 * Begin, or never mind. Main listens before it begins, so somebody may ask for the status already: what else is said is
 * kept in `early`, for the crank.
 */
export function wordToBegin(
  wait: () => void,
  takeMessages: () => readonly ToWorker[],
  early: ToWorker[],
): Extract<ToWorker, { kind: 'begin' }> | undefined {
  for (;;) {
    wait();
    const said = takeMessages();
    const at = said.findIndex(({ kind }) => kind === 'begin' || kind === 'stop');
    early.push(...said.filter((_, index) => index !== at));
    const word = said[at];
    if (word !== undefined) return word.kind === 'begin' ? word : undefined;
  }
}

// Main imports this file only to have it compiled (warm-start.ts).
if (!isMainThread) parentPort?.once('message', run);
