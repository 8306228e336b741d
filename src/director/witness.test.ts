import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  after,
  concatBytes,
  type IpAddress,
  instant,
  ip,
  ipFromBytes,
  mac,
} from '../base/index.ts';
import type { Input } from '../core/index.ts';
import type { Link } from '../model/index.ts';
import {
  decodeArp,
  decodeEchoFrame,
  encodeArpAnnouncement,
  encodeArpQuestion,
  encodeEchoFrame,
} from '../wire/index.ts';
import { Ears } from './ears.ts';
import { VIP, vip } from './imagined-ports.ts';
import { PartnerPin } from './partner-pin.ts';
import { isOnLink, ownAddressFor, segmentsOf, type WitnessPlan } from './segments.ts';
import { Witness } from './witness.ts';

const MAC = mac('02:00:00:00:00:12');
const ROUTER_MAC = mac('02:00:00:00:00:01');
const PARTNER_MAC = mac('02:00:00:00:00:11');
const OWN = ip('198.51.100.12');
const ROUTER = ip('198.51.100.1');
const PARTNER = ip('198.51.100.11');
const ETH0: Link = { index: 2, name: 'eth0', mac: MAC, isUp: true, hasCarrier: true };
const OBSERVED = {
  links: [ETH0],
  rows: [{ interfaceIndex: 2, address: OWN, prefixLength: 24 }],
};
const NOW = instant(5000);
const PLAN: WitnessPlan = {
  verify: 'gateway',
  verifyHosts: [],
  witnessHosts: [],
  segmentHosts: [ip('198.51.100.21'), ip('203.0.113.9')],
  gateways: [{ interfaceIndex: 2, address: ROUTER }],
};

/** A witness on eth0 that has a router to ask; `wire` is what it sent, `hear` what reaches it. */
function imagined(vips: readonly IpAddress[] = [VIP], plan = PLAN) {
  const wire: Uint8Array[] = [];
  let waiting: Uint8Array[] = [];
  const ears = new Ears(() => ({
    ok: true,
    value: {
      fd: 7,
      send: (frame) => {
        wire.push(frame);
        return undefined;
      },
      receive: (max = 64) => waiting.splice(0, max),
      close: () => {},
    },
  }));
  ears.use(['eth0'], [ETH0]);
  let secrets = 0;
  const witness = new Witness({
    ears,
    identifier: 77,
    secret: () => new Uint8Array(16).fill(++secrets),
    isPartner: (address) => address === PARTNER_MAC,
  });
  witness.replaceSegments(segmentsOf(vips.map(vip), [PARTNER], plan, OBSERVED), NOW);
  const hear = (frames: readonly Uint8Array[], isActive = true, now = NOW) => {
    waiting = [...frames];
    const inputs: Input[] = [];
    ears.drain((heard) => inputs.push(...witness.hear(heard, now, isActive)));
    return [...inputs, ...witness.takeAnswers(now)];
  };
  /** The router tells where it is. */
  const meetRouter = () => {
    witness.send(NOW, () => true, false);
    hear([encodeArpQuestion({ senderMac: ROUTER_MAC, senderIp: ROUTER, targetIp: OWN })]);
    wire.length = 0;
  };
  return { witness, wire, hear, meetRouter };
}

const echoes = (wire: readonly Uint8Array[]) =>
  wire.flatMap((frame) => {
    const echo = decodeEchoFrame(frame);
    return echo.ok ? [echo.value] : [];
  });

/** The router's answer to a question, as it comes to us. */
function answer(question: Uint8Array): Uint8Array {
  const echo = decodeEchoFrame(question);
  assert.ok(echo.ok);
  const { sourceIp, destinationIp, ...rest } = echo.value;
  return encodeEchoFrame({
    ...rest,
    kind: 'reply',
    source: ROUTER_MAC,
    destination: MAC,
    sourceIp: destinationIp,
    destinationIp: sourceIp,
  });
}

