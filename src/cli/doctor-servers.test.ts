import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type IpAddress, ip, type MacAddress, mac } from '../base/index.ts';
import { parseSettings } from '../config/index.ts';
import { type Claims, vipOwners } from './doctor-claims.ts';
import { judgeLength, neededLength } from './doctor-length.ts';
import { judgeSilence } from './doctor-partner.ts';
import { complaintWords, judgeServer, type ServerAnswers } from './doctor-servers.ts';
import { framesOf, numbered, rangesText } from './evidence.ts';
import type { SynAnswer, SynResult } from './segment-probe.ts';

const { settings } = parseSettings(
  'primary = 198.51.100.11\nvirtual shop {\nactive = 1\naddress = 198.51.100.100 eth0:1\nport = 80\nserver web {\naddress = 198.51.100.21\nactive = 1\n}\n}\n',
  { file: 'lvs.cf' },
);
const service = settings?.virtualServices[0];
const server = service?.realServers[0];
assert.ok(service !== undefined && server !== undefined);
const asked = { service, server, device: 'eth0' };
const rs = mac('02:00:00:00:00:21');
const vip = service.vip.address;

function heard(answering: readonly (readonly [IpAddress, readonly MacAddress[]])[]): Claims {
  const map = new Map(answering);
  return {
    device: 'eth0',
    macsOf: (address) => map.get(address) ?? [],
    announcersOf: () => [],
    framesAbout: () => [],
    ownEchoes: new Map(),
  };
}

function said(answer: SynAnswer, maximumSegment?: number): SynResult {
  return { answer, frames: [], ...(maximumSegment !== undefined && { maximumSegment }) };
}

describe('the judgement of one real server', () => {
  type Answers = { readonly [what in 'own' | 'vip' | 'far']?: SynAnswer };
  const answersOf = (answers: Answers): ServerAnswers =>
    Object.fromEntries(Object.entries(answers).map(([what, answer]) => [what, said(answer)]));

  function judged(
    answers: Answers,
    network: 'direct' | 'tunnel' | 'nat',
    { isLoud = false, gateway }: { isLoud?: boolean; gateway?: IpAddress } = {},
  ) {
    const place = gateway === undefined ? asked : { ...asked, gateway };
    const isThere = Object.keys(answers).length > 0;
    const all = { ...answersOf(answers), ...(isThere && { mac: rs }) };
    return judgeServer(place, all, heard(isLoud ? [[vip, [rs]]] : []), { network })
      .filter(({ severity }) => severity !== 'good')
      .map(({ check, severity }) => `${severity} ${check}`);
  }

  const gateway = ip('198.51.100.1');
  const rows: readonly (readonly [string, readonly string[], readonly string[]])[] = [
    ['no answer to ARP', judged({}, 'direct'), ['broken real-server-reachable']],
    ['right', judged({ own: 'accepted', vip: 'accepted' }, 'direct'), []],
    [
      'loud',
      judged({ own: 'accepted', vip: 'accepted' }, 'direct', { isLoud: true }),
      ['broken real-server-answers-arp'],
    ],
    [
      'without the VIP',
      judged({ own: 'accepted', vip: 'silent' }, 'tunnel'),
      ['broken real-server-has-vip'],
    ],
    [
      'loud and silent: a reset for the VIP counts as having it',
      judged({ own: 'refused', vip: 'refused' }, 'direct', { isLoud: true }),
      ['broken real-server-answers-arp'],
    ],
    [
      'silent to everything: nothing can be told of the VIP',
      judged({ own: 'silent', vip: 'silent' }, 'direct'),
      ['warning real-server-reachable'],
    ],
    [
      'nat with another way back',
      judged({ own: 'accepted', far: 'silent' }, 'nat', { isLoud: true }),
      ['broken real-server-return-path'],
    ],
    [
      'nat behind a router, which may drop the question',
      judged({ own: 'accepted', far: 'silent' }, 'nat', { gateway }),
      ['warning real-server-return-path'],
    ],
    [
      'behind a router its link-layer address is the router: that it answers for the VIP is not the server',
      judged({ own: 'accepted', vip: 'accepted' }, 'tunnel', { isLoud: true, gateway }),
      [],
    ],
    [
      'a router that is not there',
      judged({}, 'tunnel', { gateway }),
      ['broken real-server-reachable'],
    ],
  ];
  for (const [name, found, expected] of rows) {
    test(name, () => assert.deepEqual(found, expected));
  }
});

