/**
 * The ends of a connection inside the guest.
 *
 *   peer.ts serve NAME PORT...     answers every line of a TCP connection with an HTTP reply that carries NAME
 *   peer.ts fetch                  orders on standard input, one a line, one line of JSON each:
 *                                  `get N HOST PORT` new connections one after the other: answers by server;
 *                                  `slowest` tells how many ms the slowest of them took;
 *                                  `hold HOST PORT` opens one connection and keeps it, `again` asks over it once more,
 *                                  `port` tells its port at this end.
 */
import { createConnection, createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';

const LIMIT_MS = 3000;
let held: Socket | undefined;
let slowestMs = 0;

function serve(name: string, ports: readonly string[]): void {
  const reply = `HTTP/1.0 200 OK\r\n\r\n${name}\n`;
  const server = () =>
    createServer((socket) => {
      socket.on('error', () => socket.destroy());
      socket.on('data', (bytes) => {
        socket.write(reply);
        if (bytes.includes('GET')) socket.end();
      });
    });
  let left = ports.length;
  for (const port of ports) {
    server().listen(Number(port), '::', () => {
      left--;
      if (left === 0) process.stdout.write('listening\n');
    });
  }
}

/** One question over a socket: the server's name, or what went wrong. */
function ask(socket: Socket, question: string): Promise<string> {
  return new Promise((resolve) => {
    const limit = setTimeout(() => finish('timeout'), LIMIT_MS);
    const finish = (answer: string): void => {
      clearTimeout(limit);
      socket.off('data', hear);
      socket.off('error', fail);
      resolve(answer);
    };
    const hear = (bytes: Buffer): void => finish(bytes.toString().trim().split('\n').at(-1) ?? '');
    const fail = (error: Error): void => finish(error.message.split(' ')[1] ?? 'error');
    socket.on('data', hear);
    socket.on('error', fail);
    socket.write(question);
  });
}

async function obey([verb, ...words]: readonly string[]): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  const count = (name: string): void => {
    counts[name] = (counts[name] ?? 0) + 1;
  };
  if (verb === 'get') {
    const [times, host = '', port] = words;
    slowestMs = 0;
    for (let left = Number(times); left > 0; left--) {
      const begunAt = performance.now();
      const socket = createConnection({ host, port: Number(port) });
      count(await ask(socket, 'GET / HTTP/1.0\r\n\r\n'));
      socket.destroy();
      slowestMs = Math.max(slowestMs, performance.now() - begunAt);
    }
  } else if (verb === 'port') {
    counts.port = held?.localPort ?? 0;
  } else if (verb === 'slowest') {
    counts.ms = Math.round(slowestMs);
  } else if (verb === 'hold') {
    const [host = '', port] = words;
    held = createConnection({ host, port: Number(port) });
    count(await ask(held, 'hello\n'));
  } else if (held !== undefined) count(await ask(held, 'again\n'));
  return counts;
}

const [verb, ...words] = process.argv.slice(2);
if (verb === 'serve') serve(words[0] ?? '', words.slice(1));
else {
  process.stdout.write('ready\n');
  for await (const line of createInterface({ input: process.stdin })) {
    process.stdout.write(`${JSON.stringify(await obey(line.split(' ')))}\n`);
  }
}
