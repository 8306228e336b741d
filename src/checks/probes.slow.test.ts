/** Every kind of probe against real sockets and programs of this machine: loopback, ports that the kernel chooses. */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { after, test } from 'node:test';
import { createServer as createTlsServer } from 'node:tls';
import { type IpAddress, ip, utf8 } from '../base/index.ts';
import {
  down,
  makeCheck,
  type ProbeFailure,
  type Procedure,
  type TlsSettings,
  type Verdict,
} from '../model/index.ts';
import { ProcessSpawner } from '../ports/index.ts';
import type { ProbeContext } from './probe.ts';
import { proberOf } from './prober.ts';
import { CERTIFICATE, KEY, ROOT } from './test-certificates.ts';

const LOOPBACK = ip('127.0.0.1');
const UP: Verdict = { isUp: true };
const spawner = new ProcessSpawner();
after(() => spawner.close());

type Target = { readonly port: number; readonly address?: IpAddress; readonly timeoutMs?: number };

/** One probe, ended after `timeoutMs` as the schedule would. */
function probe(procedure: Procedure, target: Target, context: ProbeContext = {}): Promise<Verdict> {
  const { port, address = LOOPBACK, timeoutMs = 3000 } = target;
  const timing = { intervalMs: 1000, timeoutMs, rise: 1, fall: 1 };
  const check = makeCheck({ address, port, ...timing, procedure });
  return new Promise((resolve) => {
    let timer: NodeJS.Timeout | undefined;
    const running = proberOf(
      check,
      context,
    )((verdict) => {
      clearTimeout(timer);
      resolve(verdict);
    });
    timer = setTimeout(() => resolve(down('timeout', running.abort())), timeoutMs);
  });
}

/** A TCP server for the time of one test; `talk` gets each connection. */
async function serve<T>(
  talk: (socket: Socket) => void,
  run: (port: number) => Promise<T>,
  address = '127.0.0.1',
): Promise<T> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    talk(socket);
  });
  return listen(server, sockets, run, address);
}

