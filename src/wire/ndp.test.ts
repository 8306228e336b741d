import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { concatBytes, fromHex, ip, ipFromBytes, mac, macFromBytes, toHex } from '../base/index.ts';
import { FRAME_FAULTS } from './ethernet.ts';
import { internetChecksum, ipv6PseudoHeader } from './ip.ts';
import {
  decodeNeighbour,
  encodeNeighbour,
  encodeNeighbourAnnouncement,
  encodeNeighbourQuestion,
} from './ndp.ts';

/** Linux 6.18 announces fd77::fe by itself (ndisc_notify) after its link-layer address changed. */
const ANNOUNCEMENT =
  '33 33 00 00 00 01 02 00 00 00 00 fd 86 dd ' + // to all nodes
  '60 00 00 00 00 20 3a ff ' + // 32 bytes of ICMPv6, hop limit 255
  'fd 77 00 00 00 00 00 00 00 00 00 00 00 00 00 fe ' + // from the address itself
  'ff 02 00 00 00 00 00 00 00 00 00 00 00 00 00 01 ' +
  '88 00 56 b7 20 00 00 00 ' + // advertisement, checksum, override
  'fd 77 00 00 00 00 00 00 00 00 00 00 00 00 00 fe ' + // target
  '02 01 02 00 00 00 00 fd'; // target link-layer address
/** It asks who has fd77::fe. */
const QUESTION =
  '33 33 ff 00 00 fe 02 00 00 00 00 11 86 dd 60 00 00 00 00 20 3a ff ' +
  'fd 77 00 00 00 00 00 00 00 00 00 00 00 00 00 01 ' +
  'ff 02 00 00 00 00 00 00 00 00 00 01 ff 00 00 fe ' + // its solicited-node group
  '87 00 7a a1 00 00 00 00 ' +
  'fd 77 00 00 00 00 00 00 00 00 00 00 00 00 00 fe ' +
  '01 01 02 00 00 00 00 11'; // source link-layer address
/** It answers: solicited and override. */
const ANSWER =
  '02 00 00 00 00 11 02 00 00 00 00 fe 86 dd 60 00 00 00 00 20 3a ff ' +
  'fd 77 00 00 00 00 00 00 00 00 00 00 00 00 00 fe ' +
  'fd 77 00 00 00 00 00 00 00 00 00 00 00 00 00 01 ' +
  '88 00 18 41 60 00 00 00 ' +
  'fd 77 00 00 00 00 00 00 00 00 00 00 00 00 00 fe ' +
  '02 01 02 00 00 00 00 fe';
/** It probes for a duplicate of fd77::77: nobody asks, and an option we do not know (a nonce). */
const PROBE =
  '33 33 ff 00 00 77 02 00 00 00 00 fd 86 dd 60 00 00 00 00 20 3a ff ' +
  '00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 ' +
  'ff 02 00 00 00 00 00 00 00 00 00 01 ff 00 00 77 ' +
  '87 00 a0 14 00 00 00 00 ' +
  'fd 77 00 00 00 00 00 00 00 00 00 00 00 00 00 77 ' +
  '0e 01 ae 64 81 e1 9d de';

const VIP = ip('fd77::fe');

test('an announcement is byte for byte what the kernel sends for an address of its own', () => {
  const bytes = encodeNeighbourAnnouncement({ vip: VIP, mac: mac('02:00:00:00:00:fd') });
  assert.equal(toHex(bytes), ANNOUNCEMENT);
});

test('an announcement for the partner leaves from our own link-layer address', () => {
  const source = mac('02:00:00:00:00:22');
  const bytes = encodeNeighbourAnnouncement({ vip: VIP, mac: mac('02:00:00:00:00:11'), source });
  const frame = decodeNeighbour(bytes);
  assert.ok(frame.ok);
  assert.equal(frame.value.source, source);
  assert.equal(frame.value.linkLayer, mac('02:00:00:00:00:11'));
});

test('a question is byte for byte what the kernel asks', () => {
  const senderMac = mac('02:00:00:00:00:11');
  const bytes = encodeNeighbourQuestion({ senderMac, senderIp: ip('fd77::1'), targetIp: VIP });
  assert.equal(toHex(bytes), QUESTION);
});

test('a captured answer is read, and written back byte for byte', () => {
  const frame = decodeNeighbour(fromHex(ANSWER));
  assert.deepEqual(frame, {
    ok: true,
    value: {
      kind: 'advertisement',
      destination: mac('02:00:00:00:00:11'),
      source: mac('02:00:00:00:00:fe'),
      sourceIp: VIP,
      destinationIp: ip('fd77::1'),
      target: VIP,
      isRouter: false,
      isSolicited: true,
      isOverride: true,
      linkLayer: mac('02:00:00:00:00:fe'),
    },
  });
  assert.ok(frame.ok);
  assert.equal(toHex(encodeNeighbour(frame.value)), ANSWER);
});

