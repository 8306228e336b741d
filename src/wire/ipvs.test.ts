import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fromHex, ip, ipFromBytes, toHex } from '../base/index.ts';
import type { DestinationRow, ServiceKey, ServiceRow } from '../model/index.ts';
import { decodeFamily, encodeFamilyGet, encodeGeneric } from './genl.ts';
import {
  encodeIpvsDaemonDump,
  encodeIpvsDaemonStart,
  encodeIpvsDaemonStop,
  encodeIpvsDestinationDump,
  encodeIpvsFlush,
  encodeIpvsInfoGet,
  encodeIpvsOperation,
  encodeIpvsServiceDump,
  encodeIpvsServiceWrite,
  encodeIpvsTimeouts,
  encodeIpvsTimeoutsGet,
  encodeIpvsZero,
} from './ipvs.ts';
import {
  decodeIpvsDaemon,
  decodeIpvsDestination,
  decodeIpvsInfo,
  decodeIpvsService,
  decodeIpvsTimeouts,
} from './ipvs-answers.ts';
import { IPVS_FAMILY } from './ipvs-codes.ts';
import { decodeMessage, encodeMessage, NETLINK_FAULTS } from './netlink.ts';
import { le16 } from './octets.ts';

/** Everything here was captured from ipvsadm 1.31 and Linux 6.1; the family was number 28 there. */
const FAMILY = 0x1c;
const message = (payload: string) =>
  encodeMessage({ type: FAMILY, flags: 0, payload: fromHex(payload) });
/** A new-service or new-destination message: one nested attribute of the given type. */
const nest = (type: 1 | 2, attributes: string) => {
  const length = fromHex(attributes).length + 4;
  return `0${type === 1 ? 1 : 5} 01 00 00 ${toHex(le16(length))} 0${type} 00 ${attributes}`;
};
const payloadOf = (bytes: Uint8Array) => {
  const decoded = decodeMessage(bytes);
  assert.ok(decoded.ok && decoded.value.type === FAMILY);
  return toHex(decoded.value.payload);
};

const WEB_KEY: ServiceKey = {
  kind: 'address',
  protocol: 'tcp',
  address: ip('10.77.0.100'),
  port: 80,
};
const WEB: ServiceRow = {
  key: WEB_KEY,
  scheduler: 'wlc',
  flags: [],
  persistentSeconds: 300,
  persistencePrefixLength: 24,
};
const DNS: ServiceRow = {
  key: { kind: 'address', protocol: 'udp', address: ip('fd77::100'), port: 53 },
  scheduler: 'sh',
  flags: ['flag-1', 'flag-2'],
  persistentSeconds: 60,
  persistencePrefixLength: 64,
};
const MARKED: ServiceRow = {
  key: { kind: 'mark', family: 4, mark: 7 },
  scheduler: 'rr',
  flags: [],
  persistentSeconds: 0,
  persistencePrefixLength: 32,
};

const WEB_IDENTITY =
  '06 00 01 00 02 00 00 00 06 00 02 00 06 00 00 00 ' + // IPv4, TCP
  '14 00 03 00 0a 4d 00 64 00 00 00 00 00 00 00 00 00 00 00 00 06 00 04 00 00 50 00 00'; // VIP, 80
const DNS_IDENTITY =
  '06 00 01 00 0a 00 00 00 06 00 02 00 11 00 00 00 ' +
  '14 00 03 00 fd 77 00 00 00 00 00 00 00 00 00 00 00 00 01 00 06 00 04 00 00 35 00 00';
/** The counters of a fresh row. */
const STATS =
  '60 00 0a 00 08 00 01 00 00 00 00 00 08 00 02 00 00 00 00 00 08 00 03 00 00 00 00 00 ' +
  '0c 00 04 00 00 00 00 00 00 00 00 00 04 00 0b 00 0c 00 05 00 00 00 00 00 00 00 00 00 ' +
  '08 00 06 00 00 00 00 00 08 00 07 00 00 00 00 00 08 00 08 00 00 00 00 00 ' +
  '08 00 09 00 00 00 00 00 08 00 0a 00 00 00 00 00';
const ZERO = {
  ...{ connections: 0, inPackets: 0, outPackets: 0, inBytes: 0, outBytes: 0 },
  ...{ connectionRate: 0, inPacketRate: 0, outPacketRate: 0, inByteRate: 0, outByteRate: 0 },
};

