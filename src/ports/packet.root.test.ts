import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ip as address, concatBytes, mac } from '../base/index.ts';
import {
  encodeArpQuestion,
  encodeEchoFrame,
  encodeIcmpFrame,
  encodeNeighbourQuestion,
  encodeTcpFrame,
} from '../wire/index.ts';
import { enterNamespace, ip } from './enter-namespace.ts';
import { SO_MARK, SOL_SOCKET } from './linux.ts';
import { native } from './native.ts';
import { type Hearing, openPacketSocket } from './packet.ts';
import { LinuxPoller } from './poller.ts';
import { openHeartbeatSocket } from './udp.ts';

enterNamespace();
// Nothing speaks by itself on these: no IPv6, no multicast joins.
ip('link', 'add', 'left', 'type', 'veth', 'peer', 'name', 'right');
for (const name of ['left', 'right']) {
  ip('link', 'set', name, 'addrgenmode', 'none');
  ip('link', 'set', name, 'up');
}
const index = (name: string): number => native().interfaceIndex(name);

function open(name: string, hears?: Hearing, firstPort?: number) {
  const opened = openPacketSocket({
    index: index(name),
    name,
    ...(hears && { hears }),
    ...(firstPort !== undefined && { firstPort }),
  });
  assert.ok(opened.ok, JSON.stringify(opened));
  return opened.value;
}

const BROADCAST = new Uint8Array(6).fill(0xff);
const SOURCE = Uint8Array.of(2, 0, 0, 0, 0, 0x11);

/** A frame of 60 bytes with `etherType`, and `bytes` from offset 14 on. */
function frame(etherType: number, bytes: readonly number[] = []): Uint8Array {
  const type = Uint8Array.of(etherType >> 8, etherType & 0xff);
  const head = concatBytes(BROADCAST, SOURCE, type, Uint8Array.from(bytes));
  return concatBytes(head, new Uint8Array(60 - head.length));
}

/** An IPv6 packet with `nextHeader` whose payload begins with `type`. */
function ipv6(nextHeader: number, type: number): Uint8Array {
  const header = new Array<number>(40).fill(0);
  header[0] = 0x60;
  header[6] = nextHeader;
  return frame(0x86dd, [...header, type]);
}

const ARP = frame(0x0806, [0, 1, 8, 0, 6, 4, 0, 2]);

function sendAll(frames: readonly Uint8Array[]): void {
  const sender = open('left');
  for (const each of frames) assert.equal(sender.send(each), undefined);
  sender.close();
}

test('a frame arrives whole at the other end of the cable, and not at its own', () => {
  const [near, far] = [open('left', 'arp'), open('right', 'arp')];
  assert.equal(near.send(ARP), undefined);
  assert.deepEqual(new LinuxPoller().wait([near.fd, far.fd], 1000), [far.fd]);
  assert.deepEqual(far.receive(), [ARP]);
  assert.deepEqual(far.receive(), []);
  assert.deepEqual(near.receive(), []);
  near.close();
  far.close();
});

test('a socket hears only what it was opened for', () => {
  const solicitation = ipv6(58, 135);
  const advertisement = ipv6(58, 136);
  const others = [
    frame(0x0800, [0x45]),
    ipv6(58, 134),
    ipv6(58, 128),
    ipv6(17, 135),
    frame(0x88cc),
  ];
  const [nothing, arp, neighbours] = [
    open('right'),
    open('right', 'arp'),
    open('right', 'neighbours'),
  ];
  sendAll([ARP, solicitation, ...others, advertisement, ARP]);
  assert.deepEqual(nothing.receive(), []);
  assert.deepEqual(arp.receive(), [ARP, ARP]);
  assert.deepEqual(neighbours.receive(), [ARP, solicitation, advertisement, ARP]);
  for (const socket of [nothing, arp, neighbours]) socket.close();
});

test('a witness hears echo replies with its identifier beside ARP and neighbour discovery', () => {
  const echo = (family: 4 | 6, kind: 'request' | 'reply', identifier: number) => {
    const four = { sourceIp: address('198.51.100.1'), destinationIp: address('198.51.100.100') };
    const six = { sourceIp: address('fd77::1'), destinationIp: address('fd77::100') };
    return encodeEchoFrame({
      ...(family === 4 ? four : six),
      kind,
      identifier,
      sequence: 3,
      data: new Uint8Array(24),
      hopLimit: 64,
      source: mac('02:00:00:00:00:11'),
      destination: mac('02:00:00:00:00:12'),
    });
  };
  /** Six words of header: an option of four bytes, NOP NOP NOP END. */
  const withOption = (frame: Uint8Array): Uint8Array => {
    const head = frame.slice(0, 34);
    head[14] = 0x46;
    return concatBytes(head, Uint8Array.of(1, 1, 1, 0), frame.subarray(34));
  };
  const fragment = echo(4, 'reply', 77).slice();
  fragment[21] = 1;
  const wanted = [
    ARP,
    ipv6(58, 135),
    ipv6(58, 136),
    echo(4, 'reply', 77),
    withOption(echo(4, 'reply', 77)),
    echo(6, 'reply', 77),
  ];
  const others = [
    echo(4, 'reply', 78),
    echo(4, 'request', 77),
    withOption(echo(4, 'reply', 78)),
    fragment,
    echo(6, 'reply', 78),
    echo(6, 'request', 77),
    frame(0x0800, [0x45, 0, 0, 20, 0, 0, 0, 0, 64, 17]),
    ipv6(17, 129),
    frame(0x88cc),
  ];
  const opened = openPacketSocket({ index: index('right'), hears: 'answers', echoIdentifier: 77 });
  assert.ok(opened.ok);
  sendAll([...wanted, ...others]);
  assert.deepEqual(opened.value.receive(), wanted);
  opened.value.close();
});

