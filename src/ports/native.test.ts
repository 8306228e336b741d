import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { Worker } from 'node:worker_threads';
import { ip } from '../base/index.ts';
import {
  AF_INET,
  AF_UNIX,
  CLOCK_BOOTTIME,
  CLOCK_MONOTONIC,
  CLOCK_REALTIME,
  POLLIN,
  SO_PEERCRED,
  SO_PRIORITY,
  SOCK_DGRAM,
  SOL_SOCKET,
} from './linux.ts';
import { native, nativeFile, sourceHash } from './native.ts';
import { internetAddress, unixAddress } from './socket-address.ts';

const kernel = native();
const face: Readonly<Record<string, unknown>> = kernel;

/** Runs `use` with a UDP socket on loopback and closes it. */
function withSocket<T>(use: (fd: number, address: Uint8Array) => T): T {
  const fd = kernel.socket(AF_INET, SOCK_DGRAM, 0);
  assert.ok(fd > 2);
  try {
    assert.equal(kernel.bind(fd, internetAddress(ip('127.0.0.1'), 0)), 0);
    const address = new Uint8Array(16);
    assert.equal(kernel.getsockname(fd, address), 16);
    return use(fd, address);
  } finally {
    assert.equal(kernel.close(fd), 0);
  }
}

const BAD_NUMBERS = [
  undefined,
  null,
  '1',
  1n,
  {},
  [],
  Number.NaN,
  0.5,
  -1,
  2 ** 53,
  Infinity,
  () => 1,
];
const BAD_BYTES = [
  undefined,
  null,
  1,
  'text',
  {},
  [1, 2],
  new ArrayBuffer(8),
  new DataView(new ArrayBuffer(8)),
];
const OTHER_ARRAYS = [new Int32Array(8), new Float64Array(8), new Uint16Array(8), new Int8Array(8)];
const EMPTY = new Uint8Array(0);
const WORDS = new Int32Array(4);
const BYTES = new Uint8Array(64);
const BAD_BYTE_ARRAYS = [...BAD_BYTES, ...OTHER_ARRAYS];
const BAD_WORD_ARRAYS = [...BAD_BYTES, BYTES, new Float64Array(8), new Uint32Array(8)];
const BAD_TEXTS = [undefined, null, 1, {}, '', 'a name that is far too long', 'a\0b', 'ééééééééé'];

type Argument = readonly [name: string, good: unknown, bad: readonly unknown[]];

