import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { enterNamespace } from '../ports/index.ts';
import {
  activate,
  addServer,
  bad,
  examine,
  find,
  near,
  services,
  withSegment,
} from './doctor-under-test.ts';
import { until, VIP } from './segment-under-test.ts';

enterNamespace();

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
      segment.configure(
        'network = direct',
        segment.keyLine(),
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
