import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { enterNamespace } from '../ports/index.ts';
import { CliSegment, macOf, until, VIP } from './segment-under-test.ts';

enterNamespace();

type Finding = {
  readonly check: string;
  readonly severity: string;
  readonly text: string;
  readonly evidence?: readonly string[];
  readonly cures?: readonly { readonly on: string; readonly command: string }[];
};

/** The doctor's findings on a node, and its exit code. */
function examine(
  segment: CliSegment,
  node: string,
): { findings: Finding[]; status: number | null } {
  const { stdout, stderr, status } = segment.piranha(
    node,
    'doctor',
    '--json',
    '-c',
    segment.configFile,
  );
  assert.notEqual(stdout, '', stderr);
  return { findings: JSON.parse(stdout).findings, status };
}

function of(findings: readonly Finding[], server: string): Record<string, string> {
  const own = findings.filter(({ text }) => text.startsWith(server));
  return Object.fromEntries(own.map(({ check, severity }) => [check, severity]));
}

function service(name: string, port: number, ...servers: readonly (readonly [string, number])[]) {
  return [
    `virtual ${name} {`,
    '    active = 1',
    `    address = ${VIP} eth0:1`,
    `    port = ${port}`,
    ...servers.flatMap(([server, number]) => [
      `    server ${server} {`,
      `        address = 198.51.100.${number}`,
      '        active = 1',
      '    }',
    ]),
    '}',
  ];
}

const VIP6 = 'fd77::100';

/** What is well with each server that answers at all. */
const WELL = {
  'real-server-segment': 'good',
  'real-server-reachable': 'good',
  'real-server-mtu': 'good',
};

const QUIET = `
  echo 1 > /proc/sys/net/ipv4/conf/all/arp_ignore
  echo 2 > /proc/sys/net/ipv4/conf/all/arp_announce`;

describe('direct routing, asked from the owner and from the standby', () => {
  let segment: CliSegment;

  before(async () => {
    segment = new CliSegment();
    await segment.build();
    const bare = await segment.add('bare', 21);
    const loud = await segment.add('loud', 22);
    const right = await segment.add('right', 23);
    const half = await segment.add('half', 24);
    // It passes the packet on to the owner, whose reset must not count as its own.
    bare.shell('echo 1 > /proc/sys/net/ipv4/ip_forward');
    loud.shell(`ip addr add ${VIP}/32 dev lo`);
    for (const host of [right, half]) host.shell(`${QUIET}\nip addr add ${VIP}/32 dev lo`);
    for (const host of [bare, loud, right]) host.serve('::', 80);
    right.shell(`ip addr add ${VIP6}/128 dev lo`);
    half.serve('198.51.100.24', 80);
    segment.configure(
      'network = direct',
      ...service('shop', 80, ['bare', 21], ['loud', 22], ['right', 23], ['half', 24], ['gone', 25]),
      ...service('six', 80, ['six-bare', 21], ['six-right', 23]).map((line) =>
        line.replace(`${VIP} eth0:1`, `${VIP6} eth0`).replace('198.51.100.', 'fd77::'),
      ),
    );
    segment.pulse('primary');
    const isActive = () =>
      segment.piranha('primary', 'status', '--brief').stdout.includes('active');
    await until(isActive, 'the primary to be active');
    segment.pulse('backup');
    const isPair = () =>
      segment.piranha('primary', 'status', '--brief').stdout.includes('could take over');
    await until(isPair, 'the pair');
  });

  after(() => segment.close());

  for (const node of ['primary', 'backup']) {
    test(`on the ${node}: no VIP, a loud one, a right one and a deaf service are told apart`, () => {
      const { findings, status } = examine(segment, node);
      assert.equal(status, 2);
      assert.deepEqual(of(findings, 'bare'), {
        'real-server-has-vip': 'broken',
        'real-server-answers-arp': 'good',
        ...WELL,
      });
      assert.deepEqual(of(findings, 'loud'), {
        'real-server-answers-arp': 'broken',
        ...WELL,
        'real-server-has-vip': 'good',
      });
      assert.deepEqual(of(findings, 'right'), {
        'real-server-answers-arp': 'good',
        ...WELL,
        'real-server-has-vip': 'good',
      });
      assert.deepEqual(of(findings, 'half'), {
        'real-server-listens': 'warning',
        'real-server-answers-arp': 'good',
        ...WELL,
        'real-server-has-vip': 'good',
      });
      assert.deepEqual(of(findings, 'gone'), {
        'real-server-segment': 'good',
        'real-server-reachable': 'broken',
      });
      const owners = findings.filter(({ check }) => check === 'vip-owner');
      assert.deepEqual(
        owners.map(({ severity }) => severity),
        ['good', 'good'],
        JSON.stringify(owners),
      );
    });
  }

  test('IPv6 real servers are asked the same', () => {
    const { findings } = examine(segment, 'backup');
    assert.equal(of(findings, 'six-bare')['real-server-has-vip'], 'broken');
    assert.equal(of(findings, 'six-right')['real-server-has-vip'], 'good');
    assert.equal(of(findings, 'six-right')['real-server-answers-arp'], 'good');
  });

  test('each finding carries the frames it stands on and what to type, where', () => {
    const { findings } = examine(segment, 'primary');
    const loud = findings.find(({ check }) => check === 'real-server-answers-arp');
    assert.match(loud?.text ?? '', new RegExp(`${macOf(22)}\\) answers ARP for VIP ${VIP}`));
    assert.deepEqual(loud?.evidence, [
      `who has ${VIP}? asked 3 times on eth0: ${macOf(22)} answered`,
      'SYN to 198.51.100.22, sent to its link-layer address: SYN-ACK',
      `SYN to ${VIP}, sent to its link-layer address: SYN-ACK`,
    ]);
    assert.equal(loud?.cures?.[0]?.on, 'loud');
    assert.match(loud?.cures?.[0]?.command ?? '', /^sysctl -w .*arp_ignore=1 .*arp_announce=2$/);
    const bare = findings.find(({ check }) => check === 'real-server-has-vip');
    assert.match(bare?.evidence?.join('\n') ?? '', /SYN to 198\.51\.100\.100.*: no answer/);
  });

  test('what --fix prints, typed on the servers, makes them right; nothing was changed before', () => {
    const before = examine(segment, 'backup');
    const fix = segment.piranha('backup', 'doctor', '--fix', '-c', segment.configFile).stdout;
    for (const name of ['bare', 'loud']) {
      const [, lines = ''] = new RegExp(`^# on ${name}\n((?:[^#\n].*\n?)+)`, 'm').exec(fix) ?? [];
      const usable = lines.split('\n').filter((line) => !line.startsWith('printf'));
      assert.ok(usable.length > 0, fix);
      // The VIP of the loud one is on lo already.
      const script = usable.map((line) =>
        line.includes('addr add') ? `${line.split('#')[0]} || true` : line,
      );
      segment.hosts.get(name)?.shell(script.join('\n'));
    }
    const { findings } = examine(segment, 'backup');
    for (const name of ['bare', 'loud', 'right']) {
      assert.ok(!Object.values(of(findings, name)).includes('broken'), JSON.stringify(findings));
    }
    assert.ok(Object.values(of(before.findings, 'bare')).includes('broken'));
  });

  test('a stranger that answers for the VIP is told by its link-layer address', async () => {
    const thief = await segment.add('thief', 66);
    thief.shell(`ip addr add ${VIP}/32 dev eth0`);
    const told = (node: string) =>
      examine(segment, node).findings.find(
        ({ check, text }) => check === 'vip-owner' && text.includes(VIP),
      );
    for (const node of ['primary', 'backup']) {
      assert.equal(told(node)?.severity, 'broken');
      assert.match(told(node)?.text ?? '', new RegExp(macOf(66)));
    }
    thief.close();
  });

  test('the page names the worst first and passes over what is well in one line', () => {
    const { stdout } = segment.piranha('primary', 'doctor', '-c', segment.configFile);
    assert.match(
      stdout,
      /^doctor on primary \(active\), serial_no 7, direct: \d+ checks, \d+ broken/,
    );
    assert.match(stdout, /\n✗ real-server-reachable {2}gone \(198\.51\.100\.25\) does not answer/);
    assert.match(stdout, /\n! heartbeat-key {2}no heartbeat_key_file/);
    assert.match(stdout, /✓ lease-fits/);
    assert.ok(!stdout.includes('\u001b'));
  });
});

