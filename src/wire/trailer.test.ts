/** The extended dialect, byte by byte, and everything that is not it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fromHex, ip, mac, toHex } from '../base/index.ts';
import { decodeHeartbeat } from './heartbeat.ts';
import { decodeTrailer, encodeExtendedHeartbeat, type Trailer } from './trailer.ts';

const ROUTE = { from: ip('198.51.100.11'), to: ip('198.51.100.12') };
const KEY = fromHex('000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f');
const OTHER_KEY = new Uint8Array(32).fill(7);

const ACTIVE: Trailer = {
  role: 'active',
  isEligible: true,
  isStopping: false,
  reason: 'partner-silent',
  epoch: 8,
  moves: 3,
  incarnation: 0x1a2b3c4d5e6f,
  sequence: 4711,
  echo: { incarnation: 0x1a2b3c000001, sequence: 99 },
  intervalMs: 50,
  deadtimeMs: 300,
  leaseMs: 229,
  serialNo: 42,
  configDigest: '0123456789abcdef',
  servicesUp: 2,
  services: 3,
  linkAddresses: [mac('02:00:00:00:00:11')],
};

const ANNOTATED = `
  da db ad bd              RUNNING, as an original pulse reads it
  50 58                    "PX"
  01                       version
  02                       active
  01                       eligible
  02                       partner-silent
  00 4f                    79 bytes
  00 00 00 08              epoch
  00 00 00 03              moves
  00 00 1a 2b 3c 4d 5e 6f  incarnation
  00 00 12 67              sequence
  00 00 1a 2b 3c 00 00 01  echo of the partner's incarnation
  00 00 00 63              and of its sequence
  00 00 c3 50              50 ms
  00 04 93 e0              300 ms
  00 03 7e 88              lease 229 ms
  00 00 00 2a              serial_no
  01 23 45 67 89 ab cd ef  config digest
  00 02 00 03              2 of 3 services up
  01 02 00 00 00 00 11     one link-layer address
`;

/** The hexadecimal column of an annotated capture. */
function octets(annotated: string): Uint8Array {
  const rows = annotated
    .split('\n')
    .map((row) => row.match(/^ {2}((?:[0-9a-f]{2} ?)+)/)?.[1] ?? '');
  return fromHex(rows.join(' '));
}

test('a signed-less heartbeat is these bytes, both ways', () => {
  const bytes = octets(ANNOTATED);
  assert.equal(toHex(encodeExtendedHeartbeat(ACTIVE, ROUTE)), toHex(bytes));
  assert.deepEqual(decodeTrailer(bytes, ROUTE, []), { ok: true, value: ACTIVE });
});

test('an original pulse still reads RUNNING from an active node and STOPPED from a claim', () => {
  const kindOf = (role: Trailer['role']) => {
    const decoded = decodeHeartbeat(encodeExtendedHeartbeat({ ...ACTIVE, role }, ROUTE));
    return decoded.ok ? decoded.value.kind : decoded.error;
  };
  assert.equal(kindOf('active'), 'running');
  assert.equal(kindOf('claim'), 'stopped');
  assert.equal(kindOf('standby'), 'stopped');
});

test('a signed heartbeat is taken with either of two keys and on its own path only', () => {
  const bytes = encodeExtendedHeartbeat(ACTIVE, ROUTE, KEY);
  assert.ok(decodeTrailer(bytes, ROUTE, [OTHER_KEY, KEY]).ok);
  assert.deepEqual(decodeTrailer(bytes, ROUTE, [OTHER_KEY]), { ok: false, error: 'bad-tag' });
  const back = { from: ROUTE.to, to: ROUTE.from };
  assert.deepEqual(decodeTrailer(bytes, back, [KEY]), { ok: false, error: 'bad-tag' });
});

test('with a key, an unsigned heartbeat and a flag without a tag are refused', () => {
  const unsigned = encodeExtendedHeartbeat(ACTIVE, ROUTE);
  assert.deepEqual(decodeTrailer(unsigned, ROUTE, [KEY]), { ok: false, error: 'unsigned' });
  const pretending = Uint8Array.from(unsigned);
  pretending[8] = 5;
  assert.deepEqual(decodeTrailer(pretending, ROUTE, [KEY]), { ok: false, error: 'unsigned' });
});