describe('segments', () => {
  test('whom we may ask: gateways of the device, hosts on its networks, never ourselves or the partner', () => {
    const plan = { ...PLAN, segmentHosts: [...PLAN.segmentHosts, PARTNER, OWN, VIP] };
    const [segment] = segmentsOf([vip(VIP)], [PARTNER], plan, OBSERVED);
    assert.deepEqual(segment?.witnesses, [ROUTER]);
    assert.deepEqual(segment?.neighbours, [ROUTER, '198.51.100.21']);
    assert.equal(segment && ownAddressFor(segment, ROUTER), OWN);
  });

  test('verify = off and hosts', () => {
    const of = (changes: Partial<WitnessPlan>) =>
      segmentsOf([vip(VIP)], [], { ...PLAN, ...changes }, OBSERVED)[0]?.witnesses;
    assert.deepEqual(of({ verify: 'off' }), []);
    const hosts = [ip('198.51.100.9'), ip('203.0.113.1')];
    assert.deepEqual(of({ verify: 'hosts', verifyHosts: hosts }), ['198.51.100.9']);
  });

  test('a device without a link-layer address has nobody to ask', () => {
    const links = [{ index: 2, name: 'eth0', isUp: true, hasCarrier: true }];
    assert.deepEqual(segmentsOf([vip(VIP)], [], PLAN, { ...OBSERVED, links }), []);
  });

  test('on link is decided to the bit', () => {
    const rows = [
      ['198.51.100.127', '198.51.100.1', 25, true],
      ['198.51.100.128', '198.51.100.1', 25, false],
      ['198.51.100.1', '198.51.100.1', 32, true],
      ['10.0.0.1', '192.0.2.1', 0, true],
      ['fd77::1:1', 'fd77::2', 64, true],
      ['fd78::1', 'fd77::2', 64, false],
      ['fd77::1', '198.51.100.1', 0, false],
    ] as const;
    for (const [host, own, prefixLength, expected] of rows) {
      assert.equal(isOnLink(ip(host), { address: ip(own), prefixLength }), expected, host);
    }
  });
});

describe('questions', () => {
  test('a question is sent from the VIP to the place of the router, and one from our own address', () => {
    const { witness, wire, meetRouter } = imagined();
    meetRouter();
    witness.verify(NOW, [VIP], false);
    witness.send(NOW, () => true, false);
    const asked = echoes(wire).map(({ sourceIp, destination, source }) => [
      sourceIp,
      source,
      destination,
    ]);
    assert.deepEqual(asked, [
      [OWN, MAC, ROUTER_MAC],
      [VIP, MAC, ROUTER_MAC],
    ]);
  });

  test('the answer is belief once it carries the secret of this tenure, from the witness, to a VIP', () => {
    const { witness, wire, hear, meetRouter } = imagined();
    meetRouter();
    witness.verify(NOW, [VIP], false);
    witness.send(NOW, () => true, false);
    const [own, question = new Uint8Array()] = wire;
    assert.deepEqual(hear([answer(question)]), [
      { kind: 'believed', now: NOW, vips: [VIP], witness: ROUTER },
    ]);
    assert.deepEqual(hear([answer(own ?? question)]), []);
    assert.deepEqual(witness.answering(NOW), [ROUTER]);
    witness.cancel();
    assert.deepEqual(hear([answer(question)]), [], 'an answer of an earlier tenure');
  });

  test('what teaches asks from the VIP by ARP, too', () => {
    const { witness, wire, meetRouter } = imagined();
    meetRouter();
    witness.verify(NOW, [VIP], true);
    witness.send(NOW, () => true, false);
    const arp = wire.flatMap((frame) => {
      const read = decodeArp(frame);
      return read.ok ? [read.value] : [];
    });
    assert.deepEqual(
      arp.map(({ senderIp, senderMac, targetIp }) => [senderIp, senderMac, targetIp]),
      [[VIP, MAC, ROUTER]],
    );
  });

  test('a router whose place is not known is asked for it once, and the questions follow', () => {
    const many = Array.from({ length: 200 }, (_, index) => manyth(index));
    const { witness, wire, hear } = imagined(many);
    witness.verify(NOW, many, false);
    for (let turn = 0; turn < 4; turn++) witness.send(after(NOW, turn * 4), () => true, false);
    // One question keeps places warm, one is asked because of these.
    assert.equal(wire.length, 2);
    wire.length = 0;
    hear([encodeArpQuestion({ senderMac: ROUTER_MAC, senderIp: ROUTER, targetIp: OWN })]);
    for (let turn = 0; turn < 4; turn++) witness.send(after(NOW, 20 + turn * 4), () => true, false);
    assert.equal(echoes(wire).length, 201);
  });

  test('nothing is asked behind waiting announcements, nor by one that no longer owns', () => {
    const { witness, wire, meetRouter } = imagined();
    meetRouter();
    witness.verify(NOW, [VIP], false);
    witness.send(NOW, () => true, true);
    witness.send(NOW, () => false, false);
    assert.equal(wire.length, 0);
    witness.cancel();
    witness.send(after(NOW, 100), () => true, false);
    assert.equal(wire.length, 0);
  });

  test('10,000 VIPs are asked for in batches of 128, and their answers are one input', () => {
    const many = Array.from({ length: 10_000 }, (_, index) => manyth(index));
    const { witness, wire, hear, meetRouter } = imagined(many);
    meetRouter();
    witness.verify(NOW, many, false);
    const begun = performance.now();
    let turns = 0;
    for (; wire.length < 10_001 && turns < 200; turns++) {
      const before = wire.length;
      witness.send(after(NOW, turns * 4), () => true, false);
      assert.equal(wire.length - before <= 128, true);
    }
    assert.equal(turns, 79);
    const [input] = hear(wire.slice(1, 513).map(answer));
    assert.equal(input?.kind === 'believed' && input.vips.length, 512);
    const tookMs = performance.now() - begun;
    assert.equal(tookMs < 10_000, true, `${tookMs} ms`);
  });
});