describe('long packets', () => {
  const tunnel = { network: 'tunnel' } as const;
  const direct = { network: 'direct' } as const;

  test('are as long as the answer for the VIP asks for, else as that for its own address, else full', () => {
    assert.equal(neededLength(asked, {}, direct), 1500);
    assert.equal(neededLength(asked, { own: said('refused') }, tunnel), 1520);
    assert.equal(neededLength(asked, { own: said('accepted', 1400) }, direct), 1440);
    const both = { own: said('accepted', 1460), vip: said('accepted', 1440) };
    assert.equal(neededLength(asked, both, tunnel), 1500);
    assert.equal(neededLength(asked, { own: said('accepted', 8960) }, direct), 1500);
  });

  const judge = (
    length: { passed: number; failed?: number; mtu?: number },
    needed = 1500,
    room = 1500,
  ) => {
    const { mtu, ...rest } = length;
    const toldBy = mtu === undefined ? {} : { toldBy: { by: ip('198.51.100.1'), mtu } };
    const found = judgeLength(asked, needed, room, { ...rest, ...toldBy, frames: [] }, tunnel);
    return found.map(({ check, severity }) => `${severity} ${check}`);
  };

  test('that are lost in silence break connections; where a router says so, clients may learn it', () => {
    assert.deepEqual(judge({ passed: 1500 }), ['good real-server-mtu', 'good tunnel-mtu']);
    assert.deepEqual(judge({ passed: 1500 }, 1520), ['good real-server-mtu', 'warning tunnel-mtu']);
    assert.deepEqual(judge({ passed: 1400, failed: 1420 }), ['broken real-server-mtu']);
    assert.deepEqual(judge({ passed: 1400, failed: 1420, mtu: 1400 }), ['warning real-server-mtu']);
    // Something drops SYNs with data of any length: that is no word about lengths.
    assert.deepEqual(judge({ passed: 0, failed: 576 }), ['unknown real-server-mtu']);
  });
});

describe('the silence of a partner', () => {
  const path = { name: 'public', own: 'a', partner: 'b' } as const;
  const nothing = { heard: 0, told: 'nothing', refused: [], isHeardAgain: false } as const;
  const rows = [
    [nothing, 'unknown'],
    [{ ...nothing, heard: 3 }, 'broken'],
    [{ ...nothing, heard: 3, refused: ['bad-tag'] }, 'broken'],
    [{ ...nothing, told: 'refused' }, 'broken'],
    [{ ...nothing, heard: 3, isHeardAgain: true }, 'good'],
  ] as const;
  for (const [seen, severity] of rows) {
    test(JSON.stringify(seen), () =>
      assert.equal(judgeSilence(path, 539, seen).severity, severity),
    );
  }

  test('names another key before a firewall, when the daemon has refused what came', () => {
    const { text } = judgeSilence(path, 539, { ...nothing, heard: 3, refused: ['bad-tag'] });
    assert.match(text, /refuses them \(bad-tag\)/);
  });
});

test('a VRRP router that answers for a VIP is called one, with its number', () => {
  const [finding] = vipOwners([service.vip], heard([[vip, [mac('00:00:5e:00:01:33')]]]), {
    isActive: true,
    servers: new Set(),
    partner: undefined,
  });
  assert.match(finding?.text ?? '', /a VRRP router \(virtual_router_id 51\), answers for VIP/);
});

test('what a router says is put in words', () => {
  const words = (by: string, code: number) =>
    complaintWords({
      ...{ kind: 'unreachable', by: ip(by), to: vip, sourcePort: 1, sequence: 1, mtu: 0 },
      code,
    });
  assert.equal(words('198.51.100.1', 13), 'forbidden (a firewall)');
  assert.equal(words('198.51.100.1', 1), 'it cannot be reached');
  assert.equal(words('198.51.100.1', 3), 'nobody takes it at that port');
  assert.equal(words('fd77::1', 1), 'forbidden (a firewall)');
  assert.equal(words('fd77::1', 4), 'nobody takes it at that port');
});

test('frames are numbered in the order of time, and one that is evidence twice is there once', () => {
  const frame = (wallMs: number) =>
    ({ device: 'eth0', wallMs, isSent: true, bytes: new Uint8Array(60) }) as const;
  const [a, b, c] = [frame(3), frame(1), frame(2)];
  const finding = { severity: 'broken', text: '' } as const;
  const findings = [
    { ...finding, check: 'x', frames: [a, b] },
    { ...finding, check: 'y', frames: [c, b] },
    { ...finding, check: 'z' },
  ];
  assert.deepEqual(framesOf(findings), [b, c, a]);
  assert.deepEqual(
    numbered(findings, '/file').map(({ frames }) => frames),
    [[1, 3], [1, 2], undefined],
  );
  assert.deepEqual(numbered(findings, undefined)[0]?.frames, undefined);
  assert.equal(rangesText([1, 2, 3, 7, 9, 10]), '1-3, 7, 9-10');
});
