/**
 * The observer: one process with a socket in every namespace of the lab, one loop, one clock.
 *
 * It probes the VIP from the client, answers at the VIP on each director with that director's name, follows the VIP in both
 * directors' kernels and the router's neighbour entry by netlink, asks the segment who has the VIP, and listens at the
 * directors' switch ports for announcements and heartbeats. It judges nothing: it writes what it saw (events.ts), and how
 * late it was itself, because on a busy machine the observer is the first to blame.
 *
 * The loop blocks in ppoll and runs with real-time priority where that is allowed (below the pulse worker's). Rejected:
 * Node's event loop (its timers are a millisecond coarse and share the thread with whatever else there is).
 */
import { readSync, writeSync } from 'node:fs';
import { ip, ipFamily, type MacAddress } from '../src/base/index.ts';
import { LinuxPoller, native } from '../src/ports/index.ts';
import { encodeArpQuestion, encodeNeighbourQuestion } from '../src/wire/index.ts';
import type { EyeSettings, LabEvent } from './events.ts';
import { dumpAddresses, dumpNeighbours, followAddresses, followNeighbours } from './kernel-view.ts';
import {
  inetAddress,
  openPacket,
  openRoute,
  openUdp,
  openUdpAt,
  receive,
  send,
  within,
} from './sockets.ts';
import { readPort, segmentFilter, whoAnswered } from './tap.ts';
import { DIRECTORS, type Director, ECHO_PORT, EYE, portOf } from './topology.ts';

const CLOCK_MONOTONIC = 1;
const REALTIME_PRIORITY = 10;
const FLUSH_MS = 25;
const LOST_MS = 500;
const STALL_MS = 3;
const RTMGRP_NEIGH = 0x4;
const RTMGRP_ADDRESSES = 0x110;

const settings: EyeSettings = JSON.parse(process.argv[2] ?? '{}');
const vip = ip(settings.vip);
const target = inetAddress(vip, ECHO_PORT);
const now = (): number => native().clock(CLOCK_MONOTONIC);

const pending: string[] = [];
function tell(event: LabEvent): void {
  pending.push(JSON.stringify(event));
}

const readers = new Map<number, (at: number) => void>();

/** The echo: the VIP's only service, and it says who gave it. */
for (const director of DIRECTORS) {
  const fd = within(director, () => openUdpAt(vip, ECHO_PORT));
  const name = director === 'da' ? 0 : 1;
  readers.set(fd, () => {
    for (const { bytes, from } of receive(fd)) {
      send(fd, Uint8Array.of(...bytes.subarray(0, 4), name), from.slice(0, target.length));
    }
  });
}

/** The client. */
const client = within('client', () => openUdp(ipFamily(vip)));
const outstanding = new Map<number, number>();
let sequence = 0;
readers.set(client, (at) => {
  for (const { bytes } of receive(client)) {
    const number = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
    const sentAt = outstanding.get(number);
    if (sentAt === undefined) continue; // answered later than half a second: told as lost already
    outstanding.delete(number);
    tell(['probe', sentAt, bytes[4] === 0 ? 'da' : 'db', at - sentAt]);
  }
});
function probe(at: number): void {
  const bytes = new Uint8Array(4);
  sequence += 1;
  new DataView(bytes.buffer).setUint32(0, sequence);
  outstanding.set(sequence, at);
  send(client, bytes, target);
}
function giveUp(at: number): void {
  for (const [number, sentAt] of outstanding) {
    if (at - sentAt < LOST_MS) break;
    outstanding.delete(number);
    tell(['probe', sentAt, null, 0]);
  }
}

/** Who answers on the segment. The question leaves from the observer's own port, so the router learns nothing by it. */
const asker = within('switch', () => openPacket(EYE.device, segmentFilter(settings.heartbeatPort)));
const question = (ipFamily(vip) === 4 ? encodeArpQuestion : encodeNeighbourQuestion)({
  senderMac: EYE.mac,
  senderIp: EYE.addresses[ipFamily(vip)],
  targetIp: vip,
});
let answered = new Set<Director>();
let told = '?';
readers.set(asker, () => {
  for (const arrival of receive(asker)) {
    const director = whoAnswered(arrival, vip);
    if (director !== undefined) answered.add(director);
  }
});
let askedAt = 0;
function ask(at: number): void {
  const answering = DIRECTORS.filter((director) => answered.has(director));
  if (askedAt > 0 && answering.join() !== told) {
    told = answering.join();
    tell(['answering', askedAt, answering]);
  }
  answered = new Set();
  askedAt = at;
  send(asker, question);
}