async function listen<T>(
  server: ReturnType<typeof createServer>,
  sockets: ReadonlySet<Socket>,
  run: (port: number) => Promise<T>,
  address: string,
): Promise<T> {
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  try {
    return await run(portOf(server.address()));
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
}

function portOf(address: AddressInfo | string | null): number {
  assert.ok(typeof address === 'object' && address !== null);
  return address.port;
}

function expectDown(verdict: Verdict, reason: ProbeFailure, detail: RegExp): void {
  assert.ok(!verdict.isUp, 'it is up');
  assert.equal(verdict.reason, reason, verdict.detail);
  assert.match(verdict.detail, detail);
}

const silent = () => {};
/** A port on which nobody listens: it was free a moment ago. */
const closedPort = () => serve(silent, async (port) => port);

test('tcp: a listening port is up, a closed one is refused', async () => {
  assert.deepEqual(await serve(silent, (port) => probe({ kind: 'tcp' }, { port })), UP);
  const port = await closedPort();
  expectDown(await probe({ kind: 'tcp' }, { port }), 'connect-refused', /^ECONNREFUSED at 127/);
});

test('tcp: it works over IPv6', async (context) => {
  const hasIpv6 = Object.values(networkInterfaces())
    .flat()
    .some((own) => own?.address === '::1');
  if (!hasIpv6) return context.skip('this machine has no IPv6 loopback');
  const address = ip('::1');
  const verdict = await serve(silent, (port) => probe({ kind: 'tcp' }, { port, address }), '::1');
  assert.deepEqual(verdict, UP);
});

test('H3: send goes out with its escapes, and the beginning of the answer is compared', async () => {
  const heard: string[] = [];
  const talk = (socket: Socket) => {
    socket.on('data', (bytes) => {
      heard.push(bytes.toString());
      socket.write('PO');
      setTimeout(() => socket.write('NG and more'), 20);
    });
  };
  const procedure = {
    kind: 'tcp',
    send: 'PING\r\n',
    expect: { kind: 'prefix', text: 'PONG' },
  } as const;
  assert.deepEqual(await serve(talk, (port) => probe(procedure, { port })), UP);
  assert.deepEqual(heard, ['PING\r\n']);
});

test('H3: a wrong, a short and a missing answer are down, each with its reason', async () => {
  const procedure = { kind: 'tcp', expect: { kind: 'prefix', text: 'PONG' } } as const;
  const wrong = await serve(
    (s) => s.write('NO'),
    (port) => probe(procedure, { port }),
  );
  expectDown(wrong, 'wrong-answer', /^"NO" instead of "PONG"/);
  const short = await serve(
    (s) => s.end('PO'),
    (port) => probe(procedure, { port }),
  );
  expectDown(short, 'closed', /too short for "PONG"/);
  const none = await serve(silent, (port) => probe(procedure, { port, timeoutMs: 100 }));
  expectDown(none, 'timeout', /an answer that begins with "PONG"/);
});

test('H3: send without expect is up, and the words arrive in spite of the end', async () => {
  const heard = new Promise<string>((resolve) => {
    const talk = (socket: Socket) => {
      let text = '';
      socket.on('data', (bytes) => {
        text += bytes.toString();
      });
      socket.on('end', () => resolve(text));
    };
    const run = async (port: number) => {
      assert.deepEqual(await probe({ kind: 'tcp', send: 'hello' }, { port }), UP);
      await new Promise((done) => setTimeout(done, 100));
    };
    serve(talk, run);
  });
  assert.equal(await heard, 'hello');
});

test('udp: an answer is up, silence is a timeout, a closed port is refused', async () => {
  const server = createSocket('udp4', (bytes, from) => {
    if (bytes.toString() === 'ping') server.send('pong', from.port, from.address);
  });
  await new Promise<void>((resolve) => server.bind(0, '127.0.0.1', resolve));
  const { port } = server.address();
  const expect = { kind: 'prefix', text: 'pong' } as const;
  assert.deepEqual(await probe({ kind: 'udp', send: 'ping', expect }, { port }), UP);
  assert.deepEqual(await probe({ kind: 'udp', send: 'ping' }, { port }), UP);
  const wrong = await probe(
    { kind: 'udp', send: 'ping', expect: { kind: 'prefix', text: 'x' } },
    { port },
  );
  expectDown(wrong, 'wrong-answer', /"p" instead of "x"/);
  const silence = await probe({ kind: 'udp', send: 'what' }, { port, timeoutMs: 100 });
  expectDown(silence, 'timeout', /an answer/);
  await new Promise<void>((resolve) => server.close(resolve));
  expectDown(
    await probe({ kind: 'udp', send: 'ping' }, { port }),
    'connect-refused',
    /ECONNREFUSED/,
  );
});

test('an address that the kernel will not connect to is down, over TCP, TLS and UDP', async () => {
  const address = ip('255.255.255.255');
  const kinds: readonly Procedure[] = [
    { kind: 'tcp' },
    { kind: 'udp', send: 'x' },
    { kind: 'tls', tls: { isVerified: false, minDays: 0 } },
    { kind: 'dns', name: '.', type: 'NS' },
  ];
  for (const procedure of kinds) {
    const verdict = await probe(procedure, { port: 9, address });
    assert.ok(
      !verdict.isUp && ['unreachable', 'own-limits'].includes(verdict.reason),
      procedure.kind,
    );
    assert.match(verdict.detail, /^E[A-Z]+ at 255\.255\.255\.255 port 9$/);
  }
});

test('a probe that is given up at once says what it waited for, and nothing more', async () => {
  const kinds: readonly (readonly [Procedure, string])[] = [
    [{ kind: 'tcp' }, 'a connection'],
    [{ kind: 'tcp', expect: { kind: 'anything' } }, 'a connection'],
    [{ kind: 'udp', send: 'x' }, 'an answer'],
    [{ kind: 'tls', tls: { isVerified: false, minDays: 0 } }, 'a connection with its session'],
  ];
  const port = await closedPort();
  const timing = { intervalMs: 1000, timeoutMs: 1000, rise: 1, fall: 1 };
  for (const [procedure, awaited] of kinds) {
    const check = makeCheck({ address: LOOPBACK, port, ...timing, procedure });
    const running = proberOf(check, {})(() => assert.fail('a verdict after the end'));
    assert.equal(running.abort(), awaited);
  }
  await new Promise((resolve) => setTimeout(resolve, 100));
});

const STATUSES = [{ from: 200, to: 299 }];
const GET = { kind: 'http', method: 'GET', path: '/', statuses: STATUSES } as const;

/** Answers every request with these bytes. */
const reply = (answer: string) => (socket: Socket) => {
  socket.once('data', () => socket.write(answer));
};

test('http: the status decides, a body is matched', async () => {
  const answer = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
  assert.deepEqual(await serve(reply(answer), (port) => probe(GET, { port })), UP);
  assert.deepEqual(
    await serve(reply(answer), (port) => probe({ ...GET, body: '^ok$' }, { port })),
    UP,
  );
  const busy = await serve(reply('HTTP/1.1 503 Busy\r\n\r\n'), (port) => probe(GET, { port }));
  expectDown(busy, 'wrong-answer', /^HTTP\/1.1 503 Busy$/);
});

test('http: a server that sends for ever is cut off', async () => {
  const flood = (socket: Socket) => {
    const pour = () => {
      while (socket.write('x: '.repeat(10_000)));
    };
    socket.once('data', () => {
      socket.write('HTTP/1.1 200 OK\r\n');
      socket.on('drain', pour);
      pour();
    });
  };
  const verdict = await serve(flood, (port) => probe({ ...GET, body: 'y' }, { port }));
  expectDown(verdict, 'answer-too-long', /16384/);
});

/** A TLS server with our certificate that answers http. */
function serveTls<T>(run: (port: number) => Promise<T>): Promise<T> {
  const sockets = new Set<Socket>();
  const server = createTlsServer({ key: KEY, cert: CERTIFICATE }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.once('data', () => socket.write(`HTTP/1.1 200 ${String(socket.servername)}\r\n\r\n`));
  });
  server.on('tlsClientError', () => {});
  return listen(server, sockets, run, '127.0.0.1');
}

