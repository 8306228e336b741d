import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fromHex, ip, mac, toHex } from '../base/index.ts';
import { FRAME_FAULTS } from './ethernet.ts';
import { decodeEchoFrame, decodeTcpComplaint, type EchoFrame, encodeEchoFrame } from './icmp.ts';
import { internetChecksum } from './ip.ts';

/** Captured: ping -c1 -s8 10.77.0.254, question and answer, and the answer of fd77::fe. */
const QUESTION =
  '02 00 00 00 00 fe 02 00 00 00 00 11 08 00 ' +
  '45 00 00 24 5c 5d 40 00 40 01 c8 e3 0a 4d 00 01 0a 4d 00 fe ' + // 36 bytes, id, DF, ttl 64
  '08 00 b3 d6 38 18 00 01 00 01 02 03 04 05 06 07';
const ANSWER =
  '02 00 00 00 00 11 02 00 00 00 00 fe 08 00 ' +
  '45 00 00 24 e1 e0 00 00 40 01 83 60 0a 4d 00 fe 0a 4d 00 01 ' +
  '00 00 bb d6 38 18 00 01 00 01 02 03 04 05 06 07';
const ANSWER6 =
  '02 00 00 00 00 11 02 00 00 00 00 fe 86 dd ' +
  '60 0a 95 6f 00 10 3a 40 ' + // a flow label, 16 bytes, hop limit 64
  'fd 77 00 00 00 00 00 00 00 00 00 00 00 00 00 fe ' +
  'fd 77 00 00 00 00 00 00 00 00 00 00 00 00 00 01 ' +
  '81 00 3e 9c 38 19 00 01 00 01 02 03 04 05 06 07';

const echo: EchoFrame = {
  kind: 'reply',
  destination: mac('02:00:00:00:00:11'),
  source: mac('02:00:00:00:00:fe'),
  sourceIp: ip('10.77.0.254'),
  destinationIp: ip('10.77.0.1'),
  hopLimit: 64,
  identifier: 0x3818,
  sequence: 1,
  data: fromHex('00 01 02 03 04 05 06 07'),
};

test('captured echoes of both families are read', () => {
  assert.deepEqual(decodeEchoFrame(fromHex(ANSWER)), { ok: true, value: echo });
  assert.deepEqual(decodeEchoFrame(fromHex(ANSWER6)), {
    ok: true,
    value: {
      ...echo,
      sourceIp: ip('fd77::fe'),
      destinationIp: ip('fd77::1'),
      identifier: 0x3819,
    },
  });
  const question = decodeEchoFrame(fromHex(QUESTION));
  assert.ok(question.ok && question.value.kind === 'request');
});

test('an IPv4 question is written as the kernel writes it, but for the identification', () => {
  const { destination, source, sourceIp, destinationIp } = echo;
  const bytes = encodeEchoFrame({
    ...echo,
    kind: 'request',
    destination: source,
    source: destination,
    sourceIp: destinationIp,
    destinationIp: sourceIp,
  });
  // Identification 0: the header checksum is larger by 5c5d, c8e3 + 5c5d = 12540, carried round 2541.
  const expected = QUESTION.replace('5c 5d', '00 00').replace('c8 e3', '25 41');
  // The frame is 50 bytes; on the wire it is padded to 60.
  assert.equal(toHex(bytes), expected + ' 00'.repeat(10));
});

test('an IPv6 answer is written as the kernel writes it, but for the flow label', () => {
  const sixth = { ...echo, sourceIp: ip('fd77::fe'), destinationIp: ip('fd77::1') };
  assert.equal(
    toHex(encodeEchoFrame({ ...sixth, identifier: 0x3819 })),
    ANSWER6.replace('60 0a 95 6f', '60 00 00 00'),
  );
});

test('the checksum of the example in RFC 1071 is right, and of odd lengths too', () => {
  assert.equal(internetChecksum(fromHex('00 01 f2 03 f4 f5 f6 f7')), 0xffff - 0xddf2);
  assert.equal(internetChecksum(fromHex('ab')), 0xffff - 0xab00);
  assert.equal(internetChecksum(new Uint8Array(70000).fill(0xff)), 0, 'carries of carries');
});

test('bad frames are refused with the reason', () => {
  const bad = [
    [ANSWER.slice(0, 3 * 33), 'too-short'], // the IPv4 header less a byte
    [ANSWER.slice(0, 3 * 49), 'bad-length'], // says 36 bytes, has 35
    [ANSWER.replace('45 00', '44 00'), 'bad-length'], // a header of 16 bytes
    [ANSWER.replace('00 24 e1', '00 10 e1'), 'bad-length'], // shorter than its own header
    [ANSWER.replace('45 00', '65 00'), 'wrong-protocol'], // version 6 in an IPv4 frame
    [ANSWER.replace('83 60', '83 61'), 'bad-checksum'], // of the header
    [ANSWER.replace('bb d6', 'bb d7'), 'bad-checksum'], // of the message
    [ANSWER.replace('00 00 40 01 83 60', '20 00 40 01 63 60'), 'fragment'], // more to come
    [ANSWER.replace('00 00 40 01 83 60', '00 01 40 01 83 5f'), 'fragment'], // not the first
    [ANSWER.replace('40 01 83 60', '40 11 83 50'), 'wrong-protocol'], // UDP
    [ANSWER.replace('00 00 bb d6', '03 00 b8 d6'), 'wrong-protocol'], // destination unreachable
    [ANSWER.replace('00 00 bb d6', '00 01 bb d5'), 'bad-value'], // an echo reply has no code 1
    [ANSWER.replace('00 24 e1 e0 00 00 40 01 83 60', '00 16 e1 e0 00 00 40 01 83 6e'), 'too-short'],
    [ANSWER6.replace('3e 9c', '3e 9d'), 'bad-checksum'],
    [ANSWER6.replace('3a 40', '00 40'), 'wrong-protocol'], // hop-by-hop options first
  ] as const;
  for (const [hex, error] of bad) {
    assert.deepEqual(decodeEchoFrame(fromHex(hex)), { ok: false, error }, hex);
  }
});