/** For each function: every argument by name, a good value, and every kind of bad one. */
const ARGUMENTS: Readonly<Record<string, readonly Argument[]>> = {
  socket: [
    ['domain', 2, [...BAD_NUMBERS, 0, 3, 40]],
    ['type', 2, [...BAD_NUMBERS, 1, 5, 2 | 0o4000]],
    ['protocol', 0, [...BAD_NUMBERS, 65536]],
  ],
  bind: [
    ['fd', 1 << 30, BAD_NUMBERS],
    ['address', BYTES, [...BAD_BYTE_ARRAYS, EMPTY, new Uint8Array(1), new Uint8Array(129)]],
  ],
  connect: [
    ['fd', 1 << 30, BAD_NUMBERS],
    ['address', BYTES, [...BAD_BYTE_ARRAYS, EMPTY, new Uint8Array(1), new Uint8Array(129)]],
  ],
  getsockname: [
    ['fd', 1 << 30, BAD_NUMBERS],
    ['address', BYTES, [...BAD_BYTE_ARRAYS, EMPTY, new Uint8Array(1), new Uint8Array(129)]],
  ],
  setsockopt: [
    ['fd', 1 << 30, BAD_NUMBERS],
    ['level', 1, BAD_NUMBERS],
    // SO_ATTACH_FILTER and SO_ATTACH_REUSEPORT_CBPF hold pointers.
    ['name', 12, [...BAD_NUMBERS, 26, 51]],
    [
      'value',
      BYTES,
      [undefined, null, '1', {}, 0.5, 2 ** 31, EMPTY, new Uint8Array(4097), ...OTHER_ARRAYS],
    ],
  ],
  getsockopt: [
    ['fd', 1 << 30, BAD_NUMBERS],
    ['level', 1, BAD_NUMBERS],
    // SO_GET_FILTER counts in instructions and would write beyond the array.
    ['name', 12, [...BAD_NUMBERS, 26]],
    ['into', BYTES, [...BAD_BYTE_ARRAYS, EMPTY, new Uint8Array(4097)]],
  ],
  attachFilter: [
    ['fd', 1 << 30, BAD_NUMBERS],
    [
      'instructions',
      BYTES,
      [
        ...BAD_BYTE_ARRAYS,
        EMPTY,
        new Uint8Array(12),
        new Uint8Array(4097 * 8),
        BYTES.subarray(1, 9),
      ],
    ],
  ],
  send: [
    ['fd', 1 << 30, BAD_NUMBERS],
    ['bytes', BYTES, [...BAD_BYTE_ARRAYS, new Uint8Array((1 << 24) + 1)]],
    ['address', BYTES, [null, 1, {}, EMPTY, new Uint8Array(129), ...OTHER_ARRAYS]],
  ],
  recvmmsg: [
    ['fd', 1 << 30, BAD_NUMBERS],
    ['arena', BYTES, [...BAD_BYTE_ARRAYS, EMPTY]],
    ['stride', 64, [...BAD_NUMBERS, 0, 65]],
    ['lengths', WORDS, [...BAD_WORD_ARRAYS, new Int32Array(0)]],
    ['addresses', BYTES, [null, 1, {}, EMPTY, new Uint8Array(31), ...OTHER_ARRAYS]],
  ],
  sendmmsg: [
    ['fd', 1 << 30, BAD_NUMBERS],
    ['arena', BYTES, [...BAD_BYTE_ARRAYS, EMPTY]],
    [
      'lengths',
      Int32Array.of(64),
      [
        ...BAD_WORD_ARRAYS,
        new Int32Array(0),
        new Int32Array(65),
        Int32Array.of(65),
        Int32Array.of(-1),
      ],
    ],
    ['address', BYTES, [null, 1, {}, EMPTY, new Uint8Array(129), ...OTHER_ARRAYS]],
  ],
  close: [['fd', 1 << 30, [...BAD_NUMBERS, 0, 1, 2]]],
  ppoll: [
    ['fds', new Int32Array(0), [...BAD_WORD_ARRAYS, new Int32Array(1025)]],
    ['events', WORDS, BAD_WORD_ARRAYS],
    ['timeoutMs', 0, [undefined, null, '1', 1n, {}, Number.NaN, -1, Number.NEGATIVE_INFINITY]],
  ],
  eventfd: [],
  eventfdWrite: [
    ['fd', 1 << 30, BAD_NUMBERS],
    ['value', 1, [...BAD_NUMBERS.filter((bad) => bad !== 2 ** 53), 0, 2 ** 54]],
  ],
  eventfdRead: [['fd', 1 << 30, BAD_NUMBERS]],
  watch: [
    ['fd', 1 << 30, BAD_NUMBERS],
    ['callback', () => {}, [undefined, null, 1, 'text', {}, []]],
  ],
  unwatch: [
    ['watcher', undefined, [undefined, null, 1, 'text', {}, [], () => {}, new Date(), kernel]],
  ],
  clock: [['id', 7, [...BAD_NUMBERS, 2, 3, 8]]],
  setRealtime: [['priority', 0, [...BAD_NUMBERS, 100]]],
  getRealtime: [],
  setThreadName: [['name', 'MainThread', BAD_TEXTS]],
  enterNetwork: [['fd', 1 << 30, BAD_NUMBERS]],
  interfaceIndex: [['name', 'lo', BAD_TEXTS]],
  interfaceName: [['index', 1, [...BAD_NUMBERS, 0, 2 ** 31]]],
};

test('every function of the addon is in the table of bad arguments', () => {
  const functions = Object.keys(face).filter((name) => typeof face[name] === 'function');
  assert.deepEqual(functions.sort(), Object.keys(ARGUMENTS).sort());
});

for (const [name, parameters] of Object.entries(ARGUMENTS)) {
  test(`${name} refuses every bad argument by its name`, () => {
    const call = face[name];
    assert.ok(typeof call === 'function');
    const good = parameters.map(([, value]) => value);
    if (name !== 'eventfd' && name !== 'unwatch') assert.doesNotThrow(() => call(...good));
    for (const [index, [parameter, , bads]] of parameters.entries()) {
      for (const bad of bads) {
        const given = good.with(index, bad);
        assert.throws(
          () => call(...given),
          (error) => error instanceof TypeError && error.message.startsWith(`${parameter}: `),
          `${name} ${parameter} = ${String(bad)}`,
        );
      }
    }
    const [first] = parameters;
    if (first !== undefined) assert.throws(() => call(), { name: 'TypeError' });
  });
}