test('services are written byte for byte as ipvsadm writes them', () => {
  // ipvsadm -A -t 10.77.0.100:80 -s wlc -p 300 -M 255.255.255.0
  assert.equal(
    payloadOf(encodeIpvsOperation(FAMILY, { kind: 'add-service', service: WEB })),
    `01 01 00 00 54 00 01 80 ${WEB_IDENTITY} 08 00 06 00 77 6c 63 00 ` + // wlc
      '0c 00 07 00 01 00 00 00 ff ff ff ff ' + // persistent, all flags told
      '08 00 08 00 2c 01 00 00 08 00 09 00 ff ff ff 00', // 300 s, mask in network order
  );
  // ipvsadm -A -u [fd77::100]:53 -s sh -b sh-port,sh-fallback -p 60 -M 64
  assert.equal(
    payloadOf(encodeIpvsOperation(FAMILY, { kind: 'add-service', service: DNS })),
    `01 01 00 00 54 00 01 80 ${DNS_IDENTITY} 07 00 06 00 73 68 00 00 ` +
      '0c 00 07 00 19 00 00 00 ff ff ff ff 08 00 08 00 3c 00 00 00 08 00 09 00 40 00 00 00', // /64
  );
  // ipvsadm -A -f 7 -s rr
  assert.equal(
    payloadOf(encodeIpvsOperation(FAMILY, { kind: 'add-service', service: MARKED })),
    '01 01 00 00 38 00 01 80 06 00 01 00 02 00 00 00 08 00 05 00 07 00 00 00 ' +
      '07 00 06 00 72 72 00 00 0c 00 07 00 00 00 00 00 ff ff ff ff ' +
      '08 00 08 00 00 00 00 00 08 00 09 00 ff ff ff ff',
  );
  // ipvsadm -A -u 10.77.0.100:5060 -s rr -o --pe sip -p 30
  const sip: ServiceRow = {
    key: { kind: 'address', protocol: 'udp', address: ip('10.77.0.100'), port: 5060 },
    scheduler: 'rr',
    flags: ['one-packet'],
    persistentSeconds: 30,
    persistencePrefixLength: 32,
  };
  assert.equal(
    payloadOf(encodeIpvsServiceWrite(FAMILY, 'add', sip, 'sip')),
    '01 01 00 00 5c 00 01 80 06 00 01 00 02 00 00 00 06 00 02 00 11 00 00 00 ' +
      '14 00 03 00 0a 4d 00 64 00 00 00 00 00 00 00 00 00 00 00 00 06 00 04 00 13 c4 00 00 ' +
      '07 00 06 00 72 72 00 00 08 00 0b 00 73 69 70 00 0c 00 07 00 05 00 00 00 ff ff ff ff ' +
      '08 00 08 00 1e 00 00 00 08 00 09 00 ff ff ff ff',
  );
});

test('real servers are written as ipvsadm writes them, but that a service is named by its key alone', () => {
  const written = (destination: DestinationRow) => {
    const operation = { kind: 'add-destination', key: WEB_KEY, destination } as const;
    const [key, row] = payloadOf(encodeIpvsOperation(FAMILY, operation)).split(WEB_IDENTITY);
    assert.equal(key, '05 01 00 00 30 00 01 80 ');
    return row?.trim();
  };
  // ipvsadm -a ... -r 10.77.0.21:8080 -m -w 5 -x 100 -y 50, which also sends zeroes for a tunnel
  const plain: DestinationRow = {
    address: ip('10.77.0.21'),
    port: 8080,
    method: 'nat',
    weight: 5,
    upperThreshold: 100,
    lowerThreshold: 50,
  };
  assert.equal(
    written(plain),
    '48 00 02 80 06 00 0b 00 02 00 00 00 ' +
      '14 00 01 00 0a 4d 00 15 00 00 00 00 00 00 00 00 00 00 00 00 06 00 02 00 1f 90 00 00 ' +
      '08 00 03 00 00 00 00 00 08 00 04 00 05 00 00 00 ' +
      '08 00 05 00 64 00 00 00 08 00 06 00 32 00 00 00',
  );
  // ipvsadm -a ... -r 10.77.0.23:80 -i --tun-type gue --tun-port 6080 --tun-remcsum
  assert.equal(
    written({
      address: ip('10.77.0.23'),
      port: 80,
      method: 'tunnel',
      tunnel: { kind: 'gue', port: 6080, checksum: 'remote' },
      weight: 1,
      upperThreshold: 0,
      lowerThreshold: 0,
    }),
    '60 00 02 80 06 00 0b 00 02 00 00 00 ' +
      '14 00 01 00 0a 4d 00 17 00 00 00 00 00 00 00 00 00 00 00 00 06 00 02 00 00 50 00 00 ' +
      '08 00 03 00 02 00 00 00 08 00 04 00 01 00 00 00 ' +
      '05 00 0d 00 01 00 00 00 06 00 0e 00 17 c0 00 00 06 00 0f 00 02 00 00 00 ' +
      '08 00 05 00 00 00 00 00 08 00 06 00 00 00 00 00',
  );
  const gone = { kind: 'delete-destination', key: WEB_KEY, destination: plain } as const;
  assert.equal(
    payloadOf(encodeIpvsOperation(FAMILY, gone)),
    `07 01 00 00 30 00 01 80 ${WEB_IDENTITY} 28 00 02 80 06 00 0b 00 02 00 00 00 ` +
      '14 00 01 00 0a 4d 00 15 00 00 00 00 00 00 00 00 00 00 00 00 06 00 02 00 1f 90 00 00',
  );
});