test('any echo comes back as it was, and no bytes make the decoder throw', () => {
  const word = fc.integer({ min: 0, max: 0xffff });
  // 32 bytes at least: then nothing is padded and the data is not ambiguous.
  const data = fc.uint8Array({ minLength: 32, maxLength: 80 });
  const isIpv6 = fc.boolean();
  fc.assert(
    fc.property(word, word, data, isIpv6, (identifier, sequence, payload, six) => {
      const addresses = six ? { sourceIp: ip('fd77::fe'), destinationIp: ip('fd77::1') } : {};
      const value = { ...echo, ...addresses, identifier, sequence, data: payload };
      assert.deepEqual(decodeEchoFrame(encodeEchoFrame(value)), { ok: true, value });
    }),
    { numRuns: 100 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 20 }), fc.nat(), (noise, at) => {
      const bytes = fromHex(ANSWER);
      bytes.set(noise, at % (bytes.length - noise.length));
      const frame = decodeEchoFrame(bytes);
      if (!frame.ok) assert.ok(FRAME_FAULTS.includes(frame.error));
    }),
    { numRuns: 200 },
  );
});

/** Captured: what a router of Linux 6.18 says of SYNs that do not fit its way out, and of those that have none. */
const TOO_BIG =
  '02 00 00 00 00 11 02 00 00 00 00 01 08 00 ' +
  '45 c0 02 40 5d 9d 00 00 40 01 c5 ec c6 33 64 01 c6 33 64 0b ' +
  '03 04 63 9b 00 00 05 84 ' + // fragmentation needed, the next way takes 1412
  '45 00 05 dc 00 00 40 00 40 06 ce c7 c6 33 64 0b cb 00 71 15 ' + // our packet of 1500 to 203.0.113.21
  'f0 00 00 50 00 01 04 00 00 00 00 00 50 02 04 00 4b 88 00 00' +
  ' 00'.repeat(508);
const UNREACHABLE =
  '02 00 00 00 00 11 02 00 00 00 00 01 08 00 ' +
  '45 c0 00 44 5d 9e 00 00 40 01 c7 e7 c6 33 64 01 c6 33 64 0b ' +
  '03 01 63 a6 00 00 00 00 ' +
  '45 00 00 28 00 00 40 00 40 06 d4 43 c6 33 64 0b cb 00 71 4d ' +
  'f0 00 00 50 00 01 04 00 00 00 00 00 50 02 04 00 51 04 00 00';
const UNREACHABLE6 =
  '02 00 00 00 00 11 02 00 00 00 00 01 86 dd ' +
  '60 0f 78 fb 00 44 3a 40 ' +
  'fd 77 00 00 00 00 00 00 00 00 00 00 00 00 00 01 fd 77 00 00 00 00 00 00 00 00 00 00 00 00 00 11 ' +
  '01 00 9d 45 00 00 00 00 60 00 00 00 00 14 06 40 ' +
  'fd 77 00 00 00 00 00 00 00 00 00 00 00 00 00 11 20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 77 ' +
  'f0 00 00 50 00 01 04 00 00 00 00 00 50 02 04 00 8b d8 00 00';

test('what a router says of a segment is read: who, about which, and how long may it be', () => {
  const about = { by: '198.51.100.1', sourcePort: 61_440, sequence: 66_560 };
  assert.deepEqual(decodeTcpComplaint(fromHex(TOO_BIG)), {
    ok: true,
    value: { ...about, kind: 'too-big', to: '203.0.113.21', code: 4, mtu: 1412 },
  });
  assert.deepEqual(decodeTcpComplaint(fromHex(UNREACHABLE)), {
    ok: true,
    value: { ...about, kind: 'unreachable', to: '203.0.113.77', code: 1, mtu: 0 },
  });
  assert.deepEqual(decodeTcpComplaint(fromHex(UNREACHABLE6)), {
    ok: true,
    value: { ...about, by: 'fd77::1', kind: 'unreachable', to: '2001:db8::77', code: 0, mtu: 0 },
  });
});

test('what a router says of something else, or cut short, is refused', () => {
  const bad = [
    [ANSWER, 'wrong-protocol'],
    [UNREACHABLE.replace('03 01 63 a6', '03 01 63 a7'), 'bad-checksum'],
    // Of a datagram, not of a segment: 6 less the 11 that the sum then has too much.
    [UNREACHABLE.replace('40 06 d4 43', '40 11 d4 38'), 'wrong-protocol'],
    // A header of four words is none: 0x0100 less here, as much more in its identification.
    [UNREACHABLE.replace('45 00 00 28 00 00', '44 00 00 28 01 00'), 'too-short'],
  ] as const;
  for (const [hex, error] of bad) {
    assert.deepEqual(decodeTcpComplaint(fromHex(hex)), { ok: false, error }, hex);
  }
});
