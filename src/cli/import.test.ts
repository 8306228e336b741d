import assert from 'node:assert/strict';
import test from 'node:test';
import { err, ok, utf8 } from '../base/index.ts';
import { runExport } from './export.ts';
import { runImport } from './import.ts';

const CONF = `vrrp_instance web {
    interface eth0
    garp_master_repeat 1
    virtual_ipaddress {
        192.0.2.80/24
    }
}
`;
const PAIR = ['--primary', '192.0.2.11', '--backup', '192.0.2.12'];

function worldOf(text: string) {
  return {
    read: (path: string) => (path === 'it' ? ok(utf8(text)) : err('no such file or directory')),
    write: () => ok(undefined),
    names: {},
    realPath: (file: string) => `/etc/${file}`,
    includedFiles: (file: string) => (pattern: string) =>
      pattern === 'more'
        ? ok([{ path: `${file}.more`, text: 'virtual_ipaddress { 192.0.2.81/24 }\nwrong\n' }])
        : err('is not here'),
  };
}

test('import prints the lvs.cf, and by line what is not carried over', () => {
  const { stdout, stderr, exitCode } = runImport([...PAIR, 'it'], worldOf(CONF));
  assert.equal(exitCode, 0);
  assert.match(stdout, /^serial_no = 1\nprimary = 192\.0\.2\.11\n/);
  const line =
    'it:3: garp_master_repeat: announcements are verified and repeated by default; drop it';
  assert.ok(stderr.includes(`${line}\n`), stderr);
  assert.match(stderr, /\nit: imported; statements: 0 not carried over, .*\n$/);
});

test('import reads what the file includes, and tells its lines with its name', () => {
  const text = CONF.replace('    virtual_ip', '    include more\n    virtual_ip');
  const { stdout, stderr, exitCode } = runImport([...PAIR, 'it'], worldOf(text));
  assert.equal(exitCode, 0, stderr);
  assert.match(stdout, /\n {4}address = 192\.0\.2\.81 eth0\n/);
  assert.match(stderr, /^\/etc\/it\.more:2: wrong: no such word is known; it is left out$/m);
  const far = runImport([...PAIR, 'it'], worldOf(`include far\n${CONF}`));
  assert.deepEqual([far.stdout, far.exitCode], ['', 1]);
  assert.match(far.stderr, /^it:1: include: far is not here$/m);
});

test('import without the partner says which options it wants, prints nothing, and fails', () => {
  const { stdout, stderr, exitCode } = runImport(['it'], worldOf(CONF));
  assert.deepEqual([stdout, exitCode], ['', 1]);
  assert.match(stderr, /it:1: vrrp_instance: .*give --primary ADDRESS and --backup ADDRESS\n/);
});

test('import sees an lvs.cf by its text, and fails when it cannot be run', () => {
  const good = 'primary = 192.0.2.11\nvirtual a {\nactive = yes\naddress = 192.0.2.80 eth0:1\n}\n';
  const taken = runImport(['it'], worldOf(good));
  assert.equal(taken.exitCode, 0, taken.stderr);
  assert.match(taken.stdout, /\n {4}active = 1\n/);
  const broken = runImport(['--json', 'it'], worldOf(`${good}keepalive = x\n`));
  assert.equal(broken.exitCode, 1);
  assert.equal(JSON.parse(broken.stdout).problems[0].code, 'not-an-integer');
});

test('wrong words of import and export are answered by a sentence', () => {
  const world = worldOf(CONF);
  const wrong = [
    [],
    ['a', 'b'],
    ['--primary', 'x', 'it'],
    ['--from', 'x', 'it'],
    ['--nothing', 'it'],
  ];
  for (const argv of wrong) assert.equal(runImport(argv, world).exitCode, 64, argv.join(' '));
  assert.match(runImport(['other'], world).stderr, /other: cannot be read: no such file/);
  for (const argv of [[], ['json'], ['keepalived.conf', 'a', 'b']]) {
    assert.equal(runExport(argv, world).exitCode, 64, argv.join(' '));
  }
  const refused = runExport(['keepalived.conf', 'it'], world);
  assert.equal(refused.exitCode, 1);
  assert.match(refused.stderr, /piranha check it says why/);
});

test('export tells on both streams what keepalived cannot do', () => {
  const text = `primary = 192.0.2.11
backup = 192.0.2.12
backup_active = 1
lease_ms = 3000
virtual a {
    active = 1
    address = 192.0.2.80 eth0:1
}
`;
  const { stdout, stderr, exitCode } = runExport(['keepalived.conf', 'it'], worldOf(text));
  assert.equal(exitCode, 0);
  assert.match(stderr, /^it:4: lease_ms: there is no lease/m);
  assert.match(stdout, /^! line 4: lease_ms: there is no lease/m);
  assert.match(stdout, /\n {8}192\.0\.2\.80\/32 dev eth0 label eth0:1\n/);
});
