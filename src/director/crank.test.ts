import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { after, elapsedMs, ip, ipFromBytes } from '../base/index.ts';
import { decodeArp, decodeHeartbeat, encodeHeartbeat } from '../wire/index.ts';
import type { Crank } from './crank.ts';
import {
  type Frame,
  ImaginedMachine,
  MAC,
  OWN,
  PARTNER,
  plan,
  VIP,
  vip,
} from './imagined-ports.ts';
import type { PulseSnapshot } from './messages.ts';

const RUNNING = encodeHeartbeat('running');
const STOPPED = encodeHeartbeat('stopped');

describe('heartbeats', () => {
  test('W3: both paths say the same at every keepalive', () => {
    const machine = new ImaginedMachine();
    const crank = machine.begun(
      plan({
        paths: [
          { name: 'public', own: OWN.public, partner: PARTNER.public },
          { name: 'private', own: OWN.private, partner: PARTNER.private },
        ],
      }),
    );
    machine.run(crank, 250);
    const words = machine.sent.map(({ path, bytes }) => [path, kindOf(bytes)]);
    assert.deepEqual(words, [
      ['public', 'stopped'],
      ['private', 'stopped'],
      ['public', 'stopped'],
      ['private', 'stopped'],
    ]);
  });

  test('W6: backup_active = 0 sends nothing and raises the VIP after deadtime', () => {
    const machine = new ImaginedMachine();
    const crank = machine.begun(plan({ node: 'primary', paths: [] }));
    machine.run(crank, 299);
    assert.equal(machine.holds(VIP), false);
    machine.run(crank, 2);
    assert.equal(machine.holds(VIP), true);
    assert.deepEqual(machine.sent, []);
    assert.equal(machine.open.size, 0);
  });

  test('a path that cannot send is counted, told once, and stops nothing', () => {
    const machine = new ImaginedMachine();
    machine.sendError = 'ENETUNREACH';
    const crank = machine.begun(plan());
    machine.run(crank, 1000);
    assert.equal(report(machine, crank).counters.sendErrors.public >= 9, true);
    assert.equal(machine.toldOf('trouble').length, 1);
    assert.match(machine.toldOf('trouble')[0]?.text ?? '', /ENETUNREACH/);
    assert.equal(machine.holds(VIP), true);
  });

  test('a flood of strangers is counted to the last and told once a second', () => {
    const machine = new ImaginedMachine();
    const crank = machine.begun(plan());
    for (let burst = 0; burst < 30; burst++) {
      for (let count = 0; count < 1000; count++) machine.hear(RUNNING, ip('203.0.113.9'));
      machine.run(crank, 100);
    }
    assert.equal(report(machine, crank).counters.dropped.stranger, 30_000);
    const notes = machine.toldOf('note').filter(({ note }) => note.kind === 'dropped');
    assert.equal(notes.length, 3);
    assert.equal(notes[1]?.suppressed, 9_999);
  });

  test('heard is who was believed: a stranger does not count as the partner', () => {
    const machine = new ImaginedMachine();
    const crank = machine.begun(plan());
    machine.hear(STOPPED, ip('203.0.113.9'));
    machine.run(crank, 20);
    assert.deepEqual(report(machine, crank).heardAt, {});
    machine.hear(RUNNING);
    machine.run(crank, 20);
    assert.equal(report(machine, crank).counters.received.public, 1);
    assert.equal(report(machine, crank).partnerSaid, 'running');
  });
});

