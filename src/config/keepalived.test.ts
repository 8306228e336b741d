import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { ip } from '../base/index.ts';
import type { VirtualService } from '../model/index.ts';
import { fuzzKeepalived } from './fuzz-keepalived.ts';
import { exportKeepalived } from './keepalived-export.ts';
import { type ImportOptions, importKeepalived } from './keepalived-import.ts';
import { importLvs } from './lvs-import.ts';
import { parseSettings } from './parse.ts';

const directory = join(import.meta.dirname, '../../test/samples/keepalived');
const read = (name: string) => readFileSync(join(directory, name), 'utf8');
const PAIR: ImportOptions = { primary: ip('192.0.2.11'), backup: ip('192.0.2.12') };

/** Each sample, and how it is read. */
const SAMPLES: readonly (readonly [name: string, options: ImportOptions])[] = [
  ['direct-pair', {}],
  ['nat-multicast', PAIR],
  ['conditional', { configId: 'main' }],
];

function imported(text: string, options: ImportOptions = {}) {
  const result = importKeepalived(text, options);
  const settings = parseSettings(result.text ?? '', { file: 'lvs.cf' }).settings;
  const told = result.notes.map(
    ({ line, keyword, sentence }) => `${line}: ${keyword}: ${sentence}`,
  );
  return { ...result, settings, told };
}

for (const [name, options] of SAMPLES) {
  test(`${name}.conf becomes the lvs.cf beside it, and every other line is told`, () => {
    const { text, told, settings } = imported(read(`${name}.conf`), options);
    assert.ok(settings !== undefined, 'it can be run');
    assert.equal(text, read(`${name}.lvs.cf`));
    assert.equal(`${told.join('\n')}\n`, read(`${name}.notes`));
  });
}

const instance = (body: string) =>
  `vrrp_instance a {\n interface eth0\n ${body}\n virtual_ipaddress { 192.0.2.80/24 }\n}\n`;

test('the time to a takeover is that of VRRP: adverts and skew, in version 2 and 3', () => {
  const dead = (body: string) => imported(instance(body), PAIR).settings?.deadtimeMs;
  assert.equal(dead('priority 100\nadvert_int 1'), 3610);
  assert.equal(dead('priority 128\nadvert_int 2'), 6500);
  assert.equal(dead('priority 128\nversion 3\nadvert_int 0.5'), 1750);
  assert.equal(dead('priority 128\nadvert_int 1\ndown_timer_adverts 5'), 5500);
});

test('a server that fails is found after the same time at most', () => {
  const text = `${instance('')}virtual_server 192.0.2.80 80 {
    delay_loop 6
    lvs_method DR
    real_server 192.0.2.21 80 {
        TCP_CHECK {
            retry 3
            delay_before_retry 2
            connect_timeout 1.5
        }
    }
}`;
  const check = imported(text, PAIR).settings?.virtualServices[0]?.check;
  assert.deepEqual(
    [check?.kind, check?.intervalMs, check?.fall, check?.rise, check?.timeoutMs],
    ['tcp', 3000, 4, 1, 1500],
  );
});

test('state and priority tell who is the primary; options outrank them', () => {
  const unicast = 'unicast_src_ip 192.0.2.5\nunicast_peer { 192.0.2.6 }';
  const pairOf = (state: string, options?: ImportOptions) => {
    const { settings } = imported(instance(`state ${state}\n${unicast}`), options);
    return [settings?.primary, settings?.backup, settings?.failback];
  };
  assert.deepEqual(pairOf('MASTER'), ['192.0.2.5', '192.0.2.6', 'auto']);
  assert.deepEqual(pairOf('BACKUP\nnopreempt'), ['192.0.2.6', '192.0.2.5', 'none']);
  assert.deepEqual(pairOf('BACKUP', PAIR), ['192.0.2.11', '192.0.2.12', 'auto']);
});

test('with multicast the partner must be named, in one sentence', () => {
  const { text, notes } = importKeepalived(instance('state MASTER'));
  assert.equal(text, undefined);
  assert.deepEqual(
    notes.filter(({ kind }) => kind === 'refused').map(({ line }) => line),
    [1],
  );
  assert.match(notes[0]?.sentence ?? '', /--primary ADDRESS and --backup ADDRESS/);
});

