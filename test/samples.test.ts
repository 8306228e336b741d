/** The sample files stand for what people have in the field; each must load, unchanged, with no more than its known warnings. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import test from 'node:test';

import {
  formatDocument,
  fuzzConfig,
  normaliseDocument,
  parseDocument,
  parseSettings,
  strictVerdict,
} from '../src/config/index.ts';
import { floatingAddresses } from '../src/model/index.ts';
import { systemNames } from '../src/ports/index.ts';

const directory = join(import.meta.dirname, 'samples');
const samples = globSync(join(directory, '*.cf'))
  .toSorted()
  .map((path) => ({ file: basename(path), text: readFileSync(path, 'utf8') }));

/** Ours: 0.8.6 refuses them at this line. */
const NEWER: ReadonlyMap<string, number> = new Map([
  ['dual-stack.cf', 7],
  ['fast-timers.cf', 1],
]);

/** The web pages always wrote these two. */
const HARMLESS = new Set(['heartbeat', 'debug_level']);

const names = {
  ...systemNames(),
  servicePort: (name: string) =>
    new Map([
      ['http', 80],
      ['ftp', 21],
      ['domain', 53],
    ]).get(name),
};

test('C5 there are ten sample files', () => {
  assert.equal(samples.length, 10);
});

for (const { file, text } of samples) {
  test(`C5 ${file} loads unchanged, in the grammar it is written in`, () => {
    const { settings, problems } = parseSettings(text, { ...names, file });
    assert.ok(settings !== undefined);
    assert.deepEqual(
      problems.filter(({ found }) => !HARMLESS.has(found)),
      [],
    );
    assert.ok(floatingAddresses(settings).length > 0);
    assert.equal(formatDocument(parseDocument(text, file)), text);
    assert.equal(strictVerdict(text, names)?.line, NEWER.get(file));
    const formatted = formatDocument(normaliseDocument(parseDocument(text, file)));
    if (!NEWER.has(file)) assert.equal(strictVerdict(formatted, names), undefined);
  });
}

test('C5 the samples say what they are made to say', () => {
  const settingsOf = (wanted: string) => {
    const sample = samples.find(({ file }) => file === wanted);
    const settings = parseSettings(sample?.text ?? '', { ...names, file: wanted }).settings;
    assert.ok(settings !== undefined, wanted);
    return settings;
  };
  const ports = settingsOf('ports-differ.cf');
  assert.equal(ports.backup, undefined);
  assert.deepEqual(
    ports.virtualServices[0]?.realServers.map(({ port }) => port),
    [9001, 9002, 8000],
  );
  const sip = settingsOf('sip-udp.cf');
  assert.deepEqual(sip.syncDaemon, { isEnabled: true, interface: 'eth2', id: 77 });
  assert.equal(sip.virtualServices[0]?.protocol, 'udp');
  assert.equal(sip.virtualServices[0]?.vip.label, 'bond0:1');
  assert.deepEqual(
    floatingAddresses(settingsOf('nat-shop.cf')).map(({ address }) => address),
    ['10.11.12.10', '192.0.2.10'],
  );
  assert.deepEqual(
    settingsOf('fwmark-https.cf').virtualServices.map(({ firewallMark, port }) => [
      firewallMark,
      port,
    ]),
    [
      [80, 80],
      [80, 443],
    ],
  );
  assert.equal(
    settingsOf('fos-mail.cf').failoverServices[0]?.startCommand,
    '/etc/rc.d/init.d/sendmail start',
  );
  assert.equal(settingsOf('tunnel-mirror.cf').virtualServices[0]?.expect, 'HTTP/1.1 200 "OK"');
  assert.equal(settingsOf('dual-stack.cf').virtualServices[1]?.vip.prefixLength, 64);
  assert.equal(settingsOf('fast-timers.cf').keepaliveMs, 100);
});

test('500 files made from the samples by changing a few bytes: judged, never thrown', () => {
  assert.equal(
    fuzzConfig(
      500,
      2026,
      samples.map(({ text }) => text),
    ).files,
    500,
  );
});
