import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { after, before, beforeEach, test } from 'node:test';
import { ip as address } from '../base/index.ts';
import { planAddresses } from '../core/index.ts';
import type { AddressOperation, Vip } from '../model/index.ts';
import { openAddressPort } from './addresses.ts';
import { enterNamespace, ip } from './enter-namespace.ts';
import { LinuxPoller } from './poller.ts';
import type { AddressPort } from './types.ts';

enterNamespace();

const origin = { file: 'lvs.cf', line: 1, column: 1 };
const vip: Vip = {
  address: address('198.51.100.100'),
  prefixLength: 24,
  broadcast: address('198.51.100.255'),
  device: 'eth0',
  label: 'eth0:1',
  origin,
};
const vip6: Vip = { address: address('fd77::100'), prefixLength: 64, device: 'eth0', origin };

let port: AddressPort;
before(() => {
  const opened = openAddressPort();
  assert.ok(opened.ok, JSON.stringify(opened));
  port = opened.value;
});
after(() => port.close());
beforeEach(() => {
  try {
    ip('link', 'del', 'eth0');
  } catch {
    // The first test finds none.
  }
  ip('link', 'add', 'eth0', 'address', '02:00:00:00:00:11', 'type', 'veth', 'peer', 'name', 'eth1');
  ip('link', 'set', 'eth1', 'addrgenmode', 'none', 'up');
  ip('link', 'set', 'eth0', 'addrgenmode', 'none', 'up');
  ip('addr', 'add', '198.51.100.11/24', 'brd', '+', 'dev', 'eth0');
  port.drainEvents();
});

function converge(vips: readonly Vip[], role: 'active' | 'standby'): readonly AddressOperation[] {
  const observed = port.observe();
  assert.ok(observed.ok, JSON.stringify(observed));
  const { operations, missing } = planAddresses({ vips, role }, observed.value);
  assert.deepEqual(missing, []);
  assert.deepEqual(
    port.apply(operations).filter((error) => error !== undefined),
    [],
  );
  return operations;
}

/** What ip(8) shows of a device, one address a line. */
const shown = (device = 'eth0') => ip('-o', 'addr', 'show', 'dev', device);
/** Waits at most a second for an event. */
const isTold = () => {
  const readable = new LinuxPoller().wait([port.eventFd], 1000);
  return readable.length > 0 && port.drainEvents();
};

test('a VIP is raised with alias, netmask and broadcast as Piranha, and lowered again', () => {
  assert.equal(converge([vip, vip6], 'active').length, 2);
  assert.match(
    shown(),
    /inet 198\.51\.100\.100\/24 brd 198\.51\.100\.255 scope global secondary eth0:1\\/,
  );
  // No duplicate address detection: it answers at once.
  assert.match(shown(), /inet6 fd77::100\/64 scope global nodad/);
  assert.doesNotMatch(shown(), /tentative/);
  assert.deepEqual(converge([vip, vip6], 'active'), [], 'nothing is left to do');
  assert.equal(converge([vip, vip6], 'standby').length, 2);
  assert.doesNotMatch(shown(), /198\.51\.100\.100|fd77/);
  assert.match(shown(), /198\.51\.100\.11\/24/, 'the address of the node stays');
});

test('links are observed with name, link-layer address, state and carrier', () => {
  ip('link', 'set', 'eth1', 'down');
  const observed = port.observe();
  assert.ok(observed.ok);
  const link = observed.value.links.find(({ name }) => name === 'eth0');
  assert.ok(link !== undefined);
  const { index, ...rest } = link;
  assert.deepEqual(rest, {
    name: 'eth0',
    mac: '02:00:00:00:00:11',
    isUp: true,
    hasCarrier: false,
    mtu: 1500,
  });
});

test('an address removed by someone else is told and put back', () => {
  converge([vip, vip6], 'active');
  port.drainEvents();
  ip('addr', 'del', '198.51.100.100/24', 'dev', 'eth0');
  assert.ok(isTold());
  assert.equal(converge([vip, vip6], 'active').length, 1);
  port.drainEvents();
  ip('addr', 'del', 'fd77::100/64', 'dev', 'eth0');
  assert.ok(isTold());
  assert.equal(converge([vip, vip6], 'active').length, 1);
});

test('a cable that is pulled is told; our own IPv4 writes are not', () => {
  // The kernel tells of a new link's carrier late, up to a second.
  while (new LinuxPoller().wait([port.eventFd], 1200).length > 0) port.drainEvents();
  converge([vip], 'active');
  converge([vip], 'standby');
  assert.equal(port.drainEvents(), false);
  ip('link', 'set', 'eth1', 'down');
  assert.ok(isTold());
});