test('include is refused with its line, whatever stands around it', () => {
  for (const word of ['include', 'includea', 'includer', 'includem', 'includew', 'includeb']) {
    const { text, notes } = importKeepalived(`${instance('')}\n\n${word} /etc/x.d/*.conf\n`, PAIR);
    assert.equal(text, undefined);
    assert.deepEqual(
      notes.map(({ kind, line, keyword }) => [kind, line, keyword]),
      [['refused', 8, word]],
    );
  }
});

test('a block that is missing, or stands where none is, is told', () => {
  const { told } = imported(
    instance('priority {\nstate MASTER\n}\nvirtual_ipaddress_excluded 192.0.2.81'),
    PAIR,
  );
  assert.deepEqual(
    told.filter((line) => line.includes('block')),
    [
      '3: priority: takes no block; what stands in it is left out',
      '6: virtual_ipaddress_excluded: its block is missing',
    ],
  );
});

test('one connect_ip for one server is not asked for its neighbours', () => {
  const server = (last: number, extra: string) =>
    `real_server 192.0.2.${last} 80 {\n TCP_CHECK {\n ${extra}\n }\n }\n`;
  const service = (servers: string) =>
    imported(`${instance('')}virtual_server 192.0.2.80 80 {\n lvs_method DR\n ${servers}}`, PAIR);
  const own = service(server(21, 'connect_ip 192.0.2.21') + server(22, 'connect_ip 192.0.2.22'));
  assert.equal(own.settings?.virtualServices[0]?.check?.address, undefined);
  const other = service(server(21, 'connect_ip 192.0.2.31') + server(22, 'connect_ip 192.0.2.32'));
  assert.equal(other.settings?.virtualServices[0]?.check?.address, undefined);
  assert.ok(other.told.some((line) => line.includes('connect_ip differs')));
  const same = service(server(21, 'connect_ip 192.0.2.31') + server(22, 'connect_ip 192.0.2.31'));
  assert.equal(same.settings?.virtualServices[0]?.check?.address, '192.0.2.31');
});

test('an exported file comes back as the same pair', () => {
  const first = imported(read('direct-pair.conf')).settings;
  assert.ok(first !== undefined);
  const { text } = exportKeepalived(first);
  for (const configId of ['primary', 'backup']) {
    const again = imported(text, { configId }).settings;
    assert.deepEqual(
      [again?.primary, again?.backup, again?.failback, again?.network],
      [first.primary, first.backup, first.failback, first.network],
    );
    const shape = (services: readonly VirtualService[] = []) =>
      services
        .filter(({ realServers }) => realServers.length > 0)
        .map(({ vip, port, scheduler, check, quorum, realServers }) => ({
          vip: [vip.address, vip.prefixLength, vip.device, vip.label],
          rest: [port, scheduler, check, quorum],
          servers: realServers.map(({ address, weight }) => [address, weight]),
        }));
    assert.deepEqual(shape(again?.virtualServices), shape(first.virtualServices));
  }
});

test('an old lvs.cf is rewritten where that is certain, comments kept', () => {
  const { text, notes } = importLvs(
    '# ours\nprimary = 10.1\nheartbeat = 1\nvirtual a {\nactive = yes # on\naddress = 192.0.2.9 eth0:1\n}\n',
    { file: 'lvs.cf' },
  );
  assert.equal(
    text,
    '# ours\nprimary = 10.0.0.1\n# heartbeat = 1\nvirtual a {\n    active = 1 # on\n    address = 192.0.2.9 eth0:1\n}\n',
  );
  assert.deepEqual(
    notes.map(({ line }) => line),
    [2, 3, 5],
  );
});

test('200 files made from the samples by changing a few places: there and back, or refused', () => {
  const samples = SAMPLES.map(([name]) => read(`${name}.conf`));
  const { imported } = fuzzKeepalived(200, 20_261_122, samples);
  assert.ok(imported > 100, `${imported} imported`);
});