test('options that hold pointers into our memory are refused on every level', () => {
  for (const [level, name] of [
    [0, 64], // iptables
    [0, 1155], // IPVS
    [41, 64], // ip6tables
    [263, 22], // PACKET_FANOUT_DATA: a filter program
    [6, 1], // a level that nobody here uses: TCP
  ] as const) {
    assert.throws(() => kernel.setsockopt(1 << 30, level, name, BYTES), /^TypeError: name: /);
    assert.throws(() => kernel.getsockopt(1 << 30, level, name, BYTES), /^TypeError: name: /);
  }
});

test('the list of events must have room for every descriptor polled', () => {
  assert.throws(() => kernel.ppoll(new Int32Array(5), WORDS, 0), /^TypeError: events: /);
});

test('what the kernel refuses is a negative errno and never thrown', () => {
  const EBADF = -9;
  const nobody = 1 << 30;
  assert.equal(kernel.bind(nobody, BYTES), EBADF);
  assert.equal(kernel.send(nobody, BYTES), EBADF);
  assert.equal(kernel.recvmmsg(nobody, BYTES, 64, WORDS), EBADF);
  assert.equal(kernel.close(nobody), EBADF);
  assert.equal(
    kernel.watch(nobody, () => {}),
    EBADF,
  );
  assert.equal(kernel.interfaceIndex('no-such-if'), -19);
  assert.equal(kernel.interfaceName(2 ** 31 - 1), -6);
});

test('the committed addon and spawner were built from the committed source', () => {
  const built = readFileSync(nativeFile('piranha.node'));
  assert.equal(kernel.sourceHash, sourceHash('piranha.c'));
  assert.ok(built.includes(sourceHash('piranha.c')));
  const spawner = readFileSync(nativeFile('spawner'));
  assert.ok(spawner.includes(`source sha256 ${sourceHash('spawner.c')}`));
});

/**
 * Loads the addon from `directory` in a process of its own; gives the name and the message of what
 * it throws.
 */
function loadFrom(directory: string): readonly string[] {
  const code = `
    import { native } from ${JSON.stringify(import.meta.resolve('./native.ts'))};
    try { native(); console.log('loaded'); } catch (error) { console.log(error.name + '|' + error.message); }`;
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '--eval', code], {
    encoding: 'utf8',
    timeout: 20_000,
    env: { ...process.env, PIRANHA_NATIVE_DIRECTORY: directory },
  });
  return stdout.trim().split('|');
}

