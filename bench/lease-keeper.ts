/**
 * The other end of bench/lease.ts: a process in the director's namespace that does one thing with a kernel lease.
 *
 *   keep LENGTH INTERVAL    acquires and extends it, for ever; writes down when it began and ended each time
 *   cost COUNT              extends a living lease COUNT times; the milliseconds of each
 *   restore COUNT FORM      has all rules flushed COUNT times by nft(8) and puts the gate back; FORM protected or plain
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeSync } from 'node:fs';
import { elapsedMs, ip } from '../src/base/index.ts';
import {
  BootClock,
  LinuxLease,
  LinuxPoller,
  openAddressPort,
  openLease,
  openNetlinkSocket,
  setRealtime,
} from '../src/ports/index.ts';
import { NFNLGRP_NFTABLES } from '../src/wire/index.ts';

export type Restored = { readonly ms: readonly number[]; readonly stood: number };
export type LeaseFormReport = { readonly hasEgress: boolean; readonly isProtected: boolean };

export const VIP = ip('10.77.0.100');
const LONG_MS = 60_000;
const clock = new BootClock();

function openGate(form: 'best' | 'plain'): LinuxLease {
  const lease = form === 'best' ? best() : plain();
  const addresses = openAddressPort();
  assert.ok(addresses.ok);
  const observed = addresses.value.observe();
  addresses.value.close();
  assert.ok(observed.ok);
  assert.equal(lease.install([VIP], observed.value.links), undefined);
  return lease;
}

function best(): LinuxLease {
  const lease = openLease(clock);
  assert.ok(lease.ok, JSON.stringify(lease));
  return lease.value;
}

/** As on a kernel that does not let a table outlive its owner. */
function plain(): LinuxLease {
  const opened = best();
  const { hasEgress } = opened.form;
  opened.close();
  const socket = openNetlinkSocket({ family: 'netfilter' });
  const events = openNetlinkSocket({ family: 'netfilter', groups: [NFNLGRP_NFTABLES] });
  assert.ok(socket.ok && events.ok);
  const parts = { socket: socket.value, events: events.value, clock };
  return new LinuxLease(parts, { hasEgress, isProtected: false }, undefined);
}

/** `b` before and `a` after each change of the lease, in milliseconds of CLOCK_BOOTTIME. */
function keep(lengthMs: number, intervalMs: number): never {
  const lease = openGate('best');
  const poller = new LinuxPoller();
  setRealtime(20);
  for (;;) {
    writeSync(1, `b ${clock.now()}\n`);
    const answer = lease.extend(lengthMs);
    if (answer === 'dead') assert.equal(lease.acquire(lengthMs), undefined);
    else assert.equal(answer, 'alive');
    writeSync(1, `a ${clock.now()} ${answer}\n`);
    poller.wait([], intervalMs);
  }
}

function cost(count: number): number[] {
  const lease = openGate('best');
  assert.equal(lease.acquire(LONG_MS), undefined);
  const samples = Array.from({ length: count }, () => {
    const startedAt = clock.now();
    assert.equal(lease.extend(LONG_MS), 'alive');
    return elapsedMs(startedAt, clock.now());
  });
  lease.remove();
  return samples;
}

function restore(count: number, form: 'best' | 'plain'): Restored {
  const lease = openGate(form);
  const poller = new LinuxPoller();
  assert.equal(lease.acquire(LONG_MS), undefined);
  const ms: number[] = [];
  let stood = 0;
  for (let turn = 0; turn < count; turn++) {
    const { status } = spawnSync('nft', ['flush', 'ruleset'], { timeout: 10_000 });
    assert.equal(status, 0);
    if (lease.isStanding()) stood++;
    poller.wait([lease.eventFd], 1000);
    const startedAt = clock.now();
    const isTouched = lease.drainEvents();
    if (isTouched) assert.equal(lease.restore(), undefined);
    if (isTouched) ms.push(elapsedMs(startedAt, clock.now()));
    assert.equal(lease.isStanding(), true);
    assert.equal(lease.extend(LONG_MS), 'alive');
  }
  lease.remove();
  return { ms, stood };
}

const [, , order, first = '', second = ''] = process.argv;
if (import.meta.main) {
  const tell = (value: unknown) => writeSync(1, JSON.stringify(value));
  switch (order) {
    case 'keep':
      keep(Number(first), Number(second));
      break;
    case 'cost':
      tell(cost(Number(first)));
      break;
    case 'restore':
      tell(restore(Number(first), second === 'plain' ? 'plain' : 'best'));
      break;
    case 'form':
      tell(best().form);
      break;
    default:
      throw new Error(`bench/lease-keeper.ts: what is "${order}"?`);
  }
}
