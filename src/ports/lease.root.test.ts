/** The lease against the real kernel: who is answered while it lives, after it ended, and what others can do to it. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ip as address, type MacAddress, mac } from '../base/index.ts';
import { encodeArpAnnouncement } from '../wire/index.ts';
import { openAddressPort } from './addresses.ts';
import { BootClock } from './clock.ts';
import { enterNamespace, ip } from './enter-namespace.ts';
import { LEASE_TABLE, type LinuxLease, openLease } from './lease.ts';
import { openPacketSocket } from './packet.ts';

const here = enterNamespace();
const peer = `${here}-peer`;
const VIP = '10.77.0.100';
const VIP6 = 'fd77::100';

ip('netns', 'add', peer);
after(() => ip('netns', 'del', peer));
ip('link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', peer);
for (const [where, host] of [
  [here, '11'],
  [peer, '12'],
] as const) {
  ip('-n', where, 'link', 'set', 'eth0', 'up');
  ip('-n', where, 'addr', 'add', `10.77.0.${host}/24`, 'dev', 'eth0');
  ip('-n', where, 'addr', 'add', `fd77::${host}/64`, 'dev', 'eth0', 'nodad');
}
ip('addr', 'add', `${VIP}/32`, 'dev', 'eth0');
ip('addr', 'add', `${VIP6}/128`, 'dev', 'eth0', 'nodad');

function run(...words: readonly string[]): boolean {
  return spawnSync('ip', ['netns', 'exec', peer, ...words], { timeout: 5000 }).status === 0;
}

/** Does the peer get an answer to a fresh ARP question, and to a ping, over IPv4 and IPv6? */
function answered(vip: string): boolean {
  spawnSync('ip', ['-n', peer, 'neigh', 'flush', 'dev', 'eth0']);
  return run('ping', '-c1', '-W1', vip);
}

function links() {
  const port = openAddressPort();
  assert.ok(port.ok);
  const observed = port.value.observe();
  port.value.close();
  assert.ok(observed.ok);
  return observed.value.links;
}

function open(): LinuxLease {
  const lease = openLease(new BootClock());
  assert.ok(lease.ok, JSON.stringify(lease));
  return lease.value;
}

function withLease(use: (lease: LinuxLease) => Promise<void>): () => Promise<void> {
  return async () => {
    const lease = open();
    try {
      assert.equal(lease.install([address(VIP), address(VIP6)], links()), undefined);
      await use(lease);
    } finally {
      lease.remove();
      lease.close();
    }
  };
}

test(
  'without a lease nothing is answered for a VIP; with one, everything; our own address always',
  withLease(async (lease) => {
    assert.equal(answered(VIP), false, 'IPv4 unleased');
    assert.equal(answered(VIP6), false, 'IPv6 unleased');
    assert.equal(answered('10.77.0.11'), true, 'own address');
    assert.equal(lease.acquire(60_000), undefined);
    assert.equal(answered(VIP), true, 'IPv4 leased');
    assert.equal(answered(VIP6), true, 'IPv6 leased');
    assert.equal(lease.drop(), undefined);
    assert.equal(answered(VIP), false, 'IPv4 dropped');
  }),
);

test(
  'a lease ends by itself, and a dead one is not revived by extending it',
  withLease(async (lease) => {
    assert.equal(lease.acquire(200), undefined);
    assert.equal(answered(VIP), true);
    assert.equal(lease.extend(200), 'alive');
    await sleep(260);
    assert.equal(lease.remainingMs(), undefined);
    assert.equal(lease.extend(60_000), 'dead');
    assert.equal(answered(VIP), false);
    assert.equal(lease.acquire(60_000), undefined);
    assert.equal(answered(VIP), true);
  }),
);

test(
  'a claim is redeemed while its mark lives, once; who comes too late acquires nothing',
  withLease(async (lease) => {
    assert.equal(lease.redeem(60_000), 'dead', 'without a mark');
    assert.equal(lease.claim(10_000), undefined);
    assert.equal(answered(VIP), false, 'a mark is no lease');
    assert.equal(lease.redeem(60_000), 'alive');
    assert.equal(answered(VIP), true);
    lease.drop();
    assert.equal(lease.redeem(60_000), 'dead', 'a second time');
    lease.claim(50);
    await sleep(80);
    assert.equal(lease.redeem(60_000), 'dead', 'after its end');
    assert.equal(answered(VIP), false);
  }),
);

test(
  'extending keeps a lease alive far beyond its length',
  withLease(async (lease) => {
    lease.acquire(150);
    for (let turn = 0; turn < 20; turn++) {
      await sleep(30);
      assert.equal(lease.extend(150), 'alive', `turn ${turn}`);
    }
    assert.equal(answered(VIP), true);
  }),
);

test(
  'replacing the gate carries the living lease over, and a dead one stays dead',
  withLease(async (lease) => {
    lease.acquire(60_000);
    assert.equal(lease.install([address(VIP)], links()), undefined);
    assert.equal(answered(VIP), true);
    lease.drop();
    assert.equal(lease.install([address(VIP)], links()), undefined);
    assert.equal(answered(VIP), false);
  }),
);