test('the other orders and questions are byte for byte those of ipvsadm', () => {
  const ordered: readonly (readonly [Uint8Array, string])[] = [
    [encodeIpvsServiceDump(FAMILY), '04 01 00 00'],
    [
      encodeIpvsDestinationDump(FAMILY, MARKED.key),
      '08 01 00 00 14 00 01 80 06 00 01 00 02 00 00 00 08 00 05 00 07 00 00 00',
    ],
    [encodeIpvsDestinationDump(FAMILY, WEB_KEY), `08 01 00 00 30 00 01 80 ${WEB_IDENTITY}`],
    [
      encodeIpvsOperation(FAMILY, { kind: 'delete-service', key: WEB_KEY }),
      `03 01 00 00 30 00 01 80 ${WEB_IDENTITY}`,
    ],
    [
      encodeIpvsDaemonStart(FAMILY, { state: 'master', interface: 'eth0', syncId: 7 }),
      '09 01 00 00 20 00 03 80 08 00 01 00 01 00 00 00 09 00 02 00 65 74 68 30 00 00 00 00 08 00 03 00 07 00 00 00',
    ],
    [encodeIpvsDaemonStop(FAMILY, 'backup'), '0a 01 00 00 0c 00 03 80 08 00 01 00 02 00 00 00'],
    [encodeIpvsDaemonDump(FAMILY), '0b 01 00 00'],
    [
      encodeIpvsTimeouts(FAMILY, { tcpSeconds: 100, tcpFinSeconds: 200, udpSeconds: 300 }),
      '0c 01 00 00 08 00 04 00 64 00 00 00 08 00 05 00 c8 00 00 00 08 00 06 00 2c 01 00 00',
    ],
    [encodeIpvsTimeoutsGet(FAMILY), '0d 01 00 00'],
    [encodeIpvsInfoGet(FAMILY), '0f 01 00 00'],
    [encodeIpvsZero(FAMILY), '10 01 00 00'],
    [encodeIpvsFlush(FAMILY), '11 01 00 00'],
  ];
  for (const [bytes, payload] of ordered) assert.equal(payloadOf(bytes), payload);
});

test('captured services are read', () => {
  const read = (hex: string) => decodeIpvsService(message(hex));
  assert.deepEqual(
    read(
      `01 01 00 00 b4 00 01 00 ${WEB_IDENTITY} 08 00 06 00 77 6c 63 00 ` +
        '0c 00 07 00 03 00 00 00 ff ff ff ff ' + // persistent and hashed
        `08 00 08 00 2c 01 00 00 08 00 09 00 ff ff ff 00 ${STATS}`,
    ),
    { ok: true, value: { service: WEB, counters: ZERO } },
  );
  assert.deepEqual(
    read(
      `01 01 00 00 b4 00 01 00 ${DNS_IDENTITY} 07 00 06 00 73 68 00 00 ` +
        `0c 00 07 00 1b 00 00 00 ff ff ff ff 08 00 08 00 3c 00 00 00 08 00 09 00 40 00 00 00 ${STATS}`,
    ),
    { ok: true, value: { service: DNS, counters: ZERO } },
  );
  assert.deepEqual(
    read(
      '01 01 00 00 98 00 01 00 06 00 01 00 02 00 00 00 08 00 05 00 07 00 00 00 07 00 06 00 72 72 00 00 ' +
        `0c 00 07 00 02 00 00 00 ff ff ff ff 08 00 08 00 00 00 00 00 08 00 09 00 ff ff ff ff ${STATS}`,
    ),
    { ok: true, value: { service: MARKED, counters: ZERO } },
  );
});

