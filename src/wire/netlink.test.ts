import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { concatBytes, fromHex, toHex } from '../base/index.ts';
import {
  AttributeReader,
  attribute,
  decodeAcknowledgement,
  decodeMessage,
  encodeAcknowledgement,
  encodeMessage,
  joinMessages,
  NETLINK_FAULTS,
  NLM_F_ACK,
  NLM_F_REQUEST,
  nestedAttribute,
  splitMessages,
  textAttribute,
  u16Attribute,
  u32Attribute,
  u64Attribute,
} from './netlink.ts';

/** RTM_DELADDR of an address that is not there, as Linux 6.18 was asked. */
const REQUEST = fromHex(`
  20 00 00 00 15 00 05 00 07 00 00 00 00 00 00 00
  02 18 00 00 03 00 00 00 08 00 02 00 c6 33 64 65`);
/** And its answer: EADDRNOTAVAIL, the whole request repeated, the kernel's words in an attribute. */
const REFUSAL = fromHex(`
  50 00 00 00 02 00 00 02 07 00 00 00 ec 1f 00 00
  9d ff ff ff
  20 00 00 00 15 00 05 00 07 00 00 00 00 00 00 00
  02 18 00 00 03 00 00 00 08 00 02 00 c6 33 64 65
  1c 00 01 00 69 70 76 34 3a 20 41 64 64 72 65 73 73 20 6e 6f 74 20 66 6f 75 6e 64 00`);
/** A success: errno 0 and, NLM_F_CAPPED, only the header of the request. */
const SUCCESS = fromHex(`
  24 00 00 00 02 00 00 01 07 00 00 00 ec 1f 00 00
  00 00 00 00
  3c 00 00 00 14 00 05 06 07 00 00 00 00 00 00 00`);
/** The end of a dump. */
const DONE = fromHex('14 00 00 00 03 00 22 00 07 00 00 00 ec 1f 00 00 00 00 00 00');

const decoded = (bytes: Uint8Array) => {
  const message = decodeMessage(bytes);
  assert.ok(message.ok);
  return message.value;
};

test('a captured request is read and written back byte for byte', () => {
  const message = decoded(REQUEST);
  assert.equal(message.type, 21);
  assert.equal(message.flags, NLM_F_REQUEST | NLM_F_ACK);
  assert.equal(message.sequence, 7);
  assert.equal(toHex(encodeMessage(message)), toHex(REQUEST));
});

test('a refusal gives the errno and the words of the kernel', () => {
  assert.deepEqual(decodeAcknowledgement(decoded(REFUSAL)), {
    ok: true,
    value: { errno: 99, kernelText: 'ipv4: Address not found' },
  });
});

test('a capped success and the end of a dump are errno 0', () => {
  for (const bytes of [SUCCESS, DONE]) {
    assert.deepEqual(decodeAcknowledgement(decoded(bytes)), { ok: true, value: { errno: 0 } });
  }
});

test('an acknowledgement that was written is read back with offset and missing type', () => {
  const said = { errno: 22, kernelText: 'no', offset: 24, missingType: 3 };
  const bytes = encodeAcknowledgement(said, decoded(REQUEST));
  assert.deepEqual(decodeAcknowledgement(decoded(bytes)), { ok: true, value: said });
});

test('a datagram is cut into its messages, padding between them skipped', () => {
  const odd = encodeMessage({ type: 16, flags: 0, payload: fromHex('01 02 03') });
  const split = splitMessages(joinMessages([odd, REQUEST]));
  assert.ok(split.ok);
  assert.deepEqual(
    split.value.map((message) => toHex(message)),
    [toHex(odd), toHex(REQUEST)],
  );
});

test('attributes nest, are padded to four bytes and are read by name', () => {
  const bytes = concatBytes(
    textAttribute(3, 'eth0:1'),
    nestedAttribute(4, u16Attribute(1, 539), u64Attribute(2, 1n << 40n)),
    u32Attribute(5, 1),
    u32Attribute(5, 2),
  );
  assert.equal(
    toHex(bytes),
    '0b 00 03 00 65 74 68 30 3a 31 00 00 ' + // length 11, one byte of padding
      '18 00 04 80 06 00 01 00 1b 02 00 00 0c 00 02 00 00 00 00 00 00 01 00 00 ' +
      '08 00 05 00 01 00 00 00 08 00 05 00 02 00 00 00',
  );
  const reader = new AttributeReader(bytes);
  assert.equal(reader.text(3), 'eth0:1');
  assert.equal(reader.nested(4)?.u16(1), 539);
  assert.equal(reader.nested(4)?.u64(2), 1n << 40n);
  assert.equal(reader.u32(5), 2, 'the last of two counts');
  assert.equal(reader.all(5).length, 2);
  assert.equal(reader.u32(6), undefined);
  assert.equal(reader.fault, undefined);
});