test(
  'flushing all rules leaves the gate, or it is seen and rebuilt with what was left',
  withLease(async (lease) => {
    lease.acquire(60_000);
    spawnSync('nft', ['flush', 'ruleset']);
    if (lease.form.isProtected) {
      assert.equal(lease.isStanding(), true);
      assert.equal(lease.drainEvents(), false);
    } else {
      assert.equal(lease.drainEvents(), true);
      assert.equal(lease.restore(), undefined);
    }
    assert.equal(lease.extend(60_000), 'alive');
    assert.equal(answered(VIP), true);
    lease.drop();
    assert.equal(answered(VIP), false);
  }),
);

test('a gate outlives its director and is adopted with what is left of the lease', async () => {
  const first = open();
  first.install([address(VIP)], links());
  first.acquire(2000);
  first.close(); // as kill -9 does
  const second = open();
  try {
    const left = second.remainingMs() ?? 0;
    assert.ok(left > 1000 && left <= 2000, `${left} ms left`);
    assert.equal(second.extend(60_000), 'alive');
    assert.equal(second.install([address(VIP)], links()), undefined);
    assert.equal(answered(VIP), true);
  } finally {
    second.remove();
    second.close();
  }
  const tables = spawnSync('nft', ['list', 'tables'], { encoding: 'utf8' }).stdout;
  assert.ok(!tables.includes(LEASE_TABLE), tables);
});

test(
  'an unleased owner cannot announce itself, but may announce its partner',
  withLease(async () => {
    const eth0 = links().find(({ name }) => name === 'eth0');
    assert.ok(eth0?.mac !== undefined);
    const socket = openPacketSocket(eth0);
    assert.ok(socket.ok);
    const announce = (mac: MacAddress) =>
      socket.value.send(encodeArpAnnouncement({ form: 'reply', vip: address(VIP), mac }));
    const entry = () =>
      spawnSync('ip', ['-n', peer, 'neigh', 'show', VIP], { encoding: 'utf8' }).stdout;
    const words = ['neigh', 'replace', VIP, 'lladdr', '02:00:00:00:00:77', 'dev', 'eth0'];
    ip('-n', peer, ...words, 'nud', 'stale');
    assert.notEqual(announce(eth0.mac), undefined, 'the send fails');
    assert.match(entry(), /02:00:00:00:00:77/, 'the own announcement is dropped');
    await sleep(1100); // locktime of the entry
    assert.equal(announce(mac('02:00:00:00:00:99')), undefined);
    assert.match(entry(), /02:00:00:00:00:99/, 'the partner’s passes');
    socket.value.close();
  }),
);

/** Echo requests as fast as they are answered, or 1000 a second, while `change` is done again and again. */
async function flood(count: number, change: (turn: number) => void) {
  spawnSync('ip', ['-n', peer, 'neigh', 'flush', 'dev', 'eth0']); // an earlier test taught it a stranger's
  const pace = ['-i', '0.001', '-W', '1', '-c', String(count)];
  const words = ['netns', 'exec', peer, 'ping', '-q', ...pace, VIP];
  const child = spawn('ip', words, { stdio: ['ignore', 'pipe', 'inherit'], timeout: 60_000 });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  let isOver = false;
  const ended = new Promise((resolve) => child.once('close', resolve)).then(() => {
    isOver = true;
  });
  let changes = 0;
  for (; !isOver; changes++) {
    change(changes);
    if (changes % 20 === 0) await sleep(0);
  }
  await ended;
  const [, sent, received] = /(\d+) packets transmitted, (\d+) received/.exec(text) ?? [];
  assert.equal(Number(sent), count, text);
  return { lost: count - Number(received), received: Number(received), changes };
}

test(
  'no packet is lost while the lease is extended and the gate replaced; in two steps many would be',
  withLease(async (lease) => {
    const present = links();
    lease.acquire(60_000);
    const atOnce = await flood(2000, (turn) => {
      if (turn % 10 > 0) assert.equal(lease.extend(60_000), 'alive');
      else assert.equal(lease.install([address(VIP), address(VIP6)], present), undefined);
    });
    assert.ok(atOnce.changes > 200, `${atOnce.changes} changes`);
    assert.equal(atOnce.lost, 0, `of 2000, in ${atOnce.changes} changes`);
    const inSteps = await flood(300, () => {
      lease.drop();
      lease.acquire(60_000);
    });
    assert.ok(inSteps.lost > 0, 'a gap between two transactions was not seen');
  }),
);

test(
  'nothing gets through while a gate without a lease is replaced',
  withLease(async (lease) => {
    const present = links();
    const { received, changes } = await flood(500, () => {
      assert.equal(lease.install([address(VIP), address(VIP6)], present), undefined);
    });
    assert.ok(changes > 100, `${changes} changes`);
    assert.equal(received, 0);
  }),
);