test('a persistence engine and one-packet scheduling are read back', () => {
  const row: ServiceRow = { ...WEB, flags: ['one-packet'] };
  assert.deepEqual(decodeIpvsService(encodeIpvsServiceWrite(FAMILY, 'edit', row, 'sip')), {
    ok: true,
    value: { service: row, persistenceEngine: 'sip', counters: ZERO },
  });
});

test('captured real servers are read; an IPv6 one behind an IPv4 service too', () => {
  // Captured but for the limits and connections, which were zero.
  const limits =
    '08 00 05 00 64 00 00 00 08 00 06 00 32 00 00 00 ' +
    '08 00 07 00 03 00 00 00 08 00 08 00 02 00 00 00 08 00 09 00 01 00 00 00 ';
  assert.deepEqual(
    decodeIpvsDestination(
      message(
        nest(
          2,
          '14 00 01 00 fd 77 00 00 00 00 00 00 00 00 00 00 00 00 00 25 06 00 02 00 00 50 00 00 ' +
            '08 00 03 00 02 00 00 00 08 00 04 00 01 00 00 00 ' +
            '05 00 0d 00 02 00 00 00 06 00 0e 00 00 00 00 00 06 00 0f 00 01 00 00 00 ' + // GRE
            `${limits}06 00 0b 00 0a 00 00 00 ${STATS}`,
        ),
      ),
      WEB_KEY,
    ),
    {
      ok: true,
      value: {
        destination: {
          address: ip('fd77::25'),
          port: 80,
          method: 'tunnel',
          tunnel: { kind: 'gre', checksum: 'full' },
          weight: 1,
          upperThreshold: 100,
          lowerThreshold: 50,
        },
        activeConnections: 3,
        inactiveConnections: 2,
        persistentConnections: 1,
        counters: ZERO,
      },
    },
  );
});

test('counters of 64 bits are preferred, those of 32 taken where there are no others', () => {
  const tail =
    '08 00 06 00 77 6c 63 00 0c 00 07 00 03 00 00 00 ff ff ff ff ' +
    '08 00 08 00 2c 01 00 00 08 00 09 00 ff ff ff 00';
  const narrow = STATS.replace('08 00 01 00 00', '08 00 01 00 63'); // 99 connections
  const wide = Array.from(
    { length: 10 },
    (_, index) => `0c 00 0${(index + 1).toString(16)} 00 0${index} 00 00 00 01 00 00 00`,
  ).join(' ');
  const counted = (stats: string) => {
    const service = decodeIpvsService(message(nest(1, `${WEB_IDENTITY} ${tail} ${stats}`)));
    assert.ok(service.ok, JSON.stringify(service));
    return service.value.counters;
  };
  const both = counted(`${narrow} 7c 00 0c 00 ${wide}`);
  assert.equal(both.connections, 2 ** 32);
  assert.equal(both.outByteRate, 2 ** 32 + 9);
  assert.equal(counted(narrow).connections, 99);
});

test('timeouts, version and daemons are read', () => {
  assert.deepEqual(
    decodeIpvsTimeouts(
      message(
        '0c 01 00 00 08 00 04 00 64 00 00 00 08 00 05 00 c8 00 00 00 08 00 06 00 2c 01 00 00',
      ),
    ),
    { ok: true, value: { tcpSeconds: 100, tcpFinSeconds: 200, udpSeconds: 300 } },
  );
  assert.deepEqual(
    decodeIpvsInfo(message('0e 01 00 00 08 00 01 00 01 02 01 00 08 00 02 00 00 10 00 00')),
    { ok: true, value: { version: '1.2.1', connectionTableSize: 4096 } },
  );
  const daemon = {
    state: 'backup',
    interface: 'eth0',
    syncId: 7,
    maxLength: 1400,
    group: ip('ff02::81'),
    port: 8849,
    ttl: 2,
  } as const;
  for (const value of [daemon, { ...daemon, group: ip('224.0.0.82') }]) {
    assert.deepEqual(decodeIpvsDaemon(encodeIpvsDaemonStart(FAMILY, value)), { ok: true, value });
  }
});

