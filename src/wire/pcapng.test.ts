import assert from 'node:assert/strict';
import test from 'node:test';
import { fromHex, toHex } from '../base/index.ts';
import { encodePcapng } from './pcapng.ts';

test('a capture of one frame is written to the byte', () => {
  const frame = {
    device: 'eth0',
    wallMs: 1_795_392_000_123.456,
    isSent: true,
    bytes: fromHex('0200000000220200000000110806ff'),
    comments: ['vip-owner'],
  };
  assert.equal(
    toHex(encodePcapng([frame], 'piranha')).replaceAll(' ', ''),
    [
      // section header: order, version 1.0, length unknown, shb_userappl
      '0a0d0d0a' + '2c000000' + '4d3c2b1a' + '01000000' + 'ffffffffffffffff',
      '04000700' + '706972616e686100' + '00000000' + '2c000000',
      // interface: Ethernet, no limit, if_name
      '01000000' + '20000000' + '01000000' + '00000000' + '02000400' + '65746830' + '00000000',
      '20000000',
      // packet: interface 0, microseconds, 15 bytes and one of padding, opt_comment, epb_flags outbound
      '06000000' + '4c000000' + '00000000' + 'e6600600' + '40626646' + '0f000000' + '0f000000',
      '0200000000220200000000110806ff00',
      '01000900' + '7669702d6f776e6572000000' + '02000400' + '02000000' + '00000000' + '4c000000',
    ].join(''),
  );
});
