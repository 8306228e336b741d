/**
 * What the tests of the addon do once, done very often: for the sanitizer run (test-sanitize.sh).
 *
 *   soak.ts ADDON growth    100,000 calls of every function, good and refused, must not make memory
 *                           grow (with node --expose-gc --max-semi-space-size=1: the heap's own
 *                           breathing would hide it)
 *   soak.ts ADDON watches   watches stopped, forgotten, and left open by workers that end;
 *                           LeakSanitizer looks at exit
 *
 * Ends with status 1 and a sentence when something is wrong. The addon is loaded by its path, not
 * by the loader of src/ports, so that a build with a mistake put into it can show that the
 * sanitizers see mistakes.
 */
import { createRequire } from 'node:module';
import { setImmediate as turn } from 'node:timers/promises';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import type { Native } from '../src/ports/native.ts';

const [addon, mode] = isMainThread ? process.argv.slice(2) : [workerData.addon, 'worker'];
if (addon === undefined) throw new TypeError('soak.ts needs the path of the addon and a mode');
const kernel: Native = createRequire(import.meta.url)(addon);

const AF_INET = 2;
const SOCK_DGRAM = 2;
const CALLS = 100_000;
/** Of one round of calls: eight bytes a call would be seen. */
const MAX_GROWTH = CALLS * 8;
const MAX_ROUNDS = 10;

async function growth(): Promise<void> {
  Error.stackTraceLimit = 0;
  const address = Uint8Array.of(2, 0, 0, 0, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0);
  const udp = kernel.socket(AF_INET, SOCK_DGRAM, 0);
  kernel.bind(udp, address);
  kernel.getsockname(udp, address);
  const counter = kernel.eventfd();
  const arena = new Uint8Array(4096);
  const lengths = new Int32Array(4);
  const sources = new Uint8Array(4 * kernel.addressStride);
  const fds = Int32Array.of(udp, counter);
  const events = Int32Array.of(1, 1);
  const small = new Uint8Array(16);
  const accept = Uint8Array.of(6, 0, 0, 0, 255, 255, 0, 0);
  const calls: Record<keyof Native, () => unknown> = {
    sourceHash: () => kernel.sourceHash,
    addressStride: () => kernel.addressStride,
    socket: () => kernel.close(kernel.socket(AF_INET, SOCK_DGRAM, 0)),
    bind: () => kernel.bind(udp, address),
    connect: () => kernel.connect(udp, address),
    getsockname: () => kernel.getsockname(udp, small),
    setsockopt: () => kernel.setsockopt(udp, 1, 12, 5),
    getsockopt: () => kernel.getsockopt(udp, 1, 12, small),
    attachFilter: () => kernel.attachFilter(udp, accept),
    send: () => kernel.send(udp, small, address),
    recvmmsg: () => kernel.recvmmsg(udp, arena, 1024, lengths, sources),
    sendmmsg: () => kernel.sendmmsg(udp, arena, Int32Array.of(1, 2), address),
    close: () => kernel.close(1 << 30),
    ppoll: () => kernel.ppoll(fds, events.fill(1), 0),
    eventfd: () => kernel.close(kernel.eventfd()),
    eventfdWrite: () => kernel.eventfdWrite(counter, 1),
    eventfdRead: () => kernel.eventfdRead(counter),
    clock: () => kernel.clock(7),
    setRealtime: () => kernel.setRealtime(0),
    getRealtime: () => kernel.getRealtime(),
    setThreadName: () => kernel.setThreadName('soak'),
    enterNetwork: () => kernel.enterNetwork(counter),
    interfaceIndex: () => kernel.interfaceIndex('lo'),
    interfaceName: () => kernel.interfaceName(1),
    watch: () => kernel.watch(1 << 30, () => {}),
    unwatch: () => watchOnce(counter),
  };
  for (const [name, call] of Object.entries(calls)) {
    await bounded(name, call);
    const refused: unknown = Reflect.get(kernel, name);
    if (typeof refused !== 'function' || name === 'eventfd' || name === 'getRealtime') continue;
    await bounded(`${name}, refused`, () => attempt(() => refused({}, {}, {}, {}, {})));
  }
}

/** A leak grows in every round; the heap's own breathing stops after some. */
async function bounded(name: string, call: () => unknown): Promise<void> {
  const grown: number[] = [];
  for (let before = residentMemory(); grown.length < MAX_ROUNDS; ) {
    await repeat(CALLS, call);
    const now = residentMemory();
    grown.push(now - before);
    if (now - before <= MAX_GROWTH) return;
    before = now;
  }
  throw new Error(`${name}: memory grew by ${grown.join(', ')} bytes in rounds of ${CALLS} calls`);
}

async function repeat(times: number, call: () => unknown): Promise<void> {
  for (let done = 0; done < times; done++) {
    call();
    if (done % 1000 === 0) await turn(); // closed handles are freed in the loop
  }
}

function residentMemory(): number {
  globalThis.gc?.();
  globalThis.gc?.();
  return process.memoryUsage.rss();
}

function attempt(call: () => unknown): void {
  try {
    call();
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
}

function watchOnce(fd: number): void {
  const watcher = kernel.watch(fd, () => {});
  if (typeof watcher !== 'number') kernel.unwatch(watcher);
}

async function watches(): Promise<void> {
  for (let round = 0; round < 200; round++) {
    const fd = kernel.eventfd();
    watchOnce(fd);
    await turn();
    kernel.close(fd);
  }
  // Forgotten by everybody but the loop, which keeps calling.
  const fd = kernel.eventfd();
  let calls = 0;
  let watcher: ReturnType<Native['watch']> | undefined = kernel.watch(fd, () => calls++);
  kernel.eventfdWrite(fd, 1);
  for (let round = 0; round < 20; round++) {
    globalThis.gc?.();
    await turn();
  }
  if (calls < 10) throw new Error(`a watch in use was called ${calls} times`);
  if (typeof watcher !== 'number') kernel.unwatch(watcher);
  watcher = undefined;
  for (let round = 0; round < 12; round++) {
    const workers = Array.from(
      { length: 3 },
      () => new Worker(import.meta.filename, { workerData: { addon } }),
    );
    const exits = workers.map((worker) => new Promise((done) => worker.once('exit', done)));
    await Promise.all(workers.map((worker) => new Promise((done) => worker.once('message', done))));
    // One is ended, the others end by themselves; all with watches open that fire without end.
    await workers[0]?.terminate();
    await Promise.all(exits);
  }
}

function worker(): void {
  const fd = kernel.eventfd();
  kernel.eventfdWrite(fd, 1);
  for (let made = 0; made < 20; made++) {
    const own = kernel.eventfd();
    kernel.eventfdWrite(own, 1);
    const watcher = kernel.watch(own, () => {});
    if (made % 3 === 0 && typeof watcher !== 'number') kernel.unwatch(watcher);
  }
  parentPort?.postMessage('ready');
  setTimeout(() => process.exit(), 20);
}

if (mode === 'growth') await growth();
else if (mode === 'watches') await watches();
else if (mode === 'worker') worker();
else throw new TypeError(`soak.ts has no mode ${mode}`);