test('frames wait in order, and are taken as many at a time as wanted', () => {
  const far = open('right', 'arp');
  const frames = Array.from({ length: 100 }, (_, number) => frame(0x0806, [number]));
  sendAll(frames);
  const first = far.receive(30);
  assert.equal(first.length, 30);
  const second = far.receive();
  assert.equal(second.length, 64);
  assert.deepEqual([...first, ...second, ...far.receive()], frames);
  far.close();
});

test('a cable that is pulled shows in sending, and does not stop the hearing for good', async () => {
  const [near, far] = [open('left'), open('right', 'arp')];
  ip('link', 'set', 'left', 'down');
  assert.deepEqual(near.send(ARP), { operation: 'send', target: 'left', code: 'ENETDOWN' });
  ip('link', 'set', 'right', 'down');
  assert.deepEqual(far.receive(), []);
  ip('link', 'set', 'left', 'up');
  ip('link', 'set', 'right', 'up');
  // The kernel takes its time to find the carrier.
  let heard: readonly Uint8Array[] = [];
  for (let attempt = 0; attempt < 100 && heard.length === 0; attempt++) {
    near.send(ARP);
    heard = far.receive();
    if (heard.length === 0) await sleep(20);
  }
  assert.deepEqual(heard[0], ARP);
  near.close();
  far.close();
});

test('an interface that is not there is refused by name', () => {
  const opened = openPacketSocket({ index: 4711, name: 'eth9', hears: 'arp' });
  assert.deepEqual(opened, {
    ok: false,
    error: { operation: 'bind', target: 'eth9', code: 'ENODEV' },
  });
});

test('a heartbeat socket bound to a device hears only that device', () => {
  ip('addr', 'add', '192.0.2.1/24', 'dev', 'left');
  ip('link', 'set', 'left', 'arp', 'off');
  const any = openHeartbeatSocket({ address: address('192.0.2.1'), port: 539 });
  assert.ok(any.ok);
  any.value.send(address('192.0.2.1'), 539, Uint8Array.of(1)); // over lo
  assert.deepEqual(any.value.receive()[0]?.bytes, Uint8Array.of(1));
  any.value.close();
  const bound = openHeartbeatSocket({ address: address('192.0.2.1'), port: 539, device: 'right' });
  assert.ok(bound.ok);
  const sender = openHeartbeatSocket({ address: address('192.0.2.1'), port: 0 });
  assert.ok(sender.ok);
  sender.value.send(address('192.0.2.1'), 539, Uint8Array.of(2)); // over lo again
  assert.deepEqual(bound.value.receive(), []);
  bound.value.close();
  sender.value.close();
});

test('a heartbeat leaves with the marks of network control', () => {
  ip('neigh', 'replace', '192.0.2.2', 'lladdr', '02:00:00:00:00:22', 'dev', 'left');
  const far = native().socket(17, 3, 0); // AF_PACKET, SOCK_RAW: everything, to see the IPv4 header
  const everything = Uint8Array.of(17, 0, 0, 3, index('right'), 0, 0, 0, ...new Uint8Array(12));
  assert.equal(native().bind(far, everything), 0);
  const socket = openHeartbeatSocket({
    address: address('192.0.2.1'),
    port: 539,
    mark: 0xfeedbeef,
  });
  assert.ok(socket.ok);
  const mark = new Uint8Array(4);
  native().getsockopt(socket.value.fd, SOL_SOCKET, SO_MARK, mark);
  assert.equal(new Uint32Array(mark.buffer)[0], 0xfeedbeef);
  assert.equal(socket.value.send(address('192.0.2.2'), 539, Uint8Array.of(0xda)), undefined);
  const bytes = new Uint8Array(256);
  const lengths = new Int32Array(1);
  assert.equal(native().recvmmsg(far, bytes, 256, lengths), 1);
  assert.equal(bytes[12], 0x08); // IPv4
  assert.equal(bytes[15], 0xc0); // type of service
  native().close(far);
  socket.value.close();
});

