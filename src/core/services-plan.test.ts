import assert from 'node:assert/strict';
import { test } from 'node:test';
import { instant } from '../base/index.ts';
import { parseSettings } from '../config/index.ts';
import {
  checkText,
  down,
  endpointText,
  type ServiceKey,
  type ServiceRow,
  type TableOperation,
  UP,
  type Verdict,
} from '../model/index.ts';
import { stepServices } from './services.ts';
import { desiredTable, initialServices } from './services-state.ts';
import { planTable } from './table-plan.ts';

/** The operations for an empty kernel once every check is up, in the words of ipvsadm(8). */
function operations(text: string): string[] {
  const { settings, problems } = parseSettings(`primary = 198.51.100.11\n${text}`, {
    file: 'lvs.cf',
  });
  assert.ok(settings !== undefined, JSON.stringify(problems));
  const now = instant(0);
  const { state } = stepServices(initialServices(), { kind: 'settings', now, settings });
  const verdicts = Array.from(state.plan.checks.keys(), (check) => ({ check, verdict: UP }));
  const up = stepServices(state, { kind: 'verdicts', now, verdicts }).state;
  return planTable(desiredTable(up), [], new Set()).map(words);
}

function words(operation: TableOperation): string {
  switch (operation.kind) {
    case 'add-service':
      return `-A ${keyWords(operation.service.key)} ${serviceWords(operation.service)}`;
    case 'add-destination': {
      const { address, port, method, weight } = operation.destination;
      const letter = { nat: '-m', direct: '-g', tunnel: '-i' }[method];
      const server = endpointText(address, port);
      return `-a ${keyWords(operation.key)} -r ${server} ${letter} -w ${weight}`;
    }
    default:
      return operation.kind;
  }
}

function keyWords(key: ServiceKey): string {
  if (key.kind === 'mark') return `-f ${key.mark}`;
  return `-${key.protocol[0]} ${endpointText(key.address, key.port)}`;
}

function serviceWords({
  scheduler,
  persistentSeconds,
  persistencePrefixLength,
}: ServiceRow): string {
  if (persistentSeconds === 0) return `-s ${scheduler}`;
  return `-s ${scheduler} -p ${persistentSeconds} /${persistencePrefixLength}`;
}

const A = 'server a {\n address = 198.51.100.21\n active = 1\n weight = 1\n port = 8080\n }';
const B = 'server b {\n address = 198.51.100.22\n active = 1\n }';

function virtual(name: string, lines: string, ...servers: readonly string[]): string {
  const vip = 'address = 198.51.100.100 eth0:1';
  return `virtual ${name} {\n active = 1\n ${vip}\n ${lines}\n ${servers.join('\n ')}\n}\n`;
}

test('H1: nat sends to the port of the real server', () => {
  assert.deepEqual(operations(`network = nat\n${virtual('web', 'port = 80', A, B)}`), [
    '-A -t 198.51.100.100:80 -s wlc',
    '-a -t 198.51.100.100:80 -r 198.51.100.21:8080 -m -w 1',
    '-a -t 198.51.100.100:80 -r 198.51.100.22:80 -m -w 1',
  ]);
});

test('H1: direct and tunnel leave packets alone, so the port is that of the service', () => {
  for (const [network, letter] of [
    ['direct', 'g'],
    ['tunnel', 'i'],
  ] as const) {
    assert.deepEqual(operations(`network = ${network}\n${virtual('web', 'port = 80', A)}`), [
      '-A -t 198.51.100.100:80 -s wlc',
      `-a -t 198.51.100.100:80 -r 198.51.100.21:80 -${letter} -w 1`,
    ]);
  }
});

test('H1: UDP, scheduler, persistence and its mask', () => {
  const lines =
    'port = 53\nprotocol = udp\nscheduler = rr\npersistent = 300\npmask = 255.255.255.0';
  assert.deepEqual(operations(virtual('dns', lines, B)), [
    '-A -u 198.51.100.100:53 -s rr -p 300 /24',
    '-a -u 198.51.100.100:53 -r 198.51.100.22:53 -m -w 1',
  ]);
});