test('addresses of an earlier life are adopted while active and removed on standby', () => {
  // As a dead ifconfig-based pulse leaves them, on another device and with another mask, too.
  ip('addr', 'add', '198.51.100.100/24', 'brd', '+', 'dev', 'eth0', 'label', 'eth0:1');
  ip('addr', 'add', '198.51.100.100/32', 'dev', 'eth1');
  ip('addr', 'add', '203.0.113.7/32', 'dev', 'eth0', 'label', 'eth0:7');
  assert.deepEqual(
    converge([vip], 'active').map(({ kind, row }) => [kind, row.prefixLength]),
    [['delete-address', 32]],
  );
  assert.equal(shown('eth1').trim(), '');
  converge([vip], 'standby');
  assert.doesNotMatch(shown(), /198\.51\.100\.100/);
  assert.match(shown(), /203\.0\.113\.7\/32 scope global eth0:7/, 'what is not ours stays');
});

test('a wrong label, and an IPv6 prefix, are put right', () => {
  ip('addr', 'add', '198.51.100.100/24', 'dev', 'eth0', 'label', 'eth0:9');
  ip('addr', 'add', 'fd77::100/128', 'dev', 'eth0', 'nodad');
  converge([vip, vip6], 'active');
  assert.match(
    shown(),
    /198\.51\.100\.100\/24 brd 198\.51\.100\.255 scope global secondary eth0:1\\/,
  );
  assert.match(shown(), /fd77::100\/64/);
  assert.doesNotMatch(shown(), /fd77::100\/128|eth0:9/);
  assert.deepEqual(converge([vip, vip6], 'active'), []);
});

test('a primary VIP that goes does not take the address of the node with it', () => {
  for (const promote of ['0', '1']) {
    writeFileSync('/proc/sys/net/ipv4/conf/eth0/promote_secondaries', promote);
    ip('addr', 'del', '198.51.100.11/24', 'dev', 'eth0');
    converge([vip], 'active');
    ip('addr', 'add', '198.51.100.11/24', 'brd', '+', 'dev', 'eth0'); // now a secondary
    assert.match(shown(), /198\.51\.100\.11\/24 .*secondary/);
    converge([vip], 'standby');
    assert.match(shown(), /198\.51\.100\.11\/24 brd 198\.51\.100\.255/);
    assert.doesNotMatch(shown(), /198\.51\.100\.100/);
  }
});

test('a write that someone else did first is no error; a refusal names address, device and the reason', () => {
  const observed = port.observe();
  assert.ok(observed.ok);
  const index = observed.value.links.find(({ name }) => name === 'eth0')?.index ?? 0;
  const row = { interfaceIndex: index, address: vip.address, prefixLength: 24, label: 'eth0:1' };
  const add = { kind: 'add-address', row } as const;
  const remove = { kind: 'delete-address', row } as const;
  assert.deepEqual(port.apply([add, add, remove, remove]), Array(4).fill(undefined));
  const gone = { ...row, interfaceIndex: 4711 };
  const results = port.apply([
    { kind: 'add-address', row: { ...row, prefixLength: 64 } },
    add,
    { kind: 'add-address', row: gone },
    { kind: 'delete-address', row: gone },
  ]);
  assert.deepEqual(results, [
    {
      operation: 'add address',
      target: '198.51.100.100 on eth0',
      code: 'EINVAL',
      kernelText: 'ipv4: Invalid prefix length',
    },
    undefined,
    {
      operation: 'add address',
      target: '198.51.100.100 on interface 4711',
      code: 'ENODEV',
      kernelText: 'ipv4: Device not found',
    },
    undefined, // with the device the address went, too
  ]);
});

test('ten thousand addresses are raised and lowered in two seconds of processor time each', (t) => {
  const many = Array.from({ length: 10_000 }, (_, i): Vip => {
    const host = address(`10.1.${i >> 8}.${i & 255}`);
    return { address: host, prefixLength: 32, device: 'eth0', label: 'eth0:1', origin };
  });
  for (const role of ['active', 'standby'] as const) {
    const started = performance.now();
    const before = process.cpuUsage();
    assert.equal(converge(many, role).length, 10_000);
    const { user, system } = process.cpuUsage(before);
    const [took, worked] = [performance.now() - started, (user + system) / 1000].map(Math.round);
    t.diagnostic(`${role}: observe, plan and apply ${took} ms, ${worked} ms of them work`);
    assert.ok(worked !== undefined && worked < 2000);
    assert.deepEqual(converge(many, role), []);
  }
});
