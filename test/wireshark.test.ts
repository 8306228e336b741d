/**
 * The Wireshark dissector (contrib/wireshark/piranha.lua) against the encoder: a capture written by hand, read by tshark.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { concatBytes, fromHex, ip, ipBytes, mac } from '../src/base/index.ts';
import { REASONS } from '../src/model/index.ts';
import {
  encodeExtendedHeartbeat,
  encodeFrame,
  encodeHeartbeat,
  type Trailer,
} from '../src/wire/index.ts';

const SCRIPT = join(import.meta.dirname, '..', 'contrib', 'wireshark', 'piranha.lua');
const ROUTE = { from: ip('198.51.100.11'), to: ip('198.51.100.12') };
const KEY = fromHex('000102030405060708090a0b0c0d0e0f');
const TRAILER: Trailer = {
  role: 'active',
  isEligible: true,
  isStopping: false,
  reason: 'partner-silent',
  epoch: 8,
  moves: 3,
  incarnation: 1_795_000_000_123 * 4096 + 77,
  sequence: 4711,
  echo: { incarnation: 1_795_000_000_000 * 4096, sequence: 99 },
  intervalMs: 50,
  deadtimeMs: 300,
  leaseMs: 229,
  serialNo: 42,
  configDigest: '0123456789abcdef',
  servicesUp: 2,
  services: 3,
  linkAddresses: [mac('02:00:00:00:00:11'), mac('02:00:00:00:01:11')],
};

const directory = mkdtempSync(join(tmpdir(), 'pirv-'));
after(() => rmSync(directory, { recursive: true, force: true }));

const missing = missingTshark();

/** Undefined: tshark is here and runs Lua. */
function missingTshark(): string | undefined {
  const { status, stdout } = spawnSync('tshark', ['--version'], {
    encoding: 'utf8',
    timeout: 20_000,
  });
  if (status !== 0) return 'tshark is not installed';
  return /with Lua/i.test(stdout) ? undefined : 'this tshark was built without Lua';
}

/** One line a datagram: the fields asked for, separated by `|`. */
function decode(datagrams: readonly Uint8Array[], ...fields: readonly string[]): readonly string[] {
  const file = join(directory, 'heartbeats.pcap');
  writeFileSync(file, concatBytes(PCAP_HEADER, ...datagrams.map(pcapRecord)));
  const asked = fields.flatMap((field) => ['-e', field]);
  const words = ['-r', file, '-X', `lua_script:${SCRIPT}`, '-T', 'fields', '-E', 'separator=|'];
  const ran = spawnSync('tshark', [...words, ...asked], { encoding: 'utf8', timeout: 20_000 });
  assert.equal(ran.status, 0, ran.stderr);
  assert.doesNotMatch(ran.stderr, /lua|error/i);
  return ran.stdout.trimEnd().split('\n');
}

/** Little-endian, version 2.4, Ethernet (pcap-savefile(5)). */
const PCAP_HEADER = fromHex('d4c3b2a1 0200 0400 00000000 00000000 00000400 01000000');

function pcapRecord(datagram: Uint8Array): Uint8Array {
  const udp = concatBytes(be16(539), be16(539), be16(8 + datagram.length), be16(0), datagram);
  const header = concatBytes(
    fromHex('4500'),
    be16(20 + udp.length),
    fromHex('0000 4000 40 11 0000'),
    ipBytes(ROUTE.from),
    ipBytes(ROUTE.to),
  );
  const frame = encodeFrame({
    destination: mac('02:00:00:00:00:12'),
    source: mac('02:00:00:00:00:11'),
    etherType: 0x0800,
    payload: concatBytes(header, udp),
  });
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, frame.length, true);
  return concatBytes(new Uint8Array(8), length, length, frame);
}

function be16(value: number): Uint8Array {
  return Uint8Array.of(value >> 8, value & 0xff);
}

const skip = missing ?? false;

test('every field of the trailer comes out as it went in', { skip }, () => {
  const expected = {
    word: '0xdadbadbd',
    version: '1',
    role: '2',
    eligible: '1',
    stopping: '0',
    signed: '1',
    reason: `${REASONS.indexOf('partner-silent')}`,
    length: '101',
    epoch: '8',
    moves: '3',
    incarnation: `${TRAILER.incarnation}`,
    started: 'Nov 18, 2026 11:06:40.123000000 UTC',
    sequence: '4711',
    'echo.incarnation': `${TRAILER.echo?.incarnation}`,
    'echo.sequence': '99',
    interval: '50000',
    deadtime: '300000',
    lease: '229000',
    serial_no: '42',
    digest: '0123456789abcdef',
    'services.up': '2',
    services: '3',
    link: '02:00:00:00:00:11,02:00:00:00:01:11',
  };
  const fields = Object.keys(expected).map((name) => `piranha.${name}`);
  const [line = ''] = decode([encodeExtendedHeartbeat(TRAILER, ROUTE, KEY)], ...fields);
  const found = line.split('|').map((value) => value.replace('True', '1').replace('False', '0'));
  assert.deepEqual(found, Object.values(expected));
});

test('the info column says who speaks and why; Wireshark still decodes the word by itself', {
  skip,
}, () => {
  const claim = encodeExtendedHeartbeat({ ...TRAILER, role: 'claim', echo: undefined }, ROUTE);
  const lines = decode(
    [encodeHeartbeat('running'), claim],
    '_ws.col.Protocol',
    '_ws.col.Info',
    'pulse.magic',
  );
  assert.match(lines[0] ?? '', /^PIRANHA\|RUNNING\|/);
  assert.match(
    lines[1] ?? '',
    /^PIRANHA\|STOPPED: claim \(partner-silent\), epoch 8, #4711, echo #0\|/,
  );
});

test('it knows every reason by its number', { skip }, () => {
  const datagrams = REASONS.map((reason) => encodeExtendedHeartbeat({ ...TRAILER, reason }, ROUTE));
  const lines = decode(datagrams, '_ws.col.Info');
  assert.deepEqual(
    lines.map((line) => /\((.*?)\)/.exec(line)?.[1]),
    REASONS,
  );
});

test('what is cut short, or no trailer, is called so and breaks nothing', { skip }, () => {
  const whole = encodeExtendedHeartbeat(TRAILER, ROUTE, KEY);
  const lengths = [5, 6, 40, 72, 75, whole.length - 1];
  const cut = lengths.map((length) => whole.slice(0, length));
  const noise = concatBytes(encodeHeartbeat('running'), new Uint8Array(100).fill(0xaa));
  const lines = decode([...cut, noise], '_ws.expert.message', '_ws.malformed');
  for (const line of lines) assert.match(line, /shorter|no trailer|not that of the datagram/);
});