test('an addon that is missing, broken or of another source is told in one sentence that says what to do', () => {
  const directory = mkdtempSync(join(tmpdir(), 'piranha-native-'));
  const file = join(directory, 'piranha.node');
  try {
    const [name, missing = ''] = loadFrom(directory);
    assert.equal(name, 'NativeUnavailable');
    assert.match(
      missing,
      /^there is no piranha\.node for linux-\w+; run \S+build\.sh \(needs a C compiler\)\.$/,
    );
    writeFileSync(file, 'no addon');
    assert.match(loadFrom(directory).join(), /^NativeUnavailable,\S+ cannot be loaded: /);
    const bytes = readFileSync(nativeFile('piranha.node'));
    bytes.write('0'.repeat(64), bytes.indexOf(kernel.sourceHash));
    writeFileSync(file, bytes);
    assert.match(
      loadFrom(directory).join(),
      /was built from another piranha\.c; run \S+build\.sh \S+\.$/,
    );
    bytes.write(kernel.sourceHash, bytes.indexOf('0'.repeat(64)));
    writeFileSync(file, bytes);
    assert.deepEqual(loadFrom(directory), ['loaded']);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('sockets are closed on exec and never block', () => {
  withSocket((fd) => {
    const flags = /flags:\s*(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1];
    assert.equal(Number.parseInt(flags ?? '', 8) & 0o2004000, 0o2004000);
    assert.equal(kernel.recvmmsg(fd, BYTES, 64, WORDS), -11);
  });
});

test('messages go out in one call and come in with lengths and sources, cut ones marked', () => {
  withSocket((fd, address) => {
    const arena = Uint8Array.from({ length: 30 }, (_, index) => index);
    assert.equal(kernel.sendmmsg(fd, arena, Int32Array.of(5, 0, 25), address), 3);
    const into = new Uint8Array(4 * 20);
    const lengths = new Int32Array(4);
    const sources = new Uint8Array(4 * kernel.addressStride).fill(0xff);
    assert.equal(kernel.recvmmsg(fd, into, 20, lengths, sources), 3);
    assert.deepEqual([...lengths], [5, 0, -20, 0]);
    assert.deepEqual(into.subarray(0, 5), arena.subarray(0, 5));
    assert.deepEqual(into.subarray(40, 60), arena.subarray(5, 25));
    for (const index of [0, 1, 2]) {
      const start = index * kernel.addressStride;
      assert.deepEqual(sources.subarray(start, start + 8), address.subarray(0, 8));
    }
  });
});

test('a receive takes no more messages than there is room for', () => {
  withSocket((fd, address) => {
    for (let sent = 0; sent < 5; sent++) kernel.send(fd, Uint8Array.of(sent), address);
    assert.equal(kernel.recvmmsg(fd, new Uint8Array(2 * 16), 16, WORDS), 2);
    assert.equal(kernel.recvmmsg(fd, BYTES, 16, new Int32Array(1)), 1);
    assert.equal(kernel.recvmmsg(fd, BYTES, 4, WORDS, new Uint8Array(32)), 1);
    assert.equal(kernel.recvmmsg(fd, BYTES, 4, WORDS), 1);
  });
});

test('socket options are set and read back as ints and bytes', () => {
  withSocket((fd) => {
    const into = new Uint8Array(8);
    assert.equal(kernel.setsockopt(fd, SOL_SOCKET, SO_PRIORITY, 5), 0);
    assert.equal(kernel.getsockopt(fd, SOL_SOCKET, SO_PRIORITY, into), 4);
    assert.deepEqual([...into], [5, 0, 0, 0, 0, 0, 0, 0]);
    assert.equal(kernel.setsockopt(fd, SOL_SOCKET, SO_PRIORITY, Uint8Array.of(3, 0, 0, 0)), 0);
    assert.equal(kernel.getsockopt(fd, SOL_SOCKET, SO_PRIORITY, into), 4);
    assert.equal(into[0], 3);
  });
});

test('the peer of a unix socket is known by process, user and group', async () => {
  const path = join(tmpdir(), `piranha-peer-${process.pid}.sock`);
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const accepted = new Promise<object>((resolve) => server.once('connection', resolve));
  const client = connect(path);
  const socket = (await accepted) as { _handle: { fd: number }; destroy(): void };
  const credentials = new Uint8Array(12);
  const length = kernel.getsockopt(socket._handle.fd, SOL_SOCKET, SO_PEERCRED, credentials);
  socket.destroy();
  client.destroy();
  server.close();
  assert.equal(length, 12);
  const { getuid, getgid, pid } = process;
  assert.deepEqual([...new Uint32Array(credentials.buffer)], [pid, getuid?.(), getgid?.()]);
});

test('datagrams reach an abstract unix socket by its name', () => {
  const name = `@piranha-test-${process.pid}`;
  const listener = kernel.socket(AF_UNIX, SOCK_DGRAM, 0);
  const sender = kernel.socket(AF_UNIX, SOCK_DGRAM, 0);
  assert.equal(kernel.connect(sender, unixAddress(name)), -111);
  assert.equal(kernel.bind(listener, unixAddress(name)), 0);
  assert.equal(kernel.connect(sender, unixAddress(name)), 0);
  assert.equal(kernel.send(sender, Uint8Array.of(7)), 1);
  const source = new Uint8Array(kernel.addressStride).fill(0xff);
  assert.equal(kernel.recvmmsg(listener, BYTES, 64, WORDS, source), 1);
  assert.equal(BYTES[0], 7);
  // The sender has no name, and no rest of an earlier one is left in its place.
  assert.deepEqual(source, new Uint8Array(kernel.addressStride));
  kernel.close(sender);
  kernel.close(listener);
});

test('ppoll gives what happened, and waits as long as it was told, fractions too', () => {
  const fd = kernel.eventfd();
  const fds = Int32Array.of(fd, -1);
  const events = Int32Array.of(POLLIN, POLLIN);
  const start = kernel.clock(CLOCK_MONOTONIC);
  assert.equal(kernel.ppoll(fds, events, 20.5), 0);
  const waited = kernel.clock(CLOCK_MONOTONIC) - start;
  assert.ok(waited >= 20.5 && waited < 2000, `waited ${waited} ms`);
  assert.deepEqual([...events], [0, 0]);
  kernel.eventfdWrite(fd, 1);
  events.fill(POLLIN);
  assert.equal(kernel.ppoll(fds, events, Number.POSITIVE_INFINITY), 1);
  assert.deepEqual([...events], [POLLIN, 0]);
  kernel.close(fd);
  events.fill(POLLIN);
  assert.equal(kernel.ppoll(fds, events, 1e300), 1);
  const POLLNVAL = 0x20;
  assert.equal(events[0], POLLNVAL);
});

test('an eventfd adds up and is cleared by reading', () => {
  const fd = kernel.eventfd();
  assert.equal(kernel.eventfdRead(fd), -11);
  kernel.eventfdWrite(fd, 2);
  kernel.eventfdWrite(fd, 2 ** 53);
  assert.equal(kernel.eventfdRead(fd), 2 ** 53 + 2);
  assert.equal(kernel.eventfdRead(fd), -11);
  kernel.close(fd);
});

test('the clocks run in milliseconds and the wall clock agrees with Date', () => {
  const boot = kernel.clock(CLOCK_BOOTTIME);
  const uptimeMs = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]) * 1000;
  assert.ok(Math.abs(uptimeMs - boot) < 2000, `${uptimeMs} against ${boot}`);
  const earlier = kernel.clock(CLOCK_MONOTONIC);
  assert.ok(kernel.clock(CLOCK_MONOTONIC) >= earlier);
  assert.ok(Math.abs(kernel.clock(CLOCK_REALTIME) - Date.now()) < 2000);
});

test('interfaces have an index and a name, and threads a name', () => {
  assert.equal(kernel.interfaceIndex('lo'), 1);
  assert.equal(kernel.interfaceName(1), 'lo');
  const before = readFileSync('/proc/self/comm', 'utf8').trim();
  assert.equal(kernel.setThreadName('fifteen-letters'), 0);
  assert.equal(readFileSync('/proc/self/comm', 'utf8').trim(), 'fifteen-letters');
  kernel.setThreadName(before);
});

test('a watched descriptor calls back while it is readable, and not after unwatch', async () => {
  const fd = kernel.eventfd();
  let calls = 0;
  await new Promise<void>((resolve) => {
    const watcher = kernel.watch(fd, (status) => {
      assert.equal(status, 0);
      if (++calls < 3) return; // level-triggered: it comes again
      assert.ok(typeof watcher === 'object');
      kernel.unwatch(watcher);
      kernel.unwatch(watcher);
      setTimeout(resolve, 20);
    });
    assert.equal(typeof watcher, 'object');
    kernel.eventfdWrite(fd, 1);
  });
  assert.equal(calls, 3);
  kernel.close(fd);
});

test('what a callback throws is an uncaught exception', async () => {
  const fd = kernel.eventfd();
  const code = `
    const { native } = await import(${JSON.stringify(import.meta.resolve('./native.ts'))});
    native().watch(${fd}, () => { throw new RangeError('from the callback'); });`;
  kernel.eventfdWrite(fd, 1);
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`));
  const error = await new Promise((resolve) => worker.once('error', resolve));
  assert.ok(error instanceof RangeError);
  assert.equal(error.message, 'from the callback');
  kernel.close(fd);
});

test('workers come and go with watches open, while others use the addon', async () => {
  const fd = kernel.eventfd();
  kernel.eventfdWrite(fd, 1); // readable for ever: callbacks come until the end
  const code = `
    import { parentPort } from 'node:worker_threads';
    const { native } = await import(${JSON.stringify(import.meta.resolve('./native.ts'))});
    const kernel = native();
    let calls = 0;
    for (let made = 0; made < 8; made++) {
      const own = kernel.eventfd();
      kernel.eventfdWrite(own, 1);
      const watcher = kernel.watch(own, () => { if (++calls === 8) parentPort.postMessage('busy'); });
      if (made === 0) kernel.unwatch(watcher);
    }
    kernel.watch(${fd}, () => {});`;
  const url = new URL(`data:text/javascript,${encodeURIComponent(code)}`);
  const before = readFdCount();
  for (let round = 0; round < 3; round++) {
    const workers = Array.from({ length: 2 }, () => new Worker(url));
    await Promise.all(workers.map((worker) => new Promise((done) => worker.once('message', done))));
    const codes = await Promise.all(workers.map((worker) => worker.terminate()));
    assert.deepEqual(codes, [1, 1]);
  }
  kernel.close(fd);
  // Each worker left eight counters open (they are plain numbers); nothing else may be left.
  assert.ok(readFdCount() - before <= 3 * 2 * 8, `${readFdCount()} descriptors after ${before}`);
});

function readFdCount(): number {
  let count = 0;
  for (let fd = 0; fd < 1024; fd++) if (kernel.getsockopt(fd, 1, 3, BYTES) !== -9) count++;
  return count;
}