describe('what is heard', () => {
  const claim = (owner: typeof MAC, form: 'reply' | 'request' = 'reply') =>
    encodeArpAnnouncement({ form, vip: VIP, mac: owner });
  const stranger = mac('02:00:00:00:00:66');

  test('a claim to our VIP is the partner’s or a stranger’s; once a second; never our own, never as standby', () => {
    const { hear } = imagined();
    assert.deepEqual(hear([claim(stranger)]), [
      { kind: 'foreign-claim', now: NOW, vip: VIP, by: 'stranger' },
    ]);
    assert.deepEqual(hear([claim(PARTNER_MAC)], true, after(NOW, 900)), []);
    const later = after(NOW, 1000);
    assert.deepEqual(hear([claim(PARTNER_MAC, 'request')], true, later), [
      { kind: 'foreign-claim', now: later, vip: VIP, by: 'partner' },
    ]);
    assert.deepEqual(hear([claim(MAC)], true, after(NOW, 9000)), []);
    assert.deepEqual(hear([claim(stranger)], false, after(NOW, 9000)), []);
  });

  test('a probe for duplicates claims nothing', () => {
    const probe = { senderMac: stranger, senderIp: ip('0.0.0.0'), targetIp: VIP };
    assert.deepEqual(imagined().hear([encodeArpQuestion(probe)]), []);
  });

  test('the roll is called up to four times, from our own address, until anybody is heard', () => {
    const { witness, wire, hear, meetRouter } = imagined();
    meetRouter();
    witness.askSegment(NOW);
    witness.send(NOW, () => false, false);
    const asked = wire.flatMap((frame) => {
      const read = decodeArp(frame);
      return read.ok ? [`${read.value.senderIp} asks ${read.value.targetIp}`] : [];
    });
    assert.deepEqual(asked, [
      '198.51.100.12 asks 198.51.100.1',
      '198.51.100.12 asks 198.51.100.21',
    ]);
    witness.send(after(NOW, 25), () => false, false);
    assert.equal(wire.length, 4);
    const noise = concatBytes(new Uint8Array(6), new Uint8Array(6).fill(6), new Uint8Array(48));
    assert.deepEqual(hear([noise]), [{ kind: 'segment-heard', now: NOW }]);
    assert.deepEqual(hear([noise]), [], 'only while it matters');
    witness.send(after(NOW, 50), () => false, false);
    assert.equal(wire.length, 4);
  });

  test('who was heard before is asked, too; nobody is asked for ever', () => {
    const { witness, wire, hear } = imagined([VIP], { ...PLAN, segmentHosts: [], gateways: [] });
    const neighbour = ip('198.51.100.77');
    hear([encodeArpQuestion({ senderMac: stranger, senderIp: neighbour, targetIp: OWN })]);
    witness.askSegment(NOW);
    for (let turn = 0; turn < 9; turn++) witness.send(after(NOW, turn * 25), () => false, false);
    assert.equal(wire.length, 4);
    assert.equal(witness.nextAt, undefined);
  });
});