test('the number of a family is asked by its name', () => {
  assert.equal(
    toHex(encodeFamilyGet(IPVS_FAMILY).subarray(16)),
    '03 01 00 00 09 00 02 00 49 50 56 53 00 00 00 00',
  );
  const answer = (rest: string) =>
    encodeMessage({ type: 16, flags: 0, payload: fromHex(`01 02 00 00 ${rest}`) });
  assert.deepEqual(
    decodeFamily(
      answer('09 00 02 00 49 50 56 53 00 00 00 00 06 00 01 00 1c 00 00 00 08 00 03 00 01 00 00 00'),
    ),
    { ok: true, value: { id: 28, name: 'IPVS', version: 1, groups: new Map() } },
  );
  const groups = decodeFamily(
    answer(
      '0a 00 02 00 6e 6c 63 74 72 6c 00 00 06 00 01 00 10 00 00 00 ' + // the controller itself
        '1c 00 07 00 18 00 01 00 08 00 02 00 10 00 00 00 0b 00 01 00 6e 6f 74 69 66 79 00 00',
    ),
  );
  assert.ok(groups.ok);
  assert.deepEqual(groups.value.groups, new Map([['notify', 16]]));
  assert.deepEqual(decodeFamily(message('01 02 00 00')), { ok: false, error: 'wrong-type' });
  assert.deepEqual(decodeFamily(answer('')), { ok: false, error: 'missing-attribute' });
});

test('bad answers are refused with the reason', () => {
  const service = (rest: string) => decodeIpvsService(message(rest));
  const error = (reason: string) => ({ ok: false, error: reason });
  const tail =
    '08 00 06 00 77 6c 63 00 0c 00 07 00 03 00 00 00 ff ff ff ff 08 00 08 00 2c 01 00 00 08 00 09 00 ff ff ff 00';
  assert.ok(service(nest(1, `${WEB_IDENTITY} ${tail}`)).ok);
  assert.deepEqual(service('01 01'), error('truncated-payload'));
  assert.deepEqual(service('05 01 00 00'), error('wrong-type')); // a real server
  assert.deepEqual(service('01 01 00 00'), error('missing-attribute')); // no service in it
  assert.deepEqual(service('01 01 00 00 ff 00 01 00'), error('bad-attribute-length'));
  assert.deepEqual(service(nest(1, tail)), error('missing-attribute')); // whose?
  assert.deepEqual(service(nest(1, WEB_IDENTITY)), error('missing-attribute')); // no scheduler
  const wrong = [
    ['06 00 01 00 02', '06 00 01 00 03'], // AX.25
    ['06 00 02 00 06', '06 00 02 00 2f'], // GRE is no service
    ['06 00 04 00', '05 00 04 00'], // a port of one byte
    ['0c 00 07 00 03 00 00 00 ff ff ff ff', '07 00 07 00 03 00 00 00'], // flags of three
    ['08 00 08 00', '06 00 08 00'], // a timeout of two
    ['08 00 09 00', '07 00 09 00'], // a mask of three
    ['14 00 03 00 0a 4d 00 64 00 00 00 00 00 00 00 00 00 00 00 00', '06 00 03 00 0a 4d 00 00'],
  ] as const;
  for (const [right, bad] of wrong) {
    const attributes = `${WEB_IDENTITY} ${tail}`.replace(right, bad);
    assert.deepEqual(service(nest(1, attributes)), error('bad-attribute-value'), bad);
  }
  const destination = (attributes: string) =>
    decodeIpvsDestination(message(nest(2, attributes)), WEB_KEY);
  const server =
    '08 00 01 00 0a 4d 00 15 06 00 02 00 00 50 00 00 08 00 03 00 03 00 00 00 08 00 04 00 01 00 00 00';
  const old = destination(server);
  assert.ok(old.ok, 'a kernel that tells neither family nor limits nor counters');
  assert.equal(old.value.destination.address, ip('10.77.0.21'));
  assert.deepEqual(destination(''), error('missing-attribute'));
  assert.deepEqual(destination(server.slice(0, 47)), error('missing-attribute')); // no method
  assert.deepEqual(
    destination(server.replace('08 00 03 00 03', '08 00 03 00 04')),
    error('bad-attribute-value'),
  );
  assert.deepEqual(destination(`${server} 06 00 0b 00 03 00 00 00`), error('bad-attribute-value'));
  const daemon = '0c 00 03 00 08 00 01 00 03 00 00 00';
  assert.deepEqual(
    decodeIpvsDaemon(message(`09 01 00 00 ${daemon}`)),
    error('bad-attribute-value'),
  );
  assert.deepEqual(decodeIpvsDaemon(message('0b 01 00 00')), error('wrong-type'));
  assert.deepEqual(decodeIpvsInfo(message('0e 01 00 00')), error('missing-attribute'));
  assert.deepEqual(
    decodeIpvsTimeouts(message('0c 01 00 00 06 00 04 00 64 00')),
    error('bad-attribute-value'),
  );
});

