import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fromHex, toHex } from '../base/index.ts';
import { decodeMessage, encodeMessage, NETLINK_FAULTS } from './netlink.ts';
import {
  acceptPacket,
  counter,
  decodeElements,
  decodeEventTable,
  decodeTableName,
  deleteElements,
  deleteTable,
  dropPacket,
  dumpElements,
  dumpTables,
  etherTypeIs,
  jumpTo,
  lookup,
  newBaseChain,
  newChain,
  newElements,
  newRule,
  newSet,
  newTable,
  payload,
  transaction,
} from './nftables.ts';

/** Captured from nft 1.0.6 loading the same table, and from Linux 6.18 answering `nft list set`. */
const TABLE = '09 00 01 00 67 61 74 65 00 00 00 00'; // "gate"
const LEASE = '0a 00 02 00 6c 65 61 73 65 00 00 00'; // "lease"
const NETDEV = '05 00 00 00';

/** An attribute and what is in it; order means nothing, so attributes are sorted. */
type Tree = readonly (readonly [type: number, value: string | Tree])[];
function tree(bytes: Uint8Array): Tree {
  const found: (readonly [number, string | Tree])[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at < bytes.length; at += (view.getUint16(at, true) + 3) & ~3) {
    const value = bytes.subarray(at + 4, at + view.getUint16(at, true));
    const type = view.getUint16(at + 2, true);
    found.push([type & 0x7fff, (type & 0x8000) === 0 ? toHex(value) : tree(value)]);
  }
  // A list keeps its order: all its elements are of type 1.
  return found.every(([type]) => type === 1) ? found : found.sort(([a], [b]) => a - b);
}
const read = (bytes: Uint8Array) => {
  const message = decodeMessage(bytes);
  assert.ok(message.ok);
  return message.value;
};
const isSaidAs = (ours: Uint8Array, type: number, flags: number, captured: string) => {
  const message = read(ours);
  assert.equal(message.type, type);
  // REQUEST and ACK are set by the socket.
  assert.equal(message.flags & ~5, flags & ~5);
  assert.equal(toHex(message.payload.subarray(0, 4)), NETDEV);
  assert.deepEqual(tree(message.payload.subarray(4)), tree(fromHex(captured)));
};

test('a transaction lies between two edges that name nf_tables', () => {
  const [begin, table, end] = transaction([newTable('gate', 0)]);
  assert.ok(begin !== undefined && table !== undefined && end !== undefined);
  assert.equal(toHex(begin), '14 00 00 00 10 00 00 00 00 00 00 00 00 00 00 00 00 00 00 0a');
  assert.equal(toHex(end), '14 00 00 00 11 00 00 00 00 00 00 00 00 00 00 00 00 00 00 0a');
});

test('tables, chains and elements say what nft says', () => {
  isSaidAs(newTable('gate', 0), 0xa00, 0x400, `${TABLE} 08 00 02 00 00 00 00 00`);
  isSaidAs(newChain('gate', 'gate'), 0xa03, 0x400, `${TABLE} 09 00 03 00 67 61 74 65 00 00 00 00`);
  isSaidAs(
    newBaseChain({
      table: 'gate',
      name: 'in',
      hook: 'ingress',
      devices: ['eth1', 'eth0'],
      priority: -500,
    }),
    0xa03,
    0x400,
    `${TABLE} 07 00 03 00 69 6e 00 00 0b 00 07 00 66 69 6c 74 65 72 00 00 08 00 05 00 00 00 00 01 ` +
      '30 00 04 80 08 00 01 00 00 00 00 00 08 00 02 00 ff ff fe 0c ' + // ingress, -500
      '1c 00 04 80 09 00 01 00 65 74 68 31 00 00 00 00 09 00 01 00 65 74 68 30 00 00 00 00',
  );
  const key = fromHex('00 00 00 01');
  // nft also names the set by its number in the transaction: 08 00 04 00 00 00 00 02.
  isSaidAs(
    newElements('gate', 'lease', [{ key, timeoutMs: 300 }]),
    0xa0c,
    0x400,
    `${TABLE} ${LEASE} 20 00 03 80 1c 00 01 80 0c 00 04 00 00 00 00 00 00 00 01 2c ` +
      '0c 00 01 80 08 00 01 00 00 00 00 01',
  );
  isSaidAs(
    deleteElements('gate', 'lease', [key]),
    0xa0e,
    0,
    `${TABLE} ${LEASE} 14 00 03 80 10 00 01 80 0c 00 01 80 08 00 01 00 00 00 00 01`,
  );
  isSaidAs(deleteTable('gate'), 0xa02, 0, TABLE);
  isSaidAs(dumpTables(), 0xa01, 0x300, '');
  isSaidAs(dumpElements('gate', 'lease'), 0xa0d, 0x300, `${LEASE} ${TABLE}`);
});