test('a link-local path needs its device and then carries heartbeats', () => {
  if (!readFileSync('/proc/net/if_inet6', 'utf8').includes('lo')) return;
  ip('addr', 'add', 'fe80::1/64', 'dev', 'left', 'nodad');
  ip('addr', 'add', 'fe80::2/64', 'dev', 'right', 'nodad');
  const [left, right] = [
    openHeartbeatSocket({ address: address('fe80::1'), port: 539, device: 'left' }),
    openHeartbeatSocket({ address: address('fe80::2'), port: 539, device: 'right' }),
  ];
  assert.ok(left.ok && right.ok, JSON.stringify([left, right]));
  for (const [name, peer, mac] of [
    ['left', 'fe80::2', 'right'],
    ['right', 'fe80::1', 'left'],
  ] as const) {
    const lladdr = readFileSync(`/sys/class/net/${mac}/address`, 'utf8').trim();
    ip('neigh', 'replace', peer, 'lladdr', lladdr, 'dev', name);
  }
  ip('link', 'set', 'left', 'arp', 'on');
  assert.equal(left.value.send(address('fe80::2'), 539, Uint8Array.of(1)), undefined);
  assert.deepEqual(new LinuxPoller().wait([right.value.fd], 1000), [right.value.fd]);
  assert.deepEqual(right.value.receive(), [
    { from: 'fe80::1', port: 539, bytes: Uint8Array.of(1) },
  ]);
  const without = openHeartbeatSocket({ address: address('fe80::1'), port: 540 });
  assert.ok(!without.ok);
  assert.equal(without.error.code, 'EINVAL');
  left.value.close();
  right.value.close();
});

describe('who asks a segment hears', () => {
  const envelope = { destination: mac('02:00:00:00:00:22'), source: mac('02:00:00:00:00:11') };
  const four = { ...envelope, sourceIp: address('192.0.2.1'), destinationIp: address('192.0.2.2') };
  const six = { ...envelope, sourceIp: address('fd77::1'), destinationIp: address('fd77::2') };
  const tcp = { sourcePort: 80, sequence: 1, acknowledgement: 2, flags: ['syn'] } as const;
  const icmp = { hopLimit: 64, code: 0, body: new Uint8Array(8) };
  const who = { senderMac: envelope.source };
  const udp = (ip4: boolean, port: number): Uint8Array => {
    const head = new Array<number>(ip4 ? 20 : 40).fill(0);
    head[0] = ip4 ? 0x45 : 0x60;
    head[ip4 ? 9 : 6] = 17;
    return frame(ip4 ? 0x0800 : 0x86dd, [...head, 0, 1, port >> 8, port & 0xff]);
  };
  const heard = (hears: Hearing, firstPort: number, frames: readonly Uint8Array[]) => {
    const socket = open('right', hears, firstPort);
    sendAll(frames);
    const got = socket.receive();
    socket.close();
    return got;
  };

  test('answers to its ports, neighbours, and what could not be delivered; nothing else', () => {
    const wanted = [
      encodeArpQuestion({ ...who, senderIp: four.sourceIp, targetIp: four.destinationIp }),
      encodeNeighbourQuestion({ ...who, senderIp: six.sourceIp, targetIp: six.destinationIp }),
      ...[four, six].flatMap((place) => [
        encodeTcpFrame({ ...place, ...tcp, destinationPort: 61_440 }),
        encodeTcpFrame({ ...place, ...tcp, destinationPort: 61_503 }),
      ]),
      encodeIcmpFrame({ ...four, ...icmp, type: 3, code: 4 }),
      encodeIcmpFrame({ ...six, ...icmp, type: 2 }),
      encodeIcmpFrame({ ...six, ...icmp, type: 1 }),
    ];
    const others = [
      ...[four, six].flatMap((place) => [
        encodeTcpFrame({ ...place, ...tcp, destinationPort: 61_439 }),
        encodeTcpFrame({ ...place, ...tcp, destinationPort: 61_504 }),
      ]),
      encodeIcmpFrame({ ...four, ...icmp, type: 8 }),
      encodeIcmpFrame({ ...six, ...icmp, type: 128 }),
      udp(true, 61_440),
      udp(false, 61_440),
      frame(0x88cc),
    ];
    assert.deepEqual(heard('segments', 61_440, [...others, ...wanted, ...others]), wanted);
  });

  test('datagrams to one port of both families, and nothing else', () => {
    const wanted = [udp(true, 539), udp(false, 539)];
    const others = [
      udp(true, 540),
      udp(false, 538),
      encodeTcpFrame({ ...four, ...tcp, destinationPort: 539 }),
      encodeTcpFrame({ ...six, ...tcp, destinationPort: 539 }),
      encodeArpQuestion({ ...who, senderIp: four.sourceIp, targetIp: four.destinationIp }),
    ];
    assert.deepEqual(heard('datagrams', 539, [...others, ...wanted]), wanted);
  });
});