test('any row comes back as it was, and no bytes make the decoders throw', () => {
  const word = fc.integer({ min: 0, max: 0xffff });
  const address = (length: number) =>
    fc.uint8Array({ minLength: length, maxLength: length }).map((b) => ipFromBytes(b) ?? ip('::'));
  const six = fc.boolean();
  const flags = fc.subarray(['one-packet', 'flag-1', 'flag-2', 'flag-3'] as const);
  fc.assert(
    fc.property(
      six.chain((isSix) => fc.tuple(fc.constant(isSix), address(isSix ? 16 : 4))),
      ...([word, word, flags, fc.constantFrom('tcp', 'udp', 'sctp')] as const),
      ([isSix, vip], port, seconds, set, protocol) => {
        const service: ServiceRow = {
          key: { kind: 'address', protocol, address: vip, port },
          scheduler: 'mh',
          flags: set,
          persistentSeconds: seconds,
          persistencePrefixLength: 1 + (port % (isSix ? 128 : 32)),
        };
        const read = decodeIpvsService(
          encodeIpvsOperation(FAMILY, { kind: 'edit-service', service }),
        );
        assert.ok(read.ok);
        assert.deepEqual(read.value.service, service);
        const destination: DestinationRow = {
          address: vip,
          port,
          method: 'tunnel',
          tunnel: { kind: 'gue', port: seconds, checksum: 'full' },
          weight: port,
          upperThreshold: seconds,
          lowerThreshold: port,
        };
        const operation = { kind: 'edit-destination', key: service.key, destination } as const;
        const back = decodeIpvsDestination(encodeIpvsOperation(FAMILY, operation), MARKED.key);
        assert.ok(back.ok);
        assert.deepEqual(back.value.destination, destination);
      },
    ),
    { numRuns: 100 },
  );
  const specimens = [
    encodeIpvsOperation(FAMILY, { kind: 'add-service', service: DNS }),
    encodeIpvsDaemonStart(FAMILY, { state: 'master', interface: 'eth0', syncId: 1, ttl: 1 }),
    message(`05 01 00 00 7c 00 02 00 14 00 01 00 ${STATS}`),
  ];
  fc.assert(
    fc.property(
      fc.constantFrom(...specimens),
      fc.uint8Array({ maxLength: 30 }),
      fc.nat(),
      (whole, noise, at) => {
        const bytes = whole.slice();
        bytes.set(
          noise.subarray(0, bytes.length - 16),
          16 + (at % Math.max(1, bytes.length - 16 - noise.length)),
        );
        for (const decode of [
          decodeIpvsService,
          decodeIpvsDaemon,
          decodeIpvsInfo,
          decodeIpvsTimeouts,
          decodeFamily,
        ]) {
          const read = decode(bytes);
          if (!read.ok) assert.ok(NETLINK_FAULTS.includes(read.error));
        }
        decodeIpvsDestination(bytes, WEB_KEY);
      },
    ),
    { numRuns: 300 },
  );
});

test('a generic message is built of its parts', () => {
  assert.equal(
    toHex(encodeGeneric({ family: 28, command: 4, version: 1, kind: 'dump', attributes: [] })),
    '14 00 00 00 1c 00 01 03 00 00 00 00 00 00 00 00 04 01 00 00',
  );
});
