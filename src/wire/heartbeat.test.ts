import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { concatBytes, fromHex, toHex } from '../base/index.ts';
import { decodeHeartbeat, encodeHeartbeat, HEARTBEAT_KINDS } from './heartbeat.ts';

/** As the original puts them on the wire, from x86 and from ppc. */
const WORDS = [
  ['running', 'da db ad bd', 'bd ad db da'],
  ['stopped', 'bd da bd ad', 'ad bd da bd'],
  ['hold', 'be ba af de', 'de af ba be'],
  ['held', 'da da af de', 'de af da da'],
  ['fos-running', 'be ba ef be', 'be ef ba be'],
  ['fos-stopped', 'ef be ad de', 'de ad be ef'],
  ['stopme', 'da da ad de', 'de ad da da'],
] as const;

test('every word of Piranha is written and recognised in both byte orders', () => {
  assert.deepEqual(
    HEARTBEAT_KINDS,
    WORDS.map(([kind]) => kind),
  );
  for (const [kind, little, big] of WORDS) {
    assert.equal(toHex(encodeHeartbeat(kind)), little, 'little-endian unless told');
    assert.equal(toHex(encodeHeartbeat(kind, 'big')), big);
    const rest = new Uint8Array(0);
    assert.deepEqual(decodeHeartbeat(fromHex(little)), {
      ok: true,
      value: { kind, byteOrder: 'little', rest },
    });
    assert.deepEqual(decodeHeartbeat(fromHex(big)), {
      ok: true,
      value: { kind, byteOrder: 'big', rest },
    });
  }
});

test('what follows the four bytes is handed on untouched', () => {
  assert.deepEqual(decodeHeartbeat(fromHex('da db ad bd 01 02 03')), {
    ok: true,
    value: { kind: 'running', byteOrder: 'little', rest: fromHex('01 02 03') },
  });
});

test('bad datagrams are refused with the reason', () => {
  const bad = [
    ['', 'too-short'],
    ['da db ad', 'too-short'], // RUNNING less its last byte
    ['da db ad be', 'unknown-magic'], // one bit off
    ['00 00 00 00', 'unknown-magic'],
    ['00 da db ad bd', 'unknown-magic'], // the word must come first
  ] as const;
  for (const [hex, error] of bad) {
    assert.deepEqual(decodeHeartbeat(fromHex(hex)), { ok: false, error });
  }
});

test('any word with any bytes behind it comes back as it was', () => {
  const order = fc.constantFrom('little', 'big');
  fc.assert(
    fc.property(
      fc.constantFrom(...HEARTBEAT_KINDS),
      order,
      fc.uint8Array({ maxLength: 64 }),
      (kind, byteOrder, rest) => {
        const bytes = concatBytes(encodeHeartbeat(kind, byteOrder), rest);
        assert.deepEqual(decodeHeartbeat(bytes), { ok: true, value: { kind, byteOrder, rest } });
      },
    ),
    { numRuns: 200 },
  );
});
