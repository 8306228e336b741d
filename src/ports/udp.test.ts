import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { ip } from '../base/index.ts';
import { SO_PRIORITY, SOL_SOCKET } from './linux.ts';
import { native } from './native.ts';
import { LinuxPoller } from './poller.ts';
import { type HeartbeatSocketOptions, openHeartbeatSocket } from './udp.ts';

const hasIpv6 = /^0{31}1 /m.test(readFileSync('/proc/net/if_inet6', 'utf8'));

function open(options: HeartbeatSocketOptions) {
  const opened = openHeartbeatSocket(options);
  assert.ok(opened.ok, JSON.stringify(opened));
  return opened.value;
}

function refusal(options: HeartbeatSocketOptions) {
  const opened = openHeartbeatSocket(options);
  if (opened.ok) opened.value.close();
  assert.ok(!opened.ok);
  return opened.error;
}

for (const loopback of [ip('127.0.0.1'), ip('::1')]) {
  test(`a heartbeat over ${loopback} arrives with its sender`, (t) => {
    if (loopback === '::1' && !hasIpv6) return t.skip('this machine has no IPv6');
    const [one, two] = [
      open({ address: loopback, port: 0 }),
      open({ address: loopback, port: 0, device: 'lo' }),
    ];
    try {
      assert.deepEqual(two.receive(), []);
      const heartbeat = Uint8Array.of(0xda, 0xdb, 0xad, 0xbd);
      assert.equal(one.send(loopback, two.port, heartbeat), undefined);
      assert.equal(one.send(loopback, two.port, new Uint8Array(0)), undefined);
      assert.deepEqual(new LinuxPoller().wait([one.fd, two.fd], 1000), [two.fd]);
      const from = { from: loopback, port: one.port };
      assert.deepEqual(two.receive(1), [{ ...from, bytes: heartbeat }]);
      assert.deepEqual(two.receive(), [{ ...from, bytes: new Uint8Array(0) }]);
      assert.deepEqual(two.receive(), []);
    } finally {
      one.close();
      two.close();
    }
  });
}

test('received bytes stay what they were when the next datagrams arrive', () => {
  const socket = open({ address: ip('127.0.0.1'), port: 0 });
  try {
    socket.send(ip('127.0.0.1'), socket.port, Uint8Array.of(1));
    const [first] = socket.receive();
    socket.send(ip('127.0.0.1'), socket.port, Uint8Array.of(2));
    socket.receive();
    assert.deepEqual(first?.bytes, Uint8Array.of(1));
  } finally {
    socket.close();
  }
});

test('of a datagram that is no heartbeat by its length the beginning is kept', () => {
  const socket = open({ address: ip('127.0.0.1'), port: 0 });
  try {
    socket.send(ip('127.0.0.1'), socket.port, new Uint8Array(5000).fill(7));
    assert.deepEqual(socket.receive()[0]?.bytes, new Uint8Array(2048).fill(7));
  } finally {
    socket.close();
  }
});

test('two directors on one address and port collide', () => {
  const first = open({ address: ip('127.0.0.1'), port: 0 });
  const error = refusal({ address: ip('127.0.0.1'), port: first.port });
  first.close();
  assert.deepEqual(error, {
    operation: 'bind',
    target: `127.0.0.1:${first.port}`,
    code: 'EADDRINUSE',
  });
});

test('an address that is not ours and a device that is not there are refused by name', () => {
  assert.deepEqual(refusal({ address: ip('192.0.2.1'), port: 539 }), {
    operation: 'bind',
    target: '192.0.2.1:539',
    code: 'EADDRNOTAVAIL',
  });
  assert.deepEqual(refusal({ address: ip('127.0.0.1'), port: 0, device: 'no-such-if' }), {
    operation: 'interface',
    target: 'no-such-if',
    code: 'ENODEV',
  });
});

test('a refused socket leaves no descriptor behind', () => {
  const before = native().eventfd();
  native().close(before);
  refusal({ address: ip('192.0.2.1'), port: 539 });
  const afterwards = native().eventfd();
  native().close(afterwards);
  assert.equal(afterwards, before);
});

test('a send that is refused is an error that names the partner', () => {
  const socket = open({ address: ip('127.0.0.1'), port: 0 });
  const error = socket.send(ip('255.255.255.255'), 539, Uint8Array.of(1));
  socket.close();
  assert.deepEqual(error, {
    operation: 'send',
    target: '255.255.255.255 port 539',
    code: 'EACCES',
  });
});

test('an answer of "port unreachable" does not keep the next heartbeat from being read', () => {
  const socket = open({ address: ip('127.0.0.1'), port: 0 });
  try {
    socket.send(ip('127.0.0.1'), 1, Uint8Array.of(1));
    socket.send(ip('127.0.0.1'), socket.port, Uint8Array.of(2));
    assert.deepEqual(socket.receive()[0]?.bytes, Uint8Array.of(2));
  } finally {
    socket.close();
  }
});

test('heartbeats leave before other traffic', () => {
  const socket = open({ address: ip('127.0.0.1'), port: 0 });
  const value = new Uint8Array(4);
  native().getsockopt(socket.fd, SOL_SOCKET, SO_PRIORITY, value);
  const priority = value[0];
  native().getsockopt(socket.fd, 0, 1, value); // IP_TOS
  socket.close();
  assert.deepEqual([priority, value[0]], [6, 0xc0]);
});
