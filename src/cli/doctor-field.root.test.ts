import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { enterNamespace } from '../ports/index.ts';
import {
  activate,
  addFar,
  addServer,
  bad,
  examine,
  find,
  near,
  services,
  withSegment,
} from './doctor-under-test.ts';
import { macOf, type TestHost, until, VIP } from './segment-under-test.ts';

enterNamespace();

const NOT_FORWARDED = ['real-server-answers-arp', 'real-server-has-vip', 'real-server-mtu'];

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

/** Says so twenty times a second, until it is ended. */
function announce(host: TestHost, words: { vip: string; mac: string; source: string }) {
  const room = (name: string) => join(import.meta.dirname, '..', name, 'index.ts');
  const script = `
    import { native, openPacketSocket } from '${room('ports')}';
    import { encodeArpAnnouncement } from '${room('wire')}';
    const socket = openPacketSocket({ index: native().interfaceIndex('eth0') });
    const frame = encodeArpAnnouncement({ form: 'reply', ...${JSON.stringify(words)} });
    setInterval(() => socket.value.send(frame), 50);`;
  return host.start(process.execPath, '--input-type=module', '-e', script);
}

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
      const speaker = announce(friend, { vip: VIP, mac: macOf(12), source: macOf(45) });
      segment.configure('network = direct', ...services(['web', near(21)]));
      const heard = () =>
        segment.hosts.get('backup')?.shell('grep -o "eth0: *[0-9]* *[0-9]*" /proc/net/dev');
      const packets = () => Number(heard()?.split(/ +/)[2]);
      const isHeard = async (): Promise<void> => {
        const before = packets();
        await until(() => packets() > before + 10, 'announcements');
      };
      await isHeard();
      assert.deepEqual(bad(examine(segment, 'backup'), 'mac-duplicate'), []);
      speaker.kill();

      const twin = await segment.add('twin', 44);
      twin.shell(`ip link set eth0 address ${macOf(12)}`);
      announce(twin, { vip: near(44), mac: macOf(12), source: macOf(12) });
      await isHeard();
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
      // Machines that are not there: each question is a broadcast, one a second for each, and each at a moment of its own.
      for (let tenth = 0; tenth < 10; tenth++) {
        const ping = `sleep 0.${tenth}; exec ping -I ${VIP} -c 20 ${near(200 + tenth)}`;
        web.start('sh', '-c', ping);
      }
      const found = find(examine(segment, 'backup'), 'real-server-announces-vip');
      assert.equal(found.severity, 'broken');
      assert.match(found.text, /^web .* asks others by ARP in the name of VIP/);
    }));
});