test('with witness_hosts on the segment, nobody else’s frames count', () => {
  const judge = ip('198.51.100.50');
  const { witness, wire, hear } = imagined([VIP], { ...PLAN, witnessHosts: [judge] });
  witness.askSegment(NOW);
  witness.send(NOW, () => false, false);
  assert.equal(decodeArp(wire.at(1) ?? new Uint8Array()).ok, true);
  const says = (senderIp: IpAddress) =>
    encodeArpQuestion({ senderMac: ROUTER_MAC, senderIp, targetIp: OWN });
  assert.deepEqual(hear([says(ROUTER)]), []);
  assert.deepEqual(hear([says(judge)]), [{ kind: 'segment-heard', now: NOW }]);
});

test('with VIPs on two devices each that was ever heard has to be heard, or we are deaf on one', () => {
  const second: Link = { ...ETH0, index: 3, name: 'eth1' };
  const other = ip('203.0.113.100');
  const waiting = new Map<string, Uint8Array[]>();
  const ears = new Ears(({ name, index }) => ({
    ok: true,
    value: {
      fd: index,
      send: () => undefined,
      receive: (max = 64) => (waiting.get(name) ?? []).splice(0, max),
      close: () => {},
    },
  }));
  ears.use(['eth0', 'eth1'], [ETH0, second]);
  const witness = new Witness({
    ears,
    identifier: 77,
    secret: () => new Uint8Array(16),
    isPartner: () => false,
  });
  const observed = {
    links: [ETH0, second],
    rows: [...OBSERVED.rows, { interfaceIndex: 3, address: ip('203.0.113.12'), prefixLength: 24 }],
  };
  const vips = [vip(VIP), { ...vip(other), device: 'eth1' }];
  witness.replaceSegments(segmentsOf(vips, [PARTNER], PLAN, observed), NOW);
  const hear = (name: string) => {
    const noise = concatBytes(new Uint8Array(6), new Uint8Array(6).fill(6), new Uint8Array(48));
    waiting.set(name, [noise]);
    const inputs: Input[] = [];
    ears.drain((heard) => inputs.push(...witness.hear(heard, NOW, false)));
    return inputs.map(({ kind }) => kind);
  };
  witness.askSegment(NOW);
  assert.deepEqual(hear('eth0'), ['segment-heard'], 'nobody was ever heard: one is enough');
  hear('eth1');
  witness.askSegment(NOW);
  assert.deepEqual(hear('eth0'), [], 'the other device was heard before');
  assert.deepEqual(hear('eth1'), ['segment-heard']);
});

describe('the pinned partner', () => {
  test('is pinned where it was heard, followed, not pinned across a router, released', () => {
    const said: string[] = [];
    const ears = new Ears(() => ({ ok: false, error: { operation: 'x', target: 'x', code: 'x' } }));
    const pin = new PartnerPin({
      ears,
      neighbours: {
        pin: (_, address, at) => void said.push(`${address} at ${at}`),
        unpin: (_, address) => void said.push(`forget ${address}`),
        close: () => {},
      },
      tell: () => {},
    });
    const far = ip('203.0.113.11');
    const paths = [
      { name: 'public', own: OWN, partner: PARTNER },
      { name: 'private', own: OWN, partner: far },
    ] as const;
    pin.replacePaths(paths, OBSERVED, NOW);
    const hears = (address: IpAddress, at: typeof MAC) =>
      pin.hear({ kind: 'place', link: ETH0, address, mac: at });
    hears(PARTNER, PARTNER_MAC);
    hears(PARTNER, PARTNER_MAC);
    hears(far, PARTNER_MAC);
    hears(PARTNER, ROUTER_MAC);
    assert.equal(pin.knows(ROUTER_MAC), true);
    assert.equal(pin.knows(PARTNER_MAC), false);
    pin.release();
    assert.deepEqual(said, [
      `${PARTNER} at ${PARTNER_MAC}`,
      `${PARTNER} at ${ROUTER_MAC}`,
      `forget ${PARTNER}`,
    ]);
  });
});

/** 198.18.0.0 and so on: the block for benchmarks (RFC 2544). */
function manyth(index: number): IpAddress {
  return ipFromBytes(Uint8Array.of(198, 18, index >> 8, index & 0xff)) ?? VIP;
}
