import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { err, instant, ok } from '../base/index.ts';
import { parseSettings } from '../config/index.ts';
import { initialServices, stepServices } from '../core/index.ts';
import { type DataPlane, down, UP } from '../model/index.ts';
import { IpvsPort, portError } from '../ports/index.ts';
import { choosePlane } from './data-plane.ts';
import { ImaginedIpvs } from './imagined-ipvs.ts';
import { IpvsDuties } from './ipvs-duties.ts';
import { overrideSentences } from './override-text.ts';
import { servicesDocument } from './services-document.ts';
import { driftText, servicesNoteLines, settingsLines } from './services-log.ts';
import { ServicesMemory } from './services-memory.ts';

const WEB = `primary = 192.0.2.1
network = direct
virtual web {
  active = 1
  address = 198.51.100.100 eth0:1
  scheduler = wrr
  server web-a {
    address = 198.51.100.21
    active = 1
    weight = 3
  }
  server web-b {
    address = 198.51.100.22
    active = 1
  }
}
`;

function settingsOf(text: string) {
  const { settings, problems } = parseSettings(text, { file: 'lvs.cf' });
  assert.ok(settings !== undefined, JSON.stringify(problems));
  return settings;
}

function stateOf(text: string) {
  const input = { kind: 'settings', now: instant(1000), settings: settingsOf(text) } as const;
  return stepServices(initialServices(), input).state;
}

const { plan } = stateOf(WEB);

describe('the log', () => {
  const note = { kind: 'server', service: 'web', server: 'web-a' } as const;
  const lines = (
    weight: number | undefined,
    reason: 'healthy' | 'connect-refused' | 'slow-start' | 'wrong-answer',
    wasServing: boolean,
    isVerbose = false,
  ) =>
    servicesNoteLines({ ...note, weight, reason }, plan, { wasServing, isVerbose }).map(
      ({ ident, text }) => `${ident}: ${text}`,
    );

  test('has the phrases of nanny, each with the reason word', () => {
    assert.deepEqual(lines(1, 'healthy', false), [
      'nanny: [ active ] making 198.51.100.21:80 available (healthy)',
    ]);
    assert.deepEqual(lines(undefined, 'connect-refused', true), [
      'nanny: [inactive] shutting down 198.51.100.21:80 due to connection failure (connect-refused)',
    ]);
    assert.deepEqual(lines(undefined, 'connect-refused', false), [
      'nanny: [inactive] not making 198.51.100.21:80 available due to connection failure (connect-refused)',
    ]);
    assert.match(
      lines(0, 'connect-refused', true)[0] ?? '',
      /connection failure, quiesced \(connect-refused\)$/,
    );
    assert.match(
      lines(undefined, 'wrong-answer', true)[0] ?? '',
      /^nanny: Trouble\. Received results are not what we expected/,
    );
  });

  test('tells the steps of a slow start with -v only', () => {
    assert.deepEqual(lines(2, 'slow-start', true), []);
    assert.deepEqual(lines(2, 'slow-start', true, true), [
      'nanny: weight of 198.51.100.21:80 is 2 now (slow-start)',
    ]);
  });

  test('tells what a reload begins and ends, and nothing of what goes on', () => {
    const { plan: none } = initialServices();
    const begun = settingsLines(none, plan).map(({ text }) => text);
    assert.equal(begun[0], 'starting virtual service web (settings)');
    assert.equal(begun[1], 'create_monitor for web/web-a running as tcp 198.51.100.21:80');
    assert.equal(begun[2], 'starting LVS client monitor for 198.51.100.100:80 -> 198.51.100.21:80');
    assert.deepEqual(settingsLines(plan, plan), []);
    assert.deepEqual(
      settingsLines(plan, none).map(({ text }) => text),
      ['shutting down virtual service web (settings)'],
    );
  });

  test('says of a repair what is put back', () => {
    const [service] = plan.services.values();
    assert.ok(service !== undefined);
    const repairs = [{ kind: 'add-service', service: service.service }] as const;
    assert.equal(
      driftText(repairs, plan),
      'someone else changed the virtual-service table: web: add the service to repair it (kernel-drift)',
    );
  });
});

describe('what is remembered', () => {
  const directory = mkdtempSync(join(tmpdir(), 'pirs-'));
  after(() => rmSync(directory, { recursive: true, force: true }));
  const said: string[] = [];
  const memory = () => new ServicesMemory(directory, (line) => said.push(line));

  test('overrides come back with what is left of their time, to the second; the file is nobody else’s', () => {
    const overrides = new Map([
      ['web-a', { kind: 'drain', until: instant(61_000) } as const],
      ['web-b', { kind: 'disable' } as const],
      ['web/web-c', { kind: 'weight', weight: 7, until: instant(61_000) } as const],
      ['old', { kind: 'drain', until: instant(1500) } as const],
    ]);
    memory().write(
      { overrides, ours: ['tcp 198.51.100.100:80'] },
      { now: instant(1000), wallMs: 1_000_000 },
    );
    const back = memory().read({ now: instant(500), wallMs: 1_030_000 });
    assert.deepEqual(
      [...back.overrides],
      [
        ['web-a', { kind: 'drain', until: 30_500 }],
        ['web-b', { kind: 'disable' }],
        ['web/web-c', { kind: 'weight', weight: 7, until: 30_500 }],
      ],
    );
    assert.deepEqual(back.ours, ['tcp 198.51.100.100:80']);
    assert.equal(statSync(join(directory, 'services.json')).mode & 0o777, 0o600);
  });

  test('a damaged file is told and is as none', () => {
    for (const text of [
      '{"v":',
      '[]',
      '{"v":1,"overrides":[{"target":"x","kind":"explode"}],"ours":[]}',
      '{"v":1,"overrides":[{"target":"x","kind":"weight"}],"ours":[]}',
      '{"v":1,"overrides":[{"target":"x","kind":"weight","weight":65536}],"ours":[]}',
      '{"v":1,"overrides":[{"target":"x","kind":"drain","weight":5}],"ours":[]}',
    ]) {
      writeFileSync(join(directory, 'services.json'), text);
      said.length = 0;
      assert.equal(memory().read({ now: instant(0), wallMs: 0 }).overrides.size, 0);
      assert.equal(said.length, 1, text);
    }
  });
});