test('any one bit flipped in a signed heartbeat is noticed', () => {
  const bytes = encodeExtendedHeartbeat(ACTIVE, ROUTE, KEY);
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flipped = Uint8Array.from(bytes);
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assert.equal(decodeTrailer(flipped, ROUTE, [KEY]).ok, false, `bit ${bit}`);
  }
});

test('what is not a trailer says why', () => {
  const good = octets(ANNOTATED);
  const change = (offset: number, ...values: number[]) => {
    const bytes = Uint8Array.from(good);
    bytes.set(values, offset);
    return bytes;
  };
  const rows: readonly [string, Uint8Array, string][] = [
    ['four bytes are the legacy dialect', good.subarray(0, 4), 'bare'],
    ['another tag', change(4, 0x51), 'not-a-trailer'],
    ['cut in the middle', good.subarray(0, 40), 'too-short'],
    ['cut in the link-layer address', good.subarray(0, 76), 'too-short'],
    ['a role nobody has', change(7, 9), 'malformed'],
    ['version 0', change(6, 0), 'malformed'],
    ['a length that is not the datagram’s', change(10, 0, 80), 'malformed'],
    ['no incarnation', change(20, 0, 0, 0, 0, 0, 0, 0, 0), 'malformed'],
    ['an incarnation above 2^53', change(20, 0xff), 'malformed'],
    ['nine link-layer addresses', change(72, 9), 'too-short'],
  ];
  for (const [what, bytes, error] of rows) {
    assert.deepEqual(decodeTrailer(bytes, ROUTE, []), { ok: false, error }, what);
  }
});

/** fast-check makes records without a prototype; strict equality minds. */
function plain(trailer: Trailer): Trailer {
  return { ...trailer, echo: trailer.echo && { ...trailer.echo } };
}

test('the round trip keeps every field', () => {
  const u32 = fc.integer({ min: 0, max: 0xffffffff });
  const u16 = fc.integer({ min: 0, max: 0xffff });
  const life = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
  const ms = fc.integer({ min: 0, max: 0xffffffff }).map((value) => value / 1000);
  const trailers = fc.record({
    role: fc.constantFrom('standby', 'claim', 'active'),
    isEligible: fc.boolean(),
    isStopping: fc.boolean(),
    reason: fc.constantFrom('start', 'deaf', 'stop'),
    epoch: u32,
    moves: u32,
    incarnation: life,
    sequence: u32,
    echo: fc.option(fc.record({ incarnation: life, sequence: u32 }), { nil: undefined }),
    intervalMs: ms,
    deadtimeMs: ms,
    leaseMs: ms,
    serialNo: u32,
    configDigest: fc.constant('00ff10a5deadbeef'),
    servicesUp: u16,
    services: u16,
    linkAddresses: fc.constant([mac('02:00:00:00:00:12'), mac('02:00:00:00:01:12')]),
  });
  const keys = fc.constantFrom(undefined, KEY);
  fc.assert(
    fc.property(trailers as fc.Arbitrary<Trailer>, keys, (trailer, key) => {
      const bytes = encodeExtendedHeartbeat(trailer, ROUTE, key);
      const decoded = decodeTrailer(bytes, ROUTE, key === undefined ? [] : [key]);
      assert.deepEqual(decoded, { ok: true, value: plain(trailer) });
    }),
  );
});

test('random and mutated datagrams never throw', () => {
  const mutated = fc
    .tuple(fc.integer({ min: 0, max: 90 }), fc.array(fc.tuple(fc.nat(78), fc.nat(255))))
    .map(([length, edits]) => {
      const bytes = Uint8Array.from(octets(ANNOTATED));
      for (const [offset, value] of edits) bytes[offset] = value;
      return bytes.subarray(0, length);
    });
  fc.assert(
    fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 600 })), (bytes) => {
      decodeTrailer(bytes, ROUTE, []);
      assert.equal(decodeTrailer(bytes, ROUTE, [KEY]).ok, false);
    }),
  );
});
