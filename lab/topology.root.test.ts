/**
 * The lab's own claims about its network. The file runs twice: as the test, and (argument `inside`) inside a cell, where it
 * builds the network, tries it and prints what it found.
 */
import { strict as assert } from 'node:assert';
import { writeSync } from 'node:fs';
import { before, test } from 'node:test';
import { ip } from '../src/base/index.ts';
import { LinuxPoller, native } from '../src/ports/index.ts';
import { encodeArpAnnouncement, encodeArpQuestion } from '../src/wire/index.ts';
import { openCell } from './cell.ts';
import { command, inNamespace } from './command.ts';
import { Cuts } from './cuts.ts';
import { now, Observer, sleep } from './observer.ts';
import { inetAddress, openPacket, openUdp, openUdpAt, send, within } from './sockets.ts';
import { segmentFilter } from './tap.ts';
import { build, type Director, MACS, OWN_ADDRESS, VIPS } from './topology.ts';

type Findings = {
  buildMs: number;
  partnerEntry: string;
  routerEntryOfDirector: string;
  directorForwards: string;
  beforeMove: string | undefined;
  afterSilentMove: string | undefined;
  lostAfterSilentMove: number;
  answeredAfterSilentMove: number;
  moveMs: number;
  answeredAfterAnnouncement: Director | null;
  afterRivalsAnnouncement: string | undefined;
  cutDaToDb: { daToDb: boolean; dbToDa: boolean; daToRouter: boolean };
  afterHeal: { daToDb: boolean; dbToDa: boolean };
  unpluggedReachesRouter: boolean;
  unpluggedHasCarrier: string;
  deaf: { hears: boolean; isHeard: boolean };
  dull: { afterAnnouncement: string | undefined; afterQuestion: string | undefined };
};

const WINDOW_MS = 4000;

if (process.argv[2] === 'inside') {
  const found = await explore();
  writeSync(1, JSON.stringify(found));
  process.exit(0);
}

let found: Findings;
before(async () => {
  const cell = openCell({ mode: 'inside', options: {}, script: import.meta.filename }, 'pipe');
  let text = '';
  cell.stdout?.on('data', (chunk) => {
    text += chunk;
  });
  const status = await new Promise((resolve) => cell.on('close', resolve));
  assert.equal(status, 0, 'the cell ended well');
  found = JSON.parse(text);
});

test('without an announcement the router stays on the old owner for the whole window', () => {
  assert.equal(found.beforeMove, 'da');
  assert.equal(found.afterSilentMove, 'da');
  assert.equal(found.answeredAfterSilentMove, 0);
  assert.ok(found.lostAfterSilentMove > 500, `${found.lostAfterSilentMove} probes were lost`);
});

test('one gratuitous ARP moves the router at once', () => {
  assert.ok(found.moveMs < 50, `it took ${found.moveMs} ms`);
  assert.equal(found.answeredAfterAnnouncement, 'db');
});

test('the last announcement wins, also the wrong one', () => {
  assert.equal(found.afterRivalsAnnouncement, 'da');
});

test('directors know the router by heart, find each other in the natural way, and relay nothing', () => {
  assert.match(found.routerEntryOfDirector, /PERMANENT/);
  assert.match(found.partnerEntry, /02:00:00:00:00:12/);
  assert.doesNotMatch(found.partnerEntry, /PERMANENT/);
  assert.equal(found.directorForwards, '0');
});

test('a one-way cut loses one direction between the directors and nothing else', () => {
  assert.deepEqual(found.cutDaToDb, { daToDb: false, dbToDa: true, daToRouter: true });
  assert.deepEqual(found.afterHeal, { daToDb: true, dbToDa: true });
});

test('an unplugged node reaches nobody and sees its link', () => {
  assert.equal(found.unpluggedReachesRouter, false);
  assert.equal(found.unpluggedHasCarrier, '1');
});

test('a deaf node hears nothing, and what it sends arrives', () => {
  assert.deepEqual(found.deaf, { hears: false, isHeard: true });
});

test('a dull router believes no announcement, and an ordinary question that carries the VIP', () => {
  assert.deepEqual(found.dull, { afterAnnouncement: 'da', afterQuestion: 'db' });
});

test('the network is built within two seconds', () => {
  assert.ok(found.buildMs < 2000, `${found.buildMs} ms`);
});