test('a probe for duplicates is read, its unknown option stepped over', () => {
  const frame = decodeNeighbour(fromHex(PROBE));
  assert.ok(frame.ok && frame.value.kind === 'solicitation');
  assert.equal(frame.value.sourceIp, ip('::'));
  assert.equal(frame.value.target, ip('fd77::77'));
  assert.equal(frame.value.linkLayer, undefined);
});

/** The frame with a change, its checksum made right again, so that only the change is wrong. */
function changed(hex: string, at: number, bytes: string): Uint8Array {
  const frame = fromHex(hex);
  frame.set(fromHex(bytes), at);
  frame.set([0, 0], 56);
  const payload = frame.subarray(54);
  const sourceIp = ipFromBytes(frame.subarray(22, 38)) ?? VIP;
  const destinationIp = ipFromBytes(frame.subarray(38, 54)) ?? VIP;
  const packet = { sourceIp, destinationIp, protocol: 58, payload };
  const sum = internetChecksum(concatBytes(ipv6PseudoHeader(packet), payload));
  frame.set([sum >> 8, sum & 0xff], 56);
  return frame;
}

test('the helper that repairs a checksum gives a captured frame back unchanged', () => {
  assert.equal(toHex(changed(ANSWER, 54, '88')), ANSWER);
});

test('bad frames are refused with the reason', () => {
  const bad = [
    [fromHex(ANSWER).subarray(0, 13), 'too-short'], // not even a frame
    [fromHex(ANSWER).subarray(0, 53), 'too-short'], // the IPv6 header less a byte
    [fromHex(ANSWER).subarray(0, 85), 'bad-length'], // says 32 bytes, has 31
    [fromHex(ANSWER.replace('86 dd', '08 06')), 'wrong-protocol'],
    [fromHex(ANSWER.replace('20 3a ff', '20 11 ff')), 'wrong-protocol'], // UDP
    [fromHex(ANSWER.replace('86 dd 60', '86 dd 40')), 'wrong-protocol'], // says version 4
    [fromHex(ANSWER.replace('18 41', '18 42')), 'bad-checksum'],
    [changed(ANSWER, 21, 'fe'), 'bad-hop-limit'], // came through a router
    [changed(ANSWER, 54, '89'), 'wrong-protocol'], // redirect
    [changed(ANSWER, 55, '01'), 'bad-value'], // code 1
    [changed(ANSWER, 62, 'ff 02'), 'bad-value'], // target is a group
    [changed(ANSWER, 38, 'ff 02'), 'bad-value'], // "answers your question", to a group
    [changed(ANSWER, 79, '00'), 'bad-length'], // an option of length 0: a loop if believed
    [changed(ANSWER, 79, '02'), 'bad-length'], // an option longer than the packet
    [changed(PROBE, 78, '01'), 'bad-value'], // nobody asks, but has a link-layer address
    [changed(PROBE, 53, '78'), 'bad-value'], // nobody asks, but not the group of the target
  ] as const;
  for (const [bytes, error] of bad) {
    assert.deepEqual(decodeNeighbour(bytes), { ok: false, error }, toHex(bytes));
  }
});

test('any frame comes back as it was, and no bytes make the decoder throw', () => {
  const macs = fc.uint8Array({ minLength: 6, maxLength: 6 });
  const mine = macs.map((bytes) => macFromBytes(bytes) ?? mac('02:00:00:00:00:01'));
  const ips = fc
    .uint8Array({ minLength: 16, maxLength: 16 })
    .filter((bytes) => bytes[0] !== 0xff && bytes[0] !== 0)
    .map((bytes) => ipFromBytes(bytes) ?? VIP);
  const flags = fc.boolean();
  fc.assert(
    fc.property(mine, mine, ips, ips, ips, flags, flags, flags, (...given) => {
      const [destination, source, sourceIp, destinationIp, target, ...[r, s, o]] = given;
      const advertisement = {
        kind: 'advertisement' as const,
        ...{ destination, source, sourceIp, destinationIp, target, linkLayer: source },
        ...{ isRouter: r, isSolicited: s, isOverride: o },
      };
      assert.deepEqual(decodeNeighbour(encodeNeighbour(advertisement)), {
        ok: true,
        value: advertisement,
      });
    }),
    { numRuns: 100 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(), (noise, at) => {
      const bytes = fromHex(ANSWER);
      bytes.set(noise, at % (bytes.length - noise.length));
      const frame = decodeNeighbour(bytes);
      if (!frame.ok) assert.ok(FRAME_FAULTS.includes(frame.error));
    }),
    { numRuns: 200 },
  );
});
