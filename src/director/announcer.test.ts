import assert from 'node:assert/strict';
import { test } from 'node:test';
import { instant, ip, type MacAddress, mac } from '../base/index.ts';
import { decodeArp } from '../wire/index.ts';
import { Announcer } from './announcer.ts';
import { plan, vip } from './imagined-ports.ts';

const OUTSIDE = ip('198.51.100.100');
const ROUTER = ip('10.77.0.1');
/** The nat_router is on a device that no heartbeat goes by. */
const TWO_DEVICES = plan({}, [vip(OUTSIDE), { ...vip(ROUTER), device: 'eth1' }]);
const KNOWN = mac('02:00:00:00:00:12');
const NOW = instant(0);

/** The device and the address of each frame sent for the partner, who says `said` of itself. */
function spoken(said: readonly MacAddress[]): readonly string[] {
  const frames: string[] = [];
  const send = (device: string, bytes: Uint8Array) => {
    const arp = decodeArp(bytes);
    frames.push(arp.ok ? `${device} ${arp.value.senderIp} ${arp.value.senderMac}` : arp.error);
    return undefined;
  };
  const neighbourMac = (device: string) => (device === 'eth0' ? KNOWN : undefined);
  const totals = { reply: 0, request: 0, advertisement: 0 };
  const announcer = new Announcer({ neighbourMac }, TWO_DEVICES, {
    ears: { send },
    partnerMacs: () => said,
    totals,
  });
  const link = { isUp: true, hasCarrier: true, mac: mac('02:00:00:00:00:11') };
  announcer.replaceLinks(['eth0', 'eth1'].map((name, index) => ({ ...link, name, index })));
  announcer.announce(NOW, [OUTSIDE, ROUTER], ['reply'], 'partner');
  const { errors } = announcer.send(NOW, (owner) => owner === 'partner');
  return [...frames, ...errors.map(({ target, code }) => `${target}: ${code}`)];
}

test('for the partner: its address by the neighbour entries; where there is none, by its own word', () => {
  const said = [mac('02:00:00:00:00:99'), mac('02:00:00:00:01:12')];
  assert.deepEqual(spoken(said), [
    'eth0 198.51.100.100 02:00:00:00:00:12',
    'eth1 10.77.0.1 02:00:00:00:01:12',
  ]);
});

test('a word of another number of devices is about other devices', () => {
  const unknown = '10.77.0.1 on eth1: partner-address-unknown';
  const first = 'eth0 198.51.100.100 02:00:00:00:00:12';
  assert.deepEqual(spoken([mac('02:00:00:00:01:12')]), [first, unknown]);
  assert.deepEqual(spoken([]), [first, unknown]);
});
