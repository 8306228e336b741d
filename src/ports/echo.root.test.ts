import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { type IpAddress, ip } from '../base/index.ts';
import { type EchoReply, type EchoSocket, openEchoSocket } from './echo.ts';
import { enterNamespace } from './enter-namespace.ts';

enterNamespace();

function open(family: 4 | 6, identifier: number): EchoSocket {
  const socket = openEchoSocket(family, identifier);
  assert.ok(socket.ok, JSON.stringify(socket));
  return socket.value;
}

/** Replies within 100 ms of a question. */
async function ask(
  socket: EchoSocket,
  to: IpAddress,
  sequence: number,
): Promise<readonly EchoReply[]> {
  assert.equal(socket.send(to, sequence), undefined);
  await new Promise((resolve) => setTimeout(resolve, 100));
  return socket.receive();
}

test('an echo comes back with its number, over IPv4 and IPv6', async () => {
  for (const [family, own] of [
    [4, ip('127.0.0.1')],
    [6, ip('::1')],
  ] as const) {
    const socket = open(family, 0xbeef);
    assert.deepEqual(await ask(socket, own, 0x1234), [{ from: own, sequence: 0x1234 }]);
    socket.close();
  }
});

test('a socket hears only replies that carry its own identifier, and no requests', async () => {
  const [mine, other] = [open(4, 1), open(4, 2)];
  assert.equal((await ask(mine, ip('127.0.0.1'), 7)).length, 1);
  assert.deepEqual(other.receive(), []);
  mine.close();
  other.close();
});

test('a machine that ignores echoes stays silent', async () => {
  writeFileSync('/proc/sys/net/ipv4/icmp_echo_ignore_all', '1');
  const socket = open(4, 3);
  assert.deepEqual(await ask(socket, ip('127.0.0.1'), 1), []);
  socket.close();
  writeFileSync('/proc/sys/net/ipv4/icmp_echo_ignore_all', '0');
});

test('what cannot be sent is told by name', () => {
  const socket = open(4, 4);
  assert.equal(socket.send(ip('198.51.100.1'), 1)?.code, 'ENETUNREACH');
  assert.equal(socket.send(ip('::1'), 1)?.code, 'EAFNOSUPPORT');
  socket.close();
});
