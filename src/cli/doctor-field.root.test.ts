import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { enterNamespace } from '../ports/index.ts';
import { CliSegment, macOf, type TestHost, until, VIP } from './segment-under-test.ts';

enterNamespace();

type Finding = {
  readonly check: string;
  readonly severity: string;
  readonly text: string;
  readonly evidence?: readonly string[];
  readonly cures?: readonly { readonly on: string; readonly command: string }[];
  readonly frames?: readonly number[];
};
type Page = { readonly frames?: string; readonly findings: readonly Finding[] };

const NOT_FORWARDED = ['real-server-answers-arp', 'real-server-has-vip', 'real-server-mtu'];

function examine(segment: CliSegment, node: string, ...words: readonly string[]): Page {
  const ran = segment.piranha(node, 'doctor', '--json', '-c', segment.configFile, ...words);
  assert.notEqual(ran.stdout, '', ran.stderr);
  return JSON.parse(ran.stdout);
}

function find({ findings }: Page, check: string, about = ''): Finding {
  const found = findings.find((one) => one.check === check && one.text.includes(about));
  assert.ok(found !== undefined, `${check} ${about}: ${JSON.stringify(findings)}`);
  return found;
}

/** What is not well of these checks. */
function bad({ findings }: Page, ...checks: readonly string[]): readonly string[] {
  return findings
    .filter(({ check, severity }) => checks.includes(check) && severity !== 'good')
    .map(({ check, text }) => `${check}: ${text}`);
}

function services(...servers: readonly (readonly [name: string, address: string])[]) {
  return [
    ...['virtual shop {', 'active = 1', `address = ${VIP} eth0:1`, 'port = 80'],
    ...servers.flatMap(([name, address]) => [
      ...[`server ${name} {`, `address = ${address}`, 'active = 1', '}'],
    ]),
    '}',
  ];
}

const near = (number: number): string => `198.51.100.${number}`;

/** A real server of direct routing, as it should be. */
async function addServer(segment: CliSegment, name: string, number: number): Promise<TestHost> {
  const host = await segment.add(name, number);
  host.shell(`
    echo 1 > /proc/sys/net/ipv4/conf/all/arp_ignore
    echo 2 > /proc/sys/net/ipv4/conf/all/arp_announce
    ip addr add ${VIP}/32 dev lo`);
  host.serve('0.0.0.0', 80);
  return host;
}

/** A host behind the router, at 203.0.113.21, with a route to every place by the router. */
async function addFar(segment: CliSegment, router: TestHost): Promise<TestHost> {
  const far = await segment.add('far', 90);
  far.shell('ip link del eth0');
  const words = `link add eth1 netns ${router.pid} type veth peer name eth0 netns ${far.pid}`;
  assert.equal(spawnSync('ip', words.split(' ')).status, 0);
  router.shell(`
    ip addr add 203.0.113.1/24 dev eth1
    ip link set eth1 up
    echo 1 > /proc/sys/net/ipv4/ip_forward`);
  far.shell(`
    ip addr add 203.0.113.21/24 dev eth0
    ip link set eth0 up
    ip route add default via 203.0.113.1`);
  far.serve('0.0.0.0', 80);
  return far;
}

async function activate(segment: CliSegment): Promise<void> {
  segment.pulse('primary');
  const isActive = () =>
    segment.piranha('primary', 'status', '--brief').stdout.includes('is active');
  await until(isActive, 'the primary to be active');
}

async function withSegment(run: (segment: CliSegment, router: TestHost) => Promise<void>) {
  const segment = new CliSegment();
  try {
    const { router } = await segment.build();
    await run(segment, router);
  } finally {
    segment.close();
  }
}