test('sets say what nft says, without what only its listings need', () => {
  // Of nft: key type 7 (ipv4_addr) instead of 0, and the byte order of the key as user data (type 13).
  isSaidAs(
    newSet({ table: 'gate', name: 'lease', keyLength: 4, id: 2, expires: { size: 64 } }),
    0xa09,
    0x400,
    `${TABLE} ${LEASE} 08 00 03 00 00 00 00 10 08 00 04 00 00 00 00 00 08 00 05 00 00 00 00 04 ` +
      '08 00 0a 00 00 00 00 02 0c 00 09 80 08 00 01 00 00 00 00 40', // 64 elements, dead ones too
  );
});

test('rules say what nft says', () => {
  isSaidAs(
    newRule('gate', 'gate', [counter(), dropPacket()]),
    0xa06,
    0xc00,
    `${TABLE} 09 00 02 00 67 61 74 65 00 00 00 00 48 00 04 80 ` +
      '14 00 01 80 0c 00 01 00 63 6f 75 6e 74 65 72 00 04 00 02 80 ' +
      '30 00 01 80 0e 00 01 00 69 6d 6d 65 64 69 61 74 65 00 00 00 ' +
      '1c 00 02 80 08 00 01 00 00 00 00 00 10 00 02 80 0c 00 02 80 08 00 01 00 00 00 00 00',
  );
  const looked = (number: string) =>
    '30 00 01 80 0b 00 01 00 6c 6f 6f 6b 75 70 00 00 20 00 02 80 08 00 02 00 00 00 00 01 ' +
    `0a 00 01 00 76 69 70 73 34 00 00 00 ${number}`;
  const rule = (etherType: string, offset: string, verdict: string) =>
    '24 00 01 80 09 00 01 00 6d 65 74 61 00 00 00 00 ' + // meta protocol
    '14 00 02 80 08 00 02 00 00 00 00 01 08 00 01 00 00 00 00 01 ' +
    '2c 00 01 80 08 00 01 00 63 6d 70 00 20 00 02 80 08 00 01 00 00 00 00 01 ' +
    `08 00 02 00 00 00 00 00 0c 00 03 80 06 00 01 00 ${etherType} 00 00 ` +
    '34 00 01 80 0c 00 01 00 70 61 79 6c 6f 61 64 00 24 00 02 80 08 00 01 00 00 00 00 01 ' +
    `08 00 02 00 00 00 00 01 08 00 03 00 00 00 00 ${offset} 08 00 04 00 00 00 00 04 ` +
    // The number of the set in the transaction (type 4) of nft; we tell the flags (type 5) instead.
    `${looked('08 00 05 00 00 00 00 00')} ${verdict}`;
  const jump =
    '3c 00 01 80 0e 00 01 00 69 6d 6d 65 64 69 61 74 65 00 00 00 28 00 02 80 08 00 01 00 00 00 00 00 ' +
    '1c 00 02 80 18 00 02 80 08 00 01 00 ff ff ff fd 09 00 02 00 67 61 74 65 00 00 00 00';
  const accept =
    '30 00 01 80 0e 00 01 00 69 6d 6d 65 64 69 61 74 65 00 00 00 1c 00 02 80 08 00 01 00 00 00 00 00 ' +
    '10 00 02 80 0c 00 02 80 08 00 01 00 00 00 00 01';
  const chain = '07 00 02 00 69 6e 00 00';
  // arp daddr ip @vips4 jump gate
  isSaidAs(
    newRule('gate', 'in', [
      ...etherTypeIs(0x0806),
      payload('network', 24, 4),
      lookup('vips4', true),
      jumpTo('gate'),
    ]),
    0xa06,
    0xc00,
    `${TABLE} ${chain} f4 00 04 80 ${rule('08 06', '18', jump)}`,
  );
  // ip daddr @vips4 accept
  isSaidAs(
    newRule('gate', 'in', [
      ...etherTypeIs(0x0800),
      payload('network', 16, 4),
      lookup('vips4', true),
      acceptPacket(),
    ]),
    0xa06,
    0xc00,
    `${TABLE} ${chain} e8 00 04 80 ${rule('08 00', '10', accept)}`,
  );
});