const LOOSE: TlsSettings = { isVerified: false, minDays: 0 };
const STRICT: TlsSettings = { name: 'shop.example', isVerified: true, minDays: 0 };

test('tls and https: any certificate will do unless it is to be verified', async () => {
  await serveTls(async (port) => {
    assert.deepEqual(await probe({ kind: 'tls', tls: LOOSE }, { port }), UP);
    assert.deepEqual(await probe({ ...GET, tls: LOOSE }, { port }), UP);
    const untrusted = await probe({ kind: 'tls', tls: STRICT }, { port });
    expectDown(untrusted, 'certificate', /UNABLE_TO|SELF_SIGNED/);
  });
});

test('tls: verification wants a known root and the right name', async () => {
  const context = { roots: [ROOT] };
  await serveTls(async (port) => {
    assert.deepEqual(await probe({ kind: 'tls', tls: STRICT }, { port }, context), UP);
    assert.deepEqual(await probe({ ...GET, tls: STRICT }, { port }, context), UP);
    const other = { ...STRICT, name: 'other.example' };
    const wrongName = await probe({ kind: 'tls', tls: other }, { port }, context);
    expectDown(wrongName, 'certificate', /ALTNAME/);
  });
});

test('tls: a certificate that expires too soon is down', async () => {
  await serveTls(async (port) => {
    const plenty = { ...LOOSE, minDays: 30 };
    assert.deepEqual(await probe({ kind: 'tls', tls: plenty }, { port }), UP);
    const verdict = await probe({ kind: 'tls', tls: { ...LOOSE, minDays: 1e6 } }, { port });
    expectDown(verdict, 'certificate', /^it expires in \d+ days$/);
  });
});

test('tls: a server that speaks no TLS, or hangs up, is refused', async () => {
  const tls: Procedure = { kind: 'tls', tls: LOOSE };
  const plain = await serve(reply('HTTP/1.1 400 Bad\r\n\r\n'), (port) => probe(tls, { port }));
  expectDown(plain, 'tls-refused', /SSL|EPROTO/);
  const hangUp = await serve(
    (s) => s.once('data', () => s.end()),
    (port) => probe(tls, { port }),
  );
  expectDown(hangUp, 'tls-refused', /./);
  const reset = await serve(
    (s) => s.once('data', () => s.resetAndDestroy()),
    (port) => probe(tls, { port }),
  );
  expectDown(reset, 'tls-refused', /./);
  const hang = await serve(silent, (port) => probe(tls, { port, timeoutMs: 100 }));
  expectDown(hang, 'timeout', /session/);
  expectDown(await probe(tls, { port: await closedPort() }), 'connect-refused', /ECONNREFUSED/);
});

