/** keepalived itself judges what is exported, in a network namespace that has the interfaces of the samples. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { ok } from '../base/index.ts';
import { runExport } from './export.ts';

const samples = globSync(join(import.meta.dirname, '../../test/samples/*.cf'));
const KEEPALIVED = '/usr/sbin/keepalived';
const skip =
  process.getuid?.() !== 0
    ? 'needs root for a network namespace'
    : existsSync(KEEPALIVED)
      ? false
      : 'keepalived is not installed';

/** Two pairs of cables give four interfaces; `-t` asks for nothing more. */
const JUDGE = `ip link add eth0 type veth peer name eth1
ip link add eth2 type veth peer name bond0
exec ${KEEPALIVED} -t -i "$1" -f "$2"`;

test('keepalived takes the export of every sample, on both machines', { skip }, () => {
  const names = { servicePort: (name: string) => ({ http: 80, ftp: 21, domain: 53 })[name] };
  const directory = mkdtempSync(join(tmpdir(), 'piranha-export-'));
  try {
    const file = join(directory, 'keepalived.conf');
    const judge = (machine: string) =>
      spawnSync('unshare', ['-n', 'sh', '-ec', JUDGE, 'sh', machine, file], {
        encoding: 'utf8',
        timeout: 20_000,
      });
    for (const sample of samples) {
      const world = { read: () => ok(readFileSync(sample)), write: () => ok(undefined), names };
      const { stdout, stderr, exitCode } = runExport(['keepalived.conf', sample], world);
      assert.equal(exitCode, 0, stderr);
      for (const machine of ['primary', 'backup']) {
        writeFileSync(file, stdout);
        const { status, stderr: words } = judge(machine);
        assert.equal(status, 0, `${sample} as ${machine}: ${words}\n${stdout}`);
      }
      writeFileSync(file, stdout.replace('advert_int', 'advert_itn'));
      assert.notEqual(judge('primary').status, 0, 'a misspelt word would have been seen');
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
});