async function explore(): Promise<Findings> {
  const startedAt = now();
  await build({ hasPrivateNetwork: true });
  const buildMs = now() - startedAt;
  const eye = { vip: VIPS[4], heartbeatPort: 539, hasPrivateNetwork: true, probeMs: 5, askMs: 10 };
  const observer = await Observer.start(eye);
  const cuts = await Cuts.open();

  await address('da', 'add');
  await observer.until(({ router, probe }) => router === 'da' && probe?.by === 'da', 5000);
  await sleep(1200); // past the time in which a new entry cannot be changed (locktime)
  const beforeMove = observer.present.router;
  await address('da', 'del');
  await address('db', 'add');
  const movedAt = now();
  await sleep(WINDOW_MS);
  const afterSilentMove = observer.present.router;
  const probes = observer
    .takeEvents()
    .filter((event) => event[0] === 'probe' && event[1] > movedAt);

  const announcedAt = now();
  announce('db');
  await observer.until(
    ({ router, probe }) => router === 'db' && (probe?.sentAt ?? 0) > announcedAt,
    5000,
  );
  const moved = observer.takeEvents().find((event) => event[0] === 'router');
  const moveMs = (moved?.[1] ?? Number.POSITIVE_INFINITY) - announcedAt;
  await sleep(50);
  const answeredAfterAnnouncement = observer.present.probe?.by ?? null;
  announce('da');
  await sleep(100);
  const afterRivalsAnnouncement = observer.present.router;

  const partnerReached = await reaches('da', OWN_ADDRESS.db);
  const partnerEntry = partnerReached ? await neighbour('da', OWN_ADDRESS.db) : 'not reached';
  await cuts.cut('da', 'db');
  const cutDaToDb = {
    daToDb: await passes('da', 'db'),
    dbToDa: await passes('db', 'da'),
    daToRouter: await reaches('da', '198.51.100.1'),
  };
  await cuts.clear();
  const afterHeal = { daToDb: await passes('da', 'db'), dbToDa: await passes('db', 'da') };
  await cuts.unplug('da');
  const unpluggedReachesRouter = await reaches('da', '198.51.100.1');
  const carrier = await command(inNamespace('da', ['cat', '/sys/class/net/eth0/carrier']));
  await cuts.clear();
  await cuts.deafen('db');
  const deaf = { hears: await passes('da', 'db'), isHeard: await passes('db', 'da') };
  await cuts.clear();
  await cuts.dullRouter();
  await sleep(1100); // locktime again
  announce('db');
  await sleep(100);
  const afterAnnouncement = observer.present.router;
  question('db');
  await sleep(100);
  const dull = { afterAnnouncement, afterQuestion: observer.present.router };
  await cuts.clear();
  const forwards = await command(inNamespace('da', ['cat', '/proc/sys/net/ipv4/ip_forward']));
  return {
    buildMs,
    partnerEntry,
    routerEntryOfDirector: await neighbour('da', '198.51.100.1'),
    directorForwards: forwards.trim(),
    beforeMove,
    afterSilentMove,
    lostAfterSilentMove: probes.filter((event) => event[2] === null).length,
    answeredAfterSilentMove: probes.filter((event) => event[2] !== null).length,
    moveMs,
    answeredAfterAnnouncement,
    afterRivalsAnnouncement,
    cutDaToDb,
    afterHeal,
    unpluggedReachesRouter,
    unpluggedHasCarrier: carrier.trim(),
    deaf,
    dull,
  };
}

async function address(node: Director, action: 'add' | 'del'): Promise<void> {
  await command(['ip', '-n', node, 'addr', action, `${VIPS[4]}/32`, 'dev', 'eth0']);
}

function announce(node: Director): void {
  const fd = within(node, () => openPacket('eth0', segmentFilter(539)));
  send(fd, encodeArpAnnouncement({ form: 'reply', vip: VIPS[4], mac: MACS[node] }));
}

/** As a verified takeover teaches: who has the router's address, says the VIP. */
function question(node: Director): void {
  const fd = within(node, () => openPacket('eth0', segmentFilter(539)));
  const sender = { senderMac: MACS[node], senderIp: VIPS[4] };
  send(fd, encodeArpQuestion({ ...sender, targetIp: ip('198.51.100.1') }));
}

function neighbour(node: string, of: string): Promise<string> {
  return command(['ip', '-n', node, 'neigh', 'show', of]);
}

function reaches(node: string, target: string): Promise<boolean> {
  return succeeds(inNamespace(node, ['ping', '-c1', '-W1', '-q', target]));
}

/** One datagram; the way is known beforehand, so that no question and answer is needed. */
async function passes(from: Director, to: Director): Promise<boolean> {
  const entry = ['lladdr', MACS[to], 'dev', 'eth0', 'nud', 'permanent'];
  await command(['ip', '-n', from, 'neigh', 'replace', OWN_ADDRESS[to], ...entry]);
  const listener = within(to, () => openUdpAt(OWN_ADDRESS[to], 5000));
  const speaker = within(from, () => openUdp(4));
  send(speaker, Uint8Array.of(1), inetAddress(OWN_ADDRESS[to], 5000));
  const isHeard = new LinuxPoller().wait([listener], 200).length > 0;
  native().close(listener);
  native().close(speaker);
  return isHeard;
}

function succeeds(argv: readonly string[]): Promise<boolean> {
  return command(argv).then(
    () => true,
    () => false,
  );
}
