import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { concatBytes, fromHex, ip, toHex } from '../base/index.ts';
import { decodeFlow, deleteFlow, dumpFlows } from './conntrack.ts';
import { decodeMessage, encodeMessage, NETLINK_FAULTS } from './netlink.ts';

/** The question's tuple: fd77::2 port 5002 to fd77::100 port 53, UDP. */
const ORIGINAL = fromHex(`
  4c 00 01 80 2c 00 01 80 14 00 03 00 fd 77 00 00 00 00 00 00 00 00 00 00 00 00 00 02
  14 00 04 00 fd 77 00 00 00 00 00 00 00 00 00 00 00 00 01 00
  1c 00 02 80 05 00 01 00 11 00 00 00 06 00 02 00 13 8a 00 00 06 00 03 00 00 35 00 00`);
/** The answer's: fd77::23 port 53 to the client. */
const REPLY = fromHex(`
  4c 00 02 80 2c 00 01 80 14 00 03 00 fd 77 00 00 00 00 00 00 00 00 00 00 00 00 00 23
  14 00 04 00 fd 77 00 00 00 00 00 00 00 00 00 00 00 00 00 02
  1c 00 02 80 05 00 01 00 11 00 00 00 06 00 02 00 00 35 00 00 06 00 03 00 13 8a 00 00`);
/** Status, mark, id, use, timeout. */
const STATUS = fromHex('08 00 03 00 00 00 01 a8');
const ID = fromHex('08 00 0c 00 bd cb 93 d0');
const REST = fromHex('08 00 08 00 00 00 00 00 08 00 0b 00 00 00 00 01 08 00 07 00 00 00 00 1d');

/** IPCTNL_MSG_CT_NEW as Linux 6.18 answered a dump. */
function answer(...attributes: readonly Uint8Array[]): Uint8Array {
  const payload = concatBytes(fromHex('0a 00 00 00'), ...attributes);
  return encodeMessage({ type: 0x0100, flags: 2, payload });
}

test('a UDP conversation behind nat is read, and deleted by its own tuple, zone and id', () => {
  const zone = fromHex('06 00 12 00 00 07 00 00');
  const flow = decodeFlow(answer(ORIGINAL, REPLY, STATUS, zone, ID, REST));
  assert.ok(flow.ok && flow.value !== undefined);
  assert.deepEqual(flow.value.asked, { address: 'fd77::100', port: 53 });
  assert.deepEqual(flow.value.server, { address: 'fd77::23', port: 53 });
  const asked = decodeMessage(deleteFlow(flow.value));
  assert.ok(asked.ok);
  assert.equal(asked.value.type, 0x0102);
  assert.equal(
    toHex(asked.value.payload),
    toHex(concatBytes(fromHex('0a 00 00 00'), ORIGINAL, zone, ID)),
  );
});

test('what is not UDP, was sent nowhere else, or has no tuple of its own names nothing that could be deleted', () => {
  const tcp = fromHex(toHex(ORIGINAL).replaceAll(' ', '').replace('0500010011', '0500010006'));
  const direct = fromHex('08 00 03 00 00 00 01 88');
  for (const attributes of [
    [tcp, REPLY, STATUS, ID],
    [ORIGINAL, REPLY, direct, ID],
    [REPLY, STATUS, ID],
    [ORIGINAL, STATUS, ID],
  ]) {
    assert.deepEqual(decodeFlow(answer(...attributes)), { ok: true, value: undefined });
  }
  assert.deepEqual(decodeFlow(answer(ORIGINAL, REPLY, ID)), {
    ok: false,
    error: 'missing-attribute',
  });
});

test('any bytes are read without a throw, and never as a conversation without a tuple', () => {
  const whole = concatBytes(ORIGINAL, REPLY, STATUS, ID);
  fc.assert(
    fc.property(
      fc.nat({ max: whole.length }),
      fc.nat({ max: whole.length - 1 }),
      fc.nat({ max: 255 }),
      (length, at, byte) => {
        const bytes = Uint8Array.from(whole);
        bytes[at] = byte;
        const flow = decodeFlow(answer(bytes.subarray(0, length)));
        if (!flow.ok) assert.ok(NETLINK_FAULTS.includes(flow.error));
        else if (flow.value !== undefined) assert.ok(flow.value.name.length >= ORIGINAL.length);
      },
    ),
  );
});

test('over IPv4 each server is asked for, over IPv6 all at once: the kernel turns that filter around', () => {
  const payloads = dumpFlows([ip('10.77.0.21'), ip('fd77::21'), ip('fd77::22')]).map((bytes) => {
    const decoded = decodeMessage(bytes);
    assert.ok(decoded.ok);
    assert.equal(decoded.value.type, 0x0101);
    return toHex(decoded.value.payload).replaceAll(' ', '');
  });
  assert.deepEqual(payloads, [
    // The answer's source and protocol; source and protocol count.
    '020000001c000280' +
      '0c00018008000100' +
      '0a4d0015' +
      '0c0002800500010011000000' +
      '0c0019800800020009000000',
    '0a00000010000280' + '0c000280' + '0500010011000000' + '0c0019800800020008000000',
  ]);
  assert.deepEqual(dumpFlows([]), []);
});