describe('takeover', () => {
  test('after deadtime of silence the VIP stands and is announced with the address of its device', () => {
    const machine = takenOver();
    assert.equal(machine.holds(VIP), true);
    const frames = machine.frames.map(announced);
    assert.equal(frames.length > 0, true);
    for (const { sender, mac } of frames) {
      assert.equal(sender, VIP);
      assert.equal(mac, MAC);
    }
  });

  test('the kernel is asked before anything is announced', () => {
    const machine = new ImaginedMachine();
    machine.refusal = 'EPERM';
    const crank = machine.begun(plan());
    machine.run(crank, 450);
    assert.deepEqual(machine.frames, []);
    const [trouble] = machine.toldOf('trouble');
    assert.equal(
      trouble?.text,
      'lvs.cf:31: kernel refused add address 198.51.100.100 on eth0: not permitted (EPERM)',
    );
    assert.equal(
      machine.toldOf('note').some(({ note }) => {
        return note.kind === 'role' && note.to !== 'active' && note.reason === 'kernel-refused';
      }),
      true,
    );
  });

  test('a VIP on a device that is not there is refused by file and line', () => {
    const machine = new ImaginedMachine();
    const crank = machine.begun(plan({}, [{ ...vip(VIP), device: 'eth9' }]));
    machine.run(crank, 450);
    const [trouble] = machine.toldOf('trouble');
    assert.equal(trouble?.text, 'lvs.cf:31: interface eth9 of VIP 198.51.100.100 does not exist');
  });

  test('10,000 VIPs are raised and announced without a late heartbeat', () => {
    const machine = new ImaginedMachine();
    machine.operationMs = 0.3;
    const vips = Array.from({ length: 10_000 }, (_, index) => vip(manyth(index)));
    const crank = machine.begun(plan({}, vips));
    machine.run(crank, 8000);
    assert.equal(machine.rows.length, 10_002);
    const addresses = new Set(machine.frames.map((frame) => announced(frame).sender));
    assert.equal(addresses.size, 10_000);
    const gaps = machine.sent.map(({ at }, index) => {
      return elapsedMs(machine.sent[index - 1]?.at ?? at, at);
    });
    assert.equal(Math.max(...gaps) <= 110, true, `${Math.max(...gaps)} ms between two heartbeats`);
  });

  test('a node that gives way sends no further announcement of its own', () => {
    const machine = new ImaginedMachine();
    const vips = Array.from({ length: 2000 }, (_, index) => vip(manyth(index)));
    const crank = machine.begun(plan({}, vips));
    machine.run(crank, 320);
    while (machine.frames.length === 0) machine.run(crank, 1);
    const before = machine.frames.length;
    machine.hear(RUNNING);
    machine.run(crank, 250);
    const later = machine.frames.slice(before).map(announced);
    assert.equal(before < 4000, true);
    assert.equal(later.length, 2000, 'the winner is announced once for each VIP');
    for (const { mac } of later) assert.notEqual(mac, MAC);
  });
});

describe('the kernel, observed', () => {
  test('a VIP that someone removes is back in the same breath, reported and announced', () => {
    const machine = takenOver();
    const crank = machine.lastCrank;
    machine.run(crank, 6000);
    const before = machine.frames.length;
    machine.remove(VIP);
    machine.run(crank, 50);
    assert.equal(machine.holds(VIP), true);
    assert.deepEqual(machine.toldOf('repaired'), [{ kind: 'repaired', vips: [VIP] }]);
    assert.equal(machine.frames.length > before, true);
  });

  test('a VIP whose device is gone cannot be held: it is left to the partner, in words', () => {
    const machine = takenOver();
    const crank = machine.lastCrank;
    machine.rows = machine.rows.filter(({ address }) => address !== VIP);
    machine.links = machine.links.filter(({ name }) => name !== 'eth0');
    machine.hasEvents = true;
    machine.run(crank, 50);
    const snapshot = report(machine, crank);
    assert.equal(snapshot.role, 'fault');
    assert.equal(snapshot.reason, 'kernel-refused');
    assert.equal(kindOf(machine.sent.at(-1)?.bytes ?? RUNNING), 'stopped');
    assert.match(
      machine.toldOf('trouble').at(-1)?.text ?? '',
      /lvs.cf:31: interface eth0 .* does not exist/,
    );
  });

  test('someone who removes it in a loop does not make us spin', () => {
    const machine = takenOver();
    const crank = machine.lastCrank;
    for (let turn = 0; turn < 500; turn++) {
      if (machine.holds(VIP)) machine.remove(VIP);
      machine.run(crank, 1);
    }
    assert.equal(machine.toldOf('repaired').length <= 7, true);
  });

  test('a VIP left by an earlier life is lowered at start, when this life is standby', () => {
    const machine = new ImaginedMachine();
    machine.rows.push({ interfaceIndex: 2, address: VIP, prefixLength: 32, label: 'eth0:1' });
    machine.begun(plan());
    assert.equal(machine.holds(VIP), false);
  });

  test('an address that is not ours is left alone', () => {
    const machine = takenOver();
    machine.hear(RUNNING);
    machine.run(machine.lastCrank, 50);
    assert.equal(machine.holds(OWN.public), true);
    assert.equal(machine.holds(VIP), false);
  });

  test('M9: with monitor_links a lost cable on a heartbeat path gives the VIPs back, heartbeats go on', () => {
    const machine = takenOver({ monitorLinks: true });
    cable(machine, false);
    machine.run(machine.lastCrank, 20);
    assert.equal(machine.holds(VIP), false);
    assert.equal(report(machine, machine.lastCrank).role, 'fault');
    const before = machine.sent.length;
    machine.run(machine.lastCrank, 350);
    assert.equal(machine.sent.length - before >= 3, true);
    cable(machine, true);
    machine.run(machine.lastCrank, 20);
    assert.deepEqual(report(machine, machine.lastCrank).linksDown, []);
  });
});