describe('the data plane', () => {
  const lvs = (dataPlane: DataPlane) => ({ service: 'lvs', dataPlane }) as const;
  const port = new IpvsPort(new ImaginedIpvs(), 28);
  const nft = Object.assign(new IpvsPort(new ImaginedIpvs(), 28), { synchronise: () => {} });
  const has = { ipvs: () => ok(port), nftables: async () => ok(nft) };
  const lacks = {
    ipvs: () => err(portError('open', 'IPVS', 'ENOENT')),
    nftables: async () => err(portError('run', 'nft', 'ENOENT')),
  };

  test('auto takes IPVS, then nftables, then none, and says why', async () => {
    const kinds = await Promise.all(
      [has, { ...has, ipvs: lacks.ipvs }, lacks].map((openers) =>
        choosePlane(lvs('auto'), openers),
      ),
    );
    assert.deepEqual(
      kinds.map((plane) => (plane.ok ? [plane.value.kind, plane.value.why] : [])),
      [
        ['ipvs', 'this kernel has IPVS'],
        ['nftables', 'this kernel has no IPVS (ENOENT)'],
        [
          'none',
          'this kernel has no IPVS (ENOENT), and no nftables: run nft: no such file (ENOENT)',
        ],
      ],
    );
  });

  test('what was asked for by name is had or refused', async () => {
    assert.deepEqual(
      await choosePlane(lvs('ipvs'), lacks),
      err('dataplane = ipvs: this kernel has no IPVS (ENOENT)'),
    );
    assert.ok(!(await choosePlane(lvs('nftables'), { ...has, nftables: lacks.nftables })).ok);
    const fos = await choosePlane({ service: 'fos', dataPlane: 'ipvs' }, has);
    assert.ok(fos.ok && fos.value.kind === 'none' && fos.value.why === 'service = fos');
    const none = await choosePlane(lvs('none'), has);
    assert.ok(none.ok && none.value.kind === 'none' && !none.value.isLack);
  });
});

describe('the sync daemon', () => {
  const synced = settingsOf(`syncdaemon = 1\nsyncd_iface = eth1\nsyncd_id = 5\n${WEB}`);
  const plain = settingsOf(WEB);

  test('is backup on a standby and master on the active director; left alone when nobody asked', () => {
    const wishes: string[] = [];
    const kernel = {
      setDaemons: (wanted: readonly { readonly state: string; readonly syncId: number }[]) => {
        wishes.push(wanted.map(({ state, syncId }) => `${state} ${syncId}`).join());
        return undefined;
      },
      setTimeouts: () => undefined,
    };
    const duties = new IpvsDuties(kernel, () => {});
    duties.use(plain);
    duties.setRole('active');
    assert.deepEqual(wishes, []);
    duties.use(synced);
    duties.setRole('standby');
    duties.use(plain);
    assert.deepEqual(wishes, ['master 5', 'backup 5', '']);
    duties.close();
  });
});

test('the document tells state, reason, override and what is left of it', () => {
  let state = stateOf(WEB);
  const [first, second] = [...state.plan.checks.keys()];
  assert.ok(first !== undefined && second !== undefined);
  const now = instant(2000);
  const verdicts = [
    { check: first, verdict: UP },
    { check: second, verdict: down('connect-refused', 'ECONNREFUSED') },
  ];
  state = stepServices(state, { kind: 'verdicts', now, verdicts }).state;
  const override = { kind: 'drain', until: instant(5000) } as const;
  state = stepServices(state, { kind: 'override', now, target: 'web-a', override }).state;
  const plane = { kind: 'none', why: 'dataplane = none', isLack: false } as const;
  const document = servicesDocument(state, plane, [], instant(3000));
  const [a, b] = document.services[0]?.servers ?? [];
  assert.deepEqual([a?.state, a?.reason, a?.override?.leftMs], ['quiesced', 'drained', 2000]);
  assert.deepEqual(
    [b?.state, b?.reason, b?.detail],
    ['inactive', 'connect-refused', 'ECONNREFUSED'],
  );
  assert.deepEqual(document.overrides, [{ target: 'web-a', kind: 'drain', leftMs: 2000 }]);
  const seven = { kind: 'weight', weight: 7 } as const;
  state = stepServices(state, { kind: 'override', now, target: 'web-b', override: seven }).state;
  const again = servicesDocument(state, plane, [], instant(3000));
  const ofB = { target: 'web-b', kind: 'weight', weight: 7 };
  assert.deepEqual(again.services[0]?.servers[1]?.override, ofB);
  assert.deepEqual(overrideSentences(state, instant(3000)), [
    'not in the file: web-a is drained by an operator, 1 min left',
    'not in the file: web-b has weight 7 by an operator, until it is lifted',
  ]);
});