test('smtp: a mail server is up, and is told QUIT', async () => {
  const heard: string[] = [];
  const talk = (socket: Socket) => {
    socket.write('220 mail ESMTP\r\n');
    socket.on('data', (bytes) => {
      heard.push(bytes.toString());
      if (bytes.toString().startsWith('EHLO')) socket.write('250-mail\r\n250 SIZE\r\n');
    });
  };
  await serve(talk, async (port) => {
    assert.deepEqual(await probe({ kind: 'smtp', helo: 'director' }, { port }), UP);
    await new Promise((done) => setTimeout(done, 50));
  });
  assert.deepEqual(heard, ['EHLO director\r\n', 'QUIT\r\n']);
});

test('dns: a name server is up; forged answers are passed over', async () => {
  const server = createSocket('udp4', (query, from) => {
    const forged = Uint8Array.from(query);
    forged.set([(query[0] ?? 0) ^ 1, query[1] ?? 0, 0x81, 0x85]);
    const answer = Uint8Array.from(query);
    answer.set([0x81, 0x80], 2);
    for (const bytes of [forged, utf8('?'), answer]) server.send(bytes, from.port, from.address);
  });
  await new Promise<void>((resolve) => server.bind(0, '127.0.0.1', resolve));
  const { port } = server.address();
  assert.deepEqual(await probe({ kind: 'dns', name: 'www.example', type: 'A' }, { port }), UP);
  server.close();
});

const program = (script: string, output?: string): Procedure => {
  const argv = ['/bin/sh', '-c', script];
  return output === undefined ? { kind: 'program', argv } : { kind: 'program', argv, output };
};
const runProgram = (procedure: Procedure, timeoutMs = 3000) =>
  probe(procedure, { port: 80, timeoutMs }, { spawner });

test('H4: stdout less its newline must equal expect', async () => {
  assert.deepEqual(await runProgram(program('echo OK', 'OK')), UP);
  assert.deepEqual(await runProgram(program('printf OK', 'OK')), UP);
  expectDown(
    await runProgram(program('echo OK now', 'OK')),
    'wrong-answer',
    /^"OK now" instead of "OK"/,
  );
  expectDown(await runProgram(program('printf "OK\\n\\n"', 'OK')), 'wrong-answer', /./);
});

test('H4: a program that fails, is killed, or cannot be run is down even with the right output', async () => {
  expectDown(
    await runProgram(program('echo OK; exit 3', 'OK')),
    'program-failed',
    /^status 3, said "OK"/,
  );
  expectDown(await runProgram(program('echo OK; kill -9 $$', 'OK')), 'program-failed', /signal 9/);
  const missing: Procedure = { kind: 'program', argv: ['/no/such/program'], output: 'OK' };
  expectDown(await runProgram(missing), 'program-failed', /ENOENT/);
});

test('H4: a program that runs too long is killed and down', async () => {
  const verdict = await runProgram(program('echo OK; exec sleep 30', 'OK'), 200);
  expectDown(verdict, 'timeout', /program/);
});

test('H4: programs run as an unprivileged user when we are root', async (context) => {
  if (process.getuid?.() !== 0) return context.skip('only root can run programs as somebody else');
  assert.deepEqual(await runProgram(program('id -u; id -g', '65534\n65534')), UP);
});

test('today: check = program needs status 0 and nothing else', async () => {
  assert.deepEqual(await runProgram(program('echo whatever')), UP);
  expectDown(await runProgram(program('exit 1')), 'program-failed', /^status 1/);
});

test('a program that floods its output is bounded', async () => {
  const verdict = await runProgram(program('head -c 10000000 /dev/zero', 'OK'));
  expectDown(verdict, 'wrong-answer', /instead of "OK"/);
  assert.ok(!verdict.isUp && verdict.detail.length <= 200);
});

test('without a spawner or the right to ping the check is down by our own limits', async () => {
  expectDown(await probe(program('true'), { port: 80 }), 'own-limits', /spawner/);
  expectDown(await probe({ kind: 'ping' }, { port: 0 }), 'own-limits', /ping/);
});
