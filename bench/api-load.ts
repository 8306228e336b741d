/**
 * The loads of bench/api.ts, each in a process of its own: requests at a rate, clients that send a byte now and then, bodies
 * that never end, streams that nobody reads. Each tells in one line what it did.
 */
import { Agent, request } from 'node:http';
import { connect, type Socket } from 'node:net';

export const RATE = 1000;
export const STREAMS = 10_000;
export const SLOW = 500;
export const BODIES = 16;

export async function runLoad(load: string, socket: string, seconds: number): Promise<string> {
  const end = performance.now() + seconds * 1000;
  switch (load) {
    case 'requests':
      return runRequests(socket, end);
    case 'slow':
      return runSlow(socket, end);
    case 'bodies':
      return runBodies(socket, end);
    default:
      return runStreams(socket, end);
  }
}

async function runRequests(socketPath: string, end: number): Promise<string> {
  const agent = new Agent({ keepAlive: true, maxSockets: 32 });
  const paths = ['/v1/status', '/v1/services', '/v1/status', '/v1/events/recent', '/metrics'];
  const answers = new Map<number, number>();
  const begun = performance.now();
  let sent = 0;
  const waiting = new Set<Promise<void>>();
  while (performance.now() < end) {
    const due = ((performance.now() - begun) * RATE) / 1000;
    for (; sent < due && waiting.size < 500; sent++) {
      const path = paths[sent % paths.length] ?? '/v1/status';
      const one = ask({ socketPath, path, agent }).then((status) => {
        answers.set(status, (answers.get(status) ?? 0) + 1);
        waiting.delete(one);
      });
      waiting.add(one);
    }
    await sleep(2);
  }
  const done = [...answers.values()].reduce((sum, count) => sum + count, 0);
  const rate = (done * 1000) / (performance.now() - begun);
  agent.destroy();
  const kinds = Array.from(answers, ([status, count]) => `${count} answered ${status}`);
  return `${rate.toFixed(0)} answered a second (${kinds.join(', ')})`;
}

async function runSlow(socket: string, end: number): Promise<string> {
  let begun = 0;
  const open = new Set<Socket>();
  while (performance.now() < end) {
    while (open.size < SLOW) {
      begun++;
      const one = opened(socket, open);
      one.write('GET /v1/status HTTP/1.1\r\nx-');
    }
    await sleep(300);
    for (const one of open) if (one.writable) one.write('x');
  }
  for (const one of open) one.destroy();
  return `${begun} connections begun`;
}

async function runBodies(socket: string, end: number): Promise<string> {
  const open = new Set<Socket>();
  const chunk = `10000\r\n${'x'.repeat(65_536)}\r\n`;
  let begun = 0;
  let bytes = 0;
  while (performance.now() < end) {
    while (open.size < BODIES) {
      begun++;
      const one = opened(socket, open);
      const isHonest = begun % 2 === 0;
      const length = isHonest ? 'content-length: 100000000' : 'transfer-encoding: chunked';
      one.write(`POST /v1/reload HTTP/1.1\r\nhost: x\r\n${length}\r\n\r\n`);
      const pour = (): void => {
        while (one.writable && one.write(chunk)) bytes += chunk.length;
      };
      one.on('drain', pour);
      pour();
    }
    await sleep(5);
  }
  for (const one of open) one.destroy();
  return `${begun} begun, ${(bytes / begun / 1e6).toFixed(2)} MB taken of each`;
}

async function runStreams(socket: string, end: number): Promise<string> {
  const open = new Set<Socket>();
  const answers = new Map<string, number>();
  for (let number = 0; number < STREAMS; number++) {
    const one = opened(socket, open);
    one.once('data', (bytes: Uint8Array) => {
      one.pause();
      const status = new TextDecoder().decode(bytes.subarray(9, 12));
      answers.set(status, (answers.get(status) ?? 0) + 1);
    });
    one.write('GET /v1/events?since=1.1 HTTP/1.1\r\nhost: x\r\n\r\n');
    if (number % 200 === 0) await sleep(5);
  }
  await sleep(Math.max(0, end - performance.now()));
  for (const one of open) one.destroy();
  const kinds = Array.from(answers, ([status, count]) => `${count} answered ${status}`);
  return `${kinds.join(', ')}, the others turned away at the door`;
}

function opened(path: string, open: Set<Socket>): Socket {
  const socket = connect(path);
  open.add(socket);
  socket.on('error', () => socket.destroy());
  socket.on('end', () => socket.destroy());
  socket.on('close', () => open.delete(socket));
  return socket;
}

/** The status of the answer; 0: there was none. */
export function ask(options: {
  readonly socketPath: string;
  readonly path: string;
  readonly agent?: Agent;
}) {
  return new Promise<number>((resolve) => {
    const asked = request({ ...options, timeout: 5000 }, (response) => {
      response.resume();
      response.once('end', () => resolve(response.statusCode ?? 0));
      response.once('error', () => resolve(0));
    });
    asked.once('error', () => resolve(0));
    asked.end();
  });
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