function tshark(file: string, ...words: readonly string[]): readonly string[] {
  const { status, stdout, stderr } = spawnSync('tshark', ['-nr', file, ...words], {
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
  return stdout.split('\n').filter((line) => line !== '');
}

const HAS_TSHARK = spawnSync('tshark', ['--version']).status === 0;
const WITHOUT_TSHARK = HAS_TSHARK ? {} : { skip: 'tshark is not installed' };

describe('the frames behind the findings', () => {
  test(
    'are a file of mode 0600 that tshark reads, and each finding names its own',
    WITHOUT_TSHARK,
    () =>
      withSegment(async (segment) => {
        const loud = await segment.add('loud', 22);
        loud.shell(`ip addr add ${VIP}/32 dev lo`);
        loud.serve('0.0.0.0', 80);
        segment.configure('network = direct', ...services(['loud', near(22)]));
        const page = examine(segment, 'backup');
        const file = join(segment.runDirectory('backup'), 'doctor.pcapng');
        assert.equal(page.frames, file);
        assert.equal(statSync(file).mode & 0o777, 0o600);
        const found = find(page, 'real-server-answers-arp');
        const fields = ['-T', 'fields', '-e', 'frame.number'];
        const answers = tshark(
          file,
          '-Y',
          `arp.opcode == 2 && arp.src.proto_ipv4 == ${VIP} && eth.src == ${macOf(22)}`,
          ...fields,
        );
        assert.ok(answers.length >= 1);
        for (const number of answers) assert.ok(found.frames?.includes(Number(number)), number);
        const marked = tshark(
          file,
          '-Y',
          'frame.comment contains "real-server-answers-arp"',
          ...fields,
        );
        assert.deepEqual(marked.map(Number), found.frames);
        const devices = tshark(file, '-T', 'fields', '-e', 'frame.interface_name');
        assert.deepEqual([...new Set(devices)], ['eth0']);
        assert.deepEqual(tshark(file, '-Y', '_ws.malformed'), []);

        const named = join(segment.directory, 'mine.pcapng');
        writeFileSync(named, 'of before', { mode: 0o644 });
        assert.equal(examine(segment, 'backup', '--pcap', named).frames, named);
        assert.equal(statSync(named).mode & 0o777, 0o600);
        const page2 = segment.piranha(
          'backup',
          'doctor',
          '-c',
          segment.configFile,
          '--pcap',
          named,
        );
        assert.match(page2.stdout, /frames [\d, -]+ of .*mine\.pcapng/);
        const nowhere = segment.piranha(
          'backup',
          'doctor',
          '-c',
          segment.configFile,
          '--pcap',
          '/nowhere/x',
        );
        assert.match(nowhere.stderr, /^piranha doctor: the frames are not kept: .*nowhere/);
        assert.match(nowhere.stdout, /real-server-answers-arp/);
      }),
  );

  test('nobody learns anything from the questions, and they are few', () =>
    withSegment(async (segment, router) => {
      const web = await addServer(segment, 'web', 21);
      segment.configure('network = direct', ...services(['web', near(21)]));
      const knows = () =>
        [router, web].map((host) =>
          host.shell('ip neigh | grep -o "^[^ ]* .*lladdr [^ ]*" | sort'),
        );
      for (const host of [router, web]) host.run('ping', '-c1', '-W1', near(12));
      const before = knows();
      const sent = () =>
        Number(readFileSync('/sys/class/net/p-backup/statistics/rx_packets', 'utf8'));
      const start = sent();
      examine(segment, 'backup');
      // 5 addresses asked for 3 times, 3 SYNs with their resets, and what the kernel itself says of them.
      assert.ok(sent() - start <= 40, `${sent() - start} frames`);
      assert.deepEqual(knows(), before);
    }));

  test('without the right to send frames it says so in one sentence, and what can be done', () =>
    withSegment(async (segment) => {
      segment.configure('network = direct', ...services(['web', near(21)]));
      const words = [
        '--bounding-set=-net_raw',
        join(import.meta.dirname, '../../piranha'),
        'doctor',
      ];
      const host = segment.hosts.get('backup');
      const ran = host?.run('setpriv', ...words, '-c', segment.configFile);
      assert.equal(ran?.status, 3, ran?.stderr);
      assert.match(ran?.stderr ?? '', /^piranha doctor: .*only root may.*--no-probe.*\n$/);
      assert.equal(ran?.stdout, '');
    }));
});

describe('real servers behind a router', () => {
  test('direct routing cannot reach them, and that is the finding', () =>
    withSegment(async (segment, router) => {
      await addFar(segment, router);
      await addServer(segment, 'web', 21);
      segment.configure(
        'network = direct',
        ...services(['far', '203.0.113.21'], ['web', near(21)]),
      );
      const page = examine(segment, 'backup');
      const far = find(page, 'real-server-segment', 'far');
      assert.equal(far.severity, 'broken');
      assert.match(
        far.text,
        /far \(203\.0\.113\.21\) is behind router 198\.51\.100\.1: direct routing reaches/,
      );
      assert.equal(find(page, 'real-server-segment', 'web').severity, 'good');
      assert.deepEqual(bad(page, ...NOT_FORWARDED), []);
    }));

  test('nat is asked by way of the router: a lost way back is told from a right one', () =>
    withSegment(async (segment, router) => {
      await addFar(segment, router);
      segment.configure(
        'network = nat',
        'nat_router = 198.51.100.99 eth0:9',
        ...services(['far', '203.0.113.21'], ['nowhere', '203.0.113.77']),
      );
      await activate(segment);
      router.shell('ip route add unreachable 203.0.113.77');
      const lost = examine(segment, 'primary');
      assert.equal(find(lost, 'real-server-reachable', 'far').severity, 'good');
      const silent = find(lost, 'real-server-reachable', 'nowhere');
      assert.equal(silent.severity, 'warning');
      assert.match(silent.evidence?.join('\n') ?? '', /198\.51\.100\.1 says: it cannot be reached/);
      assert.equal(find(lost, 'real-server-return-path', 'far').severity, 'warning');
      router.shell('ip route add 198.18.0.0/15 via 198.51.100.99');
      const found = examine(segment, 'primary');
      assert.equal(find(found, 'real-server-return-path', 'far').severity, 'good');
    }));
});

describe('long packets', () => {
  test('a device between that swallows them is found, and its length; limited answers put it right', () =>
    withSegment(async (segment) => {
      const web = await addServer(segment, 'web', 21);
      await addServer(segment, 'right', 23);
      // Short by its own word: clients send no more to it.
      const short = await addServer(segment, 'short', 24);
      short.shell('ip link set eth0 mtu 1300');
      segment.configure(
        'network = direct',
        ...services(['web', near(21)], ['right', near(23)], ['short', near(24)]),
      );
      assert.deepEqual(bad(examine(segment, 'backup'), 'real-server-mtu'), []);
      // The bridge drops what is longer than its port bears, give or take a VLAN tag, and says nothing.
      spawnSync('ip', ['link', 'set', 'p-web', 'mtu', '1400']);
      const page = examine(segment, 'backup');
      const found = find(page, 'real-server-mtu', 'web');
      assert.equal(found.severity, 'broken');
      assert.match(found.text, /come to 1500 bytes, of 1400 they arrive, of 1420 they do not/);
      assert.match(found.evidence?.join('\n') ?? '', /nobody on the way says so/);
      assert.equal(bad(page, 'real-server-mtu').length, 1);
      const clamp = found.cures?.[0];
      assert.equal(clamp?.on, 'web');
      assert.match(clamp?.command ?? '', /maxseg size set 1360'$/);
      web.shell(clamp?.command ?? 'false');
      assert.deepEqual(bad(examine(segment, 'backup'), 'real-server-mtu'), []);
    }));

  test('through a tunnel the header counts, and a router that says how long is quoted', () =>
    withSegment(async (segment, router) => {
      const far = await addFar(segment, router);
      segment.configure('network = tunnel', ...services(['far', '203.0.113.21']));
      const whole = examine(segment, 'backup');
      assert.deepEqual(bad(whole, 'real-server-mtu'), []);
      const warned = find(whole, 'tunnel-mtu');
      assert.equal(warned.severity, 'warning');
      assert.match(
        warned.text,
        /come to 1520 bytes \(1500 and the tunnel's 20\), and eth0 takes 1500/,
      );
      assert.match(warned.cures?.[0]?.command ?? '', /maxseg size set 1440'$/);
      // One that limits its answers is right as it is.
      far.shell('ip route change default via 203.0.113.1 advmss 1440');
      assert.deepEqual(bad(examine(segment, 'backup'), 'tunnel-mtu', 'real-server-mtu'), []);

      router.shell('ip link set eth1 mtu 1412');
      const told = find(examine(segment, 'backup'), 'real-server-mtu');
      assert.equal(told.severity, 'warning');
      assert.match(told.text, /of 1412 they arrive, of 1420 they do not/);
      assert.match(
        told.evidence?.join('\n') ?? '',
        /198\.51\.100\.1 says: at most 1412 bytes pass/,
      );
      assert.match(told.cures?.[0]?.command ?? '', /maxseg size set 1352'$/);
    }));
});

describe('who is who on the segment', () => {
  const WHO = ['address-duplicate', 'mac-duplicate', 'proxy-arp', 'real-server-announces-vip'];

  test('one machine with two addresses is none too many; a copied one and a second one are', () =>
    withSegment(async (segment) => {
      const one = await addServer(segment, 'one', 21);
      one.shell('ip addr add 198.51.100.31/24 dev eth0');
      segment.configure('network = direct', ...services(['one', near(21)], ['two', near(31)]));
      assert.deepEqual(bad(examine(segment, 'backup'), ...WHO), []);

      one.shell('ip addr del 198.51.100.31/24 dev eth0');
      const copy = await addServer(segment, 'copy', 31);
      copy.shell(`ip link set eth0 address ${macOf(21)}`);
      const page = examine(segment, 'backup');
      const shared = find(page, 'mac-duplicate');
      assert.equal(shared.severity, 'broken');
      assert.match(
        shared.text,
        new RegExp(`one .*two .*two machines with one link-layer address, ${macOf(21)}`),
      );
      assert.deepEqual(bad(page, 'address-duplicate'), []);

      copy.shell(`ip link set eth0 address ${macOf(31)}; ip addr add 198.51.100.21/24 dev eth0`);
      const twice = find(examine(segment, 'backup'), 'address-duplicate', 'one');
      assert.equal(twice.severity, 'warning');
      assert.match(twice.text, new RegExp(`${macOf(21)} and ${macOf(31)}`));
    }));

  test('who has our own link-layer address is heard when it speaks; a partner that announces for us is not it', () =>
    withSegment(async (segment) => {
      const friend = await segment.add('friend', 45);
      const room = (name: string) => join(import.meta.dirname, '..', name, 'index.ts');
      const script = `
        import { native, openPacketSocket } from '${room('ports')}';
        import { encodeArpAnnouncement } from '${room('wire')}';
        const socket = openPacketSocket({ index: native().interfaceIndex('eth0') });
        const words = { form: 'reply', vip: '${VIP}', mac: '${macOf(12)}', source: '${macOf(45)}' };
        setInterval(() => socket.value.send(encodeArpAnnouncement(words)), 50);`;
      const speaker = friend.start(process.execPath, '--input-type=module', '-e', script);
      segment.configure('network = direct', ...services(['web', near(21)]));
      const heard = () =>
        segment.hosts.get('backup')?.shell('grep -o "eth0: *[0-9]* *[0-9]*" /proc/net/dev');
      const packets = () => Number(heard()?.split(/ +/)[2]);
      const before = packets();
      await until(() => packets() > before + 10, 'the friend');
      assert.deepEqual(bad(examine(segment, 'backup'), 'mac-duplicate'), []);
      speaker.kill();

      const twin = await segment.add('twin', 44);
      twin.shell(`ip link set eth0 address ${macOf(12)}`);
      twin.start('arping', '-A', '-I', 'eth0', '-c', '20', '-w', '10', near(44));
      const found = find(examine(segment, 'backup'), 'mac-duplicate', 'address');
      assert.equal(found.severity, 'broken');
      assert.match(found.text, /a machine with address 198\.51\.100\.44 has this machine's/);
    }));

  test('our own address at another machine is found, though that one never speaks of itself', () =>
    withSegment(async (segment) => {
      const clone = await segment.add('clone', 45);
      clone.shell('ip addr add 198.51.100.12/24 dev eth0');
      segment.configure('network = direct', ...services(['web', near(21)]));
      const found = find(examine(segment, 'backup'), 'address-duplicate', 'of this machine');
      assert.equal(found.severity, 'broken');
      assert.match(found.text, new RegExp(`198\\.51\\.100\\.12 .* is also at ${macOf(45)}`));
    }));

  test('who answers ARP for everybody is told by its link-layer address', () =>
    withSegment(async (segment, router) => {
      await addFar(segment, router);
      segment.configure('network = nat', ...services(['far', '203.0.113.21']));
      assert.deepEqual(bad(examine(segment, 'backup'), ...WHO), []);
      router.shell(`
        ip route add default via 203.0.113.21
        echo 1 > /proc/sys/net/ipv4/conf/eth0/proxy_arp
        echo 0 > /proc/sys/net/ipv4/neigh/eth0/proxy_delay`);
      const found = find(examine(segment, 'backup'), 'proxy-arp');
      assert.equal(found.severity, 'warning');
      assert.match(found.text, new RegExp(`${macOf(1)} on eth0 answers ARP for 198\\.18\\.0\\.1`));
    }));

  test('a real server that asks in the name of the VIP is heard', () =>
    withSegment(async (segment) => {
      const web = await addServer(segment, 'web', 21);
      segment.configure('network = direct', ...services(['web', near(21)]));
      assert.deepEqual(bad(examine(segment, 'backup'), ...WHO), []);
      web.shell('echo 0 > /proc/sys/net/ipv4/conf/all/arp_announce');
      // Machines that are not there: each question is a broadcast.
      for (let number = 200; number < 210; number++) {
        web.start('ping', '-I', VIP, '-c', '9', near(number));
      }
      const found = find(examine(segment, 'backup'), 'real-server-announces-vip');
      assert.equal(found.severity, 'broken');
      assert.match(found.text, /^web .* asks others by ARP in the name of VIP/);
    }));
});

describe('why a partner is silent', () => {
  const PORT = 539;
  const firewall = (chain: string, rule: string) => `
    nft add table inet fw
    nft 'add chain inet fw ${chain} { type filter hook ${chain} priority 0; }'
    nft 'add rule inet fw ${chain} udp dport ${PORT} ${rule}'`;

  test('a firewall here, one there, a daemon that does not run, and nobody are told apart', () =>
    withSegment(async (segment) => {
      segment.configure('network = direct', ...services(['web', near(21)]));
      const [primary, backup] = [segment.hosts.get('primary'), segment.hosts.get('backup')];
      assert.ok(primary !== undefined && backup !== undefined);
      await activate(segment);
      const there = segment.pulse('backup');
      // Ten heartbeats a second would use up what a kernel says by ICMP.
      backup.shell('echo 0 > /proc/sys/net/ipv4/icmp_ratelimit');
      const isPair = () =>
        segment.piranha('primary', 'status', '--brief').stdout.includes('could take over');
      await until(isPair, 'the pair');
      assert.deepEqual(bad(examine(segment, 'primary'), 'partner-silence', 'partner-heard'), []);

      const silence = () => find(examine(segment, 'primary'), 'partner-silence');
      primary.shell(firewall('input', 'drop'));
      await until(
        () => bad(examine(segment, 'primary', '--no-probe'), 'partner-heard').length > 0,
        'silence',
      );
      const own = silence();
      assert.equal(own.severity, 'broken');
      assert.match(own.text, /arrive by the wire and not at the daemon/);
      assert.ok((own.frames?.length ?? 0) > 0);
      primary.shell('nft delete table inet fw');

      backup.shell(firewall('output', 'drop'));
      await until(
        () => bad(examine(segment, 'primary', '--no-probe'), 'partner-heard').length > 0,
        'silence',
      );
      const filtered = silence();
      assert.equal(filtered.severity, 'unknown');
      assert.match(filtered.text, /down, cut off, or a firewall that drops without a word/);
      backup.shell(firewall('input', 'reject with icmpx type admin-prohibited'));
      assert.match(silence().text, /a firewall between .* keeps heartbeats off/);
      backup.shell('nft delete table inet fw');

      there.kill('SIGKILL');
      await until(
        () => bad(examine(segment, 'primary', '--no-probe'), 'partner-heard').length > 0,
        'silence',
      );
      await until(
        () => /its director does not run/.test(silence().text),
        'the dead daemon to be told',
      );

      primary.shell(firewall('output', 'drop'));
      assert.match(silence().text, /a firewall of this machine does not let heartbeats out/);
    }));
});

describe('a pair as it should be', () => {
  /** Of this kernel, or of a test that runs without privileges of a real start. */
  const ELSEWHERE = [
    'kernel-modules',
    'real-time',
    'lease-fits',
    'device-manager',
    'softnet-drops',
  ];

  test('is clean on both nodes; what its owner does not pass on, and what goes one way only, is found', () =>
    withSegment(async (segment) => {
      for (const [name, number] of [
        ['web', 21],
        ['app', 22],
      ] as const) {
        const host = await addServer(segment, name, number);
        host.shell('ip route add default via 198.51.100.1');
      }
      const key = join(segment.directory, 'key');
      writeFileSync(key, '00112233445566778899aabbccddeeff\n', { mode: 0o600 });
      segment.configure(
        'network = direct',
        `heartbeat_key_file = ${key}`,
        ...services(['web', near(21)], ['app', near(22)]),
      );
      const text = readFileSync(segment.configFile, 'utf8');
      writeFileSync(
        segment.configFile,
        text
          .replace('dataplane = none', 'dataplane = nftables')
          .replace('port = 80', 'port = 80\nscheduler = wrr\ncheck = tcp\ncheck_interval_ms = 200'),
      );
      const brief = (...words: readonly string[]) =>
        segment.piranha('primary', 'status', '--brief', ...words).stdout;
      await activate(segment);
      segment.pulse('backup');
      await until(() => brief().includes('could take over'), 'the pair');
      await until(() => brief('--node', 'partner').includes('PIRANHA OK'), 'the channel');
      const isProven = (node: string) => () =>
        segment.piranha(node, 'services').stdout.match(/ active /g)?.length === 2;
      for (const node of ['primary', 'backup']) await until(isProven(node), 'the servers');

      for (const node of ['primary', 'backup']) {
        const { findings } = examine(segment, node);
        const wrong = findings.filter(
          ({ check, severity }) => severity !== 'good' && !ELSEWHERE.includes(check),
        );
        assert.deepEqual(wrong, [], node);
      }
      assert.match(
        find(examine(segment, 'primary'), 'clock-offset').text,
        /clock is \d+ ms (ahead|behind)/,
      );
      find(examine(segment, 'primary'), 'partner-hears');
      assert.equal(find(examine(segment, 'backup'), 'vip-serves').severity, 'good');

      const [primary, backup] = [segment.hosts.get('primary'), segment.hosts.get('backup')];
      // Before the table of virtual services sees it.
      primary?.shell(`
        nft add table netdev fw
        nft 'add chain netdev fw c { type filter hook ingress device eth0 priority -500; }'
        nft 'add rule netdev fw c ip daddr ${VIP} tcp dport 80 drop'`);
      const cut = find(examine(segment, 'backup'), 'vip-serves');
      assert.equal(cut.severity, 'broken');
      assert.match(cut.text, /^shop \(198\.51\.100\.100:80\): every real server has the service/);
      primary?.shell('nft delete table netdev fw');

      backup?.shell(`
        nft add table inet fw
        nft 'add chain inet fw c { type filter hook input priority 0; }'
        nft 'add rule inet fw c udp dport 539 drop'`);
      const isDeaf = () =>
        bad(examine(segment, 'primary', '--no-probe'), 'partner-hears').length > 0;
      await until(isDeaf, 'the partner to miss us');
      const [deaf] = bad(examine(segment, 'primary', '--no-probe'), 'partner-hears');
      assert.match(deaf ?? '', /public: the partner has not heard us for \d+ ms/);
    }));
});

describe('this machine', () => {
  const LOCAL = [
    ...['vip-elsewhere', 'vip-answers-arp', 'address-secondary', 'address-permanent'],
    ...['ipv6-addresses', 'nonlocal-bind', 'no-other-vip-manager', 'ip-forward', 'large-receive'],
  ];

  test('what is wrong with its kernel and addresses is found, and nothing where all is right', () =>
    withSegment(async (segment) => {
      const backup = segment.hosts.get('backup');
      assert.ok(backup !== undefined);
      segment.configure(
        'network = nat',
        'nat_router = 198.51.100.99 eth0:9',
        ...services(['web', near(21)]),
      );
      backup.shell('echo 1 > /proc/sys/net/ipv4/ip_forward');
      const look = () => bad(examine(segment, 'backup', '--no-probe'), ...LOCAL);
      assert.deepEqual(look(), []);

      backup.serve(VIP, 8080);
      backup.shell(`
        echo 0 > /proc/sys/net/ipv4/ip_forward
        echo 8 > /proc/sys/net/ipv4/conf/eth0/arp_ignore
        echo 0 > /proc/sys/net/ipv4/conf/all/promote_secondaries
        echo 0 > /proc/sys/net/ipv4/conf/eth0/promote_secondaries
        ip addr del 198.51.100.12/24 dev eth0
        ip addr add ${VIP}/24 dev eth0
        ip addr add 198.51.100.12/24 dev eth0 valid_lft 600 preferred_lft 600
        ip addr add ${VIP}/32 dev lo
        ip -6 addr add fd77::11/64 dev eth0`);
      writeFileSync(
        join(segment.directory, 'keepalived.conf'),
        'vrrp_instance x {\n interface eth0\n virtual_router_id 7\n virtual_ipaddress { 198.51.100.200 }\n}\n',
      );
      const hasKeepalived = spawnSync('keepalived', ['--version']).status === 0;
      if (hasKeepalived) {
        const files = ['-p', '-r', '-c'].flatMap((flag) => [
          flag,
          join(segment.directory, `ka${flag}.pid`),
        ]);
        backup.start(
          'keepalived',
          '-n',
          '-f',
          join(segment.directory, 'keepalived.conf'),
          ...files,
        );
      }
      const expected = LOCAL.filter(
        (check) => check !== 'large-receive' && (hasKeepalived || check !== 'no-other-vip-manager'),
      );
      const found = () => LOCAL.filter((check) => look().some((text) => text.startsWith(check)));
      await until(
        () => look().length >= expected.length && found().length === expected.length,
        'all of them',
        15_000,
      ).catch(() => undefined);
      assert.deepEqual(found(), expected, look().join('\n'));
    }));

  const NETWORKD = '/lib/systemd/systemd-networkd';
  const WITHOUT_NETWORKD = existsSync(NETWORKD)
    ? {}
    : { skip: 'systemd-networkd is not installed' };

  test(
    'a real systemd-networkd that would take the VIP away is found, and one that keeps it is not',
    WITHOUT_NETWORKD,
    () =>
      withSegment(async (segment) => {
        segment.configure('network = direct', ...services(['web', near(21)]));
        const doctor = `${join(import.meta.dirname, '../../piranha')} doctor --only device-manager --no-probe -c ${segment.configFile} | tail -n +2`;
        // Where /sys cannot be written networkd waits for no udev.
        const script = `
        mount -t sysfs -o ro s /sys
        mkdir -p /run/systemd && mount -t tmpfs t /run/systemd
        mkdir -p /etc/systemd/network && mount -t tmpfs t /etc/systemd/network
        mkdir -p /run/systemd/netif/links /run/systemd/netif/leases /run/systemd/netif/lldp
        chown -R systemd-network /run/systemd/netif
        printf '[Match]\\nName=eth0\\n[Network]\\nAddress=198.51.100.12/24\\n' > /etc/systemd/network/lan.network
        ${NETWORKD} >/dev/null 2>&1 & pid=$!
        for i in $(seq 100); do grep -qs NETWORK_FILE /run/systemd/netif/links/* && break; sleep 0.1; done
        ${doctor} | tee ${segment.directory}/found
        eval "$(grep -o 'mkdir -p /etc.*keep.conf' ${segment.directory}/found)"
        echo AFTERWARDS
        ${doctor}
        kill $pid`;
        const { stdout, stderr } =
          segment.hosts.get('backup')?.run('unshare', '-m', 'sh', '-c', script) ?? {};
        const [before = '', after = ''] = stdout?.split('AFTERWARDS') ?? [];
        assert.match(
          before,
          /! device-manager {2}systemd-networkd manages eth0: .* not in \/etc\/systemd\/network\/lan\.network/,
          stderr,
        );
        assert.match(after, /✓ device-manager/, stderr);
      }),
  );

  test('--fix writes the settings of this kernel for now and later, and nothing else', () =>
    withSegment(async (segment) => {
      const backup = segment.hosts.get('backup');
      assert.ok(backup !== undefined);
      segment.configure('network = nat', ...services(['web', near(21)]));
      backup.shell(
        'echo 0 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv4/conf/all/send_redirects',
      );
      const fix = (...words: readonly string[]) => {
        const program = join(import.meta.dirname, '../../piranha');
        const line = [
          program,
          'doctor',
          '--fix',
          '--no-probe',
          '-c',
          segment.configFile,
          ...words,
        ].join(' ');
        const shown = 'for f in $(find /etc/sysctl.d -type f); do echo "FILE $f"; cat $f; done';
        return backup.run(
          'unshare',
          '-m',
          'sh',
          '-c',
          `mount -t tmpfs t /etc/sysctl.d && { ${line}; ${shown}; }`,
        ).stdout;
      };
      const forward = () => backup.shell('cat /proc/sys/net/ipv4/ip_forward').trim();
      const printed = fix();
      assert.match(
        printed,
        /^# on this machine\n(.*\n)*sysctl -w net\.ipv4\.ip_forward=1 {2}# ip-forward/m,
      );
      assert.doesNotMatch(printed, /FILE/);
      assert.equal(forward(), '0');
      // Asked on a terminal; what is not yes is no.
      const asked = (answer: string) => {
        const words = ['doctor', '--fix', '--no-probe', '-c', segment.configFile];
        const line = `mount -t tmpfs t /etc/sysctl.d; { sleep 2; echo ${answer}; } | script -qec '${[join(import.meta.dirname, '../../piranha'), ...words].join(' ')}' /dev/null`;
        return backup.run('unshare', '-m', 'sh', '-c', line).stdout;
      };
      assert.match(asked('no'), /Set 3 settings of this kernel now, and in \/etc\/sysctl\.d/);
      assert.equal(forward(), '0');
      assert.match(asked('yes'), /# done: 3 settings/);
      assert.equal(forward(), '1');
      backup.shell(
        'echo 0 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv4/conf/all/send_redirects; echo 1 > /proc/sys/net/ipv4/conf/eth0/send_redirects',
      );
      const written = fix('--yes');
      assert.match(
        written,
        /\n# done: 3 settings of this kernel, now and in \/etc\/sysctl\.d\/90-piranha-doctor\.conf\n/,
      );
      assert.match(
        written,
        /FILE \/etc\/sysctl\.d\/90-piranha-doctor\.conf\n# Written by .*\nnet\.ipv4\.ip_forward = 1\nnet\.ipv4\.conf\.all\.send_redirects = 0\nnet\.ipv4\.conf\.eth0\.send_redirects = 0\n$/,
      );
      assert.equal(forward(), '1');
      assert.deepEqual(
        bad(examine(segment, 'backup', '--no-probe'), 'ip-forward', 'send-redirects'),
        [],
      );
    }));
});