const answer = (type: number, body: string) =>
  encodeMessage({ type, flags: 2, payload: fromHex(`05 00 00 04 ${body}`) });
/** The lease with 168 ms of 300 left. */
const ELEMENTS = `${TABLE} ${LEASE} 2c 00 03 00 28 00 01 00 0c 00 01 00 08 00 01 00 00 00 00 01
  0c 00 04 00 00 00 00 00 00 00 01 2c 0c 00 05 00 00 00 00 00 00 00 00 a8`;

test('captured answers are read: a table, the lease and what is left of it, an empty set', () => {
  const table = answer(
    0xa00,
    `${TABLE} 08 00 03 00 00 00 00 04 0c 00 04 00 00 00 00 00 00 00 00 02 08 00 02 00 00 00 00 00`,
  );
  assert.deepEqual(decodeTableName(table), { ok: true, value: 'gate' });
  assert.deepEqual(decodeEventTable(table), { ok: true, value: 'gate' });
  assert.deepEqual(decodeElements(answer(0xa0c, ELEMENTS)), {
    ok: true,
    value: [{ key: fromHex('00 00 00 01'), expiresInMs: 168 }],
  });
  assert.deepEqual(decodeElements(answer(0xa0c, `${TABLE} ${LEASE} 04 00 03 00`)), {
    ok: true,
    value: [],
  });
});

test('an answer about something else is no table and no elements', () => {
  assert.deepEqual(decodeTableName(answer(0xa0c, ELEMENTS)), { ok: true, value: undefined });
  assert.deepEqual(decodeElements(answer(0xa00, TABLE)), { ok: true, value: [] });
  // A new generation of the rules (type 15) names no table.
  const generation = answer(0xa0f, '08 00 01 00 00 00 00 04 08 00 02 00 00 00 3a c0');
  assert.deepEqual(decodeEventTable(generation), { ok: true, value: undefined });
  assert.deepEqual(decodeEventTable(answer(0x100, TABLE)), { ok: true, value: undefined });
});

test('bad answers are refused with the reason', () => {
  const error = (reason: string) => ({ ok: false, error: reason });
  assert.deepEqual(decodeTableName(fromHex('14 00 00 00 00 0a')), error('truncated-header'));
  assert.deepEqual(
    decodeTableName(encodeMessage({ type: 0xa00, flags: 0, payload: fromHex('05 00') })),
    error('truncated-payload'),
  );
  assert.deepEqual(decodeTableName(answer(0xa00, 'ff 00 01 00')), error('bad-attribute-length'));
  assert.deepEqual(decodeEventTable(answer(0xa00, '03 00 01 00')), error('bad-attribute-length'));
  // The time left as four bytes, and an element longer than its list.
  assert.deepEqual(
    decodeElements(answer(0xa0c, '10 00 03 00 0c 00 01 00 08 00 05 00 00 00 00 a8')),
    error('bad-attribute-value'),
  );
  assert.deepEqual(
    decodeElements(answer(0xa0c, '08 00 03 00 ff 00 01 00')),
    error('bad-attribute-length'),
  );
});

test('elements that were written are read back, and no bytes make the decoders throw', () => {
  const keys = fc.array(fc.uint8Array({ minLength: 1, maxLength: 16 }), { maxLength: 20 });
  fc.assert(
    fc.property(keys, (list) => {
      const found = decodeElements(
        newElements(
          't',
          's',
          list.map((key) => ({ key })),
        ),
      );
      assert.ok(found.ok);
      assert.deepEqual(
        found.value.map(({ key }) => toHex(key)),
        list.map((key) => toHex(key)),
      );
    }),
    { numRuns: 50 },
  );
  const whole = answer(0xa0c, ELEMENTS);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 24 }), fc.nat(), (noise, at) => {
      const bytes = whole.slice();
      bytes.set(noise, at % (bytes.length - noise.length));
      for (const decode of [decodeElements, decodeTableName, decodeEventTable]) {
        const found = decode(bytes);
        if (!found.ok) assert.ok(NETLINK_FAULTS.includes(found.error));
      }
    }),
    { numRuns: 300 },
  );
});
