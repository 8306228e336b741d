import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { concatBytes, fromHex, ip, ipFromBytes, mac, macFromBytes, toHex } from '../base/index.ts';
import { decodeArp, encodeArp, encodeArpAnnouncement, encodeArpQuestion } from './arp.ts';
import { FRAME_FAULTS } from './ethernet.ts';

const VIP = ip('10.77.0.100');
const MAC = mac('02:00:00:00:00:11');
const PADDING = ' 00'.repeat(18);

/** What send_arp of Piranha 0.8.6 sends for 10.77.0.100. */
const REPLY =
  'ff ff ff ff ff ff 02 00 00 00 00 11 08 06 ' + // to everybody, from the device, ARP
  '00 01 08 00 06 04 00 02 ' + // Ethernet, IPv4, 6, 4, reply
  '02 00 00 00 00 11 0a 4d 00 64 ' + // sender
  '02 00 00 00 00 11 0a 4d 00 64' + // target = sender
  PADDING;
const REQUEST =
  'ff ff ff ff ff ff 02 00 00 00 00 11 08 06 ' +
  '00 01 08 00 06 04 00 01 ' + // request
  '02 00 00 00 00 11 0a 4d 00 64 ' +
  '00 00 00 00 00 00 0a 4d 00 64' + // nobody's link-layer address, the same IP
  PADDING;

test('an announcement in reply form is byte for byte the frame of send_arp', () => {
  const bytes = encodeArpAnnouncement({ form: 'reply', vip: VIP, mac: MAC });
  assert.equal(bytes.length, 60);
  assert.equal(toHex(bytes), REPLY);
});

test('an announcement in request form asks for itself', () => {
  assert.equal(toHex(encodeArpAnnouncement({ form: 'request', vip: VIP, mac: MAC })), REQUEST);
});

test('an announcement for the partner leaves from our own link-layer address', () => {
  const source = mac('02:00:00:00:00:22');
  const frame = decodeArp(encodeArpAnnouncement({ form: 'reply', vip: VIP, mac: MAC, source }));
  assert.ok(frame.ok);
  assert.equal(frame.value.source, source);
  assert.equal(frame.value.senderMac, MAC);
});

test('an ordinary question asks everybody, or one', () => {
  const question = { senderMac: MAC, senderIp: ip('10.77.0.1'), targetIp: ip('10.77.0.254') };
  assert.equal(
    toHex(encodeArpQuestion(question)),
    'ff ff ff ff ff ff 02 00 00 00 00 11 08 06 00 01 08 00 06 04 00 01 ' +
      '02 00 00 00 00 11 0a 4d 00 01 00 00 00 00 00 00 0a 4d 00 fe' +
      PADDING,
  );
  const one = decodeArp(encodeArpQuestion({ ...question, destination: mac('02:00:00:00:00:fe') }));
  assert.ok(one.ok && one.value.destination === mac('02:00:00:00:00:fe'));
});

test('a frame as the kernel answers it, without padding, is read', () => {
  // Captured on a veth pair: Linux 6.18 answers who-has 10.77.0.254.
  const answer = fromHex(
    '02 00 00 00 00 11 02 00 00 00 00 fe 08 06 00 01 08 00 06 04 00 02 ' +
      '02 00 00 00 00 fe 0a 4d 00 fe 02 00 00 00 00 11 0a 4d 00 01',
  );
  assert.deepEqual(decodeArp(answer), {
    ok: true,
    value: {
      destination: MAC,
      source: mac('02:00:00:00:00:fe'),
      operation: 'reply',
      senderMac: mac('02:00:00:00:00:fe'),
      senderIp: ip('10.77.0.254'),
      targetMac: MAC,
      targetIp: ip('10.77.0.1'),
    },
  });
});

test('802.1Q tags, single and double, are stepped over', () => {
  const bytes = fromHex(REPLY);
  const tagged = (...tags: readonly string[]) =>
    decodeArp(concatBytes(bytes.subarray(0, 12), fromHex(tags.join('')), bytes.subarray(12)));
  const single = tagged('81 00 20 05'); // priority 1, VLAN 5
  assert.ok(single.ok && single.value.vlan === 5 && single.value.senderIp === VIP);
  const double = tagged('88 a8 00 64', '81 00 00 07');
  assert.ok(double.ok && double.value.vlan === 7);
  const triple = tagged('81 00 00 01', '81 00 00 02', '81 00 00 03');
  assert.deepEqual(triple, { ok: false, error: 'wrong-protocol' });
});

test('bad frames are refused with the reason', () => {
  const bad = [
    [REPLY.slice(0, 3 * 13), 'too-short'], // the header less a byte
    [REPLY.slice(0, 3 * 41), 'too-short'], // the target less a byte
    [REPLY.replace('08 06', '08 00'), 'wrong-protocol'], // IPv4
    [REPLY.replace('08 06 00 01', '08 06 00 06'), 'wrong-protocol'], // IEEE 802 hardware
    [REPLY.replace('00 01 08 00', '00 01 86 dd'), 'wrong-protocol'], // ARP for IPv6 does not exist
    [REPLY.replace('06 04 00 02', '06 10 00 02'), 'bad-length'], // IP addresses of 16 bytes
    [REPLY.replace('06 04 00 02', '06 04 00 03'), 'bad-value'], // reverse ARP
    [REPLY.replace('06 04 00 02', '06 04 00 00'), 'bad-value'],
  ] as const;
  for (const [hex, error] of bad) {
    assert.deepEqual(decodeArp(fromHex(hex)), { ok: false, error });
  }
});

test('an IPv6 address in an ARP frame is our own mistake', () => {
  assert.throws(
    () => encodeArpAnnouncement({ form: 'reply', vip: ip('fd77::100'), mac: MAC }),
    /IPv4 only/,
  );
});

test('any frame comes back as it was, and no bytes make the decoder throw', () => {
  const macs = fc.uint8Array({ minLength: 6, maxLength: 6 }).map((b) => macFromBytes(b) ?? MAC);
  const ips = fc.uint8Array({ minLength: 4, maxLength: 4 }).map((b) => ipFromBytes(b) ?? VIP);
  const frames = fc.record(
    {
      destination: macs,
      source: macs,
      operation: fc.constantFrom('request', 'reply'),
      senderMac: macs,
      senderIp: ips,
      targetMac: macs,
      targetIp: ips,
    },
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(frames, (value) => {
      assert.deepEqual(decodeArp(encodeArp(value)), { ok: true, value });
    }),
    { numRuns: 100 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      const frame = decodeArp(bytes);
      if (!frame.ok) assert.ok(FRAME_FAULTS.includes(frame.error));
    }),
    { numRuns: 200 },
  );
});