test('bad messages are refused with the reason', () => {
  const bad = [
    ['0c 00 00 00 15 00 05 00 07 00 00 00', 'truncated-header'], // 12 bytes
    ['0f 00 00 00 15 00 05 00 07 00 00 00 00 00 00 00', 'bad-message-length'], // says 15
    ['14 00 00 00 15 00 05 00 07 00 00 00 00 00 00 00', 'bad-message-length'], // says 20, has 16
    ['ff ff ff ff 15 00 05 00 07 00 00 00 00 00 00 00', 'bad-message-length'], // says 4 GiB
    ['00 00 00 00 15 00 05 00 07 00 00 00 00 00 00 00', 'bad-message-length'], // a loop if believed
  ] as const;
  for (const [hex, error] of bad) {
    assert.deepEqual(decodeMessage(fromHex(hex)), { ok: false, error });
    assert.deepEqual(splitMessages(fromHex(hex)), { ok: false, error });
  }
});

test('bad acknowledgements are refused with the reason', () => {
  const acknowledgement = (payload: string, type = 2, flags = 0x200) =>
    decodeAcknowledgement({ type, flags, sequence: 0, port: 0, payload: fromHex(payload) });
  const error = (reason: string) => ({ ok: false, error: reason });
  const head = '10 00 00 00 15 00 05 00 07 00 00 00 00 00 00 00';
  assert.deepEqual(acknowledgement('', 3), error('truncated-payload')); // no errno
  assert.deepEqual(acknowledgement('00 00 00 00'), error('truncated-payload')); // no header
  assert.deepEqual(acknowledgement(`00 00 00 00 ${head}`, 16), error('wrong-type'));
  // The repeated header says 64 bytes of which 16 are there, then that it is shorter than itself.
  assert.deepEqual(
    acknowledgement('00 00 00 00 40 00 00 00 15 00 05 00 07 00 00 00 00 00 00 00'),
    error('bad-message-length'),
  );
  assert.deepEqual(
    acknowledgement('00 00 00 00 04 00 00 00 15 00 05 00 07 00 00 00 00 00 00 00'),
    error('bad-message-length'),
  );
  // An attribute that is longer than the message, and an offset of two bytes.
  assert.deepEqual(
    acknowledgement(`00 00 00 00 ${head} ff 00 01 00`),
    error('bad-attribute-length'),
  );
  assert.deepEqual(
    acknowledgement(`00 00 00 00 ${head} 06 00 02 00 01 00 00 00`),
    error('bad-attribute-value'),
  );
});

test('the first fault of an attribute counts for the reader and those nested in it', () => {
  const reader = new AttributeReader(nestedAttribute(1, fromHex('02 00 01 00')));
  assert.equal(reader.fault, undefined, 'not looked into yet');
  reader.nested(1);
  assert.equal(reader.fault, 'bad-attribute-length');
  reader.need(undefined, 0);
  assert.deepEqual(reader.result(1), { ok: false, error: 'bad-attribute-length' });
});

test('an attribute too long for its length field is our own mistake', () => {
  assert.throws(() => attribute(1, new Uint8Array(65532)), /too long/);
});

test('no bytes make the readers throw, and every fault is from the list', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => {
      const split = splitMessages(bytes);
      if (!split.ok) assert.ok(NETLINK_FAULTS.includes(split.error));
      else assert.ok(split.value.length <= bytes.length / 16);
      const message = decodeMessage(bytes);
      if (message.ok) decodeAcknowledgement(message.value);
      const reader = new AttributeReader(bytes);
      for (let type = 0; type < 4; type++) {
        reader.nested(type)?.nested(type);
        reader.u32(type);
        reader.text(type);
      }
      if (reader.fault !== undefined) assert.ok(NETLINK_FAULTS.includes(reader.fault));
    }),
    { numRuns: 300 },
  );
});