describe('tunnel and nat', () => {
  test('a tunnel that is not set up is told from one that is', async () => {
    const segment = new CliSegment();
    try {
      const { primary } = await segment.build();
      const plain = await segment.add('plain', 21);
      const dug = await segment.add('dug', 22);
      for (const host of [plain, dug]) host.serve('0.0.0.0', 80);
      const hasTunnel = dug.run(
        'ip',
        'link',
        'add',
        'tun9',
        'type',
        'ipip',
        'local',
        '198.51.100.22',
        'remote',
        'any',
      );
      segment.configure('network = tunnel', ...service('shop', 80, ['plain', 21], ['dug', 22]));
      if (hasTunnel.status === 0) {
        dug.shell(`
          ip link set tun9 up
          ip addr add ${VIP}/32 dev tun9
          echo 0 > /proc/sys/net/ipv4/conf/tun9/rp_filter
          echo 0 > /proc/sys/net/ipv4/conf/all/rp_filter
          echo 1 > /proc/sys/net/ipv4/conf/all/arp_ignore`);
      }
      const { findings } = examine(segment, primary.name);
      assert.equal(of(findings, 'plain')['real-server-has-vip'], 'broken');
      if (hasTunnel.status === 0) assert.equal(of(findings, 'dug')['real-server-has-vip'], 'good');
      assert.equal(findings.find(({ check }) => check === 'tunnel-mtu')?.severity, 'warning');
    } finally {
      segment.close();
    }
  });

  test('a nat server whose answers go another way is told from one behind the director', async () => {
    const segment = new CliSegment();
    try {
      await segment.build();
      const lost = await segment.add('lost', 21);
      const kept = await segment.add('kept', 22);
      for (const host of [lost, kept]) host.serve('0.0.0.0', 80);
      lost.shell('ip route add default via 198.51.100.1');
      kept.shell('ip route add default via 198.51.100.99');
      segment.configure(
        'network = nat',
        'nat_router = 198.51.100.99 eth0:9',
        ...service('shop', 80, ['lost', 21], ['kept', 22]),
      );
      segment.pulse('primary');
      const isActive = () =>
        segment.piranha('primary', 'status', '--brief').stdout.includes('is active');
      await until(isActive, 'the primary to be active');
      const { findings } = examine(segment, 'primary');
      assert.equal(of(findings, 'lost')['real-server-return-path'], 'broken');
      assert.equal(of(findings, 'kept')['real-server-return-path'], 'good');
      const forward = findings.find(({ check }) => check === 'ip-forward');
      assert.equal(forward?.severity, 'broken');
      assert.equal(forward?.cures?.[0]?.command, 'sysctl -w net.ipv4.ip_forward=1');
    } finally {
      segment.close();
    }
  });
});