test('H1: a mask without persistence means nothing', () => {
  const [service] = operations(virtual('web', 'pmask = 255.255.0.0', B));
  assert.equal(service, '-A -t 198.51.100.100:80 -s wlc');
});

test('H1: the mask 0.0.0.0 is none: each client persists by its own address', () => {
  const [service] = operations(virtual('web', 'persistent = 300\npmask = 0.0.0.0', B));
  assert.equal(service, '-A -t 198.51.100.100:80 -s wlc -p 300 /32');
});

test('H1: one section behind a mark keeps its real port, two that differ keep the client’s', () => {
  const one = virtual('http', 'port = 80\nfwmark = 5', A);
  assert.deepEqual(operations(one), ['-A -f 5 -s wlc', '-a -f 5 -r 198.51.100.21:8080 -m -w 1']);
  const two =
    virtual('http', 'port = 80\nfwmark = 5', B) + virtual('https', 'port = 443\nfwmark = 5', B);
  assert.deepEqual(operations(two), ['-A -f 5 -s wlc', '-a -f 5 -r 198.51.100.22:0 -m -w 1']);
});

test('H1: two instances on one host behind a mark of one section are two rows with nat', () => {
  const twin = A.replace('server a', 'server c').replace('8080', '8081');
  const marked = virtual('web', 'port = 80\nfwmark = 5', A, twin);
  assert.deepEqual(operations(`network = nat\n${marked}`), [
    '-A -f 5 -s wlc',
    '-a -f 5 -r 198.51.100.21:8080 -m -w 1',
    '-a -f 5 -r 198.51.100.21:8081 -m -w 1',
  ]);
});

test('H1: what is not active is not there', () => {
  const off = B.replace('active = 1', 'active = 0');
  const text =
    virtual('web', 'port = 80', A, off) +
    virtual('off', 'port = 81', B).replace('active = 1', 'active = 0');
  assert.deepEqual(operations(text), [
    '-A -t 198.51.100.100:80 -s wlc',
    '-a -t 198.51.100.100:80 -r 198.51.100.21:8080 -m -w 1',
  ]);
});

test('a server listed twice in a direct service is one row, and both its checks must pass', () => {
  const twin = A.replace('server a', 'server c').replace('8080', '9090');
  const { settings } = parseSettings(
    `primary = 198.51.100.11\nnetwork = direct\n${virtual('web', 'port = 80', A, twin)}`,
    { file: 'lvs.cf' },
  );
  assert.ok(settings !== undefined);
  const { state } = stepServices(initialServices(), {
    kind: 'settings',
    now: instant(0),
    settings,
  });
  const [plan] = [...state.plan.services.values()];
  assert.deepEqual(
    plan?.servers.map(({ names, checks }) => [names, checks.length]),
    [[['a', 'c'], 2]],
  );
});

test('check_vip = 1: a server must answer for the VIP beside its check, and one of the two is not enough', () => {
  const text = `network = direct\n${virtual('web', 'port = 80\ncheck = http\ncheck_vip = 1', B)}`;
  const { settings } = parseSettings(`primary = 198.51.100.11\n${text}`, { file: 'lvs.cf' });
  assert.ok(settings !== undefined);
  const now = instant(0);
  const { state } = stepServices(initialServices(), { kind: 'settings', now, settings });
  const checks = [...state.plan.checks.values()];
  assert.deepEqual(checks.map(checkText), [
    'http 198.51.100.22:80',
    'knock 198.51.100.100:80 at 198.51.100.22',
  ]);
  const [http, knock] = checks.map(({ key }) => key);
  const tell = (before: typeof state, check: string | undefined, verdict: Verdict) =>
    stepServices(before, {
      kind: 'verdicts',
      now,
      verdicts: [{ check: check ?? '', verdict }],
    }).state;
  const serves = (of: typeof state) => desiredTable(of)[0]?.destinations.length === 1;
  const half = tell(state, http, UP);
  assert.equal(serves(half), false);
  const whole = tell(half, knock, UP);
  assert.equal(serves(whole), true);
  assert.equal(serves(tell(whole, knock, down('timeout', 'no answer'))), false);
});
