import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { fromHex, ip, mac, toHex } from '../base/index.ts';
import { decodeTcpFrame, encodeTcpFrame, encodeTunnelledTcp, type TcpFrame } from './tcp.ts';

const SYN: TcpFrame = {
  destination: mac('02:00:00:00:00:22'),
  source: mac('02:00:00:00:00:11'),
  sourceIp: ip('198.51.100.11'),
  destinationIp: ip('198.51.100.100'),
  sourcePort: 61_123,
  destinationPort: 80,
  sequence: 1000,
  acknowledgement: 0,
  flags: ['syn'],
};

/** A SYN-ACK as Linux 6.18 sent it between two namespaces: with an MSS option, its checksum left unfinished. */
const SYN_ACK =
  '02 00 00 00 00 11 02 00 00 00 00 22 08 00' + // Ethernet
  ' 45 00 00 2c 00 00 40 00 40 06 e5 f5 c6 33 64 64 c6 33 64 0b' + // IPv4, from the VIP
  ' 00 50 ee c3 35 dc 69 00 00 00 03 e9 60 12 fa f0 54 f5 00 00' + // TCP, six words
  ' 02 04 05 b4'; // MSS 1460

describe('a segment', () => {
  test('is written to the byte', () => {
    assert.equal(
      toHex(encodeTcpFrame(SYN)),
      '02 00 00 00 00 22 02 00 00 00 00 11 08 00 45 00 00 28 00 00 40 00 40 06 e5 f9 ' +
        'c6 33 64 0b c6 33 64 64 ee c3 00 50 00 00 03 e8 00 00 00 00 50 02 04 00 64 10 00 00 ' +
        '00 00 00 00 00 00',
    );
  });

  test('with options is read', () => {
    const read = decodeTcpFrame(fromHex(SYN_ACK.replaceAll(' ', '')));
    assert.equal(read.ok, true, JSON.stringify(read));
    if (!read.ok) return;
    assert.deepEqual(read.value.flags, ['syn', 'ack']);
    assert.equal(read.value.sourceIp, '198.51.100.100');
    assert.equal(read.value.acknowledgement, 1001);
    assert.equal(read.value.maximumSegment, 1460);
  });

  test('with options that make no sense is read without them', () => {
    for (const options of ['02 01 05 b4', '03 00 00 00', '00 04 05 b4', '01 01 02 04']) {
      const bytes = fromHex(
        SYN_ACK.replace('02 04 05 b4', options.padEnd(11, ' 00')).replaceAll(' ', ''),
      );
      const read = decodeTcpFrame(bytes);
      assert.ok(read.ok, JSON.stringify(read));
      assert.equal(read.value.maximumSegment, undefined, options);
    }
  });

  test('is as long as is wanted, goes no further than wanted, and its checksum covers all of it', () => {
    const long = encodeTcpFrame({ ...SYN, padding: 1460, hopLimit: 1 });
    assert.equal(long.length, 14 + 1500);
    assert.equal(toHex(long.subarray(14, 24)), '45 00 05 dc 00 00 40 00 01 06');
    const zeroes = encodeTcpFrame({ ...SYN, padding: 7 });
    // Zeroes change the length in the sum, and nothing else: 0x6410 of the short one, less 7.
    assert.equal(toHex(zeroes.subarray(50, 52)), '64 09');
  });

  test('comes back as it went, of both families', () => {
    const address = fc.constantFrom('198.51.100.1', '203.0.113.200');
    const address6 = fc.constantFrom('fd77::1', '2001:db8::ffff');
    const pair = fc.oneof(fc.tuple(address, address), fc.tuple(address6, address6));
    const number = fc.integer({ min: 0, max: 0xffff_ffff });
    const port = fc.integer({ min: 0, max: 65_535 });
    const flags = fc.subarray(['syn', 'rst', 'ack'] as const);
    fc.assert(
      fc.property(pair, number, number, port, port, flags, ([from, to], a, b, c, d, set) => {
        const frame: TcpFrame = {
          ...SYN,
          sourceIp: ip(from),
          destinationIp: ip(to),
          sequence: a,
          acknowledgement: b,
          sourcePort: c,
          destinationPort: d,
          flags: set,
        };
        assert.deepEqual(decodeTcpFrame(encodeTcpFrame(frame)), { ok: true, value: frame });
      }),
      { numRuns: 200 },
    );
  });

  test('inside a tunnel has an outer header of protocol 4 and is whole behind it', () => {
    const bytes = encodeTunnelledTcp(SYN, { from: SYN.sourceIp, to: ip('198.51.100.22') });
    assert.equal(bytes[14 + 9], 4);
    const inner = encodeTcpFrame(SYN).subarray(14, 54);
    assert.equal(toHex(bytes.subarray(34, 74)), toHex(inner));
  });
});

describe('what is no segment is refused with the reason', () => {
  const whole = encodeTcpFrame(SYN);
  const changed = (at: number, value: number): Uint8Array => {
    const bytes = Uint8Array.from(whole);
    bytes[at] = value;
    return bytes;
  };
  const rows: readonly (readonly [string, Uint8Array, string])[] = [
    ['a flipped bit in the header of IP', changed(22, 0xff), 'bad-checksum'],
    ['a header shorter than its fixed part', changed(46, 0x40), 'bad-length'],
    ['a cut frame', whole.subarray(0, 20), 'too-short'],
    ['ARP', changed(13, 6), 'wrong-protocol'],
  ];
  for (const [name, bytes, fault] of rows) {
    test(name, () => assert.deepEqual(decodeTcpFrame(bytes), { ok: false, error: fault }));
  }
});
