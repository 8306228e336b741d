import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { ip as address, mac } from '../base/index.ts';
import { enterNamespace, openPacketSocket, runIp } from '../ports/index.ts';
import { decodeArp } from '../wire/index.ts';

enterNamespace();

const SEND_ARP = join(import.meta.dirname, '..', '..', 'bin', 'send_arp');

before(() => {
  runIp('link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth1');
  for (const device of ['eth0', 'eth1']) runIp('link', 'set', device, 'addrgenmode', 'none', 'up');
});

function sendArp(...words: readonly string[]) {
  return spawnSync(SEND_ARP, words, { encoding: 'utf8', timeout: 20_000 });
}

function ear(device: string) {
  const index = Number(/^\d+/.exec(runIp('-o', 'link', 'show', 'dev', device))?.[0]);
  const socket = openPacketSocket({ index, name: device, hears: 'arp' });
  assert.ok(socket.ok);
  return socket.value;
}

test('one reply of 60 bytes, to the target link-layer address, the sender repeated as target', () => {
  const socket = ear('eth1');
  const words = ['198.51.100.100', '02:00:00:00:00:11', '198.51.100.255', 'ff:ff:ff:ff:ff:ff'];
  assert.equal(sendArp('-i', 'eth0', ...words).status, 0);
  const frames = socket.receive();
  socket.close();
  assert.equal(frames.length, 1);
  const [frame] = frames;
  assert.equal(frame?.length, 60);
  const decoded = decodeArp(frame ?? new Uint8Array());
  assert.deepEqual(decoded.ok && decoded.value, {
    destination: mac('ff:ff:ff:ff:ff:ff'),
    source: mac('02:00:00:00:00:11'),
    operation: 'reply',
    senderMac: mac('02:00:00:00:00:11'),
    senderIp: address('198.51.100.100'),
    targetMac: mac('02:00:00:00:00:11'),
    targetIp: address('198.51.100.100'),
  });
});

test('each bad argument is named, exit 1', () => {
  const good = ['198.51.100.100', '02:00:00:00:00:11', '198.51.100.255', 'ff:ff:ff:ff:ff:ff'];
  const bad: readonly (readonly [readonly string[], RegExp])[] = [
    [good.slice(1), /four addresses expected/],
    [['300.1.1.1', ...good.slice(1)], /src_ip 300\.1\.1\.1: not an IPv4 address/],
    [['fd77::1', ...good.slice(1)], /src_ip fd77::1: not an IPv4 address/],
    [[...good.slice(0, 3), 'ff:ff'], /target_mac ff:ff: not a link-layer address/],
    [['-i', 'eth9', ...good], /interface eth9 does not exist/],
  ];
  for (const [words, sentence] of bad) {
    const { status, stderr } = sendArp(...words);
    assert.equal(status, 1);
    assert.match(stderr, sentence);
  }
});