describe('main', () => {
  test('wedged for its lease, main loses the VIPs', () => {
    const machine = takenOver();
    machine.isMainAlive = false;
    machine.run(machine.lastCrank, 29_800);
    assert.equal(machine.holds(VIP), true);
    machine.hear(STOPPED);
    machine.run(machine.lastCrank, 200);
    machine.hear(STOPPED);
    machine.run(machine.lastCrank, 250);
    assert.equal(machine.holds(VIP), false);
    assert.equal(report(machine, machine.lastCrank).reason, 'main-wedged');
  });

  test('wedged, main keeps the VIPs while nobody could take them, and loses them to who can', () => {
    const machine = takenOver();
    machine.isMainAlive = false;
    machine.run(machine.lastCrank, 40_000);
    assert.equal(machine.holds(VIP), true, 'the partner is silent');
    machine.hear(STOPPED);
    machine.run(machine.lastCrank, 250);
    assert.equal(machine.holds(VIP), false, 'the partner is back');
    assert.equal(report(machine, machine.lastCrank).reason, 'main-wedged');
  });

  test('a process that was frozen does not blame its own main thread', () => {
    const machine = takenOver();
    machine.now = after(machine.now, 60_000);
    machine.run(machine.lastCrank, 1000);
    assert.equal(machine.holds(VIP), true);
    assert.equal(report(machine, machine.lastCrank).reason, 'partner-silent');
  });

  test('M7: a stop lowers the VIPs, says STOPPED and is over', () => {
    const machine = takenOver();
    machine.sent.length = 0;
    machine.say({ kind: 'stop' });
    assert.equal(machine.lastCrank.turn(), false);
    assert.equal(machine.holds(VIP), false);
    assert.deepEqual(
      machine.sent.map(({ bytes }) => kindOf(bytes)),
      ['stopped'],
    );
    assert.equal(machine.told.at(-1)?.kind, 'exit');
  });

  test('a reload raises what is new and lowers what is gone', () => {
    const machine = takenOver();
    const added = ip('198.51.100.101');
    machine.say({ kind: 'settings', plan: plan({}, [vip(added)]) });
    machine.run(machine.lastCrank, 20);
    assert.equal(machine.holds(added), true);
    assert.equal(machine.holds(VIP), false);
    assert.deepEqual(machine.toldOf('reloaded'), [{ kind: 'reloaded' }]);
  });

  test('a reload whose path cannot be opened changes nothing', () => {
    const machine = takenOver();
    machine.busy.add(OWN.private);
    const next = plan(
      {
        paths: [
          { name: 'public', own: OWN.public, partner: PARTNER.public },
          { name: 'private', own: OWN.private, partner: PARTNER.private },
        ],
      },
      [],
    );
    machine.say({ kind: 'settings', plan: next });
    machine.run(machine.lastCrank, 20);
    assert.equal(machine.holds(VIP), true);
    assert.equal(machine.toldOf('reloaded')[0]?.refusal?.code, 'EADDRINUSE');
    assert.deepEqual([...machine.open], [OWN.public]);
  });

  test('a reload that leaves a path closes its socket', () => {
    const machine = takenOver();
    machine.say({ kind: 'settings', plan: plan({ paths: [] }) });
    machine.run(machine.lastCrank, 20);
    assert.deepEqual([...machine.open], []);
  });
});

/** A backup that has taken the VIPs over, half a second after its start. */
function takenOver(changes: Parameters<typeof plan>[0] = {}): ImaginedMachine & {
  readonly lastCrank: ReturnType<ImaginedMachine['crank']>;
} {
  const machine = new ImaginedMachine();
  const lastCrank = machine.begun(plan(changes));
  machine.run(lastCrank, 500);
  assert.equal(machine.holds(VIP), true);
  return Object.assign(machine, { lastCrank });
}

function report(machine: ImaginedMachine, crank: Crank): PulseSnapshot {
  machine.say({ kind: 'report' });
  crank.turn();
  const last = machine.toldOf('snapshot').at(-1);
  assert.ok(last !== undefined);
  return last.snapshot;
}

function kindOf(bytes: Uint8Array): string {
  const decoded = decodeHeartbeat(bytes);
  assert.ok(decoded.ok);
  return decoded.value.kind;
}

function announced({ bytes }: Frame): { readonly sender: string; readonly mac: string } {
  const decoded = decodeArp(bytes);
  assert.ok(decoded.ok);
  return { sender: decoded.value.senderIp, mac: decoded.value.senderMac };
}

/** 10.1.0.0 and on. */
function manyth(index: number): ReturnType<typeof ip> {
  const found = ipFromBytes(Uint8Array.of(10, 1, index >> 8, index & 0xff));
  assert.ok(found !== undefined);
  return found;
}

function cable(machine: ImaginedMachine, hasCarrier: boolean): void {
  machine.links = machine.links.map((link) => ({ ...link, hasCarrier }));
  machine.hasEvents = true;
}