/** The switch ports of the directors. */
for (const director of DIRECTORS) {
  for (const network of settings.hasPrivateNetwork
    ? (['segment', 'private'] as const)
    : (['segment'] as const)) {
    const device = portOf(director, network);
    const fd = within('switch', () => openPacket(device, segmentFilter(settings.heartbeatPort)));
    readers.set(fd, (at) => {
      for (const arrival of receive(fd)) {
        const seen = readPort(arrival, {
          director,
          network,
          at,
          vip,
          heartbeatPort: settings.heartbeatPort,
        });
        if (seen !== undefined) tell(seen);
      }
    });
  }
}

/** The kernels. */
for (const director of DIRECTORS) {
  const fd = within(director, () => openRoute(RTMGRP_ADDRESSES));
  readers.set(fd, (at) => {
    for (const change of followAddresses(receive(fd, 8192), vip))
      tell(['vip', at, director, change]);
  });
  if (within(director, dumpAddresses).includes(vip)) tell(['vip', now(), director, 'raised']);
}
let routerSays: string | undefined;
function tellRouter(at: number, address: MacAddress | undefined, state: number): void {
  const text = `${address} ${state}`;
  if (text === routerSays) return;
  routerSays = text;
  tell(['router', at, address ?? null, state]);
}
const neighbours = within('router', () => openRoute(RTMGRP_NEIGH));
readers.set(neighbours, (at) => {
  for (const row of followNeighbours(receive(neighbours, 8192), vip))
    tellRouter(at, row.mac, row.state);
});

function snapshot(at: number, id: number): void {
  const owners = DIRECTORS.filter((director) => within(director, dumpAddresses).includes(vip));
  const row = within('router', () => dumpNeighbours(vip));
  tell(['snapshot', at, id, { owners, router: row?.mac }]);
}

const buffer = Buffer.alloc(4096);
let typed = '';
let isEnding = false;
readers.set(0, (at) => {
  const length = readSync(0, buffer);
  if (length === 0) isEnding = true; // the lab is gone
  typed += buffer.toString('utf8', 0, length);
  const lines = typed.split('\n');
  typed = lines.pop() ?? '';
  for (const line of lines) snapshot(at, Number(line));
});

function flush(): void {
  if (pending.length === 0) return;
  const text = Buffer.from(`${pending.join('\n')}\n`);
  pending.length = 0;
  try {
    for (let offset = 0; offset < text.length; ) offset += writeSync(1, text, offset);
  } catch {
    isEnding = true; // nobody listens any more
  }
}

function loop(): void {
  const poller = new LinuxPoller();
  const fds = [...readers.keys()];
  const due = { probe: now(), ask: now(), flush: now() };
  let looked = now();
  while (!isEnding) {
    const at = now();
    if (at >= due.probe) {
      probe(at);
      giveUp(at);
      due.probe = Math.max(due.probe + settings.probeMs, at);
    }
    if (at >= due.ask) {
      ask(at);
      due.ask = Math.max(due.ask + settings.askMs, at);
    }
    if (at >= due.flush) {
      flush();
      due.flush = at + FLUSH_MS;
    }
    const next = Math.min(due.probe, due.ask, due.flush);
    const ready = poller.wait(fds, next - now());
    const woke = now();
    const late = woke - Math.max(next, looked);
    if (late > STALL_MS) tell(['stall', woke, late]);
    looked = woke;
    for (const fd of ready) readers.get(fd)?.(woke);
  }
}

const isRealtime = native().setRealtime(REALTIME_PRIORITY) === 0;
tell(['ready', now(), { isRealtime }]);
loop();
