/** An lvs.cf of Red Hat's days: everything it can hold means the same afterwards, or is told on its line. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { ip } from '../base/index.ts';
import { GLOBAL_DIRECTIVES, SERVER_DIRECTIVES, VIRTUAL_DIRECTIVES } from './directives.ts';
import { meaning } from './fuzz.ts';
import { importLvs } from './lvs-import.ts';
import { parseSettings } from './parse.ts';
import { strictVerdict } from './strict.ts';

const names = {
  resolve: (name: string) => (name === 'web-b' ? ip('198.51.100.22') : undefined),
  servicePort: (name: string) => ({ http: 80, https: 443 })[name],
};

/** Every directive that 0.8.6 reads, as its web pages or a hand wrote it. */
const EVERYTHING = `serial_no = 42
primary = 198.51.100.11
primary_private = 10.77.0.1
primary_shared = /dev/sda1
service = lvs
rsh_command = ssh
backup_active = 1
backup = 198.51.100.12
backup_private = 10.77.0.2
backup_shared = /dev/sda1
heartbeat = 1
heartbeat_port = 1050
keepalive = 6
deadtime = 18
network = nat
nat_router = 10.0.0.254 eth1:1
nat_nmask = 255.255.255.0
reservation_conflict_action = preempt
debug_level = NONE
monitor_links = 1
syncdaemon = 1
syncd_iface = eth1
syncd_id = 300
tcp_timeout = 900
tcpfin_timeout = 120
udp_timeout = 300
active_cmd = "/usr/local/bin/up now"
inactive_cmd = /usr/local/bin/down
hard_shutdown = 1
ipvsadm = /usr/sbin/ipvsadm
sync = 1
# kept
virtual "the shop" {
     active = 1
     address = 198.51.100.100 eth0:1
     vip_nmask = 255.255.255.0
     fwmark = 80
     port = 0x50
     persistent = 030
     pmask = 255.255.255.0
     send = "GET / HTTP/1.0\\r\\n\\r\\n"
     expect = "HTTP"
     use_regex = 0
     load_monitor = uptime
     scheduler = wlc
     protocol = tcp
     timeout = 6
     reentry = 15
     quiesce_server = 1
     sorry_server = 198.51.100.30
     client_monitor = /usr/sbin/nanny
     master = 198.51.100.21
     dirs = [ a b ]
     server web-a {
         address = 10.0.0.21
         active = 1
         port = 8080
         weight = 2
     }
     server web-a {
         address = 10.0.0.22
         active = 1
         weight = 1
     }
}
virtual dns {
     active = 0
     address = 198.51.100.101 eth0:2
     protocol = udp
     port = 53
     send_program = "/usr/local/bin/dig-check %h"
     expect = "OK"
}
failover mail {
     active = 1
     address = 198.51.100.102 eth0:3
     port = 25
     timeout = 10
     start_cmd = "/etc/init.d/sendmail start"
     stop_cmd = "/etc/init.d/sendmail stop"
}
`;

function imported(text: string) {
  const result = importLvs(text, { ...names, file: 'lvs.cf' });
  const before = parseSettings(text, { ...names, file: 'lvs.cf' }).settings;
  const after = parseSettings(result.text, { ...names, file: 'lvs.cf' }).settings;
  return { ...result, before, after };
}

test('a file with every directive of 0.8.6 means the same, and what never had an effect is a comment', () => {
  const tables = [GLOBAL_DIRECTIVES, VIRTUAL_DIRECTIVES, SERVER_DIRECTIVES];
  const all = tables.flatMap((table) => [...table.values()]);
  const unused = new Set<string>();
  for (const { key, strict, unused: why } of all) {
    if (strict.kind === 'ours') continue;
    assert.match(EVERYTHING, new RegExp(`^ *${key} = `, 'm'), key);
    if (why !== undefined) unused.add(key);
  }
  assert.equal(strictVerdict(EVERYTHING), undefined, '0.8.6 takes the file');
  const { text, notes, before, after } = imported(EVERYTHING);
  assert.ok(before !== undefined);
  assert.equal(meaning(after), meaning(before));
  const lines = EVERYTHING.split('\n');
  const told = notes.map(({ kind, line }) => `${kind} ${lines[line - 1]?.trim()}`);
  const idle = lines.filter((line) => unused.has(line.trim().split(' ')[0] ?? ''));
  assert.deepEqual(
    told.filter((line) => line.startsWith('needless')),
    idle.map((line) => `needless ${line.trim()}`),
  );
  assert.deepEqual(
    told.filter((line) => !line.startsWith('needless')),
    [
      'changed syncd_id = 300',
      'changed persistent = 030',
      'changed send_program = "/usr/local/bin/dig-check %h"',
    ],
  );
  assert.match(text, /^# kept$/m);
  for (const line of idle) assert.ok(text.includes(`# ${line.trim()}\n`), line);
});

test('line endings of DOS, of which 0.8.6 read the first line only, are read', () => {
  const { after } = imported(EVERYTHING.replaceAll('\n', '\r\n'));
  assert.equal(after?.virtualServices.length, 2);
});

test('host and service names stay names', () => {
  const text = EVERYTHING.replace('10.0.0.22', 'web-b').replace('0x50', 'http');
  const { text: made, after } = imported(text);
  assert.match(made, /address = web-b\n/);
  assert.match(made, /port = http\n/);
  assert.equal(after?.virtualServices[0]?.realServers[1]?.address, '198.51.100.22');
});

test('what the web pages of old wrote and the daemons refused is left as it is, for its author to decide', () => {
  const text = EVERYTHING.replace('     use_regex = 0', '     expect_program = x');
  const { text: made, after } = imported(text);
  assert.equal(after, undefined);
  assert.match(made, /^ +expect_program = x$/m);
});
